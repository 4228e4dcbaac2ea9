"""graphql-transport-ws, as its clients speak it, against a real server."""

import asyncio
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import orjson
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from app.main import Application
from tests.api.acting import House, unknown
from tests.client import application
from tests.live.conftest import Teller, revoke
from tests.live.serving import CHANGED, Server, serving, wire

CODES = [
    (["nonsense"], 4400),
    (["[]"], 4400),
    ([b"{}"], 4400),
    (['{"type":"start"}'], 4400),
    (['{"type":"connection_init","payload":[]}'], 4400),
    (['{"type":"ping","payload":1}'], 4400),
    (['{"type":"subscribe","id":"1"}'], 4400),
    (['{"type":"subscribe","id":"","payload":{"query":"{viewer{scopes}}"}}'], 4400),
    (['{"type":"subscribe","id":"1","payload":{"query":1}}'], 4400),
    (['{"type":"subscribe","id":"1","payload":{"query":"{viewer{scopes}}"}}'], 4401),
    (['{"type":"connection_init"}'], 4403),
    (['{"type":"connection_init","payload":{"authorization":"Bearer gx_1_2"}}'], 4403),
    (["x" * 300_000], 1009),
]


@pytest.mark.parametrize(("said", "code"), CODES)
async def test_what_is_no_message_ends_it(server: Server, said: list[Any], code: int) -> None:
    async with wire(server) as found:
        for each in said:
            await found.ws.send(each)
        assert await found.code() == code


async def test_what_is_said_twice_ends_it(server: Server, teller: Teller) -> None:
    async with wire(server, teller.key) as found:
        await found.say(type="connection_init")
        assert await found.code() == 4429
    async with wire(server, teller.key) as found:
        await found.subscribe()
        await found.say(type="subscribe", id="1", payload={"query": CHANGED})
        assert await found.code() == 4409


async def test_another_subprotocol_is_not_spoken(server: Server) -> None:
    async with wire(server, subprotocols=None) as found:
        assert await found.code() == 4406


async def test_a_page_of_another_host_is_turned_away(server: Server, teller: Teller) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with wire(server, origin=Origin("https://evil.example")):
            pass
    for origin in (f"http://127.0.0.1:{server.port}", "https://crm.example.com"):
        async with wire(server, teller.key, origin=Origin(origin)):
            pass


async def test_a_ping_is_answered_with_what_it_brought(server: Server) -> None:
    async with wire(server) as found:
        await found.say(type="ping", payload={"n": 1})
        assert await found.hear() == {"type": "pong", "payload": {"n": 1}}


async def test_a_hint_shows_the_customer_as_it_is(server: Server, teller: Teller) -> None:
    query = """subscription { customerChanged { event occurredAt customer {
      id name lifecycle { stage } touchpoints(first: 1) { totalCount nodes { kind } } archivedAt } } }"""
    async with wire(server, teller.key) as found:
        await found.subscribe(query=query)
        ana = await teller.customer()
        hint = await found.hint()
        assert hint["event"] == "customer.created"
        assert abs(datetime.fromisoformat(hint["occurredAt"]) - datetime.now(UTC)).total_seconds() < 60
        none = {"totalCount": 0, "nodes": []}
        assert hint["customer"] == {
            "id": ana,
            "name": "Ana",
            "lifecycle": {"stage": "PROSPECT"},
            "touchpoints": none,
            "archivedAt": None,
        }
        await teller.do(
            "touchpointRecord",
            {"customer": {"id": ana}, "kind": "CALL", "channel": "PHONE", "direction": "INBOUND"},
        )
        hint = await found.hint()
        assert (hint["event"], hint["customer"]["touchpoints"]["nodes"]) == ("touchpoint.recorded", [{"kind": "CALL"}])
        # Of one that is hidden it is told that it was.
        await teller.do("customerArchive", {"customer": {"id": ana}})
        hint = await found.hint()
        assert hint["event"] == "customer.archived"
        assert hint["customer"]["archivedAt"] is not None


async def test_only_these_customers_and_only_mine(server: Server, teller: Teller, stranger: Teller) -> None:
    ana, bo, theirs = await teller.customer("Ana"), await teller.customer("Bo"), await stranger.customer("Eve")
    async with wire(server, teller.key) as found:
        await found.subscribe("some", ids=[bo, theirs, unknown("cus"), "nonsense"])
        await found.subscribe("none", ids=[])
        await found.subscribe("theirs", ids=[theirs])
        await stranger.rename(theirs, "Eva")
        await teller.rename(ana, "Anna")
        await teller.rename(bo, "Bob")
        hint = await found.hint("some")
        assert hint["customer"] == {"id": bo, "name": "Bob", "version": 2}
        with pytest.raises(TimeoutError):
            await found.hear(1.5)


