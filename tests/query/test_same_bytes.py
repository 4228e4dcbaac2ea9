"""The same document over the same rows is the same bytes on both databases; and the deepest one runs on both."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from tests.conftest import NOW
from tests.query.conftest import Shop
from tests.query.documents import DOCUMENTS, deepest
from tests.query.shop import NAMES, public

LONG = "x" * 70
SEVENTY = " ".join(f"a{n}: name b{n}: version" for n in range(70))
AS_PATHS = """{ customers(first: 30) { nodes {
  a: touchpoints(first: 1) { nodes { b: id id customer { a_nodes_b: purchases(first: 2) { nodes { id } } } } }
  a_nodes_customer_a_nodes_b: purchases(first: 5) { nodes { id } }
  a_nodes: touchpoints(first: 3) { nodes { id } } } } }"""
ASKED = DOCUMENTS | {
    "a_search": '{ customers(search: "明", first: 100) { totalCount edges { cursor node { name } } } }',
    "long_names": f"{{ customers {{ {LONG}a: nodes {{ {LONG}1: name {LONG}2: id }} {LONG}b: nodes {{ id }} }} }}",
    "names_like_paths": AS_PATHS,
    "only_where_it_stands": "{ customers { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
    "many_of_one": f"{{ customers(first: 2) {{ nodes {{ {SEVENTY} }} }} }}",
    "the_deepest": deepest(),
    "the_deepest_by_edges": deepest(edges=True),
    "the_deepest_as_of_a_day": deepest(', asOf: "2026-01-01T00:00:00Z"'),
}


async def answer(shop: Shop, document: str, **variables: Any) -> bytes:
    client = shop.client()
    sent = await client.http.post(
        "/graphql", json={"query": document, "variables": variables}, headers={"x-guanxi-now": NOW.isoformat()}
    )
    assert "errors" not in sent.json(), sent.json()["errors"]
    return sent.content


@pytest.mark.parametrize("what", ASKED)
async def test_the_same_bytes(shops: dict[str, Shop], what: str) -> None:
    told = {backend: await answer(shop, ASKED[what]) for backend, shop in shops.items()}
    assert told["sqlite"] == told["postgresql"]
    assert b'"data":{' in told["sqlite"]


BY_ID = """query($ids: [ID!]!, $id: ID!, $system: String!, $value: String!, $no: Boolean!) {
  nodes(ids: $ids) { __typename id ... on Customer { name asOf touchpoints @skip(if: $no) { totalCount } }
    ... on Touchpoint { kind customer { name } } ... on Purchase { net { amount } } ... on Consent { state } }
  node(id: $id) { ... on Node { id } ...C }
  customer(by: {id: $id}) { ...C }
  ref: customer(by: {externalRef: {system: $system, value: $value}}) { ...C }
  nobody: customer(by: {externalRef: {system: $system, value: "%s"}}) { ...C } }
