"""The organisation's thresholds, version by version, and how many customers stand where."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.database import STRICT, Base, Owned


class Policy(Owned):
    """Days, counts, and cuts; monetary cuts in minor units of the reporting currency, weights in millionths."""

    __tablename__ = "policies"
    __table_args__ = (
        UniqueConstraint("org_id", "version"),
        CheckConstraint("new_days <= active_days AND active_days < churn_days", name="days"),
        STRICT,
    )

    version: Mapped[int]
    published_at: Mapped[datetime]
    new_days: Mapped[int]
    active_days: Mapped[int]
    churn_days: Mapped[int]
    loyal_min_occasions: Mapped[int]
    loyal_min_span_days: Mapped[int]
    complaint_sla_days: Mapped[int]
    detractor_window_days: Mapped[int]
    customer_min_occasions: Mapped[int]
    customer_min_inbound: Mapped[int]
    client_min_dialogues: Mapped[int]
    client_min_needs: Mapped[int]
    client_min_tailored: Mapped[int]
    partner_min_cocreation: Mapped[int]
    recency_cut_1: Mapped[int]
    recency_cut_2: Mapped[int]
    recency_cut_3: Mapped[int]
    recency_cut_4: Mapped[int]
    frequency_cut_1: Mapped[int]
    frequency_cut_2: Mapped[int]
    frequency_cut_3: Mapped[int]
    frequency_cut_4: Mapped[int]
    monetary_cut_1: Mapped[int]
    monetary_cut_2: Mapped[int]
    monetary_cut_3: Mapped[int]
    monetary_cut_4: Mapped[int]
    weight_recency_e6: Mapped[int]
    weight_frequency_e6: Mapped[int]
    weight_monetary_e6: Mapped[int]
    weight_engagement_e6: Mapped[int]
    weight_advocacy_e6: Mapped[int]
    cuts_computed_at: Mapped[datetime | None]
    cuts_from_customers: Mapped[int | None]
    marketing_cap_per_channel: Mapped[int | None]
    marketing_cap_total: Mapped[int | None]
    marketing_cap_days: Mapped[int]


class StandingSum(Base):
    """Of all live customers that were judged to be in a stage, whether or not that is still so: how many, and their
    net as it was then. Changed only by who judges them anew (standings.py), in the same transaction. `latest_day`: the
    latest on which anybody was."""

    __tablename__ = "standing_sums"
    __table_args__ = (STRICT,)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    stage: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    members: Mapped[int]
    net_minor: Mapped[int]
    latest_day: Mapped[int]
