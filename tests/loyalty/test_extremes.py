"""Clocks that differ, numbers that are large, histories that are long, programmes that meet."""

from decimal import Decimal

from app.customers.actions import archive_customer
from app.loyalty.tables import PointsReservation
from app.loyalty.verify import verify
from app.platform.database import instant_text
from tests.api.acting import Shop, by
from tests.conftest import NOW, Begin
from tests.customers.acting import create
from tests.loyalty.acting import (
    balance,
    buy,
    capture,
    codes,
    customer_of,
    earn,
    entries,
    member,
    program,
    redeem,
    refund,
    reserve,
    row,
    transfer,
    void,
    void_purchase,
)
from tests.loyalty.conftest import Post
from tests.loyalty.judging import sound
from tests.loyalty.life import DAY, MINUTE, in_days
from tests.loyalty.sending import done, new_member, new_program


def test_a_clock_that_is_behind_posts_no_earlier_than_what_is_there(begin: Begin) -> None:
    with begin(now=NOW + MINUTE) as work:
        account = member(work, program(work))
        earn(work, account, 10)
    with begin(now=NOW) as work:
        redeem(work, account, 1)
        assert [entry.at for entry in entries(work, account)] == [NOW + MINUTE] * 2


def test_points_far_past_32_bits_are_counted_to_the_unit(begin: Begin, post: Post) -> None:
    most = 2**53 - 1
    with begin() as work:
        programme = program(work)
        account, other = member(work, programme), member(work, programme)
        earn(work, account, most - 1)
        assert codes(earn, work, account, 2) == ["OUT_OF_RANGE"]
        earn(work, account, 1)
        redeem(work, account, 2**40 + 1)
        transfer(work, account, other, 2**41 + 3)
        held = reserve(work, account, most - 2**40 - 1 - 2**41 - 3)
        assert balance(work, account) == (0, 0, most - 2**40 - 2**41 - 4, 0)
        capture(work, held, most - 2**42)
        assert balance(work, account) == (2**42 - 2**40 - 2**41 - 4, 0, 0, 0)
        sound(work, programme)
        assert verify(work) == {}


def test_an_account_with_many_entries_is_as_sound_as_any(begin: Begin, post: Post) -> None:
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        for n in range(150):
            earn(work, account, 3, expires_on=in_days(1 + n % 40))
        for _ in range(50):
            redeem(work, account, 5)
        redeem(work, account, 190)
        assert balance(work, account) == (10, 0, 0, 0)
    post(NOW + 50 * DAY)
    with begin() as work:
        assert balance(work, account) == (0, 0, 0, 0)
        sound(work, programme)
        assert verify(work) == {}


def test_held_points_can_be_captured_after_their_last_day(begin: Begin) -> None:
    """Holding took them in time; what is not captured is gone."""
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        earn(work, account, 40, expires_on=in_days(1))
        held = reserve(work, account, 40, minutes=3 * 24 * 60)
    with begin(now=NOW + 2 * DAY) as work:
        capture(work, held, 10)
        stored = row(work, account)
        assert (stored.redeemed, stored.expired, *balance(work, account)) == (10, 30, 0, 0, 0, 0)
        assert verify(work) == {}


def test_an_account_goes_on_when_its_customer_is_archived(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        archive_customer(work, {"customer": {"id": customer_of(work, account)}, "reason": None})
        earn(work, account, 10)
        redeem(work, account, 4)
        assert balance(work, account) == (6, 0, 0, 0)


def test_a_purchase_earns_in_each_programme_of_its_currency(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        stars, coins, yen = program(work), program(work, earn_rate=Decimal(2)), program(work, currency="JPY")
        held = [member(work, each, customer) for each in (stars, coins, yen)]
        order = buy(work, held[0], "9.99")
        assert [row(work, each).available for each in held] == [9, 19, 0]
        refund(work, order, "5.00")
        assert [row(work, each).available for each in held] == [5, 10, 0]
        void_purchase(work, order)
        assert [row(work, each).available for each in held] == [0, 0, 0]
        assert codes(void_purchase, work, order) == ["WRONG_STATE"]


def test_an_open_reservation_is_the_only_row_that_is_closed(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        earn(work, account, 10)
        held = reserve(work, account, 5)
        void(work, held)
        [found] = work.session.query(PointsReservation).where(PointsReservation.org_id == work.org.id).all()
        assert (found.closed_as, found.captured, found.closed_at) == ("VOIDED", 0, NOW)


async def test_a_transfer_between_clocks_that_differ_is_in_both_books_at_one_instant(shop: Shop) -> None:
    """The trial balance is zero at any instant: also between the clock of one server and that of another."""
    program = await new_program(shop)
    one, two = await new_member(shop, program, points=10), await new_member(shop, program)
    said = {"account": by(two), "points": 5, "reason": "Review"}
    await done(shop, "pointsEarn", said, NOW + MINUTE)
    await done(shop, "pointsTransfer", {"from": by(one), "to": by(two), "points": 3}, NOW)
    asked = "query($asOf: DateTime) { loyaltyPrograms { trialBalance(asOf: $asOf) { points } } }"
    for seconds in (-1, 0, 30, 60, 61):
        as_of = instant_text(NOW + seconds * MINUTE / 60)
        [read] = (await shop.ask(asked, NOW + 2 * MINUTE, asOf=as_of))["loyaltyPrograms"]
        assert sum(each["points"] for each in read["trialBalance"]) == 0, seconds
