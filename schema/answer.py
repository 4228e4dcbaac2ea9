"""How an answer is told: data, and errors with a code that hold nobody's values."""

import logging
import re
import sqlite3
from typing import Any

from graphql import ExecutionResult, GraphQLError
from sqlalchemy.exc import OperationalError

from app.platform.away import Away, away
from app.platform.refusals import BadInput, Forbidden
from schema.context import Asked

MOST_ERRORS = 10
UNAVAILABLE = "UNAVAILABLE"
log = logging.getLogger("guanxi.request")


def told(result: ExecutionResult, asked: Asked) -> dict[str, Any]:
    """The body of an answer that graphql-core completed. Raises Away."""
    body: dict[str, Any] = {}
    if result.errors:
        gone = [found for error in result.errors if (found := away(_cause(error)))]
        if gone and not asked.changed:
            # Nothing of it can be told, or was done.
            raise Away(unknown=any(each.unknown for each in gone))
        body["errors"] = [failed(error) for error in result.errors[:MOST_ERRORS]]
    # A request error has no data at all; a field's error has a path.
    if not (result.data is None and all(error.path is None for error in result.errors or ())):
        body["data"] = result.data
    if asked.extensions:
        body["extensions"] = asked.extensions
    return body


def failed(error: GraphQLError) -> dict[str, Any]:
    """An error of a field; what is not ours to show is masked, and logged without anybody's values."""
    told: dict[str, Any] = dict(error.formatted)
    told["extensions"] = dict(told.get("extensions") or {})
    cause = _cause(error)
    match cause:
        case BadInput():
            told["extensions"]["code"] = "BAD_USER_INPUT"
        case Forbidden():
            told["extensions"]["code"] = "FORBIDDEN"
        case None | GraphQLError():
            told["extensions"].setdefault("code", "BAD_USER_INPUT")
            told["message"] = _without_values(error.message)
        case _ if away(cause):
            told["extensions"]["code"] = UNAVAILABLE
            told["message"] = "The database cannot be reached."
        case _:
            timed_out = _took_too_long(cause.orig if isinstance(cause, OperationalError) else cause)
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


def _cause(error: GraphQLError) -> Exception | None:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def formatted(error: GraphQLError) -> dict[str, Any]:
    """An error of a document, without the values that it quotes."""
    return {**error.formatted, "message": _without_values(error.message)}


def _took_too_long(error: BaseException | None) -> bool:
    """A statement was cancelled at its time limit, or waited too long for another's lock."""
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY)
    return isinstance(error, TimeoutError) or getattr(error, "sqlstate", None) in ("57014", "55P03")


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
