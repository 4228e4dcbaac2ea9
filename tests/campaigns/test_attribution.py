"""What touches are credited with: the handbook's numbers, and any life held against plain fractions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.campaigns.attribution import DECAYED, FEWER_BITS, MANY
from app.platform.days import local_day
from app.platform.ids import new_id
from app.platform.text import LARGEST
from app.platform.work import Work
from tests.campaigns.crowd import DAY, Enrolled, buy, enrol, people, refund, touch
from tests.conftest import BACKENDS, NOW
from tests.house import FULL, Shop, house
from tests.oracle.printing import instant_text, money

QUESTION = """query($by: AttributionKey!, $model: AttributionModel!, $from: DateTime!, $to: DateTime!, $days: Int) {
  attribution(by: $by, model: $model, from: $from, to: $to, lookBackDays: $days) {
    channel campaign { id } conversions revenue { amount currency } } }"""
MODELS = ("FIRST", "LAST", "LINEAR", "POSITION", "TIME_DECAY")
SINCE, UNTIL = NOW - 400 * DAY, NOW + 400 * DAY


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


def asked(
    shop: Shop, model: str, *, by: str = "CHANNEL", since: datetime = SINCE, until: datetime = UNTIL, days: int = 30,
    now: datetime = NOW,
) -> list[tuple[str | None, str, float]]:  # fmt: skip
    """Channel or campaign, revenue and conversions of each row."""
    given = {"by": by, "model": model, "from": instant_text(since), "to": instant_text(until), "days": days}
    rows = shop.ask(QUESTION, now, **given)["attribution"]
    assert all(row["revenue"]["currency"] == shop.org.currency for row in rows)
    other = "campaign" if by == "CHANNEL" else "channel"
    assert all(row[other] is None for row in rows)
    named = [row["channel"] if by == "CHANNEL" else row["campaign"] and row["campaign"]["id"] for row in rows]
    return [(name, row["revenue"]["amount"], row["conversions"]) for name, row in zip(named, rows, strict=True)]


def credited(shop: Shop, model: str, **given: Any) -> dict[str | None, str]:
    return {name: revenue for name, revenue, _ in asked(shop, model, **given)}


# ------------------------------------------------------------------ the numbers


@pytest.fixture
def referred(shop: Shop) -> Shop:
    """120.00 over search -14 d, e-mail -7 d, store -2 d."""
    with shop.working() as work:
        someone = people(work, 1, SINCE)
        for days, channel in ((14, "WEBSITE"), (7, "EMAIL"), (2, "STORE")):
            touch(work, someone, NOW - (days + 1) * DAY, None, channel=channel)
        buy(work, someone, NOW - DAY, 12_000)
    return shop


@pytest.mark.parametrize(
    ("model", "search", "email", "store"),
    [
        ("FIRST", "120.00", "0.00", "0.00"),
        ("LAST", "0.00", "0.00", "120.00"),
        ("LINEAR", "40.00", "40.00", "40.00"),
        ("POSITION", "48.00", "24.00", "48.00"),
        ("TIME_DECAY", "19.10", "38.21", "62.69"),
    ],
)
def test_the_reference_numbers(referred: Shop, model: str, search: str, email: str, store: str) -> None:
    shares = {"WEBSITE": search, "EMAIL": email, "STORE": store}
    assert credited(referred, model) == {channel: share for channel, share in shares.items() if share != "0.00"}


def test_conversions_are_shared_alike_and_the_largest_comes_first(referred: Shop) -> None:
    assert asked(referred, "TIME_DECAY") == [
        ("STORE", "62.69", 0.522395),
        ("EMAIL", "38.21", 0.318403),
        ("WEBSITE", "19.10", 0.159202),
    ]
    assert [each[0] for each in asked(referred, "LINEAR")] == ["STORE", "EMAIL", "WEBSITE"]


def test_what_is_left_over_goes_to_the_later_touch(shop: Shop) -> None:
    with shop.working() as work:
        someone = people(work, 1, SINCE)
        for channel in ("WEBSITE", "EMAIL", "STORE"):
            touch(work, someone, NOW - 3 * DAY, None, channel=channel)
        buy(work, someone, NOW - DAY, 200)
    # At one instant the one recorded later is the later one.
    assert asked(shop, "LINEAR") == [
        ("STORE", "0.67", 0.333334),
        ("EMAIL", "0.67", 0.333333),
        ("WEBSITE", "0.66", 0.333333),
    ]


def test_the_weights_of_days_are_powers_of_a_half() -> None:
    with localcontext(prec=40):
        assert tuple(round(2**36 * Decimal(2) ** (Decimal(-day) / 7)) for day in range(7)) == DECAYED


def test_time_decay_is_exact_to_the_cent_of_ten_million(shop: Shop) -> None:
    days = {"WEBSITE": 9, "EMAIL": 5, "STORE": 0, "SMS": 3}
    with shop.working() as work:
        someone = people(work, 1, SINCE)
        for channel, ago in days.items():
            touch(work, someone, NOW - (1 + ago) * DAY, None, channel=channel)
        buy(work, someone, NOW - DAY, 999_999_989)
    with localcontext(prec=60):
        weighed = [
            Fraction(Decimal(2) ** (Decimal(-ago) / 7)) for _, ago in sorted(days.items(), key=lambda each: -each[1])
        ]
    named = sorted(days, key=lambda channel: -days[channel])
    wanted = {name: money(part, 2) for name, part in zip(named, parts(999_999_989, weighed), strict=True)}
    assert credited(shop, "TIME_DECAY") == wanted


@pytest.mark.parametrize("model", MODELS)
def test_very_many_touches_share_the_largest_purchase(shop: Shop, model: str) -> None:
    many = 3 * MANY
    with shop.working() as work:
        someone = people(work, 1, SINCE)
        for number in range(many):
            touch(work, someone, NOW - DAY - timedelta(hours=number), None, channel=CHANNELS[number % 4])
        buy(work, someone, NOW - DAY, LARGEST)
    latest_last = [(NOW - DAY - timedelta(hours=number), CHANNELS[number % 4]) for number in reversed(range(many))]
    found = [each for each in latest_last if local_day(each[0], shop.zone) >= local_day(NOW - DAY, shop.zone) - 30]
    shared = parts(LARGEST, weights(model, [local_day(at, shop.zone) for at, _ in found]))
    wanted: dict[str | None, int] = {}
    for (_, channel), part in zip(found, shared, strict=True):
        wanted[channel] = wanted.get(channel, 0) + part
    assert credited(shop, model) == {channel: money(part, 2) for channel, part in wanted.items() if part}


def test_whoever_has_just_come_is_answered_before_the_planner_knows_of_them(shop: Shop) -> None:
    with shop.working() as work:
        everybody = people(work, 6_000, SINCE)
        touch(work, everybody, NOW - 3 * DAY, None)
        buy(work, everybody, NOW - DAY, 100)
    # By an index of all touches it would take 36 million steps.
    assert credited(shop, "LAST") == {"EMAIL": "6000.00"}


# ------------------------------------------------------------------ which touches, which purchases


def test_only_live_touches_of_the_look_back_up_to_the_purchase(shop: Shop) -> None:
    bought = NOW - DAY
    with shop.working() as work:
        someone, other = people(work, 2, SINCE)
        touch(work, [someone], bought - 31 * DAY, None, channel="MAIL")
        touch(work, [someone], bought - 30 * DAY, None, channel="CHAT")
        touch(work, [someone], bought, None, channel="STORE")
        touch(work, [someone], bought + timedelta(microseconds=1), None, channel="APP")
        touch(work, [someone], bought - DAY, None, channel="SMS", retracted_at=NOW)
        touch(work, [other], bought - DAY, None, channel="PHONE")
        buy(work, [someone], bought, 1_000)
    assert credited(shop, "LINEAR") == {"STORE": "5.00", "CHAT": "5.00"}
    assert credited(shop, "LINEAR", days=31) == {"STORE": "3.34", "CHAT": "3.33", "MAIL": "3.33"}
    assert credited(shop, "LINEAR", days=29) == {"STORE": "10.00"}


def test_only_kept_converted_purchases_of_the_period(shop: Shop) -> None:
    at = NOW - 20 * DAY
    with shop.working() as work:
        someone = people(work, 1, SINCE)
        touch(work, someone, at - DAY, None)
        buy(work, someone, at, 1_000)
        refund(work, buy(work, someone, at, 2_000), at + DAY, 500)
        refund(work, buy(work, someone, at, 4_000), at + 5 * DAY, 4_000)
        buy(work, someone, at, 8_000, voided_at=NOW)
        buy(work, someone, at, 16_000, currency="XXX", gross_reporting=None, refunded_reporting=None)
        buy(work, someone, at + DAY, 32_000)
        # An order of nothing is kept: it is a conversion too.
        buy(work, someone, at, 0)
    day: dict[str, Any] = {"since": at, "until": at + DAY}
    assert asked(shop, "LAST", **day) == [("EMAIL", "25.00", 3.0)]
    assert asked(shop, "LAST", since=at, until=at) == []
    # Two days after the purchases the later refund has not been given, and the earlier one has.
    assert asked(shop, "LAST", **day, now=at + 2 * DAY) == [("EMAIL", "65.00", 4.0)]
    assert asked(shop, "LAST", **day, now=at) == [("EMAIL", "70.00", 4.0)]
    assert asked(shop, "LAST", now=at - DAY) == []


def test_by_campaign_with_what_no_campaign_brought(shop: Shop) -> None:
    with shop.working() as work:
        first, second = people(work, 2, SINCE)
        spring = enrol(work, [first], [], NOW - 50 * DAY)
        care = enrol(work, [second], [], NOW - 50 * DAY)
        touch(work, [first], NOW - 9 * DAY, spring)
        touch(work, [first], NOW - 8 * DAY, care, channel="SMS")
        touch(work, [first], NOW - 7 * DAY, None, channel="STORE")
        buy(work, [first], NOW - 6 * DAY, 1_000)
        buy(work, [second], NOW - 5 * DAY, 700)
    assert asked(shop, "POSITION", by="CAMPAIGN") == [
        (None, "11.00", 1.4),
        (spring.id, "4.00", 0.4),
        (care.id, "2.00", 0.2),
    ]
    assert asked(shop, "LAST") == [
        ("STORE", "10.00", 1.0),
        (None, "7.00", 1.0),
    ]


def test_the_organisation_next_door_counts_for_nothing(referred: Shop, backend: str) -> None:
    assert asked(house(backend).shop(), "LINEAR") == []


@pytest.mark.parametrize(
    "wrong",
    [{"days": 0}, {"days": 367}, {"days": -1}, {"until": SINCE - timedelta(microseconds=1)}],
    ids=lambda wrong: ",".join(wrong),
)
def test_what_cannot_be_asked_is_said(shop: Shop, wrong: Any) -> None:
    period = {"since": SINCE, "until": UNTIL, "days": 30} | wrong
    given = {
        "by": "CHANNEL",
        "model": "LAST",
        "from": instant_text(period["since"]),
        "to": instant_text(period["until"]),
    }
    errors = shop.post(QUESTION, NOW, **given, days=period["days"])["errors"]
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


# ------------------------------------------------------------------ any life, in plain Python

CHANNELS = ("EMAIL", "STORE", "WEBSITE", "SMS")
ZONES = ("UTC", "Asia/Shanghai", "America/St_Johns")


@dataclass
class Contact:
    at: datetime
    channel: str
    campaign: int | None
    retracted: bool
    id: UUID = field(default_factory=new_id)


@dataclass
class Order:
    at: datetime
    gross: int
    refunded: int
    refunded_at: datetime
    voided: bool
    converted: bool


Life = tuple[list[Contact], list[Order]]

# Hours, so that some meet and many share a day; or anywhere.
instants = st.one_of(
    st.integers(0, 24 * 12).map(lambda hours: NOW - timedelta(hours=hours)),
    st.integers(0, 120 * 86_400 * 10**6).map(lambda micros: NOW - timedelta(microseconds=micros)),
)
amounts = st.one_of(st.integers(0, 300), st.integers(0, 10**7), st.integers(0, LARGEST))
contacts = st.builds(
    Contact, instants, st.sampled_from(CHANNELS), st.sampled_from([None, 0, 1]), st.sampled_from([False, False, True])
)


@st.composite
def orders(draw: Any) -> Order:
    gross = draw(amounts)
    refunded = draw(st.sampled_from([0, 0, gross, gross // 3]))
    at = draw(instants)
    flags = draw(st.sampled_from([(False, True)] * 4 + [(True, True), (False, False)]))
    return Order(at, gross, refunded, at + draw(st.integers(1, 40)) * DAY, *flags)


lives = st.lists(st.tuples(st.lists(contacts, max_size=9), st.lists(orders(), max_size=4)), min_size=1, max_size=4)


def weights(model: str, days: Sequence[int]) -> list[Fraction]:
    """Of touches in the order in which they were, by the days on which they were."""
    count = len(days)
    match model:
        case "FIRST":
            return [Fraction(n == 0) for n in range(count)]
        case "LAST":
            return [Fraction(n == count - 1) for n in range(count)]
        case "LINEAR":
            return [Fraction(1)] * count
        case "POSITION" if count > 2:
            return [Fraction(2, 5), *[Fraction(1, 5) / (count - 2)] * (count - 2), Fraction(2, 5)]
        case "POSITION":
            return [Fraction(1)] * count
        case _:
            fewer = FEWER_BITS if count > MANY else 0
            return [Fraction(DECAYED[age % 7] >> age // 7 + fewer) for age in (days[-1] - day for day in days)]


def parts(amount: int, weighed: Sequence[Fraction]) -> list[int]:
    """Floors, and what is left over to the largest remainders, of equal ones to the later."""
    exact = [amount * weight / sum(weighed) for weight in weighed]
    found = [int(each) for each in exact]
    ranked = sorted(range(len(exact)), key=lambda n: (exact[n] - found[n], n), reverse=True)
    for n in ranked[: amount - sum(found)]:
        found[n] += 1
    assert sum(found) == amount
    assert all(abs(part - each) < 1 for part, each in zip(found, exact, strict=True))
    return found


def expected(
    shop: Shop, told: Sequence[Life], campaigns: Sequence[Enrolled], model: str, by: str, since: datetime,
    until: datetime, days: int, now: datetime,
) -> dict[str | None, tuple[str, float]]:  # fmt: skip
    sums: dict[str | None, list[int]] = {}

    def credit(key: str | None, revenue: int, conversions: int) -> None:
        row = sums.setdefault(key, [0, 0])
        row[0] += revenue
        row[1] += conversions

    for touches, bought in told:
        for order in bought:
            refunded = order.refunded if order.refunded_at <= now else 0
            kept = not order.voided and not (refunded and refunded >= order.gross)
            if not (kept and order.converted and since <= order.at < until and order.at <= now):
                continue
            day = local_day(order.at, shop.zone)
            found = [
                each
                for each in sorted(touches, key=lambda each: (each.at, each.id))
                if not each.retracted and each.at <= order.at and local_day(each.at, shop.zone) >= day - days
            ]
            if not found:
                credit(None, order.gross - refunded, 10**6)
                continue
            weighed = weights(model, [local_day(each.at, shop.zone) for each in found])
            shared = [parts(amount, weighed) for amount in (order.gross - refunded, 10**6)]
            for each, *amount in zip(found, *shared, strict=True):
                of_campaign = None if each.campaign is None else campaigns[each.campaign].id
                credit(each.channel if by == "CHANNEL" else of_campaign, *amount)
    return {key: (money(row[0], 2), row[1] / 10**6) for key, row in sums.items() if any(row)}


def store(work: Work, told: Sequence[Life], campaigns: Sequence[Enrolled]) -> None:
    for customer, (touches, bought) in zip(people(work, len(told), SINCE), told, strict=True):
        for each in touches:
            campaign = None if each.campaign is None else campaigns[each.campaign]
            taken = NOW if each.retracted else None
            touch(work, [customer], each.at, campaign, id=each.id, channel=each.channel, retracted_at=taken)
        for order in bought:
            reporting = {} if order.converted else {"gross_reporting": None, "refunded_reporting": None}
            said = {"voided_at": NOW if order.voided else None, **reporting}
            made = buy(work, [customer], order.at, order.gross, **said)
            if order.refunded and order.converted and not order.voided:
                refund(work, made, order.refunded_at, order.refunded)


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_life_is_credited_as_fractions_have_it(backend: str) -> None:
    @settings(
        max_examples=250 if FULL else 25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        lives,
        st.sampled_from(ZONES),
        st.sampled_from([1, 2, 7, 30, 366]),
        st.tuples(instants, instants).map(sorted),
        st.one_of(st.just(NOW + 50 * DAY), instants),
    )
    def lived(told: list[Life], zone: str, days: int, period: list[datetime], now: datetime) -> None:
        # Beside all those of the examples before.
        shop = house(backend).shop(zone)
        with shop.working() as work:
            campaigns = [enrol(work, [], [], SINCE) for _ in range(2)]
            store(work, told, campaigns)
        for since, until in ((SINCE, UNTIL), period):
            whole: set[int] = set()
            for model in MODELS:
                for by in ("CHANNEL", "CAMPAIGN"):
                    rows = asked(shop, model, by=by, since=since, until=until, days=days, now=now)
                    wanted = expected(shop, told, campaigns, model, by, since, until, days, now)
                    assert {name: tuple(row) for name, *row in rows} == wanted, (model, by)
                    revenues = [int(Decimal(revenue) * 100) for _, revenue, _ in rows]
                    assert revenues == sorted(revenues, reverse=True)
                    whole.add(sum(revenues))
            assert len(whole) == 1

    lived()
