"""The table of schema/policies.py laid over the finished schema: what each coordinate needs. Default deny: whatever has no
policy is told, all at once, and no schema is built."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_introspection_type,
    is_list_type,
)

from app.platform.scopes import PERSONAL, SCOPES
from schema import policies
from schema.plan import python_class
from schema.policies import Scopes

# What such a field says may be about a person.
_TEXTS = frozenset({"String", "JSON", "Date"})
_NESTING = frozenset({"AND", "OR", "NOT"})


class NoPolicy(Exception):
    """Something that can be named, of which nobody said who may."""


@dataclass
class Coverage:
    """What is needed by coordinate: of fields (type, field), of arguments (type, field, argument), of input fields and of
    enum values. `closures`: all that an input type or an enum can name. `payloads`: the types that mutations answer with."""

    schema: GraphQLSchema
    fields: dict[tuple[str, str], Scopes] = field(default_factory=dict)
    arguments: dict[tuple[str, str, str], Scopes] = field(default_factory=dict)
    inputs: dict[tuple[str, str], Scopes] = field(default_factory=dict)
    values: dict[tuple[str, str], Scopes] = field(default_factory=dict)
    closures: dict[str, frozenset[str]] = field(default_factory=dict)
    payloads: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)

    def scope_of(self, of: Any) -> str | None:
        """The capability that a type of rows, or a connection of them, belongs to."""
        known = policies.TYPES.get(of.name)
        return known.scope if known else None


def covered(schema: GraphQLSchema) -> Coverage:
    """Raises NoPolicy."""
    found = Coverage(schema)
    roots = policies.OPERATIONS
    objects: list[Any] = [
        of for of in schema.type_map.values() if _is_ours(of, (GraphQLObjectType, GraphQLInterfaceType))
    ]
    for of in objects:
        if of.name in roots:
            found.missing += [f"{of.name}.{name}" for name in of.fields if name not in roots[of.name]]
            continue
        if hasattr(python_class(of), "reads_back"):
            found.payloads.add(of.name)
        if of.name not in policies.PATHED:
            _cover_fields(found, of)
    for name, below in policies.PATHED.items():
        _cover_paths(found, schema.type_map[name], schema.type_map[below])
    _cover_enums(found)
    _cover_inputs(found)
    for of in objects:
        for name, told in of.fields.items():
            _cover_arguments(found, of, name, told)
    stale = [name for name in policies.TYPES if name not in schema.type_map]
    stale += [each for root, named in roots.items() for each in named if each not in _fields(schema, root)]
    known = {scope for table in (found.fields, found.inputs, found.values) for each in table.values() for scope in each}
    stale += sorted(known - {*SCOPES})
    if found.missing or stale:
        raise NoPolicy(f"Without a policy: {', '.join(found.missing) or '-'}; of nothing: {', '.join(stale) or '-'}.")
    _close(found)
    return found


def _is_ours(of: Any, kinds: Any) -> bool:
    return isinstance(of, kinds) and not is_introspection_type(of)


def _fields(schema: GraphQLSchema, name: str) -> Any:
    of: Any = schema.type_map.get(name)
    return of.fields if of is not None else {}


# ------------------------------------------------------------------ fields


def _cover_fields(found: Coverage, of: Any) -> None:
    rows = getattr(python_class(of), "rows_of", None)
    if rows is None and of.name.endswith("Edge"):
        rows = python_class(get_named_type(of.fields["node"].type))
    payload = of.name in found.payloads
    known = policies.TYPES.get(rows.__name__ if rows else of.name)
    if payload:
        known = policies.Of(None, policies.SHOWN.get(of.name, frozenset()))
    if known is None:
        found.missing.append(of.name)
        return
    for name, told in of.fields.items():
        inner: Any = get_named_type(told.type)
        named = {*known.plain, *known.personal}
        if rows is None and inner.name in _TEXTS and name not in named and "*" not in named:
            found.missing.append(f"{of.name}.{name}")
        scopes: list[str] = [] if known.scope is None or (name in policies.IDENTITY and rows is None) else [known.scope]
        scopes += [PERSONAL] if name in known.personal else []
        scopes += known.also.get(name, ())
        # A list of rows tells how many there are, whatever is shown of them.
        target = found.scope_of(inner) if is_list_type(get_nullable_type(told.type)) and not payload else None
        found.fields[of.name, name] = tuple(dict.fromkeys([*scopes, *([target] if target else [])]))
    if rows is None:
        unknown = {*known.plain, *known.personal, *known.also} - {*of.fields, "*"}
        found.missing += [f"{of.name}.{name} (there is none)" for name in sorted(unknown)]


def _cover_paths(found: Coverage, of: Any, below: Any) -> None:
    """Fields that are named by the path of what they group by, or are the mean of."""
    for name in of.fields:
        scopes = () if name in policies.COUNTED else _along(found, below, name)
        if scopes is None:
            found.missing.append(f"{of.name}.{name}")
        own = found.scope_of(below)
        found.fields[of.name, name] = tuple(dict.fromkeys([*([own] if own else []), *(scopes or ())]))


def _along(found: Coverage, of: Any, name: str) -> Scopes | None:
    """What the fields along a path need, written in one word like lifecycleStage; None where no path is called so."""
    for each, told in of.fields.items():
        if each == name:
            return found.fields.get((of.name, each))
        rest = name[len(each) :]
        inner = get_named_type(told.type)
        if name.startswith(each) and rest[0].isupper() and isinstance(inner, GraphQLObjectType):
            below = _along(found, inner, rest[0].lower() + rest[1:])
            if below is not None:
                return tuple(dict.fromkeys([*found.fields.get((of.name, each), ()), *below]))
    return None


# ------------------------------------------------------------------ what is given


def _cover_enums(found: Coverage) -> None:
    for of in found.schema.type_map.values():
        if not _is_ours(of, GraphQLEnumType):
            continue
        enum: Any = of
        kind = next((end for end in ("GroupOrderField", "OrderField", "Dimension") if enum.name.endswith(end)), None)
        if kind is None:
            continue  # a value to compare with
        below: Any = found.schema.type_map[enum.name.removesuffix(kind)]
        for value in enum.values:
            scopes = policies.SORTED.get(enum.name, {}).get(value)
            head, *rest = value.lower().split("_")
            named = _along(found, below, head + "".join(map(str.capitalize, rest))) if scopes is None else scopes
            if named is None:
                found.missing.append(f"{enum.name}.{value}")
            found.values[enum.name, value] = named or ()


def _cover_inputs(found: Coverage) -> None:
    asked = {each.name for each in _reached_by_questions(found.schema)}
    for of in found.schema.type_map.values():
        if not _is_ours(of, GraphQLInputObjectType):
            continue
        given: Any = of
        for name in given.fields:
            scopes = _needs(found, given, name, given.name in asked)
            if scopes is None:
                found.missing.append(f"{given.name}.{name}")
            found.inputs[given.name, name] = scopes or ()


def _needs(found: Coverage, of: Any, name: str, asked: bool) -> Scopes | None:
    """What an input's field needs; None when nobody said. What is given to a change alone needs what the change does."""
    if of.name in policies.LOOKUPS:
        return policies.LOOKUPS[of.name].get(name)
    if not of.name.endswith("Where"):
        compared = of.name.endswith("Filter") or of.name.removesuffix("Order") in policies.ORDERED
        return () if compared or of.name in policies.TYPED or not asked else None
    if {*of.fields} == {"some", "none"}:
        # That there are any at all is told by them.
        rows = get_named_type(of.fields[name].type).name.removesuffix("Where")
        scope = found.scope_of(found.schema.type_map[rows])
        return (scope,) if scope else ()
    rows = of.name.removesuffix("Where")
    extra = policies.FILTERS.get(rows, {})
    if name in _NESTING:
        return ()
    if name in extra:
        own = found.scope_of(found.schema.type_map[rows])
        return tuple(dict.fromkeys([*([own] if own else []), *extra[name]]))
    return found.fields.get((rows, name))


