"""Finding the account that is meant, and saying where in the arguments a refusal belongs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.loyalty import rules
from app.loyalty.books import Books
from app.loyalty.ledger import Book
from app.loyalty.tables import LoyaltyAccount
from app.platform.ids import key_of
from app.platform.refusals import Code, Problems, Refused
from app.platform.text import LONGEST_BODY, clean
from app.platform.work import Work


def opened(work: Work, problems: Problems, given: rules.AccountLookup) -> tuple[Books, Book]:
    """The account that is meant; without one the check ends here, with all it has found."""
    books = Books(work)
    with problems.gathering():
        return books, books.opened(named(work, given), "account")
    raise Refused(*problems.found)


def named(work: Work, given: rules.AccountLookup) -> UUID | None:
    if given.get("id") is not None:
        return key_of(given["id"], "acc")
    number = clean(Problems(), given.get("number"))
    a = LoyaltyAccount
    return work.session.scalar(select(a.id).where(a.org_id == work.org.id, a.number == number)) if number else None


def row_of(work: Work, problems: Problems, table: Any, public: str, prefix: str, thing: str) -> Any:
    key = key_of(public, prefix)
    found = work.session.scalars(select(table).where(table.org_id == work.org.id, table.id == key)).one_or_none()
    if found is None:
        problems.add(Code.NOT_FOUND, f"There is no such {thing}.", f"{thing}_id")
        raise Refused(*problems.found)
    return found


def reason_of(problems: Problems, given: Mapping[str, Any], *, required: bool = False) -> str | None:
    return clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY, required=required)


@contextmanager
def at(*path: str) -> Iterator[None]:
    """What is refused inside belongs to this part of the arguments."""
    try:
        yield
    except Refused as refused:
        raise Refused(*(problem.under(*path) for problem in refused.problems)) from None
