"""Which channel brings better customers: by hand, at the handbook's size, and at random against plain Python."""

from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from app.customers.facts import rebuild_all
from app.outreach.tables import Campaign
from app.platform.database import analyze
from tests.campaigns.crowd import DAY, Enrolled, buy, enrol, people, refund, spend, touch
from tests.conftest import NOW
from tests.house import FULL, Shop, house
from tests.oracle.printing import half_away, instant_text, money

QUESTION = """query($from: DateTime!, $to: DateTime!) { channelQuality(from: $from, to: $to) {
  channel customers cost { amount } cac { amount currency } repurchaseRate netPerCustomer { amount } } }"""
SINCE, UNTIL = NOW - 100 * DAY, NOW
CHANNELS = ("EMAIL", "STORE", "WEBSITE")
ACQUIRING = ("ACQUIRE", "CONVERT_PROSPECT", "CLOSE_FIRST_ORDER")

# Customers, cost, CAC, repurchase rate, net per customer.
Row = tuple[int, str, str | None, float | None, str | None]


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


def asked(shop: Shop, since: datetime = SINCE, until: datetime = UNTIL, now: datetime = NOW) -> dict[str, Row]:
    """By channel, in the order in which they are told."""
    rows = shop.ask(QUESTION, now, **{"from": instant_text(since), "to": instant_text(until)})["channelQuality"]
    return {
        row["channel"]: (
            row["customers"],
            row["cost"]["amount"],
            row["cac"] and row["cac"]["amount"],
            row["repurchaseRate"],
            row["netPerCustomer"] and row["netPerCustomer"]["amount"],
        )
        for row in rows
    }


def campaign(work: Any, channel: str, objective: str = "ACQUIRE", cost: int = 0, at: datetime = SINCE) -> Enrolled:
    made = enrol(work, [], [], SINCE - 50 * DAY)
    work.update(Campaign, [{"id": made.key, "channel": channel, "objective": objective}])
    if cost:
        spend(work, made, cost, at)
    return made


# ------------------------------------------------------------------ by hand


def test_a_customer_belongs_to_the_first_touch_up_to_the_first_kept_order(shop: Shop) -> None:
    first = SINCE + DAY
    with shop.working() as work:
        seen, walked_in, regular, changed, late = people(work, 5, SINCE)
        touch(work, [seen], SINCE - 90 * DAY, None, channel="WEBSITE")
        touch(work, [seen], SINCE, None, channel="EMAIL")
        touch(work, [walked_in], first - DAY, None, channel="PHONE", retracted_at=NOW)
        touch(work, [walked_in], first + DAY, None, channel="EMAIL")
        touch(work, [changed], first + DAY, None, channel="EMAIL")
        buy(work, [seen, walked_in], first, 1_000)
        # Was a customer before; only one who gave the first order back, or to whom it was never sold, was none.
        buy(work, [regular], SINCE - DAY, 1_000)
        buy(work, [regular], first, 1_000)
        refund(work, buy(work, [changed], SINCE - DAY, 900), SINCE - DAY, 900)
        buy(work, [changed], SINCE - DAY, 500, voided_at=NOW)
        buy(work, [changed], first + DAY, 3_000)
        buy(work, [late], UNTIL, 1_000)
        rebuild_all(work)
    assert asked(shop) == {
        "EMAIL": (1, "0.00", "0.00", 0.0, "30.00"),
        "STORE": (1, "0.00", "0.00", 0.0, "10.00"),
        "WEBSITE": (1, "0.00", "0.00", 0.0, "10.00"),
    }


def test_what_became_of_them_is_told_by_now(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 3, SINCE)
        buy(work, everyone, SINCE, 1_000)
        # Twice on one day is one occasion.
        buy(work, everyone[:1], SINCE + timedelta(hours=1), 1_000)
        buy(work, everyone[1:2], SINCE + 50 * DAY, 1_000)
        refund(work, buy(work, everyone[2:], SINCE + 60 * DAY, 1_000), SINCE + 70 * DAY, 1_000)
        rebuild_all(work)
    period = SINCE, SINCE + DAY
    assert asked(shop, *period) == {"STORE": (3, "0.00", "0.00", 0.333333, "16.67")}
    assert asked(shop, *period, now=SINCE + 65 * DAY) == {"STORE": (3, "0.00", "0.00", 0.666667, "20.00")}
    assert asked(shop, *period, now=SINCE + 2 * DAY) == {"STORE": (3, "0.00", "0.00", 0.0, "13.33")}


def test_cost_is_what_campaigns_to_win_customers_booked_in_the_period(shop: Shop) -> None:
    with shop.working() as work:
        buy(work, people(work, 3, SINCE), SINCE, 1_000)
        for objective in ACQUIRING:
            campaign(work, "STORE", objective, 15_000)
        campaign(work, "STORE", "WIN_BACK", 70_000)
        campaign(work, "STORE", "ACQUIRE", 70_000, SINCE - timedelta(microseconds=1))
        campaign(work, "STORE", "ACQUIRE", 70_000, UNTIL)
        campaign(work, "SMS", "ACQUIRE", 500)
        campaign(work, "MAIL", "ACQUIRE", 0)
        rebuild_all(work)
    # 450 over 3 is 150: the reference of the handbook. One that only cost has a row, and no rate is infinite.
    assert asked(shop) == {
        "STORE": (3, "450.00", "150.00", 0.0, "10.00"),
        "SMS": (0, "5.00", None, None, None),
    }


