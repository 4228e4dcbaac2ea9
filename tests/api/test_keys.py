"""Keys are made, listed and revoked through the API by those who may; what opens the door is told once."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.main import REMEMBERED_SECONDS
from app.platform.access import ApiKey
from app.platform.idempotency import IdempotencyKey
from tests.api.acting import Shop, codes, unknown
from tests.conftest import NOW

KEYS = "{ apiKeys { id name scopes createdAt expiresAt revokedAt } }"
MADE = "key { id name scopes expiresAt revokedAt } secret"


@pytest.fixture
def admin(shop: Shop) -> Shop:
    return shop.renewed(shop.now, "read", "write", "admin")


async def made(admin: Shop, **given: Any) -> Any:
    payload = await admin.do("apiKeyCreate", {"name": "Till", "scopes": ["purchases:write"], **given}, MADE)
    assert payload["userErrors"] == []
    return payload


async def test_a_key_is_made_and_opens_what_it_was_given(admin: Shop) -> None:
    payload = await made(admin, scopes=["customers:read", "customers:read"])
    assert payload["key"] == {
        "id": "key_" + payload["secret"].split("_")[1],
        "name": "Till",
        "scopes": ["customers:read"],
        "expiresAt": None,
        "revokedAt": None,
    }
    till = Shop(admin.house, admin.org, payload["secret"], admin.now)
    assert await till.ask("{ viewer { scopes } customers { totalCount } }") == {
        "viewer": {"scopes": ["customers:read"]},
        "customers": {"totalCount": 0},
    }
    # However often others were answered the same before.
    page = "query Page($first: Int) { customers(first: $first) { nodes { email } } }"
    for first in (1, 2, 3):
        assert await admin.ask(page, first=first) == {"customers": {"nodes": []}}
        assert await till.refused(page, first=first) == ["FORBIDDEN_FIELD"]
    assert await till.refused(KEYS) == ["FORBIDDEN"]
    assert payload["key"]["id"] in {each["id"] for each in (await admin.ask(KEYS))["apiKeys"]}
    await till.http.aclose()


async def test_what_opens_the_door_is_told_once_and_kept_nowhere(admin: Shop) -> None:
    given = {"name": "Till", "scopes": ["read"]}
    first, again = [await admin.do("apiKeyCreate", given, MADE, key="k") for _ in range(2)]
    secret = first["secret"].split("_", 2)[2]
    assert (again["key"], again["secret"]) == (first["key"], None)
    assert secret not in json.dumps(await admin.ask(KEYS))
    with admin.house.engine.connect() as connection:
        kept = select(IdempotencyKey.result).where(IdempotencyKey.org_id == admin.org.id)
        results = connection.scalars(kept).all()
        rows = connection.execute(select(ApiKey.__table__).where(ApiKey.org_id == admin.org.id)).all()
    assert len(results) == 1
    assert secret not in f"{results} {rows} {admin.rows()}"


async def test_a_key_that_cannot_be_is_not_made(admin: Shop) -> None:
    before = await admin.ask(KEYS)
    wrong: list[tuple[dict[str, Any], Any]] = [
        ({"name": " "}, [("REQUIRED", "input.name")]),
        ({"name": "x" * 201, "scopes": []}, [("INVALID", "input.scopes"), ("TOO_LONG", "input.name")]),
        ({"scopes": ["read", "fly"]}, [("INVALID", "input.scopes")]),
        ({"scopes": ["any:read"]}, [("INVALID", "input.scopes")]),
        ({"expiresAt": "2026-06-15T12:00:00Z"}, [("OUT_OF_RANGE", "input.expiresAt")]),
    ]
    for given, told in wrong:
        payload = await admin.do("apiKeyCreate", {"name": "Till", "scopes": ["read"], **given}, MADE)
        assert (codes(payload["userErrors"]), payload["key"], payload["secret"]) == (told, None, None)
    assert await admin.ask(KEYS) == before


async def test_no_key_gives_more_than_it_has(shop: Shop) -> None:
    alone = shop.renewed(shop.now, "admin", "customers:read")
    for scope in ("read", "customers:write", "personal:read"):
        payload = await alone.do("apiKeyCreate", {"name": "A", "scopes": [scope]}, MADE)
        assert codes(payload["userErrors"]) == [("INVALID", "input.scopes")], scope
    for scopes in (["customers:read"], ["admin"], ["policy:write"]):
        assert (await made(alone, scopes=scopes))["secret"]
    # It may publish a policy, as whoever administers always could, and nothing else.
    assert (await alone.done("policyPublish", {"set": {"newDays": 20}}))["policy"]
    await alone.http.aclose()


async def test_administration_is_for_those_who_have_it(shop: Shop) -> None:
    before = shop.rows()
    create = 'mutation { apiKeyCreate(input: {name: "A", scopes: ["read"]}) { secret } }'
    revoke = f'mutation {{ apiKeyRevoke(input: {{id: "{unknown("key")}"}}) {{ userErrors {{ code }} }} }}'
    for query in (KEYS, create, revoke, f'{{ node(id: "{unknown("key")}") {{ id }} }}'):
        assert await shop.refused(query) == ["FORBIDDEN"], query
    assert await shop.refused(f'{{ node(id: "{unknown("key")}") {{ ... on ApiKey {{ name }} }} }}') == [
        "FORBIDDEN_FIELD"
    ]
    assert shop.rows() == before


async def test_a_revoked_key_opens_nothing_within_a_second(admin: Shop) -> None:
    payload = await made(admin, scopes=["read"])
    till = Shop(admin.house, admin.org, payload["secret"], admin.now)
    await till.ask("{ customers { totalCount } }")
    revoked = await admin.do("apiKeyRevoke", {"id": payload["key"]["id"]}, "key { id revokedAt }")
    assert revoked["key"]["revokedAt"] == "2026-06-15T12:00:00.000000Z"
    again = await admin.do("apiKeyRevoke", {"id": payload["key"]["id"]}, "key { revokedAt }")
    assert (again["key"]["revokedAt"], again["userErrors"]) == (revoked["key"]["revokedAt"], [])
    await asyncio.sleep(REMEMBERED_SECONDS + 0.1)
    assert await till.refused("{ customers { totalCount } }") == ["UNAUTHENTICATED"]
    await till.http.aclose()


async def test_a_key_ends_by_itself(admin: Shop) -> None:
    # The door has a clock of its own: what a request sets is not asked there.
    ends = {"expiresAt": (NOW + timedelta(days=1)).isoformat()}
    payload = await made(admin, scopes=["read"], **ends)
    till = Shop(admin.house, admin.org, payload["secret"], admin.now)
    assert await till.refused("{ customers { totalCount } }") == ["UNAUTHENTICATED"]
    await till.http.aclose()


async def test_keys_are_the_organisations_own(admin: Shop, open_shop: Any) -> None:
    other = open_shop("read", "write", "admin")
    payload = await made(other, name="qanary")
    before = await other.ask(KEYS)
    assert "qanary" not in json.dumps(await admin.ask(KEYS))
    revoke = "mutation($id: ID!) { apiKeyRevoke(input: {id: $id}) { key { id name } userErrors { code message } } }"
    told = []
    for each in (payload["key"]["id"], unknown("key"), "key_x", "cus_" + "0" * 32):
        told.append(json.dumps(await admin.post(revoke, {"id": each}, x_request_id="r")))
        node = await admin.ask("query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }", id=each)
        assert node == {"node": None, "nodes": [None]}
    assert len(set(told)) == 1
    assert "NOT_FOUND" in told[0]
    assert await other.ask(KEYS) == before
