"""How close a customer is, and what to do next about it."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from sqlalchemy import and_, case, false, func, not_, or_

from app.customers.measures import customers
from app.query import sql
from app.query.fact import constant
from app.query.kind import Flag, Whole
from app.query.measure import (
    Expression,
    Measure,
    Rule,
    Rung,
    Said,
    Test,
    at_least,
    is_so,
    ladder,
    measure,
    none_of,
    one_of,
)
from app.scores import steps
from app.scores.lifecycle import LifecyclePhase, LifecycleStage, detractor, overdue, phase, stage
from app.touchpoints.measures import CLOSE_DAYS, COCREATION_DAYS


class RelationshipTier(Enum):
    BUYER = "BUYER"
    CUSTOMER = "CUSTOMER"
    CLIENT = "CLIENT"
    PARTNER = "PARTNER"


class NextAction(Enum):
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


# ------------------------------------------------------------------ tier


@measure(customers, Whole(), catalogued=False)
def tailored(c: Any, p: Any) -> Any:
    """Orders tailored to a need and co-creations, together."""
    return c.tailored_orders + c.cocreations_730


def _nth(c: Any, key: str, n: Expression) -> Expression:
    """The day of the n-th latest; unknown when n is 0."""
    return case({constant(place): day for place, day in enumerate(c.latest(key, 6), start=1)}, value=n)


_NEVER = 10_000_000


def _window(key: str, days: int, count: Callable[[Any, Any], Expression]) -> Rule:
    """The last day on which the events of a window that count today still do; _NEVER when none does."""

    def until(c: Any, p: Any) -> Expression:
        return func.coalesce(_nth(c, key, count(c, p)) + days, _NEVER)

    return until


_WINDOWS: dict[str, Rule] = {
    "until_inbound": lambda c, p: case(
        (c.committed, constant(_NEVER)),
        else_=_window("inbound", CLOSE_DAYS, lambda c, p: sql.Least(p.customer_min_inbound, c.inbound_365))(c, p),
    ),
    "until_dialogues": _window("dialogue", CLOSE_DAYS, lambda c, p: sql.Least(p.client_min_dialogues, c.dialogues_365)),
    "until_needs": _window("need", CLOSE_DAYS, lambda c, p: sql.Least(p.client_min_needs, c.needs_365)),
    "until_tailored": _window(
        "cocreation",
        COCREATION_DAYS,
        lambda c, p: sql.Least(steps.missing(p.client_min_tailored, c.tailored_orders), c.cocreations_730),
    ),
    "until_cocreations": _window(
        "cocreation",
        COCREATION_DAYS,
        lambda c, p: sql.Least(
            steps.missing(p.partner_min_cocreation, steps.missing(p.client_min_tailored, c.tailored)), c.cocreations_730
        ),
    ),
    "until_overdue": lambda c, p: func.coalesce(
        case((not_(c.overdue_complaint), c.oldest_open_complaint_day + p.complaint_sla_days)), _NEVER
    ),
}
for _key, _rule in _WINDOWS.items():
    customers.add(Measure(_key, customers, Whole(), _rule, catalogued=False))


@measure(customers, Whole(), catalogued=False)
def until_client(c: Any, p: Any) -> Any:
    """The last day on which what a client needs of what there is today still counts."""
    return sql.Least(sql.Least(c.until_inbound, c.until_dialogues), sql.Least(c.until_needs, c.until_tailored))


@measure(customers, Whole(), catalogued=False)
def until_partner(c: Any, p: Any) -> Any:
    """The last day on which what a partner needs of what there is today, beyond a client's, still counts."""
    return sql.Least(c.until_cocreations, c.until_overdue)


@measure(customers, Flag(), catalogued=False)
def enough_for_client(c: Any, p: Any) -> Any:
    """What a client needs is there, whatever of the rungs below."""
    known = and_(c.needs_365 >= p.client_min_needs, c.dialogues_365 >= p.client_min_dialogues)
    return and_(known, c.tailored >= p.client_min_tailored)


@measure(customers, Flag(), catalogued=False)
def enough_for_partner(c: Any, p: Any) -> Any:
    """What a partner needs is there once a client's co-creations are, whatever of the rungs below."""
    made = c.cocreations_730 + steps.missing(p.client_min_tailored, c.tailored)
    return and_(made >= p.partner_min_cocreation, not_(c.recent_detractor), not_(c.overdue_complaint))


@measure(customers, Whole(), nullable=True, catalogued=False)
def next_tier_until(c: Any, p: Any) -> Any:
    """The last day on which the steps to the next tier still work: until then nothing else that it rests on has left its
    window. A step may lead over more than one rung, and then rests on what each of them needs."""
    never = constant(_NEVER)
    partner_too = case((c.enough_for_partner, c.until_partner), else_=never)
    client_too = case((c.enough_for_client, sql.Least(c.until_client, partner_too)), else_=never)
    customer_at_once = and_(
        p.customer_min_occasions <= constant(1), or_(c.inbound_365 >= p.customer_min_inbound, c.committed)
    )
    until = case(
        (and_(c.tier.is_(None), customer_at_once), sql.Least(c.until_inbound, client_too)),
        (_at(c, RelationshipTier.BUYER), sql.Least(c.until_inbound, client_too)),
        (_at(c, RelationshipTier.CUSTOMER), sql.Least(c.until_client, partner_too)),
        (_at(c, RelationshipTier.CLIENT), sql.Least(c.until_client, c.until_partner)),
    )
    return func.nullif(until, _NEVER)


