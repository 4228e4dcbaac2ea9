"""A street of shops for each database, in which segments are saved and asked for."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from app.platform.database import connect
from tests.client import Client, application
from tests.query.conftest import Shop, Street, fresh_database, statements
from tests.query.shop import EMPTY, NEXT_DOOR, ORG, Maker, open_shops

__all__ = ["statements"]

Save = Callable[..., Any]
LIVE, ARCHIVED = 60, 6


@cache
def street_on(backend: str) -> Street:
    url = fresh_database(backend)
    houses = [(ORG, Maker(1).people(LIVE, ARCHIVED)), (NEXT_DOOR, Maker(7, NEXT_DOOR).people(12, 1)), (EMPTY, [])]
    engine = connect(url)
    keys = open_shops(engine, houses)
    engine.dispose()
    app = application(url)
    return Street(*(Shop(app, key, people) for key, (_, people) in zip(keys, houses, strict=True)))


@pytest.fixture
def shop(backend: str) -> Shop:
    return street_on(backend).shop


@pytest.fixture
def next_door(backend: str) -> Shop:
    return street_on(backend).next_door


@pytest.fixture
def empty_shop(backend: str) -> Shop:
    return street_on(backend).empty


@pytest.fixture
def client(shop: Shop) -> Client:
    return shop.client()


async def save(client: Client, where: Any, name: str) -> str:
    """The id of a segment with that test; one that has the name already gets it."""
    given: dict[str, Any] = {"name": name, "where": where}
    made = await client.ask(
        "mutation($input: SegmentCreateInput!) { segmentCreate(input: $input) { segment { id } "
        "userErrors { code message ... on TakenError { existing { id } } } } }",
        input=given,
    )
    answer = made["segmentCreate"]
    if answer["segment"] is not None:
        return str(answer["segment"]["id"])
    [problem] = answer["userErrors"]
    assert problem["code"] == "TAKEN", problem
    changed = await client.do(
        "segmentUpdate", {"id": problem["existing"]["id"], "set": {"where": where}}, "segment { id }"
    )
    assert changed["userErrors"] == []
    return str(changed["segment"]["id"])
