"""Numbers rounded and printed, days and instants printed, as the API does."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor


def half_away(value: Fraction) -> int:
    """The nearest whole number, a half going away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def rounded(value: Fraction, decimals: int) -> float:
    return half_away(value * 10**decimals) / 10**decimals


def money(minor: int, exponent: int) -> str:
    return f"{Decimal(minor).scaleb(-exponent):f}"


def plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def instant_text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
