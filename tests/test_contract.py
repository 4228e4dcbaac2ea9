"""The contract is a file, schema/schema.graphql: current, described throughout, and alike where things are alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
    specified_directives,
)

from app.cli import main
from schema.schema import graphql_schema

CONTRACT = Path(__file__).parent.parent / "schema" / "schema.graphql"
TYPES: dict[str, Any] = {
    name: of
    for name, of in graphql_schema.type_map.items()
    if not is_introspection_type(of) and not is_specified_scalar_type(of)
}


def everything() -> Iterator[tuple[str, Any]]:
    """Whatever a description can be read of, by its path."""
    for directive in graphql_schema.directives:
        if directive not in specified_directives:
            yield f"@{directive.name}", directive
            yield from ((f"@{directive.name}({name}:)", argument) for name, argument in directive.args.items())
    for name, of in TYPES.items():
        yield name, of
        if isinstance(of, GraphQLEnumType):
            yield from ((f"{name}.{value}", told) for value, told in of.values.items())
        for key, field in getattr(of, "fields", {}).items():
            yield f"{name}.{key}", field
            for argument, told in getattr(field, "args", {}).items():
                yield f"{name}.{key}({argument}:)", told


def test_the_file_is_current() -> None:
    printed = CliRunner().invoke(main, ["schema"])
    assert printed.exit_code == 0
    assert CONTRACT.read_text(encoding="utf-8") == printed.stdout, "make schema writes it anew."


def test_everything_is_described() -> None:
    bare = [path for path, told in everything() if not (told.description or "").strip()]
    assert bare == []


def test_descriptions_are_sentences() -> None:
    odd = [
        path
        for path, told in everything()
        if (told.description or "").strip() != told.description or "  " in told.description
    ]
    assert odd == []


def test_instants_and_days_say_which_standard_they_follow() -> None:
    assert TYPES["DateTime"].specified_by_url == "https://scalars.graphql.org/andimarek/date-time.html"
    assert TYPES["Date"].specified_by_url == "https://scalars.graphql.org/andimarek/local-date.html"


@pytest.mark.parametrize("name", ["CustomerLookup", "TouchpointLookup", "PurchaseLookup", "LinePriceInput"])
def test_one_of_several_ways_is_given(name: str) -> None:
    of = TYPES[name]
    assert isinstance(of, GraphQLInputObjectType)
    assert of.is_one_of
    assert all(not isinstance(field.type, GraphQLNonNull) for field in of.fields.values())


def test_every_lookup_is_by_one_thing() -> None:
    lookups = [of for name, of in TYPES.items() if name.endswith("Lookup")]
    assert lookups
    assert all(of.is_one_of for of in lookups)


def mutations() -> dict[str, Any]:
    assert graphql_schema.mutation_type is not None
    return graphql_schema.mutation_type.fields


@pytest.mark.parametrize("name", mutations())
def test_a_mutation_takes_one_input_and_answers_with_a_payload(name: str) -> None:
    field, kind = mutations()[name], name[0].upper() + name[1:]
    assert {key: str(argument.type) for key, argument in field.args.items()} == {"input": f"{kind}Input!"}
    assert str(field.type) == f"{kind}Payload!"
    payload = TYPES[f"{kind}Payload"]
    assert str(payload.fields["userErrors"].type) == "[UserError!]!"
    assert str(payload.fields["query"].type) == "Query!"
    entities = [
        told for key, told in payload.fields.items() if isinstance(get_named_type(told.type), GraphQLObjectType)
    ]
    nullable = [told for told in entities if not isinstance(told.type, GraphQLNonNull)]
    rows = "rows" in payload.fields
    assert nullable or rows


def test_a_user_error_has_a_code_and_a_path() -> None:
    of = TYPES["UserError"]
    assert isinstance(of, GraphQLInterfaceType)
    assert {key: str(field.type) for key, field in of.fields.items()} == {
        "field": "[String!]",
        "message": "String!",
        "code": "ErrorCode!",
    }


def test_whatever_has_an_id_is_a_node() -> None:
    node = TYPES["Node"]
    for name, of in TYPES.items():
        if isinstance(of, GraphQLObjectType) and "id" in of.fields:
            assert node in of.interfaces, name


def test_lists_hold_no_nulls_but_nodes() -> None:
    loose = [
        path
        for path, told in everything()
        if isinstance(told, object) and "]" in str(getattr(told, "type", "")) and "!]" not in str(told.type)
    ]
    assert loose == ["Query.nodes"]


def test_connections_are_alike() -> None:
    for name, of in TYPES.items():
        if name.endswith("Connection"):
            assert set(of.fields) == {"edges", "nodes", "pageInfo", "totalCount"}, name
    for path, told in everything():
        if str(getattr(told, "type", "")).endswith("Connection!") and "." in path:
            assert {"first", "after", "last", "before"} <= set(told.args), path
