"""What is left of how much a key may ask."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text

from app.platform.database import Instant, Key
from app.platform.walls import ROLE_FUNCTION, protect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_buckets",
        sa.Column("org_id", Key(), nullable=False),
        sa.Column("key_id", Key(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.CheckConstraint("level >= 0", name="level"),
        sa.PrimaryKeyConstraint("org_id", "key_id"),
        sqlite_strict=True,
    )
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    role = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
    )
    for statement in protect("rate_buckets", "SELECT, INSERT, UPDATE", role):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    op.drop_table("rate_buckets")
