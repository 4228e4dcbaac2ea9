"""Points that are held for a while: captured once, voided, or let go by time."""

from datetime import timedelta
from typing import Any

from app.loyalty import rules
from app.loyalty.books import Books
from app.loyalty.ledger import Book
from app.loyalty.lookup import at, opened, row_of
from app.loyalty.lots import Source
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.loyalty.tables import PointsReservation, ReservationStatus
from app.platform.ids import new_id, public_id
from app.platform.refusals import Code, Problems, refuse
from app.platform.work import Work

Result = dict[str, Any]


def reserve_points(work: Work, given: rules.Reserve) -> Result:
    """Hold points for a while, to be captured or voided; they come back by themselves when the time is over."""
    problems = Problems()
    points, minutes = rules.clean_points(problems, given["points"], "points"), given.get("minutes", 15)
    if not 1 <= minutes <= rules.MOST_MINUTES:
        problems.add(Code.OUT_OF_RANGE, f"From 1 to {rules.MOST_MINUTES} minutes.", "minutes")
    books, book = opened(work, problems, given["account"])
    problems.stop()
    key, until = new_id(), book.now + timedelta(minutes=minutes)
    with at("points"):
        entry = book.spend(Kind.RESERVE, Account.RESERVED, points, source=Source("res", key))
    book.row["due_at"] = min(book.row["due_at"], until)
    row = {"id": key, "account_id": book.id, "entry_id": entry, "points": points, "captured": 0}
    row |= {"reserved_at": book.now, "expires_at": until, "closed_at": None, "closed_as": None}
    books.add(PointsReservation, row)
    return books.done("points.reserved", book, reservation=public_id("res", key))


def capture_reservation(work: Work, given: rules.Capture) -> Result:
    """Spend some or all of what is held, once; the rest comes back. Makes a redemption, which can be reversed."""
    problems = Problems()
    points = rules.clean_points(problems, given["points"], "points")
    books, book, held = _held(work, problems, given["reservation_id"])
    if points > held.points:
        said = f"This reservation is of {held.points} {book.points_name}."
        refuse(Code.EXCEEDS_RESERVATION, said, "points")
    source, key, left = Source("res", held.id), new_id(), points
    spent, rest = [], []
    for lot, some in books.taken_by(book, [held.entry_id]):
        now = min(left, some)
        left -= now
        spent += [(lot, now)] if now else []
        rest += [(lot, some - now)] if some > now else []
    entry = book.post(Kind.CAPTURE, Account.RESERVED, Account.REDEEMED, spent, source=source)
    if rest:
        book.give_back(Kind.VOID, Account.RESERVED, rest, source)
    books.close(held.id, book.now, ReservationStatus.CAPTURED, points)
    books.redeemed(book, key, entry, points, reservation_id=held.id)
    return books.done("reservation.captured", book, reservation=public_id("res", held.id))


def void_reservation(work: Work, given: rules.Void) -> Result:
    """Let go of what is held."""
    books, book, held = _held(work, Problems(), given["reservation_id"])
    taken = books.taken_by(book, [held.entry_id])
    book.give_back(Kind.VOID, Account.RESERVED, taken, Source("res", held.id))
    books.close(held.id, book.now, ReservationStatus.VOIDED)
    return books.done("reservation.voided", book, reservation=public_id("res", held.id))


def _held(work: Work, problems: Problems, public: str) -> tuple[Books, Book, PointsReservation]:
    """A reservation that is open once all that is due was posted, and its account's book."""
    found: PointsReservation = row_of(work, problems, PointsReservation, public, "res", "reservation")
    problems.stop()
    books = Books(work)
    book = books.opened(found.account_id, "reservation_id")
    work.session.refresh(found, with_for_update=True)
    if found.closed_at is not None or found.expires_at <= book.now:
        closed_as = ReservationStatus[found.closed_as] if found.closed_as else ReservationStatus.EXPIRED
        said = {"CAPTURED": "was captured", "VOIDED": "was voided", "EXPIRED": "has timed out"}[closed_as.value]
        refuse(Code.RESERVATION_CLOSED, f"This reservation {said}.", "reservation_id")
    return books, book, found
