"""Row level security on every owned table, and a role that owns nothing for the server to take. PostgreSQL alone.

Measured on PostgreSQL 18, 100k customers, generic plans: comparing org_id with the setting as a uuid costs a read 0-9 %
of the backend's time, at most 0.02 ms of a short one: one test before it runs. Comparing org_id::text costs 5-40 %, and
up to 3.4 times the page whose plan its estimate spoils. Citus takes the first on PostgreSQL 17; before, where no outer
join reads a table.
"""

import re
from contextlib import suppress
from hashlib import md5

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.platform.refusals import OperatorError
from app.platform.walls import POLICY, ROLE_FUNCTION, protect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What the server does with the rows of an organisation. What has happened is added to, and changed only where it says
# what became of it.
OWNED = {
    "audit_entries": "SELECT, INSERT",
    "consents": "SELECT, INSERT",
    "customer_facts": "SELECT, INSERT, UPDATE",
    "customer_refs": "SELECT, INSERT, UPDATE, DELETE",
    "customer_tokens": "SELECT, INSERT, DELETE",
    "customers": "SELECT, INSERT, UPDATE",
    "idempotency_keys": "SELECT, INSERT, UPDATE, DELETE",
    # To lock a row takes the right to change it; the policy below lets nobody.
    "policies": "SELECT, INSERT, UPDATE (version)",
    "purchase_lines": "SELECT, INSERT",
    "purchases": "SELECT, INSERT, UPDATE (gross_reporting, rate_e12, rate_source, refunded_minor, refunded_reporting,"
    " voided_at, void_reason)",
    "refunds": "SELECT, INSERT, UPDATE (amount_reporting)",
    "standing_sums": "SELECT, INSERT, UPDATE, DELETE",
    "touchpoints": "SELECT, INSERT, UPDATE (resolved_at, resolution, retracted_at, retraction_reason)",
}
GLOBAL = ("api_keys", "exchange_rates", "organizations")
# With what stands before it, a role's name has at most 63 bytes.
PLAIN = re.compile(r"[\w-]{1,48}", re.ASCII)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    name = _role(connection)
    role = _quoted(connection, name)
    # Kept in the database itself, so that a copy of it, or one renamed, is served by the same role.
    connection.exec_driver_sql(
        f"CREATE FUNCTION {ROLE_FUNCTION}() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '{name}'::text $$"
    )
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {_schema(connection)} TO {role}")
    for table, rights in OWNED.items():
        for statement in protect(table, rights, role):
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql(
        "CREATE POLICY published ON policies AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (false)"
    )
    for table in GLOBAL:
        connection.exec_driver_sql(f"GRANT SELECT ON {table} TO {role}")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    name = connection.scalar(text(f"SELECT {ROLE_FUNCTION}()"))
    role = _quoted(connection, name)
    connection.exec_driver_sql("DROP POLICY published ON policies")
    for table in OWNED:
        connection.exec_driver_sql(f"DROP POLICY {POLICY} ON {table}")
        connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in (*OWNED, *GLOBAL):
        connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {role}")
    connection.exec_driver_sql(f"REVOKE USAGE ON SCHEMA {_schema(connection)} FROM {role}")
    connection.exec_driver_sql(f"DROP FUNCTION {ROLE_FUNCTION}()")
    # A copy of this database may be served by it too, and an administrator may have made it: then it stays.
    _try(connection, f"DROP ROLE IF EXISTS {role}")


def _role(connection: Connection) -> str:
    """The role that serves this database, made unless an administrator has; roles belong to the whole cluster."""
    database, user = connection.execute(text("SELECT current_database(), current_user")).one()
    plain = database if PLAIN.fullmatch(database) else md5(database.encode(), usedforsecurity=False).hexdigest()
    name = f"guanxi_server_{plain}"
    role, me = _quoted(connection, name), _quoted(connection, user)
    if _powerful(connection, name) is None:
        # Somebody else may be making it just now.
        _try(connection, f"CREATE ROLE {role} NOLOGIN NOBYPASSRLS NOINHERIT")
    powerful = _powerful(connection, name)
    if powerful is None:
        raise OperatorError(
            f"The database user {me} may not make the role that is to serve. Let an administrator run:"
            f" CREATE ROLE {role} NOLOGIN; GRANT {role} TO {me}; and then guanxi migrate again."
        )
    if powerful:
        raise OperatorError(
            f"The role {role} would see the rows of every organisation. Let an administrator run:"
            f" ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS; and then guanxi migrate again."
        )
    if not _may_take(connection, name):
        _try(connection, f"GRANT {role} TO {me}" + (" WITH INHERIT FALSE, SET TRUE" if _modern(connection) else ""))
    if not _may_take(connection, name):
        raise OperatorError(
            f"The database user {me} may not take the role that is to serve. Let an administrator run:"
            f" GRANT {role} TO {me}; and then guanxi migrate again."
        )
    return name


def _powerful(connection: Connection, role: str) -> bool | None:
    """None when there is no such role."""
    found = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = :role")
    powerful: bool | None = connection.scalar(found, {"role": role})
    return powerful


def _may_take(connection: Connection, role: str) -> bool:
    may = text(f"SELECT pg_has_role(:role, '{'SET' if _modern(connection) else 'MEMBER'}')")
    return bool(connection.scalar(may, {"role": role}))


def _modern(connection: Connection) -> bool:
    """Since PostgreSQL 16 membership alone does not let a user take a role."""
    return bool(connection.scalar(text("SELECT current_setting('server_version_num')::int >= 160000")))


def _try(connection: Connection, statement: str) -> None:
    with suppress(DBAPIError), connection.begin_nested():
        connection.exec_driver_sql(statement)


def _schema(connection: Connection) -> str:
    return _quoted(connection, str(connection.scalar(text("SELECT current_schema()"))))


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
