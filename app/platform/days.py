"""Days and instants: a day is the organisation's, kept as whole days since 1970-01-01."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_FIRST = date(1970, 1, 1)
_WHOLE_QUARTERS_SINCE = 1980


def day_number(day: date) -> int:
    return (day - _FIRST).days


def day_of(number: int) -> date:
    return _FIRST + timedelta(days=number)


def local_day(instant: datetime, zone: ZoneInfo) -> int:
    """The organisation's calendar day in which an instant falls."""
    # Since then every zone is ahead or behind by whole quarters of an hour, so a quarter lies in one day.
    if instant.year < _WHOLE_QUARTERS_SINCE:
        return day_number(instant.astimezone(zone).date())
    return _day_of_quarter(int(instant.timestamp()) // 900, zone)


@lru_cache(maxsize=10_000)
def _day_of_quarter(quarter: int, zone: ZoneInfo) -> int:
    return day_number(datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).date())


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of that local day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
