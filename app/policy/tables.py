"""The organisation's thresholds. What they mean stands with those who ask; whoever judges anything may read them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.platform.database import STRICT, Owned


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
