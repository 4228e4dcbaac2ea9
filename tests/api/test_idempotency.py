"""The same request twice is done once, and says so; what is kept of it is nobody's data."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app.customers.tables import Customer
from app.platform.idempotency import IdempotencyKey
from app.purchases.tables import Purchase
from tests.api.acting import Shop, by, codes, contact, line, new_customer, open_house, ref, unknown
from tests.conftest import NOW

CREATE = "mutation($input: CustomerCreateInput!, $key: String!) { customerCreate(input: $input) @idempotent(key: $key) "
CREATE += "{ customer { id name version } userErrors { code field } } }"


async def every_kind(shop: Shop) -> dict[str, Any]:
    """An input for each mutation, that works once."""
    ana, bo, old = [await new_customer(shop, name) for name in ("Ana", "Bo", "Old")]
    await shop.done("customerArchive", {"customer": by(old)})
    complaint, note = await contact(shop, ana, "COMPLAINT"), await contact(shop, ana)
    purchase = {"customer": by(ana), "currency": "EUR", "lines": [line()]}
    first, second = [(await shop.done("purchaseRecord", purchase, key))["purchase"]["id"] for key in ("k1", "k2")]
    said = {"customer": by(ana), "kind": "CALL", "channel": "PHONE", "direction": "INBOUND"}
    word = {"customer": by(ana), "purpose": "MARKETING", "channel": "EMAIL", "state": "GRANTED"}
    upsert = {"externalRef": ref("u1"), "set": {"name": "U"}}
    return {
        "customerCreate": {"name": "New"},
        "customerUpdate": {"customer": by(ana), "expectedVersion": 1, "set": {"city": "Rome"}},
        "customerUpsert": upsert,
        "customersUpsert": {
            "rows": [upsert | {"externalRef": ref("u2")}, {"externalRef": ref("u3"), "set": {}}],
            "onError": "REJECT_ROW",
        },
        "customerArchive": {"customer": by(bo)},
        "customerRestore": {"id": old},
        "customerTerminate": {"customer": by(ana), "terminatedOn": "2026-06-01"},
        "customerReinstate": {"customer": by(ana)},
        "consentRecord": word,
        "touchpointRecord": said,
        "touchpointsRecord": {"rows": [said, {**said, "nps": 1}], "onError": "REJECT_ROW"},
        "touchpointRetract": {"touchpoint": by(note), "reason": "X"},
        "complaintResolve": {"touchpoint": by(complaint)},
        "purchaseRecord": purchase,
        "purchasesRecord": {"rows": [purchase, {**purchase, "lines": []}], "onError": "REJECT_ROW"},
        "purchaseRefund": {"purchase": by(first), "amount": {"amount": "1.00", "currency": "EUR"}},
        "purchaseVoid": {"purchase": by(second), "reason": "X"},
        "policyPublish": {"expectedVersion": 1, "set": {"newDays": 30}},
    }


@pytest.mark.parametrize("way", ["directive", "header"])
async def test_every_mutation_is_done_once_for_a_key(shop: Shop, way: str) -> None:
    for field, given in (await every_kind(shop)).items():
        sent: Any = {"key": "once"} if way == "directive" else {"idempotency_key": "once"}
        first = await shop.act(field, given, **sent)
        assert "errors" not in first, first
        assert first["data"][field]["userErrors"] == [], (field, first)
        assert "extensions" not in first
        before = shop.rows()
        second = await shop.act(field, given, **sent)
        assert second.pop("extensions") == {"idempotency": {"replayed": True}}
        assert second == first
        assert shop.rows() == before, field
        other = await shop.act(field, different(given), **sent)
        [error] = other["data"][field]["userErrors"]
        assert (error["code"], error["field"]) == ("IDEMPOTENCY_KEY_REUSED", ["input"])
        assert "extensions" not in other
        assert shop.rows() == before, field


def different(given: Any) -> Any:
    for name in ("name", "reason", "terminatedOn", "state", "subject", "onError"):
        if name in given:
            new = {"terminatedOn": "2026-06-02", "state": "WITHDRAWN", "onError": "REJECT_ALL"}.get(name, "Another")
            return {**given, name: new}
    if "amount" in given:
        return {**given, "amount": {"amount": "2.00", "currency": "EUR"}}
    if "set" in given:
        return {**given, "set": {}}
    for name in ("customer", "touchpoint"):
        if name in given and "kind" not in given and "currency" not in given:
            return {**given, name: by(unknown(name[:3]))}
    return given | ({"id": unknown("cus")} if "id" in given else {"externalRef": ref("another")})


async def test_the_key_may_be_a_variable_and_the_entity_is_as_it_is_now(shop: Shop) -> None:
    first = await shop.ask(CREATE, input={"name": "Ana"}, key="k")
    customer = first["customerCreate"]["customer"]
    await shop.done("customerUpdate", {"customer": by(customer["id"]), "set": {"name": "Zoe"}})
    second = await shop.post(CREATE, {"input": {"name": "Ana"}, "key": "k"})
    assert second["extensions"] == {"idempotency": {"replayed": True}}
    assert second["data"]["customerCreate"]["customer"] == {"id": customer["id"], "name": "Zoe", "version": 2}


async def test_equal_arguments_are_equal_however_they_are_written(shop: Shop) -> None:
    await shop.ask(CREATE, input={"name": "Ana", "kind": "PERSON", "attributes": {"a": 1, "b": 2}}, key="k")
    await shop.ask(CREATE, input={"attributes": {"b": 2, "a": 1}, "name": "Ana"}, key="k")
    literal = 'mutation { customerCreate(input: {name: "Ana", attributes: {b: 2, a: 1}}) @idempotent(key: "k") '
    answer = await shop.post(literal + "{ customer { id } userErrors { code } } }")
    assert answer["data"]["customerCreate"]["userErrors"] == []
    assert shop.count(Customer) == 1


async def test_what_is_refused_is_not_kept(shop: Shop) -> None:
    for given in ({"name": " "}, {"name": "Ana", "email": "x"}):
        assert (await shop.ask(CREATE, input=given, key="k"))["customerCreate"]["userErrors"]
    all_or_nothing = {"rows": [{"externalRef": ref("1"), "set": {}}]}
    await shop.done("customersUpsert", all_or_nothing, key="k")
    assert shop.count(IdempotencyKey) == 0
    assert (await shop.ask(CREATE, input={"name": "Ana"}, key="k"))["customerCreate"]["userErrors"] == []


async def test_a_batch_with_refused_rows_is_kept(shop: Shop) -> None:
    rows = [{"externalRef": ref("1"), "set": {}}, {"externalRef": ref("2"), "set": {"name": "Bo"}}]
    given = {"rows": rows, "onError": "REJECT_ROW"}
    first = await shop.done("customersUpsert", given, key="k")
    await shop.done("customerUpsert", {"externalRef": ref("1"), "set": {"name": "Now there"}})
    again = await shop.act("customersUpsert", given, "k")
    assert again["extensions"] == {"idempotency": {"replayed": True}}
    assert again["data"]["customersUpsert"] == first
    assert [row["outcome"] for row in first["rows"]] == ["REFUSED", "CREATED"]


async def test_a_key_is_of_one_organisation_and_one_field(shop: Shop, open_shop: Callable[..., Shop]) -> None:
    upsert = {"externalRef": ref("1"), "set": {"name": "Bo"}}
    for each in (shop, open_shop()):
        assert (await each.ask(CREATE, input={"name": "Ana"}, key="k"))["customerCreate"]["userErrors"] == []
        assert (await each.done("customerUpsert", upsert, key="k"))["outcome"] == "CREATED"
        assert each.count(Customer) == 2
    rotated = shop.renewed()
    answer = await rotated.act("customerUpsert", upsert, "k")
    await rotated.http.aclose()
    assert (answer["extensions"], shop.count(Customer)) == ({"idempotency": {"replayed": True}}, 2)


async def test_a_key_is_let_go_after_seven_days(shop: Shop) -> None:
    for now, customers in [(NOW, 1), (NOW + timedelta(days=7), 1), (NOW + timedelta(days=7, seconds=1), 2)]:
        await shop.ask(CREATE, now, input={"name": "Ana"}, key="k")
        assert shop.count(Customer) == customers
    await shop.ask(CREATE, NOW + timedelta(days=30), input={"name": "Ana"}, key="other")
    assert shop.count(IdempotencyKey) == 1


async def test_what_is_kept_is_nobodys_data(shop: Shop) -> None:
    await shop.ask(CREATE, input={"name": "Qanary", "email": "qanary@example.com"}, key="k")
    kept = shop.rows()["idempotency_keys"]
    assert len(kept) == 1
    assert "anary" not in str(kept)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00b", "a\nb", "\u200b"])
async def test_a_key_that_is_none_is_refused(shop: Shop, key: str) -> None:
    payload = (await shop.ask(CREATE, input={"name": "Ana"}, key=key))["customerCreate"]
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [("INVALID", ["input"])]
    assert shop.count(Customer) == 0


async def test_the_header_goes_with_one_mutation_field(shop: Shop) -> None:
    two = 'mutation { a: customerCreate(input: {name: "A"}) { userErrors { code } } '
    two += 'b: customerCreate(input: {name: "B"}) { userErrors { code } } }'
    answer = await shop.post(two, idempotency_key="k")
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    spread = 'mutation { ...F } fragment F on Mutation { a: customerCreate(input: {name: "A"}) { userErrors { code } } '
    spread += 'b: customerCreate(input: {name: "B"}) { userErrors { code } } }'
    answer = await shop.post(spread, idempotency_key="k")
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}
    assert shop.count(Customer) == 0
    assert await shop.post("{ customers { totalCount } }", idempotency_key="k") == {
        "data": {"customers": {"totalCount": 0}}
    }


async def test_eight_who_send_the_same_at_once_have_one_effect(shop: Shop) -> None:
    given = {"customer": by(await new_customer(shop)), "currency": "EUR", "lines": [line()]}
    clients = [shop.renewed() for _ in range(8)]
    answers = await asyncio.gather(*(client.act("purchaseRecord", given, "same") for client in clients))
    payloads = [answer["data"]["purchaseRecord"] for answer in answers]
    assert {payload["purchase"]["id"] for payload in payloads} == {payloads[0]["purchase"]["id"]}
    assert all(payload == payloads[0] for payload in payloads)
    assert sum("extensions" in answer for answer in answers) == 7
    assert (shop.count(Purchase), shop.count(IdempotencyKey)) == (1, 1)
    assert not shop.wrong_facts()
    await asyncio.gather(*(client.http.aclose() for client in clients))


async def test_of_eight_who_use_one_key_for_different_things_one_has_its_effect(shop: Shop) -> None:
    customer = by(await new_customer(shop))
    given = [{"customer": customer, "currency": "EUR", "lines": [line(f"{n}.00")]} for n in range(1, 9)]
    answers = await asyncio.gather(*(shop.act("purchaseRecord", each, "same") for each in given))
    told = sorted(str(codes(answer["data"]["purchaseRecord"]["userErrors"])) for answer in answers)
    assert told == ["[('IDEMPOTENCY_KEY_REUSED', 'input')]"] * 7 + ["[]"]
    assert shop.count(Purchase) == 1


def test_a_repeat_while_the_first_still_runs_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL, where another process may hold the key; SQLite has one writer, and the repeat waits its turn."""
    monkeypatch.setattr("app.platform.database.LOCK_SECONDS", 1)
    with open_house("postgresql") as house:
        shop = house.shop()
        held = {"org_id": shop.org.id, "field": "customerCreate", "key": "k", "fingerprint": "", "created_at": NOW}
        with house.engine.begin() as running:
            running.execute(insert(IdempotencyKey).values(held))
            [error] = asyncio.run(shop.told("customerCreate", {"name": "Ana"}, "k"))
            running.rollback()
        assert (error["code"], error["field"]) == ("IDEMPOTENCY_IN_PROGRESS", ["input"])
        assert shop.count(Customer) == 0
