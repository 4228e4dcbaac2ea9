"""Books in and out of the database: locked in the order of their ids, read as far as is needed, written at the end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Table, and_, or_, select, update

from app.customers.lookup import chunks
from app.loyalty.finality import behind
from app.loyalty.ledger import BALANCES, Book
from app.loyalty.looks import ACCOUNT, LEVELS, LOTS, LOTS_AT_ONCE, MEMBERSHIPS, YEARS, due, next_due
from app.loyalty.lots import Held, Lot, has_points
from app.loyalty.rules import Level, Terms
from app.loyalty.tables import (
    LoyaltyAccount,
    PointsEntry,
    PointsLot,
    PointsLotMove,
    PointsReservation,
    Redemption,
    ReservationStatus,
)
from app.platform.database import Base
from app.platform.ids import public_id
from app.platform.refusals import Code, refuse
from app.platform.work import Work

a, e, m, s = LoyaltyAccount, PointsEntry, PointsLotMove, PointsReservation
_ACCOUNT: Table = a.__table__
_LOT: Table = PointsLot.__table__
_OF_A_LOT = [column.name for column in _LOT.c if column.name != "org_id"]
_PARTS = ("pending", "remaining", "reserved")
_ORDER = attrgetter("order")
# Before any lot that was read.
_FROM_THE_START: Any = (datetime.min.replace(tzinfo=UTC),)
# Most commands leave these as they are. Two are in indexes: SQLite takes a row out of those, and puts it in again,
# whenever it is told them, equal as they may be.
_SELDOM_CHANGED = ("due_at", "closed_at", "kept_version", "kept_rank")
_USUALLY = ("id", *BALANCES, "version", "entries", "last_at")
_ALL_OF_IT = (*_USUALLY, *_SELDOM_CHANGED)
_seldom_changed = itemgetter(*_SELDOM_CHANGED)


class Books:
    """The books that one transaction has open. `until`: when its commands take effect, after what falls due until
    then; now, unless another instant is given."""

    def __init__(self, work: Work, until: datetime | None = None) -> None:
        self.work, self._until = work, until
        self.books: dict[UUID, Book] = {}
        self._levels: dict[tuple[UUID, int], tuple[Level, ...]] = {}
        self._new: list[tuple[type[Base], dict[str, Any]]] = []
        self._changed: list[Any] = []
        self._closed: set[UUID] = set()

    # -------------------------------------------------------------- opening

    def open(self, keys: Collection[UUID]) -> list[Book]:
        """Lock these accounts, and post what fell due. Unknown ones are left out."""
        keys = sorted(keys)
        for some in chunks([key for key in keys if key not in self.books]):
            for row in self.work.look(ACCOUNT, some).values():
                self._opened(row)
        return [self.books[key] for key in keys if key in self.books]

    def open_memberships(self, wanted: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], list[Book]]:
        """The open accounts of customers in programmes of a currency, where there are any."""
        found: dict[tuple[UUID, str], list[Book]] = {}
        for some in chunks(sorted({customer for customer, _ in wanted})):
            for customer, memberships in self.work.look(MEMBERSHIPS, some).items():
                for row, years, levels in memberships:
                    if (customer, row["currency"]) in wanted:
                        self._levels[row["program_id"], row["terms_version"]] = levels
                        book = self._opened(row, years)
                        found.setdefault((customer, row["currency"]), []).append(book)
        return found

    def opened(self, key: UUID | None, *path: str | int, closed: bool = False) -> Book:
        """One account. Raises Refused NOT_FOUND, and WRONG_STATE for a closed one unless that is meant too."""
        found = self.open([key]) if key else []
        if not found:
            refuse(Code.NOT_FOUND, "There is no such loyalty account.", *path)
        if found[0].row["closed_at"] is not None and not closed:
            refuse(Code.WRONG_STATE, "This loyalty account is closed.", *path)
        return found[0]

    def _opened(self, row: dict[str, Any], years: dict[int, int] | None = None) -> Book:
        work = self.work
        terms = Terms(
            row["terms_version"],
            row["earn_rate_e6"],
            row["activation_days"],
            row["expiry_days"],
            row["grace_days"],
            row["terms_soft_landing"],
        )
        book = Book(
            row=row,
            terms=terms,
            points_name=row["points_name"],
            zone=work.org.zone,
            # Clocks of two servers differ a little: what is in the books already came before.
            now=max(self._until or behind(row["final_until"], work.now), row["last_at"]),
            posted_at=work.now,
            key_id=work.caller.key_id,
            rows=self,
            known_years=years,
            before=row.copy(),
            lots_through=_FROM_THE_START,
        )
        self.books[book.id] = book
        book.catch_up()
        return book

    # -------------------------------------------------------------- what a book asks for

    def spendable(self, book: Book, points: int) -> list[Lot]:
        while True:
            through = book.lots_through
            known = [lot for lot in book.lots.values() if lot.remaining]
            ready = sorted(known if through is None else [lot for lot in known if lot.order <= through], key=_ORDER)
            if through is None or sum([lot.remaining for lot in ready]) >= points:
                return ready
            value = book.id, None if through is _FROM_THE_START else through
            found = self._known(book, self.work.look(LOTS, [value]).get(value, []))
            book.lots_through = found[-1].order if len(found) == LOTS_AT_ONCE else None

    def lots_of(self, book: Book, *, purchase: UUID | None = None, keys: Collection[UUID] = ()) -> list[Lot]:
        """Those of a purchase, or with these ids."""
        test = PointsLot.purchase_id == purchase if purchase else PointsLot.id.in_(keys)
        self._lots(book, PointsLot.account_id == book.id, test)
        known = book.lots.values()
        return [lot for lot in known if (lot.purchase_id == purchase if purchase else lot.id in keys)]

    def everything_left(self, book: Book) -> list[Lot]:
        self._lots(book, PointsLot.account_id == book.id, or_(PointsLot.pending > 0, has_points(PointsLot)))
        return sorted((lot for lot in book.lots.values() if lot.pending or lot.remaining), key=_ORDER)

    def due(self, book: Book, until: datetime) -> tuple[list[Lot], list[Held]]:
        lots, held = due(self.work, book.id, until)
        held = [row for row in held if row["id"] not in self._closed]
        taken = [self.taken_by(book, [row["entry_id"]]) for row in held]
        return self._known(book, lots), [
            Held(row["id"], row["points"], row["expires_at"], each) for row, each in zip(held, taken, strict=True)
        ]

    def taken_by(self, book: Book, entries: Collection[UUID]) -> list[tuple[Lot, int]]:
        """What these entries changed of which lots, all parts together, in the order in which they did."""
        mine = m.org_id == self.work.org.id, e.org_id == self.work.org.id, m.entry_id.in_(entries)
        moves = self.work.session.execute(
            select(m.lot_id, m.remaining, m.reserved, e.kind)
            .join_from(m, e, and_(e.org_id == m.org_id, e.id == m.entry_id))
            .where(*mine)
            .order_by(e.place, m.position)
        ).all()
        lots = {lot.id: lot for lot in self.lots_of(book, keys={move.lot_id for move in moves})}
        return [(lots[move.lot_id], abs(move.remaining or move.reserved)) for move in moves]

    def qualified(self, book: Book) -> dict[int, int]:
        return dict(self.work.look(YEARS, [book.id]).get(book.id, {}))

    def levels(self, book: Book) -> Sequence[Level]:
        """Those of the programme's terms in force, by rank."""
        key = book.row["program_id"], book.terms.version
        if key not in self._levels:
            self._levels[key] = self.work.look(LEVELS, [book.id]).get(book.id, ())
        return self._levels[key]

    def close(self, held: UUID, at: datetime, status: ReservationStatus, captured: int = 0) -> None:
        mine = s.org_id == self.work.org.id, s.id == held, s.closed_at.is_(None)
        values = {"closed_at": at, "closed_as": status.value, "captured": captured}
        self._changed.append(update(s).where(*mine).values(values))
        self._closed.add(held)

    def _lots(self, book: Book, *tests: Any) -> list[Lot]:
        """Lots that pass, in the order in which they are spent."""
        columns = (_LOT.c[name] for name in _OF_A_LOT)
        found = (
            select(*columns)
            .where(PointsLot.org_id == self.work.org.id, *tests)
            .order_by(PointsLot.expires_at, PointsLot.earned_at, PointsLot.id)
        )
        return self._known(book, self.work.session.execute(found).mappings())

    def _known(self, book: Book, rows: Iterable[Mapping[Any, Any]]) -> list[Lot]:
        """One that was read before stays as it has become."""
        return [book.lots.get(row["id"]) or book.keep(Lot(**row)) for row in rows]

    # -------------------------------------------------------------- writing

    def add(self, table: type[Base], row: dict[str, Any]) -> None:
        """A row that belongs to an entry."""
        self._new.append((table, row))

    def redeemed(self, book: Book, key: UUID, entry: UUID, points: int, **more: UUID | None) -> None:
        """So many points were spent by that entry."""
        row = {"id": key, "account_id": book.id, "entry_id": entry, "points": points, "reversed": 0}
        self.add(Redemption, {**row, "reward_id": None, "reservation_id": None, **more, "redeemed_at": book.now})

    def done(self, event: str, book: Book, **part: str) -> dict[str, Any]:
        """Write it, say it, and answer with the ids. `part`: what of the account was made or changed, if anything."""
        self.write()
        detail = next(iter(part.values()), None)
        self.work.announce(event, account_id(book.id), detail=detail, customers=[book.row["customer_id"]])
        return {"account": account_id(book.id), **part}

    def write(self) -> None:
        """Everything that was posted, in a few statements."""
        books = [book for book in self.books.values() if book.entries or _differs(book)]
        lots = [lot for book in books for lot in book.lots.values() if lot.changed]
        parts = [_parts_of(lot) for lot in lots if not lot.is_new]
        self.work.insert(PointsLot, [_row_of(lot) for lot in lots if lot.is_new])
        self.work.insert(e, [entry for book in books for entry in book.entries])
        self.work.insert(m, [move for book in books for move in book.moves])
        for table in (s, Redemption):
            self.work.insert(table, [row for kind, row in self._new if kind is table])
        for change in self._changed:
            self.work.session.execute(change)
        self.work.update(PointsLot, parts)
        for book in books:
            if book.caught_up:
                book.row["due_at"] = next_due(self.work, book.id)
            if not book.keeps_its_level:
                book.keep_level()
            closed = book.row["closed_at"] != book.before["closed_at"]
            book.row["version"] += bool(book.entries or closed)
        self.work.update(a, [_as_it_is(book) for book in books])
        for book in books:
            book.before = book.row.copy()
            book.entries, book.moves, book.due_entries = [], [], 0
            book.caught_up = book.requalified = False
        for lot in lots:
            lot.is_new = lot.changed = False
            lot.spendable = lot.remaining > 0
        self._new, self._changed = [], []
        self._closed = set()


def _as_it_is(book: Book) -> dict[str, Any]:
    """What is written of its row: always what a command changes, and the rest if it did."""
    seldom = _seldom_changed(book.row) != _seldom_changed(book.before)
    return {name: book.row[name] for name in (_ALL_OF_IT if seldom else _USUALLY)}


def _differs(book: Book) -> bool:
    return book.row != book.before or not book.keeps_its_level


def _row_of(lot: Lot) -> dict[str, Any]:
    return {**{name: getattr(lot, name) for name in _OF_A_LOT}, "spendable": lot.remaining > 0}


def _parts_of(lot: Lot) -> dict[str, Any]:
    """What a command changes of it. Its place in the index of lots to be spent is told only when it changes."""
    parts = {name: getattr(lot, name) for name in ("id", *_PARTS)}
    return parts if lot.spendable == (lot.remaining > 0) else {**parts, "spendable": lot.remaining > 0}


def account_id(key: UUID) -> str:
    return public_id("acc", key)