def _at(c: Any, tier: RelationshipTier) -> Expression:
    place: Expression = c.tier == constant(list(RelationshipTier).index(tier))
    return place


def _purchases(c: Any, p: Any) -> Expression:
    return case(
        (c.tier.is_(None), constant(1)),
        (_at(c, RelationshipTier.BUYER), steps.missing(p.customer_min_occasions, c.occasions)),
        else_=constant(0),
    )


def _contacts(c: Any, p: Any) -> Expression:
    knows = and_(_at(c, RelationshipTier.BUYER), not_(c.committed))
    return case((knows, steps.missing(p.customer_min_inbound, c.inbound_365)), else_=constant(0))


def _dialogues(c: Any, p: Any) -> Expression:
    return case(
        (_at(c, RelationshipTier.CUSTOMER), steps.missing(p.client_min_dialogues, c.dialogues_365)), else_=constant(0)
    )


def _needs(c: Any, p: Any) -> Expression:
    return case((_at(c, RelationshipTier.CUSTOMER), steps.missing(p.client_min_needs, c.needs_365)), else_=constant(0))


def _cocreations(c: Any, p: Any) -> Expression:
    return case(
        (_at(c, RelationshipTier.CUSTOMER), steps.missing(p.client_min_tailored, c.tailored)),
        (_at(c, RelationshipTier.CLIENT), steps.missing(p.partner_min_cocreation, c.cocreations_730)),
        else_=constant(0),
    )


def _complaints(c: Any, p: Any) -> Expression:
    return case((and_(_at(c, RelationshipTier.CLIENT), c.overdue_complaint), c.open_complaints), else_=constant(0))


def _answers(c: Any, p: Any) -> Expression:
    return case((and_(_at(c, RelationshipTier.CLIENT), c.recent_detractor), constant(1)), else_=constant(0))


def _by(c: Any, p: Any) -> Expression:
    until: Expression = c.next_tier_until
    return until


_tier_steps = (
    steps.purchase(_purchases, by=_by),
    steps.contact(_contacts, by=_by),
    steps.more("dialogue", "touchpoints", "dialogues_365", "Dialogues: {needed} more", _dialogues, by=_by),
    steps.more("need", "touchpoints", "needs_365", "Needs confirmed: {needed} more", _needs, by=_by),
    steps.more("cocreation", "touchpoints", "cocreations_730", "Co-creations: {needed} more", _cocreations, by=_by),
    steps.resolve(_complaints, by=_by),
    steps.answer(_answers, by=_by),
)


@ladder(
    customers,
    RelationshipTier,
    nullable=True,
    name="Relationship tier",
    term="一般客户、客户、客户（client）、合作伙伴",
    definition="A ladder on which each rung holds all below it: a kept order, buyer; bought again and in contact, customer; needs, dialogues and "
    "something tailored or made together, client; more made together, and content, partner.",
    worst_first=(None, "BUYER", "CUSTOMER", "CLIENT", "PARTNER"),
    steps=_tier_steps,
    together=_tier_steps,
    tell_all=True,
    rule_name="tier",
)
def tier(c: Any, p: Any) -> Iterable[Rung]:
    knows = or_(c.inbound_365 >= p.customer_min_inbound, c.committed)
    buyer = (at_least("tier.buyer", "keptOrders", c.kept_orders, constant(1), "Kept orders"),)
    customer = (
        *buyer,
        at_least(
            "tier.customer.occasions", "occasions", c.occasions, p.customer_min_occasions, "Days with a kept order"
        ),
        is_so(
            "tier.customer.contact",
            "inboundLast365Days",
            knows,
            "Inbound contacts in 365 days: {observed}; at least {threshold} needed, unless committed.",
            Said(Whole(), c.inbound_365),
            Said(Whole(), p.customer_min_inbound),
        ),
    )
    client = (
        *customer,
        at_least(
            "tier.client.needs", "needsLast365Days", c.needs_365, p.client_min_needs, "Needs confirmed in 365 days"
        ),
        at_least(
            "tier.client.dialogues",
            "dialoguesLast365Days",
            c.dialogues_365,
            p.client_min_dialogues,
            "Dialogues in 365 days",
        ),
        at_least(
            "tier.client.tailored",
            "tailored",
            c.tailored,
            p.client_min_tailored,
            "Tailored orders, and co-creations in 730 days",
        ),
    )
    partner = (
        *client,
        at_least(
            "tier.partner.cocreations",
            "coCreationsLast730Days",
            c.cocreations_730,
            p.partner_min_cocreation,
            "Co-creations in 730 days",
        ),
        _not(detractor("tier.partner.detractor", c, p)),
        _not(overdue("tier.partner.complaint", c, p)),
    )
    yield Rung("PARTNER", "tier.partner", *partner)
    yield Rung("CLIENT", "tier.client", *client)
    yield Rung("CUSTOMER", "tier.customer", *customer)
    yield Rung("BUYER", "tier.buyer", *buyer)


