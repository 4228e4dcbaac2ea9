"""A lot's place in the index of those to be spent stays as it is until the lot is used up: the index looked at what
remains, and so every command that spent wrote it anew."""

from alembic import op
from sqlalchemy import text

from app.platform.walls import ROLE_FUNCTION

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = "ix_points_lots_spendable"
ORDER = ["org_id", "account_id", "expires_at", "earned_at", "id"]


def upgrade() -> None:
    connection = op.get_bind()
    op.drop_index(INDEX, "points_lots")
    # A lot with points left that is not said to be spendable would hide them: no row may be so. The other way round
    # costs time, nothing else, and `guanxi ledger verify` tells.
    check = "CONSTRAINT ck_points_lots_spendable CHECK (spendable OR remaining = 0)"
    if connection.dialect.name == "sqlite":
        # It adds no constraint to a table, but takes one with a column.
        op.execute(f"ALTER TABLE points_lots ADD COLUMN spendable INTEGER DEFAULT 1 NOT NULL {check}")
        op.execute("UPDATE points_lots SET spendable = (remaining > 0)")
    else:
        op.execute("ALTER TABLE points_lots ADD COLUMN spendable boolean DEFAULT true NOT NULL")
        # Written anew as a whole: an UPDATE would see the rows of one organisation.
        op.execute(f"ALTER TABLE points_lots ALTER COLUMN spendable TYPE boolean USING (remaining > 0), ADD {check}")
        role = connection.dialect.identifier_preparer.quote_identifier(
            str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
        )
        op.execute(f"GRANT UPDATE (spendable) ON points_lots TO {role}")
    _index("spendable", "spendable = 1")


def downgrade() -> None:
    op.drop_index(INDEX, "points_lots")
    op.drop_column("points_lots", "spendable")
    _index("remaining > 0", "remaining > 0")


def _index(in_postgresql: str, in_sqlite: str) -> None:
    op.create_index(INDEX, "points_lots", ORDER, postgresql_where=text(in_postgresql), sqlite_where=text(in_sqlite))
