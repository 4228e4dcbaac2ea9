"""What a caller gave: inputs as plain values, and a `where` turned into a test for the compiler and the values of its parameters.

Nesting, tests and lists are bounded; an explicit null is refused; a threshold is rounded so that a comparison says of whole units what
it said of the exact number.
"""

from collections.abc import Callable, Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR
from decimal import Decimal as Exactly
from enum import Enum
from functools import cache, partial
from operator import attrgetter
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    get_nullable_type,
)

from app.platform.access import Org
from app.platform.database import instant_text
from app.platform.days import day_number, local_day
from app.platform.ids import PublicId, microseconds
from app.platform.refusals import BadInput
from app.platform.text import fold
from app.query.kind import Exact, Fixed, Flag, Id, Minor, Moment, Position, Text
from app.query.question import All, AnyOf, Compare, Not, Related, Where
from schema.fields import Value, of_part
from schema.filters import filterable
from schema.selection import Later, Place, has_places
from schema.stored import input_json, is_where

DEEPEST, MOST_LEAVES, LONGEST_LIST, MOST_DAYS = 5, 50, 200, 36_500


class NeedsMore(Exception):
    """A question that takes more than one statement to be made."""


class Anew(Exception):
    """It is to be planned for itself: what it asks is more than the same question with other values."""


@dataclass
class Segments:
    """The segments that filters name, and their tests as JSON; None as long as those were not read. `strange`: whether
    they name what can be no segment. `allowed`: whether a filter may name any."""

    tests: Mapping[UUID, str] | None = None
    named: set[UUID] = field(default_factory=set)
    strange: bool = False
    allowed: bool = True


class Parameters(dict[str, Any]):
    """The values of parameters by name: those that were put there, and what clock and organisation say, which is made
    when it is asked for, since a statement asks for little of it. A copy of it is whole. `as_of`: the instant that was
    asked for, if one was, which is then `now`; `clock`: that of the request, all the same."""

    def __init__(self, org: Org, now: datetime) -> None:
        self.org, self.now, self.clock = org, now, now
        self.as_of: datetime | None = None

    def __missing__(self, name: str) -> Any:
        return _SAID[name](self)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        return dict.fromkeys([*_SAID, *super().keys()]).keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


_SAID: dict[str, Callable[[Parameters], Any]] = {
    "now": attrgetter("now"),
    "clock": attrgetter("clock"),
    "today": lambda said: local_day(said.now, said.org.zone),
    "pin": lambda said: microseconds(said.now),
    "org": attrgetter("org.id"),
    "exponent": lambda said: said.org.exponent,
    "unit": lambda said: 10**said.org.exponent,
    "currency": lambda said: said.org.currency,
    "currency_json": lambda said: f'"{said.org.currency}"',
    "instant_suffix": lambda said: f"@{microseconds(said.as_of)}" if said.as_of is not None else "",
    "as_of": lambda said: f'"{instant_text(said.as_of)}"' if said.as_of is not None else "null",
}


# Puts what is made of a value among the parameters, and tells what its question has to know of it. Raises BadInput, and
# Anew for a value that asks another question.
Put = Callable[[Parameters, Any], Any]


@dataclass
class Values:
    """The values of a question's parameters, and how much its filters have asked for so far. `takes`: where it is planned
    to be asked again with other values, which stand as Places: what is said, how it is put, and what that usually tells."""

    given: Parameters
    segments: Segments = field(default_factory=Segments)
    leaves: int = 0
    # Tests that everybody passes.
    idle: int = 0
    memberships: int = 0
    # Of the tests of the segments that they name, each time that they do.
    inherited: int = 0
    takes: list[tuple[Any, Put, Any]] | None = None

    @property
    def now(self) -> datetime:
        return self.given.now

    @property
    def today(self) -> int:
        today: int = self.given["today"]
        return today

    @property
    def exponent(self) -> int:
        return self.given.org.exponent

    def put(self, name: str, value: Any) -> str:
        self.given[name] = value
        return name

    def take(self, said: Any, put: Put, usual: Any = None) -> Any:
        """What a request says, now or each time."""
        if self.takes is None:
            return put(self.given, said)
        self.takes.append((said, put, usual))
        return usual

    def made(self, name: str, said: Any, make: Callable[[Parameters, Any], Any]) -> str:
        """The same, of one parameter."""
        self.take(said, partial(_put, name, make))
        return name


