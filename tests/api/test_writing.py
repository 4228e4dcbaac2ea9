"""Each mutation does what it says, and its payload shows it as a later question does."""

from collections.abc import Callable
from typing import Any

from schema.schema import graphql_schema
from tests.api.acting import PAYLOADS, Shop, buy, by, codes, contact, line, new_customer, ref, unknown

FIELDS = set(graphql_schema.mutation_type.fields)  # type: ignore[union-attr]


def test_every_mutation_is_tried_here() -> None:
    # Campaigns, segments and keys are tried in folders and files of their own.
    elsewhere = {name for name in FIELDS if name.startswith(("campaign", "segment", "apiKey"))}
    assert FIELDS - elsewhere == set(PAYLOADS)


async def test_a_customer_is_created_whole(shop: Shop) -> None:
    given = {
        "kind": "COMPANY",
        "name": " 王小明 ",
        "email": "Ana@Example.COM",
        "phone": "+33 6 12 34 56 78",
        "birthday": "1990-02-03",
        "city": "Paris",
        "region": "IDF",
        "country": "fr",
        "language": "ZH-hans",
        "externalRefs": [ref("1"), ref("2", "web")],
        "attributes": {"tea": ["Longjing", {"hot": True}]},
        "suppressed": True,
    }
    payload = await shop.done("customerCreate", given)
    customer = payload["customer"]
    shown = {
        "kind": "COMPANY",
        "name": "王小明",
        "email": "Ana@example.com",
        "phone": "+33612345678",
        "birthday": "1990-02-03",
        "city": "Paris",
    }
    shown |= {
        "region": "IDF",
        "country": "FR",
        "language": "zh-Hans",
        "suppressed": True,
        "attributes": {"tea": ["Longjing", {"hot": True}]},
    }
    assert shown.items() <= customer.items()
    assert (customer["version"], customer["liveId"], customer["createdAt"]) == (
        1,
        customer["id"],
        "2026-06-15T12:00:00.000000Z",
    )
    assert customer["externalRefs"] == [ref("1"), ref("2", "web")]
    assert customer["facts"]["contactable"] is False
    assert payload["query"]["viewer"]["organization"]["id"].startswith("org_")
    for lookup in (
        by(customer["id"]),
        {"externalRef": ref("2", "web")},
        {"email": "Ana@EXAMPLE.com"},
        {"phone": "+33612345678"},
    ):
        assert await shop.ask("query($by: CustomerLookup!) { customer(by: $by) { id } }", by=lookup) == {
            "customer": {"id": customer["id"]}
        }


async def test_query_in_a_payload_sees_what_was_done(shop: Shop) -> None:
    asked = """mutation {
      customerCreate(input: {name: "Ana"}) { query { customers(search: "ana") { totalCount nodes { name } } } }
    }"""
    assert (await shop.ask(asked))["customerCreate"]["query"] == {
        "customers": {"totalCount": 1, "nodes": [{"name": "Ana"}]}
    }


async def test_an_update_sets_what_is_given_and_counts_a_version(shop: Shop) -> None:
    made = await new_customer(
        shop, email="a@example.com", attributes={"a": 1, "b": 2}, externalRefs=[ref("1"), ref("2", "web")]
    )
    change = {
        "name": "Zoé",
        "email": None,
        "attributes": {"a": None, "c": 3},
        "externalRefs": [ref("9")],
        "externalRefsRemove": [ref("2", "web")],
    }
    customer = (await shop.done("customerUpdate", {"customer": by(made), "expectedVersion": 1, "set": change}))[
        "customer"
    ]
    assert (customer["name"], customer["email"], customer["version"]) == ("Zoé", None, 2)
    assert (customer["attributes"], customer["externalRefs"]) == ({"b": 2, "c": 3}, [ref("9")])
    again = (await shop.done("customerUpdate", {"customer": {"externalRef": ref("9")}, "set": {"name": "Zoé"}}))[
        "customer"
    ]
    assert again == customer


async def test_an_upsert_says_what_became_of_the_customer(shop: Shop) -> None:
    async def upsert(**given: Any) -> tuple[str, int]:
        payload = await shop.done("customerUpsert", {"externalRef": ref("7"), "set": given})
        assert payload["customer"]["externalRefs"] == [ref("7")]
        return payload["outcome"], payload["customer"]["version"]

    assert await upsert(name="Ana") == ("CREATED", 1)
    assert await upsert(name="Ana") == ("UNCHANGED", 1)
    assert await upsert(city="Lyon") == ("UPDATED", 2)


