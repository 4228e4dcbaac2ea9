"""Spending writes less: a lot's place in the index of those to be spent stays until it is used up, and two tables of
SQLite are kept in the order of their keys, instead of beside an index of them."""

from collections.abc import Callable

from alembic import op
from sqlalchemy import Connection, text

from app.platform.walls import ROLE_FUNCTION

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = "ix_points_lots_spendable"
ORDER = ["org_id", "account_id", "expires_at", "earned_at", "id"]
# Their rows are short, and nothing refers to them.
BY_KEY = "points_lot_moves", "redemptions"
WITHOUT_ROWID = ", WITHOUT ROWID"


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
        for table in BY_KEY:
            _made_anew(connection, table, lambda said: said + WITHOUT_ROWID)
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
    connection = op.get_bind()
    op.drop_index(INDEX, "points_lots")
    op.drop_column("points_lots", "spendable")
    _index("remaining > 0", "remaining > 0")
    if connection.dialect.name == "sqlite":
        for table in BY_KEY:
            _made_anew(connection, table, lambda said: said.removesuffix(WITHOUT_ROWID))


def _index(in_postgresql: str, in_sqlite: str) -> None:
    op.create_index(INDEX, "points_lots", ORDER, postgresql_where=text(in_postgresql), sqlite_where=text(in_sqlite))


def _made_anew(connection: Connection, table: str, changed: Callable[[str], str]) -> None:
    """SQLite: with the same rows, indexes and triggers, as `changed` says it."""
    named = text(
        "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL ORDER BY type = 'table' DESC"
    )
    said, *others = connection.scalars(named, {"table": table}).all()
    columns = said[said.index("(") :].rstrip()
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(changed(f"CREATE TABLE {table} {columns}"))
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before ORDER BY {_key(connection, table)}")
    op.execute(f"DROP TABLE {table}_before")
    for other in others:
        op.execute(other)


def _key(connection: Connection, table: str) -> str:
    named = text("SELECT name FROM pragma_table_info(:table) WHERE pk ORDER BY pk")
    return ", ".join(connection.scalars(named, {"table": table}))
