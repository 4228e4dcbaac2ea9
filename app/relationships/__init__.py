"""How close a customer is to us: buyer, customer, client, partner."""
