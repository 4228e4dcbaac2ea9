"""Where a customer stands in the lifecycle, and what they are worth to us."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from sqlalchemy import Double, and_, case, cast, false, func, not_, or_

from app.customers.measures import customers
from app.query import sql
from app.query.fact import constant
from app.query.kind import Day, Fixed, Flag, Minor, Whole
from app.query.measure import (
    Expression,
    Rung,
    Said,
    Test,
    at_least,
    beyond,
    counted,
    how_many,
    ladder,
    measure,
    none_of,
    within,
)
from app.scores import steps
from app.scores.steps import answer, contact, loyalty, purchase, resolve


class LifecycleStage(Enum):
    PROSPECT = "PROSPECT"
    NEW = "NEW"
    ACTIVE = "ACTIVE"
    LOYAL = "LOYAL"
    CHURNED = "CHURNED"


class LifecyclePhase(Enum):
    DEVELOPMENT = "DEVELOPMENT"
    SIGNING = "SIGNING"
    GROWTH = "GROWTH"
    MATURITY = "MATURITY"
    DECLINE = "DECLINE"
    TERMINATION = "TERMINATION"


class BehaviorType(Enum):
    AMBASSADOR = "AMBASSADOR"
    HIGH_FREQUENCY = "HIGH_FREQUENCY"
    GROWTH_POTENTIAL = "GROWTH_POTENTIAL"
    OCCASIONAL = "OCCASIONAL"


def one_of(value: Expression, *outcomes: Enum) -> Expression:
    """Whether a ladder came out as one of these."""
    return or_(*(value == constant(list(type(outcome)).index(outcome)) for outcome in outcomes))


def is_so(
    rule: str, fact: str, holds: Expression, sentence: str, observed: Said | None = None, threshold: Said | None = None
) -> Test:
    return Test(fact, holds, sentence, observed, threshold, rule)


def _days_since(day: Expression, p: Any) -> Expression:
    return case((day > p.today, constant(0)), else_=p.today - day)


# ------------------------------------------------------------------ lifecycle


@measure(
    customers,
    Whole(),
    nullable=True,
    name="Recency",
    definition="Days since the last kept order; 0 if it is ahead of the clock.",
    unit="days",
)
def recency_days(c: Any, p: Any) -> Any:
    return _days_since(c.last_day, p)


@measure(
    customers,
    Whole(),
    nullable=True,
    name="Tenure",
    definition="Days since the first kept order; 0 if it is ahead of the clock.",
    unit="days",
)
def tenure_days(c: Any, p: Any) -> Any:
    return _days_since(c.first_day, p)


@measure(
    customers, Flag(), name="Ended by word", definition="terminatedOn has come, and no order kept is of a later day."
)
def ended(c: Any, p: Any) -> Any:
    reopened = and_(c.last_day.is_not(None), c.last_day > c.terminated_day)
    return and_(c.terminated_day.is_not(None), c.terminated_day <= p.today, not_(reopened))


@ladder(
    customers,
    LifecycleStage,
    name="Lifecycle stage",
    term="客户生命周期",
    definition="The first that holds: ended by word or no kept order for churnDays, churned; no kept order at all, prospect; "
    "loyalMinOccasions over at least loyalMinSpanDays, loyal; first kept order within newDays, new; otherwise active.",
    worst_first=("CHURNED", "PROSPECT", "NEW", "ACTIVE", "LOYAL"),
    steps=(purchase(), loyalty),
)
def stage(c: Any, p: Any) -> Iterable[Rung]:
    ended_by_word = is_so(
        "stage.explicit",
        "terminatedOn",
        c.ended,
        "Ended by word: {observed}; a later kept order reopens it.",
        Said(Day(), c.terminated_day),
    )
    span = c.last_day - c.first_day
    yield Rung("CHURNED", "stage.explicit", ended_by_word)
    yield Rung("PROSPECT", "stage.prospect", none_of("stage.prospect", "keptOrders", c.kept_orders, "Kept orders"))
    yield Rung(
        "CHURNED",
        "stage.silent",
        beyond("stage.silent", "lastPurchaseOn", c.last_day, p.churn_days, p, "Last kept order"),
    )
    yield Rung(
        "LOYAL",
        "stage.loyal",
        at_least("stage.loyal.occasions", "occasions", c.occasions, p.loyal_min_occasions, "Days with a kept order"),
        at_least(
            "stage.loyal.span",
            "firstPurchaseOn",
            span,
            p.loyal_min_span_days,
            "Days from the first to the last kept order",
        ),
    )
    yield Rung(
        "NEW", "stage.new", within("stage.new", "firstPurchaseOn", c.first_day, p.new_days, p, "First kept order")
    )
    yield Rung("ACTIVE", "stage.active")


@measure(
    customers,
    Flag(),
    name="Declining",
    definition="New, active or loyal, and silent for activeDays, or with an overdue complaint, or a recent detractor.",
)
def declining(c: Any, p: Any) -> Any:
    bought = one_of(c.stage, LifecycleStage.NEW, LifecycleStage.ACTIVE, LifecycleStage.LOYAL)
    return and_(bought, or_(c.last_day < p.today - p.active_days, c.overdue_complaint, c.recent_detractor))


def _order_for_phase(c: Any, p: Any) -> Expression:
    silent = or_(c.last_day.is_(None), c.last_day < p.today - p.active_days)
    return sql.either(silent)


def _if_detractor(c: Any, p: Any) -> Expression:
    return sql.either(c.recent_detractor)


def _complaint_due(c: Any, p: Any) -> Expression:
    """The last day on which no open complaint is overdue yet."""
    return case((not_(c.overdue_complaint), c.oldest_open_complaint_day + p.complaint_sla_days))


def _still_active(c: Any, p: Any) -> Expression:
    return case((c.last_day >= p.today - p.active_days, c.last_day + p.active_days))


_phase_steps = (
    purchase(_order_for_phase, by=_complaint_due),
    resolve(by=_still_active),
    answer(_if_detractor, by=_still_active),
)


@ladder(
    customers,
    LifecyclePhase,
    name="Lifecycle phase",
    term="客户关系生命周期",
    definition="Which way the relationship moves: churned, termination; declining, decline; loyal, maturity; active, growth; new, signing; "
    "a prospect who is committed, signing; otherwise development.",
    worst_first=("TERMINATION", "DECLINE", "DEVELOPMENT", "SIGNING", "GROWTH", "MATURITY"),
    steps=(*_phase_steps, loyalty),
    together=_phase_steps,
)
def phase(c: Any, p: Any) -> Iterable[Rung]:
    def at(stage: LifecycleStage) -> Test:
        name = stage.name.lower()
        return is_so(
            f"phase.{name}",
            "lifecycle.stage",
            one_of(c.stage, stage),
            f"Stage: {{observed}}; {name} asked for.",
            Said(c_stage.kind, c.stage),
        )

    c_stage = stage
    standing = one_of(c.stage, LifecycleStage.NEW, LifecycleStage.ACTIVE, LifecycleStage.LOYAL)
    bought = is_so("phase.bought", "keptOrders", standing, "Kept orders: {observed}.", Said(Whole(), c.kept_orders))
    yield Rung("TERMINATION", "phase.termination", at(LifecycleStage.CHURNED))
    yield Rung(
        "DECLINE",
        "phase.decline.silent",
        bought,
        beyond("phase.decline.silent", "lastPurchaseOn", c.last_day, p.active_days, p, "Last kept order"),
    )
    yield Rung(
        "DECLINE",
        "phase.decline.complaint",
        bought,
        overdue("phase.decline.complaint", c, p),
    )
    yield Rung(
        "DECLINE",
        "phase.decline.detractor",
        bought,
        detractor("phase.decline.detractor", c, p),
    )
    yield Rung("MATURITY", "phase.maturity", at(LifecycleStage.LOYAL))
    yield Rung("GROWTH", "phase.growth", at(LifecycleStage.ACTIVE))
    yield Rung("SIGNING", "phase.signing.new", at(LifecycleStage.NEW))
    yield Rung(
        "SIGNING",
        "phase.signing.committed",
        is_so(
            "phase.signing.committed",
            "committed",
            c.committed,
            "Quote accepted or contract signed: {observed}.",
            Said(Flag(), c.committed),
        ),
    )
    yield Rung("DEVELOPMENT", "phase.development")


def overdue(rule: str, c: Any, p: Any) -> Test:
    """Oldest open complaint past its time."""
    return is_so(
        rule,
        "openComplaints",
        c.overdue_complaint,
        "Oldest open complaint: {observed}; overdue if before {threshold}.",
        Said(Day(), c.oldest_open_complaint_day),
        Said(Day(), p.today - p.complaint_sla_days),
    )


def detractor(rule: str, c: Any, p: Any) -> Test:
    """A recent answer of 0 to 6."""
    return is_so(
        rule,
        "nps",
        c.recent_detractor,
        "Latest survey answer: {observed}; a detractor's if 0 to 6 and given since {threshold}.",
        Said(Whole(), c.nps),
        Said(Day(), p.today - p.detractor_window_days),
    )


# ------------------------------------------------------------------ RFM and the value score


def _bought(c: Any, grade: Expression) -> Expression:
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
    return _bought(c, constant(5) - how_many(c.recency_days > cut for cut in _cuts(p, "recency")))


@measure(
    customers,
    Whole(),
    nullable=True,
    name="Frequency grade",
    definition="1 and the frequency cuts that the days with a kept order exceed.",
    unit="grade",
)
def rfm_frequency(c: Any, p: Any) -> Any:
    return _bought(c, constant(1) + how_many(c.occasions > cut for cut in _cuts(p, "frequency")))


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
    return _bought(c, constant(1) + how_many(worth > cut for cut in _cuts(p, "monetary")))


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
    Whole(),
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
            Said(points, _bought(c, _twelfth(parts[name]))),
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
    return _bought(c, _twelfth(total))


# ------------------------------------------------------------------ churn risk and health


def _silence(c: Any, p: Any) -> tuple[Expression, Expression]:
    """What is left of certainty after the silence, as numerator and denominator: 1 at recency 0, 1/2 at activeDays, 0 at churnDays."""
    slow = c.recency_days <= p.active_days
    leg = p.churn_days - p.active_days
    left = case(
        (slow, constant(2) * p.active_days - c.recency_days),
        else_=sql.Greatest(p.churn_days - c.recency_days, constant(0)),
    )
    whole = case((slow, sql.Greatest(constant(2) * p.active_days, constant(1))), else_=constant(2) * leg)
    return left, whole


@measure(customers, Whole(), nullable=True, catalogued=False)
def kept_certainty(c: Any, p: Any) -> Any:
    """1 - churn risk, numerator: over 1000 x certainty_whole."""
    left, _ = _silence(c, p)
    unhappy = case(
        (and_(c.overdue_complaint, c.recent_detractor), constant(765)),
        (c.overdue_complaint, constant(850)),
        (c.recent_detractor, constant(900)),
        else_=constant(1000),
    )
    return case((one_of(c.stage, LifecycleStage.CHURNED), _bought(c, constant(0))), else_=_bought(c, left * unhappy))


@measure(customers, Whole(), nullable=True, catalogued=False)
def certainty_whole(c: Any, p: Any) -> Any:
    """1 - churn risk, denominator."""
    return _bought(c, _silence(c, p)[1] * constant(1000))


def _tell_risk(c: Any, p: Any) -> Iterable[Test]:
    left, whole = _silence(c, p)
    base = constant(1_000_000) - (left * constant(2_000_000) + whole) // (whole * constant(2))
    yield is_so(
        "risk.churned",
        "lifecycle.stage",
        one_of(c.stage, LifecycleStage.CHURNED),
        "Stage: {observed}; a churned customer's risk is 1.",
        Said(stage.kind, c.stage),
    )
    yield is_so(
        "risk.silence",
        "lastPurchaseOn",
        c.recency_days > constant(0),
        "Last kept order: {observed}; silence alone makes a risk of {threshold}.",
        Said(Day(), c.last_day),
        Said(Fixed(decimals=6), _bought(c, base)),
    )
    yield overdue("risk.complaint", c, p)
    yield detractor("risk.detractor", c, p)


@measure(
    customers,
    Fixed(decimals=6),
    nullable=True,
    name="Churn risk",
    term="客户流失预测",
    definition="0 at recency 0, 0.5 at activeDays, 1 at churnDays, linear between; an overdue complaint takes 0.15 and a recent detractor's answer "
    "0.10 of what certainty is left; churned is 1.",
    better="less",
    steps=(purchase(), resolve(), answer(_if_detractor)),
    told=_tell_risk,
    rule_name="risk.rule",
)
def churn_risk(c: Any, p: Any) -> Any:
    whole = c.certainty_whole
    return ((whole - c.kept_certainty) * constant(2_000_000) + whole) // (whole * constant(2))


def _double(value: Expression) -> Expression:
    return cast(value, Double)


@measure(
    customers,
    Fixed(decimals=6),
    name="Health coverage",
    definition="The weight of what was known: 0.35 risk (with a kept order), 0.25 satisfaction (with an answer), 0.20 engagement, 0.20 service.",
)
def health_coverage(c: Any, p: Any) -> Any:
    satisfied = case((or_(c.nps.is_not(None), c.csat_count > constant(0)), constant(250_000)), else_=constant(0))
    return case((c.kept_orders > constant(0), constant(750_000)), else_=constant(400_000)) + satisfied


def _satisfaction(c: Any) -> Expression:
    """Mean of what is known of NPS / 10 and (CSAT - 1) / 4."""
    nps = _double(c.nps) / _double(constant(10))
    csat = _double(c.csat_sum - c.csat_count) / _double(constant(4) * func.nullif(c.csat_count, constant(0)))
    return case(
        (and_(c.nps.is_not(None), c.csat_count > constant(0)), (nps + csat) / _double(constant(2))),
        (c.nps.is_not(None), nps),
        (c.csat_count > constant(0), csat),
    )


def _service(c: Any) -> Expression:
    """In halves: 2 none open, 1 within its time, 0 overdue."""
    return case((c.open_complaints == constant(0), constant(2)), (c.overdue_complaint, constant(0)), else_=constant(1))


def _tell_health(c: Any, p: Any) -> Iterable[Test]:
    percent = Fixed(decimals=4)
    always = c.kept_orders > constant(0)

    def of_hundred(value: Expression) -> Expression:
        return sql.Rounded(value * _double(constant(10_000)))

    yield is_so(
        "health.risk",
        "lastPurchaseOn",
        always,
        "Certainty of staying, weight 0.35: {observed}.",
        Said(percent, (constant(1_000_000) - c.churn_risk + constant(50)) // constant(100)),
    )
    yield is_so(
        "health.satisfaction",
        "nps",
        or_(c.nps.is_not(None), c.csat_count > constant(0)),
        "Satisfaction, weight 0.25: {observed}.",
        Said(percent, of_hundred(_satisfaction(c))),
    )
    yield is_so(
        "health.engagement",
        "inboundLast90Days",
        always,
        "Inbound contacts in 90 days of 6, weight 0.20: {observed}.",
        Said(Whole(), c.inbound_90),
    )
    yield is_so(
        "health.service",
        "openComplaints",
        c.open_complaints == constant(0),
        "Open complaints, weight 0.20: {observed}.",
        Said(Whole(), c.open_complaints),
    )


@measure(
    customers,
    Fixed(decimals=4),
    nullable=True,
    name="Health",
    definition="100 x (0.35 (1 - churn risk) + 0.25 satisfaction + 0.20 engagement + 0.20 service), over the weight of what is known.",
    unit="points",
    steps=(purchase(), resolve(), contact(), answer()),
    told=_tell_health,
    rule_name="health.weights",
)
def health(c: Any, p: Any) -> Any:
    certainty = _double(c.kept_certainty) / _double(c.certainty_whole)
    sum_ = (
        _double(constant(350_000)) * certainty
        + func.coalesce(_double(constant(250_000)) * _satisfaction(c), _double(constant(0)))
        + _double(constant(200_000) * c.inbound_90) / _double(constant(6))
        + _double(constant(100_000) * _service(c))
    )
    return _bought(c, sql.Rounded(sum_ * _double(constant(1_000_000)) / _double(c.health_coverage)))


# ------------------------------------------------------------------ behaviour types

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