async def test_an_archived_customer_is_hidden_and_comes_back(shop: Shop) -> None:
    made = await new_customer(shop, email="a@example.com", externalRefs=[ref("1")])
    archived = (await shop.done("customerArchive", {"customer": by(made), "expectedVersion": 1}))["customer"]
    assert (archived["archivedAt"], archived["version"]) == ("2026-06-15T12:00:00.000000Z", 2)
    other = (await shop.done("customerUpsert", {"externalRef": ref("1"), "set": {"name": "New"}}))["customer"]["id"]
    [error] = await shop.told("customerRestore", {"id": made})
    assert (error["code"], error["existing"]) == ("TAKEN", {"id": other, "__typename": "Customer"})
    await shop.done("customerUpdate", {"customer": by(other), "set": {"externalRefs": [ref("2")]}})
    restored = (await shop.done("customerRestore", {"id": made, "expectedVersion": 2}))["customer"]
    assert (restored["archivedAt"], restored["version"], restored["externalRefs"]) == (None, 3, [ref("1")])


async def test_a_relationship_ends_and_goes_on(shop: Shop) -> None:
    made = await new_customer(shop)
    await buy(shop, made)
    ended = (
        await shop.done(
            "customerTerminate",
            {"customer": by(made), "expectedVersion": 1, "terminatedOn": "2026-06-15", "reason": "Moved"},
        )
    )["customer"]
    assert (ended["terminatedOn"], ended["version"], ended["lifecycle"]["phase"]) == ("2026-06-15", 2, "TERMINATION")
    on = (await shop.done("customerReinstate", {"customer": by(made), "expectedVersion": 2}))["customer"]
    assert (on["terminatedOn"], on["version"]) == (None, 3)
    assert on["lifecycle"]["phase"] != "TERMINATION"


async def test_a_word_on_consent_counts_from_when_it_was_given(shop: Shop) -> None:
    made = await new_customer(shop)
    word = {
        "customer": by(made),
        "purpose": "MARKETING",
        "channel": "EMAIL",
        "state": "GRANTED",
        "source": "form",
        "policyText": "v1",
    }
    payload = await shop.done("consentRecord", {**word, "at": "2026-06-01T10:00:00+02:00"})
    assert payload["consent"]["at"] == "2026-06-01T08:00:00.000000Z"
    assert (payload["customer"]["facts"]["contactable"], payload["customer"]["version"]) == (True, 1)
    payload = await shop.done("consentRecord", {**word, "state": "WITHDRAWN"})
    assert payload["customer"]["facts"]["contactable"] is False
    assert payload["customer"]["consents"] == [{"purpose": "MARKETING", "channel": "EMAIL", "state": "WITHDRAWN"}]


async def test_a_contact_is_recorded_whole_and_once(shop: Shop) -> None:
    made = await new_customer(shop)
    survey = {
        "customer": by(made),
        "kind": "SURVEY",
        "channel": "EMAIL",
        "direction": "INBOUND",
        "occurredAt": "2026-06-14T08:00:00Z",
        "subject": "S",
        "body": "B\nC",
        "sentiment": -0.25,
        "nps": 9,
        "csat": 4,
        "relativeQuality": "1.2",
        "relativePrice": "0.8",
        "externalRef": ref("s1", "forms"),
        "attributes": {"x": 1},
    }
    payload = await shop.done("touchpointRecord", survey)
    touchpoint = payload["touchpoint"]
    shown = {
        name: survey[name]
        for name in (
            "kind",
            "channel",
            "direction",
            "subject",
            "body",
            "sentiment",
            "nps",
            "csat",
            "attributes",
            "externalRef",
        )
    }
    assert shown.items() <= touchpoint.items()
    assert (touchpoint["relativeQuality"], touchpoint["occurredAt"]) == ("1.2", "2026-06-14T08:00:00.000000Z")
    assert (payload["outcome"], touchpoint["customer"]["facts"]["touchpoints"]) == ("RECORDED", 1)
    before = shop.rows()
    again = await shop.done("touchpointRecord", survey)
    assert (again["outcome"], again["touchpoint"]) == ("ALREADY_RECORDED", touchpoint)
    [error] = await shop.told("touchpointRecord", {**survey, "nps": 1})
    assert (error["code"], error["field"], error["existing"]["id"]) == (
        "TAKEN",
        ["input", "externalRef"],
        touchpoint["id"],
    )
    assert shop.rows() == before
    note = {
        "customer": by(made),
        "kind": "NOTE",
        "channel": "OTHER",
        "direction": "OUTBOUND",
        "inReplyTo": {"externalRef": ref("s1", "forms")},
    }
    assert (await shop.done("touchpointRecord", note))["touchpoint"]["inReplyTo"] == by(touchpoint["id"])


