"""The API of judgements: lifecycle and value, and the policy they are made under."""

from enum import Enum
from typing import Any

import strawberry

import app.scores.standings  # noqa: F401 - from which pages and groups by stage are answered
from app.customers.measures import customers
from app.policy.tables import Policy as PolicyTable
from app.query.kind import Day, Exact, Fixed, Minor, Moment, Whole
from app.query.measure import measure
from app.query.shape import Shape
from app.query.sql import either
from app.relationships import measures as close
from app.scores import behavior as buying
from app.scores import health as wellbeing
from app.scores import lifecycle, measures
from app.touchpoints import measures as contacts
from schema.enums import BehaviorType, LifecyclePhase, LifecycleStage, NextAction, described
from schema.explanation import Explanation
from schema.fields import Value, column, entity, explained, fact, identity, listed, measured, part
from schema.node import Node
from schema.scalars import Date, DateTime, Decimal


class LifecycleMeasure(Enum):
    STAGE = "STAGE"
    PHASE = "PHASE"
    NEXT_ACTION = "NEXT_ACTION"


class ValueMeasure(Enum):
    SCORE = "SCORE"
    RFM = "RFM"
    CHURN_RISK = "CHURN_RISK"
    HEALTH = "HEALTH"
    BEHAVIOR = "BEHAVIOR"
    PERCEIVED = "PERCEIVED"


described(
    LifecycleMeasure,
    "A judgement of the lifecycle.",
    STAGE="lifecycle.stage",
    PHASE="lifecycle.phase",
    NEXT_ACTION="lifecycle.nextAction",
)
described(
    ValueMeasure,
    "A judgement of value.",
    SCORE="value.score",
    RFM="value.rfm",
    CHURN_RISK="value.churnRisk",
    HEALTH="value.health",
    BEHAVIOR="value.behavior",
    PERCEIVED="value.perceived",
)


@strawberry.type(description="Where the customer stands, and what to do next.")
class Lifecycle:
    stage: LifecycleStage = measured(lifecycle.stage, sort=True, group=True)
    phase: LifecyclePhase = measured(lifecycle.phase, sort=True, group=True)
    recency_days: int | None = measured(lifecycle.recency_days, sort=True, average=True)
    tenure_days: int | None = measured(lifecycle.tenure_days)
    next_action: NextAction = measured(close.next_action, group=True)
    deliverable: bool = measured(close.deliverable)
    why: Explanation = explained(
        LifecycleMeasure,
        Explanation,
        {"STAGE": lifecycle.stage, "PHASE": lifecycle.phase, "NEXT_ACTION": close.next_action},
        description="The rule, the reasons, and what would move it.",
    )


@strawberry.type(description="Grades, 1 to 5; the cuts are the policy's.")
class Rfm:
    recency: int = measured(measures.rfm_recency)
    frequency: int = measured(measures.rfm_frequency)
    monetary: int = measured(measures.rfm_monetary)
    cell: str = measured(measures.rfm_cell, filter=False, group=True)


@strawberry.type(
    description="Quality and price relative to the competitor, 1 = parity, and their ratio to four decimals."
)
class PerceivedValue:
    quality: Decimal = fact(
        customers, "quality_e6", Exact(decimals=6), filter=False, description="1 is parity with the competitor."
    )
    price: Decimal = fact(
        customers, "price_e6", Exact(decimals=6), filter=False, description="1 is parity with the competitor."
    )
    ratio: float = measured(contacts.perceived, sort=True)
    answered_on: Date = fact(
        customers, "perceived_day", Day(), filter=False, description="The local day of the answer."
    )


@strawberry.type(
    description="What the customer is worth to the firm (客户价值评估); perceived is what the firm is worth to the customer (客户价值)."
)
class CustomerValue:
    score: float | None = measured(measures.score, sort=True, average=True)
    rfm: Rfm | None = part(
        unless=measures.rfm_cell, description="Recency, frequency and monetary grades; null without a kept order."
    )
    churn_risk: float | None = measured(wellbeing.churn_risk, sort=True, average=True)
    health: float | None = measured(wellbeing.health, sort=True, average=True)
    health_coverage: float = measured(wellbeing.health_coverage)
    behavior: BehaviorType | None = measured(buying.behavior, group=True)
    perceived: PerceivedValue | None = part(
        unless=contacts.perceived,
        description="V = Q / P, from the latest survey answer that has both; null until there is one.",
    )
    why: Explanation = explained(
        ValueMeasure,
        Explanation,
        {
            "SCORE": measures.score,
            "RFM": measures.rfm_cell,
            "CHURN_RISK": wellbeing.churn_risk,
            "HEALTH": wellbeing.health,
            "BEHAVIOR": buying.behavior,
            "PERCEIVED": contacts.perceived,
        },
        description="The rule, the reasons, and what would move it.",
    )


