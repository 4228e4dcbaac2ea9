"""Filters against a slow, obvious loop in Python: who passes, and that a filter and its NOT are everyone."""

from datetime import datetime
from random import Random
from typing import Any

import pytest

from tests.client import Client
from tests.query.conftest import FULL, Shop
from tests.query.filtering import RELATED, Filters, fold, has_birthday, nested, plain_paths, touches_of, where_of
from tests.query.shop import Maker, public

ROUNDS = 400 if FULL else 14
ASK = """query($where: CustomerWhere!) {
  these: customers(first: 100, where: $where) { totalCount nodes { id } }
  others: customers(first: 100, where: {NOT: $where}) { totalCount nodes { id } } }"""
THESE = "query($where: CustomerWhere!) { customers(first: 100, where: $where) { totalCount nodes { id } } }"
COUNT = "query($where: CustomerWhere) { customers(where: $where) { totalCount } }"
STRANGERS = [person.id for person in Maker(7).people(12, 1)]


def ids(connection: Any) -> list[str]:
    return [node["id"] for node in connection["nodes"]]


async def check(client: Client, shop: Shop, where: dict[str, Any], says: Any) -> int:
    told = await client.ask(ASK, where=where)
    passing = {public("cus", person.id) for person in shop.live if says(person)}
    assert set(ids(told["these"])) == passing, where
    assert told["these"]["totalCount"] == len(ids(told["these"])) == len(passing), where
    everyone = {public("cus", person.id) for person in shop.live}
    assert set(ids(told["others"])) == everyone - passing, where
    assert told["others"]["totalCount"] == len(everyone - passing), where
    return len(passing)


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_nested_filters(client: Client, shop: Shop, seed: int) -> None:
    # One level is left for the NOT around it.
    where, says = Filters(Random(seed), shop.people, STRANGERS).where(depth=4)
    await check(client, shop, where, says)


async def test_five_levels_deep(client: Client, shop: Shop) -> None:
    found = 0
    for seed in range(100 if FULL else 8):
        where, says = Filters(Random(1000 + seed), shop.people, STRANGERS).where(depth=5)
        told = await client.ask(THESE, where=where)
        passing = {public("cus", person.id) for person in shop.live if says(person)}
        assert set(ids(told["customers"])) == passing, where
        found += 0 < len(passing) < len(shop.live)
    assert found


async def check_each(client: Client, shop: Shop, made: list[tuple[dict[str, Any], Any]]) -> None:
    """Several at once: one request, a statement for each."""
    given = ", ".join(f"$w{n}: CustomerWhere" for n in range(len(made)))
    fields = " ".join(f"a{n}: customers(first: 100, where: $w{n}) {{ nodes {{ id }} }}" for n in range(len(made)))
    told = await client.ask(f"query({given}) {{ {fields} }}", **{f"w{n}": where for n, (where, _) in enumerate(made)})
    for n, (where, says) in enumerate(made):
        assert set(ids(told[f"a{n}"])) == {public("cus", person.id) for person in shop.live if says(person)}, where


@pytest.mark.parametrize("path", plain_paths("CustomerWhere"))
async def test_every_operator_of_every_path(client: Client, shop: Shop, path: str) -> None:
    of = plain_paths("CustomerWhere")[path]
    filters = Filters(Random(path), shop.people, STRANGERS, leaves=1000)
    await check_each(client, shop, [filters.comparison("Customer", path, of, operator) for operator in of.fields])


@pytest.mark.parametrize("of", ["Touchpoint", "Purchase", "Consent", "ExternalRef", "PurchaseLine", "LoyaltyAccount"])
async def test_every_operator_through_a_relation(client: Client, shop: Shop, of: str) -> None:
    filters = Filters(Random(of), shop.people, STRANGERS, leaves=1000)
    made: list[tuple[dict[str, Any], Any]] = []
    for path, filter_type in plain_paths(f"{of}Where").items():
        operators = list(filter_type.fields)
        for operator in operators if FULL else Random(path).sample(operators, min(2, len(operators))):
            where, says = filters.comparison(of, path, filter_type, operator)
            made.append(through(of, where, says))
    for start in range(0, len(made), 10):
        await check_each(client, shop, made[start : start + 10])


