"""What a request is: its method, its media type, its bytes. Whatever else is sent is refused with a code."""

import asyncio
import json
from typing import Any

import pytest

from schema import request
from tests.api.acting import Shop
from tests.api.test_http import COUNT, GRAPHQL, JSON, send, told

BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "null": (b"null", 400),
    "a string": (b'"{ viewer { scopes } }"', 400),
    "a batch": (b'[{"query": "{ viewer { scopes } }"}]', 400),
    "not UTF-8": (b'{"query": "{ viewer \xff { scopes } }"}', 400),
    "UTF-16": ('{"query": "{ viewer { scopes } }"}'.encode("utf-16"), 400),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", 400),
    "deep lists": (b"[" * 100_000, 400),
    "deep variables": (b'{"query": "{ viewer { scopes } }", "variables": ' + b'{"a":' * 40_000, 400),
    "half a surrogate pair": (b'{"query": "{ viewer { scopes } }", "variables": {"a": "\\ud800"}}', 400),
    "two queries": (b'{"query": "{ viewer { scopes } }", "query": "{ customers { totalCount } }"}', 400),
    "two queries, blanks apart": (b'{"query": "{ viewer { scopes } }", "query" :\t"{viewer{scopes}}"}', 400),
    "two queries, one of them in disguise": (b'{"query": "{ a }", "\\u0071uery": "{ viewer { scopes } }"}', 400),
    "two queries, and a colon that hides one": (
        b'{"query": "{ a }", "query": "{ viewer { scopes } }", "variables": {"a": "\\u003a"}}',
        400,
    ),
    "two queries, and a colon in the lost one": (b'{"query": "{ a(b: 1) }", "query": "{ viewer { scopes } }"}', 400),
    "two variables of a name": (b'{"query": "{ viewer { scopes } }", "variables": {"a": [{"b": 1, "b": 1}]}}', 400),
    "a number of 5,000 digits": (
        b'{"query": "{ viewer { scopes } }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
        400,
    ),
    "a number of 20 digits": (b'{"query": "{ viewer { scopes } }", "variables": {"a": [-10000000000000000000]}}', 400),
    "NaN": (b'{"query": "{ viewer { scopes } }", "variables": {"a": NaN}}', 400),
    "101 levels": (
        b'{"query": "{ viewer { scopes } }", "variables": ' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}",
        400,
    ),
    "a huge number": (b'{"query": "{ viewer { scopes } }", "variables": {"a": 1e99999}}', 400),
    "no query": (b'{"operationName": "A"}', 400),
    "an empty query": (b'{"query": " "}', 400),
    "a query that is a number": (b'{"query": 1}', 400),
    "variables that are a list": (b'{"query": "{ viewer { scopes } }", "variables": []}', 400),
    "a name that is a number": (b'{"query": "{ viewer { scopes } }", "operationName": 1}', 400),
    "extensions that are a list": (b'{"query": "{ viewer { scopes } }", "extensions": []}', 400),
    "a huge body": (b'{"query": "' + b" " * (256 * 1024) + b'"}', 413),
    "a huge document": (b'{"query": "' + b"#" * (64 * 1024) + b'{ viewer { scopes } }"}', 413),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_is_no_request_is_refused(shop: Shop, case: str) -> None:
    body, status = BODIES[case]
    await send(shop, body, status, "BAD_REQUEST")
    await send(shop, body, status, "BAD_REQUEST", accept=GRAPHQL)


async def test_what_only_looks_wrong_is_taken(shop: Shop) -> None:
    variables = (
        b'{"a": "b\\":\\\\", "b": 0.00000000000000000000001, "c": 1e-30, "d": ['
        + b"[" * 90
        + b"]" * 90
        + b'], "a:": {}}'
    )
    body = b'{"query": "{ viewer { scopes } } # \\"query\\": 99999999999999999999", "variables": ' + variables + b"}"
    response = await shop.http.post("/graphql", content=body, headers={"content-type": JSON})
    assert (response.status_code, "data" in response.json()) == (200, True), response.text


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_no_other_method_is_taken(shop: Shop, method: str) -> None:
    response = await shop.http.request(method, "/graphql", params={"query": COUNT})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    if method != "HEAD":
        told(response, 405, "BAD_REQUEST")


async def _raw(shop: Shop, receive: Any, *headers: tuple[bytes, bytes]) -> tuple[int, dict[bytes, bytes], Any]:
    """What is answered to a request whose body comes as `receive` tells."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    said = [(b"content-type", JSON.encode()), (b"authorization", f"Bearer {shop.key}".encode()), *headers]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": said}
    await shop.house.app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


async def test_a_body_that_dribbles_is_not_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "BODY_SECONDS", 0.05)

    async def dribble() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def nothing() -> Any:
        await asyncio.sleep(60)

    for receive in (dribble, nothing):
        status, headers, answer = await _raw(shop, receive)
        assert (status, headers[b"connection"]) == (408, b"close")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["TIMEOUT"]


async def test_a_length_is_not_believed(shop: Shop) -> None:
    came: list[int] = []

    async def receive() -> Any:
        came.append(1)
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    # One that is too long is refused unread; of one that is not, no more is read than may be.
    for length, most in ((b"262145", 0), (b"9" * 5_000, 0), (b"10", 5), (b"x", 5)):
        came.clear()
        status, headers, answer = await _raw(shop, receive, (b"content-length", length))
        assert (status, headers[b"connection"], len(came)) == (413, b"close", most)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_REQUEST"]

    async def cut_off() -> Any:
        return {"type": "http.disconnect"}

    assert (await _raw(shop, cut_off))[0] == 400


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (b"query=%FF", 400),
        (b"query={a}&query={b}", 400),
        (b"query={viewer{scopes}}&variables={%22a%22:1,%22a%22:2}", 400),
        (b"query={viewer{scopes}}&extensions=[]", 400),
        (b"query=" + b"a" * 300_000, 413),
    ],
)
async def test_a_query_string_that_is_no_request_is_refused(shop: Shop, given: bytes, status: int) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    said = [(b"authorization", f"Bearer {shop.key}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/graphql", "query_string": given, "headers": said}
    await shop.house.app(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == status
    assert [error["extensions"]["code"] for error in json.loads(sent[1]["body"])["errors"]] == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "media",
    ["", "text/plain", "application/json-patch+json", "application/x-www-form-urlencoded", "multipart/form-data"],
)
async def test_only_json_is_taken(shop: Shop, media: str) -> None:
    body = json.dumps({"query": COUNT})
    await send(shop, body, 415, "BAD_REQUEST", content_type=media)


async def test_an_encoded_body_is_not_taken_and_a_charset_is(shop: Shop) -> None:
    body = json.dumps({"query": COUNT})
    await send(shop, body, 415, "BAD_REQUEST", content_encoding="gzip")
    headers = {"content-type": "application/json; charset=utf-8"}
    assert (await shop.http.post("/graphql", content=body, headers=headers)).status_code == 200
