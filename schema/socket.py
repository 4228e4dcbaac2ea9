"""GraphQL over a WebSocket: the subprotocol graphql-transport-ws.

Any operation may be sent, many at a time; each is answered by `next` and `complete`, or by `error` when it is refused.
https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from random import getrandbits
from typing import Any
from urllib.parse import urlsplit

import orjson

from app.platform.live import Stopping, TooSlow
from app.platform.records import Record, noted
from schema.http import errors_of, status_of, unavailable, with_request_id
from schema.request import LARGEST_BODY, Refusal, Scope, given_of, headers_of
from schema.streams import Credentials, Stream, Streams
from schema.strict_json import NotJSON, parsed

SUBPROTOCOL = "graphql-transport-ws"
INIT_SECONDS, CLOSE_SECONDS = 10.0, 1.0
MOST_OPERATIONS = 100
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_ACCEPTABLE = 4400, 4401, 4403, 4406
TIMED_OUT, TAKEN, TOO_MANY_INITS, FAILED, RESTARTS, TRY_AGAIN = 4408, 4409, 4429, 1011, 1012, 1013


class Closed(Exception):
    """The socket is to be closed, and why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Socket:
    """One connection, from its handshake to its end. `origins`: of which pages, besides those of this host."""

    def __init__(self, streams: Streams, origins: Collection[str], scope: Scope, receive: Any, send: Any) -> None:
        self._streams, self._origins, self._scope = streams, origins, scope
        self._receive, self._send = receive, send
        self._who: Credentials | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._ended: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        await self._receive()  # websocket.connect
        if not _from_here(self._scope, self._origins):
            # Before it is accepted: the browser is answered 403.
            await self._send({"type": "websocket.close", "code": 1008})
            return
        named = SUBPROTOCOL in self._scope["subprotocols"]
        await self._send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if named else None})
        listening: asyncio.Task[None] | None = None
        try:
            if not named:
                raise Closed(NOT_ACCEPTABLE, "Subprotocol not acceptable")
            listening = asyncio.create_task(self._listen())
            # It may be stuck in an answer to somebody who does not read.
            either: list[asyncio.Future[Any]] = [listening, self._ended]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                raise self._ended.result()
            listening.result()
        except Closed as closed:
            await self._close(closed)
        except OSError:
            pass  # gone
        except Exception as failure:  # noqa: BLE001 - told without a word of it
            errors_of(failure)
            await self._close(Closed(FAILED, "Internal error"))
        finally:
            tasks = [*self._operations.values(), *([listening] if listening else [])]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _listen(self) -> None:
        there = True
        try:
            async with asyncio.timeout(INIT_SECONDS):
                while there and self._who is None:
                    there = await self._hear()
        except TimeoutError:
            raise Closed(TIMED_OUT, "Connection initialisation timeout") from None
        while there:
            there = await self._hear()

    async def _hear(self) -> bool:
        """Whether the other end is still there."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return False
        await self._take(_read(message.get("text")))
        return True

    async def _take(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"type": "connection_init"}:
                await self._init(message.get("payload"))
            case {"type": "ping"}:
                await self._say({"type": "pong", **_payload(message)})
            case {"type": "pong"}:
                _payload(message)
            case {"type": "subscribe", "id": str(key), "payload": dict() as payload} if key and _asks(payload):
                await self._begin(key, payload)
            case {"type": "complete", "id": str(key)} if key:
                if task := self._operations.pop(key, None):
                    task.cancel()
            case _:
                raise Closed(BAD_REQUEST, "Invalid message")

    async def _init(self, payload: Any) -> None:
        if self._who is not None:
            raise Closed(TOO_MANY_INITS, "Too many initialisation requests")
        if payload is not None and not isinstance(payload, dict):
            raise Closed(BAD_REQUEST, "Invalid message")
        headers = headers_of(self._scope)
        for name, value in (payload or {}).items():
            if name.lower() == "authorization" and isinstance(value, str):
                headers[b"authorization"] = value.encode(errors="replace")
        who = Credentials(self._scope, headers)
        try:
            await self._streams.endpoint.caller(who.scope, who.headers)
        except Refusal:
            raise Closed(FORBIDDEN, "Forbidden") from None
        except Exception as failure:
            if unavailable(failure):
                raise Closed(TRY_AGAIN, "Try again later") from None
            raise
        self._who = who
        await self._say({"type": "connection_ack"})

    # -------------------------------------------------------------- operations

    async def _begin(self, key: str, payload: Mapping[str, Any]) -> None:
        """A subscription is in force before the next message is looked at."""
        if self._who is None:
            raise Closed(UNAUTHORIZED, "Unauthorized")
        if key in self._operations:
            raise Closed(TAKEN, "Subscriber already exists")
        request_id = f"{getrandbits(128):032x}"
        record, said = self._streams.endpoint.records.begin(request_id, "ws"), dict[str, Any]()
        try:
            if len(self._operations) >= MOST_OPERATIONS:
                raise Refusal(429, "THROTTLED", f"At most {MOST_OPERATIONS} operations at once on one connection.")
            stream = await self._streams.begin(given_of(payload), self._who, request_id, self._drop, said=said)
        except Exception as failure:  # noqa: BLE001 - told without a word of it
            await self._refuse(key, failure, request_id, said)
            self._over(record)
            return
        task = asyncio.create_task(self._answer(key, stream, request_id, said))
        self._operations[key] = task
        # Even of a task that was cancelled before it began.
        task.add_done_callback(lambda _: self._over(record, stream))

    async def _answer(self, key: str, stream: Stream, request_id: str, said: dict[str, Any]) -> None:
        start = b'{"id":' + orjson.dumps(key) + b',"type":"next","payload":'
        try:
            async for body in stream.answers:
                if body is not None:
                    await self._write(start + body + b"}")
        except asyncio.CancelledError:
            raise
        except Exception as failure:  # noqa: BLE001 - told without a word of it
            self._operations.pop(key, None)
            with suppress(Closed, OSError):
                await self._refuse(key, failure, request_id, said)
            return
        self._operations.pop(key, None)
        with suppress(OSError):
            await self._say({"id": key, "type": "complete"})

    async def _refuse(self, key: str, failure: Exception, request_id: str, said: dict[str, Any]) -> None:
        """The operation has come to nothing, or the connection has. `said`: what would stand beside its errors, if they
        did not come alone."""
        failure = unavailable(failure) or failure
        noted().status = status_of(failure)
        closed = _closing(failure)
        if closed is not None:
            self._end(closed)
            return
        errors = orjson.loads(with_request_id({"errors": errors_of(failure)}, request_id))["errors"]
        errors[0]["extensions"].update(said)
        await self._say({"id": key, "type": "error", "payload": errors})

    def _over(self, record: Record, stream: Stream | None = None) -> None:
        if stream is not None:
            stream.end()
        self._streams.endpoint.records.end(record)

    def _drop(self) -> None:
        """Called for a subscriber that is not to be told any more; its task may be waiting for the reader to read."""
        self._end(Closed(RESTARTS, "Service restart") if self._streams.live.stopping else _TOO_SLOW)

    def _end(self, closed: Closed) -> None:
        if not self._ended.done():
            self._ended.set_result(closed)

    # -------------------------------------------------------------- writing

    async def _say(self, message: Mapping[str, Any]) -> None:
        await self._write(orjson.dumps(message))

    async def _write(self, text: bytes) -> None:
        await self._send({"type": "websocket.send", "text": text.decode()})

    async def _close(self, closed: Closed) -> None:
        # Whoever does not read does not read this either.
        with suppress(TimeoutError, OSError, RuntimeError):
            message = {"type": "websocket.close", "code": closed.code, "reason": closed.reason}
            await asyncio.wait_for(self._send(message), CLOSE_SECONDS)


_TOO_SLOW = Closed(TIMED_OUT, "Reader too slow")


def _closing(failure: Exception) -> Closed | None:
    """What ends the whole connection, and not one operation alone."""
    match failure:
        case Refusal(code="UNAUTHENTICATED"):
            return Closed(FORBIDDEN, "Forbidden")
        case Stopping():
            return Closed(RESTARTS, "Service restart")
        case TooSlow():
            return _TOO_SLOW
        case OSError():
            return Closed(1001, "Going away")
    return None


def _read(text: str | None) -> Mapping[str, Any]:
    if text is None or len(text) > LARGEST_BODY:
        raise Closed(BAD_REQUEST, "Invalid message")
    try:
        found = parsed(text)
    except NotJSON:
        raise Closed(BAD_REQUEST, "Invalid message") from None
    if not isinstance(found, dict):
        raise Closed(BAD_REQUEST, "Invalid message")
    return found


def _asks(payload: Mapping[str, Any]) -> bool:
    # The text may be left out where the document is named by its hash.
    return isinstance(payload.get("query"), str) or (
        "query" not in payload and not {"documentId", "extensions"}.isdisjoint(payload)
    )


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Closed(BAD_REQUEST, "Invalid message")
    return {} if payload is None else {"payload": payload}


def _from_here(scope: Scope, origins: Collection[str]) -> bool:
    """Whether no browser sent it, or a page of this host: a page of another would act for whoever looks at it."""
    headers = headers_of(scope)
    origin = headers.get(b"origin")
    if origin is None:
        return True
    told = origin.decode("latin-1").lower()
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return told in origins or (urlsplit(told).netloc == host and bool(host))


def sockets(streams: Streams, origins: Collection[str]) -> Any:
    """An ASGI application for WebSockets."""

    async def answer(scope: Scope, receive: Any, send: Any) -> None:
        await Socket(streams, origins, scope, receive, send).run()

    return answer
