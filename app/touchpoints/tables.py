"""Rows of the timeline."""

from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped

from app.customers.tables import of_a_customer
from app.platform.database import STRICT, Owned


class Direction(Enum):
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class TouchpointKind(Enum):
    MESSAGE = "MESSAGE"
    CALL = "CALL"
    MEETING = "MEETING"
    BROWSE = "BROWSE"
    SEARCH = "SEARCH"
    CLICK = "CLICK"
    REVIEW = "REVIEW"
    SOCIAL = "SOCIAL"
    SURVEY = "SURVEY"
    COMPLAINT = "COMPLAINT"
    NEED = "NEED"
    CO_CREATION = "CO_CREATION"
    REFERRAL = "REFERRAL"
    EVENT = "EVENT"
    CARE = "CARE"
    QUOTE_ACCEPTED = "QUOTE_ACCEPTED"
    CONTRACT_SIGNED = "CONTRACT_SIGNED"
    NOTE = "NOTE"
    OTHER = "OTHER"


of_a_campaign: dict[str, Any] = {
    "postgresql_where": text("campaign_id IS NOT NULL"),
    "sqlite_where": text("campaign_id IS NOT NULL"),
}


class Touchpoint(Owned):
    """`*_e6`: millionths. `content_hash` tells a repeat of the same external reference from another content under
    it."""

    __tablename__ = "touchpoints"
    __table_args__ = (
        of_a_customer(),
        ForeignKeyConstraint(
            ["org_id", "in_reply_to"], ["touchpoints.org_id", "touchpoints.id"], name="fk_touchpoints_in_reply_to"
        ),
        CheckConstraint("direction IN ('INBOUND', 'OUTBOUND')", name="direction"),
        CheckConstraint("nps BETWEEN 0 AND 10", name="nps"),
        CheckConstraint("csat BETWEEN 1 AND 5", name="csat"),
        CheckConstraint("quality_e6 > 0 AND price_e6 > 0", name="perceived"),
        Index(None, "org_id", "customer_id", "occurred_at", "id"),
        Index(None, "org_id", "customer_id", "kind"),
        Index(None, "org_id", "occurred_at", "id"),
        Index(None, "org_id", "recorded_at", "id"),
        Index(None, "org_id", "in_reply_to"),
        Index("ix_touchpoints_campaign", "org_id", "campaign_id", "customer_id", **of_a_campaign),
        Index("ix_touchpoints_sent", "org_id", "local_day", **of_a_campaign),
        Index(
            "uq_touchpoints_ref",
            "org_id",
            "ref_system",
            "ref_value",
            unique=True,
            postgresql_where=text("retracted_at IS NULL"),
            sqlite_where=text("retracted_at IS NULL"),
        ),
        STRICT,
    )

    customer_id: Mapped[UUID]
    kind: Mapped[str]
    channel: Mapped[str]
    direction: Mapped[str]
    occurred_at: Mapped[datetime]
    local_day: Mapped[int]
    recorded_at: Mapped[datetime]
    subject: Mapped[str | None]
    body: Mapped[str | None]
    sentiment_e6: Mapped[int | None]
    nps: Mapped[int | None]
    csat: Mapped[int | None]
    quality_e6: Mapped[int | None]
    price_e6: Mapped[int | None]
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]
    in_reply_to: Mapped[UUID | None]
    ref_system: Mapped[str | None]
    ref_system_folded: Mapped[str | None]
    ref_value: Mapped[str | None]
    ref_value_folded: Mapped[str | None]
    attributes: Mapped[str]
    content_hash: Mapped[str]
    retracted_at: Mapped[datetime | None]
    retraction_reason: Mapped[str | None]
    campaign_id: Mapped[UUID | None]
