"""A real server on loopback, and clients that speak the two protocols themselves."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

CHANGED = "subscription($ids: [ID!]) { customerChanged(ids: $ids) { event occurredAt customer { id name version } } }"
PROTOCOL = [Subprotocol("graphql-transport-ws")]
MANY_SECONDS = 30


@dataclass
class Server:
    """A process that serves."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def stop(self) -> float:
        """Ask it to stop; how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(MANY_SECONDS)
        return time.monotonic() - began


@contextmanager
def serving(url: str, **settings: str) -> Iterator[Server]:
    port = free_port()
    environment = {
        **os.environ,
        "GUANXI_DATABASE_URL": url,
        "GUANXI_CONNECTIONS": "3",
        **{f"GUANXI_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment) as process:
        server = Server(process, port)
        try:
            until = time.monotonic() + MANY_SECONDS
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    assert process.poll() is None
                    time.sleep(0.1)
            yield server
        finally:
            if process.poll() is None:
                server.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


# ------------------------------------------------------------------ graphql-transport-ws


@dataclass
class Wire:
    """A WebSocket, spoken to in messages."""

    ws: ClientConnection

    async def say(self, **message: Any) -> None:
        await self.ws.send(orjson.dumps(message).decode())

    async def hear(self, seconds: float = 10) -> Any:
        return orjson.loads(await asyncio.wait_for(self.ws.recv(), seconds))

    async def init(self, key: str) -> None:
        await self.say(type="connection_init", payload={"authorization": f"Bearer {key}"})
        assert await self.hear() == {"type": "connection_ack"}

    async def subscribe(self, key: str = "1", query: str = CHANGED, **variables: Any) -> None:
        """When this returns it is in force: the next message is looked at only then."""
        await self.say(type="subscribe", id=key, payload={"query": query, "variables": variables})
        await self.say(type="ping")
        assert await self.hear() == {"type": "pong"}

    async def hint(self, key: str = "1", seconds: float = 10) -> Any:
        message = await self.hear(seconds)
        assert message["type"] == "next", message
        assert message["id"] == key
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]["customerChanged"]

    async def code(self, seconds: float = 10) -> int | None:
        """With which code it is closed, whatever is said before."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.ws.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@asynccontextmanager
async def wire(server: Server, key: str | None = None, **details: Any) -> AsyncIterator[Wire]:
    """A socket, initialised when a key is given."""
    address = server.url.replace("http", "ws")
    details = {"subprotocols": PROTOCOL, "compression": None, "proxy": None, **details}
    async with connect(address, **details) as ws:
        made = Wire(ws)
        if key is not None:
            await made.init(key)
        yield made


# ------------------------------------------------------------------ server-sent events


@asynccontextmanager
async def raw(server: Server, head: bytes, body: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    """What comes back for these bytes, byte for byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(head + b"\r\n" + body)
        await writer.drain()
        yield reader
    finally:
        writer.close()


def asking_for_events(key: str, query: str, accept: str = "text/event-stream", **variables: Any) -> tuple[bytes, bytes]:
    """The head and body of such a request."""
    body = orjson.dumps({"query": query, "variables": variables})
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\naccept: {accept}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    )
    return head.encode(), body


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What the body is made of, as it was sent."""
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
