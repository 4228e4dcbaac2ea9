"""Writers that meet: one wins, nobody half wins, and the facts stay what the events say."""

import asyncio
from collections import Counter
from typing import Any

from app.customers.tables import Customer
from app.purchases.tables import Purchase, Refund
from app.touchpoints.tables import Touchpoint
from tests.api.acting import Shop, buy, by, line, new_customer, ref

WRITERS = 8


async def at_once(shop: Shop, acts: list[tuple[str, Any]]) -> list[Any]:
    """The payloads, in the order of the acts; each from a client of its own."""
    clients = [shop.renewed() for _ in acts]
    found = await asyncio.gather(*(client.act(*act) for client, act in zip(clients, acts, strict=True)))
    await asyncio.gather(*(client.http.aclose() for client in clients))
    assert not [answer["errors"] for answer in found if "errors" in answer]
    return [answer["data"][field] for answer, (field, _) in zip(found, acts, strict=True)]


def told(payloads: list[Any]) -> Counter[str]:
    return Counter(payload["userErrors"][0]["code"] if payload["userErrors"] else "DONE" for payload in payloads)


async def test_of_writers_of_one_version_one_wins(shop: Shop) -> None:
    customer = await new_customer(shop)
    for version in (1, 2):
        acts = [
            (
                "customerUpdate",
                {"customer": by(customer), "expectedVersion": version, "set": {"name": f"N{version}{n}"}},
            )
            for n in range(WRITERS)
        ]
        payloads = await at_once(shop, acts)
        assert told(payloads) == {"DONE": 1, "STALE_VERSION": WRITERS - 1}
        [winner] = [payload["customer"]["name"] for payload in payloads if payload["customer"]]
        asked = await shop.ask("query($by: CustomerLookup!) { customer(by: $by) { name version } }", by=by(customer))
        assert asked["customer"] == {"name": winner, "version": version + 1}
        losers = [payload["userErrors"][0]["current"] for payload in payloads if payload["userErrors"]]
        assert losers == [by(customer)] * (WRITERS - 1)


async def test_of_publishers_of_one_version_one_wins(shop: Shop) -> None:
    payloads = await at_once(shop, [("policyPublish", {"expectedVersion": 1, "set": {"newDays": n}}) for n in range(4)])
    assert told(payloads) == {"DONE": 1, "STALE_VERSION": 3}


async def test_writers_without_a_version_are_all_counted(shop: Shop) -> None:
    customer = await new_customer(shop)
    acts = [("customerUpdate", {"customer": by(customer), "set": {"city": f"C{n}"}}) for n in range(WRITERS)]
    payloads = await at_once(shop, acts)
    assert told(payloads) == {"DONE": WRITERS}
    asked = await shop.ask("query($by: CustomerLookup!) { customer(by: $by) { version } }", by=by(customer))
    assert asked["customer"]["version"] == WRITERS + 1


async def test_upserts_of_one_new_name_create_one(shop: Shop) -> None:
    acts = [("customerUpsert", {"externalRef": ref("1"), "set": {"name": "Ana"}}) for _ in range(WRITERS)]
    payloads = await at_once(shop, acts)
    assert Counter(payload["outcome"] for payload in payloads) == {"CREATED": 1, "UNCHANGED": WRITERS - 1}
    assert len({payload["customer"]["id"] for payload in payloads}) == 1
    assert shop.count(Customer) == 1


async def test_batches_of_the_same_names_in_any_order_create_each_once(shop: Shop) -> None:
    rows = [{"externalRef": ref(f"r{n}"), "set": {"name": f"N{n}"}} for n in range(20)]
    payloads = await at_once(shop, [("customersUpsert", {"rows": rows[::step]}) for step in (1, -1, 1, -1)])
    assert told(payloads) == {"DONE": 4}
    assert sum(payload["created"] for payload in payloads) == shop.count(Customer) == 20
    assert sum(payload["unchanged"] for payload in payloads) == 60


async def test_one_name_is_given_to_one_customer(shop: Shop) -> None:
    customers = [await new_customer(shop, f"N{n}") for n in range(4)]
    acts = [("customerUpdate", {"customer": by(each), "set": {"externalRefs": [ref("1")]}}) for each in customers]
    assert told(await at_once(shop, acts)) == {"DONE": 1, "TAKEN": 3}


async def test_events_of_one_customer_are_all_counted(shop: Shop) -> None:
    customer = by(await new_customer(shop, externalRefs=[ref("1")]))
    common = {"customer": customer, "currency": "EUR"}
    acts: list[tuple[str, Any]] = []
    for n in range(6):
        day = f"2026-06-{n + 1:02}T10:00:00Z"
        purchase = {**common, "lines": [line(f"{n + 1}.00")], "purchasedAt": day, "externalRef": ref(f"p{n}")}
        said = {"customer": customer, "kind": "COMPLAINT", "channel": "PHONE", "direction": "INBOUND"}
        batch = [{**purchase, "externalRef": ref(f"b{n}-{k}")} for k in range(3)]
        acts += [("purchaseRecord", purchase), ("touchpointRecord", {**said, "occurredAt": day})]
        acts.append(("purchasesRecord", {"rows": batch}))
    payloads = await at_once(shop, acts)
    assert told(payloads) == {"DONE": 18}
    assert (shop.count(Purchase), shop.count(Touchpoint)) == (24, 6)
    assert not shop.wrong_facts()
    facts = "facts { keptOrders touchpoints openComplaints net { amount } }"
    asked = await shop.ask(f"query($by: CustomerLookup!) {{ customer(by: $by) {{ {facts} }} }}", by=customer)
    counted = {"keptOrders": 24, "touchpoints": 6, "openComplaints": 6, "net": {"amount": "84.00"}}
    assert asked["customer"]["facts"] == counted


async def test_repeats_of_one_event_record_it_once(shop: Shop) -> None:
    given = {"customer": by(await new_customer(shop)), "currency": "EUR", "lines": [line()], "externalRef": ref("1")}
    payloads = await at_once(shop, [("purchaseRecord", given)] * WRITERS)
    assert Counter(payload["outcome"] for payload in payloads) == {"RECORDED": 1, "ALREADY_RECORDED": WRITERS - 1}
    assert shop.count(Purchase) == 1
    assert not shop.wrong_facts()


async def test_no_more_is_refunded_than_was_paid(shop: Shop) -> None:
    purchase = await buy(shop, await new_customer(shop), "10.00")
    acts = [
        (
            "purchaseRefund",
            {"purchase": by(purchase), "amount": {"amount": "3.00", "currency": "EUR"}, "externalRef": ref(f"r{n}")},
        )
        for n in range(WRITERS)
    ]
    assert told(await at_once(shop, acts)) == {"DONE": 3, "EXCEEDS_PURCHASE": WRITERS - 3}
    assert shop.count(Refund) == 3
    assert not shop.wrong_facts()


async def test_what_is_voided_is_voided_once(shop: Shop) -> None:
    purchase = await buy(shop, await new_customer(shop))
    payloads = await at_once(shop, [("purchaseVoid", {"purchase": by(purchase), "reason": "X"})] * 4)
    assert told(payloads) == {"DONE": 1, "WRONG_STATE": 3}
    assert not shop.wrong_facts()
