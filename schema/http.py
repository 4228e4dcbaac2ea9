"""GraphQL over HTTP: a request is read, its caller known, its document looked up, run, and answered.

bytes -> JSON -> credentials -> document (parsed and validated once) -> one of two lanes -> an answer without anybody's
values in its errors. `x-guanxi-lane` tells which lane: `sql` sends the statement's JSON as it comes, `core` is
graphql-core completing what Python computes.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any, Protocol
from uuid import UUID

import orjson
from anyio.to_thread import run_sync
from graphql import ExecutionResult, GraphQLError, execute
from graphql.execution.values import VariableValues
from sqlalchemy import Engine

from app.platform.access import Caller
from app.platform.away import away
from app.platform.limits import Limiter
from app.platform.records import Record, Records, noted
from app.platform.refusals import BadInput, Unauthenticated
from app.query.fetch import Reader
from schema import access, bounds, lane, written
from schema.answer import MOST_ERRORS, UNAVAILABLE, failed, formatted, told
from schema.charge import beside, charge, paid
from schema.context import Asked
from schema.documents import Document, Documents, Invalid, Operation, document
from schema.given import Segments
from schema.plan import Planner
from schema.request import (
    ANYTHING,
    GRAPHQL_JSON,
    PLAIN_JSON,
    Given,
    Headers,
    Receive,
    Refusal,
    Scope,
    headers_of,
    read,
    wants_graphql,
    wants_stream,
)
from schema.scalars import parse_instant
from schema.schema import coverage, graphql_schema
from schema.stored_documents import StoredDocuments

CLOCK = b"x-guanxi-now"
CLOCKS = (1900, 9000)  # beyond them days and time zones run out
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_ALWAYS = {
    (as_graphql, lane_name): [
        (b"content-type", f"{GRAPHQL_JSON if as_graphql else PLAIN_JSON}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"x-guanxi-lane", lane_name.encode()),
    ]
    for as_graphql in (True, False)
    for lane_name in ("sql", "core")
}
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Body = bytes | dict[str, Any]


class Callers(Protocol):
    """Who a request's credentials name."""

    def known(self, headers: Headers) -> Caller | None:
        """What is known at once."""

    async def __call__(self, scope: Scope, headers: Headers) -> Caller:
        """Raises Unauthenticated."""


