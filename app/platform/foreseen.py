"""An action carried out in memory: what it would write, and what must hold for that, without a look at the database.

Most changes need no more than their own words, and what is nearly always so: the customer is there, the reference is
new. Such an action is run on a Foreseen, which has the verbs of a Work but no session. What it leaves is data: the
steps of many callers are taken together, in a few statements of one transaction (writer.py). Where something does not
hold, or the action asks for the session after all, the same action is done again on a Work, which looks before it
writes and knows the words of a refusal. So no action is written twice, and whoever writes one need not know of this.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, Text, bindparam, func, literal_column, select

from app.platform.access import Caller
from app.platform.database import Base, Key
from app.platform.sending import Prepared, each_of, key_from, one_of, or_fails, prepare
from app.platform.steps import UNKNOWN, Look, Step, Writing, changes_of, rows_of
from app.platform.work import Work


class Unforeseen(Exception):
    """It cannot be told without looking."""


_NOTHING = nullcontext()


class Foreseen(Work):
    """A Work that writes nothing yet."""

    def __init__(self, caller: Caller, now: datetime, seen: Mapping[Any, Any] | None = None) -> None:
        self.caller, self.now, self._seen = caller, now, seen or {}
        self.steps: dict[Step, list[Any]] = {}
        self._changes: dict[tuple[type[Base], UUID], tuple[str, ...]] = {}

    def __getattr__(self, name: str) -> Any:
        # There is no session here.
        raise Unforeseen(name)

    def foresees(self, step: Any, value: Any) -> bool:
        self.steps.setdefault(step, []).append(value)
        return True

    def insert(self, table: type[Base], rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.steps.setdefault(rows_of(table.__table__, tuple(row)), []).append(row)

    def update(self, table: type[Base], rows: list[dict[str, Any]]) -> None:
        for row in rows:
            columns = tuple(row)
            # Other columns of the same row are another step: which of the two comes last would not be told.
            if self._changes.setdefault((table, row["id"]), columns) != columns:
                raise Unforeseen(table.__tablename__)
            self.steps.setdefault(changes_of(table.__table__, columns), []).append(row)

    def look(self, look: Look, values: Sequence[Any]) -> Mapping[Any, Any]:
        """What was read before; nothing else can be."""
        found = {}
        for value in values:
            seen = self._seen.get((look, value), UNKNOWN)
            if seen is UNKNOWN:
                raise Unforeseen(type(look).__name__)
            if seen is not None:
                found[value] = seen
        return found

    def savepoint(self) -> AbstractContextManager[Any]:
        return _NOTHING

    def claims(self) -> set[Any]:
        """What it must have for itself."""
        return {(step, value) for step, values in self.steps.items() if step.exclusive for value in values}

    def changed(self) -> AbstractSet[Any]:
        """The rows that it changes, as it has seen them."""
        return self._changes.keys()

    def rests_on(self, step: Step, refuted: AbstractSet[Any]) -> bool:
        return not refuted.isdisjoint(self.steps.get(step, ()))


def merged(works: Iterable[Foreseen]) -> list[tuple[Step, list[Any]]]:
    """The steps of all of them in order, each with everybody's values."""
    steps: dict[Step, list[Any]] = {}
    for each in works:
        for step, values in each.steps.items():
            steps.setdefault(step, []).extend(values)
    return sorted(steps.items(), key=lambda item: item[0].place)


# ------------------------------------------------------------------ what must hold


@dataclass(frozen=True, eq=False)
class There(Step):
    """The row with this id is there, and stays locked until the end. One is made for a table, and no other is equal."""

    table: Table
    exclusive = True
    insists = True

    def send(self, writing: Writing, values: Sequence[UUID]) -> Any:
        return writing.send(_held(self.table, writing.dialect), {"org": writing.org_id, "ids": sorted(set(values))})

    def insist(self, writing: Writing, values: Sequence[UUID]) -> None:
        ids = sorted(set(values))
        writing.send(_all_held(self.table), {"org": writing.org_id, "ids": ids, "all": len(ids)})

    def finish(self, writing: Writing, values: Sequence[UUID], sent: Any) -> set[UUID]:
        return set(values) - {key_from(row[0]) for row in writing.read(sent)}


@cache
def _held(table: Table, dialect: str) -> Prepared:
    return prepare(_holding(table, dialect), dialect)


@cache
def _all_held(table: Table) -> Prepared:
    held = select(func.count()).select_from(_holding(table, "postgresql").cte("held"))
    return prepare(or_fails(held.scalar_subquery() == bindparam("all")), "postgresql")


def _holding(table: Table, dialect: str) -> Select[Any]:
    mine = table.c.org_id == bindparam("org", type_=Key()), one_of(table.c.id, "ids", dialect)
    # Many would wait for one: whoever is locked by another is passed over, and waited for apart.
    return select(table.c.id).where(*mine).with_for_update(skip_locked=True)


@dataclass(frozen=True, eq=False)
class Unused(Step):
    """No row has this pair of words in these columns, leaving out those where `ended` is set: of these it must be
    unique. One is made for each."""

    table: Table
    columns: tuple[str, str]
    ended: str | None = None
    exclusive = True
    insists = True

    def __post_init__(self) -> None:
        unique = [self.table.primary_key.columns, *(index.columns for index in self.table.indexes if index.unique)]
        if {"org_id", *self.columns} not in [set(columns.keys()) for columns in unique]:
            raise TypeError(f"Nothing keeps {self.columns} of {self.table.name} unique.")

    def send(self, writing: Writing, values: Sequence[tuple[str, str]]) -> Any:
        return writing.send(_using(self, writing.dialect), {"org": writing.org_id, "pairs": values})

    def insist(self, writing: Writing, values: Sequence[tuple[str, str]]) -> None:
        """Nothing is to be sent: to insert a pair that is used fails by itself."""

    def finish(self, writing: Writing, values: Sequence[tuple[str, str]], sent: Any) -> set[tuple[str, str]]:
        return {(first, second) for first, second in writing.read(sent)}


@cache
def _using(unused: Unused, dialect: str) -> Prepared:
    given = each_of("pairs", dialect)
    words = [given.c.value.op("->>", return_type=Text())(literal_column(place)) for place in "01"]
    table = unused.table
    mine = [table.c.org_id == bindparam("org", type_=Key())]
    if unused.ended:
        mine.append(table.c[unused.ended].is_(None))
    same = [table.c[name] == word for name, word in zip(unused.columns, words, strict=True)]
    # Counted for each pair: of a table that was empty when this was planned, a join would read all that came since.
    used = select(func.count()).select_from(table).where(*mine, *same).correlate(given).scalar_subquery()
    return prepare(select(*words).select_from(given).where(used > literal_column("0")), dialect)
