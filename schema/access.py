"""Whether a caller may name what an operation names: once for each operation and set of scopes, before anything runs.

What stands in the document counts whether @skip and @include leave it in or not, so no variable opens what was refused.
A filter or an order that comes as a variable is looked through in each request, unless the caller may name all that its
type can. A root field whose capability is missing is no matter of this: it answers FORBIDDEN by itself, but
beside a change, which would be done and not told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    type_from_ast,
)

from schema.coverage import Coverage
from schema.policies import OPERATIONS, Scopes, read_scope

Scoped = frozenset[str]


class ForbiddenField(Exception):
    """Something is named that the caller may not see; told by its place in the schema, never by a value."""

    def __init__(self, name: str, scope: str) -> None:
        super().__init__(f"{name} needs a key with the scope {scope!r}.")


@dataclass(frozen=True)
class Watched:
    """A variable that can name more than the caller may see: by the parts of its type, or by being there at all."""

    name: str
    type_: Any = None
    argument: str = ""
    scopes: Scopes = ()


@dataclass(frozen=True)
class Verdict:
    """Of one operation and one set of scopes. `whole`: every root field may be asked."""

    refused: ForbiddenField | None = None
    whole: bool = True
    watched: tuple[Watched, ...] = ()


def judged(
    coverage: Coverage, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], may: Scoped
) -> Verdict:
    """What may be said before its variables are known."""
    walk = _Walk(coverage, fragments, may, operation)
    try:
        for each in operation.variable_definitions or ():
            type_: Any = type_from_ast(coverage.schema, each.type)
            if each.default_value is not None:
                walk.value(type_, each.default_value)
            if not coverage.closures.get(get_named_type(type_).name, Scoped()) <= may:
                walk.watched.append(Watched(each.variable.name.value, type_))
        root: Any = coverage.schema.get_root_type(operation.operation)
        walk.selections(root, operation.selection_set, None)
    except ForbiddenField as refused:
        return Verdict(refused)
    return Verdict(None, walk.whole, tuple(walk.watched))


def refuse(coverage: Coverage, verdict: Verdict, may: Scoped, variables: Mapping[str, Any]) -> None:
    """Raises ForbiddenField; `variables` as they were coerced."""
    if verdict.refused is not None:
        raise verdict.refused
    for each in verdict.watched:
        value = variables.get(each.name)
        if each.type_ is not None:
            _refuse_value(coverage, may, each.type_, value)
        elif value is not None:
            _refuse(each.argument, each.scopes, may)


def _refuse(name: str, scopes: Iterable[str], may: Scoped, own: str | None = None) -> None:
    for scope in scopes:
        if scope not in may and scope != own:
            raise ForbiddenField(name, scope)


def _refuse_value(coverage: Coverage, may: Scoped, type_: Any, value: Any) -> None:
    """A coerced value: objects by the names they were coerced under, members of enumerations."""
    type_ = get_nullable_type(type_)
    if value is None:
        return
    if isinstance(type_, GraphQLList):
        for each in value:
            _refuse_value(coverage, may, type_.of_type, each)
    elif isinstance(type_, GraphQLInputObjectType):
        for name, told in type_.fields.items():
            given = told.out_name or name
            if given in value:
                _refuse(f"{type_.name}.{name}", coverage.inputs[type_.name, name], may)
                _refuse_value(coverage, may, told.type, value[given])
    elif isinstance(type_, GraphQLEnumType):
        name = value.name if isinstance(value, Enum) else str(value)
        _refuse(f"{type_.name}.{name}", coverage.values.get((type_.name, name), ()), may)


class _Walk:
    """Through all that an operation can select, each fragment once."""

    def __init__(
        self,
        coverage: Coverage,
        fragments: Mapping[str, FragmentDefinitionNode],
        may: Scoped,
        operation: OperationDefinitionNode,
    ) -> None:
        self.coverage, self.fragments, self.may = coverage, fragments, may
        roots = operation.selection_set.selections
        self.changes = operation.operation is OperationType.MUTATION
        self.many = len(roots) > 1 or not isinstance(roots[0], FieldNode)
        self.whole, self.watched = True, list[Watched]()
        self._spread: set[tuple[str, str, str | None]] = set()

    def selections(self, of: Any, selected: SelectionSetNode | None, own: str | None) -> None:
        """`own`: what need not be in the scopes, since it shows what the caller has just written."""
        for node in selected.selections if selected else ():
            if isinstance(node, FieldNode):
                self._field(of, node, own)
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                if (node.name.value, of.name, own) in self._spread:
                    continue
                self._spread.add((node.name.value, of.name, own))
            condition = fragment.type_condition
            inner = self.coverage.schema.type_map[condition.name.value] if condition else of
            self.selections(inner, fragment.selection_set, own)

    def _field(self, of: Any, node: FieldNode, own: str | None) -> None:
        name = node.name.value
        if name.startswith("__"):
            return
        below: str | None = None
        if of.name in OPERATIONS:
            changes = of is self.coverage.schema.mutation_type
            scope = OPERATIONS[of.name][name]
            if scope is not None and scope not in self.may:
                if self.changes and (self.many or not changes):
                    # Another change would be done, and nobody told.
                    raise ForbiddenField(f"{of.name}.{name}", scope)
                self.whole = False
                return
            below = read_scope(scope) if changes and scope else None
        else:
            _refuse(f"{of.name}.{name}", self.coverage.fields[of.name, name], self.may, own)
            below = own
        definition = of.fields[name]
        for argument in node.arguments or ():
            self._argument(of, name, argument, definition.args[argument.name.value])
        if node.selection_set is not None:
            inner: Any = get_named_type(definition.type)
            self.selections(inner, node.selection_set, below if self._stays(of, inner) else None)

    def _stays(self, of: Any, inner: Any) -> bool:
        """Whether a field leads to no other row: the rows that a payload shows, and their parts."""
        if of is self.coverage.schema.mutation_type or of.name in self.coverage.payloads:
            return True
        node = self.coverage.schema.type_map["Node"]
        other = isinstance(inner, GraphQLInterfaceType) or (
            isinstance(inner, GraphQLObjectType) and node in inner.interfaces
        )
        return not other and not inner.name.endswith(("Connection", "Edge"))

    def _argument(self, of: Any, field: str, given: Any, argument: Any) -> None:
        name = given.name.value
        scopes = [each for each in self.coverage.arguments[of.name, field, name] if each not in self.may]
        if scopes and isinstance(given.value, VariableNode):
            told = f"{of.name}.{field}({name}:)"
            self.watched.append(Watched(given.value.name.value, None, told, tuple(scopes)))
        elif scopes and not isinstance(given.value, NullValueNode):
            raise ForbiddenField(f"{of.name}.{field}({name}:)", scopes[0])
        self.value(argument.type, given.value)

    def value(self, type_: Any, node: Any) -> None:
        """What stands in the document; the variables in it are watched by themselves."""
        type_ = get_nullable_type(type_)
        if isinstance(node, ListValueNode) and isinstance(type_, GraphQLList):
            for each in node.values:
                self.value(type_.of_type, each)
        elif isinstance(type_, GraphQLList):
            self.value(type_.of_type, node)
        elif isinstance(node, ObjectValueNode) and isinstance(type_, GraphQLInputObjectType):
            for part in node.fields:
                name = part.name.value
                _refuse(f"{type_.name}.{name}", self.coverage.inputs[type_.name, name], self.may)
                self.value(type_.fields[name].type, part.value)
        elif isinstance(node, EnumValueNode) and isinstance(type_, GraphQLEnumType):
            name = node.value
            _refuse(f"{type_.name}.{name}", self.coverage.values.get((type_.name, name), ()), self.may)