def _put(name: str, make: Callable[[Parameters, Any], Any], given: Parameters, said: Any) -> None:
    given[name] = make(given, said)


@dataclass(frozen=True)
class Extra:
    """A filter without a field: makes its test of what was given."""

    test: Any


def where_of(
    of: type,
    given: Mapping[str, Any],
    path: str,
    values: Values,
    depth: int = 1,
    nodes: Mapping[str, str] | None = None,
) -> Where:
    """The test that a where object asks for."""
    if depth > DEEPEST:
        raise BadInput(f"A filter nests at most {DEEPEST} deep.")
    if isinstance(given, Place):
        raise Anew
    found: list[Where] = []
    for key, value in given.items():
        if value is None:
            raise BadInput("A filter's operator may not be null; leave it out instead.")
        here = f"{path}_{key}"
        if key in ("AND", "OR"):
            each = tuple(
                where_of(of, inner, f"{here}_{n}", values, depth + 1, nodes) for n, inner in enumerate(_bounded(value))
            )
            found.append(All(each) if key == "AND" else AnyOf(each))
        elif key == "NOT":
            found.append(Not(where_of(of, value, here, values, depth + 1, nodes)))
        else:
            aim = filterable[of].keys[key]
            found.append(
                _test_of(of_part(aim, nodes) if nodes and isinstance(aim, Value) else aim, value, here, values, depth)
            )
    return found[0] if len(found) == 1 else All(tuple(found))


def _test_of(aim: Any, value: Any, path: str, values: Values, depth: int) -> Where:
    if isinstance(value, Place):
        raise Anew
    match aim:
        case Value():
            return _compare(aim, value, path, values)
        case Extra():
            if values.takes is not None:
                raise Anew
            if value:
                _leaf(values, value)
            made: Where = aim.test(value, path, values)
            return made
        case (source, target, "one"):
            return Related(source.relation, where_of(target, value, path, values, depth + 1))
        case (source, target, "part"):
            return where_of(target, value, path, values, depth, source.nodes)
        case (source, target, _):
            found: list[Where] = []
            for key, inner in value.items():
                if inner is None:
                    raise BadInput("A filter's operator may not be null; leave it out instead.")
                test: Where = Related(source.relation, where_of(target, inner, f"{path}_{key}", values, depth + 1))
                found.append(Not(test) if key == "none" else test)
            return All(tuple(found))
        case _:
            raise TypeError(f"{path} is no filter.")


def _leaf(values: Values, asked: Any) -> None:
    values.leaves += 1
    # To be none of nothing leaves nobody out.
    values.idle += asked == {"notIn": []}
    if values.leaves > MOST_LEAVES:
        raise BadInput(f"A filter has at most {MOST_LEAVES} tests.")


def _bounded(items: Any) -> Any:
    if isinstance(items, Place):
        raise Anew
    if len(items) > LONGEST_LIST:
        raise BadInput(f"A list in a filter has at most {LONGEST_LIST} items.")
    return items


_NOTHING: Where = AnyOf(())


def _compare(of: Value, given: Mapping[str, Any], path: str, values: Values) -> Where:
    found: list[Where] = []
    for operator, value in given.items():
        _leaf(values, {operator: value})
        if value is None:
            raise BadInput("A filter's operator may not be null; leave it out instead.")
        here = f"{path}_{operator}"
        match operator:
            case "isNull":
                if isinstance(value, Place):
                    raise Anew
                found.append(Compare(of.node, "is_null" if value else "not_null"))
            case "in" | "notIn":
                test: Where = Compare(of.node, "in", values.made(here, value, partial(_listed, of)))
                found.append(test if operator == "in" else Not(test))
            case "eq" if isinstance(of.kind, Id):
                found.append(Compare(of.node, "in", values.made(here, [value], partial(_listed, of))))
            case "eq" if values.takes is None and not _stored(of, value, values.given, "eq"):
                found.append(_NOTHING)
            case "contains" | "startsWith":
                operation = "contains" if operator == "contains" else "starts"
                found.append(Compare(of.folded or of.node, operation, values.made(here, value, _folded)))
            case "withinDays":
                now = "now" if isinstance(of.kind, Moment) else "today"
                found.append(Compare(of.node, "gte", values.made(f"{here}_since", value, partial(_since, now))))
                found.append(Compare(of.node, "lte", values.made(f"{here}_until", now, Parameters.__getitem__)))
            case _:
                found.append(Compare(of.node, operator, values.made(here, value, partial(_only, of, operator))))
    return found[0] if len(found) == 1 else All(tuple(found))


