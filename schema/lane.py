"""The byte lane: the statements' own JSON as the answer, without a Python object for a row or a field.

An operation takes it when each of its root fields is one question whose every field has a source in SQL. The first time
its selections are walked; after that only its arguments are read, and a question asked before finds its statement.
Whatever is unusual (an introspection, a value that is refused) is left to graphql-core, which says so exactly.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any

import orjson
from graphql import (
    DirectiveNode,
    GraphQLError,
    GraphQLObjectType,
    Node,
    get_named_type,
    is_non_null_type,
)

from app.platform.access import Caller
from app.platform.away import away
from app.platform.refusals import BadInput
from app.query.fetch import NOTHING, Reader
from app.query.question import Connection, Lookup, Question
from schema.answer import failed
from schema.asks import ID, Ask
from schema.documents import Operation
from schema.given import Anew, NeedsMore, Parameters, Put
from schema.plan import NoSource, Planner, Walk
from schema.queries import ROOTS
from schema.schema import graphql_schema
from schema.selection import (
    MOST_FORMS,
    Fill,
    Form,
    Place,
    Selected,
    Selections,
    filling,
    has_places,
    said,
    variables_in,
)

QUERY: Any = graphql_schema.query_type
# Of one operation: each set of values that its @skip and @include may have is another plan.
MOST_PLANS = 64
# Arguments that a variable can stand for, and those that it can stand in, without making another question.
PLAIN, HOLDING = frozenset({"id", "first", "last", "after", "before"}), frozenset({"by", "where"})
_TYPENAME = orjson.dumps(QUERY.name)
# How often there was a plan already, and how often it was made.
looked_up = {"hit": 0, "miss": 0}


@dataclass
class Root:
    """A root field: how its question is asked, and what was walked for it before."""

    selected: Selected
    prefix: bytes
    of: GraphQLObjectType
    nullable: bool
    ask: Ask | None
    memory: dict[str, Walk] = field(default_factory=dict)
    repeated: "dict[Form, Repeated | None]" = field(default_factory=dict)


@dataclass
class Repeated:
    """A row by its id, or a page of rows, whose fields take nothing from a request: the same question each time, with
    other values. `takes`: how each parameter is made of the variables, and what that usually tells."""

    question: Question
    constants: dict[str, Any]
    takes: list[tuple[Fill, Put, Any]]

    def asked(self, said: Sequence[Any], caller: Caller, now: datetime) -> tuple[Question, dict[str, Any]] | None:
        """None for values that are to be looked at more closely."""
        given = Parameters(caller.org, now)
        given.update(self.constants)
        try:
            for fill, put, usual in self.takes:
                if put(given, fill(said)) != usual:
                    return None
        except (Anew, BadInput):
            return None
        return self.question, given


@dataclass
class Plan:
    """The root fields of an operation; none when it is not for this lane."""

    roots: list[Root] = field(default_factory=list)


async def answer(
    reader: Reader, operation: Operation, variables: Any, caller: Caller, now: datetime, past: bool, beside: bytes = b""
) -> bytes | None:
    """The whole body, for a caller who may ask all of it, with what is said beside the data at its end; None when
    graphql-core is to answer. `variables` as graphql-core coerced them."""
    plan = _plan_of(operation, variables)
    if not plan.roots:
        return None
    try:
        asks = [_asked(root, operation, variables, caller, now, past) for root in plan.roots]
    except (BadInput, GraphQLError, NeedsMore, NoSource):
        return None
    found: Sequence[bytes | Exception]
    if len(asks) == 1:
        [root], [ask] = plan.roots, asks
        data = await _read(reader, root, ask)
        if not isinstance(data, Exception):
            return b'{"data":{%b%b}%b}' % (root.prefix, data, beside)
        found = [data]
    elif all(ask is None or reader.is_short(ask[0]) for ask in asks):
        # One after the other: what is short is done before a task could be made for it.
        found = [await _read(reader, root, ask) for root, ask in zip(plan.roots, asks, strict=True)]
    else:
        found = await asyncio.gather(*map(_read, repeat(reader), plan.roots, asks))
    # An answer may be large: it is put together once.
    parts = [b'{"data":{']
    for root, data in zip(plan.roots, found, strict=True):
        if isinstance(data, Exception):
            return _with_errors(plan.roots, found, beside)
        parts += (root.prefix, data, b",")
    parts[-1] = b"}"
    parts += (beside, b"}")
    return b"".join(parts)


def _asked(
    root: Root, operation: Operation, variables: Any, caller: Caller, now: datetime, past: bool
) -> tuple[Question, dict[str, Any]] | None:
    if root.ask is None:
        return None
    form, values = said(root.selected.variables, variables.coerced)
    repeated = root.repeated.get(form)
    if repeated is not None and not past:
        found = repeated.asked(values, caller, now)
        if found is not None:
            return found
    planner = Planner(graphql_schema, operation.fragments, variables, caller, now, past, root.memory)
    question = root.ask(planner, root.selected, root.of, planner.arguments(QUERY, root.selected))
    if question is None:
        return None
    if form not in root.repeated and not past and planner.as_of is None:
        if len(root.repeated) >= MOST_FORMS:
            root.repeated.clear()
        again = Planner(graphql_schema, operation.fragments, variables, caller, now, memory=root.memory)
        root.repeated[form] = _repeated(root, root.ask, again, question)
    return question, planner.values.given


def _repeated(root: Root, ask: Ask, planner: Planner, question: Question) -> Repeated | None:
    """None where it is not certain that other values make no other question."""
    arguments, walk = planner.placed(QUERY, root.selected), root.memory.get(root.selected.key)
    if walk is None or walk.asks or not (isinstance(question, Connection) or _is_by_id(question)):
        return None
    if not all(_is_plain(name, form) for name, form in arguments.items()):
        return None
    takes = planner.values.takes = []
    try:
        asked = ask(planner, root.selected, root.of, arguments)
    except (Anew, BadInput):
        return None
    # What was put there by other ways may be another value next time.
    if asked != question or dict.keys(planner.values.given) != walk.constants.keys():
        return None
    return Repeated(question, walk.constants, [(filling(form), put, usual) for form, put, usual in takes])


def _is_by_id(question: Question) -> bool:
    return isinstance(question, Lookup) and question.where == ID


def _is_plain(name: str, form: Any) -> bool:
    """Whether an argument is a value as it is, or has some in it that are."""
    return name in PLAIN or not has_places(form) or (name in HOLDING and not isinstance(form, Place))


async def _read(reader: Reader, root: Root, ask: tuple[Question, dict[str, Any]] | None) -> bytes | Exception:
    """A root field's value, or what went wrong."""
    if root.ask is None:
        return _TYPENAME
    if ask is None:
        return NOTHING
    try:
        text = await reader.read(*ask)
    except Exception as failure:  # noqa: BLE001 - told without a word of it
        return failure
    # One id is asked for as a list of one.
    return text[1:-1] if root.selected.name == "node" else text


