"""Segments: saved questions. Who belongs to one is asked anew each time."""
