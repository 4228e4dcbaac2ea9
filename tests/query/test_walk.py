"""Page by page, forwards and backwards, by every sort key, is one sort in Python."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from schema.schema import graphql_schema
from tests.client import Client
from tests.conftest import NOW
from tests.query.conftest import FULL, Shop
from tests.query.shop import Person, Row, public

PATHS = {
    "CREATED_AT": "createdAt",
    "UPDATED_AT": "updatedAt",
    "NAME": "name",
    "FACTS_KEPT_ORDERS": "facts.keptOrders",
    "FACTS_OCCASIONS": "facts.occasions",
    "FACTS_LAST_PURCHASE_ON": "facts.lastPurchaseOn",
    "FACTS_NET": "facts.net.amount",
    "FACTS_LAST_TOUCHPOINT_AT": "facts.lastTouchpointAt",
    "LIFECYCLE_STAGE": "lifecycle.stage",
    "LIFECYCLE_PHASE": "lifecycle.phase",
    "LIFECYCLE_RECENCY_DAYS": "lifecycle.recencyDays",
    "RELATIONSHIP_TIER": "relationship.tier",
    "VALUE_SCORE": "value.score",
    "VALUE_CHURN_RISK": "value.churnRisk",
    "VALUE_HEALTH": "value.health",
    "VALUE_PERCEIVED_RATIO": "value.perceived.ratio",
}
PINNED = {"LIFECYCLE_STAGE", "LIFECYCLE_RECENCY_DAYS", "VALUE_SCORE"}
# Enumerations sort by meaning: in the order of the schema.
RANKS = {
    "LIFECYCLE_STAGE": "LifecycleStage",
    "LIFECYCLE_PHASE": "LifecyclePhase",
    "RELATIONSHIP_TIER": "RelationshipTier",
}
Keys = list[tuple[str, str]]

PAGE = """query Page($first: Int, $after: String, $last: Int, $before: String, $orderBy: [CustomerOrder!]) {
  customers(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } } }"""


def key_of(person: Person, name: str) -> Any:
    value = person.values[PATHS[name]]
    if value is None:
        return None
    if name in RANKS:
        return list(graphql_schema.type_map[RANKS[name]].values).index(value)  # type: ignore[attr-defined]
    return Decimal(value) if name == "FACTS_NET" else value


def in_order(rows: Iterable[Any], keys: list[tuple[Callable[[Any], Any], bool]]) -> list[Any]:
    """One sort: nulls last whichever way, the id breaking ties in the direction of the last key."""
    found = sorted(rows, key=lambda row: row.id, reverse=keys[-1][1])
    for key, falls in reversed(keys):
        known = [row for row in found if key(row) is not None]
        found = sorted(known, key=key, reverse=falls) + [row for row in found if key(row) is None]
    return found


def expected(shop: Shop, keys: Keys) -> list[str]:
    asked = [(lambda person, name=name: key_of(person, name), direction == "DESC") for name, direction in keys]
    return [public("cus", person.id) for person in in_order(shop.live, asked)]


def order_by(keys: Keys) -> list[dict[str, str]]:
    return [{"field": name, "direction": direction} for name, direction in keys]


async def forwards(client: Client, size: int, **given: Any) -> list[str]:
    found: list[str] = []
    after = None
    for page in range(10_000):
        asked = await client.ask(PAGE, first=size, after=after, **given)
        connection, info = asked["customers"], asked["customers"]["pageInfo"]
        edges = connection["edges"]
        found += [edge["node"]["id"] for edge in edges]
        assert info["startCursor"] == (edges[0]["cursor"] if edges else None)
        assert info["endCursor"] == (edges[-1]["cursor"] if edges else None)
        assert info["hasPreviousPage"] is (page > 0)
        assert len(edges) == size or not info["hasNextPage"]
        after = info["endCursor"]
        if not info["hasNextPage"]:
            return found
    raise AssertionError("It has no end.")


async def backwards(client: Client, size: int, **given: Any) -> list[str]:
    found: list[str] = []
    before = None
    for page in range(10_000):
        asked = await client.ask(PAGE, last=size, before=before, **given)
        connection, info = asked["customers"], asked["customers"]["pageInfo"]
        edges = connection["edges"]
        found = [edge["node"]["id"] for edge in edges] + found
        assert info["startCursor"] == (edges[0]["cursor"] if edges else None)
        assert info["endCursor"] == (edges[-1]["cursor"] if edges else None)
        assert info["hasNextPage"] is (page > 0)
        assert len(edges) == size or not info["hasPreviousPage"]
        before = info["startCursor"]
        if not info["hasPreviousPage"]:
            return found
    raise AssertionError("It has no end.")


def test_every_sort_key_is_walked() -> None:
    assert set(PATHS) == set(graphql_schema.type_map["CustomerOrderField"].values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("name", PATHS)
async def test_pages_of_one_key_are_one_sort(client: Client, shop: Shop, name: str, direction: str) -> None:
    keys = [(name, direction)]
    want = expected(shop, keys)
    place = list(PATHS).index(name)
    one = forwards if (direction == "ASC") is (place % 2 == 0) else backwards
    for walk in (forwards, backwards) if FULL else (one,):
        for size in (1, 7, 97) if FULL else ((7, 97, 19)[place % 3],):
            assert await walk(client, size, orderBy=order_by(keys)) == want


@pytest.mark.parametrize("seed", range(40 if FULL else 5))
async def test_pages_of_several_keys_are_one_sort(client: Client, shop: Shop, seed: int) -> None:
    rng = Random(seed)
    names = rng.sample([name for name in PATHS if name != "NAME"], 2 if seed % 2 else 3)
    keys = [(name, rng.choice(("ASC", "DESC"))) for name in names]
    want = expected(shop, keys)
    assert await forwards(client, 13, orderBy=order_by(keys)) == want
    assert await backwards(client, 17, orderBy=order_by(keys)) == want


@pytest.mark.parametrize("keys", [[("RELATIONSHIP_TIER", "DESC")], [("VALUE_SCORE", "ASC"), ("NAME", "DESC")]])
async def test_pages_of_one_row_are_one_sort(next_door: Shop, keys: Keys) -> None:
    client = next_door.client()
    assert await forwards(client, 1, orderBy=order_by(keys)) == expected(next_door, keys)
    assert await backwards(client, 1, orderBy=order_by(keys)) == expected(next_door, keys)


async def test_without_an_order_they_come_as_they_were_made(client: Client, shop: Shop) -> None:
    assert await forwards(client, 30) == expected(shop, [("CREATED_AT", "ASC")])
    assert await backwards(client, 30) == expected(shop, [("CREATED_AT", "ASC")])


async def test_a_key_named_twice_counts_once(client: Client, shop: Shop) -> None:
    keys = [("NAME", "DESC"), ("NAME", "ASC")]
    assert await forwards(client, 97, orderBy=order_by(keys)) == expected(shop, keys[:1])


async def test_a_page_between_two_cursors(client: Client, shop: Shop) -> None:
    keys = [("VALUE_HEALTH", "DESC")]
    want = expected(shop, keys)
    whole = await client.ask(PAGE, first=100, orderBy=order_by(keys))
    cursors = [edge["cursor"] for edge in whole["customers"]["edges"]]
    given = {"after": cursors[20], "before": cursors[60], "orderBy": order_by(keys)}
    between = (await client.ask(PAGE, first=100, **given))["customers"]
    assert [edge["node"]["id"] for edge in between["edges"]] == want[21:60]
    last = (await client.ask(PAGE, last=5, **given))["customers"]
    assert [edge["node"]["id"] for edge in last["edges"]] == want[55:60]
    beyond = (await client.ask(PAGE, first=5, after=cursors[-1], orderBy=order_by(keys)))["customers"]
    assert beyond["edges"] == []
    assert beyond["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True, "startCursor": None, "endCursor": None}


# ------------------------------------------------------------------ below a customer

NESTED = """query Nested($id: ID!, $first: Int, $after: String, $last: Int, $before: String, $orderBy: [%sOrder!]) {
  customer(by: {id: $id}) { page: %s(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } nodes { id
    } } } }"""


async def _nested(client: Client, document: str, size: int, backward: bool, **given: Any) -> list[str]:
    found: list[str] = []
    cursor, more = None, True
    while more:
        sizes = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        page = (await client.ask(document, **sizes, **given))["customer"]["page"]
        here = [edge["node"]["id"] for edge in page["edges"]]
        assert here == [node["id"] for node in page["nodes"]]
        found = here + found if backward else found + here
        cursor = page["pageInfo"]["startCursor" if backward else "endCursor"]
        more = page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]
    assert page["totalCount"] == len(found)
    return found


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_nested_pages_are_one_sort(client: Client, shop: Shop, direction: str, backward: bool) -> None:
    busy = max(shop.live, key=lambda person: len(person.shown) + len(person.purchases))
    rows: list[tuple[str, str, str, str, list[Row]]] = [
        ("Touchpoint", "touchpoints", "OCCURRED_AT", "occurredAt", busy.shown),
        ("Touchpoint", "touchpoints", "RECORDED_AT", "recordedAt", busy.shown),
        ("Purchase", "purchases", "NET_REPORTING", "netReporting", list(busy.purchases)),
    ]
    for kind, name, sort, path, mine in rows:
        number = path == "netReporting"

        def key(row: Row, path: str = path, number: bool = number) -> Any:
            value = row.values[path]
            return Decimal(value) if number and value is not None else value

        want = [public(kind[:3].lower(), row.id) for row in in_order(mine, [(key, direction == "DESC")])]
        orders = [{"field": sort, "direction": direction}]
        given = {"id": public("cus", busy.id), "orderBy": orders}
        assert await _nested(client, NESTED % (kind, name), 3, backward, **given) == want


async def test_every_parent_has_a_page_of_its_own(client: Client, shop: Shop) -> None:
    document = """{ customers(first: 100) { nodes { id
      touchpoints(first: 2) { totalCount nodes { id } pageInfo { hasNextPage endCursor } }
      purchases(last: 2) { totalCount nodes { id } pageInfo { hasPreviousPage } } } } }"""
    told = {node["id"]: node for node in (await client.ask(document))["customers"]["nodes"]}
    assert len(told) == len(shop.live)
    for person in shop.live:
        node = told[public("cus", person.id)]
        touches = in_order(person.shown, [(lambda row: row.values["occurredAt"], True)])
        bought = in_order(person.purchases, [(lambda row: row.values["purchasedAt"], True)])
        assert node["touchpoints"]["nodes"] == [{"id": public("tou", row.id)} for row in touches[:2]]
        assert node["purchases"]["nodes"] == [{"id": public("pur", row.id)} for row in bought[-2:]]
        assert (node["touchpoints"]["totalCount"], node["purchases"]["totalCount"]) == (len(touches), len(bought))
        assert node["touchpoints"]["pageInfo"]["hasNextPage"] is (len(touches) > 2)
        assert node["purchases"]["pageInfo"]["hasPreviousPage"] is (len(bought) > 2)
        assert (node["touchpoints"]["pageInfo"]["endCursor"] is None) is (not touches)


# ------------------------------------------------------------------ cursors


BY_DAYS = """query($after: String) { customers(first: 50, after: $after, orderBy: {field: %s}) {
  nodes { lifecycle { recencyDays } } pageInfo { endCursor } } }"""


@pytest.mark.parametrize("name", ["LIFECYCLE_RECENCY_DAYS", "VALUE_CHURN_RISK", "LIFECYCLE_STAGE"])
async def test_a_walk_over_a_judgement_keeps_the_clock_of_its_first_page(client: Client, shop: Shop, name: str) -> None:
    keys = [(name, "DESC")]
    found, after, now = [], None, NOW
    while True:
        page = (await client.ask(PAGE, now, first=23, after=after, orderBy=order_by(keys)))["customers"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        after, now = page["pageInfo"]["endCursor"], now + timedelta(days=40)
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == expected(shop, keys)


async def test_what_is_said_on_a_later_page_is_said_at_the_clock_of_the_first(client: Client, shop: Shop) -> None:
    document = BY_DAYS % "LIFECYCLE_RECENCY_DAYS"
    first = (await client.ask(document))["customers"]
    later = (await client.ask(document, NOW + timedelta(days=1), after=first["pageInfo"]["endCursor"]))["customers"]
    days = [node["lifecycle"]["recencyDays"] for node in first["nodes"] + later["nodes"]]
    known = [day for day in days if day is not None]
    days = [person.values["lifecycle.recencyDays"] for person in shop.live]
    assert known == sorted(day for day in days if day is not None)


async def test_a_cursor_over_what_does_not_move_pins_nothing(client: Client) -> None:
    document = BY_DAYS % "NAME"
    cursor = (await client.ask(document))["customers"]["pageInfo"]["endCursor"]
    now = (await client.ask(document, after=cursor))["customers"]["nodes"]
    later = (await client.ask(document, NOW + timedelta(days=1), after=cursor))["customers"]["nodes"]
    for today, tomorrow in zip(now, later, strict=True):
        if today["lifecycle"]["recencyDays"] is not None:
            assert tomorrow["lifecycle"]["recencyDays"] == today["lifecycle"]["recencyDays"] + 1


def _text(value: str) -> str:
    return value.encode().hex()


async def test_only_a_cursor_of_this_order_is_one(client: Client, shop: Shop) -> None:
    orders = order_by([("VALUE_SCORE", "DESC")])
    page = (await client.ask(PAGE, first=3, orderBy=orders))["customers"]["edges"]
    good = page[1]["cursor"]
    plain = bytes.fromhex(good).decode()
    digest, pin, score, key = plain[1:-1].split(",")
    # By another order, of another list, cut, flipped, made up; with values that no such row can have.
    others = [
        (await client.ask(PAGE, first=3, orderBy=order_by([(name, direction)])))["customers"]["pageInfo"]["endCursor"]
        for name, direction in (("VALUE_SCORE", "ASC"), ("VALUE_HEALTH", "DESC"), ("NAME", "DESC"))
    ]
    touches = await client.ask("{ touchpoints(first: 1) { pageInfo { endCursor } } }")
    made = [
        f"[{digest},{pin},{score}]",
        f"[{digest},{pin},{score},{key},1]",
        f"[{digest},null,{score},{key}]",
        f'[{digest},"{pin}",{score},{key}]',
        f"[{digest},true,{score},{key}]",
        f"[{digest},{pin}.5,{score},{key}]",
        f"[{digest},{'9' * 18},{score},{key}]",
        f"[{digest},-{'9' * 17},{score},{key}]",
        f"[{digest},-99999999999999999,{score},{key}]",
        f"[{digest},-62135596800000000,{score},{key}]",
        f"[{digest},{'9' * 30},{score},{key}]",
        f'[{digest},{pin},"1",{key}]',
        f"[{digest},{pin},1.5,{key}]",
        f"[{digest},{pin},true,{key}]",
        f"[{digest},{pin},[],{key}]",
        f"[{digest},{pin},{2**63},{key}]",
        f'[{digest},{pin},{score},"x"]',
        f"[{digest},{pin},{score},null]",
        f"[{digest},{pin},{score},7]",
        f"[null,{pin},{score},{key}]",
        "{}",
        "[]",
        "null",
        "[[[[",
        '"',
        "\0",
        plain + " ]",
    ]
    wrong = [*others, touches["touchpoints"]["pageInfo"]["endCursor"], good[:-1], good[:-2], good + "00", good[::-1]]
    wrong += ["", " ", "zz", "é", "cus_1", "0" * 9000, *map(_text, made)]
    for cursor in wrong:
        for sizes in ({"first": 3, "after": cursor}, {"last": 3, "before": cursor}):
            answer = await client.post(PAGE, {**sizes, "orderBy": orders})
            assert [error["extensions"]["code"] for error in answer.get("errors", ())] == ["BAD_USER_INPUT"], cursor


async def test_a_flipped_byte_is_refused_or_another_place_but_never_a_fault(client: Client) -> None:
    rng = Random(3)
    for name in ("NAME", "UPDATED_AT", "VALUE_SCORE"):
        orders = order_by([(name, "ASC")])
        good = (await client.ask(PAGE, first=3, orderBy=orders))["customers"]["pageInfo"]["endCursor"]
        for _ in range(400 if FULL else 40):
            place = rng.randrange(len(good))
            flipped = good[:place] + rng.choice("0123456789abcdef") + good[place + 1 :]
            answer = await client.post(PAGE, {"first": 3, "after": flipped, "orderBy": orders})
            codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
            assert codes in ([], ["BAD_USER_INPUT"]), flipped


async def test_a_cursor_leads_nobody_next_door(client: Client, shop: Shop, next_door: Shop) -> None:
    by_name = order_by([("NAME", "ASC")])
    cursor = (await client.ask(PAGE, first=1, orderBy=by_name))["customers"]["pageInfo"]["endCursor"]
    theirs = await forwards(next_door.client(), 5, orderBy=by_name)
    assert theirs == expected(next_door, [("NAME", "ASC")])
    answer = await next_door.client().ask(PAGE, first=100, after=cursor, orderBy=by_name)
    ours = {public("cus", person.id) for person in shop.people}
    assert not ours & {edge["node"]["id"] for edge in answer["customers"]["edges"]}
    assert not ours & set(theirs)


@pytest.mark.parametrize(
    "sizes",
    [
        *({"first": 0}, {"first": 101}, {"first": -1}, {"first": 2**31}),
        *({"last": 0}, {"last": 101}, {"first": 1, "last": 1}),
    ],
)
async def test_a_page_has_1_to_100_rows_from_one_side(client: Client, sizes: dict[str, int]) -> None:
    assert await client.refused(PAGE, **sizes) == ["BAD_USER_INPUT"]
    given = ", ".join(f"{name}: {size}" for name, size in sizes.items())
    answer = await client.post(f"{{ customers(first: 1) {{ nodes {{ touchpoints({given}) {{ nodes {{ id }} }} }} }} }}")
    assert "data" not in answer or answer["data"] is None
    assert {error["extensions"]["code"] for error in answer["errors"]} <= {
        "BAD_USER_INPUT",
        "GRAPHQL_VALIDATION_FAILED",
    }


async def test_at_most_five_sort_keys(client: Client) -> None:
    names = list(PATHS)[:6]
    assert await client.refused(PAGE, orderBy=order_by([(name, "ASC") for name in names])) == ["BAD_USER_INPUT"]


def test_the_walks_meet_ties_and_unknowns(shop: Shop) -> None:
    for name in PATHS:
        values = [key_of(person, name) for person in shop.live]
        assert len(set(values)) < len(values), name
    unknown = {name for name in PATHS if any(key_of(person, name) is None for person in shop.live)}
    known = {"CREATED_AT", "UPDATED_AT", "NAME", "FACTS_KEPT_ORDERS", "FACTS_OCCASIONS", "FACTS_NET"}
    assert unknown == set(PATHS) - known - {"LIFECYCLE_STAGE", "LIFECYCLE_PHASE"}
