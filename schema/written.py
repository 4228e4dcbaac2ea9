"""The byte lane of changes: what a mutation answers is told without completing it field by field.

The change itself is made as ever (mutation.py). If nothing was refused, what stands behind an id is read back through
the planner, together with what others read back at the same moment, and sent as it comes; an id alone is known. Of
anything else the result is left with the request, and graphql-core completes it: nothing is done a second time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from anyio.to_thread import run_sync
from graphql import GraphQLError, GraphQLObjectType, get_named_type, get_nullable_type, is_list_type
from graphql.execution.values import VariableValues, get_argument_values

from app.platform.ids import key_within
from app.platform.refusals import BadInput
from app.platform.work import Work
from app.query import question as q
from app.query.fetch import NOTHING
from app.query.shape import Shape
from app.query.shown import Shown, Sight, is_light
from schema.charge import beside
from schema.context import Asked
from schema.documents import Operation
from schema.fields import Entity
from schema.given import NeedsMore, plain, snake
from schema.lane import MOST_PLANS, switches
from schema.mutation import Mutated, idempotency_key, key_said, mutated_of, perform
from schema.plan import NoSource, Planner, Walk, python_class
from schema.schema import graphql_schema
from schema.selection import Forms, Selected, Selections, variables_in
from schema.together import together

MUTATION: Any = graphql_schema.mutation_type


@dataclass
class Row:
    """A row that the payload shows, or a list of `many`. `known`: the response keys of its id and __typename, when it
    shows no more."""

    name: str
    selected: Selected
    of: GraphQLObjectType
    known: Mapping[str, str] | None
    many: bool = False

    @cached_property
    def of_shape(self) -> Shape:
        entity: Entity = python_class(self.of).entity
        return entity.shape


@dataclass
class Plan:
    """One mutation field, and the parts of its payload: text that is always the same, values of the result by name, and
    rows."""

    selected: Selected
    mutated: Mutated
    parts: list[tuple[bytes, bytes | str | Row]]
    memory: dict[str, Walk] = field(default_factory=dict)
    forms: Forms = field(default_factory=dict)

    @cached_property
    def rows(self) -> list[Row]:
        return [part for _, part in self.parts if isinstance(part, Row)]

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Those that stand in its arguments and directives."""
        return variables_in(
            [each for node in self.selected.nodes for each in (*(node.arguments or ()), *(node.directives or ()))]
        )

    def said(self, variables: VariableValues) -> dict[str, Any]:
        """The input as an action takes it, and the key of the directive."""
        definition, nodes = MUTATION.fields[self.selected.name], self.selected.nodes
        given = get_argument_values(definition, nodes[0], variables)["input"]
        key = key_said(graphql_schema, nodes, variables)
        return {"input": plain(definition.args["input"].type, given), "key": key}


class Sights(dict[str, list[Sight]]):
    """What is read where it is written, by the row's name. `of`: the result of the attempt that wrote it;
    another one may have come to nothing, or have found that it was done before."""

    of: Mapping[str, Any] | None = None

    def begin(self, result: Mapping[str, Any]) -> None:
        self.clear()
        self.of = result


async def answer(asked: Asked, operation: Operation, variables: Any) -> bytes | None:
    """The whole body, for a caller who may ask all of it; None when graphql-core is to answer, with what `asked.done`
    holds if anything was done."""
    plan = _plan_of(operation, variables)
    if plan is None:
        return None
    planner = Planner(graphql_schema, operation.fragments, variables, asked.caller, asked.now, memory=plan.memory)
    name, key = plan.selected.name, plan.selected.key
    try:
        said = planner.filled(plan.forms, plan.variables, plan.said)
        given, once = said["input"], idempotency_key(asked, operation.node, said["key"])
        # Before anything is done: nothing is done for a caller whose answer could not be told.
        items = {row.name: _items(planner, row) for row in plan.rows}
    except (BadInput, GraphQLError, NeedsMore, NoSource):
        return None
    if once is None and plan.mutated.needs_key(given):
        return None
    sights = Sights()

    def show(work: Work, result: Mapping[str, Any]) -> None:
        sights.begin(result)
        for row in plan.rows:
            shown = None if asked.set_clock else _shown(asked, planner, plan, row, items[row.name])
            if shown:
                each = [Sight(key, planner.values.given) for key in _keys(row, result)]
                sights[row.name] = [sight for sight in each if work.foresees(shown, sight)]

    try:
        result = asked.done[key] = await perform(asked, name, plan.mutated, given, once, show)
    except Exception as failure:  # noqa: BLE001 - told where failures are told
        asked.done[key] = failure
        return None
    if result.get("user_errors"):
        return None
    if sights.of is not result:
        sights.clear()
    try:
        told = await _told(asked, planner, plan, items, sights, result)
    except Exception:  # noqa: BLE001 - it is done; graphql-core reads again, and says what fails
        return None
    return b'{"data":{' + orjson.dumps(key) + b":{" + told + b"}}" + beside(asked) + b"}"


