"""How root fields of rows are answered: a plan, one statement, dictionaries that graphql-core completes."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLInterfaceType, GraphQLObjectType, get_named_type
from strawberry.dataloader import DataLoader

from app.platform.access import Caller
from app.platform.ids import PublicId, public_id
from app.platform.refusals import BadInput, Forbidden
from app.query import question as q
from schema.context import Asked, asked
from schema.fields import Entity
from schema.given import NeedsMore
from schema.plan import Planner, python_class
from schema.policies import OPERATIONS, TYPES
from schema.selection import Selected

MOST_NODES = 100


def _selected(info: strawberry.Info) -> Selected:
    nodes = list(info._raw_info.field_nodes)
    return Selected(str(info._raw_info.path.key), info._raw_info.field_name, nodes)


def _returned(info: strawberry.Info) -> Any:
    return get_named_type(info._raw_info.return_type)


async def answered(info: strawberry.Info, ask: Callable[..., q.Question | None]) -> Any:
    """What a root field asks, as plain dictionaries and lists."""
    request = asked(info)
    planner = await request.planner(info)
    selected = _selected(info)
    question = ask(planner, selected, _returned(info), planner.arguments(info._raw_info.parent_type, selected))
    return None if question is None else await request.read(question, planner.values.given)


# ------------------------------------------------------------------ by id


@cache
def types_by_prefix(schema: Any) -> dict[str, GraphQLObjectType]:
    """The types of rows with an id, by the prefix of their ids."""
    found = {}
    for of in schema.get_implementations(schema.type_map["Node"]).objects:
        entity = getattr(python_class(of), "entity", None)
        if entity is not None:
            found[entity.shape.prefix] = of
    return found


def _may_see(caller: Caller, of: GraphQLObjectType) -> bool:
    """Whether the caller may be told that there is such a row: its type is in its id."""
    scope = TYPES[of.name].scope
    return scope is None or scope in caller.may


async def by_ids(info: strawberry.Info, ids: Sequence[str], *, even_hidden: bool = False) -> list[Any]:
    """Rows by public id, null where there is none, each with its __typename; one statement for each instant that the ids carry."""
    asked(info).require(info)
    if len(ids) > MOST_NODES:
        raise BadInput(f"At most {MOST_NODES} ids at once.")
    return await _read_nodes(asked(info), info, list(info._raw_info.field_nodes), _returned(info), ids, even_hidden)


async def _read_nodes(
    request: Asked,
    info: strawberry.Info,
    nodes: list[FieldNode],
    returned: Any,
    ids: Sequence[str],
    even_hidden: bool,
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
        elif of is not None and info._raw_info.parent_type.name in OPERATIONS and not _may_see(request.caller, of):
            raise Forbidden(f"{of.name} needs a key with the scope {TYPES[of.name].scope!r}.")
        elif of is not None and (of is returned or isinstance(returned, GraphQLInterfaceType)):
            by_instant.setdefault(public.at, []).append((place, public))
    for instant, wanted in by_instant.items():
        planner = await request.planner(info)
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
    named: bool = True,
) -> tuple[q.Nodes, dict[str, Any]]:
    """`named`: with the __typename by which graphql-core tells types apart, even where it was not selected."""
    shapes = []
    for prefix in dict.fromkeys(public.prefix for _, public in wanted):
        of = known[prefix]
        entity: Entity = python_class(of).entity
        path = f"node_{prefix}"
        items: q.Items = planner.walked(path, partial(planner.items, of, nodes, path))
        if named and not any(item.key == "__typename" for item in items):
            items = (*items, q.Said("__typename", f'"{of.name}"'))
        shapes.append((entity.shape.name, items))
        keys = [public.key if public.prefix == prefix else None for _, public in wanted]
        planner.values.given[f"nodes_{entity.shape.name}"] = keys
    planner.values.given["places"] = list(range(1, len(wanted) + 1))
    return q.Nodes(tuple(shapes), planner.clock, even_hidden), planner.values.given


def asks_nodes(planner: Planner, selected: Selected, _: Any, given: Mapping[str, Any]) -> q.Question:
    """Rows by public id; raises NeedsMore for ids of several instants, and for what is no row."""
    return _ask_nodes(planner, selected, given["ids"])


def asks_node(planner: Planner, selected: Selected, _: Any, given: Mapping[str, Any]) -> q.Question:
    """The same of one id: a list of one."""
    return _ask_nodes(planner, selected, [given["id"]])


def _ask_nodes(planner: Planner, selected: Selected, ids: Sequence[str]) -> q.Question:
    if len(ids) > MOST_NODES:
        raise BadInput(f"At most {MOST_NODES} ids at once.")
    known = types_by_prefix(planner.schema)
    public = [PublicId.parse(text) for text in ids]
    wanted = [(place, each) for place, each in enumerate(public) if each is not None and each.prefix in known]
    instants = {each.at for _, each in wanted}
    seen = all(_may_see(planner.caller, known[each.prefix]) for _, each in wanted)
    if not seen or len(wanted) < len(ids) or len(instants) != 1:
        raise NeedsMore
    instant = instants.pop()
    if instant is not None and instant > planner.now:
        raise NeedsMore
    planner.set_as_of(instant)
    return _nodes_question(planner, known, selected.nodes, wanted, False, named=False)[0]


def organization(request: Asked) -> dict[str, Any]:
    """The caller's own organisation."""
    org = request.caller.org
    return {
        "__typename": "Organization",
        "id": public_id("org", org.id),
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
            request, first.info, list(first.fields), _returned(first.info), ids, first.even_hidden
        )
        answers |= {id(key): row for key, row in zip(group, found, strict=True)}
    return [answers[id(key)] for key in keys]
