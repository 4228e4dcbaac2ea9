"""A field and its source in SQL, said in one place: the GraphQL type is the compiler's map.

    name: str = column(tables.Customer.name, sort=True)       a column of the row
    score: float | None = measured(measures.score)            a measure; `fact` is a stored fact
    lifecycle: Lifecycle = part()                             an object made of the same row
    touchpoints: ... = related(...)                           a connection of rows that point here

From `filter`, `sort`, `group` and `average` follow the field's filter, sort key, group key and aggregate, each named by the path that selects it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from inspect import Parameter, Signature
from typing import Annotated, Any

import strawberry
from sqlalchemy.orm import InstrumentedAttribute

from app.platform.access import Org
from app.query.kind import Id, Kind, Minor
from app.query.measure import Measure
from app.query.question import Relation, Where
from app.query.shape import Shape

SOURCE = "source"


@dataclass(frozen=True)
class Value:
    """A value of the row. `folded`: the node that comparisons without case see; `shape` says of whom a stored fact or column is."""

    node: str
    kind: Kind
    nullable: bool
    filter: bool = True
    sort: bool = False
    group: bool = False
    average: bool = False
    folded: str | None = None
    measure: Measure | None = None


@dataclass(frozen=True)
class Money:
    """An amount and its currency: the organisation's, or that of the row's column."""

    value: Value
    currency: str | None = None


@dataclass(frozen=True)
class PartOf:
    """An object of the same row; null when the node `unless` is. `nodes`: what its fields' nodes are called on this row."""

    unless: str | None = None
    nodes: Mapping[str, str] = field(default_factory=dict)
    filter: bool = True


@dataclass(frozen=True)
class Fixed:
    """A list of so many nodes."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Related:
    """`many`: a connection; `plain`: a list; `one`: the row pointed to. `asked`: the test that the field's arguments ask
    for; (arguments, path, values) -> where. An argument asOf sets the clock below."""

    how: str
    relation: Relation
    filter: bool = True
    asked: Callable[[Mapping[str, Any], str, Any], Where] | None = None


@dataclass(frozen=True)
class Pointed:
    """The row that this one points to, of whichever type: one of these relations leads to it."""

    relations: tuple[Relation, ...]


@dataclass(frozen=True)
class Why:
    """Explanations, by the names of the argument `of`; a single one without it."""

    measures: Mapping[str, Measure]


@dataclass(frozen=True)
class Same:
    """What the request knows: a parameter that holds JSON text."""

    parameter: str


@dataclass(frozen=True)
class Computed:
    """What Python makes of whole numbers that a statement reads: these nodes of the row that `relation` leads to, or
    null. `made`: (numbers, arguments, organisation) -> what is told, by the names of its fields. `asked` raises BadInput
    for arguments that cannot be asked. An argument asOf sets the clock of what is read."""

    relation: Relation
    nodes: tuple[str, ...]
    asked: Callable[[Mapping[str, Any], str, Any], None]
    made: Callable[[Mapping[str, int], Mapping[str, Any], Org], Mapping[str, Any]]


@dataclass(frozen=True)
class Further:
    """What further questions tell of the row, which Python asks of these of its values: they are read under the names that
    stand here. `check` raises BadInput for arguments that cannot be asked."""

    needs: tuple[tuple[str, Value], ...]
    check: Callable[[Mapping[str, Any]], None]


Source = Value | Money | PartOf | Fixed | Related | Pointed | Why | Same | Computed | Further


@dataclass
class Entity:
    """What a GraphQL type of rows is to the compiler."""

    shape: Shape
    default_order: tuple[tuple[str, bool], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def _declare(source: Source, description: str | None, name: str | None = None, **more: Any) -> Any:
    return strawberry.field(description=description, metadata={SOURCE: source}, name=name, **more)


def column(
    of: InstrumentedAttribute[Any],
    kind: Kind,
    *,
    description: str | None = None,
    folded: InstrumentedAttribute[Any] | None = None,
    **flags: Any,
) -> Any:
    """A column of the row; filtered unless told otherwise."""
    nullable = bool(of.property.columns[0].nullable)
    value = Value(of.key, kind, nullable, folded=folded.key if folded is not None else None, **flags)
    return _declare(value, description)


def identity(prefix: str, description: str | None = None) -> Any:
    """The row's own id."""
    return _declare(Value("id", Id(prefix=prefix), False), description or "Opaque; take only what was issued.")


