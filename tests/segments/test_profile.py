"""What tells a segment from the whole base, against counting by hand."""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.client import Client
from tests.query.conftest import Shop
from tests.segments.conftest import do, save

PATHS = {
    "LIFECYCLE_STAGE": "lifecycle.stage",
    "RELATIONSHIP_TIER": "relationship.tier",
    "VALUE_BEHAVIOR": "value.behavior",
    "KIND": "kind",
    "COUNTRY": "country",
    "CITY": "city",
    "LANGUAGE": "language",
    "LIFECYCLE_NEXT_ACTION": "lifecycle.nextAction",
}
USUAL = list(PATHS)[:6]
ASK = """query($id: ID!, $by: [CustomerDimension!], $asOf: DateTime) { segment(id: $id) { count
  profile(by: $by, first: 1000, asOf: $asOf) { dimension value count baseCount share baseShare index } } }"""


def rounded(part: int, whole: int, places: str) -> float | None:
    return float((Decimal(part) / Decimal(whole)).quantize(Decimal(places), ROUND_HALF_UP)) if whole else None


def expected(dimension: str, mine: Counter[Any], base: Counter[Any]) -> dict[Any, dict[str, Any]]:
    members, everyone = sum(mine.values()), sum(base.values())
    return {
        value: {
            "dimension": dimension,
            "value": value,
            "count": mine[value],
            "baseCount": base[value],
            "share": rounded(mine[value], members, "0.000001"),
            "baseShare": rounded(base[value], everyone, "0.000001"),
            "index": rounded(mine[value] * everyone, base[value] * members, "0.0001"),
        }
        for value in base
    }


@pytest.mark.parametrize(
    ("where", "belongs"),
    [
        ({"facts": {"keptOrders": {"gte": 2}}}, lambda values: values["facts.keptOrders"] >= 2),
        ({"kind": {"eq": "PERSON"}}, lambda values: values["kind"] == "PERSON"),
        ({}, lambda _: True),
        ({"OR": []}, lambda _: False),
    ],
)
async def test_it_is_what_counting_says(client: Client, shop: Shop, where: Any, belongs: Any) -> None:
    key = await save(client, where, "Profiled")
    told = (await client.ask(ASK, id=key, by=[*PATHS, "KIND"]))["segment"]
    rows = told["profile"]
    members = [person.values for person in shop.live if belongs(person.values)]
    assert told["count"] == len(members)
    # A dimension that is named twice is told once, in its place.
    assert list(dict.fromkeys(row["dimension"] for row in rows)) == list(PATHS)
    for dimension, path in PATHS.items():
        mine = Counter(values[path] for values in members)
        base = Counter(person.values[path] for person in shop.live)
        mine_rows = [row for row in rows if row["dimension"] == dimension]
        assert {row["value"]: row for row in mine_rows} == expected(dimension, mine, base)
        assert len(mine_rows) == len(base)
        order = [(-row["count"], -row["baseCount"]) for row in mine_rows]
        assert order == sorted(order)


async def test_it_agrees_with_groups(client: Client) -> None:
    where = {"lifecycle": {"stage": {"in": ["LOYAL", "ACTIVE"]}}}
    key = await save(client, where, "Grouped")
    then = "2026-01-15T00:00:00Z"
    told = (await client.ask(ASK, id=key, by=["VALUE_BEHAVIOR"], asOf=then))["segment"]["profile"]
    groups = await client.ask(
        """query($where: CustomerWhere, $asOf: DateTime) {
          mine: customerGroups(by: [VALUE_BEHAVIOR], where: $where, asOf: $asOf) { rows { count valueBehavior } }
          base: customerGroups(by: [VALUE_BEHAVIOR], asOf: $asOf) { rows { count valueBehavior } } }""",
        where=where,
        asOf=then,
    )
    for name, counted in (("mine", "count"), ("base", "baseCount")):
        by_group = {row["valueBehavior"]: row["count"] for row in groups[name]["rows"]}
        assert {row["value"]: row[counted] for row in told if row[counted]} == by_group


async def test_two_statements_a_dimension(shop: Shop, statements: list[str]) -> None:
    # Under a set clock it is also asked whether anything lies ahead of it.
    client = shop.client(None)
    key = await save(client, {"kind": {"eq": "PERSON"}}, "Statements")
    for by in (["LIFECYCLE_STAGE"], ["CITY", "KIND"], list(PATHS)):
        statements.clear()
        await client.ask(
            "query($id: ID!, $by: [CustomerDimension!]) { segment(id: $id) { profile(by: $by) { count } } }",
            id=key,
            by=by,
        )
        # And the one that reads the segment.
        assert len(statements) == 2 * len(by) + 1
    await do(client, "Delete", id=key)


async def test_what_may_be_asked_of_it(client: Client) -> None:
    key = await save(client, {}, "Asked of")
    ask = "query($id: ID!) { segment(id: $id) { profile%s { dimension value } } }"
    usual = (await client.ask(ask % "", id=key))["segment"]["profile"]
    assert list(dict.fromkeys(row["dimension"] for row in usual)) == USUAL
    assert (await client.ask(ask % "(by: null)", id=key))["segment"]["profile"] == usual
    assert (await client.ask(ask % "(by: [])", id=key))["segment"]["profile"] == []
    cities = (await client.ask(ask % "(by: [CITY, KIND], first: 2)", id=key))["segment"]["profile"]
    assert [row["dimension"] for row in cities] == ["CITY", "CITY", "KIND", "KIND"]
    for wrong in ("(first: 0)", "(first: 1001)", '(asOf: "2100-01-01T00:00:00Z")'):
        assert await client.refused(ask % wrong, id=key) == ["BAD_USER_INPUT"]


async def test_of_nobody(newcomer: Client) -> None:
    key = await save(newcomer, {"facts": {"keptOrders": {"gte": 100}}}, "Nobody")
    told = (await newcomer.ask(ASK, id=key, by=["KIND"]))["segment"]
    assert told["count"] == 0
    assert all(row["count"] == 0 and row["share"] is None and row["index"] is None for row in told["profile"])
