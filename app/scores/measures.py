"""What a customer is worth to us: the RFM grades and the value score."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import case

from app.customers.measures import customers
from app.query import sql
from app.query.fact import constant
from app.query.kind import Code, Fixed, Minor, Whole
from app.query.measure import Expression, Said, Test, how_many, is_so, measure
from app.scores.steps import answer, contact, purchase


def if_bought(c: Any, grade: Expression) -> Expression:
    return case((c.kept_orders > constant(0), grade))


def _cuts(p: Any, name: str) -> list[Expression]:
    return [getattr(p, f"{name}_cut_{n}") for n in range(1, 5)]


@measure(
    customers,
    Whole(),
    nullable=True,
    name="Recency grade",
    definition="5 less the recency cuts that the days since the last kept order exceed.",
    unit="grade",
)
def rfm_recency(c: Any, p: Any) -> Any:
    # Days, not ages: a grade so says itself until when it stands.
    return if_bought(c, constant(5) - how_many(c.last_day < p.today - cut for cut in _cuts(p, "recency")))


@measure(
    customers,
    Whole(),
    nullable=True,
    name="Frequency grade",
    definition="1 and the frequency cuts that the days with a kept order exceed.",
    unit="grade",
)
def rfm_frequency(c: Any, p: Any) -> Any:
    return if_bought(c, constant(1) + how_many(c.occasions > cut for cut in _cuts(p, "frequency")))


@measure(
    customers,
    Whole(),
    nullable=True,
    name="Monetary grade",
    definition="1 and the monetary cuts that the net, at least 0, exceeds.",
    unit="grade",
)
def rfm_monetary(c: Any, p: Any) -> Any:
    worth = sql.Greatest(c.net_minor, constant(0))
    return if_bought(c, constant(1) + how_many(worth > cut for cut in _cuts(p, "monetary")))


def _cut_of(grade: Expression, p: Any, name: str) -> Expression:
    """The cut that bounds the grade from the better one."""
    cuts = _cuts(p, name)
    places = (
        dict(enumerate(cuts, start=1)) if name != "recency" else {6 - n: cut for n, cut in enumerate(cuts, start=1)}
    )
    return case({constant(place): cut for place, cut in places.items()}, value=grade)


def _tell_rfm(c: Any, p: Any) -> Iterable[Test]:
    whole, money = Whole(), Minor()
    always = c.kept_orders > constant(0)
    yield is_so(
        "rfm.recency",
        "lastPurchaseOn",
        always,
        "Days since the last kept order: {observed}; the grade's cut is {threshold}.",
        Said(whole, c.recency_days),
        Said(whole, _cut_of(c.rfm_recency, p, "recency")),
    )
    yield is_so(
        "rfm.frequency",
        "occasions",
        always,
        "Days with a kept order: {observed}; the grade's cut is {threshold}.",
        Said(whole, c.occasions),
        Said(whole, _cut_of(c.rfm_frequency, p, "frequency")),
    )
    yield is_so(
        "rfm.monetary",
        "net",
        always,
        "Net: {observed}; the grade's cut is {threshold}.",
        Said(money, c.net_minor),
        Said(money, _cut_of(c.rfm_monetary, p, "monetary")),
    )


@measure(
    customers,
    Code(),
    nullable=True,
    name="RFM cell",
    term="RFM模型",
    definition="The three grades side by side, like 545; the cuts are the policy's.",
    steps=(purchase(),),
    told=_tell_rfm,
    rule_name="rfm.cuts",
)
def rfm_cell(c: Any, p: Any) -> Any:
    return c.rfm_recency * constant(100) + c.rfm_frequency * constant(10) + c.rfm_monetary


# The score's parts have 12 as common denominator, so that it is exact in whole numbers and rounded once: a grade is (g - 1) / 4, engagement
# n / 6, advocacy 0, 1/2 or 1. Weights are millionths; 100 points to four decimals are a million units.
_TWELFTHS = 12


def _parts(c: Any, p: Any) -> dict[str, Expression]:
    advocacy = case((c.nps >= constant(9), constant(12)), (c.nps <= constant(6), constant(0)), else_=constant(6))
    return {
        "recency": (c.rfm_recency - constant(1)) * constant(3) * p.weight_recency_e6,
        "frequency": (c.rfm_frequency - constant(1)) * constant(3) * p.weight_frequency_e6,
        "monetary": (c.rfm_monetary - constant(1)) * constant(3) * p.weight_monetary_e6,
        "engagement": c.inbound_90 * constant(2) * p.weight_engagement_e6,
        "advocacy": advocacy * p.weight_advocacy_e6,
    }


def _twelfth(units: Expression) -> Expression:
    return (units + constant(_TWELFTHS // 2)) // constant(_TWELFTHS)


def _tell_score(c: Any, p: Any) -> Iterable[Test]:
    whole, points, parts = Whole(), Fixed(decimals=4), _parts(c, p)
    always = c.kept_orders > constant(0)
    for name, fact, observed in (
        ("recency", "lastPurchaseOn", c.rfm_recency),
        ("frequency", "occasions", c.rfm_frequency),
        ("monetary", "net", c.rfm_monetary),
        ("engagement", "inboundLast90Days", c.inbound_90),
        ("advocacy", "nps", c.nps),
    ):
        what = f"{name.capitalize()} {'grade ' if observed is not c.nps and name not in ('engagement', 'advocacy') else ''}"
        yield is_so(
            f"score.{name}",
            fact,
            always,
            what + "{observed} adds {threshold} points.",
            Said(whole, observed),
            Said(points, if_bought(c, _twelfth(parts[name]))),
        )


@measure(
    customers,
    Fixed(decimals=4),
    nullable=True,
    name="Value score",
    term="客户价值评估",
    definition="100 x the policy's weights of recency, frequency and monetary grade ((grade - 1) / 4 each), engagement (inbound in 90 days / 6) and "
    "advocacy (latest survey answer: promoter 1, passive or unknown 0.5, detractor 0).",
    unit="points",
    steps=(purchase(), contact(), answer()),
    told=_tell_score,
    rule_name="score.weights",
)
def score(c: Any, p: Any) -> Any:
    total: Expression = constant(0)
    for part in _parts(c, p).values():
        total = total + part
    return if_bought(c, _twelfth(total))
