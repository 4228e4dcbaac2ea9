"""How root fields of rows are answered: a plan, one statement, dictionaries that graphql-core completes."""

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLInterfaceType, GraphQLObjectType, get_named_type
from strawberry.dataloader import DataLoader

from app.platform.ids import PublicId
from app.platform.refusals import BadInput
from app.query import question as q
from schema.context import Asked, asked
from schema.fields import Entity
from schema.plan import Planner, Selected, python_class

MOST_NODES = 100


def _selected(info: strawberry.Info) -> Selected:
    nodes = list(info._raw_info.field_nodes)
    return Selected(str(info._raw_info.path.key), info._raw_info.field_name, nodes)


def _returned(info: strawberry.Info) -> Any:
    return get_named_type(info._raw_info.return_type)


async def connection(
    info: strawberry.Info, *, terms: Sequence[Any] | None = None, as_of: Any = None, nothing: bool = False
) -> Any:
    """A root connection. `terms`: of a search; `nothing`: a search that can find nobody."""
    request = asked(info)
    planner = await request.planner(info)
    planner.set_as_of(as_of)
    raw, of = info._raw_info, _returned(info)
    selected = _selected(info)
    many = planner.connection(raw.parent_type, selected, of, selected.key, None, clocked=True, terms=terms)
    if nothing:
        many = q.Many(many.key, many.shape, None, many.fields, many.page, q.AnyOf(()))
    return await request.read(q.Connection(many, planner.clock), planner.values.given)


async def lookup(info: strawberry.Info, where: q.Where, planner: Planner) -> Any:
    """The one row that passes; None for none and for several."""
    of = _returned(info)
    entity: Entity = python_class(of).entity
    selected = _selected(info)
    items = planner.items(of, selected.nodes, selected.key)
    return await asked(info).read(q.Lookup(entity.shape.name, items, where, planner.clock), planner.values.given)


async def listing(info: strawberry.Info, planner: Planner, where: q.Where | None = None) -> Any:
    """All rows that pass, unpaged."""
    of = _returned(info)
    entity: Entity = python_class(of).entity
    selected = _selected(info)
    items = planner.items(of, selected.nodes, selected.key)
    order = tuple(q.Order(node, falls) for node, falls in entity.default_order)
    return await asked(info).read(
        q.Listing(entity.shape.name, items, order, where, planner.clock), planner.values.given
    )


# ------------------------------------------------------------------ by id


def types_by_prefix(schema: Any) -> dict[str, GraphQLObjectType]:
    """The types of rows with an id, by the prefix of their ids."""
    found = {}
    for of in schema.get_implementations(schema.type_map["Node"]).objects:
        entity = getattr(python_class(of), "entity", None)
        if entity is not None:
            found[entity.shape.prefix] = of
    return found


async def by_ids(
    info: strawberry.Info, ids: Sequence[str], *, even_hidden: bool = False, required_scope: str = "read"
) -> list[Any]:
    """Rows by public id, null where there is none, each with its __typename; one statement for each instant that the ids carry."""
    asked(info).caller.require(required_scope)
    if len(ids) > MOST_NODES:
        raise BadInput(f"At most {MOST_NODES} ids at once.")
    return await _read_nodes(
        asked(info), info, list(info._raw_info.field_nodes), _returned(info), ids, even_hidden, required_scope
    )


async def _read_nodes(
    request: Asked,
    info: strawberry.Info,
    nodes: list[FieldNode],
    returned: Any,
    ids: Sequence[str],
    even_hidden: bool,
    scope: str,
) -> list[Any]:
    known = types_by_prefix(info._raw_info.schema)
    answers: list[Any] = [None] * len(ids)
    by_instant: dict[Any, list[tuple[int, PublicId]]] = {}
    for place, text in enumerate(ids):
        public = PublicId.parse(text)
        if public is None:
            continue
        of = known.get(public.prefix)
        if public.prefix == "org" and public.key == request.caller.org.id and public.at is None:
            answers[place] = organization(request)
        elif of is not None and (of is returned or isinstance(returned, GraphQLInterfaceType)):
            by_instant.setdefault(public.at, []).append((place, public))
    for instant, wanted in by_instant.items():
        planner = await request.planner(info, scope)
        if instant is not None and instant > planner.now:
            continue
        planner.set_as_of(instant)
        found = await request.read(*_nodes_question(planner, known, nodes, wanted, even_hidden))
        for (place, _), row in zip(wanted, found, strict=True):
            answers[place] = row
    return answers


def _nodes_question(
    planner: Planner,
    known: Mapping[str, GraphQLObjectType],
    nodes: list[FieldNode],
    wanted: list[tuple[int, PublicId]],
    even_hidden: bool,
) -> tuple[q.Nodes, dict[str, Any]]:
    shapes = []
    for prefix in dict.fromkeys(public.prefix for _, public in wanted):
        of = known[prefix]
        entity: Entity = python_class(of).entity
        items = planner.items(of, nodes, f"node_{prefix}")
        if not any(item.key == "__typename" for item in items):
            items = (*items, q.Said("__typename", f'"{of.name}"'))
        shapes.append((entity.shape.name, items))
        keys = [public.key if public.prefix == prefix else None for _, public in wanted]
        planner.values.given[f"nodes_{entity.shape.name}"] = keys
    planner.values.given["places"] = list(range(1, len(wanted) + 1))
    return q.Nodes(tuple(shapes), planner.clock, even_hidden), planner.values.given


def organization(request: Asked) -> dict[str, Any]:
    """The caller's own organisation."""
    org = request.caller.org
    return {
        "__typename": "Organization",
        "id": str(PublicId("org", org.id)),
        "name": org.name,
        "timeZone": org.time_zone,
        "reportingCurrency": org.currency,
    }


async def reread(info: strawberry.Info, public_id: str | None, *, even_hidden: bool = False) -> Any:
    """A row that a mutation names, read back as any other; all of one list's in one statement."""
    if public_id is None:
        return None
    request = asked(info)
    if request.loader is None:
        request.loader = DataLoader(load_fn=lambda keys: _load(request, keys), cache=False)
    fields = tuple(info._raw_info.field_nodes)
    return await request.loader.load(_Again(fields, public_id, even_hidden, info))


class _Again:
    """One row to be read again: those with the same selection are read together."""

    def __init__(self, fields: tuple[FieldNode, ...], public_id: str, even_hidden: bool, info: strawberry.Info) -> None:
        self.public_id, self.info = public_id, info
        self.group = (tuple(id(node) for node in fields), even_hidden)
        self.fields, self.even_hidden = fields, even_hidden


async def _load(request: Asked, keys: list[_Again]) -> list[Any]:
    answers: dict[int, Any] = {}
    groups: dict[Any, list[_Again]] = {}
    for key in keys:
        groups.setdefault(key.group, []).append(key)
    for group in groups.values():
        first = group[0]
        ids = [each.public_id for each in group]
        found = await _read_nodes(
            request, first.info, list(first.fields), _returned(first.info), ids, first.even_hidden, "write"
        )
        answers |= {id(key): row for key, row in zip(group, found, strict=True)}
    return [answers[id(key)] for key in keys]
