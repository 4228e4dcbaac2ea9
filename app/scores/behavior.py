"""How a customer buys: the named types of those with a kept order."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from sqlalchemy import false, func, or_

from app.customers.measures import customers
from app.query.fact import constant
from app.query.kind import Whole
from app.query.measure import Rung, Said, Test, at_least, counted, is_so, ladder, measure
from app.scores import steps
from app.scores.steps import answer, contact, purchase


class BehaviorType(Enum):
    AMBASSADOR = "AMBASSADOR"
    HIGH_FREQUENCY = "HIGH_FREQUENCY"
    GROWTH_POTENTIAL = "GROWTH_POTENTIAL"
    OCCASIONAL = "OCCASIONAL"


_HALF_YEAR = 180


@measure(
    customers,
    Whole(),
    name="Recent occasions",
    definition="Of the six latest days with a kept order, those of the last 180 days.",
)
def recent_occasions(c: Any, p: Any) -> Any:
    return counted(c.latest("occasion", 6), p.today - _HALF_YEAR)


@measure(
    customers,
    Whole(),
    name="Earlier occasions",
    definition="Of the six latest days with a kept order, those of the 180 days before the last 180.",
)
def earlier_occasions(c: Any, p: Any) -> Any:
    return counted(c.latest("occasion", 6), p.today - 2 * _HALF_YEAR) - counted(
        c.latest("occasion", 6), p.today - _HALF_YEAR
    )


def _grade(rule: str, c: Any, name: str, fact: str, least: int) -> Test:
    return at_least(rule, fact, getattr(c, f"rfm_{name}"), constant(least), f"{name.capitalize()} grade")


@ladder(
    customers,
    BehaviorType,
    nullable=True,
    name="Behavior type",
    term="品牌大使型、高频消费型、潜力增长型、偶发购买型",
    definition="Of those with a kept order, the first that holds: ambassador (R >= 2, M >= 4, and 2 brand activities in 365 days, a converted "
    "referral or a promoter); high frequency (R >= 2, F = 5); growth potential (R >= 4, F 2 to 4, and more of the six latest occasions in the "
    "last 180 days than in the 180 before, or 3 inbound contacts in 90 days); otherwise occasional.",
    worst_first=("OCCASIONAL", "GROWTH_POTENTIAL", "HIGH_FREQUENCY", "AMBASSADOR"),
    steps=(
        purchase(),
        contact(lambda c, p: steps.missing(constant(3), c.inbound_90)),
        steps.more(
            "brand_activity",
            "touchpoints",
            "brand_activities_365",
            "Brand activities: {needed} more",
            lambda c, p: steps.missing(constant(2), c.brand_activities_365),
        ),
        answer(),
    ),
)
def behavior(c: Any, p: Any) -> Iterable[Rung]:
    told_by = or_(c.brand_activities_365 >= constant(2), c.referrals >= constant(1), c.nps >= constant(9))
    growing = or_(c.recent_occasions > c.earlier_occasions, c.inbound_90 >= constant(3))
    yield Rung(
        "AMBASSADOR",
        "behavior.ambassador",
        _grade("behavior.recency", c, "recency", "lastPurchaseOn", 2),
        _grade("behavior.ambassador.monetary", c, "monetary", "net", 4),
        is_so(
            "behavior.ambassador.voice",
            "touchpoints",
            func.coalesce(told_by, false()),
            "Brand activities in 365 days: {observed}; at least {threshold}, a converted referral or an answer of 9 or 10 needed.",
            Said(Whole(), c.brand_activities_365),
            Said(Whole(), constant(2)),
        ),
    )
    yield Rung(
        "HIGH_FREQUENCY",
        "behavior.high_frequency",
        _grade("behavior.recency", c, "recency", "lastPurchaseOn", 2),
        _grade("behavior.high_frequency.frequency", c, "frequency", "occasions", 5),
    )
    yield Rung(
        "GROWTH_POTENTIAL",
        "behavior.growth_potential",
        _grade("behavior.growth_potential.recency", c, "recency", "lastPurchaseOn", 4),
        _grade("behavior.growth_potential.frequency", c, "frequency", "occasions", 2),
        is_so(
            "behavior.growth_potential.room",
            "occasions",
            c.rfm_frequency <= constant(4),
            "Frequency grade: {observed}, at most {threshold}.",
            Said(Whole(), c.rfm_frequency),
            Said(Whole(), constant(4)),
        ),
        is_so(
            "behavior.growth_potential.rising",
            "occasions",
            growing,
            "Occasions of the last 180 days: {observed}, against {threshold} in the 180 before, or 3 inbound contacts in 90 days.",
            Said(Whole(), c.recent_occasions),
            Said(Whole(), c.earlier_occasions),
        ),
    )
    yield Rung(
        "OCCASIONAL",
        "behavior.occasional",
        at_least("behavior.bought", "keptOrders", c.kept_orders, constant(1), "Kept orders"),
    )