async def _told(
    asked: Asked,
    planner: Planner,
    plan: Plan,
    items: Mapping[str, q.Fields],
    sights: Sights,
    result: Mapping[str, Any],
) -> bytes:
    # What is as it was written just now. A set clock may lie before it, and of a repeat it may be gone since.
    sure = not asked.set_clock and "idempotency" not in asked.extensions
    planner.past = asked.set_clock and bool(plan.rows) and await run_sync(asked.something_later)
    told = []
    for prefix, part in plan.parts:
        if isinstance(part, bytes):
            value = part
        elif isinstance(part, str):
            value = orjson.dumps(result[part])
        elif part.known is not None and sure and result.get(part.name) is not None:
            shown = {"id": result[part.name], "__typename": part.of.name}
            value = orjson.dumps({key: shown[name] for key, name in part.known.items()})
        else:
            rows = await _rows(asked, planner, plan, part, items[part.name], sights, result)
            value = b"[" + b",".join(rows) + b"]" if part.many else b"".join(rows) or NOTHING
        told.append(prefix + value)
    return b",".join(told)


async def _rows(
    asked: Asked, planner: Planner, plan: Plan, row: Row, items: q.Fields, sights: Sights, result: Mapping[str, Any]
) -> list[bytes]:
    """The rows that the result names: as they were read where they were written, or read now."""
    seen = [sight.json for sight in sights.get(row.name, ())]
    if seen and None not in seen:
        return seen  # type: ignore[return-value]
    keys, question = _keys(row, result), _question(planner, plan, row, items)
    each = [together(asked.reader, question, row.of_shape.name, key, planner.values.given) for key in keys]
    return await asyncio.gather(*each)


def _keys(row: Row, result: Mapping[str, Any]) -> list[UUID]:
    named = result.get(row.name)
    return [key_within(public, row.of_shape.prefix) for public in (named if row.many else [named])] if named else []


def _question(planner: Planner, plan: Plan, row: Row, items: q.Fields) -> q.Nodes:
    name, clock, even_hidden = row.of_shape.name, planner.clock, plan.mutated.even_hidden
    asked: q.Nodes = items.asked(
        (name, clock, even_hidden), lambda fields: q.Nodes(((name, fields),), clock, even_hidden)
    )
    return asked


def _shown(asked: Asked, planner: Planner, plan: Plan, row: Row, items: q.Fields) -> Shown | None:
    """The row, read where it is written; None when that is not known to be quick, or nothing is to be read."""
    if row.known is not None or not is_light(items, row.of_shape):
        return None
    prepared = asked.reader.known(_question(planner, plan, row, items))
    shown = Shown(prepared, row.of_shape.name, planner.values.given) if prepared else None
    return shown if shown and shown.is_simple else None


def _items(planner: Planner, row: Row) -> q.Fields:
    path = f"node_{row.name}"
    return planner.walked(path, lambda: planner.items(row.of, row.selected.nodes, path))


# ------------------------------------------------------------------ plans


def _plan_of(operation: Operation, variables: Any) -> Plan | None:
    plans = operation.plans
    names = plans.get("names")
    if names is None:
        names = plans["names"] = switches([operation.node, *operation.fragments.values()])
    values = tuple([variables.coerced.get(name) for name in names])
    if values not in plans:
        if len(plans) > MOST_PLANS:
            plans.clear()
            plans["names"] = names
        plans[values] = _plan(operation, variables)
    plan: Plan | None = plans[values]
    return plan


def _plan(operation: Operation, variables: Any) -> Plan | None:
    """None for what is not for this lane: several fields, or a part of the payload that Python computes."""
    selections = Selections(graphql_schema, operation.fragments, variables)
    fields = selections.below([operation.node], MUTATION)
    known = len(fields) == 1 and not fields[0].name.startswith("__")
    mutated = mutated_of(MUTATION.fields[fields[0].name]) if known else None
    if mutated is None:
        return None
    of: Any = get_named_type(MUTATION.fields[fields[0].name].type)
    parts: list[tuple[bytes, bytes | str | Row]] = []
    for selected in selections.below(fields[0].nodes, of):
        part = _part(selections, mutated, of, selected)
        if part is None:
            return None
        parts.append((orjson.dumps(selected.key) + b":", part))
    return Plan(fields[0], mutated, parts)


def _part(
    selections: Selections, mutated: Mutated, of: GraphQLObjectType, selected: Selected
) -> bytes | str | Row | None:
    name = snake(selected.name)
    if selected.name == "__typename":
        return orjson.dumps(of.name)
    if name == "user_errors":
        return b"[]"
    inner: Any = get_named_type(of.fields[selected.name].type)
    if name not in mutated.rows:
        return None if isinstance(inner, GraphQLObjectType) else name
    if not hasattr(python_class(inner), "entity"):
        return None
    shown = {each.key: each.name for each in selections.below(selected.nodes, inner)}
    many = is_list_type(get_nullable_type(of.fields[selected.name].type))
    known = shown if set(shown.values()) <= {"id", "__typename"} and not many else None
    return Row(name, selected, inner, known, many)
