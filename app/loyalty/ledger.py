"""Posting to a member's book, in memory: every change of points is an entry between two accounts, and nothing else is.

    earn      issued -> pending or available      redeem   available -> redeemed
    activate  pending -> available                reverse  redeemed -> available
    expire    available -> expired                reserve  available -> reserved
    adjust    adjustments <-> available           capture  reserved -> redeemed
    transfer  available -> available              void     reserved -> available
    claw back pending, available, debt -> reversed
    settle    available -> debt, whenever there are both

A Book is one account that is locked. What is due comes before anything else is done with it (`catch_up`); its commands
then take effect now. Points lie in lots, spent soonest expiry first, then oldest. Who reads and writes the rows is
`books.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from app.loyalty.lots import Held, Lot, Source, Taken, first
from app.loyalty.rules import Level, Terms, level_on, level_stands_until
from app.loyalty.tables import NEVER, ReservationStatus
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.platform.days import day_of, local_day, midnight
from app.platform.ids import new_id
from app.platform.refusals import Code, Problem, Refused
from app.platform.text import LARGEST

# Which part of a lot lies in which account, and what a credit adds to in the member's row.
_PART = {Account.PENDING: "pending", Account.AVAILABLE: "remaining", Account.RESERVED: "reserved"}
_ADDED_TO = {
    Account.PENDING: ("pending", 1),
    Account.AVAILABLE: ("available", 1),
    Account.RESERVED: ("reserved", 1),
    Account.DEBT: ("debt", -1),
    Account.ISSUED: ("issued", -1),
    Account.REDEEMED: ("redeemed", 1),
    Account.EXPIRED: ("expired", 1),
    Account.REVERSED: ("reversed", 1),
    Account.ADJUSTMENTS: ("adjusted", -1),
}
BALANCES = (*(column for column, _ in _ADDED_TO.values()), "moved")


class Rows(Protocol):
    """What a book reads when it needs it."""

    def spendable(self, book: "Book", points: int) -> list[Lot]:
        """Lots with something available, in the order in which they are spent: enough for so many points, or all."""

    def due(self, book: "Book", until: datetime) -> tuple[list[Lot], list[Held]]:
        """Lots that are to be activated or to expire by then, and reservations that time out."""

    def close(self, held: UUID, at: datetime, status: ReservationStatus, captured: int = 0) -> None: ...

    def qualified(self, book: "Book") -> dict[int, int]:
        """The qualifying points of each calendar year."""

    def levels(self, book: "Book") -> Sequence[Level]: ...


@dataclass(eq=False)
class Book:
    """One account, locked, with what is to be written of it. `now` is when its commands take effect. `before`: its row
    as it was read, or written last; `lots_through`: the last place up to which the lots that have points were read,
    None for all of them."""

    row: dict[str, Any]
    terms: Terms
    points_name: str
    zone: ZoneInfo
    now: datetime
    posted_at: datetime
    key_id: UUID | None
    rows: Rows
    before: dict[str, Any]
    lots_through: tuple[Any, ...] | None
    entries: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    lots: dict[UUID, Lot] = field(default_factory=dict)
    caught_up: bool = False
    requalified: bool = False
    due_entries: int = 0
    known_years: dict[int, int] | None = None

    @property
    def id(self) -> UUID:
        return cast("UUID", self.row["id"])

    @property
    def today(self) -> int:
        return local_day(self.now, self.zone)

    @property
    def commanded(self) -> list[dict[str, Any]]:
        """The entries since, which are not those of what fell due."""
        return self.entries[self.due_entries :]

    @property
    def qualified(self) -> dict[int, int]:
        if self.known_years is None:
            self.known_years = self.rows.qualified(self)
        return self.known_years

    @property
    def keeps_its_level(self) -> bool:
        """Whether nothing has touched what it was judged by."""
        return self.row["kept_version"] == self.terms.version and not self.caught_up and not self.requalified

    def keep_level(self) -> None:
        """Write down the level, and let it be looked at again when the calendar may change it."""
        self.row["kept_version"], self.row["kept_rank"] = self.terms.version, self.level
        if self.qualified:
            until = midnight(day_of(level_stands_until(self.today, self.terms)), self.zone)
            self.row["due_at"] = min(self.row["due_at"], until)

    @property
    def level(self) -> int | None:
        return level_on(self.today, self.qualified, self.rows.levels(self), self.terms)

    def keep(self, lot: Lot) -> Lot:
        self.lots[lot.id] = lot
        return lot

    # -------------------------------------------------------------- what falls due

    def catch_up(self) -> None:
        """Post what fell due until now, each at its own instant."""
        if self.row["due_at"] > self.now:
            return
        self.caught_up, self.row["due_at"] = True, NEVER
        found, held = self.rows.due(self, self.now)
        lots = {lot.id: lot for lot in (*found, *self.lots.values())}
        lots |= {lot.id: lot for each in held for lot, _ in each.taken}
        due: list[tuple[datetime, int, UUID, Any]] = [(each.expires_at, 0, each.id, each) for each in held]
        due += [(lot.active_at, 1, lot.id, lot) for lot in lots.values() if lot.pending and lot.active_at <= self.now]
        due += [(lot.expires_at, 2, lot.id, lot) for lot in lots.values() if lot.expires_at <= self.now]
        for instant, order, _, each in sorted(due, key=lambda one: one[:3]):
            if order == 0:
                self.rows.close(each.id, instant, ReservationStatus.EXPIRED)
                self.give_back(Kind.VOID, Account.RESERVED, each.taken, Source("res", each.id), at=instant)
            elif order == 1 and each.pending:
                self.post(Kind.ACTIVATE, Account.PENDING, Account.AVAILABLE, [(each, each.pending)], at=instant)
                self.settle(instant)
            elif order == 2 and each.remaining:
                self._expire([each], instant)
        self.due_entries = len(self.entries)

    def wait_until(self, now: datetime) -> None:
        """Let commands take effect only then, after what falls due until then."""
        if now > self.now:
            self.now = now
            if self.caught_up:
                # What is due next was not looked for yet.
                self.row["due_at"] = now
            self.catch_up()

    def _expire(self, lots: Iterable[Lot], at: datetime) -> None:
        for lot in lots:
            if lot.remaining and lot.expires_at <= at:
                self.post(Kind.EXPIRE, Account.AVAILABLE, Account.EXPIRED, [(lot, lot.remaining)], at=at)

    def settle(self, at: datetime) -> None:
        """What is available pays what is owed."""
        owed = min(self.row["debt"], self.row["available"])
        if owed:
            taken = first([lot for lot in self.rows.spendable(self, owed) if lot.expires_at > at], owed)
            if taken:
                self.post(Kind.SETTLE_DEBT, Account.AVAILABLE, Account.DEBT, taken, at=at)

    # -------------------------------------------------------------- commands

    def receive(
        self,
        kind: Kind,
        debit: Account,
        points: int,
        days: tuple[int, int | None],
        *,
        earned_at: datetime | None = None,
        purchase_id: UUID | None = None,
        **more: Any,
    ) -> Lot:
        """A new lot: pending until its first day, gone at once when its last one is past."""
        self._make_room(points)
        active, expires = days
        lot = self._lot(points, active, expires, earned_at or self.now, purchase_id)
        waits = lot.active_at > self.now
        self.post(kind, debit, Account.PENDING if waits else Account.AVAILABLE, [(lot, points)], **more)
        if lot.expires_at <= self.now:
            self._expire([lot], self.now)
        else:
            self.row["due_at"] = min(self.row["due_at"], lot.active_at if waits else lot.expires_at)
        self.settle(self.now)
        return lot

    def receive_transfer(self, taken: Taken, **more: Any) -> None:
        """Lots like those that another member gave: with their days, and their place in the order."""
        self._make_room(sum(some for _, some in taken))
        lots = [(self._lot(some, lot.active_day, lot.expires_day, lot.earned_at, None), some) for lot, some in taken]
        self.post(Kind.TRANSFER, Account.AVAILABLE, Account.AVAILABLE, lots, incoming=True, **more)
        self.row["due_at"] = min([self.row["due_at"], *(lot.expires_at for lot, _ in lots)])
        self.settle(self.now)

    def spend(self, kind: Kind, credit: Account, points: int, **more: Any) -> UUID:
        """All of it or nothing: INSUFFICIENT_POINTS."""
        return self.post(kind, Account.AVAILABLE, credit, self.take(points), **more)

    def take(self, points: int) -> Taken:
        """The lots that so many points are taken of."""
        if points > self.row["available"]:
            raise Refused(self._insufficient(points))
        return first(self.rows.spendable(self, points), points)

    def give_back(
        self, kind: Kind, debit: Account, taken: Taken, source: Source, at: datetime | None = None, **more: Any
    ) -> UUID:
        """Back into the lots they came from; what is past its day there is gone."""
        at = at or self.now
        entry = self.post(kind, debit, Account.AVAILABLE, taken, at=at, source=source, **more)
        self._expire(dict.fromkeys(lot for lot, _ in taken), at)
        self.row["due_at"] = min([self.row["due_at"], *(lot.expires_at for lot, _ in taken if lot.expires_at > at)])
        self.settle(at)
        return entry

    def claw_back(self, points: int, own: Iterable[Lot], **more: Any) -> None:
        """From these lots first, then from others, then as debt."""
        lots = sorted(own, key=lambda lot: lot.order)
        for account in (Account.PENDING, Account.AVAILABLE):
            part = _PART[account]
            points -= self._claw(account, first(lots, points, part), **more)
        if points:
            points -= self._claw(Account.AVAILABLE, first(self.rows.spendable(self, points), points), **more)
        if points:
            self.post(Kind.CLAW_BACK, Account.DEBT, Account.REVERSED, (), points=points, **more)

    def _claw(self, account: Account, taken: Taken, **more: Any) -> int:
        if taken:
            self.post(Kind.CLAW_BACK, account, Account.REVERSED, taken, **more)
        return sum(points for _, points in taken)

    def forfeit(self, lots: Sequence[Lot], reason: str | None) -> None:
        """Everything that these lots have left is gone."""
        for account, part in ((Account.PENDING, "pending"), (Account.AVAILABLE, "remaining")):
            taken = [(lot, getattr(lot, part)) for lot in lots if getattr(lot, part)]
            if taken:
                self.post(Kind.FORFEIT, account, Account.EXPIRED, taken, reason=reason)

    # -------------------------------------------------------------- the one way points move

    def post(
        self,
        kind: Kind,
        debit: Account,
        credit: Account,
        taken: Taken,
        *,
        points: int | None = None,
        at: datetime | None = None,
        reason: str | None = None,
        source: Source | None = None,
        year: int | None = None,
        incoming: bool = False,
        other: UUID | None = None,
    ) -> UUID:
        """Add an entry, and change the account and the lots as it says; returns its id.

        `year`: the points qualify for it, or no longer do.
        """
        n = sum(some for _, some in taken) if points is None else points
        row, at = self.row, max(at or self.now, self.row["last_at"])
        if kind is Kind.TRANSFER:
            row["available"] += n if incoming else -n
            row["moved"] += n if incoming else -n
        else:
            for account, change in ((debit, -n), (credit, n)):
                column, sign = _ADDED_TO[account]
                row[column] += sign * change
        row["entries"] += 1
        row["last_at"] = at
        key = new_id()
        if year is not None:
            self.qualified[year] = self.qualified.get(year, 0) + (n if kind is Kind.EARN else -n)
            self.requalified = True
        self.entries.append(
            {
                "id": key,
                "account_id": self.id,
                "program_id": row["program_id"],
                "place": row["entries"],
                "at": at,
                "posted_at": self.posted_at,
                "effective_day": local_day(at, self.zone),
                "kind": kind.value,
                "debit": debit.value,
                "credit": credit.value,
                "points": n,
                "incoming": incoming,
                "other_account_id": other,
                "reason": reason,
                "source_prefix": source.prefix if source else None,
                "source_id": source.key if source else None,
                "key_id": self.key_id,
                "qualifying_year": year,
                "qualified": self.qualified[year] if year is not None else None,
                **{balance: row[balance] for balance in BALANCES},
            }
        )
        for position, (lot, some) in enumerate(taken):
            self._move(key, position, lot, some, debit, credit, at, kind, incoming)
        return key

    def _move(
        self,
        entry: UUID,
        position: int,
        lot: Lot,
        some: int,
        debit: Account,
        credit: Account,
        at: datetime,
        kind: Kind,
        incoming: bool,
    ) -> None:
        changes = dict.fromkeys(_PART.values(), 0)
        # A transfer leaves one book and enters another: each shows its own half.
        if debit in _PART and not (kind is Kind.TRANSFER and incoming):
            changes[_PART[debit]] -= some
        if credit in _PART and not (kind is Kind.TRANSFER and not incoming):
            changes[_PART[credit]] += some
        for part, change in changes.items():
            setattr(lot, part, getattr(lot, part) + change)
        lot.changed = True
        self.lots[lot.id] = lot
        self.moves.append({"entry_id": entry, "position": position, "lot_id": lot.id, "at": at, **changes})

    def _lot(self, points: int, active: int, expires: int | None, earned_at: datetime, purchase_id: UUID | None) -> Lot:
        return Lot(
            id=new_id(),
            account_id=self.id,
            points=points,
            active_day=active,
            active_at=midnight(day_of(active), self.zone),
            expires_day=expires,
            expires_at=NEVER if expires is None else midnight(day_of(expires), self.zone),
            earned_at=earned_at,
            terms_version=self.terms.version,
            purchase_id=purchase_id,
            is_new=True,
        )

    @property
    def room(self) -> int:
        """How many points may come in, so that whatever becomes of them later can be counted."""
        held = self.row["available"] + self.row["pending"] + self.row["reserved"]
        return LARGEST - int(max(held, *(abs(self.row[balance]) for balance in BALANCES)))

    def _make_room(self, points: int) -> None:
        if points > self.room:
            raise Refused(Problem(Code.OUT_OF_RANGE, "An account counts up to 2^53 - 1 points."))

    def _insufficient(self, needed: int) -> Problem:
        """With what a person needs to know: how many there are, and which of them are about to go."""
        said = f"Needs {needed} {self.points_name}, has {self.row['available']}"
        soon = self.rows.spendable(self, 1)
        if soon and soon[0].expires_day is not None:
            day = soon[0].expires_day
            going = sum(lot.remaining for lot in self.rows.spendable(self, needed) if lot.expires_day == day)
            said += f", of which {going} expire on {day_of(day)}"
        return Problem(
            Code.INSUFFICIENT_POINTS,
            f"{said}.",
            needed=needed,
            available=self.row["available"],
        )
