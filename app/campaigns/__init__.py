"""Campaigns: whom to address for a purpose and on a channel, who was left out and why, and what it changed."""
