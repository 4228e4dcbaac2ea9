"""A mutation field is one transaction: the key is claimed, the action runs, its result is remembered, all or nothing.

An action answers with ids, outcome and counts; what stands behind an id is read back like any other row. A refused field undoes only itself.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Annotated, Any, get_origin

import strawberry
from graphql import FieldNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, get_named_type
from graphql.execution.values import get_argument_values, get_directive_values
from strawberry.directive import DirectiveLocation

from app.platform.away import Away
from app.platform.changes import Looks
from app.platform.idempotency import claim, fingerprint, remember
from app.platform.refusals import Code, Refused
from app.platform.work import Work
from app.platform.writer import writer_of
from schema.context import Asked, asked
from schema.errors import UserError, as_dict, told
from schema.fields import REQUIRED, asking
from schema.given import plain
from schema.roots import reread

Result = dict[str, Any]
Action = Callable[[Work, Any], Mapping[str, Any]]
_KEY_ALONE = "an idempotency key (@idempotent or the Idempotency-Key header)"
_KEY_OR_REF = f"{_KEY_ALONE} or an externalRef"
_KEY = "Whatever the client makes up, once for each effect; remembered for 7 days."


@strawberry.directive(
    locations=[DirectiveLocation.FIELD],
    name="idempotent",
    description="A repeat of this mutation field with the same key has no second effect: same ids, outcome and counts; entities as they are now.",
)
def idempotent(key: Annotated[str, strawberry.argument(description=_KEY)]) -> None:
    """Read by the mutation field itself, in its transaction."""


class _Aborted(Exception):
    """A batch that is all or nothing, and was nothing."""

    def __init__(self, result: Result) -> None:
        super().__init__("The batch is undone.")
        self.result = result


@dataclass(frozen=True)
class Mutated:
    """How one mutation field works. `needs_key`: whether such an input must come with an idempotency key; `light`: of
    one small record, that may be carried out in memory first (app/platform/foreseen.py), `looks`: after these were read; `rows`: what its payload reads back, by name,
    and lists of ids too; `unkept`: what of the result is told this once, and no repeat is answered with."""

    action: Action
    needs_key: Callable[[Any], bool] = lambda _: False
    light: bool = False
    looks: Callable[[Any], Looks] = lambda _: ()
    rows: frozenset[str] = frozenset()
    even_hidden: bool = False
    unkept: frozenset[str] = frozenset()


def mutated_of(graphql_field: Any) -> Mutated | None:
    """How a field of the finished schema works, if it is a mutation."""
    definition = graphql_field.extensions.get("strawberry-definition")
    found: Mutated | None = definition.metadata.get("mutated") if definition is not None else None
    return found


# A change that has waited for so long is not begun any more, as when the server stood still: it would take effect at an
# instant of which others were told what it was (app/loyalty/finality.py).
LATEST_SECONDS = 60.0


async def perform(
    request: Asked,
    field: str,
    mutated: Mutated,
    given: Any,
    key: str | None,
    show: Callable[[Work, Result], None] = lambda _work, _result: None,
) -> Result:
    """Do it in one transaction; the same key again answers what was done first. Raises nothing that the caller could mend.

    `show`: what is to be read back of a result in the same transaction.
    """

    def do(work: Work) -> Result:
        if time.monotonic() - request.came > LATEST_SECONDS:
            raise Away
        if key is not None:
            print_ = fingerprint(given)
            first = claim(work, field, key, print_)
            if first is not None:
                request.extensions["idempotency"] = {"replayed": True}
                return first
        result = dict(mutated.action(work, given))
        if result.pop("abort", False):
            raise _Aborted(result)
        if key is not None:
            kept = {name: value for name, value in result.items() if name not in mutated.unkept}
            remember(work, field, key, print_, kept)
        show(work, result)
        return result

    try:
        result = await writer_of(request.engine).write(
            request.caller, request.now, do, in_memory=mutated.light, looks=mutated.looks(given)
        )
        request.changed = True
        return result
    except Away as gone:
        # What carries a key has no second effect, whatever became of it.
        raise Away(unknown=gone.unknown and key is None) from gone
    except Refused as refused:
        return {"user_errors": [as_dict(problem) for problem in refused.problems]}
    except _Aborted as aborted:
        return aborted.result


def mutation(
    action: Action,
    input_type: type,
    payload_type: type,
    description: str,
    *,
    needs_key: Callable[[Any], bool] | None = None,
    light: bool = False,
    looks: Callable[[Any], Looks] = lambda _: (),
    unkept: frozenset[str] = frozenset(),
) -> Any:
    """A field of Mutation: its argument `input`, given to the action as plain dictionaries in snake case."""
    rows, even_hidden = payload_type.reads_back  # type: ignore[attr-defined]
    mutated = Mutated(action, needs_key or (lambda _: False), light, looks, rows, even_hidden, unkept)

    async def resolve(info: strawberry.Info, **_: Any) -> Any:
        request = asked(info)
        request.require(info)
        raw = info._raw_info
        done = request.done.pop(str(raw.path.key), None)
        if isinstance(done, Exception):
            raise done
        if done is not None:
            return done
        definition = raw.parent_type.fields[raw.field_name]
        arguments = get_argument_values(definition, raw.field_nodes[0], raw.variable_values)
        given = plain(definition.args["input"].type, arguments["input"])
        key = idempotency_key(request, raw.operation, key_said(raw.schema, raw.field_nodes, raw.variable_values))
        if key is None and mutated.needs_key(given):
            told_by = _KEY_OR_REF if _has_ref(definition.args["input"].type) else _KEY_ALONE
            message = f"Give {told_by}: a retry could do it twice."
            return {
                "user_errors": [
                    {"code": Code.IDEMPOTENCY_KEY_REQUIRED.value, "message": message, "path": [], "node": None}
                ]
            }
        try:
            return await perform(request, raw.field_name, mutated, given, key)
        finally:
            # It may have changed one, and what is read beside it is read as it is now.
            await request.read_segments(request.segments.named)

    return strawberry.field(
        resolver=asking(payload_type, {"input": (input_type, REQUIRED, "What to do.")}, resolve),
        description=description,
        metadata={"mutated": mutated},
    )


def _has_ref(input_type: Any) -> bool:
    """Whether such an input, or a row of it, can be told from a retry by the reference of another system."""
    fields = get_named_type(input_type).fields
    return "externalRef" in fields or ("rows" in fields and _has_ref(fields["rows"].type))


def key_said(schema: GraphQLSchema, nodes: Sequence[FieldNode], variables: Any) -> Any:
    """The key of the directive of a field, if it has one."""
    directive: Any = schema.get_directive("idempotent")
    said = (get_directive_values(directive, node, variables) for node in nodes)
    return next((found["key"] for found in said if found), None)


def idempotency_key(request: Asked, operation: OperationDefinitionNode, said: str | None) -> str | None:
    """The idempotency key of a field: its directive's, or the header's when it is the only one."""
    if said is not None:
        return said
    if request.idempotency_key is not None:
        fields = [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]
        if len(fields) != 1 or len(fields) != len(operation.selection_set.selections):
            raise GraphQLError(
                "The Idempotency-Key header goes with a document of one mutation field; use @idempotent on each.",
                extensions={"code": "BAD_USER_INPUT"},
            )
    return request.idempotency_key


# ------------------------------------------------------------------ payloads


def again(key: str, *, even_hidden: bool = False) -> Callable[..., Any]:
    """Reads a row back that the result names."""

    async def read(self: Any, info: strawberry.Info) -> Any:
        return await reread(info, self.get(key), even_hidden=even_hidden)

    return read


def all_again(key: str) -> Callable[..., Any]:
    """Reads back all rows that the result names."""

    async def read(self: Any, info: strawberry.Info) -> Any:
        return await asyncio.gather(*(reread(info, each) for each in self.get(key, ())))

    return read


def payload(
    name: str,
    description: str,
    rows: Mapping[str, Any],
    values: Mapping[str, tuple[Any, str]] | None = None,
    *,
    even_hidden: bool = False,
) -> type:
    """A payload: rows read back by id, or lists of rows; plain values with their descriptions, userErrors and query."""
    annotations: dict[str, Any] = {}
    body: dict[str, Any] = {"__module__": __name__, "by_name": True}
    for key, of in rows.items():
        many = get_origin(of) is list
        resolver = all_again(key) if many else again(key, even_hidden=even_hidden)
        resolver.__annotations__["return"] = of if many else of | None
        told = "As they are now; none when it was refused." if many else "As it is now; null when it was refused."
        body[f"{key}_" if iskeyword(key) else key] = strawberry.field(resolver=resolver, name=key, description=told)
    for key, (type_, said) in (values or {}).items():
        annotations[key] = type_
        body[key] = strawberry.field(description=said)
    body["user_errors"] = strawberry.field(resolver=_problems, description="What to mend; empty when it was done.")
    if not name.endswith("Row"):
        body["query"] = strawberry.field(resolver=_query, description="Whatever else is to be read in the same trip.")
    body["reads_back"] = (frozenset(rows), even_hidden)
    return strawberry.type(type(name, (), {**body, "__annotations__": annotations}), description=description)


async def _problems(self: Any) -> list[UserError]:
    found: Any = told(self.get("user_errors", ()))
    return found  # type: ignore[no-any-return]


async def _query(self: Any) -> Annotated["Query", strawberry.lazy("schema.schema")]:  # type: ignore[name-defined] # noqa: F821
    # Its fields ask for themselves; they only need something to hang from, that is not null.
    return {}