def through(of: str, where: dict[str, Any], says: Any) -> tuple[dict[str, Any], Any]:
    """The same of some row that leads to the customer."""
    bought, lines = RELATED["Customer"]["purchases"][1], RELATED["Purchase"]["lines"][1]
    if of == "PurchaseLine":
        some_line = {"purchases": {"some": {"lines": {"some": where}}}}
        return some_line, lambda person: any(says(line) for purchase in bought(person) for line in lines(purchase))
    key = next(key for key, (target, _) in RELATED["Customer"].items() if target == of)
    rows = RELATED["Customer"][key][1]
    return {key: {"some": where}}, lambda person: any(says(row) for row in rows(person))


async def test_birthdays(client: Client, shop: Shop) -> None:
    # From 15 June 2026 to 28 February 2027 it is 258 days.
    made = [
        ({"birthdayInDays": days}, lambda person, days=days: has_birthday(person.values["birthday"], days))
        for days in (0, 1, 30, 257, 258, 259, 260, 365, 366)
    ]
    await check_each(client, shop, made)


@pytest.mark.parametrize(
    ("today", "days", "born_on_29_february"),
    [
        ("2028-02-28", 0, False),
        ("2028-02-29", 0, True),
        ("2028-03-01", 0, False),
        ("2027-02-28", 0, True),
        ("2027-03-01", 0, False),
        ("2027-02-27", 1, True),
        ("2028-02-27", 1, False),
    ],
)
async def test_a_birthday_on_29_february(
    client: Client, shop: Shop, today: str, days: int, born_on_29_february: bool
) -> None:
    noon = datetime.fromisoformat(f"{today}T12:00:00+08:00")
    document = "query($days: Int!) { customers(first: 100, where: {birthdayInDays: $days}) { nodes { birthday } } }"
    told = await client.ask(document, noon, days=days)
    born = [node["birthday"] for node in told["customers"]["nodes"]]
    assert ("2000-02-29" in born) is born_on_29_february


async def test_whatever_the_case(client: Client, shop: Shop) -> None:
    made = []
    for path, part in (
        ("country", "f"),
        ("country", "FR"),
        ("language", "HANS"),
        ("name", "É"),
        ("email", "BUYER.1"),
        ("city", "PARIS"),
    ):
        for operator in ("contains", "startsWith"):

            def says(person: Any, path: str = path, part: str = part, operator: str = operator) -> bool:
                value = fold(person.values[path] or "")
                return fold(part) in value if operator == "contains" else value.startswith(fold(part))

            made.append((nested(path, {operator: part}), says))
    await check_each(client, shop, made)


# ------------------------------------------------------------------ lists of their own


ALL = """query($where: TouchpointWhere, $after: String) { touchpoints(first: 100, after: $after, where: $where) {
  totalCount nodes { id } pageInfo { hasNextPage endCursor } } }"""


async def every(client: Client, document: str, name: str, **given: Any) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = (await client.ask(document, after=after, **given))[name]
        found += ids(page)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found


@pytest.mark.parametrize("seed", range(60 if FULL else 4))
async def test_touchpoints_by_what_is_judged_of_their_customer(client: Client, shop: Shop, seed: int) -> None:
    filters = Filters(Random(seed), shop.people, STRANGERS)
    own, says_own = filters.leaf("Touchpoint")
    theirs, says = filters.where("Customer", 3)
    where = {"AND": [own], "customer": theirs}
    rows = [row for person in shop.people for row in touches_of(person)]
    want = {public("tou", row.id) for row in rows if says_own(row) and says(row.customer)}
    assert set(await every(client, ALL, "touchpoints", where=where)) == want
    others = {public("tou", row.id) for row in rows} - want
    assert set(await every(client, ALL, "touchpoints", where={"NOT": where})) == others


