"""Every boundary that plain Python is pinned to by hand holds through GraphQL too: typed in, and by real events."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import BACKENDS
from tests.histories import write
from tests.house import Shop, house
from tests.oracle import test_lifecycle, test_tier, test_value
from tests.oracle.facts import Facts, printed_facts
from tests.oracle.given import OVERDUE, TODAY, ago, buyer, client, customer, days_ago, loyal, partner
from tests.oracle.history import History, Order, Refund, Touch, Word
from tests.oracle.judgements import Policy, judge
from tests.reading import JUDGED, default_policy, differences, expected, leaf, letters, read_all, selection
from tests.scores.scenarios import typed, typed_policy

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MICROSECOND = timedelta(microseconds=1)
backends = pytest.mark.parametrize("backend", BACKENDS)


# ------------------------------------------------------------------------------------------------ typed in


def table(pinned: Callable[..., Any]) -> list[tuple[Any, ...]]:
    """The cases of a parametrized test."""
    [mark] = [mark for mark in pinned.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    return list(mark.args[1])


def facts_in_cases(pinned: Callable[..., Any], path: str) -> list[tuple[str, Facts, Any]]:
    return [(path, facts, value) for facts, value in table(pinned)]


def ended(last: int | None, end: int) -> Facts:
    return replace(Facts() if last is None else buyer(last), terminated_on=ago(end))


Case = tuple[str, Facts, Any]
UNDER_DEFAULTS: list[Case] = [
    *facts_in_cases(test_lifecycle.test_the_first_rule_that_holds_is_the_stage, "lifecycle.stage"),
    *facts_in_cases(test_lifecycle.test_the_phase_says_which_way_it_moves, "lifecycle.phase"),
    *facts_in_cases(test_tier.test_each_tier_needs_everything_below_it, "relationship.tier"),
    *facts_in_cases(test_value.test_the_risk_grows_with_silence_and_dissatisfaction, "value.churnRisk"),
    *facts_in_cases(test_value.test_the_coverage_says_how_much_was_known, "value.healthCoverage"),
    *facts_in_cases(test_lifecycle.test_the_first_matching_row_is_the_next_action, "lifecycle.nextAction"),
    *facts_in_cases(
        test_lifecycle.test_an_action_waits_for_consent_and_after_an_end_for_the_customer, "lifecycle.deliverable"
    ),
    *facts_in_cases(test_value.test_the_first_matching_type_is_the_behaviour, "value.behavior"),
    *(
        ("lifecycle.stage", ended(last, end), stage)
        for last, end, stage in table(test_lifecycle.test_an_explicit_end_holds_from_its_day_until_the_next_kept_order)
    ),
    *(
        ("value.rfm.recency", buyer(last), grade)
        for last, grade in table(test_value.test_recency_loses_a_grade_past_each_cut)
    ),
    *(
        ("value.rfm.frequency", buyer(occasions=n), grade)
        for n, grade in table(test_value.test_frequency_gains_a_grade_past_each_cut)
    ),
    *(
        ("value.rfm.monetary", buyer(gross_minor=gross, refunded_minor=refunded), grade)
        for gross, refunded, grade in table(test_value.test_money_gains_a_grade_past_each_cut_of_net)
    ),
    *(
        ("value.score", buyer(0, **known), score)
        for known, score in table(test_value.test_the_score_adds_engagement_and_advocacy)
    ),
    *(
        ("value.health", buyer(0, **known), health)
        for known, health in table(test_value.test_health_is_renormalised_over_what_is_known)
    ),
    ("lifecycle.recencyDays", buyer(-3), 0),
    ("lifecycle.tenureDays", buyer(-1, first=-1), 0),
    ("lifecycle.recencyDays", buyer(7, first=9), 7),
    ("lifecycle.tenureDays", buyer(7, first=9), 9),
    ("lifecycle.recencyDays", Facts(), None),
    ("lifecycle.tenureDays", Facts(), None),
    ("value.rfm.cell", buyer(0, occasions=5, gross_minor=2000_01), "545"),
    ("value.rfm", Facts(), None),
    ("value.score", Facts(), None),
    ("value.health", Facts(), None),
    ("value.behavior", Facts(), None),
    (
        "value.score",
        buyer(0, occasions=9, gross_minor=2000_01, inbound_days=days_ago(*range(6)), nps=10, nps_day=TODAY),
        100.0,
    ),
    ("value.score", buyer(366, nps=0, nps_day=TODAY), 0.0),
    (
        "value.score",
        buyer(365, occasions=4, gross_minor=2000_00, inbound_days=days_ago(1, 1, 1), nps=9, nps_day=ago(1)),
        58.75,
    ),
    # Just between two numbers, which a float would miss: 61.16875 and 59.60625.
    ("value.health", buyer(3, nps=10, nps_day=TODAY, inbound_days=days_ago(0, 0), **OVERDUE), 61.1688),
    (
        "value.health",
        buyer(
            3,
            nps=10,
            nps_day=TODAY,
            csat_mean=Fraction(9, 2),
            inbound_days=days_ago(0, 0),
            **OVERDUE,
        ),
        59.6063,
    ),
    ("value.perceived.ratio", Facts(quality=Decimal("1.150"), price=Decimal("0.90")), 1.2778),
    ("value.perceived.quality", Facts(quality=Decimal("1.150"), price=Decimal("0.90")), "1.15"),
    ("value.perceived.ratio", Facts(quality=Decimal("2.00005"), price=Decimal(1)), 2.0001),
    ("value.perceived.quality", Facts(quality=Decimal("10.0"), price=Decimal(1)), "10"),
    ("value.perceived", Facts(quality=Decimal(1)), None),
    ("value.perceived", Facts(price=Decimal(1)), None),
    ("relationship.tier", partner(cocreation_days=days_ago(*range(729, 737))), "PARTNER"),
    ("relationship.tier", partner(cocreation_days=days_ago(*range(730, 738))), "CLIENT"),
]
FREE = {"customer_min_inbound": 0, "client_min_dialogues": 0, "client_min_needs": 0, "client_min_tailored": 0}
UNDER_OTHERS: list[tuple[str, Facts, Any, Policy]] = [
    ("lifecycle.stage", buyer(0, first=1, occasions=2), "LOYAL", Policy(loyal_min_occasions=2, loyal_min_span_days=1)),
    ("lifecycle.stage", buyer(0, first=1, occasions=2), "NEW", Policy(loyal_min_occasions=2, loyal_min_span_days=2)),
    ("lifecycle.stage", buyer(0), "LOYAL", Policy(loyal_min_occasions=1, loyal_min_span_days=0)),
    ("lifecycle.stage", buyer(0), "NEW", Policy(new_days=0)),
    ("lifecycle.stage", buyer(1), "ACTIVE", Policy(new_days=0)),
    ("lifecycle.phase", buyer(2), "GROWTH", Policy(new_days=0, active_days=2, churn_days=3)),
    ("lifecycle.phase", buyer(3), "DECLINE", Policy(new_days=0, active_days=2, churn_days=3)),
    ("lifecycle.phase", buyer(4), "TERMINATION", Policy(new_days=0, active_days=2, churn_days=3)),
    (
        "lifecycle.phase",
        buyer(0, open_complaints=1, oldest_open_complaint_day=ago(0)),
        "SIGNING",
        Policy(complaint_sla_days=0),
    ),
    (
        "lifecycle.phase",
        buyer(0, open_complaints=1, oldest_open_complaint_day=ago(1)),
        "DECLINE",
        Policy(complaint_sla_days=0),
    ),
    ("lifecycle.phase", buyer(0, nps=6, nps_day=ago(0)), "DECLINE", Policy(detractor_window_days=0)),
    ("lifecycle.phase", buyer(0, nps=6, nps_day=ago(1)), "SIGNING", Policy(detractor_window_days=0)),
    (
        "relationship.tier",
        client(tailored_orders=2, cocreation_days=days_ago(1)),
        "CLIENT",
        Policy(client_min_tailored=3),
    ),
    (
        "relationship.tier",
        client(tailored_orders=1, cocreation_days=days_ago(1)),
        "CUSTOMER",
        Policy(client_min_tailored=3),
    ),
    ("relationship.tier", buyer(0), "PARTNER", Policy(customer_min_occasions=1, partner_min_cocreation=0, **FREE)),
    (
        "relationship.tier",
        replace(client(), dialogue_days=days_ago(*range(9))),
        "CLIENT",
        Policy(client_min_dialogues=6),
    ),
    (
        "relationship.tier",
        replace(client(), dialogue_days=days_ago(*range(5))),
        "CUSTOMER",
        Policy(client_min_dialogues=6),
    ),
    ("relationship.tier", customer(inbound_days=[]), "CUSTOMER", Policy(customer_min_inbound=0)),
    *(
        ("value.rfm.frequency", buyer(occasions=n), grade, Policy(rfm_frequency_cuts=(1, 1, 2, 3)))
        for n, grade in ((1, 1), (2, 3), (3, 4), (4, 5))
    ),
    ("value.rfm.monetary", buyer(refunded_minor=1), 1, Policy(rfm_monetary_cuts=(0, 0, 0, 0))),
    ("value.rfm.monetary", buyer(gross_minor=1), 5, Policy(rfm_monetary_cuts=(0, 0, 0, 0))),
    ("value.score", buyer(365), 0.0001, Policy(value_weights=("0.000002", "0", "0.999998", "0", "0"))),
    ("value.churnRisk", buyer(1), 0.5, Policy(new_days=0, active_days=1, churn_days=2)),
    ("value.churnRisk", buyer(2), 1.0, Policy(new_days=0, active_days=1, churn_days=2)),
    ("value.churnRisk", loyal(0), 0.0, Policy(new_days=0, active_days=1, churn_days=2)),
]


@cache
def shop(backend: str, zone: str = "UTC") -> Shop:
    return house(backend).shop(zone)


def scenarios(backend: str, cases: list[tuple[str, Facts, Any, Policy | None]]) -> list[Any]:
    """What each case is judged, several to a request."""
    found, paths = [], [path for path in JUDGED if path != "value.perceived.answeredOn"]
    query = f"""query One($facts: CustomerFactsInput!, $policy: PolicySetInput) {{
      customerScenario(facts: $facts, policy: $policy) {{ {selection(paths)} }} }}"""
    for path, facts, _, policy in cases:
        given = {"facts": typed(facts, TODAY, 2), "policy": policy and typed_policy(policy, 2)}
        found.append(leaf(shop(backend).ask(query, NOON, **given)["customerScenario"], path))
    return found


@backends
def test_every_boundary_holds_where_it_is_typed_in(backend: str) -> None:
    cases = [(*case, None) for case in UNDER_DEFAULTS] + UNDER_OTHERS
    got = scenarios(backend, cases)
    wrong = {
        place: (path, facts, letters(value), letters(found))
        for place, ((path, facts, value, _), found) in enumerate(zip(cases, got, strict=True))
        if letters(found) != letters(value)
    }
    assert wrong == {}


def test_the_oracle_says_the_same_of_each() -> None:
    for path, facts, value, policy in [(*case, None) for case in UNDER_DEFAULTS] + UNDER_OTHERS:
        facts = replace(facts, perceived_day=TODAY) if facts.quality and facts.price else facts
        judged = judge(facts, policy or Policy(), TODAY)
        assert judged.get(path) == value, (path, facts)


# ------------------------------------------------------------------------------------------------ by real events


def at(days: int, time: str = "10:00") -> datetime:
    """So many days ago, in Shanghai; NOON is eight in the evening there."""
    hour, _, minute = time.partition(":")
    day = datetime(TODAY.year, TODAY.month, TODAY.day, int(hour), int(minute), tzinfo=SHANGHAI)
    return (day - timedelta(days=days)).astimezone(UTC)


class Life:
    """A history in the making, an event a word."""

    def __init__(self, **known: Any) -> None:
        self.history = History(**known)

    def bought(self, days: int, gross: int = 100_00, time: str = "10:00", **more: Any) -> "Life":
        orders = self.history.orders
        orders.append(Order(f"pur-{len(orders)}", at(days, time), gross, more.pop("reporting", gross), **more))
        return self

    def refunded(self, days: int, minor: int, time: str = "12:00") -> "Life":
        self.history.orders[-1].refunds.append(Refund(at(days, time), minor))
        return self

    def had(self, kind: str, days: int, direction: str = "INBOUND", time: str = "10:00", **more: Any) -> "Life":
        touches = self.history.touches
        touches.append(Touch(f"tou-{len(touches)}", kind, "EMAIL", direction, at(days, time), **more))
        return self

    def said(self, state: str, days: int, channel: str = "EMAIL", purpose: str = "MARKETING") -> "Life":
        words = self.history.words
        words.append(Word(f"con-{len(words)}", purpose, channel, state, at(days)))
        return self


def bought_often(last: int = 0, span: int = 180, **known: Any) -> Life:
    life = Life(**known)
    for days in (last + span, last + 2, last + 1, last):
        life.bought(days)
    return life


def close(inbound: int = 1, need: int = 1, dialogues: tuple[int, ...] = (1, 1, 1)) -> Life:
    life = Life().bought(1).bought(0).had("MESSAGE", inbound).had("NEED", need, "OUTBOUND")
    for days in dialogues:
        life.had("CALL", days, "OUTBOUND")
    return life


def surveys(*answers: int | None, csat: int | None = None) -> Life:
    life = Life().bought(0)
    for answer in answers:
        life.had("SURVEY", 3, nps=answer, csat=csat)
    return life


LIVED: list[tuple[Life, dict[str, Any]]] = [
    # Stages, by days and by hours: the day is Shanghai's.
    (Life(), {"lifecycle.stage": "PROSPECT", "relationship.tier": None, "value.score": None}),
    (Life().bought(90, time="0:00"), {"lifecycle.stage": "NEW", "lifecycle.tenureDays": 90}),
    (Life().bought(91, time="23:59"), {"lifecycle.stage": "ACTIVE", "lifecycle.tenureDays": 91}),
    (Life().bought(365, time="0:00"), {"lifecycle.stage": "ACTIVE", "value.churnRisk": 1.0, "value.rfm.recency": 2}),
    (Life().bought(366, time="23:59"), {"lifecycle.stage": "CHURNED", "value.rfm.recency": 1}),
    (bought_often(), {"lifecycle.stage": "LOYAL", "lifecycle.phase": "MATURITY", "value.rfm.frequency": 3}),
    (bought_often(span=179), {"lifecycle.stage": "ACTIVE"}),
    (bought_often(180), {"lifecycle.phase": "MATURITY"}),
    (bought_often(181), {"lifecycle.phase": "DECLINE", "lifecycle.nextAction": "PREVENT_TERMINATION"}),
    (Life(terminated_on=TODAY), {"lifecycle.stage": "CHURNED", "lifecycle.nextAction": "WIN_BACK"}),
    (Life(terminated_on=ago(-1)), {"lifecycle.stage": "PROSPECT"}),
    (Life(terminated_on=ago(5)).bought(5), {"lifecycle.stage": "CHURNED", "value.churnRisk": 1.0}),
    (Life(terminated_on=ago(6)).bought(5), {"lifecycle.stage": "NEW"}),
    # Refunds: a whole one takes the occasion away, from its instant on; a part does not.
    (Life().bought(5).refunded(0, 100_00, "19:59"), {"facts.keptOrders": 0, "lifecycle.stage": "PROSPECT"}),
    (Life().bought(5).refunded(0, 99_99), {"facts.keptOrders": 1, "facts.net.amount": "0.01"}),
    (
        Life().bought(5, 3, reporting=1).refunded(4, 1).refunded(3, 1),
        {"facts.refunded.amount": "0.01", "facts.net.amount": "0.00", "facts.keptOrders": 1},
    ),
    (Life().bought(5, 0), {"facts.keptOrders": 1, "facts.averageOrderValue.amount": "0.00"}),
    (Life().bought(5, voided=True), {"facts.keptOrders": 0, "facts.gross.amount": "0.00"}),
    (
        Life().bought(5, reporting=None),
        {
            "facts.unconvertedOrders": 1,
            "facts.averageOrderValue": None,
            "value.rfm.monetary": 1,
            "value.rfm.recency": 5,
        },
    ),
    (
        Life().bought(5, 100_00).bought(5, 100_01),
        {"facts.occasions": 1, "facts.keptOrders": 2, "facts.averageOrderValue.amount": "100.01"},
    ),
    (Life().bought(6, time="23:59").bought(5, time="0:00"), {"facts.occasions": 2}),
    # Tiers: the windows' last days, and committed instead of in contact.
    (close(), {"relationship.tier": "CUSTOMER"}),
    (close(inbound=365, need=365), {"relationship.tier": "CUSTOMER"}),
    (close(inbound=366), {"relationship.tier": "BUYER"}),
    (close(inbound=366).had("QUOTE_ACCEPTED", 700, "OUTBOUND"), {"relationship.tier": "CUSTOMER"}),
    (close().had("CO_CREATION", 730), {"relationship.tier": "CLIENT"}),
    (close(dialogues=(365, 365, 365)).had("REFERRAL", 730), {"relationship.tier": "CLIENT"}),
    (close(dialogues=(366, 365, 365)).had("CO_CREATION", 0), {"relationship.tier": "CUSTOMER"}),
    (close(need=366).had("CO_CREATION", 0), {"relationship.tier": "CUSTOMER"}),
    (close().had("CO_CREATION", 731), {"relationship.tier": "CUSTOMER"}),
    (close().bought(0, tailored=True), {"relationship.tier": "CLIENT"}),
    (close().bought(0, 1_00, tailored=True).refunded(0, 1_00), {"relationship.tier": "CUSTOMER"}),
    (close().had("CO_CREATION", 730).had("CO_CREATION", 730), {"relationship.tier": "PARTNER"}),
    (close().had("CO_CREATION", 730).had("CO_CREATION", 731), {"relationship.tier": "CLIENT"}),
    (
        close().had("CO_CREATION", 1).had("CO_CREATION", 1).had("SURVEY", 180, nps=6),
        {"relationship.tier": "CLIENT", "lifecycle.phase": "DECLINE"},
    ),
    (
        close().had("CO_CREATION", 1).had("CO_CREATION", 1).had("SURVEY", 181, nps=6),
        {"relationship.tier": "PARTNER", "lifecycle.phase": "SIGNING"},
    ),
    # Complaints.
    (
        Life().bought(0).had("COMPLAINT", 14),
        {"lifecycle.phase": "SIGNING", "lifecycle.nextAction": "RESOLVE_COMPLAINT"},
    ),
    (Life().bought(0).had("COMPLAINT", 15), {"lifecycle.phase": "DECLINE", "value.churnRisk": 0.15}),
    (
        Life().bought(0).had("COMPLAINT", 15, resolved_at=NOON),
        {"lifecycle.phase": "SIGNING", "facts.openComplaints": 0},
    ),
    # Answers: the latest has the last word, one without an answer none.
    (surveys(6, 9), {"facts.nps": 9, "value.score": 33.3333}),
    (surveys(9, 6), {"facts.nps": 6, "value.score": 23.3333, "lifecycle.nextAction": "RECOVER_DISSATISFIED"}),
    (surveys(7, None), {"facts.nps": 7, "value.health": 79.1667, "value.healthCoverage": 1.0}),
    (surveys(None), {"facts.nps": None, "value.health": 77.7778, "value.healthCoverage": 0.75}),
    # The six latest, and the days of windows.
    (Life().bought(0).had("MESSAGE", 90), {"facts.inboundLast90Days": 1, "value.score": 26.6667}),
    (Life().bought(0).had("MESSAGE", 91), {"facts.inboundLast90Days": 0, "value.score": 25.0}),
    # Words.
    (Life().said("GRANTED", 2).said("WITHDRAWN", 1), {"facts.contactable": False}),
    (Life().said("WITHDRAWN", 1).said("GRANTED", 2, "SMS"), {"facts.contactable": True}),
    (Life().said("GRANTED", 2, purpose="SERVICE"), {"facts.contactable": False}),
    (Life(suppressed=True).said("GRANTED", 2), {"facts.contactable": False}),
    (Life(terminated_on=ago(9)).said("GRANTED", 20).had("MESSAGE", 10), {"lifecycle.deliverable": False}),
    (Life(terminated_on=ago(9)).said("GRANTED", 20).had("MESSAGE", 9, time="0:00"), {"lifecycle.deliverable": True}),
    # What it is worth to them.
    (
        Life().had("SURVEY", 3, quality=Decimal("1.15"), price=Decimal("0.9")).had("SURVEY", 1, quality=Decimal(9)),
        {"value.perceived.ratio": 1.2778, "value.perceived.answeredOn": "2026-06-28"},
    ),
]


@cache
def lived(backend: str) -> Shop:
    found = house(backend).shop("Asia/Shanghai")
    write(found, [life.history for life, _ in LIVED])
    return found


def paths() -> list[str]:
    return sorted({path for _, says in LIVED for path in says} - {"facts.averageOrderValue"} | {*JUDGED})


@backends
def test_every_family_of_boundaries_holds_by_real_events(backend: str) -> None:
    rows = read_all(lived(backend), selection([*paths(), "facts.averageOrderValue.amount"]), NOON)
    for place, (row, (_, says)) in enumerate(zip(rows, LIVED, strict=True)):
        assert {path: leaf(row, path) for path in says} == says, place


@backends
def test_what_happens_holds_from_its_very_instant_on(backend: str) -> None:
    here = lived(backend)
    lives = [life.history for life, _ in LIVED]
    instants = {refund.at for life in lives for order in life.orders for refund in order.refunds}
    instants |= {word.at for life in lives for word in life.words} | {NOON, at(90, "0:00"), at(15), at(0)}
    every = list(printed_facts(Facts(), 2)) + list(JUDGED)
    for instant in sorted({moment - tick for moment in instants for tick in (timedelta(0), MICROSECOND)}):
        rows = read_all(here, selection(every), as_of=instant)
        for row, life in zip(rows, lives, strict=True):
            got = {path: leaf(row, path) for path in every}
            assert differences(got, expected(life, instant, here, default_policy(2))) == {}, (instant, life)
