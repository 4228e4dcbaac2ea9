"""A change is told by the byte lane as graphql-core would tell it, and is made once whichever of them tells."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from app.query import fetch, shown
from app.touchpoints.tables import Touchpoint
from tests.api.acting import PAYLOADS, Shop, by, mutation, new_customer, ref, unknown
from tests.api.test_idempotency import every_kind

RECORD, REDEEM = (
    (Path(__file__).parents[2] / "bench" / "questions" / f"{name}.graphql").read_text() for name in ("M1", "M3")
)


@pytest.fixture
def read() -> Iterator[list[str]]:
    """The statements that are read for answers."""
    found: list[str] = []
    fetch.watchers.append(found.append)
    yield found
    fetch.watchers.remove(found.append)


async def member(shop: Shop) -> str:
    """An account with 100 points."""
    terms = {"name": "Stars", "pointsName": "stars", "currency": "EUR", "earnRate": "1"}
    program = (await shop.done("loyaltyProgramCreate", terms))["program"]["id"]
    opened = {"programId": program, "customer": by(await new_customer(shop))}
    account = str((await shop.done("loyaltyAccountOpen", opened))["account"]["id"])
    await shop.done("pointsEarn", {"account": by(account), "points": 100, "reason": "Review"}, key="earned")
    return account


async def balance(shop: Shop, account: str) -> int:
    query = "query($id: ID!) { loyaltyAccount(by: { id: $id }) { balance { available } } }"
    _, answer = await sent(shop, query, id=account)
    return int(answer["data"]["loyaltyAccount"]["balance"]["available"])


async def sent(shop: Shop, query: str, **variables: Any) -> tuple[str, Any]:
    """The lane, and the answer."""
    answer = await shop.http.post("/graphql", json={"query": query, "variables": variables})
    return answer.headers["x-guanxi-lane"], answer.json()


async def test_a_touchpoint_is_recorded_in_the_byte_lane(shop: Shop) -> None:
    customer = await new_customer(shop)
    lane, answer = await sent(shop, RECORD, customer=customer, subject="Tea")
    payload = answer["data"]["touchpointRecord"]
    assert (lane, payload["outcome"], payload["userErrors"]) == ("sql", "RECORDED", [])
    lane, answer = await sent(shop, RECORD, customer=unknown("cus"))
    [error] = answer["data"]["touchpointRecord"]["userErrors"]
    assert (lane, error["code"]) == ("core", "NOT_FOUND")
    assert shop.count(Touchpoint) == 1


async def test_an_id_alone_is_not_read_back(shop: Shop) -> None:
    query = RECORD.replace("id kind occurredAt", "a: id __typename id")
    lane, answer = await sent(shop, query, customer=await new_customer(shop))
    shown = answer["data"]["touchpointRecord"]["touchpoint"]
    assert (lane, list(shown)) == ("sql", ["a", "__typename", "id"])
    _, found = await sent(shop, "query($id: ID!) { node(id: $id) { __typename a: id id } }", id=shown["id"])
    assert found["data"]["node"] == shown


@pytest.mark.parametrize("key", [None, "k"])
async def test_both_lanes_tell_the_same_of_every_mutation(shop: Shop, key: str | None) -> None:
    for field, given in (await every_kind(shop)).items():
        once = key or f"of {field}"
        whole = mutation(field, once)
        alone = whole.replace("query { viewer { organization { id } } }", "")
        if "rows" in PAYLOADS[field] or field == "policyPublish":
            continue
        answers = [
            (await shop.http.post("/graphql", json={"query": q, "variables": {"input": given}})) for q in (alone, whole)
        ]
        assert [answer.headers["x-guanxi-lane"] for answer in answers] == ["sql", "core"], field
        first, second = (answer.json()["data"][field] for answer in answers)
        assert second.pop("query")
        assert first == second, field


async def test_what_is_kept_of_an_account_is_read_where_it_is_written(shop: Shop, read: list[str]) -> None:
    account = await member(shop)
    before = await balance(shop, account)
    told = []
    for once in ("1", "2", "3"):
        del read[:]
        lane, answer = await sent(shop, REDEEM, account=account, points=1, key=once)
        assert (lane, answer["data"]["pointsRedeem"]["redemption"]["points"]) == ("sql", 1)
        told.append((answer["data"]["pointsRedeem"]["account"]["balance"]["available"], len(read)))
    # The first time nothing is known of what it takes to read it.
    assert told == [(before - 1, 2), (before - 2, 0), (before - 3, 0)]
    _, again = await sent(shop, REDEEM, account=account, points=1, key="2")
    assert again["data"]["pointsRedeem"]["account"]["balance"]["available"] == before - 3
    assert again["extensions"]["idempotency"] == {"replayed": True}


async def test_what_does_not_stand_any_more_is_asked_in_full(shop: Shop, read: list[str]) -> None:
    account = await member(shop)
    for once in ("1", "2"):
        await sent(shop, REDEEM, account=account, points=1, key=once)
    before = await balance(shop, account)
    with patch.object(shown.sql, "MARK", '"available"'):
        del read[:]
        _, answer = await sent(shop, REDEEM, account=account, points=1, key="3")
    assert answer["data"]["pointsRedeem"]["account"]["balance"]["available"] == before - 1
    assert len(read) == 1


async def test_who_writes_at_once_is_told_his_own(shop: Shop) -> None:
    customers = [await new_customer(shop, f"N{n}") for n in range(8)]
    query = RECORD.replace("kind occurredAt", "subject customer { id }")
    answers = await asyncio.gather(*(sent(shop, query, customer=each, subject=each[-5:]) for each in customers))
    for customer, (lane, answer) in zip(customers, answers, strict=True):
        shown = answer["data"]["touchpointRecord"]["touchpoint"]
        assert (lane, shown["customer"], shown["subject"]) == ("sql", by(customer), customer[-5:])
    assert not shop.wrong_facts()


async def test_a_page_that_cannot_be_told_is_refused_before_anything_is_done(shop: Shop) -> None:
    customer = await new_customer(shop)
    query = RECORD.replace("id kind", "customer { touchpoints(first: 1000) { totalCount } } kind")
    _, answer = await sent(shop, query, customer=customer)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert shop.count(Touchpoint) == 0
    given = {
        "customer": by(customer),
        "kind": "CALL",
        "channel": "PHONE",
        "direction": "INBOUND",
        "externalRef": ref("1"),
    }
    assert (await shop.done("touchpointRecord", given))["outcome"] == "RECORDED"
