"""Random histories of a programme, lived through on a database and in the plain model beside it: after each step both
say the same, the books hold together, and what was read of a past instant is read of it again."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from app.loyalty.posting import post_due
from app.loyalty.verify import verify
from app.platform import refusals
from app.platform.days import day_of
from app.platform.work import Work
from tests.conftest import NOW
from tests.customers.acting import create
from tests.histories import FULL, Shop, house
from tests.loyalty import acting
from tests.loyalty.judging import sound_account, trial_balance
from tests.loyalty.model import Programme
from tests.loyalty.reading import read_program
from tests.loyalty.rows import Level, Lot, Refused, Terms

# Midnight is at another instant in each, and in Cairo at times not at 00:00.
ZONES = ("UTC", "Africa/Cairo", "Asia/Shanghai", "America/St_Johns")
WALKS, STEPS = (300, 50) if FULL else (6, 30)
LEVELS = (Level(1, "Green", 0, 0), Level(2, "Silver", 40, 30, Fraction(3, 2)), Level(5, "Gold", 90, 70, Fraction(2)))
TERMS = (
    Terms(earn_rate=Fraction(1), levels=LEVELS),
    Terms(earn_rate=Fraction(3, 2), activation_days=3, expiry_days=20, levels=LEVELS, soft_landing=False),
    Terms(earn_rate=Fraction(7, 10), activation_days=1, expiry_days=1, levels=LEVELS[1:], grace_days=0),
)

few = st.integers(1, 12)
points = st.one_of(few, st.integers(1, 60))
which = st.integers(0, 7)
maybe_days = st.one_of(st.none(), st.integers(1, 30))


class Walk(RuleBasedStateMachine):
    """A programme with three customers; names in the model, ids in the database."""

    def __init__(self, shop: Shop, terms: Terms) -> None:
        super().__init__()
        self.shop, self.now, self.terms = shop, NOW, terms
        self.books = Programme(shop.zone, terms)
        self.ids: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        with shop.working(self.now) as work:
            self.program = acting.program(work, **printed(terms))
            self.customers = [create(work) for _ in range(3)]
        self.holders: list[str] = []
        for number in range(3):
            self.open(number)

    # -------------------------------------------------------------------------------------------- time

    @rule(seconds=st.sampled_from([1, 59, 60, 300, 900, 3600, 36_000]))
    def a_while_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(days=st.sampled_from([1, 2, 7, 29, 100, 250]))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(skipped=st.integers(0, 1), off=st.sampled_from([-1, 0, 0, 1]))
    def it_becomes_the_very_instant_at_which_something_falls_due(self, skipped: int, off: int) -> None:
        due = self.books.next_instants(self.now)[skipped:]
        if due and due[0].year < 2040:
            self.now = max(self.now, due[0] + timedelta(microseconds=off))

    @rule()
    def the_year_ends(self) -> None:
        year = self.books.day(self.now).year + 1
        self.now = self.books.midnight(date(year, 1, 1)) if year < 2040 else self.now

    # -------------------------------------------------------------------------------------------- commands

    @rule(account=which, n=points, active=st.integers(-400, 5), kept=maybe_days, later=st.booleans())
    def points_are_earned(self, account: int, n: int, active: int, kept: int | None, later: bool) -> None:
        today = self.books.day(self.now)
        active_on = today + timedelta(days=max(active, -3) if later else active)
        # The programme says when points expire, if nobody else does.
        expires_on = None if kept is None else max(active_on, today) + timedelta(days=kept)
        expiry_days = self.books.terms_at(self.now).expiry_days
        meant = expires_on
        if meant is None and expiry_days is not None:
            meant = active_on + timedelta(days=expiry_days)
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "active_on": active_on}
        self.act("earn", acting.earn, self.id(account), n, active_on, expires_on, **given, expires_on=meant)

    @rule(customer=st.integers(0, 2), cents=st.integers(0, 9000), ago=st.sampled_from([0, 0, 0, 1, 30, 370]))
    def a_purchase_is_recorded(self, customer: int, cents: int, ago: int) -> None:
        order, at = f"order{len(self.books.orders)}", self.now - timedelta(days=ago)
        holder = next(each for each in self.holders if each.startswith(f"c{customer}/") and self.is_open(each))
        given: dict[str, Any] = {
            "account": holder,
            "order": order,
            "gross": Fraction(cents, 100),
            "on": self.books.day(at),
        }
        price = str(Decimal(cents) / 100)
        self.act("buy", lambda work: acting.buy(work, self.ids[holder], price, purchased_at=at), name=order, **given)

    @precondition(lambda self: self.books.orders)
    @rule(order=which, share=st.sampled_from([3, 10, 50, 100]))
    def some_of_an_order_is_refunded(self, order: int, share: int) -> None:
        name = pick(self.books.orders, order)
        left = self.books.orders[name].gross - self.books.orders[name].refunded
        cents = max(1, int(left * share))
        given: dict[str, Any] = {"order": name, "amount": Fraction(cents, 100)}
        self.act("refund", acting.refund, self.ids[name], str(Decimal(cents) / 100), **given)

    @precondition(lambda self: self.books.orders)
    @rule(order=which)
    def an_order_is_voided(self, order: int) -> None:
        name = pick(self.books.orders, order)
        self.act("void_order", acting.void_purchase, self.ids[name], order=name)

    @rule(account=which, n=points)
    def points_are_redeemed(self, account: int, n: int) -> None:
        name = f"redemption{len(self.books.log)}"
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "redemption": name}
        self.act("redeem", acting.redeem, self.id(account), n, name=name, **given)

    @precondition(lambda self: self.books.redemptions)
    @rule(redemption=which, n=points)
    def a_redemption_is_reversed(self, redemption: int, n: int) -> None:
        name = pick(self.books.redemptions, redemption)
        if name in self.ids:
            self.act("reverse", acting.reverse, self.ids[name], n, redemption=name, points=n)

    @rule(account=which, n=points, minutes=st.sampled_from([1, 15, 1440, 20_000]))
    def points_are_reserved(self, account: int, n: int, minutes: int) -> None:
        name = f"reservation{len(self.books.log)}"
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "reservation": name, "minutes": minutes}
        self.act("reserve", acting.reserve, self.id(account), n, minutes, name=name, **given)

    @precondition(lambda self: self.books.reservations)
    @rule(reservation=which, n=points)
    def a_reservation_is_captured(self, reservation: int, n: int) -> None:
        name, redemption = pick(self.books.reservations, reservation), f"redemption{len(self.books.log)}"
        given: dict[str, Any] = {"reservation": name, "points": n, "redemption": redemption}
        self.act("capture", acting.captured, self.ids[name], n, name=redemption, **given)

    @precondition(lambda self: self.books.reservations)
    @rule(reservation=which)
    def a_reservation_is_voided(self, reservation: int) -> None:
        name = pick(self.books.reservations, reservation)
        self.act("void_reservation", acting.void, self.ids[name], reservation=name)

    @rule(account=which, n=st.integers(-40, 40).filter(bool), kept=st.integers(1, 30))
    def points_are_adjusted(self, account: int, n: int, kept: int) -> None:
        expires_on = self.books.day(self.now) + timedelta(days=kept) if n > 0 else None
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "expires_on": expires_on}
        self.act("adjust", acting.adjust, self.id(account), n, expires_on, **given)

    @rule(account=which, to=which, n=points)
    def points_are_transferred(self, account: int, to: int, n: int) -> None:
        if self.holder(account) != self.holder(to):
            given: dict[str, Any] = {"account": self.holder(account), "to": self.holder(to), "points": n}
            self.act("transfer", acting.transfer, self.id(account), self.id(to), n, **given)

    @rule(account=which)
    def an_account_is_closed(self, account: int) -> None:
        holder = self.holder(account)
        self.act("close", acting.close, self.id(account), account=holder)
        if not any(self.is_open(each) for each in self.holders if each[:3] == holder[:3]):
            self.open(int(holder[1]))

    @rule(place=st.integers(0, 2))
    def the_terms_change(self, place: int) -> None:
        terms = TERMS[place]
        self.act("change_terms", acting.change_terms, self.program, printed(terms), terms=terms)

    @rule()
    def everything_due_is_posted(self) -> None:
        self.books.post_due(self.now)
        post_due(self.shop.engine, self.shop.org, lambda: self.now)
        with self.shop.working(self.now) as work:
            for holder in self.holders:
                self.agrees(work, holder)
            assert trial_balance(work, self.program) == self.books.trial_balance()

    # -------------------------------------------------------------------------------------------- reading

    @rule()
    def what_is_read_now_is_what_the_model_says(self) -> None:
        self.reads(self.now)

    @rule(place=st.integers(0, 1000), off=st.sampled_from([-1, 0, 0, 1]))
    def what_is_read_of_a_past_instant_is_what_was_true_then(self, place: int, off: int) -> None:
        known = sorted({entry.at for entry in self.books.entries} | {at for at, *_ in self.books.log})
        self.reads(min(known[place % len(known)] + timedelta(microseconds=off), self.now))

    def reads(self, t: datetime) -> None:
        then = self.books.as_of(t)
        members = {self.ids[holder]: then.member(holder, t) for holder in self.holders if holder in then.opened}
        wanted = {"trialBalance": then.trial_balance(), "members": members}
        assert read_program(self.shop, self.program, self.now, t, set(members)) == wanted

    # -------------------------------------------------------------------------------------------- both at once

    def open(self, customer: int) -> None:
        holder = f"c{customer}/{len(self.holders)}"
        self.holders.append(holder)
        self.act("open", acting.member, self.program, self.customers[customer], name=holder, account=holder)

    def act(self, command: str, do: Callable[..., Any], *given: Any, name: str | None = None, **known: Any) -> None:
        """The command in the model and on the database: done by both, or refused by both for the same reason."""
        self.agreed = False
        self.books.post_due(self.now)
        wanted = said = None
        try:
            self.books.do(self.now, command, **known)
        except Refused as refused:
            wanted = (refused.code, refused.needed, refused.available)
        try:
            with self.shop.working(self.now) as work:
                answer = do(work, *given)
                self.ids |= {name: answer} if name else {}
        except refusals.Refused as refused:
            problem, *_ = refused.problems
            said = (problem.code.value, problem.needed, problem.available)
        assert said == wanted, (command, known)
        if wanted is None:
            with self.shop.working(self.now) as work:
                for holder in self.touched(known):
                    self.agrees(work, holder)
        self.agreed = True

    def touched(self, known: dict[str, Any]) -> Iterable[str]:
        for name in ("account", "to"):
            if name in known:
                yield known[name]
        for name in ("order", "redemption", "reservation"):
            if name in known and "account" not in known:
                yield getattr(self.books, f"{name}s")[known[name]].account

    def agrees(self, work: Work, holder: str) -> None:
        """Row, entries and lots are the model's."""
        account, books = self.ids[holder], self.books
        row = acting.row(work, account)
        stored = {name: getattr(row, name) for name in ("available", "pending", "reserved", "debt")}
        assert stored | {"lifetimeEarned": row.issued} == books.balance(holder)
        # Books to which nothing was added since are as sound as they were.
        if self.seen.get(holder) != row.entries:
            sound_account(work, account)
            assert posted(acting.entries(work, account)) == modelled(books, holder)
            assert stored_lots(work, account) == sorted(map(repr, map(plain, books.lots_of(holder))))
            self.seen[holder] = row.entries

    def holder(self, place: int) -> str:
        """Now and then one whose account is closed."""
        return self.holders[-1 - place % min(4, len(self.holders))]

    def id(self, place: int) -> str:
        return self.ids[self.holder(place)]

    def is_open(self, holder: str) -> bool:
        return holder not in self.books.closed

    def teardown(self) -> None:
        if not self.agreed:
            return
        self.everything_due_is_posted()
        with self.shop.working(self.now) as work:
            assert not verify(work)