def live(prefix: str) -> Any:
    """The row's own id without an instant."""
    return _declare(
        Value("id", Id(prefix=prefix, live=True), False, filter=False), "The id without an instant, for mutations."
    )


def valued(node: str, kind: Kind, *, nullable: bool = False, filter: bool = False, description: str) -> Any:
    """A value of a row that no table holds, or that a measure names."""
    return _declare(Value(node, kind, nullable, filter=filter), description)


def measured(measure: Measure, *, description: str | None = None, **flags: Any) -> Any:
    """A measure of the row; its definition is its description."""
    said = description or measure.definition + (f" {measure.term}" if measure.term else "")
    return _declare(_of_measure(measure, **flags), said)


def _of_measure(measure: Measure, **flags: Any) -> Value:
    return Value(measure.key, measure.kind, measure.nullable, measure=measure, **flags)


def fact(shape: Shape, key: str, kind: Kind, *, description: str | None = None, **flags: Any) -> Any:
    """A stored fact about the row."""
    return _declare(fact_value(shape, key, kind, **flags), description)


def fact_value(shape: Shape, key: str, kind: Kind, **flags: Any) -> Value:
    if shape.facts is None:
        raise TypeError(f"{shape.name} has no facts.")
    return Value(key, kind, shape.facts.facts[key].empty is None, **flags)


def money(
    of: Measure | InstrumentedAttribute[Any] | Value, *, own: bool = False, description: str | None = None, **flags: Any
) -> Any:
    """An amount of money in the reporting currency; with `own` in that of the row, whose measure `unit` is 10^decimals."""
    kind = Minor(exponent="exponent", unit="unit") if own else Minor()
    if isinstance(of, Value):
        value = of
    elif isinstance(of, Measure):
        value = _of_measure(of, **flags)
    else:
        value = Value(of.key, kind, bool(of.property.columns[0].nullable), **flags)
    return _declare(Money(value, "currency" if own else None), description)


def part(
    *,
    unless: Measure | str | None = None,
    nodes: Mapping[str, str] | None = None,
    filter: bool = True,
    description: str | None = None,
) -> Any:
    """An object made of the same row; `nodes`: where this row calls its values otherwise."""
    node = unless.key if isinstance(unless, Measure) else unless
    return _declare(PartOf(node, nodes or {}, filter), description)


def of_part(source: Source | None, nodes: Mapping[str, str]) -> Source | None:
    """A source as the row calls it that the part belongs to."""
    if isinstance(source, Value) and source.node in nodes:
        return replace(source, node=nodes[source.node], folded=nodes.get(source.folded or "", source.folded))
    return source


def listed(*values: Value, description: str | None = None) -> Any:
    return _declare(Fixed(values), description)


def same(parameter: str, description: str | None = None) -> Any:
    return _declare(Same(parameter), description)


def one(
    relation: Relation,
    *,
    filter: bool = False,
    returns: Any = None,
    arguments: "Mapping[str, Argument] | None" = None,
    description: str | None = None,
) -> Any:
    """The row that this one points to; with arguments a field says here what it returns."""
    more: dict[str, Any] = {"resolver": asking(returns, arguments)} if arguments else {}
    return _declare(Related("one", relation, filter), description, **more)


def pointed(*relations: Relation, description: str) -> Any:
    """The row that this one points to, of whichever type."""
    return _declare(Pointed(relations), description)


def rows(
    relation: Relation,
    *,
    filter: bool = False,
    returns: Any = None,
    arguments: "Mapping[str, Argument] | None" = None,
    asked: Callable[[Mapping[str, Any], str, Any], Where] | None = None,
    description: str | None = None,
) -> Any:
    """All rows that point to this one, as a plain list; with arguments a field says here what it returns."""
    more: dict[str, Any] = {"resolver": asking(returns, arguments)} if arguments else {}
    return _declare(Related("plain", relation, filter, asked), description, **more)


