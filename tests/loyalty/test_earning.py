"""Purchases earn by themselves, and what is refunded takes back what it had earned."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.purchases import actions as purchases
from tests.conftest import NOW, Begin
from tests.customers.acting import create
from tests.loyalty.acting import (
    balance,
    buy,
    close,
    customer_of,
    earn,
    entries,
    level,
    lots,
    member,
    posted,
    program,
    redeem,
    refund,
    reserve,
    row,
    transfer,
    void_purchase,
)
from tests.loyalty.conftest import Post
from tests.loyalty.judging import sound
from tests.loyalty.life import DAY, in_days
from tests.purchases import acting as buying

LEVELS = [level("Silver", 1, 100, 50, "1.5"), level("Gold", 2, 200, 100, "2")]


@pytest.mark.parametrize(
    ("currency", "rate", "price", "points"),
    [
        ("EUR", "1", "9.99", 9),
        ("EUR", "1.5", "9.99", 14),
        ("EUR", "0.000001", "999999.99", 0),
        ("EUR", "0.000001", "1000000.00", 1),
        ("JPY", "0.01", "1999", 19),
        ("KWD", "10", "0.999", 9),
        ("EUR", "0", "10.00", 0),
    ],
)
def test_points_are_rounded_down_once_for_each_order(
    begin: Begin, currency: str, rate: str, price: str, points: int
) -> None:
    with begin() as work:
        account = member(work, program(work, currency=currency, earn_rate=Decimal(rate)))
        buy(work, account, price, currency=currency)
        assert balance(work, account) == (points, 0, 0, 0)
        # An entry of nothing is none.
        assert len(entries(work, account)) == bool(points)


def test_lines_are_added_up_before_they_are_rounded(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        buying.buy(work, customer_of(work, account), buying.line("0.60"), buying.line("0.60"))
        assert balance(work, account)[0] == 1


def test_who_is_no_member_in_that_currency_earns_nothing(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        account, other = member(work, programme), create(work)
        buy(work, account, "10.00", currency="USD")
        buying.buy(work, other, buying.line("10.00"))
        buying.buy(work, customer_of(work, account), buying.line("3.00"))
        close(work, account)
        buying.buy(work, customer_of(work, account), buying.line("5.00"))
        assert [entry[3] for entry in posted(work, account)] == [3, 3]
        assert balance(work, member(work, programme, other)) == (0, 0, 0, 0)


def test_each_order_of_a_batch_earns_at_the_level_that_the_one_before_it_reached(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work, levels=LEVELS))
        rows = [buying.said(customer_of(work, account), buying.line(price)) for price in ("100.00", "70.00", "10.00")]
        assert buying.many(work, *rows)["recorded"] == 3
        assert [entry.points for entry in entries(work, account)] == [100, 105, 20]


def test_a_batch_of_which_nothing_is_kept_earns_nothing(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        sound_row = buying.said(customer_of(work, account), buying.line("5.00"))
        broken = {**sound_row, "lines": []}
        buying.many(work, sound_row, broken, on_error="REJECT_ROW")
        assert balance(work, account)[0] == 5


def test_a_purchase_that_is_told_twice_earns_once(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        said = buying.said(
            customer_of(work, account), buying.line("5.00"), external_ref={"system": "pos", "value": "1"}
        )
        outcomes = [purchases.record_purchase(work, said)["outcome"] for _ in range(2)]
        assert outcomes == ["RECORDED", "ALREADY_RECORDED"]
        assert balance(work, account)[0] == 5


def test_what_was_bought_before_counts_from_its_own_day_and_in_its_own_year(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work, activation_days=10, expiry_days=30))
        for days in (5, 20, 41, 200):
            buy(work, account, "10.00", purchased_at=NOW - days * DAY)
        assert balance(work, account) == (10, 10, 0, 0)
        assert [entry.qualifying_year for entry in entries(work, account) if entry.kind == "EARN"] == [2026] * 3 + [
            2025
        ]
        assert {entry.at for entry in entries(work, account)} == {NOW}
        assert [lot.active_day - lot.expires_day for lot in lots(work, account) if lot.expires_day] == [-30] * 4


def test_the_year_is_the_organisations(begin: Begin, new_org: Any) -> None:
    org = new_org(time_zone="Asia/Shanghai")
    new_year = datetime(2026, 12, 31, 16, tzinfo=UTC)
    with begin(org=org, now=new_year + timedelta(hours=1)) as work:
        account = member(work, program(work))
        buy(work, account, "1.00", purchased_at=new_year - timedelta(microseconds=1))
        buy(work, account, "1.00", purchased_at=new_year)
        assert [entry.qualifying_year for entry in entries(work, account)] == [2026, 2027]


def test_a_refund_takes_from_the_orders_own_points_then_from_others_then_as_debt(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        earn(work, account, 7, expires_on=in_days(1))
        order = buy(work, account, "10.00")
        earn(work, account, 5)
        redeem(work, account, 11)
        assert [lot.remaining for lot in lots(work, account)] == [0, 6, 5]
        refund(work, order, "3.00")
        assert [lot.remaining for lot in lots(work, account)] == [0, 3, 5]
        refund(work, order, "5.00")
        assert [lot.remaining for lot in lots(work, account)] == [0, 0, 3]
        earn(work, account, 2, active_on=in_days(3))
        redeem(work, account, 2)
        refund(work, order, "2.00")
        # What is not active yet pays when it is.
        assert balance(work, account) == (0, 2, 0, 1)
        assert posted(work, account)[-2:] == [
            ("CLAW_BACK", "AVAILABLE", "REVERSED", 1), ("CLAW_BACK", "DEBT", "REVERSED", 1),
        ]  # fmt: skip
        sound(work, programme)


def test_what_is_not_active_yet_is_taken_back_as_it_is(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work, activation_days=14))
        order = buy(work, account, "10.00")
        earn(work, account, 10, active_on=NOW.date())
        refund(work, order, "4.99")
        assert balance(work, account) == (10, 6, 0, 0)


def test_what_is_reserved_or_was_given_away_is_owed(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        account, friend = member(work, programme), member(work, programme)
        order = buy(work, account, "20.00")
        reserve(work, account, 5)
        transfer(work, account, friend, 15)
        refund(work, order, "20.00")
        assert balance(work, account) == (0, 0, 5, 20)
        assert balance(work, friend) == (15, 0, 0, 0)
        sound(work, programme)


def test_what_had_expired_is_taken_from_others_or_owed(begin: Begin, post: Post) -> None:
    with begin() as work:
        account = member(work, program(work, expiry_days=10))
        order = buy(work, account, "20.00")
        earn(work, account, 5, expires_on=in_days(100))
    with begin(now=NOW + 10 * DAY) as work:
        refund(work, order, "20.00")
        assert balance(work, account) == (0, 0, 0, 15)


def test_a_refund_counts_against_the_year_of_the_purchase(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work, levels=LEVELS))
        order = buy(work, account, "150.00")
        earn(work, account, 20)
    with begin(now=NOW + 365 * DAY) as work:
        refund(work, order, "75.00")
        said = [(entry.qualifying_year, entry.qualified) for entry in entries(work, account)]
        assert said == [(2026, 150), (2026, 170), (2026, 95)]


def test_who_has_left_owes_nothing_for_a_refund(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        first, second = buy(work, account, "10.00"), buy(work, account, "10.00")
        close(work, account)
        again = member(work, programme, customer_of(work, account))
        buy(work, again, "3.00")
        refund(work, first, "10.00")
        void_purchase(work, second)
        assert (balance(work, account), balance(work, again)) == ((0, 0, 0, 0), (3, 0, 0, 0))
        sound(work, programme)


def test_a_purchase_is_refused_for_no_reason_of_its_points(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work, earn_rate=Decimal(1_000_000)))
        earn(work, account, 2**53 - 5)
        order = buy(work, account, "1000.00")
        assert row(work, account).available == 2**53 - 1
        refund(work, order, "1000.00")
        assert row(work, account).available == 2**53 - 5
