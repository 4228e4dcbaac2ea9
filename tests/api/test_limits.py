"""What an operation may cost, and how fast a key may ask: told with every answer, refused before any statement."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse

from app.main import create_app
from app.query import fetch
from app.settings import Settings
from schema.cost import Price
from schema.schema import graphql_schema
from tests.api.acting import House, Shop

COUNT = "{ customers(first: 10) { totalCount } }"
LIMIT, RESTORED = 200, 5


def price(text: str, **variables: Any) -> int:
    document = parse(text)
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return Price(graphql_schema, operation, fragments).of(variables)


@pytest.mark.parametrize(
    ("text", "variables", "wanted"),
    [
        ("{ viewer { scopes } }", {}, 1),
        (
            "query($i: ID!) { customer(by: {id: $i}) { id lifecycle { stage } why { reasons { rule } } } }",
            {"i": "x"},
            1,
        ),
        ("{ customers { nodes { id } } }", {}, 1 + 20),
        ("query($n: Int) { customers(first: $n) { nodes { id } } }", {"n": 50}, 1 + 50),
        ("query($n: Int) { customers(last: $n) { edges { node { id } } } }", {"n": 7}, 1 + 7 * 2),
        ("{ customers(first: 50) { nodes { touchpoints(first: 5) { nodes { id } } } } }", {}, 1 + 50 * (1 + 1 + 5)),
        ('{ nodes(ids: ["a", "b", "c"]) { id } }', {}, 3),
        ("query($i: [ID!]!) { nodes(ids: $i) { id ... on Customer { facts { keptOrders } } } }", {"i": ["a"] * 4}, 4),
        ("{ customerGroups(by: []) { all { count } } }", {}, 50 + 1 + 1),
        ("mutation($i: PurchaseVoidInput!) { purchaseVoid(input: $i) { purchase { id } } }", {}, 9 + 1 + 1),
        ("query($a: Boolean!) { customers @include(if: $a) { nodes { id } } viewer { scopes } }", {"a": False}, 1),
        ("query($a: Boolean!) { customers @include(if: $a) { nodes { id } } viewer { scopes } }", {"a": True}, 22),
        ("{ ...a } fragment a on Query { viewer { scopes } ...b } fragment b on Query { x: viewer { scopes } }", {}, 2),
    ],
)
def test_a_price_is_the_objects_that_there_may_be(text: str, variables: dict[str, Any], wanted: int) -> None:
    assert price(text, **variables) == wanted


@pytest.mark.parametrize("depth", [10, 100, 200])
def test_a_bomb_of_fragments_is_priced_in_no_time(depth: int) -> None:
    parts = [
        f"fragment f{n} on Customer {{ touchpoints {{ totalCount }} ...f{n + 1} ...f{n + 1} }}" for n in range(depth)
    ]
    bomb = f"{{ customers {{ nodes {{ ...f0 }} }} }} {' '.join(parts)} fragment f{depth} on Customer {{ id }}"
    began = time.process_time()
    assert price(bomb) > 10_000
    # Far above what it takes, and far below what spreading out 2^100 of anything would.
    assert time.process_time() - began < 0.25


async def test_what_may_return_too_much_is_refused_before_any_statement(shop: Shop) -> None:
    ran: list[str] = []
    fetch.watchers.append(ran.append)
    wide = "query($n: Int!) { customers(first: $n) { nodes { touchpoints(first: 100) { nodes { id } } } } }"
    assert await shop.refused(wide, n=100) == ["MAX_COST_EXCEEDED"]
    assert ran == []
    assert (await shop.ask(wide, n=90)) == {"customers": {"nodes": []}}
    fetch.watchers.remove(ran.append)


class Limited:
    """The house of tests with small buckets, in two processes' worth of applications."""

    def __init__(self, house: House, shop: Shop) -> None:
        environment = {"GUANXI_DATABASE_URL": house.url, "GUANXI_CONNECTIONS": "2"}
        environment |= {"GUANXI_COST_LIMIT": str(LIMIT), "GUANXI_COST_RESTORED": str(RESTORED)}
        apps = [create_app(Settings.from_environment(environment)) for _ in range(2)]
        self.shops = [Shop(House(house.url, house.engine, app), shop.org, shop.key, None) for app in apps]

    async def send(self, at: int, query: str) -> Any:
        body = json.dumps({"query": query})
        headers = {"content-type": "application/json", "accept": "application/graphql-response+json"}
        return await self.shops[at].http.post("/graphql", content=body, headers=headers)


