"""Rows of campaigns, what they cost, and who belongs to them."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped

from app.platform.database import STRICT, Owned


class CampaignStatus(Enum):
    DRAFT = "DRAFT"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class CampaignObjective(Enum):
    RESOLVE_COMPLAINT = "RESOLVE_COMPLAINT"
    WIN_BACK = "WIN_BACK"
    RECOVER_DISSATISFIED = "RECOVER_DISSATISFIED"
    PREVENT_TERMINATION = "PREVENT_TERMINATION"
    CONVERT_PROSPECT = "CONVERT_PROSPECT"
    CLOSE_FIRST_ORDER = "CLOSE_FIRST_ORDER"
    NURTURE_SECOND_PURCHASE = "NURTURE_SECOND_PURCHASE"
    CAPTURE_NEEDS = "CAPTURE_NEEDS"
    BUILD_SATISFACTION = "BUILD_SATISFACTION"
    INVITE_COCREATION = "INVITE_COCREATION"
    REWARD_LOYALTY = "REWARD_LOYALTY"
    ACQUIRE = "ACQUIRE"
    CARE = "CARE"
    LAUNCH = "LAUNCH"
    OTHER = "OTHER"


class CampaignArm(Enum):
    TREATMENT = "TREATMENT"
    HOLDOUT = "HOLDOUT"


class ExclusionReason(Enum):
    """In the order in which they are applied."""

    ARCHIVED = "ARCHIVED"
    NO_CONSENT = "NO_CONSENT"
    SUPPRESSED = "SUPPRESSED"
    FREQUENCY_CAP = "FREQUENCY_CAP"


class Campaign(Owned):
    """`audience`: the CustomerWhere as it was given, as JSON. `holdout_e6`: millionths of the audience that are kept
    untouched. `budget_minor` is of the reporting currency.

    From `launched_at` on audience, channel, purpose, holdout and window never change. `matched` and `excluded_*` count
    whom the audience found and who of them was left out, `treatment` and `holdout` those who were enrolled.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("status IN ('DRAFT', 'RUNNING', 'COMPLETED', 'CANCELLED')", name="status"),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("holdout_e6 BETWEEN 0 AND 500000", name="holdout"),
        CheckConstraint("conversion_days BETWEEN 1 AND 3650", name="window"),
        CheckConstraint("budget_minor >= 0", name="budget"),
        CheckConstraint("starts_at <= ends_at", name="dates"),
        CheckConstraint(
            "matched = treatment + holdout + excluded_archived + excluded_no_consent + excluded_suppressed"
            " + excluded_frequency_cap",
            name="funnel",
        ),
        Index(None, "org_id", "created_at", "id"),
        Index(None, "org_id", "name_folded", "id"),
        Index(None, "org_id", "starts_at", "id"),
        STRICT,
    )

    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    name: Mapped[str]
    name_folded: Mapped[str]
    objective: Mapped[str]
    status: Mapped[str]
    channel: Mapped[str]
    purpose: Mapped[str]
    budget_minor: Mapped[int | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    holdout_e6: Mapped[int]
    conversion_days: Mapped[int]
    audience: Mapped[str]
    launched_at: Mapped[datetime | None]
    launched_day: Mapped[int | None]
    audience_hash: Mapped[str | None]
    matched: Mapped[int | None]
    treatment: Mapped[int | None]
    holdout: Mapped[int | None]
    excluded_archived: Mapped[int | None]
    excluded_no_consent: Mapped[int | None]
    excluded_suppressed: Mapped[int | None]
    excluded_frequency_cap: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None]


def of_a_campaign() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", "campaign_id"], ["campaigns.org_id", "campaigns.id"])


class CampaignCost(Owned):
    """Money in minor units of `currency`, which has `exponent` decimals; `amount_reporting` in the organisation's, by
    the rate of its day."""

    __tablename__ = "campaign_costs"
    __table_args__ = (
        of_a_campaign(),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("exponent BETWEEN 0 AND 4", name="exponent"),
        Index(None, "org_id", "campaign_id", "at"),
        Index(None, "org_id", "at"),
        STRICT,
    )

    campaign_id: Mapped[UUID]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    exponent: Mapped[int]
    amount_reporting: Mapped[int]
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    note: Mapped[str | None]


class CampaignMember(Owned):
    """Whom the audience found at launch: enrolled in an `arm`, or `excluded` for a reason. Never changed.

    `until_day`: the last local day on which a purchase converts.
    """

    __tablename__ = "campaign_members"
    __table_args__ = (
        # No foreign keys: one statement writes members, from the campaign and the customers themselves, nothing deletes
        # either, and to look each of a hundred thousand up again would take twice as long as all the rest of a launch.
        CheckConstraint("arm IN ('TREATMENT', 'HOLDOUT')", name="arm"),
        CheckConstraint("(arm IS NULL) <> (excluded IS NULL)", name="enrolled"),
        Index("uq_campaign_members_customer", "org_id", "campaign_id", "customer_id", unique=True),
        Index(None, "org_id", "campaign_id", "id"),
        Index(None, "org_id", "customer_id", "enrolled_at", "id"),
        STRICT,
    )

    campaign_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    arm: Mapped[str | None]
    excluded: Mapped[str | None]
    enrolled_at: Mapped[datetime]
    enrolled_day: Mapped[int]
    until_day: Mapped[int]
