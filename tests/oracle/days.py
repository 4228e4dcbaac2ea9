"""Days of a zone, and how long ago they were."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo


def local_day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def age(day: date, today: date) -> int:
    """Whole days, never less than 0: what still lies ahead is as good as today."""
    return max(0, (today - day).days)


def within(days: Iterable[date], window: int, today: date) -> int:
    """How many of the latest six are at most so many days old."""
    return sum(age(day, today) <= window for day in latest_six(days))


def latest_six(days: Iterable[date]) -> list[date]:
    return sorted(days)[-6:]
