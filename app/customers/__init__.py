"""Who the customer is: profile, the names other systems give them, what they agreed to, how to find them."""
