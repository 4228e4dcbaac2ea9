"""Where a customer stands in the lifecycle, and which way the relationship moves."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from sqlalchemy import and_, case, not_, or_

from app.customers.measures import customers
from app.query import sql
from app.query.fact import constant
from app.query.kind import Day, Flag, Whole
from app.query.measure import (
    Expression,
    Rung,
    Said,
    Test,
    at_least,
    beyond,
    is_so,
    ladder,
    measure,
    none_of,
    one_of,
    within,
)
from app.scores.steps import answer, loyalty, purchase, resolve


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


def _days_since(day: Expression, p: Any) -> Expression:
    return case((day > p.today, constant(0)), else_=p.today - day)


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
    steps=(purchase(), loyalty()),
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


def if_detractor(c: Any, p: Any) -> Expression:
    return sql.either(c.recent_detractor)


def _unhappy(c: Any, p: Any) -> Expression:
    return or_(c.overdue_complaint, c.recent_detractor)


def _complaint_due(c: Any, p: Any) -> Expression:
    """The last day on which no open complaint is overdue yet."""
    return case((not_(c.overdue_complaint), c.oldest_open_complaint_day + p.complaint_sla_days))


def _unless_overdue(c: Any, p: Any) -> Expression:
    """The last day on which a purchase ends a decline; what a detractor says keeps it one whatever becomes overdue."""
    return case((not_(c.recent_detractor), _complaint_due(c, p)))


def _still_standing(c: Any, p: Any) -> Expression:
    """The last day on which the customer is neither silent nor gone by word."""
    silent_after = c.last_day + p.active_days
    active = c.last_day >= p.today - p.active_days
    ends = and_(c.terminated_day > p.today, c.last_day <= c.terminated_day)
    return case((and_(active, ends), sql.Least(silent_after, c.terminated_day - constant(1))), (active, silent_after))


def _still_content(c: Any, p: Any) -> Expression:
    standing, due = _still_standing(c, p), _complaint_due(c, p)
    return case((due.is_(None), standing), (standing.is_(None), due), else_=sql.Least(standing, due))


def _overdue_ones(c: Any, p: Any) -> Expression:
    return case((c.overdue_complaint, c.open_complaints), else_=constant(0))


_phase_steps = (
    purchase(_order_for_phase, by=_unless_overdue),
    resolve(_overdue_ones, by=_still_standing),
    answer(if_detractor, by=_still_content),
)


@ladder(
    customers,
    LifecyclePhase,
    name="Lifecycle phase",
    term="客户关系生命周期",
    definition="Which way the relationship moves: churned, termination; declining, decline; loyal, maturity; active, growth; new, signing; "
    "a prospect who is committed, signing; otherwise development.",
    worst_first=("TERMINATION", "DECLINE", "DEVELOPMENT", "SIGNING", "GROWTH", "MATURITY"),
    steps=(*_phase_steps, loyalty(by=_complaint_due, useless=_unhappy)),
    together=_phase_steps,
)
def phase(c: Any, p: Any) -> Iterable[Rung]:
    def at(stage: LifecycleStage) -> Test:
        name = stage.name.lower()
        return is_so(
            f"phase.{name}",
            "lifecycle.stage",
            one_of(c.stage, stage),
            f"Stage: {{observed}}; this rule is for {name}.",
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
            "Quote accepted, contract signed, or loyalty account open: {observed}.",
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