def _not(test: Test) -> Test:
    return Test(
        test.fact, not_(test.holds), f"To be ruled out: {test.sentence}", test.observed, test.threshold, test.rule
    )


# ------------------------------------------------------------------ the next best action


def _no_need(c: Any) -> Test:
    return none_of("action.no_need", "needsLast365Days", c.needs_365, "Needs confirmed in 365 days")


@ladder(
    customers,
    NextAction,
    name="Next best action",
    definition="The first that fits: open complaint, resolve it; churned, win back; declining, recover a detractor or prevent termination; "
    "in development, convert; signing without an order, close it; new with one occasion, nurture a second; without a known need, capture needs; "
    "active, build satisfaction; loyal, invite a client to co-create or reward.",
    worst_first=tuple(NextAction.__members__),
    steps=(
        steps.resolve(),
        steps.purchase(),
        steps.answer(),
        steps.more("need", "touchpoints", "needs_365", "Needs confirmed: {needed} more", steps.one),
    ),
)
def next_action(c: Any, p: Any) -> Iterable[Rung]:
    def at_phase(wanted: LifecyclePhase) -> Test:
        name = wanted.name.lower()
        return is_so(
            f"action.{name}",
            "lifecycle.phase",
            one_of(c.phase, wanted),
            f"Phase: {{observed}}; this rule is for {name}.",
            Said(phase.kind, c.phase),
        )

    def at_stage(wanted: LifecycleStage) -> Test:
        name = wanted.name.lower()
        return is_so(
            f"action.{name}",
            "lifecycle.stage",
            one_of(c.stage, wanted),
            f"Stage: {{observed}}; this rule is for {name}.",
            Said(stage.kind, c.stage),
        )

    def at_tier(wanted: RelationshipTier) -> Test:
        name = wanted.name.lower()
        return is_so(
            f"action.tier.{name}",
            "relationship.tier",
            func.coalesce(_at(c, wanted), false()),
            f"Tier: {{observed}}; this rule is for {name}.",
            Said(tier.kind, c.tier),
        )

    open_complaint = at_least(
        "action.open_complaint", "openComplaints", c.open_complaints, constant(1), "Open complaints"
    )
    yield Rung("RESOLVE_COMPLAINT", "action.resolve_complaint", open_complaint)
    yield Rung("WIN_BACK", "action.win_back", at_stage(LifecycleStage.CHURNED))
    yield Rung(
        "RECOVER_DISSATISFIED",
        "action.recover_dissatisfied",
        at_phase(LifecyclePhase.DECLINE),
        detractor("action.detractor", c, p),
    )
    yield Rung("PREVENT_TERMINATION", "action.prevent_termination", at_phase(LifecyclePhase.DECLINE))
    yield Rung("CONVERT_PROSPECT", "action.convert_prospect", at_phase(LifecyclePhase.DEVELOPMENT))
    no_order = none_of("action.no_order", "keptOrders", c.kept_orders, "Kept orders")
    yield Rung("CLOSE_FIRST_ORDER", "action.close_first_order", at_phase(LifecyclePhase.SIGNING), no_order)
    once = is_so(
        "action.once",
        "occasions",
        c.occasions <= constant(1),
        "Days with a kept order: {observed}.",
        Said(Whole(), c.occasions),
    )
    yield Rung("NURTURE_SECOND_PURCHASE", "action.nurture_second_purchase", at_stage(LifecycleStage.NEW), once)
    not_loyal = is_so(
        "action.not_loyal",
        "lifecycle.stage",
        not_(one_of(c.stage, LifecycleStage.LOYAL)),
        "Stage: {observed}; this rule is for any but loyal.",
        Said(stage.kind, c.stage),
    )
    yield Rung("CAPTURE_NEEDS", "action.capture_needs", not_loyal, _no_need(c))
    yield Rung("BUILD_SATISFACTION", "action.build_satisfaction", not_loyal)
    yield Rung("INVITE_COCREATION", "action.invite_cocreation", at_tier(RelationshipTier.CLIENT))
    yield Rung("CAPTURE_NEEDS", "action.capture_needs.loyal", at_tier(RelationshipTier.CUSTOMER), _no_need(c))
    yield Rung("REWARD_LOYALTY", "action.reward_loyalty")


@measure(
    customers,
    Flag(),
    name="Deliverable",
    definition="The next action may be carried out now: contactable, and after an end by word touched inbound since that day; or it is to resolve a complaint.",
)
def deliverable(c: Any, p: Any) -> Any:
    invited = or_(not_(c.ended), func.coalesce(c.inbound_1 >= c.terminated_day, false()))
    return or_(one_of(c.next_action, NextAction.RESOLVE_COMPLAINT), and_(c.contactable, invited))
