"""Posting what falls due for everyone: safe at any time, and by several at once, since every book is locked and looked
at anew."""

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.loyalty.books import Books
from app.loyalty.tables import LoyaltyAccount, LoyaltyProgram
from app.platform.access import Org, organization
from app.platform.rounds import Rounds
from app.platform.work import Work, operator, work

AT_ONCE = 500
# Few enough that nobody waits long for one of them.
READ_AT_ONCE = 100


def post_due(engine: Engine, org: Org, clock: Callable[[], datetime], at_once: int = AT_ONCE) -> int:
    """Post everything that is due in the organisation; how many accounts it was due in."""
    total, now = 0, clock()
    while True:
        with work(engine, operator(org), now) as unit:
            posted = post_some(unit, at_once)
        if not posted:
            return total
        total += posted


def post_some(work: Work, at_once: int = AT_ONCE) -> int:
    """Of up to so many accounts; how many."""
    books = Books(work)
    opened = books.open(_due(work, at_once))
    books.write()
    return len(opened)


def post_due_of(engine: Engine, org_id: UUID, accounts: Collection[UUID], until: datetime, now: datetime) -> None:
    """Post what is due in these accounts until an instant, but for those that somebody else has in use."""
    with Session(engine.execution_options(reading=True)) as session:
        org = organization(session, org_id)
    assert org
    a, those = LoyaltyAccount, sorted(accounts)
    for start in range(0, len(those), READ_AT_ONCE):
        mine = a.org_id == org_id, a.id.in_(those[start : start + READ_AT_ONCE])
        due = select(a.id).where(*mine, a.due_at <= until).order_by(a.id).with_for_update(skip_locked=True)
        with work(engine, operator(org), now) as unit:
            books = Books(unit, until)
            books.open(unit.session.scalars(due).all())
            books.write()


def poster(engine: Engine, clock: Callable[[], datetime], at_once: int) -> Rounds:
    """Posts in the background of a server."""
    return Rounds(engine, clock, lambda work: bool(_due(work, 1)), lambda work: post_some(work, at_once), at_once)


def _due(work: Work, most: int) -> list[UUID]:
    """Accounts in which something is due, or whose level was judged by earlier terms."""
    a, p, org = LoyaltyAccount, LoyaltyProgram, work.org.id
    due = select(a.id).where(a.org_id == org, a.due_at <= work.now).order_by(a.due_at, a.id).limit(most)
    found = list(work.session.scalars(due))
    for program, version in work.session.execute(select(p.id, p.version).where(p.org_id == org)).all():
        if len(found) < most:
            mine = a.org_id == org, a.program_id == program, a.kept_version < version
            earlier = select(a.id).where(*mine).order_by(a.kept_version, a.id).limit(most - len(found))
            found += work.session.scalars(earlier)
    return list(dict.fromkeys(found))
