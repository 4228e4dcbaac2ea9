"""GraphQL over HTTP: a request is read, its caller known, its document looked up, run, and answered.

bytes -> JSON -> credentials -> document (parsed and validated once) -> execution -> an answer without anybody's values in its errors
"""

import logging
import re
import sqlite3
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from anyio.to_thread import run_sync
from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import Response

from app.platform.access import Caller
from app.platform.refusals import BadInput, Forbidden, Unauthenticated
from app.query.fetch import Reader
from schema import bounds
from schema.context import Asked
from schema.plan import Planner
from schema.scalars import parse_instant
from schema.schema import graphql_schema

LARGEST_BODY, LARGEST_DOCUMENT, MOST_TOKENS, MOST_ERRORS = 256 * 1024, 64 * 1024, 2_000, 10
CLOCKS = (1900, 9000)  # beyond them days and time zones run out
GRAPHQL_JSON, PLAIN_JSON = "application/graphql-response+json", "application/json"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
log = logging.getLogger("guanxi.request")


class Refusal(Exception):
    """A request that is answered before anything runs."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


class Documents:
    """Documents that were parsed and validated before, up to so many characters of them in all."""

    def __init__(self, most: int = 1_000_000) -> None:
        self._known: OrderedDict[str, DocumentNode] = OrderedDict()
        self._most, self._size = most, 0

    def known(self, text: str) -> DocumentNode | None:
        """A document that was seen before."""
        found = self._known.get(text)
        if found is not None:
            self._known.move_to_end(text)
        return found

    def document(self, text: str) -> DocumentNode:
        """The document; raises Refusal with the first of its errors, or with all that validation found."""
        try:
            made = parse(text, max_tokens=MOST_TOKENS)
        except GraphQLSyntaxError as error:
            raise Invalid("GRAPHQL_PARSE_FAILED", [error]) from None
        except RecursionError:
            raise Refusal(400, "GRAPHQL_PARSE_FAILED", "The document nests too deeply.") from None
        try:
            bounds.shape(made)
        except bounds.TooMuch as too_much:
            raise Refusal(400, too_much.code, too_much.message) from None
        errors = validate(graphql_schema, made, max_errors=MOST_ERRORS)
        if errors:
            raise Invalid("GRAPHQL_VALIDATION_FAILED", errors)
        self._known[text] = made
        self._size += len(text)
        while self._size > self._most:
            dropped, _ = self._known.popitem(last=False)
            self._size -= len(dropped)
        return made


class Invalid(Exception):
    """A document that is none."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code, self.errors = code, errors


