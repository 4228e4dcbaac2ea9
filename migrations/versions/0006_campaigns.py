"""Campaigns: what is planned and spent, who belongs to them, and which contacts and purchases came of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole
from sqlalchemy import text
from sqlalchemy.types import TypeEngine

from app.platform.database import Instant, Key, Words
from app.platform.walls import ROLE_FUNCTION, protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OWNED = {
    "campaigns": "SELECT, INSERT, UPDATE",
    "campaign_costs": "SELECT, INSERT",
    "campaign_members": "SELECT, INSERT",
}
NAMING = ("touchpoints", "purchases")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        *required(Whole(), "version"),
        *required(Instant(), "created_at updated_at"),
        *required(Words(), "name name_folded objective status channel purpose"),
        *optional(Whole(), "budget_minor"),
        *optional(Instant(), "starts_at ends_at"),
        *required(Whole(), "holdout_e6 conversion_days"),
        *required(Words(), "audience"),
        *optional(Instant(), "launched_at"),
        *optional(Whole(), "launched_day"),
        *optional(Words(), "audience_hash"),
        *optional(Whole(), "matched treatment holdout"),
        *optional(Whole(), "excluded_archived excluded_no_consent excluded_suppressed excluded_frequency_cap"),
        *optional(Instant(), "ended_at"),
        *optional(Words(), "cancel_reason"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("status IN ('DRAFT', 'RUNNING', 'COMPLETED', 'CANCELLED')", name="status"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        sa.CheckConstraint("holdout_e6 BETWEEN 0 AND 500000", name="holdout"),
        sa.CheckConstraint("conversion_days BETWEEN 1 AND 3650", name="window"),
        sa.CheckConstraint("budget_minor >= 0", name="budget"),
        sa.CheckConstraint("starts_at <= ends_at", name="dates"),
        sa.CheckConstraint(
            "matched = treatment + holdout + excluded_archived + excluded_no_consent + excluded_suppressed"
            " + excluded_frequency_cap",
            name="funnel",
        ),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "created_at", "id"),
        sa.Index(None, "org_id", "name_folded", "id"),
        sa.Index(None, "org_id", "starts_at", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "campaign_costs",
        *required(Key(), "campaign_id"),
        *required(Whole(), "amount_minor"),
        *required(Words(), "currency"),
        *required(Whole(), "exponent amount_reporting"),
        *required(Instant(), "at recorded_at"),
        *optional(Words(), "note"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
        sa.CheckConstraint("exponent BETWEEN 0 AND 4", name="exponent"),
        sa.ForeignKeyConstraint(["org_id", "campaign_id"], ["campaigns.org_id", "campaigns.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "campaign_id", "at"),
        sa.Index(None, "org_id", "at"),
        sqlite_strict=True,
    )
    op.create_table(
        "campaign_members",
        *required(Key(), "campaign_id customer_id"),
        *optional(Words(), "arm excluded"),
        *required(Instant(), "enrolled_at"),
        *required(Whole(), "enrolled_day until_day"),
        *required(Key(), "org_id id"),
        sa.CheckConstraint("arm IN ('TREATMENT', 'HOLDOUT')", name="arm"),
        sa.CheckConstraint("(arm IS NULL) <> (excluded IS NULL)", name="enrolled"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index("uq_campaign_members_customer", "org_id", "campaign_id", "customer_id", unique=True),
        sa.Index(None, "org_id", "campaign_id", "id"),
        sa.Index(None, "org_id", "customer_id", "enrolled_at", "id"),
        sqlite_strict=True,
    )
    for table in NAMING:
        # No foreign key: SQLite gives none of two columns to a table that is there. Nothing deletes a campaign, and
        # whoever names one looks it up.
        op.add_column(table, sa.Column("campaign_id", Key(), nullable=True))
    named = only("campaign_id IS NOT NULL")
    op.create_index("ix_touchpoints_campaign", "touchpoints", ["org_id", "campaign_id", "customer_id"], **named)
    op.create_index("ix_touchpoints_sent", "touchpoints", ["org_id", "local_day"], **named)
    op.create_index("ix_purchases_campaign", "purchases", ["org_id", "campaign_id"], **named)
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    role = connection.dialect.identifier_preparer.quote_identifier(
        str(connection.scalar(text(f"SELECT {ROLE_FUNCTION}()")))
    )
    for table, rights in OWNED.items():
        for statement in protect(table, rights, role):
            connection.exec_driver_sql(statement)


def downgrade() -> None:
    op.drop_index("ix_purchases_campaign", "purchases")
    op.drop_index("ix_touchpoints_sent", "touchpoints")
    op.drop_index("ix_touchpoints_campaign", "touchpoints")
    for table in NAMING:
        op.drop_column(table, "campaign_id")
    for table in reversed(OWNED):
        op.drop_table(table)


def required(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in " ".join(names).split()]


def optional(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in " ".join(names).split()]


def only(test: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(test), "sqlite_where": sa.text(test)}
