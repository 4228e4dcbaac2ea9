"""Scalars of our own: each refuses at the door what a database would only refuse later, and never repeats what it was given."""

import datetime as dt
import decimal
import math
import re
from collections.abc import Callable
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, value_from_ast_untyped
from graphql.language import ObjectValueNode, ValueNode

from app.platform.access import exponent_of

DateTime = NewType("DateTime", dt.datetime)
Date = NewType("Date", dt.date)
Decimal = NewType("Decimal", decimal.Decimal)
SafeInt = NewType("SafeInt", int)
JSON = NewType("JSON", object)
CurrencyCode = NewType("CurrencyCode", str)

SAFE = 2**53 - 1
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,12})?", re.ASCII)


def _refuse(what: str) -> GraphQLError:
    return GraphQLError(what, extensions={"code": "BAD_USER_INPUT"})


def parse_instant(value: object) -> dt.datetime:
    """An instant with its offset; a naive one has no meaning here."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise _refuse('A DateTime is written like "2026-01-31T09:30:00Z" or with an offset like +08:00.')
    day, time, fraction, offset = found.groups()
    try:
        # A leap second is the second after it: clocks that smear it agree.
        instant = dt.datetime.fromisoformat(
            f"{day}T{time}.{(fraction or '0')[:6].ljust(6, '0')}{'+00:00' if offset in 'Zz' else offset}"
        )
        return instant.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise _refuse("There is no such instant.") from None


def parse_day(value: object) -> dt.date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise _refuse('A Date is written like "2026-01-31".')
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise _refuse("There is no such day.") from None


def parse_decimal(value: object) -> decimal.Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise _refuse('A Decimal is a string of at most 20 digits and 12 decimals, like "120.00".')
    return decimal.Decimal(value)


def parse_safe(value: object) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) > SAFE:
        raise _refuse("A SafeInt is a whole number up to 2^53-1 either way.")
    return value


def _parse_json(value: object) -> object:
    if not isinstance(value, dict) or not _finite(value):
        raise _refuse("This is to be a JSON object of finite numbers.")
    return value


def _finite(value: object) -> bool:
    # Breadth by a list, not by recursion: depth is for the attributes' own rules to judge.
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, float) and not math.isfinite(part):
            return False
        waiting.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
    return True


def _parse_json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> object:
    if not isinstance(node, ObjectValueNode):
        raise _refuse("This is to be a JSON object of finite numbers.")
    return _parse_json(value_from_ast_untyped(node, variables))


def _parse_currency(value: object) -> str:
    try:
        if isinstance(value, str) and value.isascii() and value.isupper():
            exponent_of(value)
            return value
    except ValueError:
        pass
    raise _refuse("This is not a currency code of ISO 4217, like EUR.")


def _as_is(value: Any) -> Any:
    """Answers are written by the database in the form that is promised; only defaults of the schema itself are Python's."""
    return str(value) if isinstance(value, decimal.Decimal) else value


def _scalar(name: str, description: str, parse: Callable[[object], object], url: str | None = None, **more: Any) -> Any:
    return strawberry.scalar(
        name=name, description=description, serialize=_as_is, parse_value=parse, specified_by_url=url, **more
    )


SCALARS: dict[object, Any] = {
    DateTime: _scalar(
        "DateTime",
        "An instant, RFC 3339 with an offset on input, printed in UTC with six fraction digits and Z, like "
        '"2026-01-31T09:30:00.000000Z". A naive value is refused.',
        parse_instant,
        "https://scalars.graphql.org/andimarek/date-time.html",
    ),
    Date: _scalar(
        "Date",
        'A calendar day, YYYY-MM-DD, like "2026-01-31".',
        parse_day,
        "https://scalars.graphql.org/andimarek/local-date.html",
    ),
    Decimal: _scalar("Decimal", 'An exact decimal, always a JSON string, never a float, like "120.00".', parse_decimal),
    SafeInt: _scalar("SafeInt", "A whole number up to 2^53-1 either way, as a JSON number.", parse_safe),
    JSON: _scalar(
        "JSON",
        'Any JSON object. As attributes: at most 16 KiB and 5 levels, like `{favouriteTea: "Longjing"}`.',
        _parse_json,
        parse_literal=_parse_json_literal,
    ),
    CurrencyCode: _scalar("CurrencyCode", "ISO 4217, upper case, like EUR.", _parse_currency),
}
