"""Filters and orders, derived from the fields: the path that selects a value is the path that filters and sorts it.

A where type is made for each type of rows and of parts. `where_of` turns what a caller gave into a test for the compiler and its values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR
from decimal import Decimal as Exactly
from enum import Enum
from typing import Any

import strawberry

from app.platform.days import day_number
from app.platform.ids import PublicId
from app.platform.refusals import BadInput
from app.platform.text import fold
from app.query.kind import Exact, Fixed, Flag, Id, Minor, Moment, Name, Position, Text
from app.query.question import All, AnyOf, Compare, Not, Related, Where
from schema.enums import OrderDirection, named_enum
from schema.fields import SOURCE, Money, PartOf, Value, of_part
from schema.fields import Related as RelatedField
from schema.scalars import Date, DateTime, Decimal

DEEPEST, MOST_LEAVES, LONGEST_LIST, MOST_DAYS = 5, 50, 200, 36_500

_made: dict[str, type] = {}


def named(name: str) -> type:
    """The class of an input type that is filled in once all types are known."""
    if name not in _made:
        _made[name] = type(name, (), {"__module__": __name__})
    return _made[name]


def _fill(name: str, fields: Mapping[str, tuple[Any, str | None]], description: str) -> type:
    """Make an input type of optional fields: type and description by Python name."""
    made = named(name)
    if hasattr(made, "__strawberry_definition__"):
        return made
    made.__annotations__ = {key: type_ for key, (type_, _) in fields.items()}
    for key, (_, said) in fields.items():
        setattr(
            made,
            key,
            strawberry.field(
                default=strawberry.UNSET,
                description=said,
                name=key.rstrip("_") if key.isupper() or key.endswith("_") else None,
            ),
        )
    return strawberry.input(made, name=name, description=description)


_EQ, _IN, _NOT_IN = (
    "Equal.",
    "One of these; an empty list matches nothing.",
    "None of these; unknown values pass, an empty list passes everything.",
)
_NULL = "Whether it is unknown."


def _compared(type_: Any, *, ends: str = "") -> dict[str, tuple[Any, str | None]]:
    return {
        "gte": (type_ | None, f"At least{ends}."),
        "gt": (type_ | None, f"More than{ends}."),
        "lte": (type_ | None, f"At most{ends}."),
        "lt": (type_ | None, f"Less than{ends}."),
    }


def _listed(type_: Any) -> dict[str, tuple[Any, str | None]]:
    return {"eq": (type_ | None, _EQ), "in_": (list[type_] | None, _IN), "not_in": (list[type_] | None, _NOT_IN)}


def _make_plain_filters() -> None:
    said = "All operators given must hold. A comparison with an unknown value is false; an explicit null is refused."
    null: dict[str, tuple[Any, str | None]] = {"is_null": (bool | None, _NULL)}
    within: dict[str, tuple[Any, str | None]] = {
        "within_days": (int | None, "In the last so many days of the question's clock.")
    }
    folded: dict[str, tuple[Any, str | None]] = {
        "contains": (str | None, "Has this part, whatever the case; % and _ are themselves."),
        "starts_with": (str | None, "Begins with this, whatever the case."),
    }
    plain: dict[str, dict[str, tuple[Any, str | None]]] = {
        "IDFilter": _listed(strawberry.ID),
        "StringFilter": {**_listed(str), **folded, **null},
        "IntFilter": {**_listed(int), **_compared(int), **null},
        "FloatFilter": {**_compared(float), **null},
        "DecimalFilter": {"eq": (Decimal | None, _EQ), **_compared(Decimal), **null},
        "DateTimeFilter": {**_compared(DateTime, ends=" that instant"), **within, **null},
        "DateFilter": {"eq": (Date | None, _EQ), **_compared(Date, ends=" that day"), **within, **null},
        "BooleanFilter": {"eq": (bool | None, _EQ)},
    }
    for name, fields in plain.items():
        _fill(name, fields, said)


def _filter_of(value: Value) -> type:
    kind = value.kind
    if isinstance(kind, Name | Position):
        enum: Any = kind.enum
        name = enum.__strawberry_definition__.name
        fields = _listed(enum) | ({"is_null": (bool | None, _NULL)} if value.nullable else {})
        return _fill(f"{name}Filter", fields, f"Compares a {name}. All operators given must hold.")
    plain = {"Text": "StringFilter", "Id": "IDFilter", "Int": "IntFilter", "Money": "DecimalFilter"}
    return named(plain.get(kind.name, f"{kind.name}Filter"))


# ------------------------------------------------------------------ what a where type can name


@dataclass
class Filterable:
    """A type whose fields can be filtered by: what each key of its where type leads to."""

    keys: dict[str, Any] = field(default_factory=dict)


_filterable: dict[type, Filterable] = {}


def where_type(of: type) -> type:
    return named(f"{of.__name__}Where")


def make(*types: type) -> None:
    """Make the where types of these types of rows, and of their parts; once, when all types are known."""
    _make_plain_filters()
    for each in types:
        _make_where(each)


def _make_where(of: type) -> type:
    where = where_type(of)
    if of in _filterable:
        return where
    found = _filterable[of] = Filterable()
    fields: dict[str, tuple[Any, str | None]] = {}
    is_rows = hasattr(of, "entity")
    if is_rows:
        fields = {
            "AND": (list[where] | None, "All of these; an empty list passes everything."),  # type: ignore[valid-type]
            "OR": (list[where] | None, "Any of these; an empty list matches nothing."),  # type: ignore[valid-type]
            "NOT": (where | None, "Not this: everything else, unknowns included."),
        }
    definition: Any = of.__strawberry_definition__  # type: ignore[attr-defined]
    for each in definition.fields:
        source, key = each.metadata.get(SOURCE), each.python_name
        match source:
            case Value(filter=True):
                found.keys[_camel(key)] = source
                fields[key] = (_filter_of(source) | None, each.description)
            case Money(value=value) if value.filter:
                found.keys[_camel(key)] = value
                fields[key] = (_filter_of(value) | None, "In the reporting currency.")
            case PartOf(filter=True):
                inner = _class_of(each)
                made = _make_where(inner)
                if _filterable[inner].keys:
                    found.keys[_camel(key)] = (source, inner, "part")
                    fields[key] = (made | None, each.description)
            case RelatedField(filter=True, how=how):
                target = _class_of(each)
                _make_where(target)
                found.keys[_camel(key)] = (source, target, how)
                if how == "one":
                    fields[key] = (where_type(target) | None, each.description)
                else:
                    plural = f"{_plural(target.__name__)}Where"
                    some: dict[str, tuple[Any, str | None]] = {
                        "some": (where_type(target) | None, "At least one passes."),
                        "none": (where_type(target) | None, "Not one passes."),
                    }
                    fields[key] = (
                        _fill(plural, some, f"Tests the {_plural(target.__name__)} that belong to it.") | None,
                        each.description,
                    )
    if is_rows:
        for key, (extra, type_, said) in of.entity.extra.items():  # type: ignore[attr-defined]
            found.keys[_camel(key)] = extra
            fields[key] = ((type_ or _filter_of(extra)) | None, said)
    _fill(
        where.__name__,
        fields,
        f"Which {_plural(of.__name__)}: all that is given must hold." if is_rows else f"Tests of a {of.__name__}.",
    )
    return where


def _class_of(strawberry_field: Any) -> type:
    """The class of rows or of a part that a field leads to, through lists and connections."""
    type_ = strawberry_field.type
    while not isinstance(type_, type):
        type_ = type_.of_type if hasattr(type_, "of_type") else type_.resolve_type()
    found: type = getattr(type_, "rows_of", type_)
    return found


def _plural(name: str) -> str:
    return name if name.endswith("s") else f"{name}s"


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in rest) if not name.isupper() else name


# ------------------------------------------------------------------ what was given


@dataclass
class Values:
    """The values of a question's parameters, and the clock and currency that some are made with."""

    now: datetime
    today: int
    exponent: int
    given: dict[str, Any] = field(default_factory=dict)
    leaves: int = 0

    def put(self, name: str, value: Any) -> str:
        self.given[name] = value
        return name


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
            aim = _filterable[of].keys[key]
            found.append(
                _test_of(of_part(aim, nodes) if nodes and isinstance(aim, Value) else aim, value, here, values, depth)
            )
    return found[0] if len(found) == 1 else All(tuple(found))


