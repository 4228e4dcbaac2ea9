"""The fourteen promises of the books (domain.md 4.2), each on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DatabaseError

from app.loyalty.tables import LoyaltyAccount, PointsEntry, PointsLotMove
from app.loyalty.verify import verify
from app.platform.access import Org
from app.platform.database import connect
from app.platform.ids import key_of
from app.platform.work import operator
from app.platform.work import work as unit_of
from tests.conftest import NOW, Begin
from tests.customers.test_races import at_once
from tests.loyalty.acting import (
    adjust,
    balance,
    buy,
    capture,
    captured,
    codes,
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
    reverse,
    row,
    transfer,
    void,
    void_purchase,
)
from tests.loyalty.conftest import Post
from tests.loyalty.judging import BALANCES, fold, sound, trial_balance
from tests.loyalty.life import DAY, MINUTE, everything_happens, in_days


def test_l1_all_accounts_sum_to_zero_after_every_command(begin: Begin, post: Post) -> None:
    programme, [ana, bo] = everything_happens(begin, post)
    with begin() as work:
        kinds = {entry.kind for account in (ana, bo) for entry in entries(work, account)}
        assert kinds == {
            "EARN", "ACTIVATE", "REDEEM", "REVERSE_REDEMPTION", "RESERVE", "CAPTURE", "VOID", "EXPIRE", "CLAW_BACK",
            "SETTLE_DEBT", "ADJUST", "TRANSFER", "FORFEIT",
        }  # fmt: skip
        assert sum(trial_balance(work, programme).values()) == 0
        assert verify(work) == {}


def test_l2_every_balance_is_the_fold_of_its_entries_and_any_past_one_can_be_rebuilt(begin: Begin, post: Post) -> None:
    with begin() as work:
        account = member(work, program(work))
    seen = []
    for n in range(8):
        now = NOW + n * DAY
        with begin(now=now) as work:
            earn(work, account, 10 + n, expires_on=in_days(n + 3))
            redeem(work, account, 3 * n + 1)
            stored = row(work, account)
            seen.append((now, {name: getattr(stored, name) for name in BALANCES}))
    with begin() as work:
        for now, then in seen:
            balances = dict.fromkeys(BALANCES, 0)
            for entry in entries(work, account):
                if entry.at <= now:
                    fold(balances, entry)
            assert balances == then


@pytest.mark.parametrize("name", ["available", "pending", "reserved", "debt", "issued", "redeemed", "expired"])
def test_l3_no_balance_can_be_below_zero_whoever_writes_it(begin: Begin, name: str) -> None:
    with begin() as work:
        account = member(work, program(work))
    column = getattr(LoyaltyAccount, name)
    # So that it still sums to zero, and no other check is in the way.
    other = LoyaltyAccount.adjusted
    sign = 1 if name in ("available", "pending", "reserved", "redeemed", "expired") else -1
    change = update(LoyaltyAccount).where(LoyaltyAccount.id == key_of(account, "acc"))
    with pytest.raises(DatabaseError), begin() as work:
        work.session.execute(change.where(LoyaltyAccount.org_id == work.org.id).values({column: -1, other: -sign}))


def test_l4_what_is_available_is_what_is_left_in_active_lots(begin: Begin, post: Post) -> None:
    with begin() as work:
        account = member(work, program(work))
        earn(work, account, 10, active_on=in_days(2))
        earn(work, account, 20, expires_on=in_days(1))
        earn(work, account, 30)
        assert balance(work, account) == (50, 10, 0, 0)
        redeem(work, account, 25)
        reserve(work, account, 5)
        assert [(lot.pending, lot.remaining, lot.reserved) for lot in lots(work, account)] == [
            (10, 0, 0), (0, 0, 0), (0, 20, 5),
        ]  # fmt: skip
    post(NOW + 2 * DAY)
    with begin() as work:
        assert balance(work, account) == (35, 0, 0, 0)


def owing(begin: Begin) -> tuple[str, str]:
    """A member who owes 40, and the programme."""
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        order = buy(work, account, "40.00")
        redeem(work, account, 40)
        refund(work, order, "40.00")
        assert balance(work, account) == (0, 0, 0, 40)
    return account, programme


def test_l5_nobody_owes_while_there_is_something_to_pay_with(begin: Begin, post: Post) -> None:
    account, programme = owing(begin)
    with begin() as work:
        earn(work, account, 15, active_on=in_days(1))
        assert balance(work, account) == (0, 15, 0, 40)
        earn(work, account, 5)
        assert balance(work, account) == (0, 15, 0, 35)
        other = member(work, programme)
        earn(work, other, 10)
        transfer(work, other, account, 8)
        assert balance(work, account) == (0, 15, 0, 27)
        adjust(work, account, 2)
        assert balance(work, account) == (0, 15, 0, 25)
        [spent] = [entry for entry in entries(work, account) if entry.kind == "REDEEM"]
        reverse(work, f"red_{spent.source_id.hex}", 4)  # type: ignore[union-attr]
        assert balance(work, account) == (0, 15, 0, 21)
        buy(work, account, "1.00")
        assert balance(work, account) == (0, 15, 0, 20)
    post(NOW + DAY)
    with begin(now=NOW + DAY) as work:
        assert balance(work, account) == (0, 0, 0, 5)
        earn(work, account, 12)
        assert balance(work, account) == (7, 0, 0, 0)
        sound(work, programme)


@pytest.mark.parametrize("way", ["voided", "captured in part", "timed out"])
def test_l5_what_comes_back_from_a_reservation_pays_what_is_owed(begin: Begin, post: Post, way: str) -> None:
    """The first draft of the reference ledger left the debt."""
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        order = buy(work, account, "30.00")
        held = reserve(work, account, 25)
        refund(work, order, "30.00")
        assert balance(work, account) == (0, 0, 25, 25)
    if way == "timed out":
        post(NOW + 15 * MINUTE)
    with begin(now=NOW + 14 * MINUTE) as work:
        if way == "voided":
            void(work, held)
        elif way == "captured in part":
            capture(work, held, 10)
        left = 10 if way == "captured in part" else 0
        assert balance(work, account) == (0, 0, 0, left)
        assert posted(work, account)[-1] == ("SETTLE_DEBT", "AVAILABLE", "DEBT", 25 - left)
        sound(work, programme)


def test_an_emptied_lot_is_activated_by_nobody(begin: Begin, post: Post) -> None:
    """The first draft of the reference ledger posted an entry of nothing."""
    with begin() as work:
        account = member(work, program(work, activation_days=3, expiry_days=5))
        refund(work, buy(work, account, "30.00"), "30.00")
        assert balance(work, account) == (0, 0, 0, 0)
    post(NOW + 4 * DAY)
    post(NOW + 9 * DAY)
    with begin() as work:
        assert posted(work, account) == [
            ("EARN", "ISSUED", "PENDING", 30), ("CLAW_BACK", "PENDING", "REVERSED", 30),
        ]  # fmt: skip


# L6 is kept by the API: test_races.py and test_refusals.py.


def test_l7_points_are_spent_from_their_day_on_and_until_the_day_before_they_expire(begin: Begin) -> None:
    midnight = NOW.replace(hour=0)
    instant = timedelta(microseconds=1)
    with begin() as work:
        account = member(work, program(work))
        earn(work, account, 10, active_on=in_days(2), expires_on=in_days(4))
    with begin(now=midnight + 2 * DAY - instant) as work:
        assert codes(redeem, work, account, 1) == ["INSUFFICIENT_POINTS"]
    for now in (midnight + 2 * DAY, midnight + 4 * DAY - instant):
        with begin(now=now) as work:
            redeem(work, account, 1)
    with begin(now=midnight + 4 * DAY) as work:
        assert codes(redeem, work, account, 1) == ["INSUFFICIENT_POINTS"]
        assert codes(reserve, work, account, 1) == ["INSUFFICIENT_POINTS"]
        assert codes(adjust, work, account, -1) == ["INSUFFICIENT_POINTS"]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/St_Johns", "Africa/Cairo"])
def test_l7_a_day_is_the_organisations(begin: Begin, new_org: Any, zone: str) -> None:
    org = new_org(time_zone=zone)
    midnight = NOW.astimezone(org.zone).replace(hour=0, minute=0) + DAY
    with begin(org=org) as work:
        account = member(work, program(work))
        earn(work, account, 10, expires_on=in_days(1))
    with begin(org=org, now=midnight - timedelta(microseconds=1)) as work:
        redeem(work, account, 1)
    with begin(org=org, now=midnight) as work:
        assert codes(redeem, work, account, 1) == ["INSUFFICIENT_POINTS"]


def test_l7_soonest_expiry_is_spent_first_then_the_oldest(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
    for minute, days in enumerate([30, None, 10, 30]):
        with begin(now=NOW + minute * MINUTE) as work:
            earn(work, account, 10, expires_on=None if days is None else in_days(days))
    left = []
    with begin(now=NOW + 5 * MINUTE) as work:
        for n in (7, 8, 15, 5):
            redeem(work, account, n)
            left.append([lot.remaining for lot in lots(work, account)])
    assert left == [[10, 10, 3, 10], [5, 10, 0, 10], [0, 10, 0, 0], [0, 5, 0, 0]]


def test_l7_what_was_given_away_keeps_its_days_and_its_age(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        ana, bo = member(work, programme), member(work, programme)
        earn(work, ana, 10, expires_on=in_days(9))
    with begin(now=NOW + MINUTE) as work:
        earn(work, bo, 10, expires_on=in_days(9))
        transfer(work, ana, bo, 6)
        redeem(work, bo, 7)
        assert [(lot.remaining, lot.earned_at) for lot in lots(work, bo)] == [(9, NOW + MINUTE), (0, NOW)]
    with begin(now=NOW + 9 * DAY) as work:
        assert codes(redeem, work, bo, 1) == ["INSUFFICIENT_POINTS"]


def test_l8_no_more_is_clawed_back_than_was_earned(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        order = buy(work, account, "10.00")
        for _ in range(3):
            refund(work, order, "3.00")
        void_purchase(work, order)
        clawed = [entry.points for entry in entries(work, account) if entry.kind == "CLAW_BACK"]
        assert sum(clawed) == 10
        sound(work, programme)


def test_l8_no_more_is_given_back_than_was_redeemed_last_taken_first(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        for days in (1, 2, 3):
            earn(work, account, 10, expires_on=in_days(days))
        spent = redeem(work, account, 25)
        reverse(work, spent, 7)
        assert [lot.remaining for lot in lots(work, account)] == [0, 2, 10]
        reverse(work, spent, 9)
        assert [lot.remaining for lot in lots(work, account)] == [1, 10, 10]
        assert codes(reverse, work, spent, 10) == ["EXCEEDS_REDEMPTION"]
        reverse(work, spent, 9)
        assert codes(reverse, work, spent, 1) == ["EXCEEDS_REDEMPTION"]


def test_l8_what_is_given_back_after_its_day_expires_at_once(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        earn(work, account, 10, expires_on=in_days(1))
        earn(work, account, 10)
        spent = redeem(work, account, 15)
    with begin(now=NOW + DAY) as work:
        reverse(work, spent, 12)
        assert balance(work, account) == (10, 0, 0, 0)
        assert posted(work, account)[-2:] == [
            ("REVERSE_REDEMPTION", "REDEEMED", "AVAILABLE", 12), ("EXPIRE", "AVAILABLE", "EXPIRED", 7),
        ]  # fmt: skip


def test_l9_a_reservation_is_resolved_once(begin: Begin, post: Post) -> None:
    with begin() as work:
        programme = program(work)
        account = member(work, programme)
        earn(work, account, 40)
        first, second, third = (reserve(work, account, 10) for _ in range(3))
        capture(work, first, 4)
        void(work, second)
        for held in (first, second):
            assert codes(capture, work, held, 1) == codes(void, work, held) == ["RESERVATION_CLOSED"]
        assert balance(work, account) == (26, 0, 10, 0)
    with begin(now=NOW + 15 * MINUTE) as work:
        assert codes(capture, work, third, 1) == codes(void, work, third) == ["RESERVATION_CLOSED"]
    post(NOW + 15 * MINUTE)
    post(NOW + 16 * MINUTE)
    with begin(now=NOW + 15 * MINUTE) as work:
        assert codes(capture, work, third, 1) == codes(void, work, third) == ["RESERVATION_CLOSED"]
        assert balance(work, account) == (36, 0, 0, 0)
        sound(work, programme)


def test_l9_a_capture_makes_a_redemption_that_can_be_reversed(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        earn(work, account, 40)
        spent = captured(work, reserve(work, account, 30), 20)
        assert codes(reverse, work, spent, 21) == ["EXCEEDS_REDEMPTION"]
        reverse(work, spent, 20)
        assert balance(work, account) == (40, 0, 0, 0)


@pytest.mark.parametrize("table", [PointsEntry, PointsLotMove])
def test_l10_what_is_posted_is_never_changed_nor_taken_out(
    begin: Begin, post: Post, database_url: str, org: Org, table: Any
) -> None:
    everything_happens(begin, post)
    server = connect(database_url, serving=True)
    for change in (update(table).values(at=NOW), delete(table)):
        with pytest.raises(DatabaseError), unit_of(server, operator(org), NOW) as serving:
            serving.session.execute(change.where(table.org_id == org.id))
    server.dispose()
    with begin() as work:
        assert verify(work) == {}


def test_l10_no_command_changes_what_was_posted_before(begin: Begin, post: Post) -> None:
    _, [ana, _] = everything_happens(begin, post)

    def printed() -> list[str]:
        with begin() as work:
            tables = "points_entries", "points_lot_moves"
            asked = [text(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in tables]
            return [repr(found) for one in asked for found in work.session.execute(one)]

    before = printed()
    with begin(now=NOW + 30 * DAY) as work:
        earn(work, ana, 1000)
        redeem(work, ana, 3)
    assert set(before) < set(printed())


def test_l12_what_was_issued_is_somewhere(begin: Begin, post: Post) -> None:
    programme, _ = everything_happens(begin, post)
    with begin() as work:
        of = trial_balance(work, programme)
        outstanding = of["AVAILABLE"] + of["PENDING"] + of["RESERVED"] + of["DEBT"]
        assert -of["ISSUED"] == of["REDEEMED"] + of["EXPIRED"] + of["REVERSED"] + outstanding + of["ADJUSTMENTS"]


def test_l12_a_transfer_lets_go_of_a_lapsed_hold_once_though_its_points_expired_since(begin: Begin) -> None:
    with begin() as work:
        programme = program(work)
        ana, bo = member(work, programme), member(work, programme)
        earn(work, ana, 10, None, in_days(3))
        earn(work, bo, 10)
        reserve(work, ana, 2, 1)
    with begin(NOW + 30 * DAY) as work:
        transfer(work, bo, ana, 4)
        assert (balance(work, ana), balance(work, bo)) == ((4, 0, 0, 0), (6, 0, 0, 0))
        assert row(work, ana).expired == 10
        assert not verify(work)


def test_l13_of_two_who_spend_what_is_enough_for_one_one_does(begin: Begin) -> None:
    with begin() as work:
        account = member(work, program(work))
        earn(work, account, 10)

    def act() -> str:
        with begin() as work:
            return redeem(work, account, 6)

    answers = at_once(act, act)
    assert sorted(isinstance(answer, str) for answer in answers) == [False, True]
    with begin() as work:
        assert balance(work, account) == (4, 0, 0, 0)


@pytest.mark.parametrize("parts", [["3.33", "3.33", "3.34"], ["0.01"] * 9 + ["9.91"], ["9.99", "0.01"]])
def test_l14_a_refund_in_parts_takes_what_one_refund_takes(begin: Begin, parts: list[str]) -> None:
    with begin() as work:
        programme = program(work, levels=[level("All", 1, 0, 0, "1.7")])
        account, other = member(work, programme), member(work, programme)
        one, two = buy(work, account, "19.99"), buy(work, other, "19.99")
        for part in parts:
            refund(work, one, part)
        refund(work, two, "10.00")
        clawed = [sum(e.points for e in entries(work, each) if e.kind == "CLAW_BACK") for each in (account, other)]
        assert clawed[0] == clawed[1] == 33 * 1000 // 1999
