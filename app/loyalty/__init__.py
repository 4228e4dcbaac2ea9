"""Loyalty: programmes, members' accounts, and the points that they earn, reserve and spend, kept as money is kept."""
