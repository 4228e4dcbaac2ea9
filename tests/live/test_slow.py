"""Who never gets to the point is sent away, and nobody else notices him meanwhile."""

import asyncio
import os
import time
from collections.abc import Iterator
from statistics import median, quantiles

import httpx2 as httpx
import pytest

from app.serving.connections import HEAD_SECONDS, MOST_BYTES
from bench.slow import KINDS, Slow
from schema.request import BODY_SECONDS
from tests.api.acting import House, open_house
from tests.live.conftest import Teller
from tests.live.serving import Server, raw, serving
from tests.live.test_abuse import VIEWER, head, whole

FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"
SLOW, WINDOWS, ASKED = (500, 20, 200) if FULL else (30, 8, 40)
# More than what lies on its way between two processes, and than what a server keeps of a head.
BETWEEN = 64 * 2**20 + 4 * MOST_BYTES
# After that none is left that was there at the beginning.
MOST_SECONDS = 18


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    # Nothing of it is the database's.
    with open_house("sqlite") as made:
        made.shop()
        made.shop()
        yield made


@pytest.fixture(scope="module")
def server(house: House) -> Iterator[Server]:
    """Of this house: the one of other files knows none of its keys."""
    with serving(house.url, origins="https://crm.example.com") as made:
        yield made


async def taken(http: httpx.AsyncClient, url: str) -> list[list[float]]:
    """Milliseconds of so many requests, one after the other, by window."""
    found = []
    for _ in range(WINDOWS):
        window = list[float]()
        for _ in range(ASKED):
            began = time.perf_counter()
            answer = await http.post(url, content=VIEWER)
            window.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200
        found.append(window)
        await asyncio.sleep(0.1)
    return found


async def ask_now_and_then(server: Server) -> None:
    """Over one connection, for longer than any one request may take."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    began = time.monotonic()
    while time.monotonic() - began < HEAD_SECONDS + 1:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await reader.readuntil(b"\r\n\r\nok")
        await asyncio.sleep(1)
    writer.close()


async def test_the_slow_are_sent_away_and_nobody_notices(server: Server, teller: Teller) -> None:
    async def told(length: str, body: bytes) -> bytes:
        async with raw(server, head(teller, length), body) as reader:
            return await whole(reader)

    headers = {"authorization": f"Bearer {teller.key}", "content-type": "application/json"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=30) as http:
        await taken(http, server.url)
        before = await taken(http, server.url)
        slow, began = Slow(server.port, SLOW), time.monotonic()
        await slow.begin()
        bodies = asyncio.gather(
            told("content-length: 100", b"{"),
            told("content-length: 262144", b""),
            told("transfer-encoding: chunked", b"1\r\n{\r\n"),
        )
        patient = asyncio.create_task(ask_now_and_then(server))
        during = await taken(http, server.url)
        for answer in await bodies:
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"TIMEOUT"' in answer
        assert time.monotonic() - began > BODY_SECONDS - 1
        while not all(slow.lasted.values()):
            assert time.monotonic() - began < MOST_SECONDS, [kind for kind in KINDS if not slow.lasted[kind]]
            await asyncio.sleep(0.1)
        await patient
        await slow.end()
    p99 = [median(quantiles(window, n=100)[98] for window in each) for each in (before, during)]
    print(f"p99 {p99[0]:.1f} ms alone, {p99[1]:.1f} ms beside {SLOW} slow ones")
    # A busy machine makes any one of them slow, for a while: what they are at their best is what the server does.
    assert min(map(median, during)) < 2 * min(map(median, before)) + 2


async def test_a_head_without_end_is_not_kept(server: Server) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx-long: ")
    sent = 0
    try:
        while sent <= BETWEEN:
            writer.write(b"a" * 65_536)
            sent += 65_536
            await writer.drain()
    except ConnectionError:
        pass
    else:
        raise AssertionError("It took all of it.")
    finally:
        writer.transport.abort()
