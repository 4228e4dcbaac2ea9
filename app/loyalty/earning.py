"""What purchases do to points: they earn, and what is refunded is taken back; in the purchase's own transaction."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import case, func, select

from app.loyalty.books import Books
from app.loyalty.ledger import Book
from app.loyalty.lots import Source
from app.loyalty.rules import multiplier_e6, points_for, still_to_claw
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.loyalty.tables import PointsEntry
from app.platform.days import day_of
from app.platform.work import Work


class Bought(NamedTuple):
    """A purchase, as far as points are concerned."""

    key: UUID
    customer_id: UUID
    net_minor: int
    currency: str
    local_day: int


def earn(work: Work, purchases: Sequence[Bought]) -> None:
    """Credit what each purchase earns in the programmes of its currency, one after the other. Their customers must be
    locked."""
    books = Books(work)
    opened = books.open_memberships({(each.customer_id, each.currency) for each in purchases})
    for each in purchases:
        for book in opened.get((each.customer_id, each.currency), ()):
            _earn(book, each)
    if opened:
        books.write()


def _earn(book: Book, bought: Bought) -> None:
    terms = book.terms
    multiplier = multiplier_e6(book.rows.levels(book), book.level)
    points = points_for(bought.net_minor, book.row["exponent"], terms.earn_rate_e6, multiplier)
    # No purchase is refused since its points cannot be counted.
    points = min(points, book.room)
    if points > 0:
        book.receive(
            Kind.EARN,
            Account.ISSUED,
            points,
            terms.days(bought.local_day),
            purchase_id=bought.key,
            source=Source("pur", bought.key),
            year=day_of(bought.local_day).year,
        )


def claw_back(work: Work, purchase: UUID, refunded: int, gross: int) -> None:
    """Take back what so large a part of a purchase had earned, less what was taken back before. Its customer must be
    locked; a closed account has nothing left to give."""
    e = PointsEntry
    earned = case((e.kind == Kind.EARN.value, e.points), else_=0)
    clawed = case((e.kind == Kind.CLAW_BACK.value, e.points), else_=0)
    rows = work.session.execute(
        select(e.account_id, func.sum(earned), func.sum(clawed), func.max(e.qualifying_year))
        .where(e.org_id == work.org.id, e.source_id == purchase, e.source_prefix == "pur")
        .group_by(e.account_id)
    ).all()
    books = Books(work)
    opened = {book.id: book for book in books.open([row[0] for row in rows]) if book.row["closed_at"] is None}
    for account, in_all, before, year in rows:
        points = still_to_claw(int(in_all), int(before), refunded, gross)
        if account in opened and points:
            book = opened[account]
            own = books.lots_of(book, purchase=purchase)
            book.claw_back(points, own, source=Source("pur", purchase), year=year)
    books.write()
