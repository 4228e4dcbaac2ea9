"""Statements that are made once and handed to the driver as they are: what is written often is not built each time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    Dialect,
    Select,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement, TableValuedAlias
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.platform.database import Binder, Instant, Key, as_it_is, binder
from app.platform.ids import numbered
from app.platform.tenancy import check


def spelling(dialect: Dialect) -> Dialect:
    """Numbers and words of the statement itself are written into it; only what is bound by name is a parameter."""
    base: Any = dialect.statement_compiler

    class Spelling(base):  # type: ignore[misc]
        def visit_bindparam(self, bindparam: Any, literal_binds: bool = False, **options: Any) -> Any:
            return super().visit_bindparam(bindparam, literal_binds=literal_binds or bindparam.unique, **options)

    dialect.statement_compiler = Spelling
    return dialect


@cache
def dialect_of(name: str) -> Dialect:
    in_postgresql: Any = postgresql.psycopg.dialect
    return spelling(in_postgresql() if name == "postgresql" else sqlite.dialect(paramstyle="named"))


@dataclass(frozen=True)
class Prepared:
    """A statement as it is sent, and how each parameter's value is handed to the driver."""

    text: str
    binders: Mapping[str, Binder]

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: bind(values[name]) for name, bind in self.binders.items()}


def prepare(statement: ClauseElement, dialect: str) -> Prepared:
    """Refused, as when it is run, if a table's organisation is not named."""
    check(statement)
    spelled = dialect_of(dialect)
    compiled: Any = statement.compile(dialect=spelled, compile_kwargs={"render_postcompile": True})
    binders = {name: binder(bound.type, spelled) for name, bound in compiled.binds.items() if name in compiled.params}
    return Prepared(str(compiled), binders)


class JsonList(TypeDecorator[Any]):
    """A list as the JSON text that SQLite's json_each reads."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> str:
        bind = binder(self.item, dialect)
        return orjson.dumps([bind(item) for item in value or ()]).decode()


class JsonText(TypeDecorator[Any]):
    """A value as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return orjson.dumps(value).decode()


def each_of(name: str, dialect: str) -> TableValuedAlias:
    """What is in the list that is given by that name: a table of JSON values, in the column `value`."""
    given = bindparam(name, type_=JsonText())
    on_postgresql = dialect == "postgresql"
    made = func.json_array_elements(cast(given, JSON)) if on_postgresql else func.json_each(given)
    return made.table_valued("value", name=f"each_{name}")


def one_of(tested: ColumnElement[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Whether it is in the list that is given by that name: one parameter, however long the list is."""
    if dialect == "postgresql":
        return tested == any_(bindparam(name, type_=postgresql.ARRAY(tested.type)))
    each = func.json_each(bindparam(name, type_=JsonList(tested.type))).table_valued("value", name=f"each_{name}")
    return tested.in_(select(each.c.value))


def or_fails(holds: ColumnElement[bool]) -> Select[Any]:
    """A statement that divides by zero where that does not hold: the one way to fail without a function of our own."""
    one: Any = literal_column("1")
    return select(one / case((holds, one), else_=literal_column("0")))


def key_from(value: Any) -> UUID:
    """A key as the driver gives it."""
    # As a number: a UUID looks long at a text for dashes, and SQLite's have none.
    return numbered(int(value, 16)) if isinstance(value, str) else value


def reading(columns: Sequence[ColumnElement[Any]], dialect: str) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """Turns a row of these columns, as the driver gives it, into values by name."""
    names = [column.name for column in columns]
    if dialect == "postgresql":
        # Its driver makes each what it is; all our connections have their instants in UTC.
        return lambda row: dict(zip(names, row, strict=True))
    readers = [(column.name, reader) for column in columns if (reader := _READERS.get(type(column.type)))]

    def read(row: Sequence[Any]) -> dict[str, Any]:
        found = dict(zip(names, row, strict=True))
        for name, reader in readers:
            if found[name] is not None:
                found[name] = reader(found[name])
        return found

    return read


def binding(columns: Sequence[ColumnElement[Any]], dialect: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    """Turns values by name into a row of these columns, as the driver takes it."""
    pick: Any = itemgetter(*[column.name for column in columns])
    binders = [(place, binder(column.type, dialect_of(dialect))) for place, column in enumerate(columns)]
    changing = [(place, bind) for place, bind in binders if bind is not as_it_is]
    if len(columns) == 1:
        return lambda values: [binders[0][1](pick(values))]

    def bind(values: Mapping[str, Any]) -> list[Any]:
        row = list(pick(values))
        for place, change in changing:
            row[place] = change(row[place])
        return row

    return bind


def _instant_from(value: Any) -> datetime:
    found: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo is UTC else found.astimezone(UTC)


def _flag_from(value: Any) -> bool:
    return value in (True, 1)


_READERS: dict[type, Callable[[Any], Any]] = {Key: key_from, Instant: _instant_from, Boolean: _flag_from}
