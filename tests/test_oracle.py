"""The oracle is trusted because every boundary in it is pinned here, by values worked out by hand."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tests.oracle import (
    Facts,
    History,
    Order,
    Policy,
    Refund,
    Touch,
    Word,
    facts_of,
    judge,
    printed_facts,
    random_history,
)

TODAY = date(2026, 7, 1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)  # noon in Shanghai
MICROSECOND = timedelta(microseconds=1)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def days_ago(*ages: int) -> list[date]:
    return sorted(ago(age) for age in ages)


def buyer(last: int = 0, first: int | None = None, occasions: int = 1, **known) -> Facts:
    first = last if first is None else first
    return Facts(kept_orders=occasions, occasions=occasions, first_day=ago(first), last_day=ago(last), **known)


def loyal(last: int = 0, **known) -> Facts:
    return buyer(last, first=last + 180, occasions=4, **known)


def verdict(facts: Facts, path: str, policy: Policy | None = None):
    return judge(facts, policy or Policy(), TODAY)[path]


# ------------------------------------------------------------------------------------------------ lifecycle stage


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


# ------------------------------------------------------------------------------------------------ relationship phase

OVERDUE = {"open_complaints": 1, "oldest_open_complaint_day": ago(15)}
WITHIN_SLA = {"open_complaints": 1, "oldest_open_complaint_day": ago(14)}
DETRACTOR = {"nps": 6, "nps_day": ago(180)}
PAST_DETRACTOR = {"nps": 6, "nps_day": ago(181)}
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


# ------------------------------------------------------------------------------------------------ tier


def customer(**known) -> Facts:
    return buyer(0, occasions=2, **{"inbound_days": days_ago(365), **known})


def client(**known) -> Facts:
    close = {"need_days": days_ago(365), "dialogue_days": days_ago(365, 365, 0), "tailored_orders": 1}
    return customer(**{**close, **known})


def partner(**known) -> Facts:
    return client(**{"cocreation_days": days_ago(730, 730), **known})


@pytest.mark.parametrize(
    ("facts", "tier"),
    [
        (Facts(committed=True), None),
        (buyer(0), "BUYER"),
        (buyer(1000), "BUYER"),
        (customer(), "CUSTOMER"),
        (replace(customer(), occasions=1), "BUYER"),
        (customer(inbound_days=days_ago(366)), "BUYER"),
        (customer(inbound_days=days_ago(366), committed=True), "CUSTOMER"),
        (client(), "CLIENT"),
        (client(need_days=days_ago(366)), "CUSTOMER"),
        (client(dialogue_days=days_ago(366, 365, 0)), "CUSTOMER"),
        (client(tailored_orders=0), "CUSTOMER"),
        (client(tailored_orders=0, cocreation_days=days_ago(730)), "CLIENT"),
        (client(tailored_orders=0, cocreation_days=days_ago(731)), "CUSTOMER"),
        (client(inbound_days=[]), "BUYER"),  # the ladder is cumulative
        (partner(), "PARTNER"),
        (partner(cocreation_days=days_ago(731, 730)), "CLIENT"),
        (partner(**DETRACTOR), "CLIENT"),
        (partner(**PAST_DETRACTOR), "PARTNER"),
        (partner(**OVERDUE), "CLIENT"),
        (partner(**WITHIN_SLA), "PARTNER"),
        (partner(need_days=days_ago(-5)), "PARTNER"),  # what lies ahead counts as today
        (partner(contactable=False), "PARTNER"),  # consent is no part of it
    ],
)
def test_each_tier_needs_everything_below_it(facts, tier):
    assert verdict(facts, "relationship.tier") == tier


def test_tailored_orders_and_cocreations_count_together():
    policy = Policy(client_min_tailored=3)
    assert verdict(client(tailored_orders=2, cocreation_days=days_ago(1)), "relationship.tier", policy) == "CLIENT"
    assert verdict(client(tailored_orders=1, cocreation_days=days_ago(1)), "relationship.tier", policy) == "CUSTOMER"


def test_minimums_of_zero_ask_for_nothing():
    policy = Policy(
        customer_min_occasions=0,
        customer_min_inbound=0,
        client_min_dialogues=0,
        client_min_needs=0,
        client_min_tailored=0,
        partner_min_cocreation=0,
    )
    assert verdict(buyer(0), "relationship.tier", policy) == "PARTNER"


def test_at_most_six_count_in_a_window():
    at_most = replace(client(), dialogue_days=days_ago(*range(9)))
    assert verdict(at_most, "relationship.tier", Policy(client_min_dialogues=6)) == "CLIENT"
    assert verdict(at_most, "relationship.tier", Policy(client_min_dialogues=7)) == "CUSTOMER"


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


# ------------------------------------------------------------------------------------------------ facts: orders


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def bought(at: datetime | str = NOW, gross: int = 100_00, reporting: int | None = -1, **more) -> Order:
    at = shanghai(at) if isinstance(at, str) else at
    return Order("pur", at, gross, gross if reporting == -1 else reporting, **more)


def known(*events, now: datetime = NOW, **more) -> Facts:
    kinds = {Order: [], Touch: [], Word: []}
    for event in events:
        kinds[type(event)].append(event)
    return facts_of(History(kinds[Order], kinds[Touch], kinds[Word], **more), now, SHANGHAI)


def test_an_order_exists_from_its_instant_on():
    assert known(bought(NOW)).kept_orders == 1
    assert known(bought(NOW + MICROSECOND)).kept_orders == 0


def test_a_day_is_a_local_day():
    facts = known(bought("2026-06-29T23:59:59"), bought("2026-06-30T00:00:00"), bought("2026-06-30T23:59:59.999999"))
    assert (facts.kept_orders, facts.occasions) == (3, 2)
    assert facts.occasion_days == [date(2026, 6, 29), date(2026, 6, 30)]
    assert (facts.first_day, facts.last_day) == (date(2026, 6, 29), date(2026, 6, 30))


def test_only_the_latest_six_occasions_are_listed():
    facts = known(*(bought(f"2026-06-{day:02}T10:00") for day in range(1, 9)))
    assert facts.occasions == 8
    assert [day.day for day in facts.occasion_days] == [3, 4, 5, 6, 7, 8]


def test_a_fully_refunded_order_stops_being_kept_from_the_instant_of_the_refund():
    order = bought("2026-06-01T10:00", tailored=True, refunds=[Refund(NOW, 100_00)])
    before, after = known(order, now=NOW - MICROSECOND), known(order, now=NOW)
    assert (before.kept_orders, before.tailored_orders, before.net_minor) == (1, 1, 100_00)
    assert (after.kept_orders, after.tailored_orders, after.net_minor) == (0, 0, 0)
    assert (after.gross_minor, after.refunded_minor, after.last_day) == (100_00, 100_00, None)


def test_a_partly_refunded_order_is_kept():
    facts = known(bought(gross=100, refunds=[Refund(NOW, 60), Refund(NOW, 39)]))
    assert (facts.kept_orders, facts.net_minor) == (1, 1)


def test_an_order_of_nothing_is_kept():
    assert known(bought(gross=0)).kept_orders == 1
    assert known(bought(gross=1, refunds=[Refund(NOW, 1)])).kept_orders == 0


def test_a_voided_order_never_was():
    assert known(bought(voided=True, tailored=True)) == known()


def test_an_unconverted_order_counts_but_has_no_money():
    facts = known(bought(reporting=None, refunds=[Refund(NOW, 1)]), bought(gross=7_00))
    assert (facts.kept_orders, facts.unconverted_orders, facts.gross_minor, facts.refunded_minor) == (2, 1, 7_00, 0)
    gone = known(bought(reporting=None, refunds=[Refund(NOW, 100_00)]))
    assert (gone.kept_orders, gone.unconverted_orders) == (0, 0)


@pytest.mark.parametrize(("refunds", "reporting"), [((1,), 33), ((1, 1), 67), ((1, 1, 1), 100)])
def test_a_refund_is_converted_by_the_share_refunded_so_far(refunds, reporting):
    order = bought(gross=3, reporting=100, refunds=[Refund(NOW, part) for part in refunds])
    assert known(order).refunded_minor == reporting


def test_half_a_minor_unit_of_refund_is_a_whole_one():
    assert known(bought(gross=2, reporting=1, refunds=[Refund(NOW, 1)])).refunded_minor == 1


# ------------------------------------------------------------------------------------------------ facts: touchpoints


def touched(
    kind: str = "MESSAGE", direction: str = "INBOUND", at: datetime | str = NOW, key: str = "t", **more
) -> Touch:
    return Touch(key, kind, "EMAIL", direction, shanghai(at) if isinstance(at, str) else at, **more)


def test_a_retracted_or_coming_touchpoint_does_not_exist():
    assert known(touched(retracted=True), touched(at=NOW + MICROSECOND)) == known()
    assert known(touched()).touchpoints == 1


@pytest.mark.parametrize(
    ("answer", "asked", "counts"),
    [
        (touched("MEETING"), None, True),
        (touched("CALL", "OUTBOUND"), None, True),
        (touched("MESSAGE"), None, False),
        (touched(reply_to="q"), touched(direction="OUTBOUND", key="q"), True),
        (touched(reply_to="q"), touched(direction="INBOUND", key="q"), False),
        (touched(reply_to="q"), touched(direction="OUTBOUND", key="q", retracted=True), False),
        (touched(reply_to="q"), touched(direction="OUTBOUND", key="q", at=NOW + MICROSECOND), False),
        (touched("CALL", reply_to="q"), touched(direction="INBOUND", key="q"), True),
    ],
)
def test_a_dialogue_is_an_answer_across_or_a_meeting_or_a_call(answer, asked, counts):
    assert known(answer, *([asked] if asked else [])).dialogue_days == ([TODAY] if counts else [])


def test_a_dialogue_falls_on_the_day_of_the_answer():
    facts = known(
        touched(direction="OUTBOUND", at="2026-06-01T10:00", key="q"), touched(at="2026-06-02T10:00", reply_to="q")
    )
    assert facts.dialogue_days == [date(2026, 6, 2)]


@pytest.mark.parametrize(
    ("kind", "direction", "counts"),
    [
        ("EVENT", "OUTBOUND", True),
        ("EVENT", "INBOUND", True),
        ("SOCIAL", "INBOUND", True),
        ("SOCIAL", "OUTBOUND", False),
        ("REVIEW", "INBOUND", True),
        ("REVIEW", "OUTBOUND", False),
        ("BROWSE", "INBOUND", False),
    ],
)
def test_a_brand_activity_is_an_event_or_inbound_social_or_review(kind, direction, counts):
    assert bool(known(touched(kind, direction)).brand_days) is counts


def test_a_referral_is_a_cocreation_too():
    facts = known(touched("REFERRAL"), touched("CO_CREATION"), touched("NEED", "OUTBOUND"))
    assert (len(facts.cocreation_days), facts.converted_referrals, len(facts.need_days)) == (2, 1, 1)


@pytest.mark.parametrize(("kind", "committed"), [("QUOTE_ACCEPTED", True), ("CONTRACT_SIGNED", True), ("NEED", False)])
def test_an_accepted_quote_or_a_signed_contract_commits(kind, committed):
    assert known(touched(kind)).committed is committed


def test_a_complaint_is_open_until_the_instant_it_is_resolved():
    complaint = touched("COMPLAINT", at="2026-06-10T10:00", resolved_at=NOW)
    assert known(complaint).open_complaints == 0
    assert known(complaint, now=NOW - MICROSECOND).open_complaints == 1
    unresolved = known(touched("COMPLAINT", at="2026-06-11T10:00"), touched("COMPLAINT", at="2026-06-10T10:00"))
    assert (unresolved.open_complaints, unresolved.oldest_open_complaint_day) == (2, date(2026, 6, 10))


def test_the_latest_answer_is_the_latest_by_instant_then_by_id():
    first, second = touched("SURVEY", key="b", nps=3), touched("SURVEY", key="a", nps=9)
    assert known(first, second).nps == 3
    later = touched("SURVEY", key="a", nps=9, at=NOW + MICROSECOND)
    assert known(first, later, now=NOW + MICROSECOND).nps == 9
    silent = touched("SURVEY", key="z", csat=4)
    assert known(first, silent).nps == 3  # one without an nps is no answer to it
    assert known(touched("MESSAGE", nps=9)).nps is None


def test_perceived_value_needs_both_answers_in_one_survey():
    both = touched("SURVEY", at="2026-06-01T10:00", quality=Decimal("1.2"), price=Decimal(1))
    facts = known(both, touched("SURVEY", quality=Decimal(2)), touched("SURVEY", price=Decimal(2)))
    assert (facts.quality, facts.price, facts.perceived_day) == (Decimal("1.2"), Decimal(1), date(2026, 6, 1))


def test_csat_is_the_mean_of_every_answer():
    assert known(*(touched("SURVEY", csat=answer) for answer in (5, 4, 4))).csat_mean == Fraction(13, 3)


# ------------------------------------------------------------------------------------------------ facts: consent


def word(state: str, at: datetime = NOW, key: str = "w", purpose: str = "MARKETING", channel: str = "EMAIL") -> Word:
    return Word(key, purpose, channel, state, at)


@pytest.mark.parametrize(
    ("words", "contactable"),
    [
        ([], False),
        ([word("GRANTED")], True),
        ([word("GRANTED", at=NOW + MICROSECOND)], False),
        ([word("GRANTED", purpose="SERVICE")], False),
        ([word("WITHDRAWN", key="b"), word("GRANTED", key="a")], False),
        ([word("WITHDRAWN", key="a"), word("GRANTED", key="b")], True),
        ([word("WITHDRAWN", key="a"), word("GRANTED", key="b", at=NOW - MICROSECOND)], False),
        ([word("WITHDRAWN", key="b"), word("GRANTED", key="a", channel="SMS")], True),
    ],
)
def test_the_last_word_on_marketing_holds_channel_by_channel(words, contactable):
    assert known(*words).contactable is contactable
    assert known(*words, suppressed=True).contactable is False


# ------------------------------------------------------------------------------------------------ facts as printed


def test_money_is_printed_to_the_exponent_of_its_currency():
    facts = Facts(gross_minor=5, refunded_minor=1205)
    for exponent, net in ((0, "-1200"), (2, "-12.00"), (3, "-1.200")):
        assert printed_facts(facts, exponent)["facts.net.amount"] == net
    assert printed_facts(facts, 2)["facts.gross.amount"] == "0.05"


def test_the_average_order_is_net_by_kept_converted_order_rounded_half_away():
    def average(net: int, orders: int):
        facts = Facts(gross_minor=max(net, 0), refunded_minor=max(-net, 0), converted_kept_orders=orders)
        return printed_facts(facts, 2)["facts.averageOrderValue.amount"]

    assert [average(2001, 2), average(2000, 3), average(-5, 2), average(-7, 3), average(0, 1), average(100, 0)] == [
        "10.01",
        "6.67",
        "-0.03",
        "-0.02",
        "0.00",
        None,
    ]
    whole = bought(gross=10_00, refunds=[Refund(NOW, 10_00)])
    facts = known(whole, bought(gross=6_00), bought(gross=2_00, refunds=[Refund(NOW, 1_00)]), bought(reporting=None))
    assert printed_facts(facts, 2)["facts.averageOrderValue.amount"] == "3.50"


@pytest.mark.parametrize(("mean", "printed"), [(Fraction(13, 3), 4.33), (Fraction(33, 8), 4.13), (Fraction(4), 4.0)])
def test_csat_is_printed_to_two_decimals_half_away(mean, printed):
    assert printed_facts(Facts(csat_mean=mean), 2)["facts.csat"] == printed


def test_instants_are_printed_in_utc_with_six_fraction_digits():
    printed = printed_facts(known(touched(at="2026-06-01T08:00")), 2)
    assert printed["facts.lastTouchpointAt"] == "2026-06-01T00:00:00.000000Z"
    assert printed_facts(known(), 2)["facts.lastTouchpointAt"] is None


def test_inbound_contacts_of_90_days_count_up_to_six():
    def inbound(*days: int):
        touches = (touched(at=NOW - timedelta(days=day)) for day in days)
        return printed_facts(known(*touches, touched(direction="OUTBOUND")), 2)["facts.inboundLast90Days"]

    assert [inbound(), inbound(90), inbound(91), inbound(0, 1, 2, 3, 4, 90), inbound(*range(8))] == [0, 1, 0, 6, 6]


# ------------------------------------------------------------------------------------------------ the generator


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
