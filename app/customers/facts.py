"""What is known of a customer: the stored row, how it is kept, and the facts of the words on consent."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, literal, select
from sqlalchemy.orm import aliased

from app.customers.tables import Consent, ConsentPurpose, ConsentState, Customer, customer_facts
from app.platform.database import Key
from app.platform.sending import Prepared, key_from, one_of, or_fails, prepare
from app.platform.steps import AFTER_ROWS, Step, Writing
from app.platform.work import Work
from app.query.fact import Events, FactTable, Horizon

# The columns of the profile on which judgements rest, besides whether it is archived.
JUDGED_COLUMNS = ("terminated_day", "suppressed")

facts = FactTable(customer_facts, subject="customer_id", until="judged_until")


def _words(horizon: Horizon) -> Select[Any]:
    """The last word on each purpose and channel."""
    c = aliased(Consent, name="word")
    place = func.row_number().over(
        partition_by=[c.customer_id, c.purpose, c.channel], order_by=[c.at.desc(), c.id.desc()]
    )
    words = (
        select(c.customer_id.label("subject"), c.purpose, c.state, c.at, place.label("place"))
        .where(horizon.of(c, at=c.at, subject=c.customer_id))
        .subquery("words")
    )
    return select(words.c.subject, words.c.purpose, words.c.state, words.c.at).where(words.c.place == 1)


# A word takes back the one before it, so a new one is never merely added.
consented = facts.fed_by("consented", _words)
# How many channels: one granted word is enough to be contactable, and a withdrawal must leave the others standing.
consented.count(
    "marketing_granted",
    lambda e: and_(e.purpose == ConsentPurpose.MARKETING.value, e.state == ConsentState.GRANTED.value),
)


def fold(work: Work, stream: Events, customer_id: UUID, event_id: UUID, at: datetime) -> None:
    """Take one new event into its customer's facts; the event must be stored, and its customer locked. What is of this
    very moment is nearly always the newest, and nothing else is then to be read."""
    is_newest = stream.newest is not None and at >= work.now
    if work.foresees(_folding_of(stream.name, is_newest), (customer_id, event_id)):
        return
    given = {"the_org": work.org.id, "the_events": [event_id]}
    if stream.newest is None or not work.run(_folding(stream.name, work.dialect), given):
        rebuild(work, stream, [customer_id])


def rebuild(work: Work, stream: Events, customer_ids: Collection[UUID]) -> None:
    """Recompute what one stream says of these customers, from all its events; they must be locked."""
    if customer_ids:
        given = {"the_org": work.org.id, "the_customers": list(customer_ids)}
        work.run(_rebuilding(stream.name, work.dialect), given)


class Folding(Step):
    """`(customer, event)`: each folded into its own customer's facts. Whoever locks a customer has it alone.
    `is_newest`: as each of these seems to be; of others it shows when they are folded."""

    place = AFTER_ROWS

    def __init__(self, stream: str, is_newest: bool) -> None:
        self._stream, self.insists, self.goes_on = stream, is_newest, not is_newest

    def send(self, writing: Writing, values: Sequence[tuple[UUID, UUID]]) -> Any:
        if facts.streams[self._stream].newest is None:
            return None
        # One event of each customer is folded; whoever has several is rebuilt.
        times = Counter(customer for customer, _ in values)
        given = {"the_org": writing.org_id, "the_events": [event for customer, event in values if times[customer] == 1]}
        return writing.send(_folding(self._stream, writing.dialect), given)

    def insist(self, writing: Writing, values: Sequence[tuple[UUID, UUID]]) -> None:
        events = [event for _, event in values]
        given = {"the_org": writing.org_id, "the_events": events, "all": len(events)}
        writing.send(_folding_all(self._stream), given)

    def finish(self, writing: Writing, values: Sequence[tuple[UUID, UUID]], sent: Any) -> frozenset[Any]:
        folded = {key_from(row[0]) for row in writing.read(sent)} if sent else set()
        late = [customer for customer, _ in values if customer not in folded]
        if late:
            writing.send(_rebuilding(self._stream, writing.dialect), {"the_org": writing.org_id, "the_customers": late})
        return frozenset()


@cache
def _folding_of(stream: str, is_newest: bool) -> Folding:
    return Folding(stream, is_newest)


def reopen(work: Work, customer_ids: Collection[UUID]) -> None:
    """Let these customers be judged anew: what changed is their profile, on which judgements rest too."""
    those = list(customer_ids)
    if those:
        work.session.execute(facts.opened(Horizon(literal(work.org.id, Key()), among=lambda key: key.in_(those))))


def rebuild_all(work: Work) -> int:
    """Recompute every row of the organisation; returns how many customers there are."""
    # Locked first: a fold that commits meanwhile would be overwritten with what was known before it.
    work.session.execute(select(Customer.id).where(Customer.org_id == work.org.id).with_for_update()).all()
    for stream in facts.streams.values():
        work.session.execute(facts.rebuilt(stream, Horizon(literal(work.org.id, Key()))))
    table = facts.table
    return work.session.execute(
        select(func.count()).select_from(table).where(table.c.org_id == work.org.id)
    ).scalar_one()


def verify(work: Work) -> dict[UUID, list[str]]:
    """Customers whose stored facts differ from what their events say, and which facts do. None, unless something is
    broken."""
    wrong: dict[UUID, list[str]] = {}
    for stream in facts.streams.values():
        for row in work.session.execute(_differing(stream.name), {"the_org": work.org.id}):
            named = row._mapping
            wrong.setdefault(row.subject, []).extend(fact.key for fact in stream.facts if named[fact.key])
    return wrong


# Made once: it takes longer to write these statements than to run them.


@cache
def _folding(stream: str, dialect: str) -> Prepared:
    return prepare(_folded(stream, dialect), dialect)


@cache
def _folding_all(stream: str) -> Prepared:
    folded = select(func.count()).select_from(_folded(stream, "postgresql").cte("folded"))
    return prepare(or_fails(folded.scalar_subquery() == bindparam("all")), "postgresql")


def _folded(stream: str, dialect: str) -> Any:
    new = Horizon(bindparam("the_org", type_=Key()), events=lambda event: one_of(event, "the_events", dialect))
    return facts.folded(facts.streams[stream], new)


@cache
def _rebuilding(stream: str, dialect: str) -> Prepared:
    theirs = Horizon(bindparam("the_org", type_=Key()), among=lambda who: one_of(who, "the_customers", dialect))
    return prepare(facts.rebuilt(facts.streams[stream], theirs), dialect)


@cache
def _differing(stream: str) -> Select[Any]:
    return facts.differing(facts.streams[stream], Horizon(bindparam("the_org", type_=Key())))