async def test_questions_and_changes_are_answered_too(server: Server, teller: Teller) -> None:
    async with wire(server, teller.key) as found:
        change = 'mutation { customerCreate(input: {name: "Di"}) { customer { name } userErrors { code } } }'
        for key, query in (("q", "{ viewer { scopes } }"), ("m", change), ("i", "{ __schema { queryType { name } } }")):
            await found.say(type="subscribe", id=key, payload={"query": query})
        heard = [await found.hear() for _ in range(6)]
        told = {each["id"]: each["payload"]["data"] for each in heard if each["type"] == "next"}
        assert told["m"] == {"customerCreate": {"customer": {"name": "Di"}, "userErrors": []}}
        assert (set(told), told["i"]) == ({"q", "m", "i"}, {"__schema": {"queryType": {"name": "Query"}}})
        assert sorted(each["id"] for each in heard if each["type"] == "complete") == ["i", "m", "q"]


DEEP = "{ customers { nodes " + "{ touchpoints { nodes { customer " * 4 + "{ id }" + " } } }" * 4 + " } }"
REFUSED = [
    ("{ nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("{", {}, "GRAPHQL_PARSE_FAILED"),
    ("{ viewer { scopes } " + "a " * 2_000 + "}", {}, "GRAPHQL_PARSE_FAILED"),
    (DEEP, {}, "MAX_DEPTH_EXCEEDED"),
    ("#" + "x" * 70_000, {}, "BAD_REQUEST"),
    ("query A { viewer { scopes } } query B { viewer { scopes } }", {}, "OPERATION_RESOLUTION_FAILURE"),
    ("subscription { a: customerChanged { event } b: customerChanged { event } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("subscription { __typename }", {}, "GRAPHQL_VALIDATION_FAILED"),
    (CHANGED, {"ids": ["cus_"] * 101}, "BAD_USER_INPUT"),
    (CHANGED, {"ids": 1.5}, "BAD_USER_INPUT"),
    ("subscription { customerChanged { customer { touchpoints(first: 101) { totalCount } } } }", {}, "BAD_USER_INPUT"),
]


@pytest.mark.parametrize(("query", "variables", "code"), REFUSED)
async def test_the_limits_are_those_of_http(
    server: Server, teller: Teller, query: str, variables: Any, code: str
) -> None:
    async with wire(server, teller.key) as found:
        await found.say(type="subscribe", id="1", payload={"query": query, "variables": variables})
        answer = await found.hear()
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert {each["extensions"]["code"] for each in answer["payload"]} == {code}
        assert all(each["extensions"]["requestId"] for each in answer["payload"])
        # The connection goes on.
        await found.say(type="ping")
        assert await found.hear() == {"type": "pong"}


async def test_so_many_at_once_and_no_more(server: Server, teller: Teller) -> None:
    async with wire(server, teller.key) as found:
        for number in range(100):
            await found.say(type="subscribe", id=str(number), payload={"query": CHANGED})
        await found.say(type="subscribe", id="more", payload={"query": CHANGED})
        answer = await found.hear()
        assert (answer["id"], answer["payload"][0]["extensions"]["code"]) == ("more", "THROTTLED")
        await found.say(type="complete", id="7")
        await found.subscribe("more")
        await teller.customer()
        heard = [(await found.hear())["id"] for _ in range(100)]
        assert sorted(heard) == sorted({*map(str, range(100)), "more"} - {"7"})


async def test_a_key_hears_of_what_it_may_read(house: House, server: Server, teller: Teller) -> None:
    narrow = house.key(teller.org, ("customers:read",))
    async with wire(server, narrow) as found:
        await found.say(type="subscribe", id="1", payload={"query": CHANGED.replace("version", "email")})
        assert (await found.hear())["payload"][0]["extensions"]["code"] == "FORBIDDEN_FIELD"
        await found.subscribe()
        ana = await teller.customer()
        assert (await found.hint())["event"] == "customer.created"
        contact = {"customer": {"id": ana}, "kind": "CALL", "channel": "PHONE", "direction": "INBOUND"}
        await teller.do("touchpointRecord", contact)
        await teller.rename(ana, "Anna")
        assert (await found.hint())["event"] == "customer.updated"
    async with wire(server, house.key(teller.org, ("touchpoints:read",))) as found:
        await found.say(type="subscribe", id="1", payload={"query": "subscription { customerChanged { event } }"})
        assert (await found.hear())["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_revoked_key_is_closed_soon(house: House, server: Server, teller: Teller) -> None:
    ana, key = await teller.customer(), house.key(teller.org, ("read",))
    async with wire(server, key) as found:
        await found.subscribe()
        revoke(house, key)
        began = time.monotonic()
        code = await found.code()
        assert (code, time.monotonic() - began < 5) == (4403, True)
        await teller.rename(ana, "Anna")
        with pytest.raises(ConnectionClosed):
            await found.hear()


async def test_who_does_not_read_is_dropped(house: House, server: Server, teller: Teller) -> None:
    """What he was to be told is large, so that no buffer on the way holds it."""
    ana = await teller.customer()
    contact = {"customer": {"id": ana}, "kind": "CALL", "channel": "PHONE", "direction": "INBOUND"}
    rows = [{**contact, "body": "x" * 9_000} for _ in range(25)]
    await teller.do("touchpointsRecord", {"rows": rows})
    large = "subscription { customerChanged { customer { touchpoints(first: 25) { nodes { body } } } } }"
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    small.connect(("127.0.0.1", urlsplit(server.url).port or 0))
    async with wire(server, teller.key) as quick, wire(server, teller.key, sock=small, max_size=None) as slow:
        await slow.subscribe(query=large)
        await quick.subscribe(query="subscription { customerChanged { event } }")
        for _ in range(2):
            await teller.do("touchpointsRecord", {"rows": [{**contact, "occurredAt": "2020-01-01T00:00:00Z"}] * 200})
        for _ in range(400):
            await quick.hint()
        heard = 0
        with suppress(ConnectionClosed):
            async with asyncio.timeout(20):
                while True:
                    await slow.ws.recv()
                    heard += 1
        assert heard < 300


async def test_a_stopping_server_says_so(house: House, teller: Teller) -> None:
    with serving(house.url) as other:
        async with wire(other, teller.key) as found, wire(other) as fresh:
            await found.subscribe()
            stopping = asyncio.create_task(asyncio.to_thread(other.stop))
            assert await found.code() == 1012
            assert await fresh.code() == 1012
            assert await stopping < 8


# ------------------------------------------------------------------ within this process


class Line:
    """Both ends of a connection, as an ASGI server holds them."""

    def __init__(self, app: Any, key: str) -> None:
        self.come: asyncio.Queue[Any] = asyncio.Queue()
        self.gone: asyncio.Queue[Any] = asyncio.Queue()
        self.come.put_nowait({"type": "websocket.connect"})
        headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {key}".encode())]
        scope = {
            "type": "websocket",
            "path": "/graphql",
            "headers": headers,
            "query_string": b"",
            "subprotocols": ["graphql-transport-ws"],
        }
        self.task = asyncio.create_task(app(scope, self.come.get, self.gone.put))

    def say(self, **message: Any) -> None:
        self.come.put_nowait({"type": "websocket.receive", "text": orjson.dumps(message).decode()})

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.gone.get(), 5)


async def test_who_says_nothing_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.socket.INIT_SECONDS", 0.2)
    line = Line(house.app, "")
    assert (await line.hear())["type"] == "websocket.accept"
    assert await line.hear() == {
        "type": "websocket.close",
        "code": 4408,
        "reason": "Connection initialisation timeout",
    }
    await line.task


async def test_nothing_is_left_of_who_went(house: House) -> None:
    app = application(house.url)
    assert isinstance(app, Application)
    live = app.endpoint.events.args[0].live
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0.1)
        before = asyncio.all_tasks()
        line = Line(app, house.shop().key)
        line.say(type="connection_init")
        line.say(type="subscribe", id="1", payload={"query": CHANGED})
        line.say(type="subscribe", id="2", payload={"query": CHANGED})
        line.say(type="ping")
        assert [
            (await line.hear())["type"],
            *[orjson.loads((await line.hear())["text"])["type"] for _ in range(2)],
        ] == [
            "websocket.accept",
            "connection_ack",
            "pong",
        ]
        assert live.subscribers == 2
        line.say(type="complete", id="1")
        line.say(type="ping")
        await line.hear()
        await asyncio.sleep(0.05)
        assert live.subscribers == 1
        line.come.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await line.task
        await asyncio.sleep(0.1)
        assert live.subscribers == 0
        assert asyncio.all_tasks() <= before


async def test_the_cost_is_told_as_over_http(server: Server, teller: Teller) -> None:
    answered, refused, dear = (
        "{ customers(first: 3) { nodes { id } } }",
        "{ customers(first: 0) { totalCount } }",
        "{ customers(first: 100) { nodes { touchpoints(first: 100) { nodes { id customer { id } } } } } }",
    )
    async with (
        httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {teller.key}"}) as http,
        wire(server, teller.key) as found,
    ):
        for query in (answered, refused, dear):
            over_http = (await http.post(server.url, json={"query": query})).json()["extensions"]["cost"]
            await found.say(type="subscribe", id="1", payload={"query": query})
            heard = await found.hear()
            if query == answered:
                told = heard["payload"]["extensions"]["cost"]
                assert (await found.hear())["type"] == "complete"
            else:
                told = heard["payload"][0]["extensions"]["cost"]
            assert set(told["throttleStatus"]) == set(over_http["throttleStatus"])
            assert {**told, "throttleStatus": 0} == {**over_http, "throttleStatus": 0}
        await found.subscribe()
        await teller.customer()
        cost = (await found.hear())["payload"]["extensions"]["cost"]
        # It was paid for when it began.
        assert (cost["requestedQueryCost"] > 0, cost["actualQueryCost"]) == (True, 0)