def _test_of(aim: Any, value: Any, path: str, values: Values, depth: int) -> Where:
    match aim:
        case Value():
            return _compare(aim, value, path, values)
        case Extra():
            _leaf(values)
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


def _leaf(values: Values) -> None:
    values.leaves += 1
    if values.leaves > MOST_LEAVES:
        raise BadInput(f"A filter has at most {MOST_LEAVES} tests.")


def _bounded(items: Any) -> Any:
    if len(items) > LONGEST_LIST:
        raise BadInput(f"A list in a filter has at most {LONGEST_LIST} items.")
    return items


_NOTHING: Where = AnyOf(())


def _compare(of: Value, given: Mapping[str, Any], path: str, values: Values) -> Where:
    found: list[Where] = []
    for operator, value in given.items():
        _leaf(values)
        if value is None:
            raise BadInput("A filter's operator may not be null; leave it out instead.")
        here = f"{path}_{operator}"
        match operator:
            case "isNull":
                found.append(Compare(of.node, "is_null" if value else "not_null"))
            case "in" | "notIn":
                listed = [stored for each in _bounded(value) for stored in _stored(of, each, values, "eq")]
                test: Where = Compare(of.node, "in", values.put(here, listed))
                found.append(test if operator == "in" else Not(test))
            case "eq":
                stored = _stored(of, value, values, "eq")
                if isinstance(of.kind, Id):
                    found.append(Compare(of.node, "in", values.put(here, stored)))
                else:
                    found.append(Compare(of.node, "eq", values.put(here, stored[0])) if stored else _NOTHING)
            case "contains" | "startsWith":
                operation = "contains" if operator == "contains" else "starts"
                if "\0" in value:
                    raise BadInput("Text has no NUL.")
                found.append(Compare(of.folded or of.node, operation, values.put(here, fold(value))))
            case "withinDays":
                if not 0 <= value <= MOST_DAYS:
                    raise BadInput(f"withinDays is 0 to {MOST_DAYS}.")
                instant = isinstance(of.kind, Moment)
                since: Any = values.now - timedelta(days=value) if instant else values.today - value
                found.append(Compare(of.node, "gte", values.put(f"{here}_since", since)))
                found.append(
                    Compare(of.node, "lte", values.put(f"{here}_until", values.now if instant else values.today))
                )
            case _:
                found.append(Compare(of.node, operator, values.put(here, _stored(of, value, values, operator)[0])))
    return found[0] if len(found) == 1 else All(tuple(found))


