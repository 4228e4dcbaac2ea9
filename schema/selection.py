"""What is selected below a field: fragments spread out, directives heeded, fields of one response key merged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
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
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values

# Arguments that say the same at any clock, to whoever asks.
_TIMELESS = frozenset({"first", "last", "orderBy", "of"})


@dataclass(frozen=True)
class Place:
    """Where a variable's value goes."""

    number: int


@dataclass(frozen=True)
class Later:
    """What is made of a part once the values are in it."""

    part: Any
    make: Callable[[Any], Any]


_ABSENT, _ABSENT_FORM = object(), 2
# Of the same arguments or selection so many are kept.
MOST_FORMS = 64
# Which variables are there, and which are null.
Form = tuple[int, ...]
Fill = Callable[[Sequence[Any]], Any]
Forms = dict[Form, Fill]


def said(names: Sequence[str], coerced: Mapping[str, Any]) -> tuple[Form, list[Any]]:
    """The values of these variables, and their form."""
    form, given = [], []
    for name in names:
        value = coerced.get(name, _ABSENT)
        form.append(_ABSENT_FORM if value is _ABSENT else value is not None)
        given.append(value)
    return tuple(form), given


def filling(form: Any) -> Fill:
    """What makes the form with values in its places."""
    if isinstance(form, Place):
        return itemgetter(form.number)
    if isinstance(form, Later):
        part, make = filling(form.part), form.make
        return lambda values: make(part(values))
    if isinstance(form, dict):
        # What is the same each time is copied at once; where something is to be made its place is kept.
        moving = [(key, filling(each)) for key, each in form.items() if isinstance(each, Place | Later | dict | list)]

        def fill(values: Sequence[Any]) -> Any:
            made = form.copy()
            for key, part in moving:
                made[key] = part(values)
            return made

        return fill
    if isinstance(form, list):
        listed = [filling(each) for each in form]
        return lambda values: [fill(values) for fill in listed]
    return lambda _: form


def has_places(form: Any) -> bool:
    if isinstance(form, dict | list):
        return any(has_places(each) for each in (form.values() if isinstance(form, dict) else form))
    return isinstance(form, Place)


def _arguments(parent: GraphQLObjectType, selected: "Selected") -> Callable[[VariableValues], dict[str, Any]]:
    definition, node = parent.fields[selected.name], selected.nodes[0]

    def make(variables: VariableValues) -> dict[str, Any]:
        given = get_argument_values(definition, node, variables)
        return {
            name: given[argument.out_name or name]
            for name, argument in definition.args.items()
            if (argument.out_name or name) in given
        }

    return make


def variables_in(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The names of all variables that stand below."""
    found: dict[str, None] = {}
    waiting: list[Any] = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, VariableNode):
            found[node.name.value] = None
            continue
        for key in getattr(node, "keys", ()):
            below = getattr(node, key, None)
            waiting.extend([below] if isinstance(below, Node) else below if isinstance(below, tuple | list) else ())
    return tuple(found)


@dataclass
class Selected:
    """A field that was selected: its response key and all nodes that select it."""

    key: str
    name: str
    nodes: list[FieldNode]
    forms: Forms = field(default_factory=dict)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables that stand in its arguments."""
        return variables_in(self.nodes[0].arguments or ())

    @property
    def timeless(self) -> bool:
        """Whether its arguments say the same in every request."""
        return not self.variables and all(each.name.value in _TIMELESS for each in self.nodes[0].arguments or ())


@dataclass
class Selections:
    """The selections of one operation, with the values of its variables."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Any

    def arguments(self, parent: GraphQLObjectType, selected: Selected) -> dict[str, Any]:
        """Its arguments as they were coerced, by GraphQL name."""
        return self.filled(selected.forms, selected.variables, _arguments(parent, selected))  # type: ignore[no-any-return]

    def placed(self, parent: GraphQLObjectType, selected: Selected) -> dict[str, Any]:
        """The same with a Place for each variable that has a value."""
        return self._placed(selected.variables, _arguments(parent, selected))  # type: ignore[no-any-return]

    def filled(self, forms: Forms, variables: Sequence[str], make: Callable[[VariableValues], Any]) -> Any:
        """What is made of these variables' values, dictionaries and lists with the values in their places; `forms`: what
        was made before. graphql-core asks of a variable only whether it is there and whether it is null, so that what it
        makes is the same each time, with other values in the same places."""
        form, given = said(variables, self.variables.coerced)
        if form not in forms:
            if len(forms) >= MOST_FORMS:
                forms.clear()
            forms[form] = filling(self._placed(variables, make))
        return forms[form](given)

    def _placed(self, variables: Sequence[str], make: Callable[[VariableValues], Any]) -> Any:
        coerced = self.variables.coerced
        places = {name: Place(n) for n, name in enumerate(variables) if coerced.get(name) is not None}
        return make(VariableValues({}, {name: places.get(name, coerced.get(name)) for name in coerced}))

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
