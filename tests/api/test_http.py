"""GraphQL over HTTP: whatever is sent, the answer is GraphQL-shaped JSON with a code, never a fault of ours."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import update

from app.main import create_app
from app.platform.access import ApiKey
from app.platform.ids import key_of
from app.platform.work import transaction
from app.settings import Settings
from tests.api.acting import House, Shop, by, new_customer

GRAPHQL, JSON = "application/graphql-response+json", "application/json"
COUNT = "{ customers { totalCount } }"


async def send(shop: Shop, body: bytes | str, status: int, code: str, **headers: str) -> Any:
    """The answer to raw bytes; it has that status and all its errors that code, and no data."""
    sent = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    response = await shop.http.post("/graphql", content=body, headers=sent)
    return told(response, status, code)


def told(response: httpx.Response, status: int, code: str) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].partition(";")[0] in (JSON, GRAPHQL)
    answer = response.json()
    assert set(answer) == {"errors"}
    assert 1 <= len(answer["errors"]) <= 10
    for error in answer["errors"]:
        assert (error["extensions"]["code"], bool(error["message"])) == (code, True)
        assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    return answer


DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no document": ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
    "an open string": ({"query": '{ customer(by: {email: "secret@example.com}) { id } }'}, "GRAPHQL_PARSE_FAILED"),
    "a string in the wrong place": ({"query": '{ customer(by: {email "secret@x"}) { id } }'}, "GRAPHQL_PARSE_FAILED"),
    "too many tokens": ({"query": "{" + "viewer { scopes } " * 600 + "}"}, "GRAPHQL_PARSE_FAILED"),
    "too deep": ({"query": "{ a" * 900 + "}" * 900}, "GRAPHQL_PARSE_FAILED"),
    "NUL": ({"query": "{ viewer { scopes } } \x00"}, "GRAPHQL_PARSE_FAILED"),
    "an unknown field": ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    "many unknown fields": (
        {"query": "{ " + " ".join(f"a{n}" for n in range(50)) + " }"},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a fragment cycle": (
        {"query": "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }"},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a wrong literal": ({"query": '{ customers(first: "secret@x") { totalCount } }'}, "GRAPHQL_VALIDATION_FAILED"),
    "a wrong enum": (
        {"query": '{ customers(where: {kind: {eq: "secret@x"}}) { totalCount } }'},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "several without a name": ({"query": f"query A {COUNT} query B {COUNT}"}, "OPERATION_RESOLUTION_FAILURE"),
    "an unknown name": ({"query": f"query A {COUNT}", "operationName": "C"}, "OPERATION_RESOLUTION_FAILURE"),
    "no operation": ({"query": "fragment A on Viewer { scopes }"}, "GRAPHQL_VALIDATION_FAILED"),
    "a subscription": ({"query": "subscription { a }"}, "GRAPHQL_VALIDATION_FAILED"),
    "a variable that is missing": ({"query": "query($id: ID!) { node(id: $id) { id } }"}, "BAD_USER_INPUT"),
    "a variable of another type": (
        {"query": "query($by: CustomerLookup!) { customer(by: $by) { id } }", "variables": {"by": "secret@x"}},
        "BAD_USER_INPUT",
    ),
    "a variable with unknown parts": (
        {"query": "query($by: CustomerLookup!) { customer(by: $by) { id } }", "variables": {"by": {"secret@x": 1}}},
        "BAD_USER_INPUT",
    ),
    "a variable with two parts": (
        {
            "query": "query($by: CustomerLookup!) { customer(by: $by) { id } }",
            "variables": {"by": {"email": "secret@x", "phone": "secret@x"}},
        },
        "BAD_USER_INPUT",
    ),
    "a wrong instant": (
        {"query": "query($at: DateTime) { customers(asOf: $at) { totalCount } }", "variables": {"at": "secret@x"}},
        "BAD_USER_INPUT",
    ),
    "a wrong enum in a variable": (
        {
            "query": "query($w: CustomerWhere) { customers(where: $w) { totalCount } }",
            "variables": {"w": {"kind": {"eq": "secret@x"}}},
        },
        "BAD_USER_INPUT",
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
async def test_a_request_error_has_no_data_and_quotes_nothing(shop: Shop, case: str) -> None:
    body, code = DOCUMENTS[case]
    answer = await send(shop, json.dumps(body), 400, code, accept=GRAPHQL)
    assert "secret" not in str(answer)
    status = 400 if code == "OPERATION_RESOLUTION_FAILURE" else 200
    await send(shop, json.dumps(body), status, code, accept=JSON)


async def test_the_first_media_type_that_is_accepted_is_answered(shop: Shop) -> None:
    for accept, media in [
        ("", JSON),
        ("*/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        ("text/html", JSON),
    ]:
        response = await shop.http.post("/graphql", json={"query": COUNT}, headers={"accept": accept})
        assert (response.status_code, response.headers["content-type"]) == (200, f"{media}; charset=utf-8"), accept
        assert response.json() == {"data": {"customers": {"totalCount": 0}}}


async def test_by_get_only_queries_are_answered(shop: Shop) -> None:
    where = {"where": {"name": {"eq": "Ana"}}}
    asked = "query A($where: CustomerWhere) { customers(where: $where) { totalCount } } query B { viewer { scopes } }"
    given = {"query": asked, "operationName": "A", "variables": json.dumps(where)}
    response = await shop.http.get("/graphql", params=given)
    assert (response.status_code, response.json()) == (200, {"data": {"customers": {"totalCount": 0}}})
    made = 'mutation { customerCreate(input: {name: "Ana"}) { customer { id } } }'
    response = await shop.http.get("/graphql", params={"query": made})
    told(response, 405, "BAD_REQUEST")
    assert response.headers["allow"] == "POST"
    told(await shop.http.get("/graphql"), 400, "BAD_REQUEST")
    told(await shop.http.get("/graphql", params={"query": COUNT, "variables": "["}), 400, "BAD_REQUEST")
    assert await shop.ask(COUNT) == {"customers": {"totalCount": 0}}


async def test_a_request_id_is_taken_or_made(shop: Shop) -> None:
    for given, taken in [("abc-1.2_3", True), ("a b", False), ("x" * 129, False), ("", False)]:
        response = await shop.http.post("/graphql", json={"query": COUNT}, headers={"x-request-id": given})
        assert (response.headers["x-request-id"] == given) is taken
        assert response.headers["cache-control"] == "no-store"


async def test_a_clock_is_taken_only_where_that_is_allowed(house: House, shop: Shop) -> None:
    body = json.dumps({"query": COUNT})
    await send(shop, body, 400, "BAD_REQUEST", x_guanxi_now="yesterday")
    app = create_app(Settings.from_environment({"GUANXI_DATABASE_URL": house.url}))
    strict = Shop(House(house.url, house.engine, app), shop.org, shop.key)
    async with app.router.lifespan_context(app):
        await send(strict, body, 400, "BAD_REQUEST", x_guanxi_now="2026-06-15T12:00:00Z")
        assert (await strict.http.post("/graphql", content=body, headers={"content-type": JSON})).status_code == 200
    await strict.http.aclose()


async def test_who_is_not_known_is_told_nothing_more(house: House, shop: Shop) -> None:
    revoked = shop.renewed()
    with transaction(house.engine) as session:
        key = key_of("key_" + revoked.key.split("_")[1], "key")
        session.execute(update(ApiKey).where(ApiKey.id == key).values(revoked_at=shop.now))
    first, second, secret = shop.key.split("_", 2)
    wrong = f"{first}_{second}_{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"
    answers = set()
    keys = [revoked.key, wrong, f"gx_{'0' * 32}_{secret}", "nonsense", f"gx_{second}", f"gx_{second}_\x7f", "gx__"]
    for query in (COUNT, "{", '{ customer(by: {email: "a@example.com"}) { id } }'):
        for given in [f"Bearer {key}" for key in keys]:
            headers = {"authorization": given, "x-request-id": "r"}
            response = await shop.http.post("/graphql", json={"query": query}, headers=headers)
            told(response, 401, "UNAUTHENTICATED")
            assert response.headers["www-authenticate"] == "Bearer"
            answers.add(response.text)
    assert len(answers) == 1
    for given in ("", "Bearer", "Bearer ", f"Basic {shop.key}", shop.key):
        response = await shop.http.post("/graphql", json={"query": COUNT}, headers={"authorization": given})
        told(response, 401, "UNAUTHENTICATED")
    await revoked.http.aclose()


async def test_a_key_may_do_what_its_scopes_say(shop: Shop) -> None:
    reader, writer = shop.renewed(shop.now, "read"), shop.renewed(shop.now, "write")
    made = 'mutation { customerCreate(input: {name: "Ana"}) { customer { id } userErrors { code } } }'
    assert await reader.refused(made) == ["FORBIDDEN"]
    assert await reader.ask(COUNT) == {"customers": {"totalCount": 0}}
    answer = await reader.act("policyPublish", {"set": {}})
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, "FORBIDDEN")
    for query in (COUNT, "{ policies { version } }", "{ metricCatalog { key } }", '{ node(id: "x") { id } }'):
        assert await writer.refused(query) == ["FORBIDDEN"], query
    # It sees what it has written, and nothing beside: then nothing is written.
    assert (await writer.ask(made))["customerCreate"]["customer"]["id"]
    beside = 'mutation { customerCreate(input: {name: "Bo"}) { query { customers { totalCount } } } }'
    assert await writer.refused(beside) == ["FORBIDDEN_FIELD"]
    assert await shop.ask(COUNT) == {"customers": {"totalCount": 1}}
    await reader.http.aclose()
    await writer.http.aclose()


# Characters that one database takes and the other does not, or no text has.
HARD = [
    "\x00",
    "a\x00b",
    "\ud800",
    "a\udfffb",
    "\x07",
    "\x1b[0m",
    "\uffff",
    "\u202e",
    "👩‍👧",
    "%_\\",
    "'; --",
    "a" * 5000,
    "\n",
    " ",
]


async def test_hard_text_is_no_fault_anywhere(shop: Shop) -> None:
    customer = await new_customer(shop)
    places = ["name", "email", "phone", "city", "region", "country", "language"]
    for text in HARD:
        wheres: list[Any] = [{"city": {each: text}} for each in ("eq", "contains", "startsWith")]
        wheres += [{"name": {"in": [text]}}, {"id": {"eq": text}}, {"id": {"in": [text]}}]
        wheres += [{"externalRefs": {"some": {"value": {"contains": text}, "system": {"eq": text}}}}]
        wheres += [{"purchases": {"some": {"lines": {"some": {"sku": {"startsWith": text}}}}}}]
        wheres += [{"touchpoints": {"none": {"subject": {"notIn": [text]}}}}]
        ref = {"system": text, "value": text}
        lookups: list[Any] = [{"id": text}, {"email": text}, {"phone": text}, {"externalRef": ref}]
        asked = [("query($v: CustomerWhere) { customers(where: $v) { totalCount } }", where) for where in wheres]
        asked += [("query($v: CustomerLookup!) { customer(by: $v) { id } }", each) for each in lookups]
        asked += [
            (f"query($v: {each}Lookup!) {{ {each.lower()}(by: $v) {{ id }} }}", by(text))
            for each in ("Touchpoint", "Purchase")
        ]
        asked += [("query($v: TouchpointLookup!) { touchpoint(by: $v) { id } }", {"externalRef": ref})]
        asked += [("query($v: PurchaseLookup!) { purchase(by: $v) { id } }", {"externalRef": ref})]
        asked += [
            (f"query($v: String) {{ customers({each}: $v) {{ totalCount }} }}", text)
            for each in ("search", "after", "before")
        ]
        asked += [("query($v: ID!) { node(id: $v) { id } nodes(ids: [$v]) { id } }", text)]
        update = "mutation($v: CustomerUpdateInput!) { customerUpdate(input: $v) { userErrors { code } } }"
        asked += [(update, {"customer": by(customer), "set": {each: text}}) for each in places]
        asked += [(update, {"customer": each, "set": {}}) for each in lookups]
        asked += [(update, {"customer": by(customer), "set": {"attributes": {text: text}, "externalRefs": [ref]}})]
        said = {"customer": by(customer), "kind": "NOTE", "channel": "PHONE", "direction": "INBOUND"}
        said |= {"subject": text, "body": text, "externalRef": ref, "inReplyTo": by(text)}
        asked += [
            ("mutation($v: TouchpointRecordInput!) { touchpointRecord(input: $v) { userErrors { code } } }", said)
        ]
        line = {"name": text, "sku": text, "category": text, "price": {"total": "1"}}
        bought = {"customer": by(customer), "currency": "EUR", "lines": [line], "externalRef": ref}
        asked += [("mutation($v: PurchaseRecordInput!) { purchaseRecord(input: $v) { userErrors { code } } }", bought)]
        created = (
            'mutation($v: String!) { customerCreate(input: {name: "A"}) @idempotent(key: $v) { userErrors { code } } }'
        )
        asked += [(created, text)]
        for query, value in asked:
            body = json.dumps({"query": query, "variables": {"v": value}})
            response = await shop.http.post("/graphql", content=body, headers={"content-type": JSON})
            assert response.status_code < 500
            assert "INTERNAL" not in response.text, (query, value, response.text)
