"""What is answered is what uvicorn would say, byte for byte; what is there whole leaves in one piece."""

import asyncio
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.serving.connections import Connection

ASKED = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
LENGTH = (b"content-length", b"4")
PLAIN = (b"content-type", b"text/plain")


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Any:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(text: bytes = b"told", **more: Any) -> Any:
    return {"type": "http.response.body", "body": text, **more}


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = list[bytes](), False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def told(kind: type[HttpToolsProtocol], said: list[Any], asked: bytes = ASKED) -> Wire:
    """What goes over the wire when an application says that."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in said:
            if isinstance(message, Exception):
                raise message
            await send(message)

    config = Config(app, log_config=None, access_log=False)
    config.load()
    state, wire = ServerState(), Wire()
    state.default_headers = [(b"server", b"ours")]
    protocol = kind(config, state, {})
    protocol.connection_made(wire)  # type: ignore[arg-type] # it has what is called of it
    protocol.data_received(asked)
    while state.tasks:
        await asyncio.wait(state.tasks)
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire


WHOLE = [
    [start(PLAIN, LENGTH), body()],
    [start(PLAIN, LENGTH, status=400), body()],
    [start(LENGTH), body(more_body=False)],
    [start((b"content-length", b"0")), body(b"")],
    [start((b"content-length", b"0")), {"type": "http.response.body"}],
]
OTHERWISE = [
    [start(PLAIN), body()],
    [start(PLAIN, LENGTH), body(b"to", more_body=True), body(b"ld")],
    [start(PLAIN), body(b"to", more_body=True), body(b"ld")],
    [start(PLAIN, LENGTH, (b"connection", b"close")), body()],
    [start(PLAIN, LENGTH), body(b"too long")],
    [start(PLAIN, LENGTH), body(b"not")],
    [start((b"x", b"a\r\nb: c"), LENGTH), body()],
    [start(PLAIN, LENGTH), body(), body()],
    [ValueError()],
    [body()],
    [],
]


@pytest.mark.parametrize("said", WHOLE)
async def test_what_is_there_whole_leaves_in_one_piece(said: list[Any]) -> None:
    mine, theirs = await told(Connection, said), await told(HttpToolsProtocol, said)
    assert len(mine.written) == 1
    assert b"".join(mine.written) == b"".join(theirs.written)
    assert mine.closed == theirs.closed


@pytest.mark.parametrize("said", OTHERWISE)
async def test_all_else_is_left_to_uvicorn(said: list[Any]) -> None:
    mine, theirs = await told(Connection, said), await told(HttpToolsProtocol, said)
    assert b"".join(mine.written) == b"".join(theirs.written)
    assert mine.closed == theirs.closed


@pytest.mark.parametrize(
    "asked",
    [
        b"HEAD / HTTP/1.1\r\nhost: here\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: here\r\n\r\n",
        3 * ASKED,
        b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{}" + ASKED,
    ],
)
async def test_however_it_was_asked_for(asked: bytes) -> None:
    said = WHOLE[0]
    mine, theirs = await told(Connection, said, asked), await told(HttpToolsProtocol, said, asked)
    assert b"".join(mine.written) == b"".join(theirs.written)
    assert mine.closed == theirs.closed


@pytest.mark.parametrize("said", [[start(PLAIN, LENGTH), ValueError()], [start(PLAIN, LENGTH)]])
async def test_who_fails_after_its_head_says_so(said: list[Any]) -> None:
    """uvicorn has sent a head by then, that says all is well; here nothing has left yet."""
    wire = await told(Connection, said)
    assert b"".join(wire.written).startswith(b"HTTP/1.1 500 ")
    assert wire.closed
