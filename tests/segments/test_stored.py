"""A stored filter is the filter that was given: its JSON, coerced again, is the same, and asks the same."""

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from graphql import Undefined
from graphql.utilities import coerce_input_value
from hypothesis import HealthCheck, given, settings

from app.platform.access import Org
from app.platform.refusals import BadInput
from schema.given import Parameters, Segments, Values, plain, where_of
from schema.schema import graphql_schema
from schema.stored import input_json, where_from_json
from schema.types import Customer
from tests.segments.given import LONGEST_LIST, MOST_LEAVES, WHERE, largest, wheres

ORG = Org(UUID(int=1), "Test", "UTC", "CNY")
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"


def coerced(where: Any) -> Any:
    found = coerce_input_value(where, WHERE)
    assert found is not Undefined, where
    return found


def asked(where: Any) -> tuple[Any, dict[str, Any]]:
    values = Values(Parameters(ORG, NOW), Segments({}))
    return where_of(Customer, where, "where", values), values.given


@settings(
    max_examples=600 if FULL else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(wheres())
def test_what_is_stored_comes_back_whole(where: dict[str, Any]) -> None:
    first = coerced(where)
    text = input_json(WHERE, first)
    again = where_from_json(text)
    assert again == first
    assert list(again) == list(first)
    assert asked(again) == asked(first)
    assert input_json(WHERE, again) == text


def test_the_largest_filter_comes_back_whole() -> None:
    first = coerced(largest())
    text = input_json(WHERE, first)
    assert len(text) > MOST_LEAVES * LONGEST_LIST * 36
    assert where_from_json(text) == first
    assert asked(where_from_json(text)) == asked(first)
    with pytest.raises(BadInput):
        asked(coerced({"AND": [largest(), {"suppressed": {"eq": False}}]}))


@pytest.mark.parametrize(
    ("where", "stored"),
    [
        ({}, {}),
        ({"lifecycle": {"stage": {"in": ["LOYAL", "NEW"]}}}, {"lifecycle": {"stage": {"in": ["LOYAL", "NEW"]}}}),
        ({"facts": {"net": {"gte": "0.0000001"}}}, {"facts": {"net": {"gte": "0.0000001"}}}),
        ({"facts": {"net": {"gte": "-0.00"}}}, {"facts": {"net": {"gte": "-0.00"}}}),
        ({"birthday": {"lt": "0900-01-31"}}, {"birthday": {"lt": "0900-01-31"}}),
        ({"name": {"contains": 'É "\\ 茶\n'}}, {"name": {"contains": 'É "\\ 茶\n'}}),
        ({"value": {"score": {"gte": 70}}}, {"value": {"score": {"gte": 70.0}}}),
        ({"kind": {"in": "PERSON"}}, {"kind": {"in": ["PERSON"]}}),
        (
            {"createdAt": {"gte": "2026-01-01T00:00:00+08:00"}},
            {"createdAt": {"gte": "2025-12-31T16:00:00.000000Z"}},
        ),
        ({"OR": [], "NOT": {}}, {"OR": [], "NOT": {}}),
        ({"name": {"eq": None}}, {"name": {"eq": None}}),
        ({"AND": None}, {"AND": None}),
    ],
)
def test_it_is_stored_as_it_was_given(where: Any, stored: Any) -> None:
    text = input_json(WHERE, coerced(where))
    assert orjson.loads(text) == stored
    assert where_from_json(text) == coerced(where)


@pytest.mark.parametrize("text", ["null", "[]", "1", '{"no":1}', '{"kind":{"in":["NONE"]}}', '{"AND":[null]}'])
def test_what_cannot_be_asked_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        where_from_json(text)


def test_an_action_is_given_it_as_json() -> None:
    of = graphql_schema.type_map["CustomerWhere"]
    assert plain(of, coerced({"suppressed": {"eq": True}})) == '{"suppressed":{"eq":true}}'
    assert plain(of, None) is None
