"""Fields that Python computes: the statement reads numbers for them, and what is made of those is told by response key."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphql import GraphQLObjectType, get_named_type

from schema.fields import Computed
from schema.selection import Selections


def resolver(source: Computed, of: GraphQLObjectType) -> Callable[..., Any]:
    """The resolver of a field that returns this type."""

    def resolve(row: Any, info: Any, **given: Any) -> Any:
        numbers = row[info.path.key]
        if numbers is None:
            return None
        selections = Selections(info.schema, info.fragments, info.variable_values)
        return by_key(selections, of, info.field_nodes, source.made(numbers, given, info.context.caller.org))

    return resolve


def by_key(
    selections: Selections, of: GraphQLObjectType, nodes: Iterable[Any], told: Mapping[str, Any]
) -> dict[str, Any]:
    """What is selected of what is told, as a statement would have answered: by response key."""
    found = {}
    for selected in selections.below(nodes, of):
        if selected.name == "__typename":
            continue
        value, inner = told[selected.name], get_named_type(of.fields[selected.name].type)
        objects = value is not None and isinstance(inner, GraphQLObjectType)
        found[selected.key] = by_key(selections, inner, selected.nodes, value) if objects else value
    return found