@pytest.mark.parametrize("seed", range(60 if FULL else 4))
async def test_purchases(client: Client, shop: Shop, seed: int) -> None:
    where, says = Filters(Random(seed), shop.people, STRANGERS).where("Purchase", 4)
    rows = [row for person in shop.people for row in RELATED["Customer"]["purchases"][1](person)]
    document = ALL.replace("touchpoints", "purchases").replace("TouchpointWhere", "PurchaseWhere")
    want = {public("pur", row.id) for row in rows if says(row)}
    assert set(await every(client, document, "purchases", where=where)) == want


async def test_a_nested_list_has_a_filter_of_its_own(client: Client, shop: Shop) -> None:
    document = """query($one: TouchpointWhere, $two: TouchpointWhere) { customers(first: 100) { nodes { id
      one: touchpoints(first: 48, where: $one) { totalCount nodes { id } } two: touchpoints(first: 48, where: $two)
      { totalCount nodes { id } } } } }"""
    filters = Filters(Random(5), shop.people, STRANGERS)
    (one, says_one), (two, says_two) = filters.where("Touchpoint", 4), filters.where("Touchpoint", 4)
    told = {node["id"]: node for node in (await client.ask(document, one=one, two=two))["customers"]["nodes"]}
    for person in shop.live:
        node = told[public("cus", person.id)]
        for key, says in (("one", says_one), ("two", says_two)):
            want = {public("tou", row.id) for row in touches_of(person) if says(row)}
            assert set(ids(node[key])) == want
            assert node[key]["totalCount"] == len(want)


@pytest.mark.parametrize("scope", ["EXCLUDE", "INCLUDE", "ONLY"])
async def test_archived_ones(client: Client, shop: Shop, scope: str) -> None:
    document = THESE.replace("first: 100", f"first: 100, archived: {scope}")
    told = (await client.ask(document, where={"kind": {"eq": "PERSON"}}))["customers"]
    archived = [person for person in shop.people if person not in shop.live]
    chosen = {"EXCLUDE": shop.live, "INCLUDE": shop.people, "ONLY": archived}[scope]
    want = {public("cus", person.id) for person in chosen if person.values["kind"] == "PERSON"}
    assert (set(ids(told)), told["totalCount"]) == (want, len(want))


# ------------------------------------------------------------------ what is refused, and what is empty


ONE = {"name": {"contains": "a"}}


def deep(levels: int, key: str = "NOT") -> dict[str, Any]:
    where: dict[str, Any] = ONE
    for _ in range(levels - 1):
        where = {"NOT": where} if key == "NOT" else {key: [where]}
    return where


@pytest.mark.parametrize(
    "where",
    [
        *({}, {"AND": []}, {"AND": [{}]}, {"OR": [{}]}, {"NOT": {"OR": []}}),
        *({"facts": {}}, {"touchpoints": {}}, {"name": {}}, {"name": {"notIn": []}}),
    ],
)
async def test_everyone_passes(client: Client, shop: Shop, where: dict[str, Any]) -> None:
    assert await check(client, shop, where, lambda _: True) == len(shop.live)


@pytest.mark.parametrize(
    "where",
    [
        *({"OR": []}, {"NOT": {}}, {"NOT": {"AND": []}}, {"name": {"in": []}}, {"id": {"in": []}}),
        *({"lifecycle": {"stage": {"in": []}}}, {"facts": {"keptOrders": {"in": []}}}),
    ],
)
async def test_nobody_passes(client: Client, shop: Shop, where: dict[str, Any]) -> None:
    assert await check(client, shop, where, lambda _: False) == 0