# ------------------------------------------------------------------ policy

policies = Shape("policy", PolicyTable.__table__, prefix="pol")


@measure(policies, Whole(), catalogued=False)
def in_force(c: Any, p: Any) -> Any:
    """1 for the version that the clock's judgements are made under."""
    return either(c.version == p.version)


def _cuts(name: str, kind: Any) -> Any:
    values = (Value(f"{name}_cut_{n}", kind, False) for n in range(1, 5))
    return listed(*values, description="Four, not descending.")


def _weight(of: Any) -> Any:
    return column(of, Fixed(decimals=6), description="0 to 1.")


@strawberry.type(description="They sum to 1.")
class ValueWeights:
    recency: float = _weight(PolicyTable.weight_recency_e6)
    frequency: float = _weight(PolicyTable.weight_frequency_e6)
    monetary: float = _weight(PolicyTable.weight_monetary_e6)
    engagement: float = _weight(PolicyTable.weight_engagement_e6)
    advocacy: float = _weight(PolicyTable.weight_advocacy_e6)


def _days(of: Any, said: str) -> Any:
    return column(of, Whole(), description=said)


@entity(policies, order=(("version", False),))
@strawberry.type(
    description="The organisation's thresholds. Published versions never change; judgements name the one they used. Minimums over a window are 0 to 6."
)
class Policy(Node):
    id: strawberry.ID = identity("pol")
    version: int = column(PolicyTable.version, Whole(), description="1, 2, 3...")
    published_at: DateTime = column(
        PolicyTable.published_at, Moment(), description="In force from then on, until the next version."
    )
    new_days: int = _days(PolicyTable.new_days, "A customer is new for so many days after the first kept order.")
    active_days: int = _days(PolicyTable.active_days, "Silent for longer than this is declining.")
    churn_days: int = _days(PolicyTable.churn_days, "Silent for longer than this is churned.")
    loyal_min_occasions: int = _days(PolicyTable.loyal_min_occasions, "Days with a kept order that loyalty needs.")
    loyal_min_span_days: int = _days(
        PolicyTable.loyal_min_span_days, "Days from the first to the last kept order that loyalty needs."
    )
    complaint_sla_days: int = _days(PolicyTable.complaint_sla_days, "A complaint open for longer than this is overdue.")
    detractor_window_days: int = _days(PolicyTable.detractor_window_days, "How long an answer of 0 to 6 weighs.")
    customer_min_occasions: int = _days(
        PolicyTable.customer_min_occasions, "Days with a kept order that the tier CUSTOMER needs."
    )
    customer_min_inbound: int = _days(
        PolicyTable.customer_min_inbound, "Inbound touchpoints in 365 days that the tier CUSTOMER needs."
    )
    client_min_dialogues: int = _days(
        PolicyTable.client_min_dialogues, "Dialogues in 365 days that the tier CLIENT needs."
    )
    client_min_needs: int = _days(
        PolicyTable.client_min_needs, "Needs confirmed in 365 days that the tier CLIENT needs."
    )
    client_min_tailored: int = _days(
        PolicyTable.client_min_tailored, "Orders tailored to a need and co-creations, together."
    )
    partner_min_cocreation: int = _days(
        PolicyTable.partner_min_cocreation, "Co-creations in 730 days that the tier PARTNER needs."
    )
    rfm_recency_cuts: list[int] = _cuts("recency", Whole())
    rfm_frequency_cuts: list[int] = _cuts("frequency", Whole())
    rfm_monetary_cuts: list[Decimal] = _cuts("monetary", Minor())
    value_weights: ValueWeights = part(description="Of the value score.")
    marketing_cap_per_channel: int | None = _days(
        PolicyTable.marketing_cap_per_channel,
        "At most this many marketing contacts per channel in marketingCapDays; null: no cap.",
    )
    marketing_cap_total: int | None = _days(
        PolicyTable.marketing_cap_total, "At most this many in all in marketingCapDays; null: no cap."
    )
    marketing_cap_days: int = _days(PolicyTable.marketing_cap_days, "The window of the caps.")