def _only(of: Value, operator: str, given: Parameters, value: Any) -> Any:
    stored = _stored(of, value, given, operator)
    if not stored:
        raise Anew
    return stored[0]


def _listed(of: Value, given: Parameters, items: Any) -> list[Any]:
    return [stored for each in _bounded(items) for stored in _stored(of, each, given, "eq")]


def _folded(_: Parameters, value: str) -> str:
    if "\0" in value:
        raise BadInput("Text has no NUL.")
    return fold(value)


def _since(now: str, given: Parameters, days: int) -> Any:
    if not 0 <= days <= MOST_DAYS:
        raise BadInput(f"withinDays is 0 to {MOST_DAYS}.")
    return given[now] - (timedelta(days=days) if now == "now" else days)


def _stored(of: Value, value: Any, given: Parameters, operator: str) -> list[Any]:
    """The value as it is stored, in a list; empty when nothing stored can equal it."""
    kind = of.kind
    if isinstance(kind, Id):
        public = PublicId.parse(value)
        return [public.key] if public and public.prefix == kind.prefix else []
    if isinstance(kind, Position):
        return [kind.of(value.name)]
    if isinstance(value, Enum):
        return [value.name]
    if isinstance(kind, Fixed | Exact):
        return _scaled(value, kind.decimals, operator)
    if isinstance(kind, Minor):
        return _scaled(value, given.org.exponent, operator)
    if isinstance(value, datetime) or isinstance(kind, Flag):
        return [value]
    if isinstance(value, date):
        return [day_number(value)]
    if isinstance(kind, Text):
        if "\0" in value:
            raise BadInput("Text has no NUL.")
        return [value]
    return [value]


_FURTHEST = 2**62


def _scaled(value: Any, decimals: int, operator: str) -> list[int]:
    """In units: rounded so that the comparison says what it said of the exact number."""
    exact = Exactly(str(value)).scaleb(decimals)
    whole = int(exact.to_integral_value(ROUND_CEILING if operator in ("gte", "lt") else ROUND_FLOOR))
    if operator == "eq" and whole != exact:
        return []
    return [max(-_FURTHEST, min(_FURTHEST, whole))]


# ------------------------------------------------------------------ inputs as plain values


def plain(type_: Any, value: Any) -> Any:
    """A coerced argument as plain values: input objects as dictionaries in snake case, without what was left out; enums by name; a
    filter of customers as the JSON that was given."""
    type_ = get_nullable_type(type_)
    if value is None:
        return None
    if isinstance(value, Place):
        return value if isinstance(type_, GraphQLScalarType) else Later(value, partial(plain, type_))
    if isinstance(type_, GraphQLList):
        return [plain(type_.of_type, each) for each in value]
    if isinstance(type_, GraphQLInputObjectType):
        if is_where(type_):
            return Later(value, partial(input_json, type_)) if has_places(value) else input_json(type_, value)
        named = _fields_of(type_)
        return {named[key][0]: plain(named[key][1], each) for key, each in value.items()}
    if isinstance(type_, GraphQLEnumType) and isinstance(value, Enum):
        return value.name
    if isinstance(type_, GraphQLNonNull):
        raise TypeError("A nullable type is not non-null.")
    return value


@cache
def _fields_of(type_: GraphQLInputObjectType) -> dict[str, tuple[str, Any]]:
    """The name of each field in snake case, and its type, by the name under which it was coerced."""
    return {field.out_name or name: (snake(name), field.type) for name, field in type_.fields.items()}


@cache
def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