async def test_a_retracted_contact_is_shown_once_and_gone(shop: Shop) -> None:
    made = await new_customer(shop)
    told = await contact(shop, made, "COMPLAINT", externalRef=ref("c1", "desk"))
    payload = await shop.done(
        "touchpointRetract", {"touchpoint": {"externalRef": ref("c1", "desk")}, "reason": "Twice"}
    )
    assert (payload["touchpoint"]["id"], payload["customer"]["facts"]["openComplaints"]) == (told, 0)
    assert await shop.ask("query($id: ID!) { node(id: $id) { id } touchpoints { totalCount } }", id=told) == {
        "node": None,
        "touchpoints": {"totalCount": 0},
    }
    again = await contact(shop, made, "COMPLAINT", externalRef=ref("c1", "desk"))
    assert again != told


async def test_a_complaint_is_settled_once(shop: Shop) -> None:
    made = await new_customer(shop)
    told = await contact(shop, made, "COMPLAINT", occurredAt="2026-06-01T00:00:00Z")
    payload = await shop.done(
        "complaintResolve", {"touchpoint": by(told), "resolvedAt": "2026-06-02T00:00:00Z", "resolution": "Sorry"}
    )
    assert payload["touchpoint"]["resolvedAt"] == "2026-06-02T00:00:00.000000Z"
    assert payload["touchpoint"]["customer"]["facts"]["openComplaints"] == 0
    assert codes(await shop.told("complaintResolve", {"touchpoint": by(told)})) == [("WRONG_STATE", "input.touchpoint")]


async def test_a_purchase_is_recorded_refunded_and_voided(shop: Shop) -> None:
    made = await new_customer(shop)
    need = await contact(shop, made, "NEED")
    given = {
        "customer": by(made),
        "purchasedAt": "2026-06-14T08:00:00Z",
        "currency": "EUR",
        "lines": [
            line("10.00", sku="T1", category="tea"),
            {"name": "Cup", "quantity": "2.5", "price": {"unit": "3.33"}},
        ],
        "channel": "STORE",
        "promotional": True,
        "tailoredTo": by(need),
        "externalRef": ref("p1"),
    }
    payload = await shop.done("purchaseRecord", given)
    purchase = payload["purchase"]
    assert (payload["outcome"], purchase["gross"]["amount"], purchase["status"], purchase["tailoredTo"]) == (
        "RECORDED",
        "18.33",
        "COMPLETED",
        by(need),
    )
    assert [(each["name"], each["quantity"], each["total"]["amount"]) for each in purchase["lines"]] == [
        ("Tea", "1", "10.00"),
        ("Cup", "2.5", "8.33"),
    ]
    assert purchase["customer"]["facts"] == {"keptOrders": 1, "net": {"amount": "18.33"}}
    again = await shop.done("purchaseRecord", given)
    assert (again["outcome"], again["purchase"]) == ("ALREADY_RECORDED", purchase)
    [error] = await shop.told("purchaseRecord", {**given, "promotional": False})
    assert (error["code"], error["existing"]) == ("TAKEN", {"id": purchase["id"], "__typename": "Purchase"})

    back = {
        "purchase": {"externalRef": ref("p1")},
        "amount": {"amount": "8.33", "currency": "EUR"},
        "reason": "Broken",
        "externalRef": ref("r1"),
    }
    refunded = await shop.done("purchaseRefund", back)
    assert (refunded["outcome"], refunded["refund"]["amount"]["amount"], refunded["purchase"]["status"]) == (
        "RECORDED",
        "8.33",
        "PARTLY_REFUNDED",
    )
    assert refunded["purchase"]["customer"]["facts"]["net"]["amount"] == "10.00"
    twice = await shop.done("purchaseRefund", back)
    assert (twice["outcome"], twice["refund"], twice["purchase"]) == (
        "ALREADY_RECORDED",
        refunded["refund"],
        refunded["purchase"],
    )
    [error] = await shop.told("purchaseRefund", {**back, "reason": "Other"})
    assert (error["code"], error["existing"]) == ("TAKEN", {"id": refunded["refund"]["id"], "__typename": "Refund"})
    assert codes(
        await shop.told(
            "purchaseRefund", {**back, "amount": {"amount": "10.01", "currency": "EUR"}, "externalRef": ref("r2")}
        )
    ) == [("EXCEEDS_PURCHASE", "input.amount.amount")]

    voided = (await shop.done("purchaseVoid", {"purchase": by(purchase["id"]), "reason": "Test"}))["purchase"]
    assert (voided["status"], voided["customer"]["facts"]["keptOrders"]) == ("VOIDED", 0)
    assert codes(await shop.told("purchaseVoid", {"purchase": by(purchase["id"]), "reason": "Test"})) == [
        ("WRONG_STATE", "input.purchase")
    ]
    assert not shop.wrong_facts()


