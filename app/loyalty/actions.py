"""What a member and a partner do with points. Each action works in the caller's transaction and answers with ids.

An account is locked, what is due in it is posted, the command takes effect now, and all of it is written together.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.customers import facts, lookup
from app.customers.rules import Lookup
from app.customers.tables import Customer
from app.loyalty import rules
from app.loyalty.books import Books
from app.loyalty.facts import enrolled
from app.loyalty.ledger import Book, Source
from app.loyalty.programs import find_program
from app.loyalty.tables import (
    NEVER,
    LoyaltyAccount,
    PointsEntry,
    PointsReservation,
    Redemption,
    ReservationStatus,
    Reward,
)
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.platform.days import day_of
from app.platform.ids import PublicId, key_of, new_id
from app.platform.refusals import Code, Problems, Refused, refuse
from app.platform.text import LONGEST_BODY, clean, fold
from app.platform.work import Work

Result = dict[str, Any]
LONGEST_NUMBER = 64
_NOTHING_YET = dict.fromkeys(
    ("version", "entries", "available", "pending", "reserved", "debt", "issued", "redeemed", "expired", "reversed",
     "adjusted", "moved"), 0
)  # fmt: skip


def open_account(work: Work, given: rules.AccountOpen) -> Result:
    """A customer becomes a member. Refuses NOT_FOUND, ARCHIVED, and TAKEN: a second account, a number in use."""
    problems = Problems()
    number = clean(problems, given.get("number"), "number", longest=LONGEST_NUMBER)
    program = find_program(work, problems, given["program_id"], "program_id", lock=False)
    customer = _member(work, problems, given["customer"])
    if program is None:
        raise Refused(*problems.found)
    key = new_id()
    number = number or f"{key.int % 10**12:012d}"
    a = LoyaltyAccount
    for column, value, path, said in (
        (a.number, number, "number", "Another account has this number."),
        (a.customer_id, customer.id, "customer", "This customer has an open account in this programme."),
    ):
        mine = [a.org_id == work.org.id, column == value]
        if path == "customer":
            mine += [a.program_id == program.id, a.closed_at.is_(None)]
        taken = work.session.scalars(select(a.id).where(*mine)).first()
        if taken:
            problems.add(Code.TAKEN, said, path, node=_account(taken))
    problems.stop()
    row = {
        **_NOTHING_YET,
        "id": key,
        "program_id": program.id,
        "customer_id": customer.id,
        "number": number,
        "number_folded": fold(number),
        "opened_at": work.now,
        "closed_at": None,
        "version": 1,
        "last_at": work.now,
        "due_at": NEVER,
    }
    try:
        with work.savepoint():
            work.insert(LoyaltyAccount, [row])
    except IntegrityError:
        # Somebody else took the number after we had looked.
        refuse(Code.TAKEN, "Another account has this number.", "number")
    facts.rebuild(work, enrolled, [customer.id])
    work.announce("loyalty_account.opened", _account(key))
    return {"account": _account(key)}


def close_account(work: Work, given: rules.AccountClose) -> Result:
    """What is left is forfeited. Refuses WRONG_STATE while points are reserved or owed."""
    problems = Problems()
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY)
    books = Books(work)
    key = _named(work, given["account"])
    # The customer first, as whoever records a purchase does: no two wait for each other.
    customer = work.session.scalar(
        select(LoyaltyAccount.customer_id).where(LoyaltyAccount.org_id == work.org.id, LoyaltyAccount.id == key)
    )
    lookup.lock(work, [customer] if customer else [])
    book = books.opened(key, "account")
    for balance, said in (("reserved", "reserved"), ("debt", "owed")):
        if book.row[balance]:
            problems.add(Code.WRONG_STATE, f"{book.row[balance]} {book.points_name} are {said}.", "account")
    problems.stop()
    book.forfeit(books.everything_left(book), reason)
    book.row["closed_at"] = book.now
    books.write()
    facts.rebuild(work, enrolled, [book.row["customer_id"]])
    return _done(work, "loyalty_account.closed", book)


def earn_points(work: Work, given: rules.Earn) -> Result:
    """Points for something else than a purchase: a review, a referral, an event."""
    problems = Problems()
    points, reason = rules.clean_points(problems, given["points"], "points"), _reason(problems, given, required=True)
    books, book = _opened(work, problems, given["account"])
    days = rules.clean_days(problems, book.today, given.get("active_on"), given.get("expires_on"), book.terms)
    problems.stop()
    year = day_of(min(days[0], book.today)).year if given.get("active_on") else day_of(book.today).year
    book.receive(Kind.EARN, Account.ISSUED, points, days, reason=reason, year=year)
    return _posted(work, books, "points.earned", book)


def adjust_points(work: Work, given: rules.Adjust) -> Result:
    """Put right by hand, either way; it neither qualifies for a level nor overdraws."""
    problems = Problems()
    points = rules.clean_points(problems, given["points"], "points", signed=True)
    reason = _reason(problems, given, required=True)
    books, book = _opened(work, problems, given["account"])
    _, expires = rules.clean_days(problems, book.today, None, given.get("expires_on"), book.terms)
    if points < 0 and given.get("expires_on") is not None:
        problems.add(Code.INVALID, "Only points that are added expire.", "expires_on")
    problems.stop()
    if points > 0:
        book.receive(Kind.ADJUST, Account.ADJUSTMENTS, points, (book.today, expires), reason=reason)
    else:
        with _at("points"):
            book.spend(Kind.ADJUST, Account.ADJUSTMENTS, -points, reason=reason)
    return _posted(work, books, "points.adjusted", book)


def redeem_points(work: Work, given: rules.Redeem) -> Result:
    """Spend points, or take a reward for them; all or nothing."""
    problems = Problems()
    reason, spend = _reason(problems, given), given["spend"]
    by_reward = spend.get("reward_id") is not None
    path = ("spend", "reward_id" if by_reward else "points")
    points = 0 if by_reward else rules.clean_points(problems, spend["points"], *path)
    books, book = _opened(work, problems, given["account"])
    reward = _reward(work, problems, book, spend["reward_id"]) if by_reward else None
    problems.stop()
    key = new_id()
    with _at(*path):
        entry = book.spend(
            Kind.REDEEM,
            Account.REDEEMED,
            reward.points if reward else points,
            reason=reason,
            source=Source("red", key),
        )
    if reward is not None and reward.stock is not None:
        reward.stock -= 1
    row = {"reward_id": reward.id if reward else None, "reservation_id": None}
    _redeemed(books, book, key, entry, reward.points if reward else points, row)
    books.write()
    return _done(work, "points.redeemed", book, redemption=_public("red", key))


def reverse_redemption(work: Work, given: rules.Reverse) -> Result:
    """Give points of a redemption back, into the lots they came from; last taken, first back."""
    problems = Problems()
    points, reason = rules.clean_points(problems, given["points"], "points"), _reason(problems, given)
    r = Redemption
    found = _row(work, problems, r, given["redemption_id"], "red", "redemption")
    problems.stop()
    books = Books(work)
    book = books.opened(found.account_id, "redemption_id")
    work.session.refresh(found, with_for_update=True)
    left = found.points - found.reversed
    if points > left:
        said = f"This redemption was of {found.points} {book.points_name}, of which {left} can be given back."
        refuse(Code.EXCEEDS_REDEMPTION, said, "points")
    e = PointsEntry
    earlier = work.session.scalars(
        select(e.id).where(e.org_id == work.org.id, e.source_id == found.id, e.kind == Kind.REVERSE_REDEMPTION.value)
    ).all()
    back: dict[UUID, int] = {}
    for lot, some in books.taken_by(book, earlier):
        back[lot.id] = back.get(lot.id, 0) + some
    taken, wanted = [], points
    for lot, some in reversed(books.taken_by(book, [found.entry_id])):
        gone = min(some, back.get(lot.id, 0))
        back[lot.id] = back.get(lot.id, 0) - gone
        if (now := min(wanted, some - gone)) > 0:
            taken.append((lot, now))
            wanted -= now
    book.give_back(Kind.REVERSE_REDEMPTION, Account.REDEEMED, taken, Source("red", found.id), reason=reason)
    found.reversed += points
    if found.reward_id is not None and found.reversed == found.points:
        stock = Reward.org_id == work.org.id, Reward.id == found.reward_id, Reward.stock.is_not(None)
        work.session.execute(update(Reward).where(*stock).values(stock=Reward.stock + 1))
    work.session.flush()
    books.write()
    return _done(work, "redemption.reversed", book, redemption=_public("red", found.id))


def reserve_points(work: Work, given: rules.Reserve) -> Result:
    """Hold points for a while, to be captured or voided; they come back by themselves when the time is over."""
    problems = Problems()
    points, minutes = rules.clean_points(problems, given["points"], "points"), given.get("minutes", 15)
    if not 1 <= minutes <= rules.MOST_MINUTES:
        problems.add(Code.OUT_OF_RANGE, f"From 1 to {rules.MOST_MINUTES} minutes.", "minutes")
    books, book = _opened(work, problems, given["account"])
    problems.stop()
    key, until = new_id(), book.now + timedelta(minutes=minutes)
    with _at("points"):
        entry = book.spend(Kind.RESERVE, Account.RESERVED, points, source=Source("res", key))
    book.row["due_at"] = min(book.row["due_at"], until)
    row = {"id": key, "account_id": book.id, "entry_id": entry, "points": points, "captured": 0}
    row |= {"reserved_at": book.now, "expires_at": until, "closed_at": None, "closed_as": None}
    books.add(PointsReservation, row)
    books.write()
    return _done(work, "points.reserved", book, reservation=_public("res", key))


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
    _redeemed(books, book, key, entry, points, {"reward_id": None, "reservation_id": held.id})
    books.write()
    return _done(work, "reservation.captured", book, reservation=_public("res", held.id))


def void_reservation(work: Work, given: rules.Void) -> Result:
    """Let go of what is held."""
    books, book, held = _held(work, Problems(), given["reservation_id"])
    taken = books.taken_by(book, [held.entry_id])
    book.give_back(Kind.VOID, Account.RESERVED, taken, Source("res", held.id))
    books.close(held.id, book.now, ReservationStatus.VOIDED)
    books.write()
    return _done(work, "reservation.voided", book, reservation=_public("res", held.id))


def transfer_points(work: Work, given: rules.Transfer) -> Result:
    """From one member of a programme to another; the points keep their days."""
    problems = Problems()
    points, reason = rules.clean_points(problems, given["points"], "points"), _reason(problems, given)
    books, ends = Books(work), {}
    keys = {name: _named(work, given[name]) for name in ("from", "to")}
    books.open([key for key in keys.values() if key])
    for name, key in keys.items():
        with problems.gathering():
            ends[name] = books.opened(key, name)
    if len(ends) == 2:
        if ends["from"] is ends["to"]:
            problems.add(Code.INVALID, "These are the same account.", "to")
        elif ends["from"].row["program_id"] != ends["to"].row["program_id"]:
            problems.add(Code.INVALID, "These accounts are of different programmes.", "to")
    problems.stop()
    giver, taker = ends["from"], ends["to"]
    with _at("points"):
        taken = giver.take(points)
    giver.post(Kind.TRANSFER, Account.AVAILABLE, Account.AVAILABLE, taken, reason=reason, other=taker.id)
    taker.receive_transfer(taken, reason=reason, other=giver.id)
    entries = [entry["id"] for book in (giver, taker) for entry in book.commanded]
    books.write()
    work.announce("points.transferred", _account(giver.id), _account(taker.id))
    return {"from": _account(giver.id), "to": _account(taker.id), "entries": [_public("ent", key) for key in entries]}


# ------------------------------------------------------------------ what they share


def _opened(work: Work, problems: Problems, given: rules.AccountLookup) -> tuple[Books, Book]:
    """The account that is meant; without one the check ends here, with all it has found."""
    books = Books(work)
    with problems.gathering():
        return books, books.opened(_named(work, given), "account")
    raise Refused(*problems.found)


def _member(work: Work, problems: Problems, given: Lookup) -> Customer:
    """The live customer that is meant, locked; without one the check ends here, with all it has found."""
    with problems.gathering():
        found = lookup.find(work, given, "customer")
        if found.archived_at is None:
            return found
        refuse(Code.ARCHIVED, "This customer is archived.", "customer")
    raise Refused(*problems.found)


def _named(work: Work, given: rules.AccountLookup) -> UUID | None:
    if given.get("id") is not None:
        return key_of(given["id"], "acc")
    number = clean(Problems(), given.get("number"))
    a = LoyaltyAccount
    return work.session.scalar(select(a.id).where(a.org_id == work.org.id, a.number == number)) if number else None


def _row(work: Work, problems: Problems, table: Any, public: str, prefix: str, thing: str) -> Any:
    key = key_of(public, prefix)
    found = work.session.scalars(select(table).where(table.org_id == work.org.id, table.id == key)).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, f"There is no such {thing}.", f"{thing}_id")
        raise Refused(*problems.found)
    return found


def _held(work: Work, problems: Problems, public: str) -> tuple[Books, Book, PointsReservation]:
    """A reservation that is open once all that is due was posted, and its account's book."""
    found: PointsReservation = _row(work, problems, PointsReservation, public, "res", "reservation")
    problems.stop()
    books = Books(work)
    book = books.opened(found.account_id, "reservation_id")
    work.session.refresh(found, with_for_update=True)
    if found.closed_at is not None or found.expires_at <= book.now:
        closed_as = ReservationStatus[found.closed_as] if found.closed_as else ReservationStatus.EXPIRED
        said = {"CAPTURED": "was captured", "VOIDED": "was voided", "EXPIRED": "has timed out"}[closed_as.value]
        refuse(Code.RESERVATION_CLOSED, f"This reservation {said}.", "reservation_id")
    return books, book, found


