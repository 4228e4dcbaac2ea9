"""Becoming a member of a programme, and leaving it."""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError

from app.customers import facts, lookup
from app.customers.rules import Lookup
from app.customers.tables import Customer
from app.loyalty import rules
from app.loyalty.books import Books, account_id
from app.loyalty.facts import enrolled
from app.loyalty.finality import takes_effect
from app.loyalty.lookup import named
from app.loyalty.programs import find_program
from app.loyalty.tables import NEVER, LoyaltyAccount
from app.platform.ids import new_id
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
    key, now = new_id(), takes_effect(work)
    number = number or f"{key.int % 10**12:012d}"
    _refuse_taken(work, problems, program.id, customer.id, number)
    row = {
        **_NOTHING_YET,
        "id": key,
        "program_id": program.id,
        "customer_id": customer.id,
        "number": number,
        "number_folded": fold(number),
        "opened_at": now,
        "closed_at": None,
        "version": 1,
        "last_at": now,
        "due_at": NEVER,
        "kept_version": 0,
        "kept_rank": None,
    }
    try:
        with work.savepoint():
            work.insert(LoyaltyAccount, [row])
    except IntegrityError:
        # Somebody else took the number after we had looked.
        _refuse_taken(work, problems, program.id, customer.id, number)
        raise
    # Its book writes down the level that everybody has.
    books = Books(work)
    books.open([key])
    books.write()
    facts.rebuild(work, enrolled, [customer.id])
    work.announce("loyalty_account.opened", account_id(key), customers=[customer.id])
    return {"account": account_id(key)}


def _refuse_taken(work: Work, problems: Problems, program: UUID, customer: UUID, number: str) -> None:
    a = LoyaltyAccount
    open_one = and_(a.customer_id == customer, a.program_id == program, a.closed_at.is_(None))
    for test, path, said in (
        (a.number == number, "number", "Another account has this number."),
        (open_one, "customer", "This customer has an open account in this programme."),
    ):
        taken = work.session.scalars(select(a.id).where(a.org_id == work.org.id, test)).first()
        if taken:
            problems.add(Code.TAKEN, said, path, node=account_id(taken))
    problems.stop()


def close_account(work: Work, given: rules.AccountClose) -> Result:
    """What is left is forfeited. Refuses WRONG_STATE while points are reserved or owed."""
    problems = Problems()
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY)
    books = Books(work)
    key = named(work, given["account"])
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
    return books.done("loyalty_account.closed", book)


def _member(work: Work, problems: Problems, given: Lookup) -> Customer:
    """The live customer that is meant, locked; without one the check ends here, with all it has found."""
    with problems.gathering():
        found = lookup.find(work, given, "customer")
        if found.archived_at is None:
            return found
        refuse(Code.ARCHIVED, "This customer is archived.", "customer")
    raise Refused(*problems.found)
