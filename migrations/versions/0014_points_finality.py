"""Until when what the books of an organisation say is final."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text

from app.platform.database import Instant, Key
from app.platform.walls import ROLE_FUNCTION, protect

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "points_finality",
        sa.Column("org_id", Key(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id"),
        sqlite_strict=True,
    )
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    role = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
    )
    for statement in protect("points_finality", "SELECT, INSERT, UPDATE", role):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    op.drop_table("points_finality")
