"""Who belongs to a segment: whom its filter finds, now or as of any day, wherever a filter may stand."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.client import Client
from tests.conftest import NOW
from tests.query.conftest import FULL, Shop
from tests.query.filtering import Filters, plain_paths
from tests.query.shop import public
from tests.segments.conftest import do, save

ROUNDS = 60 if FULL else 6
AGREED = """query($id: ID!, $where: CustomerWhere!, $asOf: DateTime) {
  segment(id: $id) { count(asOf: $asOf) customers(first: 100, asOf: $asOf) { totalCount nodes { id } } }
  members: customers(first: 100, where: {segment: {in: [$id]}}, asOf: $asOf) { totalCount nodes { id } }
  others: customers(where: {segment: {notIn: [$id]}}, asOf: $asOf) { totalCount }
  notMembers: customers(where: {NOT: {segment: {in: [$id]}}}, asOf: $asOf) { totalCount }
  direct: customers(first: 100, where: $where, asOf: $asOf) { totalCount nodes { id } }
  all: customers(asOf: $asOf) { totalCount }
  groups: customerGroups(by: [], where: {segment: {in: [$id]}}, asOf: $asOf) { all { count } }
}"""


async def agreed(client: Client, where: Any, as_of: Any = None) -> list[str]:
    """The ids of those that a segment finds; every way of asking says the same."""
    key = await save(client, where, "Agreed")
    told = await client.ask(AGREED, id=key, where=where, asOf=as_of)
    direct, members = told["direct"], told["members"]
    assert members == direct == told["segment"]["customers"], where
    count = direct["totalCount"]
    assert (told["segment"]["count"], told["groups"]["all"]["count"]) == (count, count)
    assert told["others"] == told["notMembers"] == {"totalCount": told["all"]["totalCount"] - count}
    return [node["id"] for node in direct["nodes"]]


async def members_of(client: Client, where: Any) -> list[str]:
    """The ids of those that a segment finds."""
    members = "query($id: ID!) { segment(id: $id) { customers(first: 100) { nodes { id } } } }"
    told = await client.ask(members, id=await save(client, where, "Agreed"))
    return [node["id"] for node in told["segment"]["customers"]["nodes"]]


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_whatever_is_asked_directly_is_asked_by_a_segment(client: Client, shop: Shop, seed: int) -> None:
    where, says = Filters(Random(seed), shop.people).where(depth=5)
    found = await agreed(client, where)
    assert set(found) == {public("cus", person.id) for person in shop.live if says(person)}


@pytest.mark.parametrize("path", plain_paths("CustomerWhere"))
async def test_every_measure_that_can_be_filtered_can_be_saved(client: Client, shop: Shop, path: str) -> None:
    filters = Filters(Random(path), shop.people, leaves=100)
    of = plain_paths("CustomerWhere")[path]
    for operator in of.fields if FULL else Random(path).sample(sorted(of.fields), 1):
        where, says = filters.comparison("Customer", path, of, operator)
        # That every way of asking says the same is seen above.
        found = await (agreed if FULL else members_of)(client, where)
        assert set(found) == {public("cus", person.id) for person in shop.live if says(person)}


@pytest.mark.parametrize("days", [0, 40, 400])
async def test_as_of_another_day(client: Client, days: int) -> None:
    where = {
        "lifecycle": {"stage": {"in": ["NEW", "ACTIVE", "LOYAL"]}},
        "facts": {"lastPurchaseOn": {"withinDays": 90}},
    }
    await agreed(client, where, (NOW - timedelta(days=days)).isoformat())


async def test_an_id_that_carries_an_instant_is_read_at_it(client: Client) -> None:
    where = {"lifecycle": {"stage": {"in": ["NEW", "ACTIVE", "LOYAL"]}}}
    key = await save(client, where, "Then")
    then = NOW - timedelta(days=200)
    carried = f"{key}@{int(then.timestamp())}000000"
    told = await client.ask(
        "query($id: ID!, $then: ID!, $asOf: DateTime) { "
        "node(id: $then) { id ... on Segment { count name customers(first: 1) { nodes { id asOf } } } } "
        "segment(id: $id) { count(asOf: $asOf) } customers(where: {segment: {in: [$then]}}) { totalCount } "
        "now: segment(id: $id) { count } }",
        id=key,
        then=carried,
        asOf=then.isoformat(),
    )
    assert told["node"]["id"] == carried
    assert told["node"]["count"] == told["segment"]["count"] != told["now"]["count"]
    assert all(node["id"].endswith(carried[-17:]) for node in told["node"]["customers"]["nodes"])
    # A filter takes it as the live one.
    assert told["customers"]["totalCount"] == told["now"]["count"]
    refused = await client.refused(
        'query($id: ID!) { segment(id: $id) { count(asOf: "2030-01-01T00:00:00Z") } }', id=key
    )
    assert refused == ["BAD_USER_INPUT"]


async def test_a_customer_enters_and_leaves(newcomer: Client) -> None:
    loyal = await save(newcomer, {"facts": {"keptOrders": {"gte": 1}}, "lifecycle": {"stage": {"in": ["NEW"]}}}, "New")
    made = await newcomer.do("customerCreate", {"name": "Ana"}, "customer { id }")
    customer = made["customer"]["id"]
    ask = """query($id: ID!, $asOf: DateTime) { segment(id: $id) { count customers { nodes { name } } }
      customers(where: {segment: {in: [$id]}}, asOf: $asOf) { totalCount } }"""

    async def members(days: int = 0, as_of: Any = None) -> tuple[int, int]:
        told = await newcomer.ask(ask, NOW + timedelta(days=days), id=loyal, asOf=as_of)
        assert len(told["segment"]["customers"]["nodes"]) == told["segment"]["count"]
        return told["segment"]["count"], told["customers"]["totalCount"]

    assert await members() == (0, 0)
    bought = await newcomer.do(
        "purchaseRecord",
        {
            "customer": {"id": customer},
            "currency": "EUR",
            "purchasedAt": (NOW - timedelta(days=1)).isoformat(),
            "lines": [{"name": "Tea", "price": {"total": "10.00"}}],
            "externalRef": {"system": "pos", "value": "1"},
        },
        "purchase { id }",
    )
    assert await members() == (1, 1)
    assert await members(as_of=(NOW - timedelta(days=2)).isoformat()) == (1, 0)
    assert await members(days=400) == (0, 0)
    archive = {"customer": {"id": customer}}
    await newcomer.do("customerArchive", archive, "customer { id }")
    assert await members() == (0, 0)
    await newcomer.do("customerRestore", {"id": customer}, "customer { id }")
    assert await members() == (1, 1)
    voided = {"purchase": {"id": bought["purchase"]["id"]}, "reason": "Typed twice."}
    await newcomer.do("purchaseVoid", voided, "purchase { id }")
    assert await members() == (0, 0)


async def test_a_changed_segment_finds_others_at_once(client: Client) -> None:
    key = await save(client, {"kind": {"eq": "PERSON"}}, "Changing")
    told = await client.ask(
        """mutation($a: SegmentUpdateInput!, $b: SegmentDeleteInput!, $id: ID!) {
          before: segmentUpdate(input: {id: $id, set: {}}) { segment { count }
            query { customers(where: {segment: {in: [$id]}}) { totalCount } } }
          a: segmentUpdate(input: $a) { segment { count } query {
            customers(where: {segment: {in: [$id]}}) { totalCount }
            companies: customers(where: {kind: {eq: COMPANY}}) { totalCount }
            people: customers(where: {kind: {eq: PERSON}}) { totalCount } } }
          b: segmentDelete(input: $b) { segment { name count }
            query { customers(where: {segment: {in: [$id]}}) { totalCount } } } }""",
        id=key,
        a={"id": key, "set": {"where": {"kind": {"eq": "COMPANY"}}}},
        b={"id": key},
    )
    people, companies = (told["a"]["query"][name]["totalCount"] for name in ("people", "companies"))
    assert people != companies
    assert told["before"]["query"]["customers"]["totalCount"] == told["before"]["segment"]["count"] == people
    assert told["a"]["query"]["customers"]["totalCount"] == told["a"]["segment"]["count"] == companies
    assert told["b"]["segment"] == {"name": "Changing", "count": companies}
    assert told["b"]["query"]["customers"]["totalCount"] == 0


async def test_it_is_a_filter_wherever_one_stands(client: Client, shop: Shop) -> None:
    where = {"facts": {"keptOrders": {"gte": 3}}}
    key = await save(client, where, "Anywhere")
    ask = """query($member: CustomerWhere!) {
      touchpoints(first: 100, where: {customer: $member}) { totalCount nodes { id } }
      purchases(first: 100, where: {NOT: {customer: $member}}) { totalCount nodes { id } }
      customers(first: 10, orderBy: [{field: NAME}], where: {OR: [$member, {name: {startsWith: "a"}}]}) { nodes { name
        purchases(first: 3, where: {customer: $member}) { totalCount nodes { id } } } }
      customerGroups(by: [LIFECYCLE_STAGE], where: {NOT: $member}) { rows { count lifecycleStage } all { count } }
      audiencePreview(where: $member, channel: EMAIL, purpose: MARKETING) {
        matched reachable excluded { reason count } } }"""
    by_segment = await client.ask(ask, member={"segment": {"in": [key]}})
    directly = await client.ask(ask, member=where)
    assert by_segment == directly
    assert directly["touchpoints"]["totalCount"] > 0
    archived = next(each["count"] for each in directly["audiencePreview"]["excluded"] if each["reason"] == "ARCHIVED")
    told = await client.ask("query($id: ID!) { segment(id: $id) { count } }", id=key)
    assert directly["audiencePreview"]["matched"] - archived == told["segment"]["count"]


async def test_several_segments(client: Client) -> None:
    keys = [
        await save(client, {"kind": {"eq": "PERSON"}}, "Several 1"),
        await save(client, {"lifecycle": {"stage": {"in": ["LOYAL"]}}}, "Several 2"),
    ]
    either = {"OR": [{"kind": {"eq": "PERSON"}}, {"lifecycle": {"stage": {"in": ["LOYAL"]}}}]}
    told = await client.ask(
        """query($keys: [ID!], $either: CustomerWhere) { all: customers { totalCount }
          in: customers(where: {segment: {in: $keys}}) { totalCount } either: customers(where: $either) { totalCount }
          twice: customers(where: {segment: {in: $keys}, AND: [{segment: {in: $keys}}]}) { totalCount }
          notIn: customers(where: {segment: {notIn: $keys}}) { totalCount }
          both: customers(where: {segment: {in: $keys, notIn: $keys}}) { totalCount }
          none: customers(where: {segment: {in: []}}) { totalCount }
          every: customers(where: {segment: {notIn: []}}) { totalCount }
          given: customers(where: {segment: {}}) { totalCount } }""",
        keys=keys,
        either=either,
    )
    count = {name: each["totalCount"] for name, each in told.items()}
    assert 0 < count["in"] == count["either"] == count["twice"] < count["all"]
    assert count["notIn"] == count["all"] - count["in"]
    assert count["both"] == count["none"] == 0
    assert count["every"] == count["given"] == count["all"]


async def test_who_is_next_door_is_nobody(client: Client, neighbour: Client) -> None:
    theirs = await save(neighbour, {"name": {"contains": ""}}, "Theirs")
    ask = """query($id: ID!) { segment(id: $id) { id count } node(id: $id) { id }
      in: customers(where: {segment: {in: [$id]}}) { totalCount nodes { id } }
      notIn: customers(where: {segment: {notIn: [$id]}}) { totalCount }
      customerGroups(by: [KIND], where: {segment: {in: [$id]}}) { rows { count } all { count } complete } }"""
    answers = [await client.post(ask, {"id": key}) for key in (theirs, "seg_" + "0" * 32, "cus_" + "1" * 32, "x", "")]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["data"]["in"] == {"totalCount": 0, "nodes": []}
    assert answers[0]["data"]["notIn"]["totalCount"] > 0


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"segment": {"in": None}}, "may not be null"),
        ({"segment": {"notIn": ["seg_" + "0" * 32] * 201}}, "at most 200 items"),
        ({"segment": {"in": [f"seg_{n:032x}" for n in range(21)]}}, "at most 20 segments"),
        ({"AND": [{"segment": {"in": [f"seg_{n:032x}"]}} for n in range(21)]}, "at most 20 segments"),
        ({"NOT": {"NOT": {"NOT": {"NOT": {"NOT": {"segment": {"in": []}}}}}}}, "nests at most 5"),
        ({"AND": [{"segment": {"in": []}}] * 51}, "at most 50 tests"),
    ],
)
async def test_what_cannot_be_asked_is_refused_whole(client: Client, where: Any, said: str) -> None:
    answer = await client.post(
        "query($where: CustomerWhere) { viewer { scopes } customers(where: $where) { totalCount } }", {"where": where}
    )
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert said in error["message"]
    assert "data" not in answer


async def test_the_tests_of_segments_are_bounded_together(client: Client) -> None:
    fifty = {"OR": [{"city": {"eq": str(n)}} for n in range(50)]}
    keys = [await save(client, fifty, f"Fifty {n}") for n in range(11)]
    ask = "query($in: [ID!]) { customers(where: {segment: {in: $in}}) { totalCount } }"
    assert await client.ask(ask, **{"in": keys[:10]}) == {"customers": {"totalCount": 0}}
    [error] = (await client.post(ask, {"in": keys}))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "at most 500 tests together" in error["message"]


async def test_each_root_field_may_be_as_large_as_any(client: Client) -> None:
    # Beside a segment an operation is walked whole before it runs: what is counted is counted of each field.
    key = await save(client, {"AND": [{"suppressed": {"eq": False}}] * 50}, "Fifty")
    where = {"AND": [{"segment": {"in": [key]}}, *[{"suppressed": {"eq": False}}] * 49]}
    fields = " ".join(f"a{n}: customers(where: $where) {{ totalCount }}" for n in range(3))
    told = await client.ask(
        f"query($where: CustomerWhere, $id: ID!) {{ {fields} segment(id: $id) {{ count }} }}", where=where, id=key
    )
    assert {each["totalCount"] for name, each in told.items() if name != "segment"} == {told["segment"]["count"]}


async def test_its_members_are_paged_and_sorted_as_any(client: Client) -> None:
    where = {"facts": {"keptOrders": {"gte": 1}}}
    key = await save(client, where, "Paged")
    ask = """query($id: ID!, $where: CustomerWhere, $after: String, $of: String) {
      segment(id: $id) { customers(first: 7, after: $after, orderBy: [{field: VALUE_SCORE, direction: DESC}]) {
        totalCount nodes { id value { score } } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } } }
      customers(first: 7, after: $of, where: $where, orderBy: [{field: VALUE_SCORE, direction: DESC}]) {
        totalCount nodes { id value { score } } edges { cursor }
        pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    cursor = None
    for _ in range(3):
        told = await client.ask(ask, id=key, where=where, after=cursor, of=cursor)
        assert told["segment"]["customers"] == told["customers"]
        cursor = told["customers"]["pageInfo"]["endCursor"]
    for wrong in ("first: 0", "first: 101", "first: 1, last: 1", 'after: "no"'):
        refused = await client.refused(
            f"query($id: ID!) {{ segment(id: $id) {{ customers({wrong}) {{ totalCount }} }} }}", id=key
        )
        assert refused == ["BAD_USER_INPUT"]


async def test_the_definitions_are_read_once(client: Client, statements: list[str]) -> None:
    key = await save(client, {"kind": {"eq": "PERSON"}}, "Read once")
    statements.clear()
    fields = " ".join(f"a{n}: customers(where: {{segment: {{in: [$id]}}}}) {{ totalCount }}" for n in range(4))
    await client.ask(f"query($id: ID!) {{ {fields} }}", id=key)
    read = [statement for statement in statements if "segments" in statement]
    assert len(read) == 1
    assert len([statement for statement in statements if "customers" in statement]) == 4
    statements.clear()
    await client.ask("{ customers(where: {kind: {eq: PERSON}}) { totalCount } }")
    assert not [statement for statement in statements if "segments" in statement]
    await do(client, "Delete", id=key)
