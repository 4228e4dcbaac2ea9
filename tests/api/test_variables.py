"""A variable that is one value is read without graphql-core, and means what it means there."""

from typing import Any

import pytest
from graphql import parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given
from hypothesis import strategies as st

from schema.documents import Operation
from schema.schema import graphql_schema

KINDS = ("ID", "String", "Boolean", "Int", "SafeInt", "DateTime", "Date", "Decimal")
ODD = (
    None,
    "",
    "1",
    1,
    1.0,
    -1.5,
    True,
    [],
    ["2026-01-31"],
    {},
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    2**53 - 1,
    2**53,
    -(2**53),
    "2026-01-31",
    "2026-02-30",
    "2026-01-31T09:30:00Z",
    "2026-01-31T09:30:00.123456789+08:00",
    "2016-12-31T23:59:60Z",
    "2026-01-31T09:30:00",
    "0001-01-01T00:00:00+23:59",
    "120.00",
    "-0.000000000001",
    "1e5",
    "120.0000000000001",
)


def judged(operation: Operation, given: dict[str, Any]) -> tuple[Any, Any]:
    """What our own reading makes of it, and graphql-core's: values with their types, or the messages."""
    definitions = operation.node.variable_definitions or ()
    return _said(operation.coerced(given)), _said(get_variable_values(graphql_schema, definitions, given))


def _said(found: Any) -> Any:
    if isinstance(found, VariableValues):
        return {name: (type(value), value) for name, value in found.coerced.items()}
    return [error.message for error in found]


def declared(**types: str) -> Operation:
    node: Any = parse(f"query ({', '.join(f'${name}: {type_}' for name, type_ in types.items())}) {{ a }}")
    return Operation(node.definitions[0], {})


@pytest.mark.parametrize("required", ["", "!"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_value_means_what_it_means_to_graphql_core(kind: str, required: str, value: Any) -> None:
    ours, theirs = judged(declared(it=kind + required), {"it": value})
    assert ours == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_a_default_holds_where_nothing_is_given(kind: str) -> None:
    others = {"Boolean": "true", "Int": "3", "SafeInt": "3", "Date": '"2026-01-31"', "Decimal": '"1.5"'}
    default = others.get(kind, '"2026-01-31T09:30:00Z"')
    ours, theirs = judged(declared(it=f"{kind} = {default}"), {})
    assert ours == theirs
    assert len(ours) == 1


@given(
    types=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    values=st.lists(st.one_of(st.sampled_from(ODD), st.text(), st.integers()), min_size=4, max_size=4),
    told=st.integers(0, 4),
)
def test_several_are_judged_together(types: list[str], values: list[Any], told: int) -> None:
    operation = declared(**{f"v{place}": f"{type_}!" for place, type_ in enumerate(types)})
    ours, theirs = judged(operation, {f"v{place}": value for place, value in enumerate(values[:told])})
    assert ours == theirs
