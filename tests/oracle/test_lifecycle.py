"""The oracle is trusted because every boundary in it is pinned, by values worked out by hand: here those of a life."""

from dataclasses import replace

import pytest

from tests.oracle.facts import Facts
from tests.oracle.given import (
    DETRACTOR,
    OVERDUE,
    PAST_DETRACTOR,
    TODAY,
    WITHIN_SLA,
    ago,
    buyer,
    client,
    customer,
    days_ago,
    loyal,
    partner,
    verdict,
)
from tests.oracle.judgements import Policy

# ------------------------------------------------------------------------------------------------ stage


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        (Facts(), "PROSPECT"),
        (buyer(0), "NEW"),
        (buyer(90), "NEW"),
        (buyer(91), "ACTIVE"),
        (buyer(0, first=91, occasions=2), "ACTIVE"),
        (buyer(365), "ACTIVE"),
        (buyer(366), "CHURNED"),
        (buyer(0, first=180, occasions=4), "LOYAL"),
        (buyer(0, first=179, occasions=4), "ACTIVE"),
        (buyer(0, first=180, occasions=3), "ACTIVE"),
        (buyer(100, first=279, occasions=4), "ACTIVE"),  # silence does not lengthen the span
        (loyal(365), "LOYAL"),
        (loyal(366), "CHURNED"),
        (buyer(-3), "NEW"),
    ],
)
def test_the_first_rule_that_holds_is_the_stage(facts, stage):
    assert verdict(facts, "lifecycle.stage") == stage


@pytest.mark.parametrize(
    ("last", "ended", "stage"),
    [
        (None, 0, "CHURNED"),  # even one who never bought
        (None, -1, "PROSPECT"),  # not yet in force
        (10, 0, "CHURNED"),
        (10, -1, "NEW"),
        (10, 10, "CHURNED"),  # bought on the day of the end: not after it
        (10, 11, "NEW"),  # bought the day after: has come back
        (366, 400, "CHURNED"),  # came back, then fell silent
    ],
)
def test_an_explicit_end_holds_from_its_day_until_the_next_kept_order(last, ended, stage):
    facts = replace(Facts() if last is None else buyer(last), terminated_on=ago(ended))
    assert verdict(facts, "lifecycle.stage") == stage


def test_a_new_customer_may_be_loyal_at_once_when_the_policy_says_so():
    policy = Policy(loyal_min_occasions=2, loyal_min_span_days=1)
    assert verdict(buyer(0, first=1, occasions=2), "lifecycle.stage", policy) == "LOYAL"


def test_ages_clamp_at_zero_and_are_unknown_without_a_kept_order():
    assert verdict(buyer(-3, first=-1), "lifecycle.recencyDays") == 0
    assert verdict(buyer(-3, first=-1), "lifecycle.tenureDays") == 0
    assert verdict(buyer(7, first=9), "lifecycle.recencyDays") == 7
    assert verdict(buyer(7, first=9), "lifecycle.tenureDays") == 9
    assert verdict(Facts(), "lifecycle.recencyDays") is None
    assert verdict(Facts(), "lifecycle.tenureDays") is None


# ------------------------------------------------------------------------------------------------ phase

PASSIVE = {"nps": 7, "nps_day": ago(0)}


@pytest.mark.parametrize(
    ("facts", "phase"),
    [
        (Facts(), "DEVELOPMENT"),
        (Facts(committed=True), "SIGNING"),
        (Facts(**OVERDUE, **DETRACTOR), "DEVELOPMENT"),  # a prospect does not decline
        (buyer(0), "SIGNING"),
        (buyer(91), "GROWTH"),
        (buyer(180), "GROWTH"),
        (buyer(181), "DECLINE"),
        (loyal(180), "MATURITY"),
        (loyal(181), "DECLINE"),
        (buyer(0, **OVERDUE), "DECLINE"),
        (buyer(0, **WITHIN_SLA), "SIGNING"),
        (loyal(0, **DETRACTOR), "DECLINE"),
        (loyal(0, **PAST_DETRACTOR), "MATURITY"),
        (loyal(0, **PASSIVE), "MATURITY"),
        (buyer(366, **OVERDUE), "TERMINATION"),
    ],
)
def test_the_phase_says_which_way_it_moves(facts, phase):
    assert verdict(facts, "lifecycle.phase") == phase


# ------------------------------------------------------------------------------------------------ next action

NEED = {"need_days": days_ago(365)}
STALE_NEED = {"need_days": days_ago(366)}


def loyal_like(facts: Facts) -> Facts:
    return replace(facts, kept_orders=4, occasions=4, first_day=ago(180), last_day=ago(0))


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (Facts(**WITHIN_SLA), "RESOLVE_COMPLAINT"),
        (buyer(366, **WITHIN_SLA), "RESOLVE_COMPLAINT"),
        (buyer(366), "WIN_BACK"),
        (Facts(terminated_on=TODAY), "WIN_BACK"),
        (buyer(0, **DETRACTOR), "RECOVER_DISSATISFIED"),
        (buyer(181, **DETRACTOR), "RECOVER_DISSATISFIED"),
        (buyer(181, **PAST_DETRACTOR), "PREVENT_TERMINATION"),
        (Facts(), "CONVERT_PROSPECT"),
        (Facts(committed=True), "CLOSE_FIRST_ORDER"),
        (buyer(0, **NEED), "NURTURE_SECOND_PURCHASE"),
        (buyer(0, occasions=2), "CAPTURE_NEEDS"),
        (buyer(0, occasions=2, **NEED), "BUILD_SATISFACTION"),
        (buyer(91), "CAPTURE_NEEDS"),
        (buyer(91, **STALE_NEED), "CAPTURE_NEEDS"),
        (buyer(91, **NEED), "BUILD_SATISFACTION"),
        (loyal_like(client()), "INVITE_COCREATION"),
        (loyal_like(customer()), "CAPTURE_NEEDS"),
        (loyal_like(customer(**STALE_NEED)), "CAPTURE_NEEDS"),
        (loyal_like(customer(**NEED)), "REWARD_LOYALTY"),
        (loyal_like(partner()), "REWARD_LOYALTY"),
        (loyal(0), "REWARD_LOYALTY"),  # a BUYER without a need record
    ],
)
def test_the_first_matching_row_is_the_next_action(facts, action):
    assert verdict(facts, "lifecycle.nextAction") == action


@pytest.mark.parametrize(
    ("facts", "deliverable"),
    [
        (buyer(0), False),
        (buyer(0, contactable=True), True),
        (buyer(0, **WITHIN_SLA), True),  # a service contact needs no consent
        (buyer(20, contactable=True, terminated_on=ago(10)), False),
        (buyer(20, contactable=True, terminated_on=ago(10), inbound_days=days_ago(11)), False),
        (buyer(20, contactable=True, terminated_on=ago(10), inbound_days=days_ago(10)), True),
        (buyer(20, contactable=False, terminated_on=ago(10), inbound_days=days_ago(10)), False),
        (buyer(9, contactable=True, terminated_on=ago(10)), True),  # has bought since: no longer in force
        (buyer(20, contactable=True, terminated_on=ago(-1)), True),  # not yet in force
        (buyer(366, contactable=True), True),  # silence is no explicit end
    ],
)
def test_an_action_waits_for_consent_and_after_an_end_for_the_customer(facts, deliverable):
    assert verdict(facts, "lifecycle.deliverable") is deliverable
