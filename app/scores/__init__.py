"""Where a customer stands in the lifecycle, and what they are worth: judgements of facts under a policy."""
