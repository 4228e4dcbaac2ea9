"""What purchases do to points: they earn, and what is refunded is taken back; in the purchase's own transaction."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, case, func, select

from app.loyalty.books import Books
from app.loyalty.ledger import Book, Source
from app.loyalty.rules import multiplier_e6, points_for, still_to_claw
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.loyalty.tables import LoyaltyAccount, PointsEntry
from app.platform.database import Key
from app.platform.days import day_of
from app.platform.sending import Prepared, key_from, one_of, prepare
from app.platform.steps import Step, Writing
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
    members = {each.customer_id for each in purchases if not work.foresees(_NO_MEMBER, each.customer_id)}
    if not members:
        return
    books = Books(work)
    by_customer: dict[UUID, list[Book]] = {}
    for book in books.open_of_customers(members, {each.currency for each in purchases}):
        by_customer.setdefault(book.row["customer_id"], []).append(book)
    for each in purchases:
        for book in by_customer.get(each.customer_id, ()):
            if book.row["currency"] == each.currency:
                _earn(book, each)
    books.write()


def _earn(book: Book, bought: Bought) -> None:
    terms = book.terms
    multiplier = multiplier_e6(book.rows.levels(book), book.level)
    points = points_for(bought.net_minor, book.row["exponent"], terms.earn_rate_e6, multiplier)
    if points:
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


class _NoMember(Step):
    """None of these customers has an open account: whoever has one earns, and that takes a look."""

    def send(self, writing: Writing, values: Sequence[UUID]) -> Any:
        given = {"org": writing.org_id, "customers": sorted(set(values))}
        return writing.send(_members(writing.dialect), given)

    def finish(self, writing: Writing, values: Iterable[UUID], sent: Any) -> set[UUID]:
        return {key_from(row[0]) for row in writing.read(sent)}


@cache
def _members(dialect: str) -> Prepared:
    a: Any = LoyaltyAccount
    mine = a.org_id == bindparam("org", type_=Key()), a.closed_at.is_(None)
    return prepare(select(a.customer_id).where(*mine, one_of(a.customer_id, "customers", dialect)), dialect)


_NO_MEMBER = _NoMember()