def _stored(of: Value, value: Any, values: Values, operator: str) -> list[Any]:
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
        return _scaled(value, values.exponent, operator)
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


# ------------------------------------------------------------------ orders


def order_type(of: type, sortable: Mapping[str, Value]) -> tuple[type, Any]:
    """The input of an order, and the enumeration of what can be sorted by: a member's value is the path that selects it."""
    members = named_enum(f"{of.__name__}OrderField", sortable)
    fields: Any = strawberry.enum(
        members, description=f"What {_plural(of.__name__)} can be sorted by: each is the path that selects it."
    )
    say_paths(fields, of, "sort")
    made = named(f"{of.__name__}Order")
    made.__annotations__ = {"field": fields, "direction": OrderDirection}
    made.direction = strawberry.field(default=OrderDirection.ASC, description="ASC unless said.")  # type: ignore[attr-defined]
    made.field = strawberry.field(description="The sort key.")  # type: ignore[attr-defined]
    said = "Ties are broken by id, in the direction of the last key; nulls come last in either direction."
    return strawberry.input(made, description=said), fields


def paths(of: type, wanted: str) -> dict[str, Value]:
    """The values below a type that have a flag, by the path that selects them in upper snake case."""
    return {"_".join(path).upper(): value for path, value in _flagged(of, wanted)}


def say_paths(members: Any, of: type, wanted: str) -> None:
    """Describe each member of an enumeration of such values by the path that selects it, like facts.net."""
    said = {"_".join(path).upper(): ".".join(map(_camel, path)) for path, _ in _flagged(of, wanted)}
    for member in members.__strawberry_definition__.values:
        member.description = said[member.name]


def _flagged(of: type, wanted: str, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    definition: Any = of.__strawberry_definition__  # type: ignore[attr-defined]
    for each in definition.fields:
        source, here = each.metadata.get(SOURCE), (*prefix, each.python_name.rstrip("_"))
        value = source.value if isinstance(source, Money) else source
        if isinstance(value, Value) and getattr(value, wanted):
            yield here, value
        elif isinstance(source, PartOf):
            yield from _flagged(_class_of(each), wanted, here)
