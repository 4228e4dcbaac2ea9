"""A segment is saved, changed and deleted; what is wrong with one is told, and nothing is written."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.platform.refusals import Problems, Refused
from app.segments import actions
from tests.client import Client
from tests.conftest import NOW, Begin
from tests.segments.conftest import do, refusals, save
from tests.segments.given import largest

LOYAL = {"lifecycle": {"stage": {"in": ["LOYAL"]}}}


async def test_it_is_stored_as_it_was_given_and_read_back(client: Client) -> None:
    where = {
        "OR": [
            {"value": {"score": {"gte": 70.5}}, "facts": {"net": {"gte": "1200.50"}}},
            {"NOT": {"touchpoints": {"none": {"kind": {"in": ["SURVEY"]}, "occurredAt": {"withinDays": 90}}}}},
        ],
        "city": {"in": ["Paris", "上海", 'O"Hara \\']},
        "createdAt": {"gte": "2020-01-01T08:00:00.000000Z"},
    }
    made = await do(client, "Create", name="  Tea lovers 茶 ", description="They love tea.", where=where)
    assert made["userErrors"] == []
    segment = made["segment"]
    assert (segment["version"], segment["name"], segment["description"]) == (1, "Tea lovers 茶", "They love tea.")
    assert segment["where"] == where
    assert segment["createdAt"] == segment["updatedAt"] == "2026-06-15T12:00:00.000000Z"
    told = await client.ask(
        "query($id: ID!) { segment(id: $id) { id version name description where createdAt updatedAt } "
        "node(id: $id) { ... on Segment { id version name description where createdAt updatedAt } } }",
        id=segment["id"],
    )
    assert told == {"segment": segment, "node": segment}


async def test_it_is_changed_in_part(client: Client) -> None:
    key = await save(client, LOYAL, "In part")
    later = NOW + timedelta(hours=1)
    set_where = (
        "mutation($input: SegmentUpdateInput!) { segmentUpdate(input: $input) "
        "{ segment { name where version description updatedAt } } }"
    )
    first = (await client.ask(set_where, later, input={"id": key, "set": {"description": "All of them."}}))[
        "segmentUpdate"
    ]
    assert first["segment"] == {
        "name": "In part",
        "where": LOYAL,
        "version": 2,
        "description": "All of them.",
        "updatedAt": "2026-06-15T13:00:00.000000Z",
    }
    renamed = await do(client, "Update", id=key, expectedVersion=2, set={"name": "IN PART", "where": {}})
    assert (renamed["segment"]["version"], renamed["segment"]["name"], renamed["segment"]["where"]) == (
        3,
        "IN PART",
        {},
    )
    same = await do(client, "Update", id=key, set={"name": "IN PART", "where": {}})
    assert same["segment"]["version"] == 3
    emptied = await do(client, "Update", id=key, set={"description": None})
    assert (emptied["segment"]["version"], emptied["segment"]["description"]) == (4, None)


async def test_a_deleted_one_is_gone_and_its_name_is_free(client: Client) -> None:
    key = await save(client, LOYAL, "Gone")
    shown = await do(client, "Delete", id=key, expectedVersion=1)
    assert shown["segment"]["name"] == "Gone"
    told = await client.ask(
        "query($id: ID!) { segment(id: $id) { id } node(id: $id) { id } segments { name } "
        "in: customers(where: {segment: {in: [$id]}}) { totalCount } all: customers { totalCount } "
        "out: customers(where: {segment: {notIn: [$id]}}) { totalCount } }",
        id=key,
    )
    assert (told["segment"], told["node"], told["in"]["totalCount"]) == (None, None, 0)
    assert told["out"] == told["all"]
    assert "Gone" not in [each["name"] for each in told["segments"]]
    assert await refusals(client, "Delete", id=key) == [("NOT_FOUND", "input.id")]
    assert await refusals(client, "Update", id=key, set={"name": "Back"}) == [("NOT_FOUND", "input.id")]
    again = await save(client, LOYAL, "gone")
    assert again != key
    await do(client, "Delete", id=again)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"name": "", "where": {}}, [("REQUIRED", "input.name")]),
        ({"name": " \n ", "where": {}}, [("REQUIRED", "input.name")]),
        ({"name": "x" * 201, "where": {}}, [("TOO_LONG", "input.name")]),
        ({"name": "n\u0001", "where": {}}, [("INVALID", "input.name")]),
        ({"name": "D", "description": "x" * 2001, "where": {}}, [("TOO_LONG", "input.description")]),
        ({"name": "W", "where": {"name": {"eq": None}}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"AND": None}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"name": {"contains": "\0"}}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"birthdayInDays": 367}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"NOT": {"NOT": {"NOT": {"NOT": {"NOT": {}}}}}}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"AND": [{"suppressed": {"eq": True}}] * 51}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"city": {"in": ["x"] * 201}}}, [("INVALID", "input.where")]),
        ({"name": "W", "where": {"segment": {"in": []}}}, [("INVALID", "input.where")]),
        (
            {"name": "W", "where": {"NOT": {"touchpoints": {"some": {"customer": {"segment": {"notIn": ["x"]}}}}}}},
            [("INVALID", "input.where")],
        ),
        ({"name": "HIGH Value", "where": {}}, [("TAKEN", "input.name")]),
        (
            {"name": " ", "description": "\u0007", "where": {"segment": {}}},
            [("INVALID", "input.where"), ("REQUIRED", "input.name"), ("INVALID", "input.description")],
        ),
    ],
)
async def test_what_is_wrong_is_told_all_at_once(client: Client, given: Any, problems: Any) -> None:
    assert await refusals(client, "Create", **given) == problems
    key = await save(client, LOYAL, "To be changed")
    told = await refusals(client, "Update", id=key, set=given)
    assert told == [(code, path.replace("input.", "input.set.")) for code, path in problems]


@pytest.mark.parametrize(
    "where",
    [
        {"nothing": {"eq": 1}},
        {"lifecycle": {"stage": {"in": ["ASLEEP"]}}},
        {"facts": {"net": {"gte": "much"}}},
        {"value": {"score": {"gte": "70"}}},
        {"createdAt": {"gte": "2026-01-01T00:00:00"}},
        None,
    ],
)
async def test_what_is_no_filter_at_all_is_no_request(client: Client, where: Any) -> None:
    before = await client.ask("{ segments { id } }")
    query = "mutation($input: SegmentCreateInput!) { segmentCreate(input: $input) { segment { id } } }"
    [code] = await client.refused(query, input={"name": "None", "where": where})
    assert code in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED")
    assert await client.ask("{ segments { id } }") == before


async def test_the_largest_filter_is_saved_and_asked(client: Client) -> None:
    # As large as a request may be.
    where = largest("Ω" * 5)
    key = await save(client, where, "Largest")
    told = await client.ask(
        "query($id: ID!, $where: CustomerWhere) { segment(id: $id) { where count } "
        "customers(where: $where) { totalCount } }",
        id=key,
        where={"NOT": {"segment": {"notIn": [key]}}},
    )
    assert told["segment"]["where"] == where
    assert told["segment"]["count"] == told["customers"]["totalCount"]
    await do(client, "Delete", id=key)


async def test_a_name_is_taken_whatever_its_case(client: Client) -> None:
    key = await save(client, {}, "Été")
    answer = await do(client, "Create", name="E\u0301TE\u0301", where={})
    [problem] = answer["userErrors"]
    assert (problem["__typename"], problem["existing"]) == ("TakenError", {"id": key})
    other = await save(client, {}, "Hiver")
    assert await refusals(client, "Update", id=other, set={"name": "ÉTÉ"}) == [("TAKEN", "input.set.name")]


async def test_a_stale_version_is_refused(client: Client) -> None:
    key = await save(client, LOYAL, "Stale")
    await do(client, "Update", id=key, set={"description": "Newer."})
    for verb, more in (("Update", {"set": {"name": "Late"}}), ("Delete", {})):
        answer = await do(client, verb, id=key, expectedVersion=1, **more)
        [problem] = answer["userErrors"]
        assert (problem["__typename"], problem["current"]) == ("StaleVersionError", {"id": key})


async def test_other_ids_are_not_found_all_alike(client: Client, neighbour: Client) -> None:
    theirs = await save(neighbour, {}, "Next door")
    mine = await save(client, {}, "Mine")
    for key in (theirs, "seg_" + "0" * 32, "cus_" + "0" * 32, "", f"{mine}@1700000000000000"):
        assert await refusals(client, "Update", id=key, set={"name": "Mine now"}) == [("NOT_FOUND", "input.id")]
        assert await refusals(client, "Delete", id=key) == [("NOT_FOUND", "input.id")]
    told = await client.ask("query($id: ID!) { segment(id: $id) { id } node(id: $id) { id } }", id=theirs)
    assert told == {"segment": None, "node": None}
    assert "Next door" not in [each["name"] for each in (await client.ask("{ segments { name } }"))["segments"]]


async def test_two_at_once_take_a_name_once(client: Client) -> None:
    answers = await asyncio.gather(*(do(client, "Create", name="At once", where={}) for _ in range(6)))
    made = [each["segment"]["id"] for each in answers if each["segment"]]
    assert len(made) == 1
    for each in answers:
        assert each["segment"] or [problem["existing"]["id"] for problem in each["userErrors"]] == made
    await do(client, "Delete", id=made[0])


async def test_the_same_key_saves_once(client: Client) -> None:
    query = (
        'mutation($input: SegmentCreateInput!) { segmentCreate(input: $input) @idempotent(key: "%s") '
        "{ segment { id count } userErrors { code } } }"
    )
    given = {"name": "Once", "where": LOYAL}
    first = await client.ask(query % "once", input=given)
    assert await client.ask(query % "once", input=given) == first
    other = await client.ask(query % "once", input={**given, "where": {}})
    assert other["segmentCreate"]["userErrors"] == [{"code": "IDEMPOTENCY_KEY_REUSED"}]
    await do(client, "Delete", id=first["segmentCreate"]["segment"]["id"])


async def test_they_are_listed_by_name(newcomer: Client) -> None:
    for name in ("zebra", "Älter", "apple", "Birne"):
        await save(newcomer, {}, name)
    names = [each["name"] for each in (await newcomer.ask("{ segments { name } }"))["segments"]]
    assert names == sorted(names, key=str.casefold)
    assert {"zebra", "Älter", "apple", "Birne"} < {*names}


def test_there_are_only_so_many(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    with begin() as work:
        monkeypatch.setattr(actions, "MOST_SEGMENTS", 8)
        actions.create_segment(work, {"name": "Eighth", "where": "{}"}, Problems())
        with pytest.raises(Refused) as refused:
            actions.create_segment(work, {"name": "Ninth", "where": "{}"}, Problems())
    assert [problem.code.value for problem in refused.value.problems] == ["TOO_MANY"]


def test_who_takes_a_name_meanwhile_is_found(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    look = actions._refuse_taken

    def late(*given: Any) -> None:
        looked.append(1)
        if len(looked) > 1:
            look(*given)

    with begin() as work:
        monkeypatch.setattr(actions, "_refuse_taken", late)
        with pytest.raises((Refused, IntegrityError)) as refused:
            actions.create_segment(work, {"name": "at RISK", "where": "{}"}, Problems())
        assert isinstance(refused.value, Refused)
        assert [problem.code.value for problem in refused.value.problems] == ["TAKEN"]
