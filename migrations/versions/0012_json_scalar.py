"""PostgreSQL 17 has JSON_SCALAR, which looks a value's type up once a statement, not once a row as to_json does.

Where it is older, a function of that name stands for it and is written out by the planner: no call is left.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if _is_missing(op.get_bind()):
        # A database that is brought to 17 keeps the function; JSON_SCALAR( is grammar there and never finds it.
        op.execute(
            "CREATE FUNCTION json_scalar(anyelement) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE"
            " AS $$ SELECT to_json($1) $$"
        )


def downgrade() -> None:
    if _is_postgresql(op.get_bind()):
        op.execute('DROP FUNCTION IF EXISTS "json_scalar"(anyelement)')


def _is_postgresql(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _is_missing(connection: sa.Connection) -> bool:
    version = connection.dialect.server_version_info
    return _is_postgresql(connection) and version is not None and version < (17,)