def related(
    connection: Any,
    relation: Relation,
    *,
    arguments: Mapping[str, Any] | None = None,
    filter: bool = False,
    description: str | None = None,
) -> Any:
    """A connection of the rows that point to this one."""
    resolver = asking(connection, {**PAGING, **(arguments or {})})
    return _declare(Related("many", relation, filter), description, resolver=resolver)


def computed(source: Computed, returns: Any, *, arguments: "Mapping[str, Argument]", description: str) -> Any:
    """What Python makes of a row's numbers."""
    return _declare(source, description, resolver=asking(returns, arguments))


def explained(of: type[Enum] | None, explanation: Any, measures: Mapping[str, Measure], *, description: str) -> Any:
    """Why a judgement came out so."""
    if of is None:
        return _declare(Why(measures), description)
    default = next(iter(of))
    chosen = {"of": (of, default, "Which judgement.")}
    return _declare(Why(measures), description, resolver=asking(explanation, chosen))


def further(
    returns: Any,
    arguments: "Mapping[str, Argument]",
    resolve: Callable[..., Any],
    needs: Mapping[str, Value],
    *,
    check: Callable[[Mapping[str, Any]], None] = lambda _: None,
    description: str,
) -> Any:
    """What further questions tell: (row, info, arguments) -> value. The row has the values that it needs."""
    resolver = asking(returns, arguments, resolve, of_row=True)
    return _declare(Further(tuple(needs.items()), check), description, resolver=resolver)


# ------------------------------------------------------------------ arguments

Argument = tuple[Any, Any, str]
PAGING: dict[str, Argument] = {
    "first": (int | None, None, "So many from the start, 1 to 100; 20 unless `last` is given."),
    "after": (str | None, None, "Those after this cursor."),
    "last": (int | None, None, "So many from the end, 1 to 100; not together with `first`."),
    "before": (str | None, None, "Those before this cursor."),
}


def asking(
    returns: Any,
    arguments: Mapping[str, Argument],
    resolve: Callable[..., Any] | None = None,
    *,
    of_row: bool = False,
) -> Callable[..., Any]:
    """A resolver with these arguments (type, default, description). Without `resolve` the answer is already there: the planner has read them.
    `of_row`: what it resolves hangs from a row, which it is given.

    A name that Python keeps for itself bears an underscore behind it.
    """

    async def root(self: Any, info: strawberry.Info, **given: Any) -> Any:
        # One that is left out is not given at all.
        told = dict.fromkeys(arguments) | {
            name: None if value is strawberry.UNSET else value for name, value in given.items()
        }
        if resolve is None:
            return None
        return await (resolve(self, info, **told) if of_row else resolve(info, **told))

    parameters = [
        Parameter("self", Parameter.POSITIONAL_ONLY),
        Parameter("info", Parameter.POSITIONAL_OR_KEYWORD, annotation=strawberry.Info),
    ]
    for name, (type_, default, description) in arguments.items():
        kept = name.removesuffix("_") if name.endswith("_") else None
        said = strawberry.argument(description=description, name=kept)
        annotation: Any = Annotated.__class_getitem__((type_, said))  # type: ignore[attr-defined]
        # Left out is no null: an optional argument has no default in the schema.
        default = strawberry.UNSET if default is None else default
        parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    root.__signature__ = Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
    root.__annotations__ = {each.name: each.annotation for each in parameters[1:]} | {"return": returns}
    return root


REQUIRED = Parameter.empty


def entity(
    shape: Shape, *, order: tuple[tuple[str, bool], ...] = (), extra: Mapping[str, Any] | None = None
) -> Callable[[type], type]:
    """Mark a GraphQL type as rows of a shape. `order`: by which nodes, and whether they fall, unless asked otherwise; `extra`: filters without a field."""

    def mark(cls: type) -> type:
        cls.entity = Entity(shape, order, extra or {})  # type: ignore[attr-defined]
        return cls

    return mark


def source_of(graphql_field: Any) -> Source | None:
    """The source of a field of the finished schema."""
    definition = graphql_field.extensions.get("strawberry-definition")
    found: Source | None = definition.metadata.get(SOURCE) if definition is not None else None
    return found
