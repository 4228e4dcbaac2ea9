"""What a member and a partner do with points. Each action works in the caller's transaction and answers with ids.

An account is locked, what is due in it is posted, the command takes effect now, and all of it is written together.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.loyalty import rules
from app.loyalty.books import Books, account_id
from app.loyalty.ledger import Book
from app.loyalty.lookup import at, named, opened, reason_of, row_of
from app.loyalty.lots import Source
from app.loyalty.members import close_account, open_account
from app.loyalty.programs import MOST_STOCK
from app.loyalty.reservations import capture_reservation, reserve_points, void_reservation
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.loyalty.tables import PointsEntry, Redemption, Reward
from app.platform.days import day_of
from app.platform.ids import key_of, new_id, public_id
from app.platform.refusals import Code, Problems, refuse
from app.platform.work import Work

Result = dict[str, Any]


def earn_points(work: Work, given: rules.Earn) -> Result:
    """Points for something else than a purchase: a review, a referral, an event."""
    problems = Problems()
    points, reason = rules.clean_points(problems, given["points"], "points"), reason_of(problems, given, required=True)
    books, book = opened(work, problems, given["account"])
    days = rules.clean_days(problems, book.today, given.get("active_on"), given.get("expires_on"), book.terms)
    problems.stop()
    year = day_of(min(days[0], book.today)).year if given.get("active_on") else day_of(book.today).year
    with at("points"):
        book.receive(Kind.EARN, Account.ISSUED, points, days, reason=reason, year=year)
    return _posted(books, "points.earned", book)


def adjust_points(work: Work, given: rules.Adjust) -> Result:
    """Put right by hand, either way; it neither qualifies for a level nor overdraws."""
    problems = Problems()
    points = rules.clean_points(problems, given["points"], "points", signed=True)
    reason = reason_of(problems, given, required=True)
    books, book = opened(work, problems, given["account"])
    _, expires = rules.clean_days(problems, book.today, day_of(book.today), given.get("expires_on"), book.terms)
    if points < 0 and given.get("expires_on") is not None:
        problems.add(Code.INVALID, "Only points that are added expire.", "expires_on")
    problems.stop()
    with at("points"):
        if points > 0:
            book.receive(Kind.ADJUST, Account.ADJUSTMENTS, points, (book.today, expires), reason=reason)
        else:
            book.spend(Kind.ADJUST, Account.ADJUSTMENTS, -points, reason=reason)
    return _posted(books, "points.adjusted", book)


def redeem_points(work: Work, given: rules.Redeem) -> Result:
    """Spend points, or take a reward for them; all or nothing."""
    problems = Problems()
    reason, spend = reason_of(problems, given), given["spend"]
    by_reward = spend.get("reward_id") is not None
    path = ("spend", "reward_id" if by_reward else "points")
    points = 0 if by_reward else rules.clean_points(problems, spend["points"], *path)
    books, book = opened(work, problems, given["account"])
    reward = _reward(work, problems, book, spend["reward_id"]) if by_reward else None
    problems.stop()
    key = new_id()
    with at(*path):
        entry = book.spend(
            Kind.REDEEM,
            Account.REDEEMED,
            reward.points if reward else points,
            reason=reason,
            source=Source("red", key),
        )
    if reward is not None and reward.stock is not None:
        reward.stock -= 1
    books.redeemed(book, key, entry, reward.points if reward else points, reward_id=reward.id if reward else None)
    return books.done("points.redeemed", book, redemption=public_id("red", key))


def reverse_redemption(work: Work, given: rules.Reverse) -> Result:
    """Give points of a redemption back, into the lots they came from; last taken, first back."""
    problems = Problems()
    points, reason = rules.clean_points(problems, given["points"], "points"), reason_of(problems, given)
    r = Redemption
    found = row_of(work, problems, r, given["redemption_id"], "red", "redemption")
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
        stock = Reward.org_id == work.org.id, Reward.id == found.reward_id, Reward.stock < MOST_STOCK
        work.session.execute(update(Reward).where(*stock).values(stock=Reward.stock + 1))
    work.session.flush()
    return books.done("redemption.reversed", book, redemption=public_id("red", found.id))


def transfer_points(work: Work, given: rules.Transfer) -> Result:
    """From one member of a programme to another; the points keep their days."""
    problems = Problems()
    points, reason = rules.clean_points(problems, given["points"], "points"), reason_of(problems, given)
    books, ends = Books(work), {}
    keys = {name: named(work, given[name]) for name in ("from", "to")}
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
    # One instant for both halves: at none are the points in neither book, or in both.
    now = max(giver.now, taker.now)
    for book in (giver, taker):
        book.wait_until(now)
    with at("points"):
        taken = giver.take(points)
        giver.post(Kind.TRANSFER, Account.AVAILABLE, Account.AVAILABLE, taken, reason=reason, other=taker.id)
        taker.receive_transfer(taken, reason=reason, other=giver.id)
    entries = [entry["id"] for book in (giver, taker) for entry in book.commanded]
    books.write()
    members = [book.row["customer_id"] for book in (giver, taker)]
    work.announce("points.transferred", account_id(giver.id), account_id(taker.id), customers=members)
    return {
        "from": account_id(giver.id),
        "to": account_id(taker.id),
        "entries": [public_id("ent", key) for key in entries],
    }


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


def _posted(books: Books, event: str, book: Book) -> Result:
    entries = [public_id("ent", entry["id"]) for entry in book.commanded]
    return {**books.done(event, book), "entries": entries}


__all__ = [
    "adjust_points",
    "capture_reservation",
    "close_account",
    "earn_points",
    "open_account",
    "redeem_points",
    "reserve_points",
    "reverse_redemption",
    "transfer_points",
    "void_reservation",
]