async def test_a_policy_is_published_as_the_next_version(shop: Shop) -> None:
    for customer, total in [("a", "10.00"), ("b", "20.00")]:
        await buy(shop, await new_customer(shop, customer), total)
    policy = (
        await shop.done(
            "policyPublish",
            {"expectedVersion": 1, "set": {"newDays": 60, "rfmMonetaryCuts": ["1.00", "2", "3", "4.50"]}},
        )
    )["policy"]
    assert (policy["version"], policy["newDays"], policy["rfmMonetaryCuts"]) == (
        2,
        60,
        ["1.00", "2.00", "3.00", "4.50"],
    )
    policy = (await shop.done("policyPublish", {"rfmCutsFromBase": True}))["policy"]
    assert (policy["version"], policy["rfmMonetaryCuts"]) == (3, ["10.00", "10.00", "20.00", "20.00"])
    [error] = await shop.told("policyPublish", {"expectedVersion": 2})
    assert (error["code"], error["field"], error["current"]) == (
        "STALE_VERSION",
        ["input", "expectedVersion"],
        by(policy["id"]),
    )


async def test_a_refused_field_undoes_only_itself(shop: Shop) -> None:
    asked = """mutation {
      first: customerCreate(input: {name: "Ana"}) { customer { name } userErrors { code } }
      second: customerCreate(input: {name: "Bo", email: "none"}) { customer { name } userErrors { code } }
      third: customerUpsert(input: {externalRef: {system: "pos", value: "1"}, set: {name: "Cy"}}) {
        outcome customer { name } userErrors { code } query { customers { totalCount } }
      }
      fourth: customerUpsert(input: {externalRef: {system: "pos", value: "1"}, set: {city: "Rome"}}) {
        outcome customer { version }
      }
    }"""
    assert await shop.ask(asked) == {
        "first": {"customer": {"name": "Ana"}, "userErrors": []},
        "second": {"customer": None, "userErrors": [{"code": "INVALID"}]},
        "third": {
            "outcome": "CREATED",
            "customer": {"name": "Cy"},
            "userErrors": [],
            "query": {"customers": {"totalCount": 2}},
        },
        "fourth": {"outcome": "UPDATED", "customer": {"version": 2}},
    }
    assert await shop.ask("{ customers { nodes { name city } } }") == {
        "customers": {"nodes": [{"name": "Ana", "city": None}, {"name": "Cy", "city": "Rome"}]}
    }


async def test_a_purchase_without_a_name_of_its_own_needs_a_key(shop: Shop) -> None:
    customer = by(await new_customer(shop))
    purchase = {"customer": customer, "currency": "EUR", "lines": [line()]}
    money = {"amount": "1.00", "currency": "EUR"}
    before = shop.rows()
    for field, given in [
        ("purchaseRecord", purchase),
        ("purchasesRecord", {"rows": [{**purchase, "externalRef": ref("1")}, purchase]}),
        ("purchaseRefund", {"purchase": by(unknown("pur")), "amount": money}),
    ]:
        [problem] = await shop.told(field, given)
        assert (problem["code"], "or an externalRef" in problem["message"]) == ("IDEMPOTENCY_KEY_REQUIRED", True), field
    assert shop.rows() == before
    assert (await shop.done("purchaseRecord", purchase, key="k1"))["outcome"] == "RECORDED"


async def test_two_organisations_use_the_same_names(shop: Shop, open_shop: Callable[..., Shop]) -> None:
    other = open_shop()
    for each in (shop, other):
        customer = await new_customer(each, externalRefs=[ref("1")])
        await buy(each, customer, externalRef=ref("1"))
        assert (await each.ask("{ customers { totalCount } purchases { totalCount } }")) == {
            "customers": {"totalCount": 1},
            "purchases": {"totalCount": 1},
        }