class Endpoint:
    """Answers POST and GET at one path. `caller_of`: who a request's credentials name; raises Unauthenticated."""

    def __init__(
        self, engine: Engine, reader: Reader, caller_of: Callable[[Request], Caller], *, test_clock: bool = False
    ) -> None:
        self._engine, self._reader, self._caller_of, self._test_clock = engine, reader, caller_of, test_clock
        self._documents = Documents()

    async def __call__(self, request: Request) -> Response:
        given = request.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        as_graphql = _wants_graphql(request.headers.get("accept", ""))
        headers = {"x-request-id": request_id, "cache-control": "no-store"}
        try:
            status, body = await self._answer(request)
        except Refusal as refusal:
            headers |= refusal.headers
            body = {"errors": [{"message": refusal.message, "extensions": {"code": refusal.code}}]}
            # A well-formed request that is refused is no transport error for those who asked for plain JSON.
            well_formed = refusal.status == 400 and refusal.code not in ("BAD_REQUEST", "OPERATION_RESOLUTION_FAILURE")
            status = 200 if well_formed and not as_graphql else refusal.status
        except Invalid as invalid:
            body = {
                "errors": [
                    told | {"extensions": {"code": invalid.code}}
                    for told in (_formatted(error) for error in invalid.errors[:MOST_ERRORS])
                ]
            }
            status = 400 if as_graphql else 200
        else:
            if "data" not in body:
                status = 400 if as_graphql else 200
        for error in body.get("errors", ()):
            error.setdefault("extensions", {})["requestId"] = request_id
        media = f"{GRAPHQL_JSON if as_graphql else PLAIN_JSON}; charset=utf-8"
        return Response(orjson.dumps(body), status, {**headers, "content-type": media})

    async def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        text, operation_name, variables = await _parameters(request)
        now, was_set = self._clock(request)
        try:
            caller = await run_sync(self._caller_of, request)
        except Unauthenticated as refused:
            raise Refusal(401, "UNAUTHENTICATED", str(refused), {"www-authenticate": "Bearer"}) from None
        known = self._documents.known(text)
        # Validation takes its time: it is done aside, so that nobody else waits for it.
        document = known if known is not None else await run_sync(self._documents.document, text)
        operation = _operation(document, operation_name)
        if request.method == "GET" and operation.operation is not OperationType.QUERY:
            raise Refusal(405, "BAD_REQUEST", "By GET only queries are answered.", {"allow": "POST"})
        self._refuse_arguments(document, operation, variables, caller, now)
        asked = Asked(self._engine, self._reader, caller, now, was_set, request.headers.get("idempotency-key"))
        result = await _run(document, operation_name, variables, asked)
        return 200, _told(result, asked)

    def _refuse_arguments(
        self, document: DocumentNode, operation: OperationDefinitionNode, variables: Any, caller: Caller, now: datetime
    ) -> None:
        """What cannot be asked is refused whole: no field before it runs, no mutation is done whose answer cannot be told."""
        coerced = get_variable_values(graphql_schema, operation.variable_definitions or (), variables or {})
        if isinstance(coerced, list):
            return  # execution tells what is wrong with them
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        try:
            bounds.arguments(graphql_schema, operation, Planner(graphql_schema, fragments, coerced, caller, now))
        except BadInput as refused:
            raise Refusal(400, "BAD_USER_INPUT", str(refused)) from None
        except GraphQLError:
            return

    def _clock(self, request: Request) -> tuple[datetime, bool]:
        given = request.headers.get("x-guanxi-now")
        if given is None:
            return datetime.now(UTC), False
        if not self._test_clock:
            raise Refusal(400, "BAD_REQUEST", "This server does not take X-Guanxi-Now.")
        try:
            now = parse_instant(given)
        except GraphQLError:
            raise Refusal(400, "BAD_REQUEST", "X-Guanxi-Now is an instant of RFC 3339 with an offset.") from None
        if not CLOCKS[0] <= now.year <= CLOCKS[1]:
            raise Refusal(400, "BAD_REQUEST", f"X-Guanxi-Now lies from {CLOCKS[0]} to {CLOCKS[1]}.")
        return now, True


