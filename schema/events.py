"""GraphQL over server-sent events, each operation a connection of its own: `next` for each answer, then `complete`.

A stream that ends without `complete` was cut off, and is asked for again: so it ends when the server stops.
https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode.
"""

import asyncio
from contextlib import suppress
from typing import Any

from app.platform.live import Stopping, TooSlow
from app.platform.records import noted
from schema.answer import UNAVAILABLE
from schema.documents import Invalid
from schema.http import told_of, unavailable, with_request_id
from schema.request import EVENT_STREAM, PLAIN_JSON, Headers, Refusal, Scope, read
from schema.streams import Credentials, Stream, Streams

# Some proxies close what has been silent for half a minute: so many looks without news make a comment.
QUIET_LOOKS = 5
COMMENT = b":\n\n"
COMPLETE = b"event: complete\ndata:\n\n"


async def answer(streams: Streams, scope: Scope, headers: Headers, receive: Any, send: Any, request_id: str) -> None:
    """Answer one request."""
    records = streams.endpoint.records
    record = records.begin(request_id, "sse", headers.get(b"traceparent", b""))
    try:
        await _answer(streams, scope, headers, receive, send, request_id)
    finally:
        records.end(record)


async def _answer(streams: Streams, scope: Scope, headers: Headers, receive: Any, send: Any, request_id: str) -> None:
    dropped, said = asyncio.Event(), dict[str, Any]()
    try:
        given = await read(scope, headers, receive)
        who = Credentials(scope, headers)
        only_reads = scope["method"] == "GET"
        stream = await streams.begin(given, who, request_id, dropped.set, only_reads=only_reads, said=said)
    except Exception as failure:  # noqa: BLE001 - told without a word of it
        await _refuse(send, unavailable(failure) or failure, request_id, said)
        return
    try:
        await _start(send, request_id)
        if stream.subscribes:
            # Now it is in force.
            await _write(send, COMMENT)
        pumping = asyncio.create_task(_pump(stream, send, request_id, said))
        others = [asyncio.create_task(_gone(receive)), asyncio.create_task(dropped.wait())]
        try:
            await asyncio.wait([pumping, *others], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pumping, *others):
                task.cancel()
            await asyncio.wait([pumping, *others])
    finally:
        stream.end()
    # Whoever does not read does not read this either.
    with suppress(TimeoutError, OSError):
        await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), 1)


async def _pump(stream: Stream, send: Any, request_id: str, said: dict[str, Any]) -> None:
    quiet = 0
    try:
        async for body in stream.answers:
            if body is not None:
                quiet = 0
                await _write(send, _next(body))
            elif (quiet := quiet + 1) % QUIET_LOOKS == 0:
                await _write(send, COMMENT)
    except (Stopping, TooSlow, OSError):
        return
    except Exception as failure:  # noqa: BLE001 - told without a word of it
        await _write(send, _next(_errors(unavailable(failure) or failure, request_id, said)))
    await _write(send, COMPLETE)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Any, failure: Exception, request_id: str, said: dict[str, Any]) -> None:
    """What is wrong with the document stands in the stream; what is no request, or nobody's, has a status."""
    body = _errors(failure, request_id, said)
    well_formed = isinstance(failure, Refusal) and failure.code not in ("BAD_REQUEST", "OPERATION_RESOLUTION_FAILURE")
    if isinstance(failure, Invalid) or (isinstance(failure, Refusal) and failure.status == 400 and well_formed):
        await _start(send, request_id)
        await _write(send, _next(body) + COMPLETE, more=False)
        return
    status = failure.status if isinstance(failure, Refusal) else 503 if isinstance(failure, Stopping) else 500
    more = failure.headers if isinstance(failure, Refusal) else {"retry-after": "1"} if status == 503 else {}
    said = {"content-type": f"{PLAIN_JSON}; charset=utf-8", "content-length": str(len(body)), **more}
    await _start(send, request_id, status, said)
    await _write(send, body, more=False)


def _errors(failure: Exception, request_id: str, said: dict[str, Any]) -> bytes:
    if isinstance(failure, Stopping):
        failure = Refusal(503, UNAVAILABLE, "The server stops: ask again.")
    return with_request_id(told_of(failure, said), request_id)


def _next(body: bytes) -> bytes:
    # PostgreSQL breaks the lines of a list; a line of an event ends it.
    return b"event: next\ndata: " + body.replace(b"\n", b" ") + b"\n\n"


async def _start(send: Any, request_id: str, status: int = 200, said: dict[str, str] | None = None) -> None:
    headers = {
        "content-type": f"{EVENT_STREAM.decode()}; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-request-id": request_id,
        **(said or {}),
    }
    noted().status = status
    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": listed})


async def _write(send: Any, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
