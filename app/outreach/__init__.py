"""Outreach: which campaigns there are and who belongs to them, as far as whoever records a contact needs to know."""
