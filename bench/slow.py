"""Whether others notice those who never get to the point: 500 connections that send a head or a body byte by byte,
that send nothing, that open a WebSocket and say nothing, that ask for much and do not read it.

Ended by the server, each comes back at once: what is measured is the attack at its height.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

HOST = "127.0.0.1"
DRIP_SECONDS = 1.0
HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _dripping_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nx-")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(DRIP_SECONDS)


async def _dripping_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n"
    writer.write(head.encode() + b"{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(DRIP_SECONDS)


async def _silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def _empty_lines(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\r\n")
        await writer.drain()
        await asyncio.sleep(DRIP_SECONDS)


async def _silent_socket(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HANDSHAKE.encode())
    await asyncio.sleep(3600)


async def _not_reading(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET /schema.graphql HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 50)
    while True:
        # Of a connection that was cut, whoever does not read learns by writing.
        await asyncio.sleep(DRIP_SECONDS)
        writer.write(b"\r\n")
        await writer.drain()


KINDS: dict[str, Talk] = {
    "a head byte by byte": _dripping_head,
    "a body byte by byte": _dripping_body,
    "nothing": _silent,
    "empty lines": _empty_lines,
    "a WebSocket, and nothing": _silent_socket,
    "much asked, nothing read": _not_reading,
}


class Slow:
    """So many connections to a port, of all kinds. `lasted`: for how long the server let each of them wait."""

    def __init__(self, port: int, number: int) -> None:
        self.open: Counter[str] = Counter()
        self.lasted: dict[str, list[float]] = {kind: [] for kind in KINDS}
        self._port, self._number = port, number
        self._tasks: list[asyncio.Task[None]] = []
        self._there = asyncio.Event()

    async def begin(self) -> None:
        kinds = list(KINDS)
        self._tasks = [asyncio.create_task(self._keep(kinds[n % len(kinds)])) for n in range(self._number)]
        await self._there.wait()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _keep(self, kind: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            with suppress(OSError):
                # What is not read shall not lie in the buffers of this end.
                reader, writer = await asyncio.open_connection(HOST, self._port, limit=1024)
                self.open[kind] += 1
                if sum(self.open.values()) == self._number:
                    self._there.set()
                try:
                    await self._until_closed(KINDS[kind](reader, writer), reader, kind)
                finally:
                    self.open[kind] -= 1
                    self.lasted[kind].append(loop.time() - began)
                    writer.transport.abort()

    async def _until_closed(self, talking: Awaitable[None], reader: asyncio.StreamReader, kind: str) -> None:
        async def closed() -> None:
            if KINDS[kind] is _not_reading:
                await asyncio.sleep(3600)
            while await reader.read(65_536):
                pass

        tasks = [asyncio.ensure_future(talking), asyncio.create_task(closed())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _attack(port: int, number: int) -> None:
    """Until the standard input ends; then says for how long each kind lasted at the most."""
    slow = Slow(port, number)
    await slow.begin()
    sys.stdout.write("all are there\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for kind, lasted in slow.lasted.items():
        longest = f"{len(lasted)} ended, after {max(lasted):.1f} s at the most" if lasted else "none was ended"
        sys.stdout.write(f"{kind}: {longest}\n")
    sys.stdout.flush()
    await slow.end()


if __name__ == "__main__":
    asyncio.run(_attack(int(sys.argv[1]), int(sys.argv[2])))
