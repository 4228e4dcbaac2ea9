"""The tables of an organisation: customers, what happened with them, what is known of them, and the policies."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger as Whole
from sqlalchemy.types import TypeEngine

from app.platform.database import Instant, Key, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        *required(Key(), "org_id id"),
        *required(Instant(), "at"),
        *optional(Key(), "key_id"),
        *required(Words(), "event subject"),
        *optional(Words(), "detail"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.Index(None, "org_id", "subject", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "customers",
        *required(Key(), "org_id id"),
        *required(Whole(), "version"),
        *required(Instant(), "created_at updated_at"),
        *optional(Instant(), "archived_at"),
        *required(Words(), "kind name name_folded"),
        *optional(Words(), "email email_folded phone"),
        *optional(Whole(), "birthday birthday_month_day"),
        *optional(Words(), "city city_folded region region_folded country language"),
        *required(Words(), "attributes"),
        *required(sa.Boolean(), "suppressed"),
        *optional(Whole(), "terminated_day"),
        *optional(Words(), "termination_reason"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.CheckConstraint("kind IN ('PERSON', 'COMPANY')", name="kind"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.Index(None, "org_id", "birthday_month_day"),
        sa.Index(None, "org_id", "created_at", "id"),
        sa.Index(None, "org_id", "email"),
        sa.Index(None, "org_id", "name_folded", "id"),
        sa.Index(None, "org_id", "phone"),
        sa.Index(None, "org_id", "updated_at", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "idempotency_keys",
        *required(Key(), "org_id"),
        *required(Words(), "field key fingerprint"),
        *optional(Words(), "result"),
        *required(Instant(), "created_at"),
        sa.PrimaryKeyConstraint("org_id", "field", "key"),
        sa.Index(None, "org_id", "created_at"),
        sqlite_strict=True,
    )
    op.create_table(
        "policies",
        *required(Key(), "org_id id"),
        *required(Whole(), "version"),
        *required(Instant(), "published_at"),
        *required(
            Whole(),
            "new_days active_days churn_days loyal_min_occasions loyal_min_span_days complaint_sla_days",
            "detractor_window_days customer_min_occasions customer_min_inbound client_min_dialogues client_min_needs",
            "client_min_tailored partner_min_cocreation recency_cut_1 recency_cut_2 recency_cut_3 recency_cut_4",
            "frequency_cut_1 frequency_cut_2 frequency_cut_3 frequency_cut_4 monetary_cut_1 monetary_cut_2",
            "monetary_cut_3 monetary_cut_4 weight_recency_e6 weight_frequency_e6 weight_monetary_e6",
            "weight_engagement_e6 weight_advocacy_e6",
        ),
        *optional(Instant(), "cuts_computed_at"),
        *optional(Whole(), "cuts_from_customers marketing_cap_per_channel marketing_cap_total"),
        *required(Whole(), "marketing_cap_days"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.UniqueConstraint("org_id", "version"),
        sa.CheckConstraint("new_days <= active_days AND active_days < churn_days", name="days"),
        sqlite_strict=True,
    )
    op.create_table(
        "consents",
        *required(Key(), "org_id id customer_id"),
        *required(Words(), "purpose channel state"),
        *required(Instant(), "at recorded_at"),
        *optional(Words(), "source policy_text"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sa.CheckConstraint("state IN ('GRANTED', 'WITHDRAWN')", name="state"),
        sa.Index(None, "org_id", "customer_id", "purpose", "channel", "at", "id"),
        sqlite_strict=True,
    )
    op.create_table(
        "customer_facts",
        *required(Key(), "org_id customer_id"),
        *required(Whole(), "marketing_granted kept_orders occasions", default="0"),
        *optional(Whole(), "occasion_1 occasion_2 occasion_3 occasion_4 occasion_5 occasion_6 first_day last_day"),
        *optional(Instant(), "newest_order_at"),
        *required(Whole(), "gross_minor refunded_minor unconverted_orders tailored_orders touchpoints", default="0"),
        *optional(Instant(), "last_touchpoint_at"),
        *optional(
            Whole(),
            "inbound_1 inbound_2 inbound_3 inbound_4 inbound_5 inbound_6 dialogue_1 dialogue_2 dialogue_3 dialogue_4",
            "dialogue_5 dialogue_6 need_1 need_2 need_3 need_4 need_5 need_6 cocreation_1 cocreation_2 cocreation_3",
            "cocreation_4 cocreation_5 cocreation_6 brand_activity_1 brand_activity_2 brand_activity_3",
            "brand_activity_4 brand_activity_5 brand_activity_6",
        ),
        *required(Whole(), "referrals commitments", default="0"),
        *optional(Whole(), "nps nps_day quality_e6 price_e6 perceived_day"),
        *required(Whole(), "csat_sum csat_count open_complaints", default="0"),
        *optional(Whole(), "oldest_open_complaint_day"),
        sa.PrimaryKeyConstraint("org_id", "customer_id"),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sqlite_strict=True,
    )
    op.create_table(
        "customer_refs",
        *required(Key(), "org_id customer_id"),
        *required(Words(), "system system_folded value value_folded"),
        *required(sa.Boolean(), "live"),
        sa.PrimaryKeyConstraint("org_id", "customer_id", "system"),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sa.Index("uq_customer_refs_live", "org_id", "system", "value", unique=True, **where("live")),
        sqlite_strict=True,
    )
    op.create_table(
        "customer_tokens",
        *required(Key(), "org_id"),
        *required(Words(), "token"),
        *required(Key(), "customer_id"),
        *required(Whole(), "weight"),
        sa.PrimaryKeyConstraint("org_id", "token", "customer_id"),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sa.Index(None, "org_id", "customer_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "touchpoints",
        *required(Key(), "org_id id customer_id"),
        *required(Words(), "kind channel direction"),
        *required(Instant(), "occurred_at"),
        *required(Whole(), "local_day"),
        *required(Instant(), "recorded_at"),
        *optional(Words(), "subject body"),
        *optional(Whole(), "sentiment_e6 nps csat quality_e6 price_e6"),
        *optional(Instant(), "resolved_at"),
        *optional(Words(), "resolution"),
        *optional(Key(), "in_reply_to"),
        *optional(Words(), "ref_system ref_system_folded ref_value ref_value_folded"),
        *required(Words(), "attributes content_hash"),
        *optional(Instant(), "retracted_at"),
        *optional(Words(), "retraction_reason"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sa.ForeignKeyConstraint(
            ["org_id", "in_reply_to"],
            ["touchpoints.org_id", "touchpoints.id"],
            name="fk_touchpoints_in_reply_to",
        ),
        sa.CheckConstraint("csat BETWEEN 1 AND 5", name="csat"),
        sa.CheckConstraint("direction IN ('INBOUND', 'OUTBOUND')", name="direction"),
        sa.CheckConstraint("nps BETWEEN 0 AND 10", name="nps"),
        sa.CheckConstraint("quality_e6 > 0 AND price_e6 > 0", name="perceived"),
        sa.Index(None, "org_id", "customer_id", "kind"),
        sa.Index(None, "org_id", "customer_id", "occurred_at", "id"),
        sa.Index(None, "org_id", "in_reply_to"),
        sa.Index(None, "org_id", "occurred_at", "id"),
        sa.Index(None, "org_id", "recorded_at", "id"),
        sa.Index(
            "uq_touchpoints_ref",
            "org_id",
            "ref_system",
            "ref_value",
            unique=True,
            **where("retracted_at IS NULL"),
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "purchases",
        *required(Key(), "org_id id customer_id"),
        *required(Instant(), "purchased_at"),
        *required(Whole(), "local_day"),
        *required(Instant(), "recorded_at"),
        *required(Words(), "channel"),
        *required(sa.Boolean(), "promotional"),
        *required(Words(), "currency"),
        *required(Whole(), "exponent gross_minor"),
        *optional(Whole(), "gross_reporting rate_e12"),
        *optional(Words(), "rate_source"),
        *required(Whole(), "refunded_minor"),
        *optional(Whole(), "refunded_reporting"),
        *optional(Key(), "tailored_to"),
        *optional(Words(), "ref_system ref_system_folded ref_value ref_value_folded"),
        *required(Words(), "content_hash"),
        *optional(Instant(), "voided_at"),
        *optional(Words(), "void_reason"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.ForeignKeyConstraint(["org_id", "customer_id"], ["customers.org_id", "customers.id"]),
        sa.ForeignKeyConstraint(
            ["org_id", "tailored_to"],
            ["touchpoints.org_id", "touchpoints.id"],
            name="fk_purchases_tailored_to",
        ),
        sa.CheckConstraint("exponent BETWEEN 0 AND 4", name="exponent"),
        sa.CheckConstraint("gross_minor >= 0", name="gross"),
        sa.CheckConstraint("refunded_minor BETWEEN 0 AND gross_minor", name="refunded"),
        sa.Index(None, "org_id", "customer_id", "purchased_at", "id"),
        sa.Index(None, "org_id", "gross_reporting", "id"),
        sa.Index(None, "org_id", "purchased_at", "id"),
        sa.Index(None, "org_id", "recorded_at", "id"),
        sa.Index(None, "org_id", "tailored_to"),
        sa.Index("ix_purchases_unconverted", "org_id", "id", **where("gross_reporting IS NULL")),
        sa.Index("uq_purchases_ref", "org_id", "ref_system", "ref_value", unique=True, **where("voided_at IS NULL")),
        sqlite_strict=True,
    )
    op.create_table(
        "purchase_lines",
        *required(Key(), "org_id purchase_id"),
        *required(Whole(), "position"),
        *optional(Words(), "sku sku_folded"),
        *required(Words(), "name name_folded"),
        *optional(Words(), "category category_folded"),
        *required(Whole(), "quantity_e6"),
        *optional(Whole(), "unit_minor"),
        *required(Whole(), "total_minor"),
        sa.PrimaryKeyConstraint("org_id", "purchase_id", "position"),
        sa.ForeignKeyConstraint(["org_id", "purchase_id"], ["purchases.org_id", "purchases.id"]),
        sa.CheckConstraint("quantity_e6 > 0", name="quantity"),
        sa.CheckConstraint("total_minor >= 0", name="total"),
        sqlite_strict=True,
    )
    op.create_table(
        "refunds",
        *required(Key(), "org_id id purchase_id"),
        *required(Whole(), "amount_minor"),
        *optional(Whole(), "amount_reporting"),
        *required(Instant(), "refunded_at recorded_at"),
        *optional(Words(), "reason ref_system ref_value"),
        *required(Words(), "content_hash"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.ForeignKeyConstraint(["org_id", "purchase_id"], ["purchases.org_id", "purchases.id"]),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
        sa.Index(None, "org_id", "purchase_id", "refunded_at", "id"),
        sa.Index("uq_refunds_ref", "org_id", "ref_system", "ref_value", unique=True),
        sqlite_strict=True,
    )


def downgrade() -> None:
    for table in (
        "refunds",
        "purchase_lines",
        "purchases",
        "touchpoints",
        "customer_tokens",
        "customer_refs",
        "customer_facts",
        "consents",
        "policies",
        "idempotency_keys",
        "customers",
        "audit_entries",
    ):
        op.drop_table(table)


def required(kind: TypeEngine[Any], *names: str, default: str | None = None) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False, server_default=default) for name in " ".join(names).split()]


def optional(kind: TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=True) for name in " ".join(names).split()]


def where(test: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(test), "sqlite_where": sa.text(test)}