def stored_lots(work: Work, account: str) -> list[str]:
    found = []
    for lot in acting.lots(work, account):
        expires_on = None if lot.expires_day is None else day_of(lot.expires_day)
        parts = lot.pending, lot.remaining, lot.reserved
        found.append((lot.points, day_of(lot.active_day), expires_on, *parts))
    return sorted(map(repr, found))


def plain(lot: Lot) -> Any:
    return lot.points, lot.active_on, lot.expires_on, lot.pending, lot.available, lot.reserved


def printed(terms: Terms) -> dict[str, Any]:
    return {
        "earn_rate": decimal(terms.earn_rate),
        "activation_days": terms.activation_days,
        "expiry_days": terms.expiry_days,
        "level_grace_days": terms.grace_days,
        "soft_landing": terms.soft_landing,
        "levels": [
            acting.level(each.name, each.rank, each.qualify, each.retain, str(decimal(each.multiplier)))
            for each in terms.levels
        ],
    }


def decimal(share: Fraction) -> Decimal:
    return Decimal(share.numerator) / share.denominator


def pick(named: dict[str, Any], place: int) -> str:
    """Rather a late one."""
    return list(named)[-1 - place % len(named)]


def posted(entries: list[Any]) -> Counter[Any]:
    """Points by instant, kind, debit and credit: how many entries they are in is nobody's concern."""
    found: Counter[Any] = Counter()
    for entry in entries:
        moved = ("elsewhere", "AVAILABLE") if entry.incoming else ("AVAILABLE", "elsewhere")
        debit, credit = moved if entry.kind == "TRANSFER" else (entry.debit, entry.credit)
        found[entry.at, entry.kind, debit, credit, entry.qualifying_year] += entry.points
    return found


def modelled(books: Programme, holder: str) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for entry in books.entries:
        if entry.account == holder:
            found[entry.at, entry.kind, entry.debit, entry.credit, entry.qualifying_year] += entry.points
    return found


@pytest.mark.parametrize(("zone", "place"), list(zip(ZONES, (0, 1, 2, 1), strict=True)))
def test_every_history_goes_in_the_books_as_in_the_model(backend: str, zone: str, place: int) -> None:
    shop = house(backend).shop(zone)
    run_state_machine_as_test(
        lambda: Walk(shop, TERMS[place]),  # type: ignore[arg-type] # a factory will do
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
