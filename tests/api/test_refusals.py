"""What can be mended is told: every problem at once, by code and path, and nothing was done."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.platform.ids import microseconds
from tests.api.acting import House, Shop, by, codes, line, ref, unknown
from tests.conftest import NOW

LONG, LONGER = "x" * 201, "x" * 10_001
NEVER, SOON = "1849-12-31T00:00:00Z", "2026-06-15T12:05:01Z"
MONEY = {"amount": "1.00", "currency": "EUR"}


class Scene(dict[str, Any]):
    """An organisation with one of everything; the names that tests use for its ids."""

    shop: Shop
    before: dict[str, list[Any]]


@pytest.fixture(scope="module")
async def scene(house: House) -> AsyncIterator[Scene]:
    made, shop, other = Scene(), house.shop(), house.shop()
    made.shop = shop
    for name, given in {
        "ana": {"name": "Ana", "externalRefs": [ref("ana")], "email": "one@example.com"},
        "bo": {"name": "Bo", "externalRefs": [ref("bo"), ref("bo", "web")], "email": "two@example.com"},
        "cy": {"name": "Cy", "email": "two@example.com"},
        "di": {"name": "Di", "externalRefs": [ref("di")]},
        "ed": {"name": "Ed", "externalRefs": [ref(str(n), f"s{n}") for n in range(50)]},
    }.items():
        made[name] = (await shop.done("customerCreate", given))["customer"]["id"]
    await shop.done("customerArchive", {"customer": by(made["di"])})
    await shop.done("customerUpdate", {"customer": by(made["bo"]), "set": {"city": "Rome"}})
    for name, kind, customer in [
        ("note", "NOTE", "ana"),
        ("need", "NEED", "ana"),
        ("complaint", "COMPLAINT", "ana"),
        ("settled", "COMPLAINT", "ana"),
        ("gone", "NOTE", "ana"),
        ("elsewhere", "NEED", "bo"),
    ]:
        given = said(made[customer], kind=kind, externalRef=ref(name), occurredAt="2026-06-01T00:00:00Z")
        made[name] = (await shop.done("touchpointRecord", given))["touchpoint"]["id"]
    await shop.done("complaintResolve", {"touchpoint": by(made["settled"])})
    await shop.done("touchpointRetract", {"touchpoint": by(made["gone"]), "reason": "Twice"})
    for name in ("kept", "voided"):
        given = bought(made["ana"], purchasedAt="2026-06-01T00:00:00Z", externalRef=ref(name))
        made[name] = (await shop.done("purchaseRecord", given))["purchase"]["id"]
    await shop.done("purchaseVoid", {"purchase": by(made["voided"]), "reason": "Twice"})
    foreign = (await other.done("customerCreate", {"name": "Foreign"}))["customer"]["id"]
    made["foreign"] = {
        "cus": foreign,
        "tou": (await other.done("touchpointRecord", said(foreign, externalRef=ref("1"))))["touchpoint"]["id"],
        "pur": (await other.done("purchaseRecord", bought(foreign)))["purchase"]["id"],
    }
    made.before = shop.rows()
    yield made
    await shop.http.aclose()
    await other.http.aclose()


def said(customer: str, **more: Any) -> Any:
    return {"customer": by(customer), "kind": "NOTE", "channel": "PHONE", "direction": "INBOUND", **more}


def bought(customer: str, **more: Any) -> Any:
    return {"customer": by(customer), "currency": "EUR", "lines": [line()], "externalRef": ref("new"), **more}


def lines(*given: Any) -> Any:
    return {"lines": [line(**each) if "price" not in each else {"name": "Tea", **each} for each in given]}


def update(scene: Scene, **given: Any) -> Any:
    return {"customer": by(scene["ana"]), "set": given}


# field, input (made of the scene), codes with their paths below input.
CASES: dict[str, tuple[str, Any, list[str]]] = {
    "a profile, wrong in every part": (
        "customerCreate",
        lambda s: {
            "name": " \t ",
            "email": "ana at example",
            "phone": "0612345678",
            "birthday": "2026-06-16",
            "city": LONG,
            "region": "bell\x07",
            "country": "Atlantis",
            "language": "klingonish!",
            "externalRefs": [ref("bo"), ref(" "), ref("a", "x" * 101), ref("c", "web"), ref("d", "web")],
            "attributes": {"a": {"b": {"c": {"d": {"e": {}}}}}},
        },
        [
            "REQUIRED name",
            "INVALID email",
            "INVALID phone",
            "OUT_OF_RANGE birthday",
            "TOO_LONG city",
            "INVALID region",
            "INVALID country",
            "INVALID language",
            "TAKEN externalRefs.0",
            "REQUIRED externalRefs.1.value",
            "TOO_LONG externalRefs.2.system",
            "INVALID externalRefs.4",
            "INVALID attributes",
        ],
    ),
    "an old birthday": ("customerCreate", lambda s: {"name": "X", "birthday": "1849-12-31"}, ["OUT_OF_RANGE birthday"]),
    "a long name": ("customerCreate", lambda s: {"name": LONG}, ["TOO_LONG name"]),
    "a name of NUL": ("customerCreate", lambda s: {"name": "secret\x00name"}, ["INVALID name"]),
    "a long email": ("customerCreate", lambda s: {"name": "X", "email": "x" * 255}, ["TOO_LONG email"]),
    "large attributes": (
        "customerCreate",
        lambda s: {"name": "X", "attributes": {"a": "x" * 16_400}},
        ["TOO_LONG attributes"],
    ),
    "attributes with NUL": (
        "customerCreate",
        lambda s: {"name": "X", "attributes": {"a": ["secret\x00"]}},
        ["INVALID attributes"],
    ),
    "attributes with huge numbers": (
        "customerCreate",
        lambda s: {"name": "X", "attributes": {"a": 2**53}},
        ["OUT_OF_RANGE attributes"],
    ),
    "too many references": (
        "customerCreate",
        lambda s: {"name": "X", "externalRefs": [ref("v", f"z{n}") for n in range(51)]},
        ["TOO_MANY externalRefs"],
    ),
    "one reference too many": (
        "customerUpdate",
        lambda s: {"customer": by(s["ed"]), "set": {"externalRefs": [ref("v")]}},
        ["TOO_MANY set.externalRefs.0"],
    ),
    "what may not be emptied": (
        "customerUpdate",
        lambda s: update(s, name=None, kind=None, suppressed=None),
        ["REQUIRED set.name", "REQUIRED set.kind", "REQUIRED set.suppressed"],
    ),
    "another's reference": (
        "customerUpdate",
        lambda s: update(s, externalRefs=[ref("bo")]),
        ["TAKEN set.externalRefs.0"],
    ),
    "all of an update at once": (
        "customerUpdate",
        lambda s: {
            "customer": {"externalRef": ref("bo")},
            "expectedVersion": 1,
            "set": {"name": "", "email": "x", "externalRefs": [ref("ana")]},
        },
        ["STALE_VERSION expectedVersion", "REQUIRED set.name", "INVALID set.email", "TAKEN set.externalRefs.0"],
    ),
    "an update of nobody": (
        "customerUpdate",
        lambda s: {"customer": {"email": "nobody@example.com"}, "set": {"email": "x"}},
        ["NOT_FOUND customer", "INVALID set.email"],
    ),
    "an update of several": (
        "customerUpdate",
        lambda s: {"customer": {"email": "two@example.com"}, "set": {}},
        ["AMBIGUOUS customer"],
    ),
    "an archived one, by what it gave up": (
        "customerUpdate",
        lambda s: {"customer": {"externalRef": ref("di")}, "set": {}},
        ["NOT_FOUND customer"],
    ),
    "an update of an archived one": (
        "customerUpdate",
        lambda s: {"customer": by(s["di"]), "set": {"city": "X"}},
        ["ARCHIVED customer"],
    ),
    "a new customer without a name": (
        "customerUpsert",
        lambda s: {"externalRef": ref("new"), "set": {}},
        ["REQUIRED set.name"],
    ),
    "a version of nobody": (
        "customerUpsert",
        lambda s: {"externalRef": ref("new"), "expectedVersion": 1, "set": {"name": "X"}},
        ["NOT_FOUND externalRef"],
    ),
    "a stale upsert": (
        "customerUpsert",
        lambda s: {"externalRef": ref("bo"), "expectedVersion": 9, "set": {}},
        ["STALE_VERSION expectedVersion"],
    ),
    "an upsert with another's name": (
        "customerUpsert",
        lambda s: {"externalRef": ref("bo", "web"), "set": {"externalRefs": [ref("ana")]}},
        ["TAKEN set.externalRefs.0"],
    ),
    "an upsert that loses its name": (
        "customerUpsert",
        lambda s: {"externalRef": ref("bo"), "set": {"externalRefsRemove": [ref("bo")]}},
        ["INVALID set.externalRefsRemove"],
    ),
    "an upsert by nothing": (
        "customerUpsert",
        lambda s: {"externalRef": ref(" "), "set": {"email": "x"}},
        ["REQUIRED externalRef.value", "INVALID set.email"],
    ),
    "archived twice": ("customerArchive", lambda s: {"customer": by(s["di"])}, ["ARCHIVED customer"]),
    "a stale archive": (
        "customerArchive",
        lambda s: {"customer": by(s["bo"]), "expectedVersion": 1},
        ["STALE_VERSION expectedVersion"],
    ),
    "an archive of several": (
        "customerArchive",
        lambda s: {"customer": {"email": "two@example.com"}},
        ["AMBIGUOUS customer"],
    ),
    "a restore of a live one": (
        "customerRestore",
        lambda s: {"id": s["ana"], "expectedVersion": 5},
        ["WRONG_STATE id", "STALE_VERSION expectedVersion"],
    ),
    "an end out of time": (
        "customerTerminate",
        lambda s: {"customer": by(s["bo"]), "expectedVersion": 1, "terminatedOn": "1849-12-31", "reason": "x" * 1001},
        ["STALE_VERSION expectedVersion", "OUT_OF_RANGE terminatedOn", "TOO_LONG reason"],
    ),
    "an end of an archived one": (
        "customerTerminate",
        lambda s: {"customer": by(s["di"]), "terminatedOn": "2026-01-01"},
        ["ARCHIVED customer"],
    ),
    "no end to take back": ("customerReinstate", lambda s: {"customer": by(s["ana"])}, ["WRONG_STATE customer"]),
    "a stale reinstatement": (
        "customerReinstate",
        lambda s: {"customer": by(s["ana"]), "expectedVersion": 3},
        ["STALE_VERSION expectedVersion"],
    ),
    "a word that is to come": (
        "consentRecord",
        lambda s: {
            "customer": {"phone": "+33612345678"},
            "purpose": "SERVICE",
            "channel": "SMS",
            "state": "GRANTED",
            "at": SOON,
            "source": LONG,
            "policyText": LONGER,
        },
        ["NOT_FOUND customer", "OUT_OF_RANGE at", "TOO_LONG source", "TOO_LONG policyText"],
    ),
    "a contact, wrong in every part": (
        "touchpointRecord",
        lambda s: said(
            unknown("cus"),
            occurredAt=NEVER,
            subject=LONG,
            body=LONGER,
            sentiment=1.01,
            nps=9,
            csat=3,
            relativeQuality="1",
            relativePrice="1",
            inReplyTo=by(unknown("tou")),
            externalRef=ref("", "x" * 101),
            attributes={"a": "\x00"},
        ),
        [
            "NOT_FOUND customer",
            "OUT_OF_RANGE occurredAt",
            "TOO_LONG subject",
            "TOO_LONG body",
            "OUT_OF_RANGE sentiment",
            "INVALID nps",
            "INVALID csat",
            "INVALID relativeQuality",
            "INVALID relativePrice",
            "NOT_FOUND inReplyTo",
            "TOO_LONG externalRef.system",
            "REQUIRED externalRef.value",
            "INVALID attributes",
        ],
    ),
    "answers out of range": (
        "touchpointRecord",
        lambda s: said(s["ana"], kind="SURVEY", nps=11, csat=0, relativeQuality="0", relativePrice="1.1234567"),
        ["OUT_OF_RANGE nps", "OUT_OF_RANGE csat", "OUT_OF_RANGE relativeQuality", "INVALID relativePrice"],
    ),
    "an answer to another's contact": (
        "touchpointRecord",
        lambda s: said(s["ana"], inReplyTo=by(s["elsewhere"])),
        ["INVALID inReplyTo"],
    ),
    "an answer to what was retracted": (
        "touchpointRecord",
        lambda s: said(s["ana"], inReplyTo=by(s["gone"])),
        ["NOT_FOUND inReplyTo"],
    ),
    "a contact of several": (
        "touchpointRecord",
        lambda s: said("") | {"customer": {"email": "two@example.com"}},
        ["AMBIGUOUS customer"],
    ),
    "another contact of the same name": (
        "touchpointRecord",
        lambda s: said(s["ana"], externalRef=ref("note"), subject="Other"),
        ["TAKEN externalRef"],
    ),
    "a retraction without a reason": (
        "touchpointRetract",
        lambda s: {"touchpoint": by(s["note"]), "reason": " "},
        ["REQUIRED reason"],
    ),
    "retracted twice": (
        "touchpointRetract",
        lambda s: {"touchpoint": by(s["gone"]), "reason": "Again"},
        ["WRONG_STATE touchpoint"],
    ),
    "a retraction of nothing": (
        "touchpointRetract",
        lambda s: {"touchpoint": {"externalRef": ref("gone")}, "reason": LONGER},
        ["NOT_FOUND touchpoint", "TOO_LONG reason"],
    ),
    "a complaint that is none": (
        "complaintResolve",
        lambda s: {"touchpoint": by(s["note"]), "resolvedAt": SOON, "resolution": LONGER},
        ["WRONG_STATE touchpoint", "OUT_OF_RANGE resolvedAt", "TOO_LONG resolution"],
    ),
    "settled before it was made": (
        "complaintResolve",
        lambda s: {"touchpoint": by(s["complaint"]), "resolvedAt": "2026-05-31T23:59:59Z"},
        ["OUT_OF_RANGE resolvedAt"],
    ),
    "settled twice": ("complaintResolve", lambda s: {"touchpoint": by(s["settled"])}, ["WRONG_STATE touchpoint"]),
    "a purchase, wrong in every part": (
        "purchaseRecord",
        lambda s: bought(
            unknown("cus"),
            purchasedAt=SOON,
            lines=[
                {"name": " ", "quantity": "0", "price": {"unit": "1.001"}},
                {"name": LONG, "sku": LONG, "category": "\x01", "quantity": "1.1234567", "price": {"total": "-1"}},
            ],
            tailoredTo=by(s["kept"]),
            externalRef=ref("\x00"),
        ),
        [
            "NOT_FOUND customer",
            "OUT_OF_RANGE purchasedAt",
            "REQUIRED lines.0.name",
            "OUT_OF_RANGE lines.0.quantity",
            "INVALID lines.0.price.unit",
            "TOO_LONG lines.1.name",
            "TOO_LONG lines.1.sku",
            "INVALID lines.1.category",
            "INVALID lines.1.quantity",
            "OUT_OF_RANGE lines.1.price.total",
            "NOT_FOUND tailoredTo",
            "INVALID externalRef.value",
        ],
    ),
    "no lines": ("purchaseRecord", lambda s: bought(s["ana"], lines=[]), ["REQUIRED lines"]),
    "too many lines": ("purchaseRecord", lambda s: bought(s["ana"], lines=[line()] * 201), ["TOO_MANY lines"]),
    "more than an amount may be": (
        "purchaseRecord",
        lambda s: bought(s["ana"], lines=[line("90000000000000.00")] * 2),
        ["OUT_OF_RANGE lines"],
    ),
    "a line of more than may be": (
        "purchaseRecord",
        lambda s: bought(s["ana"], lines=[{"name": "X", "quantity": "9000", "price": {"unit": "90000000000.00"}}]),
        ["OUT_OF_RANGE lines.0.price"],
    ),
    "cents of a yen": (
        "purchaseRecord",
        lambda s: bought(s["ana"], currency="JPY", lines=[line("1.5")]),
        ["INVALID lines.0.price.total"],
    ),
    "tailored to what is no need": (
        "purchaseRecord",
        lambda s: bought(s["ana"], tailoredTo=by(s["note"])),
        ["INVALID tailoredTo"],
    ),
    "tailored to another's need": (
        "purchaseRecord",
        lambda s: bought(s["ana"], tailoredTo=by(s["elsewhere"])),
        ["INVALID tailoredTo"],
    ),
    "another purchase of the same name": (
        "purchaseRecord",
        lambda s: bought(s["ana"], externalRef=ref("kept")),
        ["TAKEN externalRef"],
    ),
    "a refund in other money": (
        "purchaseRefund",
        lambda s: {"purchase": by(s["kept"]), "amount": {"amount": "1.00", "currency": "USD"}, "externalRef": ref("r")},
        ["CURRENCY_MISMATCH amount.currency"],
    ),
    "more than is left": (
        "purchaseRefund",
        lambda s: {
            "purchase": by(s["kept"]),
            "amount": {"amount": "10.01", "currency": "EUR"},
            "refundedAt": "2026-05-31T00:00:00Z",
            "externalRef": ref("r"),
        },
        ["EXCEEDS_PURCHASE amount.amount", "OUT_OF_RANGE refundedAt"],
    ),
    "no amount at all": (
        "purchaseRefund",
        lambda s: {
            "purchase": by(s["kept"]),
            "amount": {"amount": "0", "currency": "EUR"},
            "refundedAt": SOON,
            "reason": LONGER,
            "externalRef": ref("r", " "),
        },
        ["OUT_OF_RANGE amount.amount", "OUT_OF_RANGE refundedAt", "TOO_LONG reason", "REQUIRED externalRef.system"],
    ),
    "a refund of what was voided": (
        "purchaseRefund",
        lambda s: {"purchase": by(s["voided"]), "amount": MONEY, "externalRef": ref("r")},
        ["WRONG_STATE purchase"],
    ),
    "voided twice": (
        "purchaseVoid",
        lambda s: {"purchase": by(s["voided"]), "reason": " "},
        ["WRONG_STATE purchase", "REQUIRED reason"],
    ),
    "a policy, wrong in every part": (
        "policyPublish",
        lambda s: {
            "expectedVersion": 7,
            "set": {
                "newDays": -1,
                "loyalMinOccasions": 0,
                "clientMinNeeds": None,
                "rfmRecencyCuts": [1, 2, 3],
                "rfmFrequencyCuts": [4, 3, 2, 1],
                "rfmMonetaryCuts": ["1.001", "-1", "3", "4"],
                "valueWeights": {
                    "recency": 0.5,
                    "frequency": 0.5,
                    "monetary": 0.5,
                    "engagement": 1.5,
                    "advocacy": 0.1234567,
                },
                "activeDays": 400,
                "marketingCapDays": 367,
            },
        },
        [
            "STALE_VERSION expectedVersion",
            "OUT_OF_RANGE set.newDays",
            "OUT_OF_RANGE set.loyalMinOccasions",
            "REQUIRED set.clientMinNeeds",
            "INVALID set.rfmRecencyCuts",
            "INVALID set.rfmFrequencyCuts",
            "INVALID set.rfmMonetaryCuts.0",
            "OUT_OF_RANGE set.rfmMonetaryCuts.1",
            "OUT_OF_RANGE set.valueWeights.engagement",
            "INVALID set.valueWeights.advocacy",
            "INVALID set.activeDays",
            "OUT_OF_RANGE set.marketingCapDays",
        ],
    ),
    "weights that are too heavy": (
        "policyPublish",
        lambda s: {
            "set": {"valueWeights": {"recency": 0.5, "frequency": 0.5, "monetary": 0.5, "engagement": 0, "advocacy": 0}}
        },
        ["INVALID set.valueWeights"],
    ),
    "cuts listed and taken": (
        "policyPublish",
        lambda s: {"rfmCutsFromBase": True, "set": {"rfmRecencyCuts": [1, 2, 3, 4]}},
        ["INVALID set.rfmRecencyCuts"],
    ),
    "a batch of too many customers": (
        "customersUpsert",
        lambda s: {"rows": [{"externalRef": ref(f"b{n}"), "set": {"name": "X"}} for n in range(201)]},
        ["TOO_MANY rows"],
    ),
    "a batch of too many contacts": (
        "touchpointsRecord",
        lambda s: {"rows": [said(s["ana"])] * 201},
        ["TOO_MANY rows"],
    ),
    "a batch of too many purchases": (
        "purchasesRecord",
        lambda s: {"rows": [bought(s["ana"])] * 201},
        ["TOO_MANY rows"],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_all_problems_are_told_and_nothing_is_done(scene: Scene, case: str) -> None:
    field, given, expected = CASES[case]
    answer = await scene.shop.act(field, given(scene))
    assert "errors" not in answer, answer["errors"]
    payload = answer["data"][field]
    paths = [each.partition(" ")[::2] for each in expected]
    assert codes(payload["userErrors"]) == sorted((code, f"input.{path}") for code, path in paths)
    assert all(
        payload[name] is None
        for name in ("customer", "touchpoint", "purchase", "refund", "consent", "policy")
        if name in payload
    )
    for error in payload["userErrors"]:
        kind = {"TAKEN": "TakenError", "STALE_VERSION": "StaleVersionError"}.get(error["code"], "InputError")
        assert error["__typename"] == kind
        assert "existing" not in error or error["existing"]["id"] in scene.values()
        assert "current" not in error or error["current"]["id"].startswith(("cus_", "pol_"))
    quotes_nothing(answer, given(scene))
    assert scene.shop.rows() == scene.before


# Where an id is taken: the field, the path of the lookup and the kind of id.
PLACES = [
    ("customerUpdate", "customer", "cus", lambda it: {"customer": by(it), "set": {"name": "X"}}),
    ("customerArchive", "customer", "cus", lambda it: {"customer": by(it)}),
    ("customerRestore", "id", "cus", lambda it: {"id": it}),
    ("customerTerminate", "customer", "cus", lambda it: {"customer": by(it), "terminatedOn": "2026-01-01"}),
    ("customerReinstate", "customer", "cus", lambda it: {"customer": by(it)}),
    (
        "consentRecord",
        "customer",
        "cus",
        lambda it: {"customer": by(it), "purpose": "MARKETING", "channel": "SMS", "state": "GRANTED"},
    ),
    ("touchpointRecord", "customer", "cus", lambda it: said(it)),
    ("touchpointRetract", "touchpoint", "tou", lambda it: {"touchpoint": by(it), "reason": "X"}),
    ("complaintResolve", "touchpoint", "tou", lambda it: {"touchpoint": by(it)}),
    ("purchaseRecord", "customer", "cus", lambda it: bought(it)),
    ("purchaseRefund", "purchase", "pur", lambda it: {"purchase": by(it), "amount": MONEY, "externalRef": ref("r")}),
    ("purchaseVoid", "purchase", "pur", lambda it: {"purchase": by(it), "reason": "X"}),
    ("touchpointRecord", "inReplyTo", "tou", None),
    ("purchaseRecord", "tailoredTo", "tou", None),
    ("touchpointsRecord", "rows.0.customer", "cus", lambda it: {"rows": [said(it)]}),
    ("purchasesRecord", "rows.0.customer", "cus", lambda it: {"rows": [bought(it)]}),
]
OWN = {"cus": "ana", "tou": "need", "pur": "kept"}


@pytest.mark.parametrize(
    ("field", "path", "kind", "make"), PLACES, ids=[f"{field}-{path}" for field, path, *_ in PLACES]
)
async def test_an_id_of_nothing_here_is_not_found_whatever_it_is(
    scene: Scene, field: str, path: str, kind: str, make: Any
) -> None:
    ana = scene["ana"]
    make = (
        make
        or {
            "inReplyTo": lambda it: said(ana, inReplyTo=by(it)),
            "tailoredTo": lambda it: bought(ana, tailoredTo=by(it)),
        }[path]
    )
    own = scene[OWN[kind]]
    of_other_type = {"cus": own.replace("cus", "tou"), "tou": ana, "pur": own.replace("pur", "cus")}[kind]
    told = set()
    for bad in (
        unknown(kind),
        "",
        "nonsense",
        f"{kind}_xyz",
        own.upper(),
        f" {own}",
        own + "\x00",
        of_other_type,
        scene["foreign"][kind],
        f"{own}@{microseconds(NOW)}",
        "x" * 5000,
    ):
        answer = await scene.shop.act(field, make(bad))
        assert "errors" not in answer, (bad, answer["errors"])
        payload = answer["data"][field]
        assert codes(payload["userErrors"] or payload["rows"][0]["userErrors"]) == [("NOT_FOUND", f"input.{path}")], bad
        told.add(json.dumps(answer))
    assert len(told) == 1
    assert scene.shop.rows() == scene.before


async def test_a_refusal_shows_what_stands_in_the_way(scene: Scene) -> None:
    errors = "... on TakenError { existing { id ... on Customer { name version } } }"
    errors += "... on StaleVersionError { current { id ... on Customer { name version city } } }"
    payload = f"customerUpdate(input: $input) {{ userErrors {{ code {errors} }} }}"
    asked = f"mutation($input: CustomerUpdateInput!) {{ {payload} }}"
    given = {"customer": by(scene["bo"]), "expectedVersion": 1, "set": {"externalRefs": [ref("ana")]}}
    assert (await scene.shop.ask(asked, input=given))["customerUpdate"]["userErrors"] == [
        {"code": "STALE_VERSION", "current": {"id": scene["bo"], "name": "Bo", "version": 2, "city": "Rome"}},
        {"code": "TAKEN", "existing": {"id": scene["ana"], "name": "Ana", "version": 1}},
    ]


async def test_what_is_left_is_told_with_its_amount(scene: Scene) -> None:
    given = {"purchase": by(scene["kept"]), "amount": {"amount": "99", "currency": "EUR"}, "externalRef": ref("r")}
    [error] = await scene.shop.told("purchaseRefund", given)
    assert error["message"] == "Only 10.00 EUR of this purchase is left to refund."


def quotes_nothing(answer: Any, given: Any) -> None:
    """No message has what was given, nor what is behind the API."""
    for message in messages(answer):
        assert not re.search(r"SELECT|INSERT|sqlite|psycopg|Traceback|/app/|\.py|[0-9a-f]{32}", message), message
        for text in texts(given):
            assert text not in message


def messages(answer: Any) -> list[str]:
    return re.findall(r'"message": "((?:[^"\\]|\\.)*)"', json.dumps(answer))


def texts(given: Any) -> list[str]:
    """What a caller wrote by hand: no codes, which are the schema's own words."""
    if isinstance(given, dict):
        return [text for each in given.values() for text in texts(each)]
    if isinstance(given, list):
        return [text for each in given for text in texts(each)]
    return [given] if isinstance(given, str) and len(given) > 3 and not given.isupper() else []
