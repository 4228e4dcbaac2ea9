"""Histories at random are possible ones, and reach every judgement."""

from collections import Counter
from random import Random

from tests.oracle.facts import facts_of, printed_facts
from tests.oracle.generator import random_history
from tests.oracle.given import NOW, SHANGHAI, TODAY
from tests.oracle.judgements import Policy, judge


def test_equal_seeds_tell_equal_histories():
    assert random_history(Random(7), NOW, SHANGHAI) == random_history(Random(7), NOW, SHANGHAI)


def test_nothing_lies_ahead_unless_asked_for():
    for seed in range(200):
        history = random_history(Random(seed), NOW, SHANGHAI, ahead_days=0)
        instants = [event.at for event in [*history.orders, *history.touches, *history.words]]
        instants += [refund.at for order in history.orders for refund in order.refunds]
        instants += [touch.resolved_at for touch in history.touches if touch.resolved_at]
        assert all(at <= NOW for at in instants)


def test_random_histories_are_possible_ones():
    for seed in range(500):
        history = random_history(Random(seed), NOW, SHANGHAI)
        for order in history.orders:
            assert sum(refund.minor for refund in order.refunds) <= order.gross_minor
            assert all(refund.at >= order.at and refund.minor > 0 for refund in order.refunds)
        recorded = set()
        for touch in history.touches:
            assert touch.reply_to is None or touch.reply_to in recorded
            assert touch.resolved_at is None or touch.resolved_at >= touch.at
            recorded.add(touch.id)


EVERY = {
    "lifecycle.stage": ["PROSPECT", "NEW", "ACTIVE", "LOYAL", "CHURNED"],
    "lifecycle.phase": ["DEVELOPMENT", "SIGNING", "GROWTH", "MATURITY", "DECLINE", "TERMINATION"],
    "lifecycle.recencyDays": [None, 0, 1, 30, 31, 90, 91, 180, 181, 365, 366],
    "lifecycle.nextAction": [
        *("RESOLVE_COMPLAINT", "WIN_BACK", "RECOVER_DISSATISFIED", "PREVENT_TERMINATION", "CONVERT_PROSPECT"),
        *("CLOSE_FIRST_ORDER", "NURTURE_SECOND_PURCHASE", "CAPTURE_NEEDS", "BUILD_SATISFACTION"),
        *("INVITE_COCREATION", "REWARD_LOYALTY"),
    ],
    "lifecycle.deliverable": [True, False],
    "relationship.tier": [None, "BUYER", "CUSTOMER", "CLIENT", "PARTNER"],
    "value.score": [None],
    "value.rfm.recency": [1, 2, 3, 4, 5],
    "value.rfm.frequency": [1, 2, 3, 4, 5],
    "value.rfm.monetary": [1, 2, 3, 4, 5],
    "value.healthCoverage": [0.4, 0.65, 0.75, 1.0],
    "value.behavior": [None, "AMBASSADOR", "HIGH_FREQUENCY", "GROWTH_POTENTIAL", "OCCASIONAL"],
    "value.perceived.ratio": [None, 0.8889, 1.0, 2.0001],
    "facts.unconvertedOrders": [0, 1, 2],
    "facts.inboundLast90Days": [0, 1, 2, 3, 4, 5, 6],
    "facts.nps": [None, 0, 6, 7, 8, 9, 10],
    "facts.csat": [None, 1.0, 3.5, 5.0],
    "facts.openComplaints": [0, 1],
    "facts.committed": [True, False],
    "facts.contactable": [True, False],
}


def test_random_histories_reach_every_judgement_often():
    seen = Counter()
    for seed in range(2000):
        facts = facts_of(random_history(Random(seed), NOW, SHANGHAI), NOW, SHANGHAI)
        seen.update((judge(facts, Policy(), TODAY) | printed_facts(facts, 2)).items())
    assert not [(path, value) for path, values in EVERY.items() for value in values if seen[path, value] < 10]
