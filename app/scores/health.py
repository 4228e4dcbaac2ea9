"""How likely a customer is to leave, and how well the relationship does."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, case, or_

from app.customers.measures import customers
from app.query import sql
from app.query.fact import constant
from app.query.kind import Day, Fixed, Whole
from app.query.measure import Expression, Said, Test, is_so, measure, one_of
from app.scores.lifecycle import LifecycleStage, detractor, if_detractor, overdue, stage
from app.scores.measures import if_bought
from app.scores.steps import answer, contact, purchase, resolve


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
    return case(
        (one_of(c.stage, LifecycleStage.CHURNED), if_bought(c, constant(0))), else_=if_bought(c, left * unhappy)
    )


@measure(customers, Whole(), nullable=True, catalogued=False)
def certainty_whole(c: Any, p: Any) -> Any:
    """1 - churn risk, denominator."""
    return if_bought(c, _silence(c, p)[1] * constant(1000))


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
        Said(Fixed(decimals=6), if_bought(c, base)),
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
    steps=(purchase(), resolve(), answer(if_detractor)),
    told=_tell_risk,
    rule_name="risk.rule",
)
def churn_risk(c: Any, p: Any) -> Any:
    whole = c.certainty_whole
    return ((whole - c.kept_certainty) * constant(2_000_000) + whole) // (whole * constant(2))


@measure(
    customers,
    Fixed(decimals=6),
    name="Health coverage",
    definition="The weight of what was known: 0.35 risk (with a kept order), 0.25 satisfaction (with an answer), 0.20 engagement, 0.20 service.",
)
def health_coverage(c: Any, p: Any) -> Any:
    satisfied = case((or_(c.nps.is_not(None), c.csat_count > constant(0)), constant(250_000)), else_=constant(0))
    return case((c.kept_orders > constant(0), constant(750_000)), else_=constant(400_000)) + satisfied


# Health is exact in whole numbers too, and rounded once: a float would lose the halves. Its parts are millionths of 100 points.


def _answers(c: Any) -> Expression:
    return sql.Greatest(c.csat_count, constant(1))


@measure(customers, Whole(), catalogued=False)
def content(c: Any, p: Any) -> Any:
    """Satisfaction's part, times the number of CSAT answers (1 without any): the mean of what is known of NPS / 10 and
    (CSAT - 1) / 4."""
    above_least = c.csat_sum - c.csat_count
    both = constant(6_250) * (constant(2) * c.nps * c.csat_count + constant(5) * above_least)
    return case(
        (and_(c.nps.is_not(None), c.csat_count > constant(0)), both),
        (c.nps.is_not(None), constant(25_000) * c.nps),
        else_=constant(62_500) * above_least,
    )


def _service(c: Any) -> Expression:
    """In halves: 2 none open, 1 within its time, 0 overdue."""
    return case((c.open_complaints == constant(0), constant(2)), (c.overdue_complaint, constant(0)), else_=constant(1))


def _tell_health(c: Any, p: Any) -> Iterable[Test]:
    percent = Fixed(decimals=4)
    always = c.kept_orders > constant(0)

    answers = _answers(c)
    satisfaction = (constant(8) * c.content + answers) // (constant(2) * answers)
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
        Said(percent, satisfaction),
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
    answers, whole = _answers(c), c.certainty_whole // constant(1000)
    parts = (
        constant(1_050) * c.kept_certainty * answers
        + constant(3) * whole * c.content
        + constant(100_000) * whole * answers * (c.inbound_90 + constant(3) * _service(c))
    )
    # Over the weight of what is known: all, or three quarters.
    unknown = and_(c.nps.is_(None), c.csat_count == constant(0))
    points = case((unknown, constant(4) * parts), else_=parts)
    divisor = constant(3) * whole * answers * case((unknown, constant(3)), else_=constant(1))
    return if_bought(c, (constant(2) * points + divisor) // (constant(2) * divisor))
