"""Files of what happened elsewhere, taken in through the same actions as any other record."""