class Endpoint:
    """An ASGI application that answers POST and GET at one path. `served`: how many answers each lane gave."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        callers: Callers,
        *,
        limiter: Limiter | None = None,
        stored: StoredDocuments | None = None,
        test_clock: bool = False,
    ) -> None:
        self._engine, self._reader, self._callers, self._test_clock = engine, reader, callers, test_clock
        self.limiter = limiter
        self.documents, self.stored = Documents(), stored or StoredDocuments()
        self.served: Counter[str] = Counter()
        self.records = Records()
        # Who answers those that accept server-sent events first.
        self.events: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        request_id = request_id_of(headers)
        accept, as_graphql = headers.get(b"accept", b"*/*"), False
        if accept not in ANYTHING:
            if self.events is not None and wants_stream(accept):
                await self.events(scope, headers, receive, send, request_id)
                return
            as_graphql = wants_graphql(accept)
        record = self.records.begin(request_id, "http", headers.get(b"traceparent", b""))
        # What is said beside an answer is said beside a refusal too, as far as it is known by then.
        beside_it: dict[str, Any] = {}
        try:
            lane_name, body = await self._answer(scope, headers, receive, record, beside_it)
            no_data = type(body) is dict and "data" not in body
            status, more = 400 if no_data and as_graphql else 200, None
        except Exception as failure:  # noqa: BLE001 - told without a word of it
            lane_name, (status, body, more) = "core", refused(failure, beside_it, as_graphql)
        if isinstance(body, dict) or body.startswith(b'{"errors"'):
            body = with_request_id(body, request_id)
        self.served[lane_name] += 1
        said = [
            *_ALWAYS[as_graphql, lane_name],
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
        ]
        if more:
            said += [(name.encode(), value.encode()) for name, value in more.items()]
        await send({"type": "http.response.start", "status": status, "headers": said})
        await send({"type": "http.response.body", "body": body})
        record.status, record.lane = status, lane_name
        self.records.end(record)

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, record: Record, said: dict[str, Any]
    ) -> tuple[str, Body]:
        given = await read(scope, headers, receive)
        clock = self.clock(headers) if CLOCK in headers else None
        caller = record.caller = self._callers.known(headers) or await self.caller(scope, headers)
        found = self.documents.known(self.stored.text(given)) if given.named is None else None
        if found is None:
            found = await self.document(given)
        operation = found.operation(given.operation_name)
        record.document, record.asked = found.hash, operation.told
        if not operation.reads and scope["method"] == "GET":
            raise Refusal(405, "BAD_REQUEST", "By GET only queries are answered.", {"allow": "POST"})
        key = headers.get(b"idempotency-key")
        asked = self.asked(caller, clock, key.decode("latin-1") if key else None, said)
        return await self.run(found, operation, given, asked)

    async def document(self, given: Given) -> Document:
        """The one that is asked; raises Invalid and Refusal."""
        text = self.stored.text(given)
        found = self.documents.known(text)
        if found is None:
            # Validation takes its time: it is done aside, so that nobody else waits for it.
            found = await run_sync(document, text)
            self.documents.keep(text, found)
            self.stored.note(text)
        if given.named is not None:
            self.stored.keep(given)
        return found

    def asked(
        self,
        caller: Caller,
        clock: datetime | None,
        idempotency_key: str | None = None,
        said: dict[str, Any] | None = None,
    ) -> Asked:
        """`said`: takes what is told beside the answer."""
        now, said = clock or datetime.now(UTC), {} if said is None else said
        return Asked(self._engine, self._reader, caller, now, clock is not None, idempotency_key, said)

    async def run(self, found: Document, operation: Operation, given: Given, asked: Asked) -> tuple[str, Body]:
        """A query or a mutation: which lane answered it, and the answer."""
        if not operation.reads and operation.subscribes:
            raise Refusal(400, "BAD_REQUEST", "Subscribe with Accept: text/event-stream first, or over WebSocket.")
        caller, now = asked.caller, asked.now
        verdict = operation.verdict(caller.may)
        if verdict.refused is not None:
            raise Refusal(400, "FORBIDDEN_FIELD", str(verdict.refused))
        variables = operation.coerced(given.variables or {})
        if isinstance(variables, VariableValues):
            if verdict.watched:
                refuse_names(verdict, caller, variables)
            price = operation.price.of(variables.coerced)
            if not paid(self.limiter, asked, price):
                await charge(self.limiter, asked, price)
            if operation.reads:
                past = asked.set_clock and await run_sync(asked.something_later)
                body = (
                    await lane.answer(self._reader, operation, variables, caller, now, past, beside(asked))
                    if verdict.whole
                    else None
                )
            else:
                body = await written.answer(asked, operation, variables) if verdict.whole else None
            if body is not None:
                return "sql", body
            if not asked.done:
                await asked.read_segments(refuse_arguments(operation, variables, caller, now))
        return "core", await completed(found, given, asked)

    async def caller(self, scope: Scope, headers: Headers) -> Caller:
        """Raises Refusal."""
        try:
            return await self._callers(scope, headers)
        except Unauthenticated as refused:
            raise Refusal(401, "UNAUTHENTICATED", str(refused), {"www-authenticate": "Bearer"}) from None

    def clock(self, headers: Headers) -> datetime | None:
        """The clock that came with the request, where that is allowed."""
        given = headers.get(CLOCK)
        if given is None:
            return None
        if not self._test_clock:
            raise Refusal(400, "BAD_REQUEST", "This server does not take X-Guanxi-Now.")
        try:
            now = parse_instant(given.decode("latin-1"))
        except GraphQLError:
            raise Refusal(400, "BAD_REQUEST", "X-Guanxi-Now is an instant of RFC 3339 with an offset.") from None
        if not CLOCKS[0] <= now.year <= CLOCKS[1]:
            raise Refusal(400, "BAD_REQUEST", f"X-Guanxi-Now lies from {CLOCKS[0]} to {CLOCKS[1]}.")
        return now


def request_id_of(headers: Headers) -> str:
    """The one that came with the request, or a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{getrandbits(128):032x}"


