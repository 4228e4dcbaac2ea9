"""Statements that are made once and take many values: what a writer sends for all who wait, and a Work for itself."""

from collections.abc import Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import Table

from app.platform.database import Base, as_it_is
from app.platform.sending import Prepared, binding

Found = TypeVar("Found")
# What is done in turns: at each yield the answers to what was sent are waited for, or others have their turn.
Turns = Generator[None, None, Found]


class Writing(Protocol):
    """An open transaction of one organisation."""

    @property
    def dialect(self) -> str: ...

    @property
    def org_id(self) -> UUID: ...

    def send(self, prepared: Prepared, values: Mapping[str, Any]) -> Any:
        """Its answer is there for `read` once it was waited for (Turns)."""

    def send_many(self, prepared: Prepared, rows: Sequence[Sequence[Any]]) -> Any:
        """The same for each of these rows of parameters."""

    def read(self, sent: Any) -> Sequence[Any]: ...


class Step:
    """One thing to do, for many values at once. Lower places are taken first; at 0 stand the premises, which write
    nothing. `exclusive`: of those written together only one may have a value; `insists`: it can be sent so that the
    database fails where it does not hold; `goes_on`: it may send more once it is answered."""

    place = 0
    exclusive = False
    insists = False
    goes_on = False

    def send(self, writing: Writing, values: Sequence[Any]) -> Any:
        raise NotImplementedError

    def insist(self, writing: Writing, values: Sequence[Any]) -> None:
        """The same; where it does not hold the database fails, and does nothing of what is sent with it."""
        raise NotImplementedError

    def finish(self, writing: Writing, values: Sequence[Any], sent: Any) -> AbstractSet[Any]:
        """Once all is sent: the values of which it turned out not to hold."""
        return frozenset()


# Of a value that could not be looked up: somebody else has it in use.
UNKNOWN: Any = object()


class Look(Step):
    """Something to be read before an action runs in memory; what its values name is locked first, where it changes."""

    exclusive = True
    asks_more = False

    def more(self, writing: Writing, values: Sequence[Any], sent: Any) -> Any:
        """Ask what can be asked only when what was sent is answered, if it `asks_more`; `found` is given what this
        returns."""
        return sent

    def found(self, writing: Writing, values: Sequence[Any], sent: Any) -> Mapping[Any, Any]:
        """What there is of each value, once all is answered; one that is missing here is not there."""
        raise NotImplementedError


class Rows(Step):
    """New rows of a table, which give these columns."""

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self.table, self.columns, self.place = table, columns, 1 + _order()[table]

    def send(self, writing: Writing, values: Sequence[dict[str, Any]]) -> Any:
        prepared, bind = _inserting(self, writing.dialect)
        if writing.dialect == "postgresql":
            rows = [{**value, "org_id": writing.org_id} for value in values]
            return writing.send(prepared, {"rows": orjson.dumps(rows).decode()})
        org = writing.org_id.hex
        return writing.send_many(prepared, [(org, *bind(row)) for row in values])


@cache
def rows_of(table: Table, columns: tuple[str, ...]) -> Rows:
    return Rows(table, columns)


AFTER_ROWS = 1000


@cache
def _order() -> Mapping[Table, int]:
    """Rows that are pointed at come before those that point to them."""
    return {table: place for place, table in enumerate(Base.metadata.sorted_tables)}


@cache
def _inserting(rows: Rows, dialect: str) -> tuple[Prepared, Any]:
    names, table = ", ".join(("org_id", *rows.columns)), rows.table.name
    if dialect == "postgresql":
        # One parameter for all rows, of which the database reads each column as its own type.
        source = f"json_populate_recordset(NULL::{table}, %(rows)s::json)"
        text = f"INSERT INTO {table} ({names}) SELECT {names} FROM {source}"
        return Prepared(text, {"rows": str}), None
    marks = ", ".join("?" * (len(rows.columns) + 1))
    bind = binding([rows.table.c[name] for name in rows.columns], dialect)
    return Prepared(f"INSERT INTO {table} ({names}) VALUES ({marks})", {}), bind


# ------------------------------------------------------------------ changed rows


class Changes(Step):
    """Rows of a table, known by their ids, whose columns become these."""

    def __init__(self, table: Table, columns: tuple[str, ...]) -> None:
        self.table, self.columns, self.place = table, columns, AFTER_ROWS - 1

    def send(self, writing: Writing, values: Sequence[dict[str, Any]]) -> Any:
        prepared, bind = _changing(self, writing.dialect)
        if writing.dialect == "postgresql":
            return writing.send(prepared, {"org": writing.org_id, "rows": orjson.dumps(values).decode()})
        org = writing.org_id.hex
        return writing.send_many(prepared, [(*bind(row), org) for row in values])


@cache
def changes_of(table: Table, columns: tuple[str, ...]) -> Changes:
    return Changes(table, columns)


@cache
def _changing(changes: Changes, dialect: str) -> tuple[Prepared, Any]:
    table = changes.table.name
    names = [name for name in changes.columns if name != "id"]
    if dialect == "postgresql":
        source = f"json_populate_recordset(NULL::{table}, %(rows)s::json)"
        sets = ", ".join(f"{name} = given.{name}" for name in names)
        text = f"UPDATE {table} AS t SET {sets} FROM {source} AS given WHERE t.org_id = %(org)s AND t.id = given.id"
        return Prepared(text, {"org": as_it_is, "rows": as_it_is}), None
    sets = ", ".join(f"{name} = ?" for name in names)
    bind = binding([changes.table.c[name] for name in (*names, "id")], dialect)
    return Prepared(f"UPDATE {table} SET {sets} WHERE id = ? AND org_id = ?", {}), bind
