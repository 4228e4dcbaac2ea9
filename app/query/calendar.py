"""Days as parts of months and years, in the words of each database."""

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


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


_POSTGRESQL_DAY = "(date '1970-01-01' + CAST({0} AS integer))"
_PATTERNS: dict[type[_OfDay], tuple[str, str]] = {
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
}


def _spell(element: type[_OfDay], dialect: str, pattern: str) -> None:
    @compiles(element, dialect)
    def spell(node: Any, compiler: Any, **options: Any) -> str:
        day = compiler.process(next(iter(node.clauses)), **options)
        return f"({pattern.format(f'({day})')})"


for each, (in_sqlite, in_postgresql) in _PATTERNS.items():
    _spell(each, "sqlite", in_sqlite)
    _spell(each, "postgresql", in_postgresql)