def _reward(work: Work, problems: Problems, book: Book, public: str) -> Reward | None:
    """A reward of the account's programme that can be had, locked."""
    key = key_of(public, "rew")
    mine = Reward.org_id == work.org.id, Reward.id == key, Reward.program_id == book.row["program_id"]
    found = work.session.scalars(select(Reward).where(*mine).with_for_update()).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, "There is no such reward in this programme.", "spend", "reward_id")
    elif not found.active:
        problems.add(Code.WRONG_STATE, "This reward is not to be had any more.", "spend", "reward_id")
    elif found.stock == 0:
        problems.add(Code.WRONG_STATE, "This reward is sold out.", "spend", "reward_id")
    return found


def _redeemed(books: Books, book: Book, key: UUID, entry: UUID, points: int, more: Mapping[str, Any]) -> None:
    row = {"id": key, "account_id": book.id, "entry_id": entry, "points": points, "reversed": 0, **more}
    books.add(Redemption, {**row, "redeemed_at": book.now})


def _reason(problems: Problems, given: Mapping[str, Any], *, required: bool = False) -> str | None:
    return clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY, required=required)


class _at:  # noqa: N801 - read as a word
    """Says where in the arguments a refusal belongs."""

    def __init__(self, *path: str) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if isinstance(error, Refused):
            raise Refused(*(problem.under(*self.path) for problem in error.problems)) from None


def _posted(work: Work, books: Books, event: str, book: Book) -> Result:
    entries = [_public("ent", entry["id"]) for entry in book.commanded]
    books.write()
    return {**_done(work, event, book), "entries": entries}


def _done(work: Work, event: str, book: Book, **more: str) -> Result:
    work.announce(event, _account(book.id), *more.values())
    return {"account": _account(book.id), **more}


def _account(key: UUID) -> str:
    return _public("acc", key)


def _public(prefix: str, key: UUID) -> str:
    return str(PublicId(prefix, key))
