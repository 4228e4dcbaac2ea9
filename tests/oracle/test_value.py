"""What a customer is worth, by the oracle, and what we are worth to them."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

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
    days_ago,
    verdict,
)
from tests.oracle.judgements import Policy, judge

# ------------------------------------------------------------------------------------------------ RFM


@pytest.mark.parametrize(
    ("last", "grade"), [(-1, 5), (0, 5), (30, 5), (31, 4), (90, 4), (91, 3), (180, 3), (181, 2), (365, 2), (366, 1)]
)
def test_recency_loses_a_grade_past_each_cut(last, grade):
    assert verdict(buyer(last), "value.rfm.recency") == grade


@pytest.mark.parametrize(("occasions", "grade"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (8, 4), (9, 5)])
def test_frequency_gains_a_grade_past_each_cut(occasions, grade):
    assert verdict(buyer(occasions=occasions), "value.rfm.frequency") == grade


@pytest.mark.parametrize(
    ("gross", "refunded", "grade"),
    [
        (0, 500_00, 1),  # a negative net scores as nothing
        (100_00, 0, 1),
        (100_01, 0, 2),
        (300_00, 0, 2),
        (300_01, 0, 3),
        (800_00, 0, 3),
        (800_01, 0, 4),
        (2000_00, 0, 4),
        (2000_01, 0, 5),
        (2000_01, 1, 4),
    ],
)
def test_money_gains_a_grade_past_each_cut_of_net(gross, refunded, grade):
    assert verdict(buyer(gross_minor=gross, refunded_minor=refunded), "value.rfm.monetary") == grade


def test_equal_cuts_make_grades_skip():
    policy = Policy(rfm_frequency_cuts=(1, 1, 2, 3))
    assert [verdict(buyer(occasions=n), "value.rfm.frequency", policy) for n in (1, 2, 3, 4)] == [1, 3, 4, 5]


def test_a_cut_at_zero_does_not_turn_a_negative_net_away():
    policy = Policy(rfm_monetary_cuts=(0, 0, 0, 0))
    assert verdict(buyer(refunded_minor=1), "value.rfm.monetary", policy) == 1
    assert verdict(buyer(gross_minor=1), "value.rfm.monetary", policy) == 5


def test_the_cell_joins_the_three_grades():
    assert verdict(buyer(0, occasions=5, gross_minor=2000_01), "value.rfm.cell") == "545"


# ------------------------------------------------------------------------------------------------ score


@pytest.mark.parametrize(
    ("known", "score"),
    [
        ({}, 25.0),  # 20 for R5, 5 for an unknown advocate
        ({"inbound_days": days_ago(90)}, 26.6667),
        ({"inbound_days": days_ago(91)}, 25.0),
        ({"inbound_days": days_ago(0, 1, 2, 30, 90)}, 33.3333),
        ({"inbound_days": days_ago(0, 1, 2, 3, 30, 90)}, 35.0),
        ({"inbound_days": days_ago(0, 1, 2, 3, 4, 30, 90)}, 35.0),
        ({"nps": 9, "nps_day": ago(999)}, 30.0),
        ({"nps": 8, "nps_day": ago(0)}, 25.0),
        ({"nps": 7, "nps_day": ago(0)}, 25.0),
        ({"nps": 6, "nps_day": ago(999)}, 20.0),  # advocacy is the latest answer, however old
    ],
)
def test_the_score_adds_engagement_and_advocacy(known, score):
    assert verdict(buyer(0, **known), "value.score") == score


def test_the_best_score_is_100_and_the_worst_0():
    best = buyer(0, occasions=9, gross_minor=2000_01, inbound_days=days_ago(*range(6)), nps=10, nps_day=TODAY)
    assert verdict(best, "value.score") == 100.0
    assert verdict(buyer(366, nps=0, nps_day=TODAY), "value.score") == 0.0


def test_each_grade_is_weighted():
    # R2 = 5, F3 = 12.5, M4 = 26.25, E 1/2 = 5, A = 10
    facts = buyer(365, occasions=4, gross_minor=2000_00, inbound_days=days_ago(1, 1, 1), nps=9, nps_day=ago(1))
    assert verdict(facts, "value.score") == 58.75


def test_a_score_is_rounded_once_half_away_from_zero():
    policy = Policy(value_weights=("0.000002", "0", "0.999998", "0", "0"))
    assert verdict(buyer(365), "value.score", policy) == 0.0001  # 0.00005


# ------------------------------------------------------------------------------------------------ churn risk


@pytest.mark.parametrize(
    ("facts", "risk"),
    [
        (buyer(0), 0.0),
        (buyer(1), 0.002778),
        (buyer(90), 0.25),
        (buyer(180), 0.5),
        (buyer(181), 0.502703),
        (buyer(364), 0.997297),
        (buyer(365), 1.0),
        (buyer(366), 1.0),
        (buyer(0, **OVERDUE), 0.15),
        (buyer(0, **WITHIN_SLA), 0.0),
        (buyer(0, **DETRACTOR), 0.1),
        (buyer(0, **PAST_DETRACTOR), 0.0),
        (buyer(0, **OVERDUE, **DETRACTOR), 0.235),
        (buyer(180, **OVERDUE, **DETRACTOR), 0.6175),
        (buyer(0, terminated_on=TODAY), 1.0),
        (buyer(0, terminated_on=ago(1)), 0.0),
        (Facts(terminated_on=TODAY), None),
    ],
)
def test_the_risk_grows_with_silence_and_dissatisfaction(facts, risk):
    assert verdict(facts, "value.churnRisk") == risk


# ------------------------------------------------------------------------------------------------ health


@pytest.mark.parametrize(
    ("known", "health"),
    [
        ({}, 73.3333),  # (35 + 0 + 20) / 0.75
        ({"inbound_days": days_ago(0, 0, 90)}, 86.6667),
        ({"inbound_days": days_ago(*range(6))}, 100.0),
        ({"nps": 10, "nps_day": ago(999)}, 80.0),
        ({"nps": 7, "nps_day": ago(0)}, 72.5),
        ({"csat_mean": Fraction(5)}, 80.0),
        ({"csat_mean": Fraction(1)}, 55.0),
        ({"csat_mean": Fraction(9, 2)}, 76.875),
        ({"csat_mean": Fraction(10, 3)}, 69.5833),  # from the unrounded mean
        ({"nps": 10, "nps_day": ago(0), "csat_mean": Fraction(1)}, 67.5),
        (WITHIN_SLA, 60.0),
        (OVERDUE, 39.6667),
    ],
)
def test_health_is_renormalised_over_what_is_known(known, health):
    assert verdict(buyer(0, **known), "value.health") == health


@pytest.mark.parametrize(
    ("facts", "coverage"),
    [
        (buyer(0), 0.75),
        (buyer(0, nps=5, nps_day=TODAY), 1.0),
        (buyer(0, csat_mean=Fraction(3)), 1.0),
        (Facts(), 0.4),
        (Facts(csat_mean=Fraction(3)), 0.65),
    ],
)
def test_the_coverage_says_how_much_was_known(facts, coverage):
    assert verdict(facts, "value.healthCoverage") == coverage


def test_without_a_kept_order_nothing_is_valued():
    judged = judge(Facts(committed=True, nps=9, nps_day=TODAY, inbound_days=[TODAY]), Policy(), TODAY)
    known = {path for path, value in judged.items() if path.startswith("value.") and value is not None}
    assert known == {"value.healthCoverage"}


# ------------------------------------------------------------------------------------------------ behaviour

SPENDER = {"gross_minor": 800_01}


@pytest.mark.parametrize(
    ("facts", "behavior"),
    [
        (buyer(365, brand_days=days_ago(365, 365), **SPENDER), "AMBASSADOR"),
        (buyer(366, brand_days=days_ago(0, 0), **SPENDER), "OCCASIONAL"),
        (buyer(365, brand_days=days_ago(366, 365), **SPENDER), "OCCASIONAL"),
        (buyer(365, brand_days=days_ago(365, 365), gross_minor=800_00), "OCCASIONAL"),
        (buyer(365, converted_referrals=1, **SPENDER), "AMBASSADOR"),
        (buyer(365, nps=9, nps_day=ago(365), **SPENDER), "AMBASSADOR"),
        (buyer(365, nps=8, nps_day=ago(365), **SPENDER), "OCCASIONAL"),
        (buyer(365, first=700, occasions=9), "HIGH_FREQUENCY"),
        (buyer(366, first=700, occasions=9), "OCCASIONAL"),
        (buyer(365, first=700, occasions=8), "OCCASIONAL"),
        (buyer(90, first=180, occasions=2, occasion_days=days_ago(180, 90)), "GROWTH_POTENTIAL"),
        (buyer(90, first=181, occasions=2, occasion_days=days_ago(181, 90)), "OCCASIONAL"),  # one each: not more
        (buyer(90, first=360, occasions=2, occasion_days=days_ago(360, 90)), "OCCASIONAL"),
        (buyer(90, first=361, occasions=2, occasion_days=days_ago(361, 90)), "GROWTH_POTENTIAL"),
        (buyer(91, occasions=2, occasion_days=days_ago(92, 91)), "OCCASIONAL"),
        (buyer(90, occasions=8, occasion_days=days_ago(*range(90, 96))), "GROWTH_POTENTIAL"),  # F4
        (buyer(0, occasion_days=days_ago(0)), "OCCASIONAL"),  # F1
        (
            buyer(90, first=181, occasions=2, occasion_days=days_ago(181, 90), inbound_days=days_ago(0, 0, 90)),
            "GROWTH_POTENTIAL",
        ),
        (
            buyer(90, first=181, occasions=2, occasion_days=days_ago(181, 90), inbound_days=days_ago(0, 0, 91)),
            "OCCASIONAL",
        ),
    ],
)
def test_the_first_matching_type_is_the_behaviour(facts, behavior):
    assert verdict(facts, "value.behavior") == behavior


# ------------------------------------------------------------------------------------------------ perceived value


def test_perceived_value_is_quality_over_price_to_four_decimals():
    judged = judge(Facts(quality=Decimal("1.150"), price=Decimal("0.90"), perceived_day=ago(3)), Policy(), TODAY)
    perceived = {path.rpartition(".")[2]: value for path, value in judged.items() if "perceived" in path}
    assert perceived == {"quality": "1.15", "price": "0.9", "ratio": 1.2778, "answeredOn": "2026-06-28"}


def test_one_answer_alone_perceives_nothing():
    assert verdict(Facts(quality=Decimal(1)), "value.perceived.quality") is None
    assert verdict(Facts(price=Decimal(1)), "value.perceived.price") is None


def test_a_ratio_is_rounded_half_away_from_zero():
    facts = Facts(quality=Decimal("2.00005"), price=Decimal(1), perceived_day=TODAY)
    assert verdict(facts, "value.perceived.ratio") == 2.0001
    assert verdict(replace(facts, quality=Decimal("10.0")), "value.perceived.quality") == "10"
