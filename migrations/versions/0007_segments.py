"""Segments: saved questions; every organisation has those that ship."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole
from sqlalchemy import text
from sqlalchemy.types import TypeEngine

from app.platform.database import Instant, Key, Words
from app.platform.ids import new_id
from app.platform.text import fold
from app.platform.walls import ROLE_FUNCTION, protect
from app.segments.shipped import SHIPPED

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    shown = sa.text("deleted_at IS NULL")
    segments = op.create_table(
        "segments",
        *required(Whole(), "version"),
        *required(Instant(), "created_at updated_at"),
        *required(Words(), "name name_folded"),
        *optional(Words(), "description"),
        *required(Words(), "test"),
        *optional(Instant(), "deleted_at"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index("uq_segments_name", "org_id", "name_folded", unique=True, postgresql_where=shown, sqlite_where=shown),
        sqlite_strict=True,
    )
    connection = op.get_bind()
    organizations = sa.table("organizations", sa.column("id", Key()))
    now = datetime.now(UTC)
    rows = [
        {
            "org_id": org_id,
            "id": new_id(),
            "version": 1,
            "created_at": now,
            "updated_at": now,
            "name": each.name,
            "name_folded": fold(each.name),
            "description": each.description,
            "test": each.test,
        }
        for org_id in connection.scalars(sa.select(organizations.c.id).order_by(organizations.c.id)).all()
        for each in SHIPPED
    ]
    if rows:
        # Before the wall stands: whoever migrates is in no organisation.
        connection.execute(sa.insert(segments), rows)
    if connection.dialect.name == "sqlite":
        return
    role = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
    )
    for statement in protect("segments", "SELECT, INSERT, UPDATE", role):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    op.drop_table("segments")


def required(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in " ".join(names).split()]


def optional(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in " ".join(names).split()]
