"""Rows of what was bought and returned, and the exchange rates it was converted at."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.customers.tables import of_a_customer
from app.platform.database import STRICT, Base, Owned
from app.touchpoints.tables import of_a_campaign


class PurchaseStatus(Enum):
    COMPLETED = "COMPLETED"
    PARTLY_REFUNDED = "PARTLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"


class Purchase(Owned):
    """Money in minor units of `currency`, which has `exponent` decimals; `*_reporting` in the organisation's, null
    while no rate is known.

    `refunded_*` are the sums of its refunds, kept beside it. `rate_e12`: units of reporting currency for one of its
    own, in 10^-12.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        of_a_customer(),
        ForeignKeyConstraint(
            ["org_id", "tailored_to"], ["touchpoints.org_id", "touchpoints.id"], name="fk_purchases_tailored_to"
        ),
        CheckConstraint("gross_minor >= 0", name="gross"),
        CheckConstraint("refunded_minor BETWEEN 0 AND gross_minor", name="refunded"),
        CheckConstraint("exponent BETWEEN 0 AND 4", name="exponent"),
        Index(None, "org_id", "customer_id", "purchased_at", "id"),
        Index(None, "org_id", "purchased_at", "id"),
        Index(None, "org_id", "recorded_at", "id"),
        Index(None, "org_id", "tailored_to"),
        Index(None, "org_id", "gross_reporting", "id"),
        Index("ix_purchases_campaign", "org_id", "campaign_id", **of_a_campaign),
        Index(
            "ix_purchases_unconverted",
            "org_id",
            "id",
            postgresql_where=text("gross_reporting IS NULL"),
            sqlite_where=text("gross_reporting IS NULL"),
        ),
        Index(
            "uq_purchases_ref",
            "org_id",
            "ref_system",
            "ref_value",
            unique=True,
            postgresql_where=text("voided_at IS NULL"),
            sqlite_where=text("voided_at IS NULL"),
        ),
        STRICT,
    )

    customer_id: Mapped[UUID]
    purchased_at: Mapped[datetime]
    local_day: Mapped[int]
    recorded_at: Mapped[datetime]
    channel: Mapped[str]
    promotional: Mapped[bool]
    currency: Mapped[str]
    exponent: Mapped[int]
    gross_minor: Mapped[int]
    gross_reporting: Mapped[int | None]
    rate_e12: Mapped[int | None]
    rate_source: Mapped[str | None]
    refunded_minor: Mapped[int]
    refunded_reporting: Mapped[int | None]
    tailored_to: Mapped[UUID | None]
    ref_system: Mapped[str | None]
    ref_system_folded: Mapped[str | None]
    ref_value: Mapped[str | None]
    ref_value_folded: Mapped[str | None]
    content_hash: Mapped[str]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None]
    campaign_id: Mapped[UUID | None]


class PurchaseLine(Base):
    __tablename__ = "purchase_lines"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "purchase_id"], ["purchases.org_id", "purchases.id"]),
        CheckConstraint("quantity_e6 > 0", name="quantity"),
        CheckConstraint("total_minor >= 0", name="total"),
        STRICT,
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    purchase_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str | None]
    sku_folded: Mapped[str | None]
    name: Mapped[str]
    name_folded: Mapped[str]
    category: Mapped[str | None]
    category_folded: Mapped[str | None]
    quantity_e6: Mapped[int]
    unit_minor: Mapped[int | None]
    total_minor: Mapped[int]


class Refund(Owned):
    """`amount_reporting` is a share of the purchase's: all refunds of a purchase add up to it exactly."""

    __tablename__ = "refunds"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "purchase_id"], ["purchases.org_id", "purchases.id"]),
        CheckConstraint("amount_minor > 0", name="amount"),
        Index(None, "org_id", "purchase_id", "refunded_at", "id"),
        Index("uq_refunds_ref", "org_id", "ref_system", "ref_value", unique=True),
        STRICT,
    )

    purchase_id: Mapped[UUID]
    amount_minor: Mapped[int]
    amount_reporting: Mapped[int | None]
    refunded_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    reason: Mapped[str | None]
    ref_system: Mapped[str | None]
    ref_value: Mapped[str | None]
    content_hash: Mapped[str]


class ExchangeRate(Base):
    """One `base` is worth `rate_e12` / 10^12 `quote` on that day: public knowledge, shared by all organisations."""

    __tablename__ = "exchange_rates"
    __table_args__ = (CheckConstraint("rate_e12 > 0", name="rate"), {"info": {"global": True}, **STRICT})

    base: Mapped[str] = mapped_column(primary_key=True)
    quote: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    rate_e12: Mapped[int]
