"""Documents that name one thing of the schema, in each way that it can be named: made from the schema itself."""

import json
from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

from schema.schema import coverage, graphql_schema
from tests.api.acting import unknown

TYPES: Any = graphql_schema.type_map
# In every text that is given: no answer may hold it.
VALUE = "qanary"


def literal(type_: Any, path: tuple[str, ...] = ()) -> Any:
    """A value of the type that graphql-core takes, with that path of input fields in it."""
    type_ = get_nullable_type(type_)
    if isinstance(type_, GraphQLList):
        return [literal(type_.of_type, path)] if path or not is_leaf_type(get_named_type(type_)) else []
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        must = {name for name, each in type_.fields.items() if is_required_input_field(each)} | set(path[:1])
        if type_.is_one_of and not path:
            must = {"id"} if "id" in type_.fields else {next(iter(type_.fields))}
        return {name: literal(type_.fields[name].type, path[1:] if name in path[:1] else ()) for name in must}
    samples = {"Int": 1, "SafeInt": 1, "Float": 0.5, "Boolean": True, "DateTime": "2026-01-01T00:00:00Z"}
    samples |= {"Date": "2026-01-01", "Decimal": "1", "CurrencyCode": "EUR", "JSON": {}, "ID": unknown("cus")}
    return samples.get(type_.name, VALUE)


def spelled(type_: Any, value: Any) -> str:
    """A value as it stands in a document."""
    type_ = get_nullable_type(type_)
    if isinstance(type_, GraphQLList):
        return f"[{', '.join(spelled(type_.of_type, each) for each in value)}]"
    if isinstance(type_, GraphQLInputObjectType):
        return f"{{{', '.join(f'{name}: {spelled(type_.fields[name].type, each)}' for name, each in value.items())}}}"
    return str(value) if isinstance(type_, GraphQLEnumType) else json.dumps(value)


def below(of: Any) -> str:
    return "" if is_leaf_type(get_named_type(of)) else " { __typename }"


def required(told: Any, but: str | None = None) -> str:
    given = [
        f"{name}: {spelled(argument.type, literal(argument.type))}"
        for name, argument in told.args.items()
        if is_required_argument(argument) and name != but
    ]
    return ", ".join(given)


def called(told: Any) -> str:
    given = required(told)
    return f"({given})" if given else ""


def places() -> dict[str, tuple[str, str]]:
    """What stands before and after a selection of each type, from the root on; what any reader may ask first."""
    found: dict[str, tuple[str, str]] = {"Query": ("{ ", " }")}
    node = f'{{ node(id: "{unknown("org")}") {{ '
    nodes = [each.name for each in graphql_schema.get_implementations(TYPES["Node"]).objects]
    found |= {name: (f"{node}... on {name} {{ ", " } } }") for name in nodes}
    waiting = [*nodes, "Query"]
    while waiting:
        name = waiting.pop(0)
        for field, told in TYPES[name].fields.items():
            inner: Any = get_named_type(told.type)
            if isinstance(inner, GraphQLObjectType) and inner.name not in found:
                head, tail = found[name]
                found[inner.name] = (f"{head}{field}{called(told)} {{ ", f" }}{tail}")
                waiting.append(inner.name)
    for field, told in graphql_schema.mutation_type.fields.items():  # type: ignore[union-attr]
        found[get_named_type(told.type).name] = (f"mutation {{ {field}{called(told)} {{ ", " } }")
    return found


PLACES = places()
FIELDS = [(of, name, scope) for (of, name), scopes in coverage.fields.items() for scope in scopes if of in PLACES]


def carriers() -> Iterator[tuple[str, str, str, Any]]:
    """Every argument that is looked through: its type, field, name and definition."""
    for of in (*PLACES, "Mutation"):
        for field, told in getattr(TYPES[of], "fields", {}).items():
            for name, argument in told.args.items():
                yield of, field, name, argument


def routes(start: Any, wanted: str, deepest: int = 4) -> tuple[str, ...] | None:
    """The shortest path of input fields from one input type to another."""
    waiting: list[tuple[Any, tuple[str, ...]]] = [(get_named_type(start), ())]
    seen = set()
    while waiting:
        of, path = waiting.pop(0)
        if of.name == wanted:
            return path
        if of.name in seen or len(path) > deepest or not isinstance(of, GraphQLInputObjectType):
            continue
        seen.add(of.name)
        waiting += [(get_named_type(each.type), (*path, name)) for name, each in of.fields.items()]
    return None


def named(of: str, field: str, argument: str, path: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Documents that name what stands at the path of an argument: in the document, as a variable, as its default."""
    told = (graphql_schema.mutation_type if of == "Mutation" else TYPES[of]).fields[field]
    type_ = told.args[argument].type
    value = literal(type_, path)
    head, tail = ("mutation { ", " }") if of == "Mutation" else PLACES[of]
    more = required(told, argument)
    more = f", {more}" if more else ""
    keyword = "mutation" if head.startswith("mutation") else "query"
    body = head.removeprefix("mutation ")
    direct = f"{head}{field}({argument}: {spelled(type_, value)}{more}){below(told.type)}{tail}"
    sent = f"{keyword}($v: {type_}) {body}{field}({argument}: $v{more}){below(told.type)}{tail}"
    default = sent.replace(f"($v: {type_})", f"($v: {type_} = {spelled(type_, value)})", 1)
    return [(direct, None), (sent, {"v": value}), (default, None)]
