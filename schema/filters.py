"""Filters and orders, derived from the fields: the path that selects a value is the path that filters and sorts it.

A where type is made for each type of rows and of parts; what is given in one is read by `schema/given.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import strawberry

from app.query.kind import Name, Position
from schema.enums import OrderDirection, named_enum
from schema.fields import SOURCE, Money, PartOf, Value
from schema.fields import Related as RelatedField
from schema.scalars import Date, DateTime, Decimal, SafeInt

_made: dict[str, type] = {}


def named(name: str) -> type:
    """The class of an input type that is filled in once all types are known."""
    if name not in _made:
        _made[name] = type(name, (), {"__module__": __name__})
    return _made[name]


def listing(name: str) -> dict[str, Any]:
    """The arguments where and orderBy of rows of that type."""
    return {
        "where": (named(f"{name}Where") | None, None, "Only those that pass."),
        "order_by": (list[named(f"{name}Order")] | None, None, "By these, the first one first."),  # type: ignore[misc]
    }


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
        "SafeIntFilter": {"eq": (SafeInt | None, _EQ), **_compared(SafeInt)},
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


filterable: dict[type, Filterable] = {}


def where_type(of: type) -> type:
    return named(f"{of.__name__}Where")


def make(*types: type) -> None:
    """Make the where types of these types of rows, and of their parts; once, when all types are known."""
    _make_plain_filters()
    for each in types:
        _make_where(each)


def _make_where(of: type) -> type:
    where = where_type(of)
    if of in filterable:
        return where
    found = filterable[of] = Filterable()
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
                if filterable[inner].keys:
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