@pytest.fixture
async def limited(house: House, shop: Shop) -> AsyncIterator[Limited]:
    made = Limited(house, shop)
    yield made
    for each in made.shops:
        await each.http.aclose()
        await each.house.app.endpoint._reader.close()
        each.house.app.endpoint._engine.dispose()


async def test_every_answer_tells_its_cost(limited: Limited) -> None:
    began = time.monotonic()
    for query, cost in ((COUNT, 1), ("{ customers(first: 30) { nodes { id } } __schema { __typename } }", 131)):
        told = (await limited.send(0, query)).json()["extensions"]["cost"]
        assert (told["requestedQueryCost"], told["actualQueryCost"]) == (cost, cost)
        status = told["throttleStatus"]
        assert (status["maximumAvailable"], status["restoreRate"]) == (LIMIT, RESTORED)
        come_back = RESTORED * (time.monotonic() - began)
        assert 0 <= status["currentlyAvailable"] <= LIMIT - cost + come_back
    told = (await limited.send(0, "{ rateLimit { cost limit remaining resetAt } viewer { scopes } }")).json()
    found = told["data"]["rateLimit"]
    assert (found["cost"], found["limit"]) == (2, LIMIT)
    # Some has come back meanwhile.
    assert found["remaining"] < LIMIT - 100
    assert found["resetAt"].endswith("Z")


async def test_a_bucket_is_one_for_all_processes_and_says_when_to_come_again(limited: Limited) -> None:
    page = "{ customers(first: 39) { nodes { id } } }"
    answers = [await limited.send(turn % 2, page) for turn in range(12)]
    ran: list[str] = []
    fetch.watchers.append(ran.append)
    answers += [await limited.send(turn % 2, page) for turn in range(4)]
    fetch.watchers.remove(ran.append)
    served = [each for each in answers if each.status_code == 200]
    # What comes back meanwhile may be enough for one or two more.
    assert LIMIT // 40 <= len(served) <= LIMIT // 40 + 2
    assert len(ran) == len([each for each in answers[-4:] if each.status_code == 200])
    [refused] = answers[-1:]
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 40 // RESTORED + 1
    [error] = refused.json()["errors"]
    assert error["extensions"]["code"] == "THROTTLED"
    told = refused.json()["extensions"]["cost"]
    assert (told["requestedQueryCost"], told["actualQueryCost"]) == (40, 0)
    assert 0 <= told["throttleStatus"]["currentlyAvailable"] < 40


async def test_a_refusal_tells_the_cost_too_once_it_is_known(limited: Limited) -> None:
    wide = "{ customers(first: 100) { nodes { touchpoints(first: 100) { nodes { id } } } } }"
    late = '{ customers(asOf: "2999-01-01T00:00:00Z") { totalCount } viewer { scopes } }'
    for query, code, requested, actual in (
        (wide, "MAX_COST_EXCEEDED", 10_201, 0),
        (late, "BAD_USER_INPUT", 2, 2),
    ):
        answer = (await limited.send(0, query)).json()
        assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
        assert "data" not in answer
        cost = answer["extensions"]["cost"]
        assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (requested, actual)
        assert cost["throttleStatus"]["maximumAvailable"] == LIMIT
    assert "extensions" not in (await limited.send(0, "{ nothing }")).json()


async def test_what_no_bucket_holds_is_not_to_be_waited_for(limited: Limited) -> None:
    page = "query($n: Int!) { customers(first: $n) { edges { node { id } } } }"
    served, refused = [
        await limited.shops[0].http.post("/graphql", json={"query": page, "variables": {"n": n}}) for n in (99, 100)
    ]
    assert "errors" not in served.json()
    [error] = refused.json()["errors"]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert f"at most {LIMIT}" in error["message"]


async def test_another_key_has_a_bucket_of_its_own(limited: Limited, shop: Shop) -> None:
    page = "{ customers(first: 99) { nodes { id } } }"
    while (await limited.send(0, page)).status_code == 200:
        pass
    other = shop.renewed()
    limited.shops[1].http.headers["authorization"] = f"Bearer {other.key}"
    assert (await limited.send(1, page)).status_code == 200
    await other.http.aclose()
