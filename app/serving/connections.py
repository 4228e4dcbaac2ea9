"""How long a connection may keep the server waiting. Who sends the head of a request byte by byte, or nothing at all,
or does not read the answer, costs a connection and its buffer: uvicorn ends none of them by itself.

A body has a deadline of its own (schema/request.py), and so has the first message of a WebSocket (schema/socket.py).
"""

import asyncio
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# From the connection, or from the answer before: longer than a connection without a request is kept.
HEAD_SECONDS, LOOK_SECONDS = 10.0, 5.0
# Of one request as it travels: a body in chunks of one byte takes six times its length.
MOST_BYTES = 2 * 1024 * 1024
# Whoever does not answer the close of a WebSocket is not waited for longer.
CLOSE_SECONDS = 3.0


class Answering(RequestResponseCycle):
    """An answer that is there whole leaves in one piece. uvicorn writes its head by itself: another call of the system,
    and another packet that the other end is woken for."""

    _head: Any = None

    async def send(self, message: Any) -> None:
        head, self._head = self._head, None
        if message["type"] == "http.response.start":
            # One that failed after its head is answered anew: that one was not sent.
            if not self.response_started and _says_its_length(message):
                self._head = message
            else:
                await super().send(message)
        elif head is not None and self._is_usual(head, message):
            self._send_whole(head, message.get("body", b""))
        else:
            if head is not None:
                await super().send(head)
            await super().send(message)

    def _is_usual(self, head: Any, message: Any) -> bool:
        """Nothing stands against its being sent as it is: whatever does is left to uvicorn."""
        whole = (
            not message.get("more_body")
            and (b"content-length", b"%d" % len(message.get("body", b""))) in head["headers"]
        )
        return whole and self.keep_alive and self.scope["method"] != "HEAD" and not self.flow.write_paused

    def _send_whole(self, head: Any, body: bytes) -> None:
        if self.disconnected:
            return
        self.response_started, self.waiting_for_100_continue = True, False
        lines = [b"%b: %b" % each for each in (*self.default_headers, *head["headers"])]
        if HEADER_VALUE_RE.search(b"".join(lines)):
            raise RuntimeError("A header's value may not hold the end of its line.")
        self.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[head["status"]], b"\r\n".join(lines), body))
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        self.on_response()


def _says_its_length(message: Any) -> bool:
    names = [name for name, _ in message.get("headers", ())]
    return b"content-length" in names and b"connection" not in names and b"transfer-encoding" not in names


class Connection(HttpToolsProtocol):
    """One that has to ask within `HEAD_SECONDS`, and to go on reading what it is answered.

    What is called for each request names its base: super() takes as long as what it leads to."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # Since when a head is waited for, or somebody to read on; what there was to be read at the last look.
        self._since, self._unread, self._reads = 0.0, 0, False
        self._came = 0
        self._answering: RequestResponseCycle | None = None
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_in(LOOK_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        # uvicorn tells only the last of those that came one after the other.
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._look_no_more()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        if self._came > MOST_BYTES:
            self.transport.abort()
            return
        HttpToolsProtocol.data_received(self, data)

    def on_message_begin(self) -> None:
        self._came = 0
        HttpToolsProtocol.on_message_begin(self)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # uvicorn makes it, and cannot be told of another kind.
        cycle.__class__ = Answering
        self._answering = cycle
        HttpToolsProtocol._start_asgi_task(self, cycle, app)

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        HttpToolsProtocol.on_response_complete(self)

    def resume_writing(self) -> None:
        self._reads = True
        super().resume_writing()

    def _look(self) -> None:
        """Now and then for as long as the connection lasts: nothing is done for each request."""
        now, unread = self.loop.time(), self.transport.get_write_buffer_size()
        answering = self._answering is not None and not self._answering.response_complete
        if unread:
            if self._reads or unread < self._unread or not self._unread:
                self._since = now
        elif answering and not self.transport.is_closing():
            self._since = now
        self._unread, self._reads = unread, False
        left = self._since + HEAD_SECONDS - now
        if left > 0:
            self._look_in(min(left, LOOK_SECONDS))
        else:
            self.transport.abort()

    def _look_in(self, seconds: float) -> None:
        self._looking = self.loop.call_later(seconds, self._look)

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None


class WebSocketConnection(WebSocketsSansIOProtocol):
    """One that is closed even where the other end does not say that it is."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.close_timeout = CLOSE_SECONDS

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            # What is still to be read keeps a transport from closing.
            self.loop.call_later(2 * CLOSE_SECONDS, self.transport.abort)


def allow_many() -> None:
    """As many connections as the system lets this process have, and not the few that it gives at first."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
