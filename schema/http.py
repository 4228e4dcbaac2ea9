"""GraphQL over HTTP: a request is read, its caller known, its document looked up, run, and answered.

bytes -> JSON -> credentials -> document (parsed and validated once) -> one of two lanes -> an answer without anybody's
values in its errors. `x-guanxi-lane` tells which lane: `sql` sends the statement's JSON as it comes, `core` is
graphql-core completing what Python computes.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from random import getrandbits
from typing import Any
from uuid import UUID

import orjson
from anyio.to_thread import run_sync
from graphql import ExecutionResult, GraphQLError, execute
from graphql.execution.values import VariableValues
from sqlalchemy import Engine

from app.platform.access import Caller
from app.platform.refusals import BadInput, Unauthenticated
from app.query.fetch import Reader
from schema import access, bounds, lane, written
from schema.answer import MOST_ERRORS, failed, formatted, told
from schema.context import Asked
from schema.documents import Document, Documents, Invalid, Operation, document
from schema.given import Segments
from schema.plan import Planner
from schema.request import (
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
)
from schema.scalars import parse_instant
from schema.schema import coverage, graphql_schema

CLOCKS = (1900, 9000)  # beyond them days and time zones run out
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
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


# Who a request's credentials name; raises Unauthenticated.
Callers = Callable[[Scope, Headers], Awaitable[Caller]]


class Endpoint:
    """An ASGI application that answers POST and GET at one path. `served`: how many answers each lane gave."""

    def __init__(self, engine: Engine, reader: Reader, callers: Callers, *, test_clock: bool = False) -> None:
        self._engine, self._reader, self._callers, self._test_clock = engine, reader, callers, test_clock
        self.documents = Documents()
        self.served: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        given_id = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given_id if given_id and _REQUEST_ID.fullmatch(given_id) else f"{getrandbits(128):032x}"
        as_graphql = wants_graphql(headers)
        status, lane_name, body, more = await self._answered(scope, headers, receive, as_graphql)
        if isinstance(body, dict):
            for error in body.get("errors", ()):
                error.setdefault("extensions", {})["requestId"] = request_id
            body = orjson.dumps(body)
        elif body.startswith(b'{"errors"'):
            whole = orjson.loads(body)
            for error in whole["errors"]:
                error["extensions"]["requestId"] = request_id
            body = orjson.dumps(whole)
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

    async def _answered(
        self, scope: Scope, headers: Headers, receive: Receive, as_graphql: bool
    ) -> tuple[int, str, Body, dict[str, str]]:
        """Status, lane, body and further headers."""
        try:
            lane_name, body = await self._answer(scope, headers, receive)
        except Refusal as refusal:
            # A well-formed request that is refused is no transport error for those who asked for plain JSON.
            well_formed = refusal.status == 400 and refusal.code not in ("BAD_REQUEST", "OPERATION_RESOLUTION_FAILURE")
            status = 200 if well_formed and not as_graphql else refusal.status
            error = {"message": refusal.message, "extensions": {"code": refusal.code}}
            return status, "core", {"errors": [error]}, refusal.headers
        except Invalid as invalid:
            errors = [
                formatted(error) | {"extensions": {"code": invalid.code}} for error in invalid.errors[:MOST_ERRORS]
            ]
            return 400 if as_graphql else 200, "core", {"errors": errors}, {}
        except Exception as failure:  # noqa: BLE001 - told without a word of it
            return 500, "core", {"errors": [failed(GraphQLError("", original_error=failure))]}, {}
        refused = isinstance(body, dict) and "data" not in body
        return 400 if refused and as_graphql else 200, lane_name, body, {}

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive) -> tuple[str, Body]:
        given = await read(scope, headers, receive)
        now, was_set = self._clock(headers)
        try:
            caller = await self._callers(scope, headers)
        except Unauthenticated as refused:
            raise Refusal(401, "UNAUTHENTICATED", str(refused), {"www-authenticate": "Bearer"}) from None
        found = self.documents.known(given.text)
        if found is None:
            # Validation takes its time: it is done aside, so that nobody else waits for it.
            found = await run_sync(document, given.text)
            self.documents.keep(given.text, found)
        operation = found.operation(given.operation_name)
        if not operation.reads and scope["method"] == "GET":
            raise Refusal(405, "BAD_REQUEST", "By GET only queries are answered.", {"allow": "POST"})
        key = headers.get(b"idempotency-key")
        asked = Asked(self._engine, self._reader, caller, now, was_set, key.decode("latin-1") if key else None)
        verdict = operation.verdict(caller.may)
        if verdict.refused is not None:
            raise Refusal(400, "FORBIDDEN_FIELD", str(verdict.refused))
        variables = operation.coerced(given.variables or {})
        if isinstance(variables, VariableValues):
            if verdict.watched:
                _refuse_names(verdict, caller, variables)
            if operation.reads:
                past = was_set and await run_sync(asked.something_later)
                body = await lane.answer(self._reader, operation, variables, caller, now, past)
                if body is not None:
                    return "sql", body
            else:
                body = await written.answer(asked, operation, variables)
                if body is not None:
                    return "sql", body
            if not asked.done:
                await asked.read_segments(_refuse_arguments(operation, variables, caller, now))
        return "core", await _completed(found, given, asked)

    def _clock(self, headers: Headers) -> tuple[datetime, bool]:
        given = headers.get(b"x-guanxi-now")
        if given is None:
            return datetime.now(UTC), False
        if not self._test_clock:
            raise Refusal(400, "BAD_REQUEST", "This server does not take X-Guanxi-Now.")
        try:
            now = parse_instant(given.decode("latin-1"))
        except GraphQLError:
            raise Refusal(400, "BAD_REQUEST", "X-Guanxi-Now is an instant of RFC 3339 with an offset.") from None
        if not CLOCKS[0] <= now.year <= CLOCKS[1]:
            raise Refusal(400, "BAD_REQUEST", f"X-Guanxi-Now lies from {CLOCKS[0]} to {CLOCKS[1]}.")
        return now, True


def _refuse_names(verdict: access.Verdict, caller: Caller, variables: VariableValues) -> None:
    """What variables name is refused as if it stood in the document."""
    try:
        access.refuse(coverage, verdict, caller.may, variables.coerced)
    except access.ForbiddenField as refused:
        raise Refusal(400, "FORBIDDEN_FIELD", str(refused)) from None


def _refuse_arguments(operation: Operation, variables: VariableValues, caller: Caller, now: datetime) -> set[UUID]:
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


async def _completed(found: Document, given: Given, asked: Asked) -> dict[str, Any]:
    result = execute(
        graphql_schema,
        found.node,
        context_value=asked,
        variable_values=given.variables,
        operation_name=given.operation_name,
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    return told(result, asked)