REFUSED: dict[str, dict[str, Any]] = {
    "a null operator": {"name": {"eq": None}},
    "a null list": {"name": {"in": None}},
    "a null isNull": {"name": {"isNull": None}},
    "a null comparison": {"name": None},
    "a null part": {"facts": None},
    "a null in a part": {"facts": {"net": {"gte": None}}},
    "a null AND": {"AND": None},
    "a null NOT": {"NOT": None},
    "a null relation": {"touchpoints": None},
    "a null some": {"touchpoints": {"some": None}},
    "a null none": {"purchases": {"none": None}},
    "a null through a relation": {"touchpoints": {"some": {"kind": None}}},
    "a null birthday": {"birthdayInDays": None},
    "six levels": deep(6),
    "six levels of AND": deep(6, "AND"),
    "six levels through relations": {
        "touchpoints": {"some": {"customer": {"purchases": {"some": {"customer": {"touchpoints": {"none": {}}}}}}}}
    },
    "51 comparisons": {"OR": [ONE] * 51},
    "51 comparisons of one value": {"OR": [{"facts": {"keptOrders": {"gte": 1, "lte": 2, "lt": 3}}}] * 17},
    "201 items": {"name": {"in": [str(n) for n in range(201)]}},
    "201 alternatives": {"OR": [{}] * 201},
    "a birthday in the past": {"birthdayInDays": -1},
    "a birthday in two years": {"birthdayInDays": 367},
    "days that are none": {"createdAt": {"withinDays": -1}},
    "too many days": {"createdAt": {"withinDays": 36_501}},
    "a NUL": {"name": {"eq": "a\0"}},
    "a NUL in a part": {"name": {"contains": "\0"}},
    "a NUL in a list": {"name": {"in": ["\0"]}},
    "a naive instant": {"createdAt": {"gte": "2026-01-01T00:00:00"}},
    "no such day": {"birthday": {"eq": "2026-02-30"}},
    "a float for a decimal": {"facts": {"net": {"gte": 1.5}}},
    "too large an integer": {"facts": {"keptOrders": {"gte": 2**31}}},
    "no such name": {"lifecycle": {"stage": {"eq": "OLD"}}},
    "no such filter": {"shoeSize": {"eq": 1}},
}


@pytest.mark.parametrize("what", REFUSED)
async def test_refused(client: Client, what: str) -> None:
    answer = await client.post(COUNT, {"where": REFUSED[what]})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert answer.get("data") is None


@pytest.mark.parametrize(
    "where",
    [deep(5), deep(5, "OR"), {"OR": [ONE] * 50}, {"name": {"in": [str(n) for n in range(200)]}}, {"OR": [{}] * 200}],
)
async def test_up_to_the_limits(client: Client, where: dict[str, Any]) -> None:
    await client.ask(COUNT, where=where)


async def test_a_null_where_is_none(client: Client, shop: Shop) -> None:
    assert await client.ask(COUNT, where=None) == {"customers": {"totalCount": len(shop.live)}}
    told = await client.ask("{ customers(where: null) { totalCount } }")
    assert told == {"customers": {"totalCount": len(shop.live)}}


async def test_logic_within_an_external_reference(client: Client, shop: Shop) -> None:
    for inner, says in (
        ({"NOT": {"system": {"eq": "Mail"}}}, lambda row: row.values["externalRef.system"] != "Mail"),
        ({"OR": [{"system": {"eq": "Mail"}}, {"value": {"isNull": True}}]}, lambda row: True),
        ({"AND": [{"value": {"startsWith": "t%"}}]}, lambda row: row.values["externalRef.value"] is not None),
    ):
        want = {public("tou", row.id) for person in shop.people for row in touches_of(person) if says(row)}
        assert set(await every(client, ALL, "touchpoints", where={"externalRef": inner})) == want


def test_the_loop_knows_every_relation() -> None:
    for of, known in RELATED.items():
        targets = where_of(f"{of}Where").items()
        related = {key for key, target in targets if key == "customer" or "some" in getattr(target, "fields", {})}
        assert related == set(known)
