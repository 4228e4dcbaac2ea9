"""Server-sent events to the byte, against a real server."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from app.main import Application
from tests.api.acting import House
from tests.client import application
from tests.live.conftest import Teller, revoke
from tests.live.serving import CHANGED, Server, asking_for_events, chunks, raw, serving

HEAD = re.compile(
    rb"HTTP/1\.1 200 OK\r\ndate: [^\r]+\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    rb"cache-control: no-store\r\nx-accel-buffering: no\r\nx-request-id: [0-9a-f]{32}\r\n"
    rb"transfer-encoding: chunked\r\n\r\n"
)
COMPLETE = b"event: complete\ndata:\n\n"
VIEWER = "{ viewer { organization { name } } }"
Stream = AsyncIterator[bytes]


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)


async def next_of(stream: Stream, seconds: float = 10) -> bytes:
    return await asyncio.wait_for(anext(stream), seconds)


async def rest_of(stream: Stream, seconds: float = 10) -> bytes:
    async with asyncio.timeout(seconds):
        return b"".join([each async for each in stream])


async def begun(reader: asyncio.StreamReader) -> Stream:
    """A subscription that is in force."""
    assert HEAD.fullmatch(await head_of(reader))
    stream = chunks(reader)
    assert await next_of(stream) == b":\n\n"
    return stream


async def test_a_question_is_one_event_and_the_end(server: Server, teller: Teller) -> None:
    async with raw(server, *asking_for_events(teller.key, VIEWER)) as reader:
        assert HEAD.fullmatch(await head_of(reader))
        found = re.fullmatch(rb"event: next\ndata: ([^\n]+)\n\n(.+)", await rest_of(chunks(reader)), re.DOTALL)
        assert found is not None
        body, end = found.groups()
        assert orjson.loads(body)["data"] == {"viewer": {"organization": {"name": "Shop"}}}
        assert end == COMPLETE


async def test_a_list_is_one_line(server: Server, teller: Teller) -> None:
    for name in ("Ana", "Bo"):
        await teller.customer(name)
    async with raw(server, *asking_for_events(teller.key, "{ customers { nodes { name } } }")) as reader:
        await head_of(reader)
        event, end, none = (await rest_of(chunks(reader))).split(b"\n\n")
        assert (end + b"\n\n", none) == (COMPLETE, b"")
        first, second = event.split(b"\n")
        assert first == b"event: next"
        nodes = orjson.loads(second.removeprefix(b"data: "))["data"]["customers"]["nodes"]
        assert sorted(each["name"] for each in nodes) == ["Ana", "Bo"]


async def test_a_hint_is_an_event(server: Server, teller: Teller) -> None:
    query = "subscription($ids: [ID!]) { customerChanged(ids: $ids) { event customer { name } } }"
    ana, bo = await teller.customer("Ana"), await teller.customer("Bo")
    async with raw(server, *asking_for_events(teller.key, query, ids=[ana])) as reader:
        stream = await begun(reader)
        await teller.rename(bo, "Bob")
        await teller.rename(ana, "Anna")
        body = (
            b'{"data":{"customerChanged":{"event":"customer.updated","customer":{"name":"Anna"}}},"extensions":{"cost"'
        )
        told = await next_of(stream)
        assert told.startswith(b"event: next\ndata: " + body)
        assert told.count(b"\n") == 3
        assert told.endswith(b"\n\n")


REFUSED = [
    ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
    ("{", "GRAPHQL_PARSE_FAILED"),
    ("subscription { customerChanged { event nothing } }", "GRAPHQL_VALIDATION_FAILED"),
    ("subscription { customerChanged { customer { touchpoints(first: 0) { totalCount } } } }", "BAD_USER_INPUT"),
]


@pytest.mark.parametrize(("query", "code"), REFUSED)
async def test_what_is_wrong_with_a_document_stands_in_the_stream(
    server: Server, teller: Teller, query: str, code: str
) -> None:
    async with raw(server, *asking_for_events(teller.key, query)) as reader:
        assert HEAD.fullmatch(await head_of(reader))
        told = await rest_of(chunks(reader))
        assert told.startswith(b'event: next\ndata: {"errors":[')
        assert told.endswith(b"\n\n" + COMPLETE)
        errors = orjson.loads(told.split(b"\n")[1].removeprefix(b"data: "))["errors"]
        assert {each["extensions"]["code"] for each in errors} == {code}


async def asked(server: Server, **details: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.request(url=server.url, **details)


async def test_what_is_no_request_has_a_status(server: Server, teller: Teller) -> None:
    key = {"authorization": f"Bearer {teller.key}", "accept": "text/event-stream"}
    unknown = await asked(server, method="POST", json={"query": VIEWER}, headers={"accept": "text/event-stream"})
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
    assert unknown.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await asked(server, method="POST", content=b"{}", headers=key)).status_code == 415
    assert (await asked(server, method="POST", json={"query": 1}, headers=key)).status_code == 400
    assert (await asked(server, method="PUT", json={"query": VIEWER}, headers=key)).status_code == 405
    change = {"query": 'mutation { customerCreate(input: {name: "Eve"}) { userErrors { code } } }'}
    refused = await asked(server, method="GET", params=change, headers=key)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.headers["content-type"] == "application/json; charset=utf-8"


async def test_by_get_it_is_the_same(server: Server, teller: Teller) -> None:
    key = {"authorization": f"Bearer {teller.key}", "accept": "text/event-stream"}
    answer = await asked(server, method="GET", params={"query": VIEWER}, headers=key)
    assert answer.text.endswith("\n\nevent: complete\ndata:\n\n")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/event-stream", "text/event-stream"),
        ("Text/Event-Stream;q=1, */*", "text/event-stream"),
        ("text/event-stream, application/json", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("application/graphql-response+json, application/json, text/event-stream", "application/graphql-response+json"),
        ("*/*, text/event-stream", "application/json"),
        ("text/event-streams", "application/json"),
    ],
)
async def test_only_who_names_it_first_means_it(server: Server, teller: Teller, accept: str, media: str) -> None:
    headers = {"authorization": f"Bearer {teller.key}", "accept": accept}
    answer = await asked(server, method="POST", json={"query": VIEWER}, headers=headers)
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"


async def test_a_subscription_wants_a_stream(server: Server, teller: Teller) -> None:
    headers = {"authorization": f"Bearer {teller.key}", "accept": "application/json"}
    answer = await asked(server, method="POST", json={"query": CHANGED}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_revoked_key_is_told_and_the_stream_ends(house: House, server: Server, teller: Teller) -> None:
    key = house.key(teller.org, ("read",))
    async with raw(server, *asking_for_events(key, CHANGED)) as reader:
        stream = await begun(reader)
        revoke(house, key)
        began = time.monotonic()
        told = await rest_of(stream)
        assert time.monotonic() - began < 5
        assert b'"code":"UNAUTHENTICATED"' in told
        assert told.endswith(COMPLETE)


async def test_a_stopping_server_cuts_it_off(house: House, teller: Teller) -> None:
    """Without `complete`: it is asked for again, elsewhere."""
    with serving(house.url) as other:
        async with raw(other, *asking_for_events(teller.key, CHANGED)) as reader:
            stream = await begun(reader)
            stopping = asyncio.create_task(asyncio.to_thread(other.stop))
            assert await rest_of(stream) == b""
            assert await stopping < 8


async def test_what_is_silent_breathes_and_nothing_is_left_of_who_went(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schema.streams.LOOK_SECONDS", 0.05)
    app = application(house.url)
    assert isinstance(app, Application)
    live = app.endpoint.events.args[0].live
    head, body = asking_for_events(house.shop().key, CHANGED)
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:-1]]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(name, value) for name, value in lines],
    }
    coming, gone = asyncio.Queue[Any](), asyncio.Queue[Any]()
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0.1)
        before = asyncio.all_tasks()
        coming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        task = asyncio.create_task(app(scope, coming.get, gone.put))
        assert [(await asyncio.wait_for(gone.get(), 5))["type"] for _ in range(2)] == [
            "http.response.start",
            "http.response.body",
        ]
        assert live.subscribers == 1
        assert await asyncio.wait_for(gone.get(), 5) == {
            "type": "http.response.body",
            "body": b":\n\n",
            "more_body": True,
        }
        coming.put_nowait({"type": "http.disconnect"})
        await task
        await asyncio.sleep(0.1)
        assert live.subscribers == 0
        assert asyncio.all_tasks() <= before
