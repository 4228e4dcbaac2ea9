"""Every boundary that plain Python is pinned to by hand holds through GraphQL too, where it is typed in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from tests.conftest import BACKENDS
from tests.house import Shop, house
from tests.oracle import test_lifecycle, test_tier, test_value
from tests.oracle.facts import Facts
from tests.oracle.given import OVERDUE, TODAY, ago, buyer, client, customer, days_ago, loyal, partner
from tests.oracle.judgements import Policy, judge
from tests.reading import leaf, letters, selection
from tests.scores.scenarios import SAID, scenario, typed, typed_policy

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
backends = pytest.mark.parametrize("backend", BACKENDS)


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
    """What each case is judged."""
    found = []
    for path, facts, _, policy in cases:
        proposed = policy and typed_policy(policy, 2)
        said = scenario(shop(backend), typed(facts, TODAY, 2), selection(SAID), NOON, proposed)
        found.append(leaf(said, path))
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
