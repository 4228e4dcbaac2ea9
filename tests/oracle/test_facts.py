"""What a history amounts to, by the oracle, up to any instant."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.oracle.facts import Facts, facts_of, printed_facts
from tests.oracle.given import NOW, SHANGHAI, TODAY
from tests.oracle.history import History, Order, Refund, Touch, Word

MICROSECOND = timedelta(microseconds=1)


# ------------------------------------------------------------------------------------------------ orders


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


# ------------------------------------------------------------------------------------------------ touchpoints


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


# ------------------------------------------------------------------------------------------------ consent


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


# ------------------------------------------------------------------------------------------------ as printed


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
