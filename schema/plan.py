"""From a GraphQL selection to a question: one for each root field, with the values of its parameters.

The selection is walked over the finished schema, where each field tells its source. Nothing here knows a customer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from graphql import FieldNode, GraphQLObjectType, get_named_type

from app.platform.access import Caller
from app.platform.days import local_day
from app.platform.ids import EARLIEST
from app.platform.refusals import BadInput
from app.query import question as q
from app.query.fetch import AS_OF_LATEST
from app.query.kind import Plain, Whole
from app.query.page import SEARCH_RANK
from app.query.shape import Shape
from schema.fields import (
    Computed,
    Entity,
    Fixed,
    Further,
    Money,
    PartOf,
    Pointed,
    Related,
    Same,
    Source,
    Value,
    Why,
    of_part,
    source_of,
)
from schema.given import Parameters, Segments, Values, where_of
from schema.paging import order_of, put_cursor, put_size, size_of
from schema.selection import MOST_FORMS, Selected, Selections

T = TypeVar("T")
CODE, NUMBER = Plain(), Whole()
_CLOCKS = {(past, named): q.Clock(past, named) for past in (False, True) for named in (False, True)}


class NoSource(TypeError):
    """A field that no statement can answer."""


@dataclass
class Walk:
    """A selection that was walked before: what its arguments are asked again at each request, and the fields by the form
    of what they said."""

    asks: list[Callable[["Planner"], Any]] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    forms: dict[tuple[Any, ...], q.Fields] = field(default_factory=dict)


@dataclass
class Planner(Selections):
    """Plans one root field. `memory` holds what was walked for the same field before; `completed`: graphql-core completes
    the answer, and tells types apart by their names; `segments`: those that filters name."""

    caller: Caller
    asked_at: datetime
    past: bool = False
    memory: dict[str, Walk] | None = None
    completed: bool = False
    segments: Segments = field(default_factory=Segments)
    _walk: Walk | None = field(default=None, init=False)
    _form: list[Any] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.values = Values(Parameters(self.caller.org, self.asked_at), self.segments)

    @property
    def now(self) -> datetime:
        """The clock of the whole field: of the request, of an asOf, or of the first page."""
        return self.values.given.now

    @property
    def as_of(self) -> datetime | None:
        return self.values.given.as_of

    @property
    def clock(self) -> q.Clock:
        return _CLOCKS[self.past, self.as_of is not None]

    def set_as_of(self, instant: datetime | None) -> None:
        """Read everything below as of an instant; one that is still to come is no question."""
        if instant is None:
            return
        self._reads_as_of(instant)
        self.past = True
        self.values.given.now = self.values.given.as_of = instant

    def refuse_instant(self, instant: datetime) -> None:
        """Raises BadInput for an asOf that cannot be asked."""
        if instant > self.asked_at:
            raise BadInput("asOf lies in the future.")
        if instant < EARLIEST:
            raise BadInput(f"asOf lies before {EARLIEST.year}.")

    def _reads_as_of(self, instant: datetime) -> None:
        self.refuse_instant(instant)
        given = self.values.given
        given[AS_OF_LATEST] = max(instant, given.get(AS_OF_LATEST, instant))

    # -------------------------------------------------------------- what is asked again

    def walked(self, key: str, walk: Callable[[], Iterable[Any]]) -> q.Fields:
        """What is selected below a root field: walked once, and again only for arguments that take another form."""
        known = self.memory.get(key) if self.memory is not None else None
        if known is not None:
            # A filter of another shape, or another null in a cursor, makes another statement.
            counted = self.values.leaves, self.values.memberships, self.values.inherited
            found = known.forms.get(tuple([ask(self) for ask in known.asks]))
            if found is not None:
                self.values.given.update(known.constants)
                return found
            self.values.leaves, self.values.memberships, self.values.inherited = counted
        made, form = Walk(), list[Any]()
        self._walk, self._form = made, form
        fields = q.Fields(walk())
        known = made if self.memory is None else self.memory.setdefault(key, made)
        if len(known.forms) >= MOST_FORMS:
            known.forms.clear()
        known.forms[tuple(form)] = fields
        return fields

    def _again(self, selected: Selected, ask: Callable[["Planner"], T], *, clocked: bool = False) -> T:
        """What the arguments of a field below say now, and how to ask them in the next request; `clocked`: even the
        same ones say something else another day."""
        if self._walk is None or self._form is None:
            return ask(self)
        if selected.timeless and not clocked:
            before = set(self.values.given)
            found = ask(self)
            self._walk.constants |= {name: self.values.given[name] for name in self.values.given.keys() - before}
            return found
        found = ask(self)
        self._walk.asks.append(ask)
        self._form.append(found)
        return found

    # -------------------------------------------------------------- rows

    def items(
        self, of: GraphQLObjectType, nodes: Iterable[FieldNode], path: str, named: Mapping[str, str] | None = None
    ) -> q.Items:
        """What is selected of a row or a part of it."""
        found: dict[str, q.Item] = {}
        for selected in self.below(nodes, of):
            source = source_of(of.fields[selected.name]) if selected.name != "__typename" else None
            if isinstance(source, Further):
                found |= self._needed(of, selected, source)
            else:
                found[selected.key] = self._item(of, selected, under(path, selected), named or {})
        return tuple(found.values())

    def _needed(self, of: GraphQLObjectType, selected: Selected, source: Further) -> dict[str, q.Item]:
        if not self.completed:
            raise NoSource(f"{of.name}.{selected.name} takes further questions.")
        return {name: q.Field(name, value.node, value.kind, value.nullable) for name, value in source.needs}

    def _item(self, of: GraphQLObjectType, selected: Selected, path: str, named: Mapping[str, str]) -> q.Item:
        if selected.name == "__typename":
            return q.Said(selected.key, f'"{of.name}"')
        definition = of.fields[selected.name]
        source: Source | None = of_part(source_of(definition), named)
        inner: Any = get_named_type(definition.type)
        match source:
            case Value(node=node, kind=kind, nullable=nullable):
                return q.Field(selected.key, node, kind, nullable)
            case Money():
                return self._money(selected, source, inner)
            case PartOf(unless=unless, nodes=renamed):
                return q.Part(selected.key, self.items(inner, selected.nodes, path, renamed), unless)
            case Fixed(values=values):
                return q.Listed(
                    selected.key, tuple(q.Field("", value.node, value.kind, value.nullable) for value in values)
                )
            case Same(parameter=parameter):
                return q.Said(selected.key, parameter, parameter=True)
            case Why(measures=measures):

                def explained(planner: Planner) -> str:
                    chosen = planner.arguments(of, selected).get("of")
                    return measures[chosen.name if chosen else ""].key

                return q.Explained(selected.key, self._again(selected, explained), self.told(inner, selected.nodes))
            case Related(how="many", relation=relation):
                return self._nested(of, selected, inner, path, relation)
            case Related() | Computed():
                return self._beside(of, selected, inner, path, source)
            case Pointed(relations=relations):
                return self._either(selected, inner, path, relations)
            case _:
                raise NoSource(f"{of.name}.{selected.name} has no source.")

    def _beside(
        self, of: GraphQLObjectType, selected: Selected, inner: GraphQLObjectType, path: str, source: Related | Computed
    ) -> q.Item:
        """The row, or the plain list of rows, that a row leads to; or the numbers that Python computes the field of."""

        def asked(planner: Planner) -> tuple[str | None, q.Where | None]:
            given = planner.arguments(of, selected)
            clock = planner.set_own_clock(given["asOf"], path) if given.get("asOf") is not None else None
            return clock, source.asked(given, path, planner.values) if source.asked else None

        if isinstance(source, Computed) and not self.completed:
            raise NoSource(f"{of.name}.{selected.name} is computed, whatever is selected of it.")
        argued = bool(of.fields[selected.name].args)
        clock, where = self._again(selected, asked, clocked=True) if argued else (None, None)
        if isinstance(source, Computed):
            numbers = tuple(q.Field(node, node, NUMBER, False) for node in source.nodes)
            return q.One(selected.key, source.relation, numbers, clock)
        items = self.items(inner, selected.nodes, path)
        if source.how == "one":
            return q.One(selected.key, source.relation, items, clock)
        return q.Rows(selected.key, source.relation, items, clock, where)

    def set_own_clock(self, instant: datetime, path: str) -> str:
        """An asOf of a field below: the clock of what it selects, by the name under which its parameters are given."""
        self._reads_as_of(instant)
        today = local_day(instant, self.caller.org.zone)
        self.values.given |= {f"{path}_now": instant, f"{path}_today": today}
        return path

    def _either(self, selected: Selected, of: Any, path: str, relations: Iterable[q.Relation]) -> q.Either:
        """The row that this one points to, of one of several types."""
        types = {
            python_class(each).entity.shape.name: each
            for each in self.schema.get_implementations(of).objects
            if hasattr(python_class(each), "entity")
        }
        ones = []
        for relation in relations:
            each = types[relation.target.name]
            items = self.items(each, selected.nodes, f"{path}_{each.name}")
            if self.completed and not any(item.key == "__typename" for item in items):
                items = (*items, q.Said("__typename", f'"{each.name}"'))
            ones.append(q.One(selected.key, relation, items))
        return q.Either(selected.key, tuple(ones))

    def _money(self, selected: Selected, money: Money, of: GraphQLObjectType) -> q.Part:
        fields: list[q.Item] = []
        for part in self.below(selected.nodes, of):
            if part.name == "amount":
                fields.append(q.Field(part.key, money.value.node, money.value.kind, False))
            elif part.name == "currency" and money.currency:
                fields.append(q.Field(part.key, money.currency, CODE, False))
            elif part.name == "currency":
                fields.append(q.Said(part.key, "currency_json", parameter=True))
            else:
                fields.append(q.Said(part.key, f'"{of.name}"'))
        return q.Part(selected.key, tuple(fields), money.value.node if money.value.nullable else None)

    def told(self, of: GraphQLObjectType, nodes: Iterable[FieldNode]) -> tuple[q.Told, ...]:
        """The fields of an explanation."""
        found = []
        for selected in self.below(nodes, of):
            if selected.name == "__typename":
                found.append(q.Told(selected.key, of.name))
                continue
            inner = get_named_type(of.fields[selected.name].type)
            below = self.told(inner, selected.nodes) if isinstance(inner, GraphQLObjectType) else ()
            found.append(q.Told(selected.key, selected.name, below))
        return tuple(found)

    # -------------------------------------------------------------- connections

    def connection(
        self, given: Mapping[str, Any], selected: Selected, of: GraphQLObjectType, terms: Sequence[Any] | None = None
    ) -> q.Many:
        """A connection at the root; `terms` of a search put its best match first."""
        rows_of, path = rows_class(of), selected.key
        page, test = self.asked_of(rows_of, given, path, True, terms)
        fields = self.walked(path, lambda: [self._paged(of, each, path) for each in self.below(selected.nodes, of)])
        shape = rows_of.entity.shape.name
        many: q.Many = fields.asked((page, test), lambda fields: q.Many(selected.key, shape, None, fields, page, test))
        return many

    def _nested(
        self, parent: GraphQLObjectType, selected: Selected, of: GraphQLObjectType, path: str, relation: q.Relation
    ) -> q.Many:
        """A connection below a row."""
        rows_of = rows_class(of)

        def paged(planner: Planner) -> tuple[q.Page, q.Where | None]:
            return planner.asked_of(rows_of, planner.arguments(parent, selected), path, False, None, relation.order)

        page, test = self._again(selected, paged)
        fields = tuple(self._paged(of, each, path) for each in self.below(selected.nodes, of))
        return q.Many(selected.key, rows_of.entity.shape.name, relation, fields, page, test)

    def asked_of(
        self,
        rows_of: Any,
        given: Mapping[str, Any],
        path: str,
        clocked: bool,
        terms: Sequence[Any] | None,
        own_order: Sequence[str] = (),
    ) -> tuple[q.Page, q.Where | None]:
        """Which page of which rows a list's arguments ask for; `own_order`: the relation's, unless ordered otherwise."""
        entity: Entity = rows_of.entity
        usual = tuple((node.lstrip("-"), node.startswith("-")) for node in own_order) or entity.default_order
        order = order_of(rows_of, usual, given)
        if terms and not given.get("orderBy"):
            order = (q.Order(SEARCH_RANK, True),)
        page = self._page(entity.shape, order, given, path, clocked, terms)
        test = self.test_of(rows_of, given, path)
        return page, with_archived(given["archived"].name, test) if "archived" in given else test

    def test_of(self, rows_of: Any, given: Mapping[str, Any], path: str) -> q.Where | None:
        """The test that the argument `where` asks for."""
        where = given.get("where")
        return where_of(rows_of, where, f"{path}_where", self.values) if where is not None else None

    def _page(
        self,
        shape: Shape,
        order: tuple[q.Order, ...],
        given: Mapping[str, Any],
        path: str,
        clocked: bool,
        terms: Sequence[Any] | None,
    ) -> q.Page:
        said, backward = size_of(given)
        self.values.take(said, partial(put_size, path))
        sides: dict[str, tuple[bool, ...] | None] = {"after": None, "before": None}
        for side in sides:
            if given.get(side) is not None:
                moves = clocked and self.as_of is None and not self.past
                put = partial(put_cursor, shape, order, f"{path}_{side}", moves)
                sides[side] = self.values.take(given[side], put, (False,) * len(order))
        for n, (low, high) in enumerate(terms or ()):
            self.values.given |= {f"term_{n}_low": low, f"term_{n}_high": high}
        return q.Page(path, order, backward, sides["after"], sides["before"], len(terms) if terms else None)

    def _paged(self, of: GraphQLObjectType, selected: Selected, path: str) -> q.Paged:
        if selected.name == "__typename":
            return q.Paged(selected.key, "__typename", said=of.name)
        inner: Any = get_named_type(of.fields[selected.name].type)
        match selected.name:
            case "nodes":
                return q.Paged(selected.key, "nodes", self.items(inner, selected.nodes, under(path, selected)))
            case "edges" | "pageInfo":
                parts = tuple(
                    self._paged_part(inner, each, under(path, selected)) for each in self.below(selected.nodes, inner)
                )
                return q.Paged(selected.key, selected.name, parts=parts)
            case _:
                return q.Paged(selected.key, selected.name)

    def _paged_part(self, of: GraphQLObjectType, selected: Selected, path: str) -> q.Paged:
        if selected.name == "__typename":
            return q.Paged(selected.key, "__typename", said=of.name)
        if selected.name == "node":
            inner: Any = get_named_type(of.fields["node"].type)
            return q.Paged(selected.key, "node", self.items(inner, selected.nodes, under(path, selected)))
        return q.Paged(selected.key, selected.name)


def under(path: str, selected: Selected) -> str:
    # No name begins with a digit, so no alias can look like the path to another field.
    return f"{path}_{selected.key.replace('_', '_0')}"


def rows_class(of: Any) -> Any:
    """The class behind the rows of a connection."""
    return python_class(get_named_type(of.fields["nodes"].type))


def python_class(of: Any) -> Any:
    """The class behind an object type of the schema."""
    return of.extensions["strawberry-definition"].origin


def with_archived(scope: str, test: q.Where | None) -> q.Where | None:
    if scope == "INCLUDE":
        return test
    alone = q.Compare("archived_at", "is_null" if scope == "EXCLUDE" else "not_null")
    return alone if test is None else q.All((alone, test))
