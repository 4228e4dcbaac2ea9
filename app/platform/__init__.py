"""What would serve any product: the database, who is calling, one transaction's work, refusals, idempotency, the
audit trail."""
