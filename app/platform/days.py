"""Days and instants: a day is the organisation's, kept as whole days since 1970-01-01."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_FIRST = date(1970, 1, 1)


def day_number(day: date) -> int:
    return (day - _FIRST).days


def day_of(number: int) -> date:
    return _FIRST + timedelta(days=number)


def local_day(instant: datetime, zone: ZoneInfo) -> int:
    """The organisation's calendar day in which an instant falls."""
    return day_number(instant.astimezone(zone).date())


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of that local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