def _reached_by_questions(schema: GraphQLSchema) -> Iterator[Any]:
    """Every input type that an argument of something other than a mutation leads to."""
    waiting = [
        get_named_type(argument.type)
        for of in schema.type_map.values()
        if _is_ours(of, (GraphQLObjectType, GraphQLInterfaceType)) and of is not schema.mutation_type
        for told in _fields(schema, of.name).values()
        for argument in told.args.values()
    ]
    seen: set[str] = set()
    while waiting:
        of: Any = waiting.pop()
        if of.name not in seen and isinstance(of, GraphQLInputObjectType):
            seen.add(of.name)
            yield of
            waiting += [get_named_type(each.type) for each in of.fields.values()]


def _cover_arguments(found: Coverage, of: Any, field_name: str, told: Any) -> None:
    for name, argument in told.args.items():
        inner = get_named_type(argument.type)
        scopes: Scopes | None = ()
        if not isinstance(inner, GraphQLInputObjectType | GraphQLEnumType):
            scopes = policies.ARGUMENTS.get(name)
        if scopes is None:
            found.missing.append(f"{of.name}.{field_name}({name}:)")
        found.arguments[of.name, field_name, name] = scopes or ()


def _close(found: Coverage) -> None:
    """All that each input type and enum can name."""
    for (name, _), scopes in found.values.items():
        found.closures[name] = found.closures.get(name, frozenset()).union(scopes)
    types = {name for name, _ in found.inputs}
    growing = True
    while growing:
        growing = False
        for name in types:
            reached = found.closures.get(name, frozenset())
            for each, told in _fields(found.schema, name).items():
                below = found.closures.get(get_named_type(told.type).name, frozenset())
                reached = reached.union(found.inputs[name, each], below)
            growing = growing or reached != found.closures.get(name, frozenset())
            found.closures[name] = reached
