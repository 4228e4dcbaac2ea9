"""The audit trail as an outbox: whom an entry concerns, and when it was committed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text
from sqlalchemy.schema import CreateSequence, DropSequence

from app.platform.audit import NEXT_PLACE, PLACES, TRANSACTION
from app.platform.database import Key
from app.platform.walls import ROLE_FUNCTION

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEX = "ix_audit_entries_outbox"


def upgrade() -> None:
    connection = op.get_bind()
    on_postgresql = connection.dialect.name == "postgresql"
    op.add_column("audit_entries", sa.Column("customer_id", Key(), nullable=True))
    if on_postgresql:
        connection.execute(CreateSequence(sa.Sequence(PLACES)))
        # First the column, then its default: entries of before are left as they stand.
        for name, default in (("xact", TRANSACTION), ("place", NEXT_PLACE)):
            op.add_column("audit_entries", sa.Column(name, sa.BigInteger(), nullable=True))
            op.alter_column("audit_entries", name, server_default=default)
        role = connection.dialect.identifier_preparer.quote_identifier(
            str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
        )
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE {PLACES} TO {role}")
    else:
        for name, default in (("xact", TRANSACTION), ("place", NEXT_PLACE)):
            op.add_column("audit_entries", sa.Column(name, sa.BigInteger(), nullable=True, server_default=default))
    op.create_index(
        INDEX,
        "audit_entries",
        ["org_id", "xact"],
        postgresql_where=text("customer_id IS NOT NULL"),
        sqlite_where=text("xact IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(INDEX, "audit_entries")
    for name in ("place", "xact", "customer_id"):
        op.drop_column("audit_entries", name)
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.execute(DropSequence(sa.Sequence(PLACES)))
