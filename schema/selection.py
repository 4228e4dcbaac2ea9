"""What is selected below a field: fragments spread out, directives heeded, fields of one response key merged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    Node,
    SelectionNode,
    VariableNode,
)
from graphql.execution.values import get_argument_values, get_directive_values

# Arguments that say the same at any clock, to whoever asks.
_TIMELESS = frozenset({"first", "last", "orderBy", "of"})


@dataclass
class Selected:
    """A field that was selected: its response key and all nodes that select it."""

    key: str
    name: str
    nodes: list[FieldNode]
    literal: dict[str, Any] | None = None

    @cached_property
    def varies(self) -> bool:
        """Whether a variable stands in its arguments."""
        waiting: list[Any] = list(self.nodes[0].arguments or ())
        while waiting:
            node = waiting.pop()
            if isinstance(node, VariableNode):
                return True
            for key in getattr(node, "keys", ()):
                below = getattr(node, key, None)
                waiting.extend(below if isinstance(below, Sequence) else [below] if isinstance(below, Node) else ())
        return False

    @property
    def timeless(self) -> bool:
        """Whether its arguments say the same in every request."""
        return not self.varies and all(each.name.value in _TIMELESS for each in self.nodes[0].arguments or ())


@dataclass
class Selections:
    """The selections of one operation, with the values of its variables."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Any

    def arguments(self, parent: GraphQLObjectType, selected: Selected) -> dict[str, Any]:
        """Its arguments as they were coerced, by GraphQL name."""
        if selected.literal is not None:
            return selected.literal
        definition = parent.fields[selected.name]
        given: dict[str, Any] = get_argument_values(definition, selected.nodes[0], self.variables)
        named = {
            name: given[argument.out_name or name]
            for name, argument in definition.args.items()
            if (argument.out_name or name) in given
        }
        if not selected.varies:
            selected.literal = named
        return named

    def below(self, nodes: Iterable[Any], parent: GraphQLObjectType) -> list[Selected]:
        """What is selected below a field, merged by response key, in order."""
        found: dict[str, Selected] = {}
        for node in nodes:
            self._collect(node.selection_set.selections if node.selection_set else (), parent, found, set())
        return list(found.values())

    def _collect(
        self,
        selections: Sequence[SelectionNode],
        parent: GraphQLObjectType,
        found: dict[str, Selected],
        spread: set[str],
    ) -> None:
        for node in selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                key = node.alias.value if node.alias else node.name.value
                found.setdefault(key, Selected(key, node.name.value, [])).nodes.append(node)
                continue
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in spread:
                    continue
                spread.add(node.name.value)
                fragment: Any = self.fragments[node.name.value]
            else:
                fragment = node
            if self._applies(fragment.type_condition, parent):
                self._collect(fragment.selection_set.selections, parent, found, spread)

    def _applies(self, condition: Any, parent: GraphQLObjectType) -> bool:
        if condition is None or condition.name.value == parent.name:
            return True
        named = self.schema.get_type(condition.name.value)
        return isinstance(named, GraphQLInterfaceType) and named in parent.interfaces

    def _included(self, node: SelectionNode) -> bool:
        skip: Any = get_directive_values(GraphQLSkipDirective, node, self.variables)
        if skip and skip["if"]:
            return False
        include: Any = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not include or bool(include["if"])
