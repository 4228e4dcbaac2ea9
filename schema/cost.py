"""What an operation may cost, known before it runs: how many rows it can return, page sizes multiplied.

    a value, or a part of a row     0
    a row                           1, and what is selected of it
    a connection                    1, and for each row of the page what is selected of it
    a plain list                    5 rows, which is what such lists are like; `nodes` as many as there are ids
    a mutation                      10, and what is selected of its payload
    a count or sum over everybody   50

One pass, each fragment once; the numbers saturate, so that a bomb of fragments costs no more than its text. Of the same
operation with the same page sizes the price is looked up.
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from schema.fields import Fixed, Money, PartOf, Why, source_of
from schema.paging import DEFAULT_PAGE, LARGEST_PAGE
from schema.selection import variables_in

MOST = 10_000
LISTED, CHANGED, AGGREGATED, INTROSPECTED = 5, 10, 50, 100
_SATURATED = 10**9
_MOST_KNOWN = 256
# Objects made of the row that they belong to.
_PARTS = (PartOf, Money, Why, Fixed)
# Arguments that say how many, and the fields that look at everybody.
_SIZES = ("first", "last")
_OVER_ALL = frozenset({"customerGroups", "audiencePreview", "attribution", "channelQuality", "profile"})


class Price:
    """Of one operation, by the variables on which it hangs."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        self._schema, self._operation, self._fragments = schema, operation, fragments
        self._names = _hanging_on([operation, *fragments.values()])
        self._known: dict[tuple[Any, ...], int] = {}
        self._always: int | None = None

    def of(self, variables: Mapping[str, Any]) -> int:
        """At least 1."""
        if self._always is not None:
            return self._always
        values = tuple([_size(variables.get(name)) for name in self._names])
        found = self._known.get(values)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[values] = self._priced(dict(zip(self._names, values, strict=True)))
            if not self._names:
                self._always = found
        return found

    def _priced(self, sizes: Mapping[str, Any]) -> int:
        root: Any = self._schema.get_root_type(self._operation.operation)
        changes = self._operation.operation is OperationType.MUTATION
        pass_ = _Pass(self._schema, self._fragments, sizes)
        return max(1, pass_.below(self._operation.selection_set, root, (), CHANGED - 1 if changes else 0))


class _Pass:
    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], sizes: Mapping[str, Any]
    ) -> None:
        self.schema, self.fragments, self.sizes = schema, fragments, sizes
        self.known: dict[str, int] = {}

    def below(
        self, selections: SelectionSetNode | None, of: Any, inside: tuple[str, ...], each: int = 0, rows: int = 1
    ) -> int:
        """`each`: what a field costs besides; `rows`: how large a page is, of a connection's own fields."""
        total = 0
        for node in selections.selections if selections else ():
            if self._left_out(node):
                continue
            if isinstance(node, FieldNode):
                total += self._field(node, of, inside, rows) + each
            elif isinstance(node, InlineFragmentNode):
                total += self.below(node.selection_set, self._narrowed(node, of), inside, each, rows)
            elif isinstance(node, FragmentSpreadNode):
                total += self._spread(node.name.value, inside, each, rows)
            total = min(total, _SATURATED)
        return total

    def _spread(self, name: str, inside: tuple[str, ...], each: int, rows: int) -> int:
        fragment = self.fragments.get(name)
        # Validation refuses a cycle; what stands inside one is not whole, and is never kept.
        if fragment is None or name in inside:
            return 0
        key = f"{name} {each} {rows}"
        if key not in self.known:
            of = self._narrowed(fragment, None)
            self.known[key] = self.below(fragment.selection_set, of, (*inside, name), each, rows)
        return self.known[key]

    def _field(self, node: FieldNode, of: Any, inside: tuple[str, ...], rows: int) -> int:
        name = node.name.value
        if name.startswith("__"):
            return 0 if name == "__typename" else INTROSPECTED
        definition = getattr(of, "fields", {}).get(name)
        inner: Any = get_named_type(definition.type) if definition else None
        if inner is None or not is_composite_type(inner):
            return 0
        if isinstance(source_of(definition), _PARTS):
            return self.below(node.selection_set, inner, inside)
        over_all = AGGREGATED if name in _OVER_ALL else 0
        if isinstance(inner, GraphQLObjectType) and "pageInfo" in inner.fields:
            return 1 + self.below(node.selection_set, inner, inside, rows=self._page(node))
        if isinstance(of, GraphQLObjectType) and of.name.startswith("Explanation"):
            # A sentence of the row, whatever it is made of.
            return 0
        one = 1 + self.below(node.selection_set, inner, inside)
        count = 1
        if definition and is_list_type(get_nullable_type(definition.type)):
            # The rows of a connection are as many as its page has.
            count = rows if "pageInfo" in of.fields else self._listed(node)
        return int(min(_SATURATED, over_all + count * one))

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in _SIZES:
                size = self._said(argument.value)
                if isinstance(size, int):
                    return min(max(size, 0), LARGEST_PAGE)
        return DEFAULT_PAGE

    def _listed(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value == "ids":
                size = self._said(argument.value)
                return size if isinstance(size, int) else LISTED
        return LISTED

    def _said(self, value: Any) -> Any:
        match value:
            case IntValueNode():
                return min(int(value.value[:9]), _SATURATED)
            case ListValueNode():
                return len(value.values)
            case VariableNode():
                return self.sizes.get(value.name.value)
            case _:
                return None

    def _left_out(self, node: Any) -> bool:
        for directive in node.directives or ():
            if directive.name.value in ("skip", "include") and directive.arguments:
                value: Any = directive.arguments[0].value
                said = self.sizes.get(value.name.value) if isinstance(value, VariableNode) else value.value
                if said is (directive.name.value == "skip"):
                    return True
        return False

    def _narrowed(self, node: Any, of: Any) -> Any:
        return self.schema.get_type(node.type_condition.name.value) if node.type_condition else of


def _size(value: Any) -> Any:
    """What of a variable's value a price hangs on."""
    return len(value) if isinstance(value, list) else value


def _hanging_on(nodes: list[Any]) -> tuple[str, ...]:
    """The variables that say how many, or whether."""
    found: list[Node] = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, FieldNode):
            found += [argument for argument in node.arguments or () if argument.name.value in (*_SIZES, "ids")]
        found += [each for each in getattr(node, "directives", ()) or () if each.name.value in ("skip", "include")]
        below = getattr(node, "selection_set", None)
        waiting += below.selections if below else ()
    return variables_in(found)
