"""The tables that are nobody's own: organisations, keys, exchange rates."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole
from sqlalchemy.types import TypeEngine

from app.platform.database import Instant, Key, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        *required(Key(), "org_id id"),
        *required(Words(), "secret_hash scopes"),
        *required(Instant(), "created_at"),
        *optional(Instant(), "revoked_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.Index(None, "org_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "exchange_rates",
        *required(Words(), "base quote"),
        *required(Whole(), "day rate_e12"),
        sa.PrimaryKeyConstraint("base", "quote", "day"),
        sa.CheckConstraint("rate_e12 > 0", name="rate"),
        sqlite_strict=True,
    )
    op.create_table(
        "organizations",
        *required(Key(), "id"),
        *required(Words(), "name time_zone currency"),
        *required(Instant(), "created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("organizations")
    op.drop_table("exchange_rates")
    op.drop_table("api_keys")


def required(kind: TypeEngine[Any], *names: str, default: str | None = None) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False, server_default=default) for name in " ".join(names).split()]


def optional(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in " ".join(names).split()]
