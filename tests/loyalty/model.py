"""What a programme's books must say, from domain.md 4.2 and as plainly as can be: lists and loops, no database.

books = Programme(zone, terms)
books.do(at, "earn", account="a", points=5)       posts what fell due, then acts, or raises Refused and did nothing
books.as_of(t)                                    the books as they stood at t: all commands up to t, done again
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.loyalty.rows import ACCOUNTS, Entry, Level, Lot, Order, Refused, Taken, Terms


@dataclass
class Programme:
    zone: ZoneInfo
    first_terms: Terms
    terms: list[tuple[datetime, Terms]] = field(default_factory=list)
    opened: dict[str, datetime] = field(default_factory=dict)
    closed: dict[str, datetime] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    redemptions: dict[str, Taken] = field(default_factory=dict)
    reservations: dict[str, Taken] = field(default_factory=dict)
    log: list[tuple[datetime, str, dict[str, Any]]] = field(default_factory=list)

    # -------------------------------------------------------------------------------------------- doing

    def do(self, at: datetime, command: str, **given: Any) -> None:
        self.post_due(at)
        getattr(self, command)(at, **given)
        self.log.append((at, command, given))

    def as_of(self, t: datetime) -> "Programme":
        again = Programme(self.zone, self.first_terms)
        for at, command, given in self.log:
            if at <= t:
                again.do(at, command, **given)
        again.post_due(t)
        return again

    def change_terms(self, at: datetime, terms: Terms) -> None:
        self.terms.append((at, terms))

    def open(self, at: datetime, account: str) -> None:
        self.opened[account] = at

    def close(self, at: datetime, account: str) -> None:
        self._must_be_open(account)
        if self.owned(account, "RESERVED") or self.owed(account):
            raise Refused("WRONG_STATE")
        for lot in self.lots_of(account):
            self._move(at, lot, "FORFEIT", "AVAILABLE", "EXPIRED", lot.available)
            self._move(at, lot, "FORFEIT", "PENDING", "EXPIRED", lot.pending)
        self.closed[account] = at

    def earn(self, at: datetime, account: str, points: int, active_on: date, expires_on: date | None) -> None:
        self._must_be_open(account)
        self._issue(at, account, points, active_on, expires_on, min(active_on, self.day(at)).year)

    def buy(self, at: datetime, account: str, order: str, gross: Fraction, on: date) -> None:
        """`gross` in whole units of the programme's currency, bought on that local day."""
        self._must_be_open(account)
        terms, level = self.terms_at(at), self.level(account, at)
        worth = gross * terms.earn_rate * (level.multiplier if level else 1)
        points = worth.numerator // worth.denominator
        active_on = on + timedelta(days=terms.activation_days)
        expires_on = None if terms.expiry_days is None else active_on + timedelta(days=terms.expiry_days)
        lot = self._issue(at, account, points, active_on, expires_on, on.year) if points else None
        self.orders[order] = Order(account, gross, points, lot, on.year)

    def refund(self, at: datetime, order: str, amount: Fraction) -> None:
        known = self.orders[order]
        if known.voided:
            raise Refused("WRONG_STATE")
        if known.refunded + amount > known.gross:
            raise Refused("EXCEEDS_PURCHASE")
        known.refunded += amount
        share = known.points * known.refunded / known.gross
        self._claw_back(at, known, share.numerator // share.denominator)

    def void_order(self, at: datetime, order: str) -> None:
        known = self.orders[order]
        if known.voided:
            raise Refused("WRONG_STATE")
        known.voided = True
        self._claw_back(at, known, known.points)

    def redeem(self, at: datetime, account: str, redemption: str, points: int) -> None:
        self._must_be_open(account)
        self._must_have(account, points)
        lots = self._take(at, account, points, "REDEEM", "REDEEMED")
        self.redemptions[redemption] = Taken(account, points, lots)

    def reverse(self, at: datetime, redemption: str, points: int) -> None:
        known = self.redemptions[redemption]
        self._must_be_open(known.account)
        if points > known.points - known.back:
            raise Refused("EXCEEDS_REDEMPTION")
        for lot, share in _part(list(reversed(known.lots)), known.back, points):
            self._move(at, lot, "REVERSE_REDEMPTION", "REDEEMED", "AVAILABLE", share)
        known.back += points
        self._expire_late(at, known.account)
        self._settle(at, known.account)

    def reserve(self, at: datetime, account: str, reservation: str, points: int, minutes: int) -> None:
        self._must_be_open(account)
        self._must_have(account, points)
        lots = self._take(at, account, points, "RESERVE", "RESERVED")
        until = at + timedelta(minutes=minutes)
        self.reservations[reservation] = Taken(account, points, lots, expires_at=until)

    def capture(self, at: datetime, reservation: str, points: int, redemption: str) -> None:
        known = self._must_be_held(reservation)
        if points > known.points:
            raise Refused("EXCEEDS_RESERVATION")
        lots = _part(known.lots, 0, points)
        for lot, share in lots:
            self._move(at, lot, "CAPTURE", "RESERVED", "REDEEMED", share)
        known.closed, known.captured = "CAPTURED", points
        self.redemptions[redemption] = Taken(known.account, points, lots)
        self._give_back(at, known, points)

    def void_reservation(self, at: datetime, reservation: str) -> None:
        known = self._must_be_held(reservation)
        known.closed = "VOIDED"
        self._give_back(at, known, 0)

    def adjust(self, at: datetime, account: str, points: int, expires_on: date | None) -> None:
        self._must_be_open(account)
        if points < 0:
            self._must_have(account, -points)
            self._take(at, account, -points, "ADJUST", "ADJUSTMENTS")
            return
        lot = self._new_lot(account, points, self.day(at), expires_on, at)
        self._move(at, lot, "ADJUST", "ADJUSTMENTS", "AVAILABLE", points)
        self._settle(at, account)

    def transfer(self, at: datetime, account: str, to: str, points: int) -> None:
        self._must_be_open(account)
        self._must_be_open(to)
        self._must_have(account, points)
        for lot, share in _part(self._spendable(account), 0, points, size=lambda lot: lot.available):
            lot.available -= share
            split = self._new_lot(to, share, lot.active_on, lot.expires_on, lot.earned_at)
            split.available = share
        # One movement from member to member; each keeps a book of it.
        self.entries.append(Entry(at, account, "TRANSFER", "AVAILABLE", "elsewhere", points))
        self.entries.append(Entry(at, to, "TRANSFER", "elsewhere", "AVAILABLE", points))
        self._settle(at, to)

    # -------------------------------------------------------------------------------------------- what falls due

    def post_due(self, t: datetime) -> None:
        while due := self._due(t):
            instant, what, number, account = min(due)
            if what == 0:
                held = list(self.reservations.values())[number]
                held.closed = "EXPIRED"
                self._give_back(instant, held, 0)
            elif what == 1:
                lot = self.lots[number]
                self._move(instant, lot, "ACTIVATE", "PENDING", "AVAILABLE", lot.pending)
                self._settle(instant, account)
            else:
                lot = self.lots[number]
                self._move(instant, lot, "EXPIRE", "AVAILABLE", "EXPIRED", lot.available)

    def _due(self, t: datetime) -> list[tuple[datetime, int, int, str]]:
        found = []
        for number, held in enumerate(self.reservations.values()):
            if held.closed is None and held.expires_at and held.expires_at <= t:
                found.append((held.expires_at, 0, number, held.account))
        for lot in self.lots:
            if lot.pending and self.midnight(lot.active_on) <= t:
                found.append((self.midnight(lot.active_on), 1, lot.number, lot.account))
            if lot.available and lot.expires_on and self.midnight(lot.expires_on) <= t:
                found.append((self.midnight(lot.expires_on), 2, lot.number, lot.account))
        return found

    def next_instants(self, t: datetime) -> list[datetime]:
        """When something would fall due after t."""
        return sorted({instant for instant, *_ in self._due(datetime(9000, 1, 1, tzinfo=UTC)) if instant > t})

    # -------------------------------------------------------------------------------------------- reading

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def lots_of(self, account: str) -> list[Lot]:
        return [lot for lot in self.lots if lot.account == account]

    def owned(self, account: str, what: str) -> int:
        """An account of the double entry: what came in, less what went out."""
        mine = [entry for entry in self.entries if entry.account == account]
        return sum(e.points for e in mine if e.credit == what) - sum(e.points for e in mine if e.debit == what)

    def owed(self, account: str) -> int:
        return -self.owned(account, "DEBT")

    def balance(self, account: str) -> dict[str, int]:
        found = {what.lower(): self.owned(account, what) for what in ("AVAILABLE", "PENDING", "RESERVED")}
        return found | {"debt": self.owed(account), "lifetimeEarned": -self.owned(account, "ISSUED")}

    def member(self, account: str, t: datetime) -> dict[str, Any]:
        """What a member sees."""
        level, following = self.level(account, t), self.next_level(account, t)
        return {
            "status": "CLOSED" if account in self.closed else "OPEN",
            "balance": self.balance(account),
            "level": level and level.name,
            "nextLevel": following and (following[0].name, following[1], following[2]),
            "expiring": self.expiring(account, t),
        }

    def trial_balance(self) -> dict[str, int]:
        return {what: sum(self.owned(account, what) for account in self.opened) for what in ACCOUNTS}

    def expiring(self, account: str, t: datetime, within_days: int = 90) -> list[tuple[date, int]]:
        found: dict[date, int] = {}
        for lot in self.lots_of(account):
            day, points = lot.expires_on, lot.available + lot.pending
            if day and points and self.day(t) < day <= self.day(t) + timedelta(days=within_days):
                found[day] = found.get(day, 0) + points
        return sorted(found.items())

    def outstanding(self) -> int:
        return sum(self.trial_balance()[what] for what in ("PENDING", "AVAILABLE", "RESERVED", "DEBT"))

    def redemption_rate(self) -> Fraction | None:
        spent, gone = self.trial_balance()["REDEEMED"], self.trial_balance()["EXPIRED"]
        return Fraction(spent, spent + gone) if spent + gone else None

    def expiring_by_month(self) -> list[tuple[date, int]]:
        found: dict[date, int] = {}
        for lot in self.lots:
            if lot.expires_on and lot.available + lot.pending:
                month = lot.expires_on.replace(day=1)
                found[month] = found.get(month, 0) + lot.available + lot.pending
        return sorted(found.items())

    def terms_at(self, t: datetime) -> Terms:
        return [self.first_terms, *(terms for at, terms in self.terms if at <= t)][-1]

    def qualified(self, account: str, year: int, t: datetime) -> int:
        mine = [e for e in self.entries if e.account == account and e.qualifying_year == year and e.at <= t]
        return sum(e.points if e.kind == "EARN" else -e.points for e in mine)

    def level(self, account: str, t: datetime) -> Level | None:
        terms, this_year = self.terms_at(t), self.day(t).year
        levels = sorted(terms.levels, key=lambda level: level.rank)
        years = [e.qualifying_year for e in self.entries if e.account == account and e.qualifying_year and e.at <= t]
        # Levels are counted from 1; 0 is none.
        before = now = 0
        for year in range(min([this_year, *years]), this_year + 1):
            before = now
            q, q_before = self.qualified(account, year, t), self.qualified(account, year - 1, t)
            now = max(before - 1, 0) if terms.soft_landing else 0
            for place, level in enumerate(levels, start=1):
                earned = q >= level.qualify
                carried = q_before >= level.qualify or (place <= before and q_before >= level.retain)
                if earned or carried:
                    now = max(now, place)
        if (self.day(t) - date(this_year, 1, 1)).days < terms.grace_days:
            now = max(now, before)
        return levels[now - 1] if now else None

    def next_level(self, account: str, t: datetime) -> tuple[Level, int, date] | None:
        year, level = self.day(t).year, self.level(account, t)
        above = [each for each in self.terms_at(t).levels if level is None or each.rank > level.rank]
        if not above:
            return None
        following = min(above, key=lambda each: each.rank)
        return following, following.qualify - self.qualified(account, year, t), date(year, 12, 31)

    # -------------------------------------------------------------------------------------------- below

    def _must_be_open(self, account: str) -> None:
        if account in self.closed:
            raise Refused("WRONG_STATE")

    def _must_have(self, account: str, points: int) -> None:
        available = self.owned(account, "AVAILABLE")
        if points > available:
            raise Refused("INSUFFICIENT_POINTS", points, available)

    def _must_be_held(self, reservation: str) -> Taken:
        known = self.reservations[reservation]
        self._must_be_open(known.account)
        if known.closed:
            raise Refused("RESERVATION_CLOSED")
        return known

    def _new_lot(self, account: str, points: int, active_on: date, expires_on: date | None, at: datetime) -> Lot:
        lot = Lot(len(self.lots), account, points, active_on, expires_on, at)
        self.lots.append(lot)
        return lot

    def _issue(self, at: datetime, account: str, points: int, active: date, expires: date | None, year: int) -> Lot:
        lot = self._new_lot(account, points, active, expires, at)
        to = "PENDING" if active > self.day(at) else "AVAILABLE"
        self._move(at, lot, "EARN", "ISSUED", to, points, year)
        self._expire_late(at, account)
        self._settle(at, account)
        return lot

    def _spendable(self, account: str) -> list[Lot]:
        """Soonest expiry first, then the oldest."""
        mine = [lot for lot in self.lots_of(account) if lot.available]
        return sorted(mine, key=lambda lot: (lot.expires_on or date.max, lot.earned_at, lot.number))

    def _take(self, at: datetime, account: str, points: int, kind: str, to: str) -> list[tuple[Lot, int]]:
        lots = _part(self._spendable(account), 0, points, size=lambda lot: lot.available)
        for lot, share in lots:
            self._move(at, lot, kind, "AVAILABLE", to, share)
        return lots

    def _give_back(self, at: datetime, held: Taken, captured: int) -> None:
        for lot, share in _part(held.lots, captured, held.points - captured):
            self._move(at, lot, "VOID", "RESERVED", "AVAILABLE", share)
        self._expire_late(at, held.account)
        self._settle(at, held.account)

    def _expire_late(self, at: datetime, account: str) -> None:
        """What came back into a lot whose day is past expires at once."""
        for lot in self.lots_of(account):
            if lot.available and lot.expires_on and lot.expires_on <= self.day(at):
                self._move(at, lot, "EXPIRE", "AVAILABLE", "EXPIRED", lot.available)

    def _settle(self, at: datetime, account: str) -> None:
        points = min(self.owed(account), self.owned(account, "AVAILABLE"))
        self._take(at, account, points, "SETTLE_DEBT", "DEBT")

    def _claw_back(self, at: datetime, order: Order, target: int) -> None:
        # Who has left has nothing to give, and owes nothing.
        if order.account in self.closed:
            return
        left = target - order.clawed
        order.clawed = target
        own, account = order.lot, order.account
        lots = ([own] if own else []) + [lot for lot in self._spendable(account) if lot is not own]
        for lot in lots:
            for of in ("PENDING", "AVAILABLE"):
                share = min(left, lot.pending if of == "PENDING" else lot.available)
                self._move(at, lot, "CLAW_BACK", of, "REVERSED", share, order.year)
                left -= share
        self._post(at, account, "CLAW_BACK", "DEBT", "REVERSED", left, order.year)

    def _move(
        self, at: datetime, lot: Lot, kind: str, debit: str, credit: str, n: int, year: int | None = None
    ) -> None:
        """An entry, and the same in the lot that the points are of."""
        for side, sign in ((debit, -1), (credit, 1)):
            if side in ("PENDING", "AVAILABLE", "RESERVED"):
                name = side.lower()
                setattr(lot, name, getattr(lot, name) + sign * n)
        self._post(at, lot.account, kind, debit, credit, n, year)

    def _post(self, at: datetime, account: str, kind: str, debit: str, credit: str, n: int, year: int | None) -> None:
        assert n >= 0
        if n:
            self.entries.append(Entry(at, account, kind, debit, credit, n, year))


def _part(lots: Iterable[Any], skip: int, points: int, size: Any = None) -> list[tuple[Lot, int]]:
    """The lots and shares that hold `points`, after the first `skip` points of them."""
    found = []
    for each in lots:
        lot, share = (each, size(each)) if size else each
        passed = min(skip, share)
        skip -= passed
        share = min(share - passed, points)
        points -= share
        if share:
            found.append((lot, share))
    return found
