"""What the wire allows beyond what HTTP and JSON say, and what attacks cost the process that serves."""

import asyncio
import os
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from schema.request import BODY_SECONDS
from tests.api.test_abuse import DOCUMENTS, GRAPHQL, JSON, MOST_SECONDS
from tests.live.conftest import Teller
from tests.live.serving import Server, raw, wire

VIEWER = b'{"query":"{ viewer { scopes } }"}'
MOST_GROWTH = 20 * 1024


def spent(server: Server) -> float:
    """Seconds of CPU of the process."""
    after_name = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def resident(server: Server) -> int:
    """KiB of memory."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
async def test_attacks_cost_the_server_little(server: Server, teller: Teller) -> None:
    headers = {"authorization": f"Bearer {teller.key}", "content-type": JSON, "accept": GRAPHQL}
    async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=30) as http:
        for _ in range(2):
            before = resident(server)
            for attack in DOCUMENTS:
                began = spent(server)
                content = attack.sent()
                try:
                    answer = await http.post(server.url, content=content, headers=attack.headers)
                    assert answer.status_code < 500, attack.name
                    assert answer.headers["x-request-id"]
                except httpx.TransportError:
                    # Refused before it was all sent, and closed.
                    assert len(content) > 256 * 1024, attack.name
                assert spent(server) - began <= MOST_SECONDS, attack.name
                assert (await http.post(server.url, content=VIEWER)).status_code == 200
            # The first time brings in what is imported late, and fills caches.
        assert resident(server) - before < MOST_GROWTH


def head(teller: Teller, *more: str) -> bytes:
    lines = [
        "POST /graphql HTTP/1.1",
        "host: 127.0.0.1",
        f"authorization: Bearer {teller.key}",
        f"content-type: {JSON}",
    ]
    return "".join(f"{line}\r\n" for line in [*lines, *more]).encode()


async def whole(reader: asyncio.StreamReader) -> bytes:
    """Everything, until the server closes: with a reset, when something that was sent to it was not read."""
    told = b""
    async with asyncio.timeout(BODY_SECONDS + 10):
        with suppress(ConnectionResetError):
            while part := await reader.read(65_536):
                told += part
    return told


async def test_a_body_that_is_too_long_is_not_read(server: Server, teller: Teller) -> None:
    endless = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    for length, body in (
        ("content-length: 262145", b""),
        ("content-length: 99999999999999999", b"{"),
        ("transfer-encoding: chunked", endless * 5),
    ):
        async with raw(server, head(teller, length), body) as reader:
            answer = await whole(reader)
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert b'"code":"BAD_REQUEST"' in answer


async def test_what_is_left_over_of_a_body_is_no_request(server: Server, teller: Teller) -> None:
    change = b'{"query":"mutation { customerCreate(input: { name: \\"Ana\\" }) { userErrors { code } } }"}'
    async with raw(server, head(teller, f"content-length: {len(VIEWER)}"), VIEWER + change) as reader:
        answer = await whole(reader)
    # The server below refuses it, and all else that comes on this connection.
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert answer.count(b"HTTP/1.1 400 ") == 1
    assert b"customerCreate" not in answer
    assert (await teller.ask("{ customers { totalCount } }"))["customers"]["totalCount"] == 0


async def test_a_document_is_asked_by_its_hash_over_every_transport(server: Server, teller: Teller) -> None:
    text = "{ viewer { scopes } customers { totalCount } }"
    asked: dict[str, Any] = {
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}
    }
    async with wire(server, teller.key) as found:
        for payload, kind in (
            (asked, "error"),
            (asked | {"query": ""}, "error"),
            (asked | {"query": text}, "next"),
            (asked, "next"),
        ):
            await found.say(type="subscribe", id="1", payload=payload)
            heard = await found.hear()
            assert heard["type"] == kind
            if kind == "error":
                assert heard["payload"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
            else:
                assert (await found.hear())["type"] == "complete"
    headers = {"authorization": f"Bearer {teller.key}", "accept": "text/event-stream"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        answer = await http.post(server.url, json=asked)
        assert answer.text.startswith('event: next\ndata: {"data":{"viewer"')
        asked["extensions"]["persistedQuery"]["sha256Hash"] = "0" * 64
        answer = await http.get(server.url, params={"extensions": orjson.dumps(asked["extensions"]).decode()})
        assert "PersistedQueryNotFound" in answer.text
