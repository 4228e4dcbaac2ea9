"""Every contact with a customer, on any channel, by either side."""
