"""What a document may be, and what its arguments may say: refused before anything runs.

The shape is bounded on the parsed document in one pass, each fragment once, so that a bomb of fragments costs no more than its text.
The arguments of lists are read over the whole operation, payloads of mutations included: nothing is done for a caller whose answer
could not be told.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from app.platform.refusals import BadInput
from schema.asks import terms_of
from schema.attribution import refuse_period
from schema.fields import Computed, Further, Related, source_of
from schema.given import plain
from schema.groups import MOST_GROUPS
from schema.plan import Planner, python_class, rows_class
from schema.roots import MOST_NODES
from schema.scenario import columns
from schema.selection import Selected
from schema.stored import is_where

DEEPEST, MOST_FIELDS, MOST_REPEATED, MOST_ALIASES = 12, 5_000, 50, 50
_SATURATED = 10**9
_Measure = tuple[int, int, int]


class TooMuch(Exception):
    """A document that is too deep or too wide; `code` says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def shape(document: DocumentNode) -> None:
    """Raises TooMuch for an operation that nests too deeply, or selects or renames too much once its fragments are spread out."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    known: dict[str, _Measure] = {}
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            depth, fields, aliases = _measured(each.selection_set, fragments, known, ())
            if depth > DEEPEST:
                raise TooMuch("MAX_DEPTH_EXCEEDED", f"A document nests at most {DEEPEST} fields deep.")
            if fields > MOST_FIELDS:
                raise TooMuch(
                    "MAX_COST_EXCEEDED", f"A document selects at most {MOST_FIELDS:,} fields, fragments spread out."
                )
            if aliases > MOST_ALIASES:
                raise TooMuch(
                    "MAX_COST_EXCEEDED",
                    f"A document has at most {MOST_ALIASES} aliases of objects and lists, fragments spread out.",
                )


def _measured(
    selections: SelectionSetNode | None,
    fragments: Mapping[str, FragmentDefinitionNode],
    known: dict[str, _Measure],
    inside: tuple[str, ...],
) -> _Measure:
    """Depth, number of fields and of aliases below, saturating; each fragment is measured once."""
    if selections is None:
        return 0, 0, 0
    deepest, total, renamed, names = 0, 0, 0, Counter[str]()
    for node in selections.selections:
        if isinstance(node, FieldNode):
            if node.name.value.startswith("__"):
                continue
            names[node.alias.value if node.alias else node.name.value] += 1
            depth, fields, aliases = _measured(node.selection_set, fragments, known, inside)
            depth, fields = depth + 1, fields + 1
            # By another name the same work is done again; a column that is shown twice is none.
            aliases += node.alias is not None and node.selection_set is not None
        elif isinstance(node, FragmentSpreadNode):
            name = node.name.value
            # A cycle or an unknown one is validation's to refuse, and is never kept: what stands inside it is not whole.
            if name in inside or name not in fragments:
                continue
            if name not in known:
                known[name] = _measured(fragments[name].selection_set, fragments, known, (*inside, name))
            depth, fields, aliases = known[name]
        else:
            inline: Any = node
            depth, fields, aliases = _measured(inline.selection_set, fragments, known, inside)
        deepest, total = max(deepest, depth), min(total + fields, _SATURATED)
        renamed = min(renamed + aliases, _SATURATED)
    # Whether fields of one name may be merged is asked of every pair of them.
    if names and max(names.values()) > MOST_REPEATED:
        raise TooMuch("MAX_COST_EXCEEDED", f"A field is selected at most {MOST_REPEATED} times under one name.")
    return deepest, total, renamed


def arguments(schema: GraphQLSchema, operation: OperationDefinitionNode, planner: Planner) -> None:
    """Raises BadInput for a page, a cursor, a filter or an instant that cannot be asked, anywhere in the operation."""
    root: Any = schema.get_root_type(operation.operation)
    for selected in planner.below([operation], root):
        # What is counted is counted of each root field.
        planner.values.leaves = planner.values.memberships = planner.values.inherited = 0
        _visit(planner, root, selected)


def _visit(planner: Planner, of: GraphQLObjectType, selected: Selected) -> None:
    if selected.name.startswith("__"):
        return
    field = of.fields[selected.name]
    if field.args:
        _argued(planner, of, selected)
    inner: Any = get_named_type(field.type)
    possible: Sequence[Any] = [inner] if isinstance(inner, GraphQLObjectType) else ()
    if isinstance(inner, GraphQLInterfaceType):
        possible = planner.schema.get_implementations(inner).objects
    for each in possible:
        for below in planner.below(selected.nodes, each):
            _visit(planner, each, below)


def _argued(planner: Planner, of: GraphQLObjectType, selected: Selected) -> None:
    given = planner.arguments(of, selected)
    inner: Any = get_named_type(of.fields[selected.name].type)
    as_of = given.get("asOf")
    if as_of is not None:
        planner.refuse_instant(as_of)
    source = source_of(of.fields[selected.name])
    if isinstance(source, Related | Computed) and source.asked is not None:
        source.asked(given, selected.key, planner.values)
    if isinstance(source, Further):
        source.check(given)
    if "nodes" in getattr(inner, "fields", {}):
        own_order = source.relation.order if isinstance(source, Related) else ()
        planner.asked_of(rows_class(inner), given, selected.key, False, terms_of(given) or None, own_order)
    elif "where" in given and is_where(get_named_type(of.fields[selected.name].args["where"].type)):
        planner.test_of(python_class(planner.schema.type_map["Customer"]), given, selected.key)
    if selected.name == "customerGroups":
        if given.get("first") is not None and not 1 <= given["first"] <= MOST_GROUPS:
            raise BadInput(f"first is 1 to {MOST_GROUPS:,}.")
    elif selected.name == "nodes" and len(given["ids"]) > MOST_NODES:
        raise BadInput(f"At most {MOST_NODES} ids at once.")
    elif selected.name in ("attribution", "channelQuality"):
        refuse_period(given)
    elif selected.name == "customerScenario":
        typed = plain(of.fields[selected.name].args["facts"].type, given["facts"])
        columns(typed, planner.values.today, planner.values.exponent)
