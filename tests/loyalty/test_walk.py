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
from tests.house import FULL, Shop, house
from tests.loyalty import acting
from tests.loyalty.judging import sound_account, trial_balance
from tests.loyalty.model import Programme
from tests.loyalty.reading import read_program
from tests.loyalty.rows import Level, Lot, Refused, Terms

# Midnight is at another instant in each, and in Cairo at times not at 00:00.
ZONES = ("UTC", "Africa/Cairo", "Asia/Shanghai", "America/St_Johns")
WALKS, STEPS = (300, 50) if FULL else (5, 30)
LEVELS = (Level(1, "Green", 0, 0), Level(2, "Silver", 40, 30, Fraction(3, 2)), Level(5, "Gold", 90, 70, Fraction(2)))
TERMS = (
    Terms(earn_rate=Fraction(1), levels=LEVELS),
    Terms(earn_rate=Fraction(3, 2), activation_days=3, expiry_days=20, levels=LEVELS, soft_landing=False),
    Terms(earn_rate=Fraction(7, 10), activation_days=1, expiry_days=1, levels=LEVELS[1:], grace_days=0),
)

points = st.integers(1, 60)
# Of what is there; above 100 it is too much.
shares = st.sampled_from([5, 30, 60, 90, 100, 101])
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
            self.something_to_begin_with(number)

    def something_to_begin_with(self, customer: int) -> None:
        """An order, points that expire soon and points that are not active yet."""
        self.a_purchase_is_recorded(customer=customer, cents=3000 + customer, ago=0)
        for active, kept in ((0, 3), (2, 3)):
            self.points_are_earned(account=0, n=10, active=active, kept=kept, later=False)

    # -------------------------------------------------------------------------------------------- time

    @rule(seconds=st.sampled_from([1, 60, 900, 36_000, *(days * 86_400 for days in (1, 2, 7, 29, 100, 250))]))
    def a_while_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(skipped=st.integers(0, 1), off=st.sampled_from([-1, 0, 0, 1]), year_ends=st.sampled_from([0, 0, 0, 1]))
    def it_becomes_the_very_instant_of_something(self, skipped: int, off: int, year_ends: int) -> None:
        due = self.books.next_instants(self.now)[skipped:]
        if year_ends:
            due = [self.books.midnight(date(self.books.day(self.now).year + 1, 1, 1))]
        if due and due[0].year < 2040:
            self.now = max(self.now, due[0] + timedelta(microseconds=off))

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
    @rule(order=which, share=st.sampled_from([3, 30, 50, 100, 100]), void=st.sampled_from([False, False, True]))
    def some_of_an_order_is_refunded_or_it_is_voided(self, order: int, share: int, void: bool) -> None:
        name = pick(self.books.orders, order)
        if void:
            self.act("void_order", acting.void_purchase, self.ids[name], order=name)
            return
        left = self.books.orders[name].gross - self.books.orders[name].refunded
        cents = max(1, int(left * share))
        given: dict[str, Any] = {"order": name, "amount": Fraction(cents, 100)}
        self.act("refund", acting.refund, self.ids[name], str(Decimal(cents) / 100), **given)

    @rule(account=which, share=shares)
    def points_are_redeemed(self, account: int, share: int) -> None:
        n = self.some(account, share)
        name = f"redemption{len(self.books.log)}"
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "redemption": name}
        self.act("redeem", acting.redeem, self.id(account), n, name=name, **given)

    @precondition(lambda self: self.books.redemptions)
    @rule(redemption=which, share=shares)
    def a_redemption_is_reversed(self, redemption: int, share: int) -> None:
        name = pick(self.books.redemptions, redemption)
        n = part(self.books.redemptions[name].points, share)
        if name in self.ids:
            self.act("reverse", acting.reverse, self.ids[name], n, redemption=name, points=n)

    @rule(account=which, share=shares, minutes=st.sampled_from([1, 15, 1440, 20_000]))
    def points_are_reserved(self, account: int, share: int, minutes: int) -> None:
        n = self.some(account, share)
        name = f"reservation{len(self.books.log)}"
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "reservation": name, "minutes": minutes}
        self.act("reserve", acting.reserve, self.id(account), n, minutes, name=name, **given)

    @precondition(lambda self: self.books.reservations)
    @rule(reservation=which, share=shares, let_go=st.booleans())
    def a_reservation_is_captured_or_voided(self, reservation: int, share: int, let_go: bool) -> None:
        name, redemption = pick(self.books.reservations, reservation), f"redemption{len(self.books.log)}"
        if let_go:
            self.act("void_reservation", acting.void, self.ids[name], reservation=name)
            return
        n = part(self.books.reservations[name].points, share)
        given: dict[str, Any] = {"reservation": name, "points": n, "redemption": redemption}
        self.act("capture", acting.captured, self.ids[name], n, name=redemption, **given)

    @rule(account=which, n=st.integers(-40, 40).filter(bool), kept=st.integers(1, 30))
    def points_are_adjusted(self, account: int, n: int, kept: int) -> None:
        expires_on = self.books.day(self.now) + timedelta(days=kept) if n > 0 else None
        given: dict[str, Any] = {"account": self.holder(account), "points": n, "expires_on": expires_on}
        self.act("adjust", acting.adjust, self.id(account), n, expires_on, **given)

    @rule(account=which, to=which, share=shares)
    def points_are_transferred(self, account: int, to: int, share: int) -> None:
        n = self.some(account, share)
        if self.holder(account) != self.holder(to):
            given: dict[str, Any] = {"account": self.holder(account), "to": self.holder(to), "points": n}
            self.act("transfer", acting.transfer, self.id(account), self.id(to), n, **given)

    @rule(account=which, place=st.sampled_from([None, 0, 1, 2]))
    def an_account_is_closed_or_the_terms_change(self, account: int, place: int | None) -> None:
        if place is not None:
            terms = TERMS[place]
            self.act("change_terms", acting.change_terms, self.program, printed(terms), terms=terms)
            return
        holder = self.holder(account)
        self.act("close", acting.close, self.id(account), account=holder)
        if not any(self.is_open(each) for each in self.holders if each[:3] == holder[:3]):
            self.open(int(holder[1]))

    @rule()
    def everything_due_is_posted(self) -> None:
        self.books.post_due(self.now)
        post_due(self.shop.engine, self.shop.org, lambda: self.now)
        with self.shop.working(self.now) as work:
            for holder in self.holders:
                self.agrees(work, holder)
            assert trial_balance(work, self.program) == self.books.trial_balance()

    # -------------------------------------------------------------------------------------------- reading

    @rule(place=st.integers(0, 1000), off=st.sampled_from([-1, 0, 0, 1]), just_now=st.booleans())
    def what_is_read_of_an_instant_is_what_was_true_then(self, place: int, off: int, just_now: bool) -> None:
        known = sorted({entry.at for entry in self.books.entries} | {at for at, *_ in self.books.log})
        then = min(known[place % len(known)] + timedelta(microseconds=off), self.now)
        self.reads(self.now if just_now else then)

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

    def some(self, account: int, share: int) -> int:
        """So much of what is available, at times a little more."""
        self.books.post_due(self.now)
        return part(self.books.owned(self.holder(account), "AVAILABLE"), share)

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


def part(points: int, share: int) -> int:
    return max(1, points * share // 100 + (share > 100))


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
    # An organisation for each: every history begins again at NOW, and no books may go back in time.
    run_state_machine_as_test(
        lambda: Walk(house(backend).shop(zone), TERMS[place]),  # type: ignore[arg-type] # a factory will do
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
