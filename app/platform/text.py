"""Text and numbers as they may be stored: one verdict for both databases, made before either sees them."""

import re
import unicodedata
from decimal import Decimal
from typing import TypedDict

from app.platform.refusals import Code, Problems

# Tab and line feed are text; the other control characters, NUL among them, and halves of surrogate pairs are not.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
LONGEST_NAME = 200
LONGEST_BODY = 10_000
LARGEST = 2**53 - 1
MILLION = 1_000_000


class Ref(TypedDict):
    """Another system's name for a record."""

    system: str
    value: str


def fold(text: str) -> str:
    """What comparisons without case see: É and é meet, on both databases."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def folded(text: str | None) -> str | None:
    return None if text is None else fold(text)


def clean(
    problems: Problems, text: str | None, *path: str | int, longest: int = LONGEST_NAME, required: bool = False
) -> str | None:
    """Trimmed and composed (NFC); blank is None. Adds INVALID, TOO_LONG or REQUIRED."""
    if text is not None and _UNPRINTABLE.search(text):
        problems.add(Code.INVALID, "This text has a control character or half of a surrogate pair.", *path)
        return None
    text = unicodedata.normalize("NFC", text).strip() if text is not None else ""
    if len(text) > longest:
        problems.add(Code.TOO_LONG, f"At most {longest} characters.", *path)
        return None
    if not text and required:
        problems.add(Code.REQUIRED, "This may not be blank.", *path)
    return text or None


def clean_ref(problems: Problems, ref: Ref, *path: str | int) -> Ref | None:
    """An external reference with both its parts; adds what is wrong with either."""
    system = clean(problems, ref["system"], *path, "system", longest=100, required=True)
    value = clean(problems, ref["value"], *path, "value", longest=LONGEST_NAME, required=True)
    return {"system": system, "value": value} if system and value else None


def scaled(number: Decimal, decimals: int) -> int | None:
    """The number in units of 10^-decimals; None when it has more decimals than that or is larger than 2^53 - 1 of
    them."""
    # Beyond the context's 28 digits arithmetic would round, and say of a long number that it is a short one.
    if not number.is_finite() or number.adjusted() > 16 or len(number.as_tuple().digits) > 28:
        return None
    units = number.scaleb(decimals)
    return int(units) if units == units.to_integral_value() and abs(units) <= LARGEST else None


def half_away(numerator: int, denominator: int) -> int:
    """Their quotient, rounded half away from zero; the denominator is positive."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))