fragment C on Customer { name email @include(if: $no) facts { net { amount } } }"""


async def test_the_same_bytes_by_id(shops: dict[str, Shop]) -> None:
    people = shops["sqlite"].live
    person = next(each for each in people if each.shown and each.purchases and each.words and each.refs)
    row = {
        "tou": person.shown[0].id,
        "pur": person.purchases[0].id,
        "con": person.words[0].id,
        "pol": shops["sqlite"].people[0].id,
    }
    cus = public("cus", person.id)
    ids = [cus, *(public(prefix, key) for prefix, key in row.items()), "nothing", f"{cus}@1767225600000000"]
    given = {"ids": ids, "id": ids[0], **person.refs[0], "no": True}
    told = {backend: await answer(shop, BY_ID, **given) for backend, shop in shops.items()}
    assert told["sqlite"] == told["postgresql"]
    data = orjson.loads(told["sqlite"])["data"]
    assert [node and node["id"] for node in data["nodes"]] == [*ids[:4], None, None, ids[6]]
    assert data["ref"]["name"] == data["node"]["name"] == data["customer"]["name"] == person.columns["name"]
    assert data["nobody"] is None
    assert "touchpoints" not in data["nodes"][0]


async def test_names_come_back_as_they_are(shop: Shop) -> None:
    nodes = (await shop.client().ask("{ customers(first: 100) { nodes { id name attributes } } }"))["customers"][
        "nodes"
    ]
    stored = {public("cus", person.id): person.columns for person in shop.live}
    assert {node["id"]: node["name"] for node in nodes} == {key: columns["name"] for key, columns in stored.items()}
    assert all(node["attributes"] == orjson.loads(stored[node["id"]]["attributes"]) for node in nodes)
    assert set(NAMES) <= {node["name"] for node in nodes}


async def test_aliases_that_look_like_paths_keep_their_sizes(shop: Shop) -> None:
    data = await shop.client().ask(AS_PATHS)
    for node in data["customers"]["nodes"]:
        assert len(node["a"]["nodes"]) <= 1
        for touch in node["a"]["nodes"]:
            assert len(touch["customer"]["a_nodes_b"]["nodes"]) <= 2
    sizes = [len(node["a_nodes_customer_a_nodes_b"]["nodes"]) for node in data["customers"]["nodes"]]
    assert max(sizes) == 5


def depth(document: str) -> int:
    most = level = 0
    for sign in document[document.index("{") :]:
        level += (sign == "{") - (sign == "}")
        most = max(most, level)
    return most


async def test_the_deepest_document_has_twelve_levels_and_rows_in_each(shop: Shop) -> None:
    for document in (deepest(), deepest(edges=True)):
        assert depth(document.replace("{}", "")) == 12
    data = await shop.client().ask(deepest().replace("first: 3", "first: 100"))

    def reach(node: Any) -> int:
        if isinstance(node, dict):
            return 1 + max((reach(value) for value in node.values()), default=0)
        return max((reach(each) for each in node), default=0) if isinstance(node, list) else 0

    assert reach(data) == 12


async def test_below_as_of_every_id_carries_the_instant(shop: Shop) -> None:
    at = "2026-01-01T00:00:00.000000Z"
    nodes = "nodes { id liveId asOf touchpoints { nodes { id customer { id } } } }"
    data = await shop.client().ask(f'{{ customers(first: 20, asOf: "{at}") {{ {nodes} }} }}')
    for node in data["customers"]["nodes"]:
        assert (node["id"], node["asOf"]) == (f"{node['liveId']}@1767225600000000", at)
        for touch in node["touchpoints"]["nodes"]:
            assert touch["id"].endswith("@1767225600000000")
            assert touch["customer"]["id"] == node["id"]
    first = data["customers"]["nodes"][0]["id"]
    again = await shop.client().ask("query($id: ID!) { node(id: $id) { id ... on Customer { asOf } } }", id=first)
    assert again["node"] == {"id": first, "asOf": at}


EARLY = """query($at: DateTime) {
  customers(first: 1, asOf: $at,
    where: {facts: {lastTouchpointAt: {withinDays: 36500}}, birthday: {withinDays: 36500}}) {
    totalCount nodes { id lifecycle { stage why { rule } } } } }"""


@pytest.mark.parametrize(
    "instant", ["0001-01-01T00:00:00Z", "1000-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "2027-01-01T00:00:00Z"]
)
async def test_an_instant_too_early_or_to_come_is_no_fault(shop: Shop, instant: str) -> None:
    client = shop.client()
    answer = await client.post(EARLY, {"at": instant})
    assert [error["extensions"]["code"] for error in answer.get("errors", ())] in ([], ["BAD_USER_INPUT"])
    if "errors" not in answer:
        assert answer["data"]["customers"]["totalCount"] == 0
    person = shop.live[0]
    document = "query($id: ID!) { node(id: $id) { id } customer(by: {id: $id}) { id } }"
    to_come = int((NOW + timedelta(days=9)).timestamp()) * 10**6
    for at in (-62135596800000000, -99999999999999999, 999999999999999999, 1, to_come):
        told = await client.post(document, {"id": f"{public('cus', person.id)}@{at}"})
        assert "errors" not in told
