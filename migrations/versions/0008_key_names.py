"""Keys have names and may expire, and are made and revoked by the organisation that they open.

Whoever serves still looks up any key by its id, since the organisation is known by the key alone. It adds keys to the
organisation that it is in, and ends those of it: once one has ended, nothing brings it back.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection, text

from app.platform.database import Instant, Words
from app.platform.walls import CONDITION, ROLE_FUNCTION

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MADE = "id, org_id, name, secret_hash, scopes, created_at, expires_at"
POLICIES = {
    "looked_up": "FOR SELECT USING (true)",
    "made": f"FOR INSERT WITH CHECK ({CONDITION})",
    "ended": f"FOR UPDATE USING ({CONDITION} AND (revoked_at IS NULL OR revoked_at > now()))"
    f" WITH CHECK ({CONDITION} AND revoked_at IS NOT NULL)",
}


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("name", Words(), nullable=True))
    op.add_column("api_keys", sa.Column("expires_at", Instant(), nullable=True))
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in (
        "ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE api_keys FORCE ROW LEVEL SECURITY",
        *(f"CREATE POLICY {name} ON api_keys {what}" for name, what in POLICIES.items()),
        f"GRANT INSERT ({MADE}), UPDATE (revoked_at) ON api_keys TO {_role(connection)}",
    ):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for statement in (
            f"REVOKE INSERT ({MADE}), UPDATE (revoked_at) ON api_keys FROM {_role(connection)}",
            *(f"DROP POLICY {name} ON api_keys" for name in POLICIES),
            "ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY",
        ):
            connection.exec_driver_sql(statement)
    op.drop_column("api_keys", "expires_at")
    op.drop_column("api_keys", "name")


def _role(connection: Connection) -> str:
    name = str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
    return connection.dialect.identifier_preparer.quote_identifier(name)