def _with_errors(roots: Sequence[Root], found: Sequence[bytes | Exception], beside: bytes) -> bytes:
    """As graphql-core answers when a field fails: it is null, or all is where it cannot be."""
    errors, parts, whole = [], [], True
    for root, each in zip(roots, found, strict=True):
        if isinstance(each, bytes):
            parts.append(root.prefix + each)
            continue
        if away(each):
            raise each
        key = root.selected.key
        errors.append(failed(GraphQLError(str(each), root.selected.nodes, path=[key], original_error=each)))
        parts.append(root.prefix + NOTHING)
        whole = whole and root.nullable
    data = b"{" + b",".join(parts) + b"}" if whole else NOTHING
    return b'{"errors":' + orjson.dumps(errors) + b',"data":' + data + beside + b"}"


# ------------------------------------------------------------------ plans


def _plan_of(operation: Operation, variables: Any) -> Plan:
    plans = operation.plans
    names = plans.get("names")
    if names is None:
        names = plans["names"] = switches([operation.node, *operation.fragments.values()])
    values = tuple([variables.coerced.get(name) for name in names]) if names else ()
    plan: Plan | None = plans.get(values)
    if plan is not None:
        looked_up["hit"] += 1
    else:
        looked_up["miss"] += 1
        if len(plans) > MOST_PLANS:
            plans.clear()
            plans["names"] = names
        plan = plans[values] = _plan(operation, variables)
    return plan


def switches(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The variables on which @skip and @include hang."""
    found: list[Node] = []
    waiting: list[Any] = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, DirectiveNode) and node.name.value in ("skip", "include"):
            found.append(node)
            continue
        for key in getattr(node, "keys", ()):
            below = getattr(node, key, None)
            waiting.extend([below] if isinstance(below, Node) else below if isinstance(below, tuple | list) else ())
    return variables_in(found)


def _plan(operation: Operation, variables: Any) -> Plan:
    selections = Selections(graphql_schema, operation.fragments, variables)
    roots = []
    for selected in selections.below([operation.node], QUERY):
        ask = ROOTS.get(selected.name)
        if ask is None and selected.name != "__typename":
            return Plan()
        type_: Any = QUERY.fields[selected.name].type if ask else None
        of: Any = get_named_type(type_) if ask else QUERY
        prefix = orjson.dumps(selected.key) + b":"
        roots.append(Root(selected, prefix, of, bool(ask) and not is_non_null_type(type_), ask))
    return Plan(roots)
