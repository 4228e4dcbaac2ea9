"""A change is told by the byte lane as graphql-core would tell it, and is made once whichever of them tells."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.touchpoints.tables import Touchpoint
from tests.api.acting import PAYLOADS, Shop, by, mutation, ref, unknown
from tests.api.test_idempotency import every_kind
from tests.api.test_writing import new_customer

RECORD = (Path(__file__).parents[2] / "bench" / "questions" / "M1.graphql").read_text()


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
