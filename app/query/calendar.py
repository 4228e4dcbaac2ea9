"""Days as parts of months and years, in the words of each database."""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.platform.database import Instant


class _OfDay(FunctionElement[int]):
    """Of a day number."""

    type = BigInteger()
    inherit_cache = True


class YearOf(_OfDay):
    """The calendar year."""

    name = "year_of"
    inherit_cache = True


class YearStart(_OfDay):
    """The first day of its year."""

    name = "year_start"
    inherit_cache = True


class MonthStart(_OfDay):
    """The first day of its month."""

    name = "month_start"
    inherit_cache = True


class StartUtc(FunctionElement[Any]):
    """The instant at which it begins in UTC; in SQLite a text that sorts just before all of that day's."""

    name = "start_utc"
    type = Instant()
    inherit_cache = True


_POSTGRESQL_DAY = "(date '1970-01-01' + CAST({0} AS integer))"
_PATTERNS: dict[type[FunctionElement[Any]], tuple[str, str]] = {
    YearOf: (
        "CAST(strftime('%Y', {0} * 86400, 'unixepoch') AS INTEGER)",
        f"CAST(extract(year FROM {_POSTGRESQL_DAY}) AS bigint)",
    ),
    YearStart: (
        "CAST(strftime('%s', {0} * 86400, 'unixepoch', 'start of year') AS INTEGER) / 86400",
        f"CAST(CAST(date_trunc('year', {_POSTGRESQL_DAY}) AS date) - date '1970-01-01' AS bigint)",
    ),
    MonthStart: (
        "CAST(strftime('%s', {0} * 86400, 'unixepoch', 'start of month') AS INTEGER) / 86400",
        f"CAST(CAST(date_trunc('month', {_POSTGRESQL_DAY}) AS date) - date '1970-01-01' AS bigint)",
    ),
    # Every connection of ours is in UTC.
    StartUtc: ("date({0} * 86400, 'unixepoch')", f"CAST({_POSTGRESQL_DAY} AS timestamptz)"),
}


def _spell(element: type[FunctionElement[Any]], dialect: str, pattern: str) -> None:
    @compiles(element, dialect)
    def spell(node: Any, compiler: Any, **options: Any) -> str:
        day = compiler.process(next(iter(node.clauses)), **options)
        return f"({pattern.format(f'({day})')})"


for each, (in_sqlite, in_postgresql) in _PATTERNS.items():
    _spell(each, "sqlite", in_sqlite)
    _spell(each, "postgresql", in_postgresql)
