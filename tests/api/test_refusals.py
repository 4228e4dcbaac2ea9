"""What can be mended is told: every problem at once, by code and path, and nothing was done."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.platform.ids import microseconds
from tests.api.acting import House, Shop, by, codes, ref, said, unknown
from tests.api.refused_customers import CUSTOMERS
from tests.api.refused_events import EVENTS, MONEY, bought
from tests.conftest import NOW

CASES = CUSTOMERS | EVENTS


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