def with_request_id(body: Body, request_id: str) -> bytes:
    """The answer as bytes; each of its errors carries the request's id, and its code is noted."""
    whole: dict[str, Any] = body if isinstance(body, dict) else orjson.loads(body)
    codes = set()
    for error in whole.get("errors", ()):
        extensions = error.setdefault("extensions", {})
        extensions["requestId"] = request_id
        codes.add(extensions.get("code", "UNKNOWN"))
    if codes:
        noted().codes = tuple(sorted(codes))
    return orjson.dumps(whole)


def refused(
    failure: Exception, said: dict[str, Any], as_graphql: bool
) -> tuple[int, dict[str, Any], Mapping[str, str] | None]:
    """Status, body and further headers of an answer to a request that came to nothing."""
    if gone := None if isinstance(failure, Refusal) else unavailable(failure):
        return gone.status, told_of(gone, said), gone.headers
    if not isinstance(failure, Refusal):
        status = (400 if as_graphql else 200) if isinstance(failure, Invalid) else 500
        return status, told_of(failure, said), None
    # A well-formed request that is refused is no transport error for those who asked for plain JSON.
    well_formed = failure.status == 400 and failure.code not in ("BAD_REQUEST", "OPERATION_RESOLUTION_FAILURE")
    return 200 if well_formed and not as_graphql else failure.status, told_of(failure, said), failure.headers


def told_of(failure: Exception, said: dict[str, Any]) -> dict[str, Any]:
    """The body of an answer to a request that came to nothing; `said` stands beside its errors."""
    body: dict[str, Any] = {"errors": errors_of(failure)}
    return body | {"extensions": said} if said else body


def unavailable(failure: Exception) -> Refusal | None:
    """What is said where the database is away; it may be asked again unless it may have been done."""
    gone = away(failure)
    if gone is None:
        return None
    if gone.unknown:
        told = "The database went away while this was committed: whether it was done is not known."
        return Refusal(503, UNAVAILABLE, f"{told} With an idempotency key it could be sent again.")
    return Refusal(503, UNAVAILABLE, "The database cannot be reached: ask again.", {"retry-after": "1"})


def status_of(failure: Exception) -> int:
    """What HTTP says of a request that came to nothing."""
    return failure.status if isinstance(failure, Refusal) else 400 if isinstance(failure, Invalid) else 500


def errors_of(failure: Exception) -> list[dict[str, Any]]:
    """What a request is told that came to nothing."""
    match failure:
        case Refusal():
            extensions: dict[str, Any] = {"code": failure.code}
            # Over a transport without headers it stands here alone.
            if "retry-after" in failure.headers:
                extensions["retryAfter"] = int(failure.headers["retry-after"])
            return [{"message": failure.message, "extensions": extensions}]
        case Invalid():
            told = {"extensions": {"code": failure.code}}
            return [formatted(error) | told for error in failure.errors[:MOST_ERRORS]]
    return [failed(GraphQLError("", original_error=failure))]


def refuse_names(verdict: access.Verdict, caller: Caller, variables: VariableValues) -> None:
    """What variables name is refused as if it stood in the document."""
    try:
        access.refuse(coverage, verdict, caller.may, variables.coerced)
    except access.ForbiddenField as refused:
        raise Refusal(400, "FORBIDDEN_FIELD", str(refused)) from None


def refuse_arguments(operation: Operation, variables: VariableValues, caller: Caller, now: datetime) -> set[UUID]:
    """What cannot be asked is refused whole: no field before it runs, no mutation is done whose answer cannot be told.
    Returns the segments that its filters name."""
    named = Segments({})
    planner = Planner(graphql_schema, operation.fragments, variables, caller, now, segments=named)
    try:
        bounds.arguments(graphql_schema, operation.node, planner)
    except BadInput as refused:
        raise Refusal(400, "BAD_USER_INPUT", str(refused)) from None
    except GraphQLError:
        pass  # execution tells what is wrong
    return named.named


async def completed(found: Document, given: Given, asked: Asked, root: Any = None) -> dict[str, Any]:
    """What graphql-core makes of it; `root`: what happened, of a subscription."""
    result = execute(
        graphql_schema,
        found.node,
        root,
        context_value=asked,
        variable_values=given.variables,
        operation_name=given.operation_name,
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    return told(result, asked)