async def _run(
    document: DocumentNode, operation_name: str | None, variables: dict[str, Any] | None, asked: Asked
) -> ExecutionResult:
    result = execute(
        graphql_schema, document, context_value=asked, variable_values=variables, operation_name=operation_name
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    return result


# ------------------------------------------------------------------ reading a request


async def _parameters(request: Request) -> tuple[str, str | None, dict[str, Any] | None]:
    given = _from_query(request) if request.method == "GET" else await _from_body(request)
    text, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    if not isinstance(text, str) or not text.strip():
        raise Refusal(400, "BAD_REQUEST", "A request has a document in `query`, as a string.")
    if len(text.encode(errors="surrogatepass")) > LARGEST_DOCUMENT:
        raise Refusal(413, "BAD_REQUEST", f"A document has at most {LARGEST_DOCUMENT // 1024} KiB.")
    if name is not None and not isinstance(name, str):
        raise Refusal(400, "BAD_REQUEST", "`operationName` is a string.")
    if variables is not None and not isinstance(variables, dict):
        raise Refusal(400, "BAD_REQUEST", "`variables` is an object.")
    if given.get("extensions") is not None and not isinstance(given["extensions"], dict):
        raise Refusal(400, "BAD_REQUEST", "`extensions` is an object.")
    return text, name or None, variables


def _from_query(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query_params)
    for key in ("variables", "extensions"):
        if key in found:
            found[key] = _json(found[key].encode()) if found[key] else None
    return found


async def _from_body(request: Request) -> dict[str, Any]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != PLAIN_JSON:
        raise Refusal(415, "BAD_REQUEST", "A request is posted as application/json.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(415, "BAD_REQUEST", "A request is posted without content encoding.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refusal(413, "BAD_REQUEST", f"A request has at most {LARGEST_BODY // 1024} KiB.")
    found = _json(body)
    if not isinstance(found, dict):
        raise Refusal(400, "BAD_REQUEST", "A request is a JSON object.")
    return found


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise Refusal(400, "BAD_REQUEST", "This is not JSON in UTF-8.") from None


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    chosen = [each for each in operations if name is None or (each.name and each.name.value == name)]
    if len(chosen) != 1:
        raise Refusal(400, "OPERATION_RESOLUTION_FAILURE", "Name one of the document's operations in `operationName`.")
    return chosen[0]


def _wants_graphql(accept: str) -> bool:
    """The first of the two media types that is named; plain JSON when neither is."""
    for part in accept.lower().split(","):
        media = part.partition(";")[0].strip()
        if media in (GRAPHQL_JSON, PLAIN_JSON):
            return media == GRAPHQL_JSON
    return False


# ------------------------------------------------------------------ telling an answer


def _told(result: ExecutionResult, asked: Asked) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [_error(error) for error in result.errors[:MOST_ERRORS]]
    # A request error has no data at all; a field's error has a path.
    if not (result.data is None and all(error.path is None for error in result.errors or ())):
        body["data"] = result.data
    if asked.extensions:
        body["extensions"] = asked.extensions
    return body


def _error(error: GraphQLError) -> dict[str, Any]:
    told: dict[str, Any] = dict(error.formatted)
    told["extensions"] = dict(told.get("extensions") or {})
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    match cause:
        case BadInput():
            told["extensions"]["code"] = "BAD_USER_INPUT"
        case Forbidden():
            told["extensions"]["code"] = "FORBIDDEN"
        case None | GraphQLError():
            told["extensions"].setdefault("code", "BAD_USER_INPUT")
            told["message"] = _without_values(error.message)
        case _:
            timed_out = isinstance(cause, OperationalError) and _took_too_long(cause.orig)
            told["extensions"]["code"] = "TIMEOUT" if timed_out else "INTERNAL_SERVER_ERROR"
            told["message"] = "This took too long." if timed_out else "Something went wrong on our side."
            # The class and place are enough to find it; the message could hold somebody's values.
            log.error(
                "field %s failed: %s",
                ".".join(map(str, error.path or ())),
                type(cause).__name__,
                exc_info=None if timed_out else _bare(cause),
            )
    return told


def _formatted(error: GraphQLError) -> dict[str, Any]:
    return {**error.formatted, "message": _without_values(error.message)}


def _took_too_long(error: BaseException | None) -> bool:
    """A statement was cancelled at its time limit, or waited too long for another's lock."""
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY)
    return getattr(error, "sqlstate", None) in ("57014", "55P03")


def _bare(error: BaseException) -> Any:
    """The exception's class and traceback, without its message."""
    kind = type(error)
    return (Exception, Exception(kind.__name__), error.__traceback__)


# What graphql-core says of a wrong value, and how it is said without the value.
_QUOTING = (
    (r"( cannot represent [a-z0-9 -]*value): .*", r"\1."),
    (r"Value '.*' does not exist in '(\w+)' enum\.", r"This does not exist in the enum '\1'."),
    (r"(,|\.( Did you mean .*)?) [Ff]ound: .*", r".\2"),
    (r" unknown field '(?![_A-Za-z]\w*').*", " an unknown field."),
    (r"(Syntax Error: .*(?:String|Int|Float)) '.*'", r"\1"),
    (r"(Syntax Error: Invalid [\w ]+ escape sequence): .*", r"\1."),
)


def _without_values(message: str) -> str:
    for said, instead in _QUOTING:
        message = re.sub(said, instead, message, flags=re.DOTALL)
    return message
