"""What a request says: its bytes bounded and read, before anything is looked up."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping
from dataclasses import dataclass
from types import coroutine
from typing import Any
from urllib.parse import parse_qsl

from schema.strict_json import NotJSON, parsed

LARGEST_BODY, LARGEST_DOCUMENT = 256 * 1024, 64 * 1024
BODY_SECONDS = 10.0
_DIGITS = len(str(LARGEST_BODY))
HASH_PREFIX = "sha256:"
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
EVENT_STREAM = b"text/event-stream"
# What most accept: JSON, as ever.
ANYTHING = frozenset({b"*/*", b"application/json"})
GRAPHQL_JSON, PLAIN_JSON = "application/graphql-response+json", "application/json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]


class Refusal(Exception):
    """A request that is answered before anything runs."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


@dataclass
class Given:
    """A document, which of its operations is meant, and its variables as they were sent. `named`: the SHA-256 of the
    document, which may come without it."""

    text: str
    operation_name: str | None
    variables: dict[str, Any] | None
    named: str | None = None


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Header values by lower-case name; of several the first."""
    return dict(reversed(scope["headers"]))


async def read(scope: Scope, headers: Headers, receive: Receive) -> Given:
    """Raises Refusal for what is no GraphQL request."""
    if scope["method"] == "POST":
        _refuse_head(headers)
        reading = _whole(receive)
        try:
            # Nearly always it is there: only one that is waited for gets a deadline, which costs more than reading it.
            waits_for = reading.send(None)
        except StopIteration as whole:
            given = _object(whole.value)
        else:
            given = _object(await _in_time(reading.__await__(), waits_for))
    elif scope["method"] == "GET":
        given = _from_query(scope["query_string"])
    else:
        raise Refusal(405, "BAD_REQUEST", "Ask by POST, or by GET.", {"allow": "GET, POST"})
    return given_of(given)


def given_of(given: Mapping[str, Any]) -> Given:
    """Raises Refusal for what is no GraphQL request, or is too long."""
    text, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    extensions = given.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise Refusal(400, "BAD_REQUEST", "`extensions` is an object.")
    named = _hash_of(given, extensions or {}) if extensions or "documentId" in given else None
    if text is None and named:
        text = ""
    if not isinstance(text, str) or not (named or (text and not text.isspace())):
        raise Refusal(400, "BAD_REQUEST", "A request has a document in `query`, as a string.")
    if len(text) * 4 > LARGEST_DOCUMENT and len(text.encode(errors="surrogatepass")) > LARGEST_DOCUMENT:
        raise Refusal(413, "BAD_REQUEST", f"A document has at most {LARGEST_DOCUMENT // 1024} KiB.")
    if name is not None and not isinstance(name, str):
        raise Refusal(400, "BAD_REQUEST", "`operationName` is a string.")
    if variables is not None and not isinstance(variables, dict):
        raise Refusal(400, "BAD_REQUEST", "`variables` is an object.")
    return Given(text, name or None, variables, named)


def _hash_of(given: Mapping[str, Any], extensions: Mapping[str, Any]) -> str | None:
    """The hash by which a request names its document: of a trusted document, or as Apollo's clients do."""
    found = set()
    if given.get("documentId") is not None:
        found.add(_hash(given["documentId"], HASH_PREFIX, f"`documentId` is `{HASH_PREFIX}` and 64 hex digits."))
    persisted = extensions.get("persistedQuery")
    if persisted is not None:
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise Refusal(400, "BAD_REQUEST", "`persistedQuery` is an object, of version 1.")
        found.add(_hash(persisted.get("sha256Hash"), "", "`sha256Hash` is 64 hex digits."))
    if len(found) > 1:
        raise Refusal(400, "BAD_REQUEST", "A request names one document.")
    return found.pop() if found else None


def _hash(said: Any, prefix: str, message: str) -> str:
    found = said[len(prefix) :].lower() if isinstance(said, str) and said.startswith(prefix) else ""
    if not _HASH.fullmatch(found):
        raise Refusal(400, "BAD_REQUEST", message)
    return found


def _from_query(query_string: bytes) -> dict[str, Any]:
    if len(query_string) > LARGEST_BODY:
        raise _too_large()
    try:
        said = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Refusal(400, "BAD_REQUEST", "This is not a query string in UTF-8.") from None
    found: dict[str, Any] = dict(said)
    if len(found) != len(said):
        raise Refusal(400, "BAD_REQUEST", "A parameter is given once.")
    for key in ("variables", "extensions"):
        if key in found:
            found[key] = _json(found[key].encode()) if found[key] else None
    return found


def _refuse_head(headers: Headers) -> None:
    """Raises Refusal for what is no JSON, or too much."""
    media = headers.get(b"content-type", b"")
    if media != b"application/json" and media.partition(b";")[0].strip().lower() != b"application/json":
        raise Refusal(415, "BAD_REQUEST", "A request is posted as application/json.")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Refusal(415, "BAD_REQUEST", "A request is posted without content encoding.")
    length = headers.get(b"content-length", b"")
    # Of fewer digits it is none too many.
    if len(length) >= _DIGITS and length.isdigit() and (len(length) > _DIGITS or int(length) > LARGEST_BODY):
        raise _too_large()


def _object(body: bytes | bytearray) -> dict[str, Any]:
    found = _json(body)
    if not isinstance(found, dict):
        raise Refusal(400, "BAD_REQUEST", "A request is a JSON object.")
    return found


async def _in_time(reading: Generator[Any, Any, bytes | bytearray], waits_for: Any) -> bytes | bytearray:
    """A body may come byte by byte, or not at all."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _resumed(reading, waits_for)
    except TimeoutError:
        raise Refusal(408, "TIMEOUT", f"A request arrives within {BODY_SECONDS:.0f} seconds.", _CLOSE) from None


@coroutine
def _resumed(begun: Generator[Any, Any, bytes | bytearray], waits_for: Any) -> Generator[Any, Any, bytes | bytearray]:
    """What was begun, and waits."""
    yield waits_for
    return (yield from begun)


async def _whole(receive: Receive) -> bytes | bytearray:
    body: bytes | bytearray = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "BAD_REQUEST", "The request was not sent whole.")
        came, more = message.get("body", b""), message.get("more_body", False)
        if type(body) is bytearray:
            body += came
        else:
            body = bytearray(came) if more else came
        if len(body) > LARGEST_BODY:
            raise _too_large()
    return body


# What is still to come of a body that was not read is no next request.
_CLOSE = {"connection": "close"}


def _too_large() -> Refusal:
    return Refusal(413, "BAD_REQUEST", f"A request has at most {LARGEST_BODY // 1024} KiB.", _CLOSE)


def _json(body: bytes | bytearray) -> Any:
    try:
        return parsed(body)
    except NotJSON as wrong:
        raise Refusal(400, "BAD_REQUEST", str(wrong)) from None


def wants_stream(accept: bytes) -> bool:
    """Whether server-sent events are what is accepted first: many name them somewhere, and mean JSON."""
    return accept[:17].lower() == EVENT_STREAM and accept[17:18] in (b"", b",", b";", b" ")


def wants_graphql(accept: bytes) -> bool:
    """The first of the two media types that is accepted; plain JSON when neither is named."""
    for part in accept.decode("latin-1").lower().split(","):
        media = part.partition(";")[0].strip()
        if media in (GRAPHQL_JSON, PLAIN_JSON):
            return media == GRAPHQL_JSON
    return False
