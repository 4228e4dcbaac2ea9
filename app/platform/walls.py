"""The second wall between organisations, which PostgreSQL holds: row level security, for a role that owns nothing.

A connection that serves requests takes that role when it is made (`TAKE_ROLE`), and says whose rows it may see: for one
transaction (`enter`), or, where a connection remembers, until it says otherwise (`entering`). One that has not said so
is refused with an error, and never given all rows. SQLite has the first wall alone.
"""

from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.orm import Session

SETTING = "app.org_id"
POLICY = "organisation"
# Beside the organisation that a statement names it is one test before the statement runs, and none for each row.
CONDITION = f"org_id = current_setting('{SETTING}')::uuid"
# Which role serves is written in the database: a copy of it, or one renamed, is served by the same.
ROLE_FUNCTION = "guanxi_server_role"
TAKE_ROLE = f"SELECT set_config('role', {ROLE_FUNCTION}(), false)"
CANNOT_SERVE = (
    "The database user may not take the role that serves. Run guanxi migrate, or let an administrator grant it the role"
    f" that SELECT {ROLE_FUNCTION}() names."
)


def entering(org_id: UUID) -> str:
    """The statement that shows a connection the rows of one organisation, until it enters another.

    Only for connections that this process owns: a pooler would hand them on as they are.
    """
    return f"SET {SETTING} = '{_spelled(org_id)}'"


def entering_for_transaction(org_id: UUID) -> str:
    """The same for the transaction that is under way; afterwards the connection is in no organisation."""
    # A literal: Citus hands SET LOCAL on to its workers, and set_config() not.
    return f"SET LOCAL {SETTING} = '{_spelled(org_id)}'"


def enter(transaction: Session | Connection, org_id: UUID) -> None:
    """Show the transaction that is under way the rows of one organisation."""
    connection = transaction.connection() if isinstance(transaction, Session) else transaction
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(entering_for_transaction(org_id))


def protect(table: str, rights: str, role: str) -> list[str]:
    """What a migration runs for an owned table: `rights` are those that the server needs, like "SELECT, INSERT"."""
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {POLICY} ON {table} USING ({CONDITION}) WITH CHECK ({CONDITION})",
        f"GRANT {rights} ON {table} TO {role}",
    ]


def _spelled(org_id: UUID) -> str:
    # It goes into the text of a statement: nothing but a UUID may.
    if not isinstance(org_id, UUID):
        raise TypeError("An organisation's id is a UUID.")
    return str(org_id)
