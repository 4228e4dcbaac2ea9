"""A street of shops on each database, in which segments are saved and asked for."""

from functools import cache
from typing import Any

import pytest

from app.platform.database import analyze, connect
from tests.client import Client, application
from tests.query.conftest import Shop, Street, fresh_database, statements
from tests.query.shop import EMPTY, NEXT_DOOR, ORG, Maker
from tests.query.storing import open_shops

__all__ = ["statements"]

PEOPLE, ARCHIVED = 60, 6
PROBLEMS = (
    "userErrors { __typename field message code "
    "... on TakenError { existing { id } } ... on StaleVersionError { current { id } } }"
)


@cache
def street_on(backend: str) -> Street:
    url = fresh_database(backend)
    houses = [(ORG, Maker(1).people(PEOPLE, ARCHIVED)), (NEXT_DOOR, Maker(7, NEXT_DOOR).people(12, 1)), (EMPTY, [])]
    engine = connect(url)
    keys = open_shops(engine, houses)
    analyze(engine)
    engine.dispose()
    app = application(url)
    return Street(*(Shop(app, key, people) for key, (_, people) in zip(keys, houses, strict=True)))


@pytest.fixture
def shop(backend: str) -> Shop:
    return street_on(backend).shop


@pytest.fixture
def client(shop: Shop) -> Client:
    return shop.client()


@pytest.fixture
def neighbour(backend: str) -> Client:
    return street_on(backend).next_door.client()


@pytest.fixture
def newcomer(backend: str) -> Client:
    """Of a shop without customers, to be written to."""
    return street_on(backend).empty.client()


async def do(client: Client, verb: str, **given: Any) -> Any:
    """`do(client, "Create", name=..., where=...)`: the payload, with everything of the segment."""
    query = (
        f"mutation($input: Segment{verb}Input!) {{ segment{verb}(input: $input) "
        f"{{ segment {{ id version name description where createdAt updatedAt }} {PROBLEMS} }} }}"
    )
    return (await client.ask(query, input=given))[f"segment{verb}"]


async def save(client: Client, where: Any, name: str) -> str:
    """The id of a segment with that test; the one that has the name already is changed."""
    made = await do(client, "Create", name=name, where=where)
    if made["segment"] is None:
        [problem] = made["userErrors"]
        assert problem["code"] == "TAKEN", problem
        made = await do(client, "Update", id=problem["existing"]["id"], set={"where": where})
    assert made["userErrors"] == [], (made, where)
    return str(made["segment"]["id"])


async def refusals(client: Client, verb: str, **given: Any) -> list[tuple[str, str]]:
    """Code and path of each problem; nothing was done."""
    before = await client.ask("{ segments { id version name description where updatedAt } }")
    answer = await do(client, verb, **given)
    assert answer["segment"] is None
    assert await client.ask("{ segments { id version name description where updatedAt } }") == before
    return [(problem["code"], ".".join(problem["field"])) for problem in answer["userErrors"]]