def test_what_falls_between_two_cents_goes_away_from_zero(shop: Shop) -> None:
    with shop.working() as work:
        buy(work, people(work, 2, SINCE), SINCE, 0)
        buy(work, people(work, 6, SINCE), SINCE, 5)
        campaign(work, "STORE", cost=4)
        rebuild_all(work)
    # 4 / 8 and 30 / 8 cents.
    assert asked(shop) == {"STORE": (8, "0.04", "0.01", 0.0, "0.04")}


def test_the_repurchase_rate_of_the_handbook(shop: Shop) -> None:
    """CDNOW: of 23,570 customers of one quarter 10,490 had come back by the end of 1997; here a tenth."""
    with shop.working() as work:
        everyone = people(work, 2_357, SINCE)
        buy(work, everyone, SINCE, 1_000)
        buy(work, everyone[:1_049], SINCE + 10 * DAY, 1_000)
    analyze(shop.engine)
    with shop.working() as work:
        rebuild_all(work)
    assert asked(shop) == {"STORE": (2_357, "0.00", "0.00", 0.445057, "14.45")}


def test_the_organisation_next_door_counts_for_nothing(shop: Shop, backend: str) -> None:
    other = house(backend).shop()
    with other.working() as work:
        buy(work, people(work, 2, SINCE), SINCE)
        campaign(work, "STORE", cost=100)
        rebuild_all(work)
    assert asked(shop) == {}


def test_what_cannot_be_asked_is_said(shop: Shop) -> None:
    errors = shop.post(QUESTION, NOW, **{"from": instant_text(UNTIL), "to": instant_text(SINCE)})["errors"]
    assert [error["extensions"]["code"] for error in errors] == ["BAD_USER_INPUT"]


# ------------------------------------------------------------------ at random


def store(shop: Shop, rng: Random) -> tuple[list[Any], list[tuple[str, str, int, datetime]]]:
    """Everyone's touches (instant, channel, live) and orders (instant, gross, back, voided), and what was booked."""

    def some() -> datetime:
        return NOW - timedelta(hours=rng.randint(1, 24 * 200))

    lives = []
    with shop.working() as work:
        for customer in people(work, 25, SINCE):
            touches = sorted((some(), rng.choice(CHANNELS), rng.random() < 0.8) for _ in range(rng.randint(0, 4)))
            orders = sorted(
                (some(), rng.randint(1, 9_999), rng.choice((0, 0, 1, 2)), rng.random() < 0.1)
                for _ in range(rng.randint(0, 4))
            )
            for at, channel, live in touches:
                touch(work, [customer], at, None, channel=channel, retracted_at=None if live else NOW)
            for at, gross, back, voided in orders:
                made = buy(work, [customer], at, gross, channel="APP", voided_at=NOW if voided else None)
                if back and gross // 2 * back:
                    refund(work, made, at, gross if back == 2 else gross // 2)
            lives.append((touches, orders))
        booked = [
            (
                rng.choice((*CHANNELS, "SMS")),
                rng.choice((*ACQUIRING, "WIN_BACK", "CARE")),
                rng.randint(1, 99_999),
                some(),
            )
            for _ in range(12)
        ]
        for channel, objective, cost, at in booked:
            campaign(work, channel, objective, cost, at)
        rebuild_all(work)
    return lives, booked


def expected(shop: Shop, lives: list[Any], booked: list[Any], since: datetime, until: datetime) -> dict[str, Row]:
    found: dict[str, list[int]] = {}
    for touches, orders in lives:
        rest = [(at, gross - (0, gross // 2, gross)[back]) for at, gross, back, voided in orders if not voided]
        kept = [(at, net) for at, net in rest if net > 0]
        if not kept or not since <= kept[0][0] < until:
            continue
        before = [channel for at, channel, live in touches if live and at <= kept[0][0]]
        row = found.setdefault(before[0] if before else "APP", [0, 0, 0, 0])
        row[0] += 1
        row[1] += len({at.astimezone(shop.zone).date() for at, _ in kept}) > 1
        row[2] += sum(net for _, net in rest)
    for channel, objective, cost, at in booked:
        if objective in ACQUIRING and since <= at < until:
            found.setdefault(channel, [0, 0, 0, 0])[3] += cost
    told: dict[str, Row] = {}
    for channel, (count, again, net, cost) in sorted(
        found.items(), key=lambda each: (-each[1][0], -each[1][3], each[0])
    ):
        by_each = [half_away(Fraction(of, count)) if count else None for of in (cost, again * 10**6, net)]
        cac, rate, mean = by_each
        told[channel] = (
            count,
            money(cost, 2),
            None if cac is None else money(cac, 2),
            None if rate is None else rate / 10**6,
            None if mean is None else money(mean, 2),
        )
    return told


@pytest.mark.parametrize("seed", range(20 if FULL else 4))
def test_any_crowd_is_as_plain_python_has_it(backend: str, seed: int) -> None:
    rng = Random(seed)
    shop = house(backend).shop(rng.choice(("UTC", "Asia/Shanghai", "America/St_Johns")))
    lives, booked = store(shop, rng)
    instants = sorted(NOW - timedelta(hours=rng.randint(0, 24 * 200)) for _ in range(6))
    for since, until in [(NOW - 300 * DAY, NOW), *pairwise(instants)]:
        told = asked(shop, since, until)
        wanted = expected(shop, lives, booked, since, until)
        assert (told, list(told)) == (wanted, list(wanted))
