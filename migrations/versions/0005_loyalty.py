"""Loyalty: programmes and their terms, members' accounts, and the books of their points, which are only added to."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole
from sqlalchemy import text
from sqlalchemy.types import TypeEngine

from app.platform.database import Instant, Key, Words
from app.platform.walls import ROLE_FUNCTION, protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# What the server does with them. The books have neither UPDATE nor DELETE: a correction is another entry.
OWNED = {
    "loyalty_programs": "SELECT, INSERT, UPDATE",
    "loyalty_terms": "SELECT, INSERT",
    "loyalty_levels": "SELECT, INSERT",
    "rewards": "SELECT, INSERT, UPDATE",
    "loyalty_accounts": "SELECT, INSERT, UPDATE",
    "points_entries": "SELECT, INSERT",
    "points_lots": "SELECT, INSERT, UPDATE (pending, remaining, reserved)",
    "points_lot_moves": "SELECT, INSERT",
    "redemptions": "SELECT, INSERT, UPDATE (reversed)",
    "points_reservations": "SELECT, INSERT, UPDATE (captured, closed_at, closed_as)",
}
BOOKS = ("points_entries", "points_lot_moves", "loyalty_terms", "loyalty_levels")


def upgrade() -> None:
    op.add_column("customer_facts", sa.Column("memberships", Whole(), nullable=False, server_default="0"))
    op.create_table(
        "loyalty_programs",
        *required(Words(), "name points_name currency"),
        *required(Whole(), "exponent"),
        *required(Instant(), "created_at"),
        *required(Whole(), "version earn_rate_e6 activation_days"),
        *optional(Whole(), "expiry_days"),
        *required(Whole(), "point_value_e6 grace_days"),
        *required(sa.Boolean(), "soft_landing"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("exponent BETWEEN 0 AND 4", name="exponent"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "created_at", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "loyalty_terms",
        *required(Key(), "org_id program_id"),
        *required(Whole(), "version"),
        *required(Instant(), "at"),
        *required(Whole(), "earn_rate_e6 activation_days"),
        *optional(Whole(), "expiry_days"),
        *required(Whole(), "point_value_e6 grace_days"),
        *required(sa.Boolean(), "soft_landing"),
        sa.CheckConstraint("earn_rate_e6 >= 0", name="earn_rate"),
        sa.CheckConstraint("activation_days >= 0", name="activation"),
        sa.CheckConstraint("expiry_days > 0", name="expiry"),
        sa.CheckConstraint("grace_days >= 0", name="grace"),
        sa.CheckConstraint("point_value_e6 >= 0", name="point_value"),
        sa.ForeignKeyConstraint(["org_id", "program_id"], ["loyalty_programs.org_id", "loyalty_programs.id"]),
        sa.PrimaryKeyConstraint("org_id", "program_id", "version"),
        sa.Index(None, "org_id", "program_id", "at"),
        sqlite_strict=True,
    )
    op.create_table(
        "loyalty_levels",
        *required(Key(), "org_id program_id"),
        *required(Whole(), "version rank"),
        *required(Words(), "name name_folded"),
        *required(Whole(), "qualify_points retain_points multiplier_e6"),
        *required(Words(), "benefits"),
        sa.CheckConstraint("qualify_points >= retain_points AND retain_points >= 0", name="points"),
        sa.CheckConstraint("multiplier_e6 >= 0", name="multiplier"),
        sa.ForeignKeyConstraint(
            ["org_id", "program_id", "version"],
            ["loyalty_terms.org_id", "loyalty_terms.program_id", "loyalty_terms.version"],
        ),
        sa.PrimaryKeyConstraint("org_id", "program_id", "version", "rank"),
        sqlite_strict=True,
    )
    op.create_table(
        "rewards",
        *required(Key(), "program_id"),
        *required(Words(), "name"),
        *required(Whole(), "points"),
        *optional(Whole(), "stock"),
        *required(sa.Boolean(), "active"),
        *required(Instant(), "created_at"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("points > 0", name="points"),
        sa.CheckConstraint("stock >= 0", name="stock"),
        sa.ForeignKeyConstraint(["org_id", "program_id"], ["loyalty_programs.org_id", "loyalty_programs.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "program_id", "points", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "loyalty_accounts",
        *required(Key(), "program_id customer_id"),
        *required(Words(), "number number_folded"),
        *required(Instant(), "opened_at"),
        *optional(Instant(), "closed_at"),
        *required(Whole(), "version entries"),
        *required(Instant(), "last_at due_at"),
        sa.Column("kept_version", Whole(), nullable=False, server_default="0"),
        *optional(Whole(), "kept_rank"),
        *required(Whole(), "available pending reserved debt issued redeemed expired reversed adjusted moved"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("expired >= 0", name="expired"),
        sa.CheckConstraint("debt >= 0", name="debt"),
        sa.CheckConstraint(
            "issued + adjusted - redeemed - expired - reversed + moved = available + pending + reserved - debt",
            name="zero",
        ),
        sa.CheckConstraint("redeemed >= 0", name="redeemed"),
        sa.CheckConstraint("available >= 0", name="available"),
        sa.CheckConstraint("reserved >= 0", name="reserved"),
        sa.CheckConstraint("reversed >= 0", name="reversed"),
        sa.CheckConstraint("available = 0 OR debt = 0", name="settled"),
        sa.CheckConstraint("issued >= 0", name="issued"),
        sa.CheckConstraint("pending >= 0", name="pending"),
        sa.ForeignKeyConstraint(["org_id", "program_id"], ["loyalty_programs.org_id", "loyalty_programs.id"]),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index("ix_loyalty_accounts_due", "org_id", "due_at", "id"),
        sa.Index("ix_loyalty_accounts_kept", "org_id", "program_id", "kept_version", "id"),
        sa.Index(None, "org_id", "customer_id", "opened_at", "id"),
        sa.Index(None, "org_id", "opened_at", "id"),
        sa.Index(None, "org_id", "program_id", "opened_at", "id"),
        sa.Index("uq_loyalty_accounts_number", "org_id", "number", unique=True),
        sa.Index(
            "uq_loyalty_accounts_open", "org_id", "program_id", "customer_id", unique=True, **only("closed_at IS NULL")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "points_entries",
        *required(Key(), "account_id program_id"),
        *required(Whole(), "place"),
        *required(Instant(), "at posted_at"),
        *required(Whole(), "effective_day"),
        *required(Words(), "kind debit credit"),
        *required(Whole(), "points"),
        *required(sa.Boolean(), "incoming"),
        *optional(Key(), "other_account_id"),
        *optional(Words(), "reason source_prefix"),
        *optional(Key(), "source_id key_id"),
        *optional(Whole(), "qualifying_year qualified"),
        *required(Whole(), "available pending reserved debt issued redeemed expired reversed adjusted moved"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("points > 0", name="points"),
        sa.ForeignKeyConstraint(["org_id", "account_id"], ["loyalty_accounts.org_id", "loyalty_accounts.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "account_id", "at", "place"),
        sa.Index(
            "ix_points_entries_qualified",
            "org_id",
            "account_id",
            "qualifying_year",
            "place",
            **only("qualifying_year IS NOT NULL"),
        ),
        sa.Index("ix_points_entries_source", "org_id", "source_id", **only("source_id IS NOT NULL")),
        sa.Index("uq_points_entries_place", "org_id", "account_id", "place", unique=True),
        sqlite_strict=True,
    )
    op.create_table(
        "points_lots",
        *required(Key(), "account_id"),
        *required(Whole(), "points pending remaining reserved active_day"),
        *required(Instant(), "active_at"),
        *optional(Whole(), "expires_day"),
        *required(Instant(), "expires_at earned_at"),
        *required(Whole(), "terms_version"),
        *optional(Key(), "purchase_id"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("points > 0", name="points"),
        sa.CheckConstraint("pending >= 0", name="pending"),
        sa.CheckConstraint("reserved >= 0", name="reserved"),
        sa.CheckConstraint("remaining >= 0", name="remaining"),
        sa.CheckConstraint("pending + remaining + reserved <= points", name="whole"),
        sa.ForeignKeyConstraint(["org_id", "account_id"], ["loyalty_accounts.org_id", "loyalty_accounts.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index("ix_points_lots_pending", "org_id", "account_id", "active_at", "id", **only("pending > 0")),
        sa.Index("ix_points_lots_purchase", "org_id", "purchase_id", **only("purchase_id IS NOT NULL")),
        sa.Index(
            "ix_points_lots_spendable", "org_id", "account_id", "expires_at", "earned_at", "id", **only("remaining > 0")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "points_lot_moves",
        *required(Key(), "org_id entry_id"),
        *required(Whole(), "position"),
        *required(Key(), "lot_id"),
        *required(Instant(), "at"),
        *required(Whole(), "pending remaining reserved"),
        sa.ForeignKeyConstraint(["org_id", "lot_id"], ["points_lots.org_id", "points_lots.id"]),
        sa.ForeignKeyConstraint(["org_id", "entry_id"], ["points_entries.org_id", "points_entries.id"]),
        sa.PrimaryKeyConstraint("org_id", "entry_id", "position"),
        sa.Index(None, "org_id", "lot_id", "at"),
        sqlite_strict=True,
    )
    op.create_table(
        "redemptions",
        *required(Key(), "account_id entry_id"),
        *required(Whole(), "points reversed"),
        *optional(Key(), "reward_id reservation_id"),
        *required(Instant(), "redeemed_at"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("reversed BETWEEN 0 AND points", name="reversed"),
        sa.ForeignKeyConstraint(["org_id", "reward_id"], ["rewards.org_id", "rewards.id"]),
        sa.ForeignKeyConstraint(["org_id", "entry_id"], ["points_entries.org_id", "points_entries.id"]),
        sa.ForeignKeyConstraint(["org_id", "account_id"], ["loyalty_accounts.org_id", "loyalty_accounts.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "account_id", "redeemed_at", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "points_reservations",
        *required(Key(), "account_id entry_id"),
        *required(Whole(), "points captured"),
        *required(Instant(), "reserved_at expires_at"),
        *optional(Instant(), "closed_at"),
        *optional(Words(), "closed_as"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("captured BETWEEN 0 AND points", name="captured"),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_as IS NULL)", name="closed"),
        sa.ForeignKeyConstraint(["org_id", "entry_id"], ["points_entries.org_id", "points_entries.id"]),
        sa.ForeignKeyConstraint(["org_id", "account_id"], ["loyalty_accounts.org_id", "loyalty_accounts.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(
            "ix_points_reservations_open", "org_id", "account_id", "expires_at", "id", **only("closed_at IS NULL")
        ),
        sqlite_strict=True,
    )
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for table in BOOKS:
            for verb in ("UPDATE", "DELETE"):
                connection.exec_driver_sql(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, 'What is in the books stays there.'); END"
                )
        return
    role = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
    )
    for table, rights in OWNED.items():
        for statement in protect(table, rights, role):
            connection.exec_driver_sql(statement)


def downgrade() -> None:
    for table in reversed(OWNED):
        op.drop_table(table)
    op.drop_column("customer_facts", "memberships")


def required(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in " ".join(names).split()]


def optional(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in " ".join(names).split()]


def only(test: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(test), "sqlite_where": sa.text(test)}
