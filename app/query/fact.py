"""A fact: an aggregate over the events that point at a subject, stored beside it and kept by the actions.

One definition, four uses: the stored row is folded from a new event, rebuilt from all events, verified against them,
and, for a clock in the past, replaced by the same aggregate over the events up to then. Only the source of the facts
changes; no measure knows.

    bought = customer_facts.fed_by("bought", rows, newest="newest_order_at")
    bought.count("kept_orders", lambda e: e.kept)
    bought.latest("inbound", 6, lambda e: e.day, where=lambda e: e.inbound)

Folding appends: it takes one event that is later than all known of its kind. A late one, or one taken out, rebuilds
the subject's row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Table,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.expression import Update
from sqlalchemy.sql.functions import Function
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import TypeEngine

# The last day through which a judgement stands (app/query/standing.py): none, since its facts have changed; or any.
OPEN, FAR = -100_000, 2_000_000
_AGGREGATES = frozenset({"sum", "min", "max"})

Row = Any  # the columns of an events select, by attribute: e.day, e.kept
Rule = Callable[[Row], ColumnElement[Any]]
Among = Callable[[ColumnElement[Any]], ColumnElement[bool]]


@dataclass(frozen=True)
class Horizon:
    """Which events are meant: of one organisation, up to an instant (None: all), of some subjects, or some of them
    by their ids."""

    org: ColumnElement[Any]
    until: ColumnElement[Any] | None = None
    among: Among | None = None
    events: Among | None = None

    def of(self, table: Any, *, at: Any, subject: Any) -> ColumnElement[bool]:
        """The condition on one table of events."""
        tests = [table.org_id == self.org]
        if self.until is not None:
            tests.append(at <= self.until)
        if self.among is not None:
            tests.append(self.among(subject))
        if self.events is not None:
            tests.append(self.events(table.id))
        return and_(*tests)


@dataclass(frozen=True)
class Fact:
    """One stored column. `value` makes it of all events, `fold` of the old row and a later event; `empty` is what it
    is without events."""

    key: str
    type: TypeEngine[Any]
    empty: int | None
    value: Rule
    fold: Callable[[Any, Any], ColumnElement[Any]]
    rank: str | None = None

    def or_empty(self, found: ColumnElement[Any]) -> ColumnElement[Any]:
        return found if self.empty is None else func.coalesce(found, constant(self.empty))


@dataclass
class Events:
    """A stream of events and the facts made of it. `rows` selects `subject` and whatever the rules name; `newest` is
    a fact that holds the latest instant, for a stream whose events are merely added to each other."""

    name: str
    rows: Callable[[Horizon], Select[Any]]
    newest: str | None
    table: "FactTable"
    facts: list[Fact] = field(default_factory=list)
    ranks: dict[str, Rule] = field(default_factory=dict)

    def count(self, key: str, where: Rule | None = None) -> None:
        """How many events, or how many for which it holds."""
        self.total(key, (lambda e: _when(where(e))) if where else (lambda _: constant(1)))

    def total(self, key: str, value: Rule) -> None:
        """The sum of a whole number; unknown ones count for nothing."""
        self._hold(
            Fact(
                key,
                BigInteger(),
                0,
                lambda e: _whole(func.coalesce(func.sum(value(e)), 0)),
                lambda old, new: old[key] + new[key],
            )
        )

    def first(self, key: str, type_: TypeEngine[Any], value: Rule, where: Rule | None = None) -> None:
        """The least value."""
        # A later event in time is never the first; a complaint's day, say, only counts while none is older.
        self._hold(
            Fact(
                key,
                type_,
                None,
                lambda e: func.min(_only(value, where)(e)),
                lambda old, new: case(
                    (new[key] < func.coalesce(old[key], new[key]), new[key]), else_=func.coalesce(old[key], new[key])
                ),
            )
        )

    def last(self, key: str, type_: TypeEngine[Any], value: Rule, where: Rule | None = None) -> None:
        """The greatest value."""
        self._hold(
            Fact(
                key,
                type_,
                None,
                lambda e: func.max(_only(value, where)(e)),
                lambda old, new: func.coalesce(new[key], old[key]),
            )
        )

    def latest(self, key: str, size: int, value: Rule, where: Rule) -> None:
        """The values of the latest events for which it holds, as `key_1` (the latest) to `key_<size>`."""
        self._rank(key, func.row_number, where, lambda e: [value(e)])
        for n in range(1, size + 1):
            self._hold(
                Fact(
                    f"{key}_{n}", BigInteger(), None, _ranked(key, n, value, where), _shift(key, n, _any_new(key)), key
                )
            )

    def distinct(self, key: str, size: int, total: str, value: Rule, where: Rule) -> None:
        """The latest different values, as `latest` gives them, and in `total` how many different ones there are."""
        self._rank(key, func.dense_rank, where, lambda e: [value(e)])

        def fresh(old: Any, new: Any) -> ColumnElement[bool]:
            return and_(new[f"{key}_1"].is_not(None), new[f"{key}_1"].is_distinct_from(old[f"{key}_1"]))

        self._hold(
            Fact(
                total,
                BigInteger(),
                0,
                lambda e: func.coalesce(func.max(case((where(e), e[f"{key}_rank"]))), 0),
                lambda old, new: old[total] + _when(fresh(old, new)),
                key,
            )
        )
        for n in range(1, size + 1):
            self._hold(
                Fact(f"{key}_{n}", BigInteger(), None, _ranked(key, n, value, where), _shift(key, n, fresh), key)
            )

    def answer(
        self, rank: str, values: dict[str, Rule], where: Rule, order: Callable[[Row], Sequence[ColumnElement[Any]]]
    ) -> None:
        """What the latest event for which it holds says: all values come from that one event."""
        self._rank(rank, func.row_number, where, order)
        sign = next(iter(values))
        for key, value in values.items():

            def fold(old: Any, new: Any, key: str = key) -> ColumnElement[Any]:
                return case((new[sign].is_not(None), new[key]), else_=old[key])

            self._hold(Fact(key, BigInteger(), None, _ranked(rank, 1, value, where), fold, rank))

    def aggregate(
        self, horizon: Horizon, keys: Iterable[str] | None = None, name: str | None = None, *, single: bool = False
    ) -> Subquery:
        """One row a subject that has events: `subject` and the facts asked for (all). `single`: each has one event."""
        name = name or self.name
        wanted = None if keys is None else set(keys)
        facts = [fact for fact in self.facts if wanted is None or fact.key in wanted]
        rows = self.rows(horizon)
        # Found by their ids, and only then grouped: SQLite would rather read everyone's in the order of the groups.
        events: FromClause = (
            rows.cte(f"{name}_events").prefix_with("MATERIALIZED") if single else rows.subquery(f"{name}_events")
        )
        # Of a single event every rank is the first.
        ranks = [
            (constant(1) if single else self.ranks[rank](Columns(events))).label(f"{rank}_rank")
            for rank in dict.fromkeys(f.rank for f in facts)
            if rank
        ]
        if ranks:
            events = select(events, *ranks).subquery(f"{name}_ranked")
        e = Columns(events)
        if single:
            return select(e.subject, *(_of_one(fact.value(e)).label(fact.key) for fact in facts)).subquery(name)
        return select(e.subject, *(fact.value(e).label(fact.key) for fact in facts)).group_by(e.subject).subquery(name)

    def _hold(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.table.hold(fact, self)

    def _rank(self, key: str, function: Any, where: Rule, order: Callable[[Row], Sequence[ColumnElement[Any]]]) -> None:
        self.ranks[key] = lambda e: function().over(
            partition_by=[e.subject, _when(where(e))], order_by=[o.desc() for o in order(e)]
        )


class FactTable:
    """A table with one row of facts a subject: the columns are those that the streams of events declare.

    `until`: the column that says through which day what was judged of a row stands. Whatever changes the row opens
    it. `judged_from`: the facts on which that rests; None while no judgement is known, and then it rests on all.
    """

    def __init__(self, table: Table, subject: str, until: str) -> None:
        self.table = table
        self.subject = subject
        self.until = until
        self.judged_from: frozenset[str] | None = None
        self.streams: dict[str, Events] = {}
        self.facts: dict[str, Fact] = {}
        self._stream_of: dict[str, Events] = {}

    def fed_by(self, name: str, rows: Callable[[Horizon], Select[Any]], newest: str | None = None) -> Events:
        """A stream of events whose facts are to be kept here."""
        self.streams[name] = Events(name, rows, newest, self)
        return self.streams[name]

    def hold(self, fact: Fact, stream: Events) -> None:
        """Give a fact its column."""
        if fact.key in self.facts:
            raise ValueError(f"The fact {fact.key} is declared twice.")
        self.facts[fact.key] = fact
        self._stream_of[fact.key] = stream
        default = None if fact.empty is None else str(fact.empty)
        self.table.append_column(Column(fact.key, fact.type, nullable=fact.empty is None, server_default=default))

    def stream_of(self, key: str) -> Events:
        return self._stream_of[key]

    def folded(self, stream: Events, horizon: Horizon) -> Any:
        """Fold the horizon's events, one of each subject, into their subjects' rows; returns the subjects. Changes no
        row whose event is not later than all known of its stream."""
        if stream.newest is None:
            raise TypeError(f"{stream.name} is never folded: a new event there takes back what an older one said.")
        new = stream.aggregate(horizon, single=True)
        old = self.table.c
        values = {fact.key: fact.fold(old, new.c) for fact in stream.facts}
        return (
            update(self.table)
            .where(
                old.org_id == horizon.org,
                old[self.subject] == new.c.subject,
                or_(old[stream.newest].is_(None), old[stream.newest] < new.c[stream.newest]),
            )
            .values({**values, **self._opened_by(values)})
            .returning(old[self.subject])
        )

    def rebuilt(self, stream: Events, horizon: Horizon) -> Update:
        """Recompute the rows of the horizon's subjects from all their events of one stream."""
        found = self._beside(stream, horizon).subquery("found")
        values: dict[str, ColumnElement[Any]] = {fact.key: found.c[fact.key] for fact in stream.facts}
        return (
            update(self.table)
            .where(self.table.c.org_id == horizon.org, self.table.c[self.subject] == found.c.subject)
            .values({**values, **self._opened_by(values)})
        )

    def opened(self, horizon: Horizon) -> Update:
        """Open the rows of the horizon's subjects: what else their judgement rests on has changed."""
        table = self.table.c
        tests = [table.org_id == horizon.org]
        if horizon.among is not None:
            tests.append(horizon.among(table[self.subject]))
        return update(self.table).where(*tests).values({self.until: constant(OPEN)})

    def _opened_by(self, values: dict[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
        """Opens a row when what its judgement rests on changes."""
        old = self.table.c
        changes = [
            old[key].is_distinct_from(value)
            for key, value in values.items()
            if self.judged_from is None or key in self.judged_from
        ]
        return {self.until: case((or_(*changes), constant(OPEN)), else_=old[self.until])} if changes else {}

    def differing(self, stream: Events, horizon: Horizon) -> Select[Any]:
        """Subjects whose stored row differs from its events, with the keys of the facts that do as 1 in columns of
        their names."""
        found = self._beside(stream, horizon).subquery("found")
        stored = self.table.alias("stored")
        differs = {fact.key: stored.c[fact.key].is_distinct_from(found.c[fact.key]) for fact in stream.facts}
        return (
            select(stored.c[self.subject].label("subject"), *(_when(test).label(key) for key, test in differs.items()))
            .join_from(stored, found, and_(stored.c.org_id == horizon.org, stored.c[self.subject] == found.c.subject))
            .where(or_(*differs.values()))
        )

    def _beside(self, stream: Events, horizon: Horizon) -> Select[Any]:
        """Every subject of the horizon with the facts its events make, empty ones included."""
        # Made once: a planner that has not counted the tables yet would make it anew for every subject.
        made = select(stream.aggregate(horizon, name=f"{stream.name}_made")).cte(stream.name)
        made = made.prefix_with("MATERIALIZED")
        known = self.table.alias("known")
        subjects = [known.c.org_id == horizon.org]
        if horizon.among is not None:
            subjects.append(horizon.among(known.c[self.subject]))
        return (
            select(
                known.c[self.subject].label("subject"),
                *(fact.or_empty(made.c[fact.key]).label(fact.key) for fact in stream.facts),
            )
            .join_from(known, made, made.c.subject == known.c[self.subject], isouter=True)
            .where(*subjects)
        )


class Columns:
    """The columns of a source by attribute and by name."""

    def __init__(self, source: FromClause) -> None:
        self._columns = source.c

    def __getattr__(self, key: str) -> ColumnElement[Any]:
        return self._columns[key]

    def __getitem__(self, key: str) -> ColumnElement[Any]:
        return self._columns[key]


def constant(value: int) -> ColumnElement[int]:
    """A number of the rule itself: written into the statement, so that it reads as the rule does and needs no
    parameter."""
    return literal_column(str(value), BigInteger())


def _when(test: ColumnElement[bool]) -> ColumnElement[int]:
    return case((test, constant(1)), else_=constant(0))


def _whole(number: ColumnElement[Any]) -> ColumnElement[int]:
    # PostgreSQL sums bigints into a numeric.
    return cast(number, BigInteger)


def _only(value: Rule, where: Rule | None) -> Rule:
    return value if where is None else lambda e: case((where(e), value(e)))


def _ranked(rank: str, n: int, value: Rule, where: Rule) -> Rule:
    return lambda e: func.max(case((and_(where(e), e[f"{rank}_rank"] == constant(n)), value(e))))


def _of_one(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The value of a single row: its sum, its least and its greatest are all that row's own. To set up dozens of
    aggregates takes a database longer than all else that it does to fold an event."""

    def alone(element: Any, **_: Any) -> Any:
        if isinstance(element, Function) and element.name in _AGGREGATES:
            [of_row] = element.clauses
            return of_row
        return None

    found: ColumnElement[Any] = replacement_traverse(value, {}, alone)
    return found


def _any_new(key: str) -> Callable[[Any, Any], ColumnElement[bool]]:
    return lambda _, new: new[f"{key}_1"].is_not(None)


def _shift(
    key: str, n: int, fresh: Callable[[Any, Any], ColumnElement[bool]]
) -> Callable[[Any, Any], ColumnElement[Any]]:
    def fold(old: Any, new: Any) -> ColumnElement[Any]:
        newer = new[f"{key}_1"] if n == 1 else old[f"{key}_{n - 1}"]
        return case((fresh(old, new), newer), else_=old[f"{key}_{n}"])

    return fold
