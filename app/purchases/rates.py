"""Exchange rates: public knowledge that the operator imports; an order takes that of its own day, once and for good."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.customers import facts, lookup
from app.platform.days import day_number, day_of
from app.platform.refusals import OperatorError, Problems
from app.platform.text import LARGEST, half_away
from app.platform.work import Work
from app.purchases.facts import bought
from app.purchases.refunds import share_out
from app.purchases.rules import exponent_in
from app.purchases.tables import ExchangeRate, Purchase

COLUMNS = ("date", "base", "quote", "rate")
OLDEST_DAYS = 7
MOST_TOLD = 10
PICO = 10**12
LARGEST_RATE = Decimal(2**63 - 1).scaleb(-12)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RATE = re.compile(r"\d{1,10}(\.\d{1,12})?", re.ASCII)

Pair = tuple[str, str]
DayOf = tuple[str, int]


class Rate(NamedTuple):
    """What a unit of one currency is worth in another, as a fraction: a rate told the other way round stays exact."""

    numerator: int
    denominator: int
    source: str | None

    @property
    def e12(self) -> int:
        return half_away(self.numerator * PICO, self.denominator)

    def convert(self, minor: int, exponent: int, into: int) -> int:
        return half_away(minor * self.numerator * 10**into, self.denominator * 10**exponent)


class Conversion(NamedTuple):
    """The columns of an order that are known once there is a rate."""

    gross_reporting: int | None = None
    rate_e12: int | None = None
    rate_source: str | None = None
    refunded_reporting: int | None = None


def conversion(work: Work, rate: Rate | None, gross_minor: int, exponent: int) -> Conversion:
    if rate is None:
        return Conversion()
    reporting = rate.convert(gross_minor, exponent, work.org.exponent)
    # An amount that would not print exactly waits, as if there were no rate.
    return Conversion(reporting, rate.e12, rate.source, 0) if reporting <= LARGEST else Conversion()


def rates_for(work: Work, wanted: Collection[DayOf]) -> dict[DayOf, Rate]:
    """For each currency and local day that has one: the rate of that day, or the latest of at most 7 days before."""
    reporting = work.org.currency
    found = {(currency, day): Rate(1, 1, None) for currency, day in wanted if currency == reporting}
    foreign = {(currency, day) for currency, day in wanted if currency != reporting}
    if foreign:
        known = _known(work, {currency for currency, _ in foreign}, [day for _, day in foreign])
        found |= {
            (currency, day): rate for currency, day in foreign if (rate := _latest(known, currency, reporting, day))
        }
    return found


def _known(work: Work, currencies: Collection[str], days: Collection[int]) -> dict[Pair, dict[int, int]]:
    r, reporting = ExchangeRate, work.org.currency
    either_way = or_(
        and_(r.quote == reporting, r.base.in_(currencies)), and_(r.base == reporting, r.quote.in_(currencies))
    )
    in_time = r.day.between(min(days) - OLDEST_DAYS, max(days))
    known: dict[Pair, dict[int, int]] = {}
    for base, quote, day, e12 in work.session.execute(
        select(r.base, r.quote, r.day, r.rate_e12).where(either_way, in_time)
    ):
        known.setdefault((base, quote), {})[day] = e12
    return known


def _latest(known: Mapping[Pair, Mapping[int, int]], currency: str, reporting: str, on: int) -> Rate | None:
    for pair in ((currency, reporting), (reporting, currency)):
        told = known.get(pair, {})
        day = next((day for day in range(on, on - OLDEST_DAYS - 1, -1) if day in told), None)
        if day is not None:
            source = f"{pair[0]}/{pair[1]} {day_of(day)}"
            return Rate(told[day], PICO, source) if pair[0] == currency else Rate(PICO, told[day], source)
    return None


def convert_waiting(work: Work) -> int:
    """Convert the orders that waited for a rate and now have one, with their refunds; returns how many."""
    p = Purchase
    waiting = p.org_id == work.org.id, p.gross_reporting.is_(None)
    rows = work.session.execute(select(p.id, p.customer_id, p.currency, p.local_day).where(*waiting)).all()
    rates = rates_for(work, {(row.currency, row.local_day) for row in rows})
    ready = [row for row in rows if (row.currency, row.local_day) in rates]
    customers = {row.customer_id for row in ready}
    lookup.lock(work, customers)
    converted = 0
    for some in lookup.chunks(sorted(row.id for row in ready)):
        for order in work.session.scalars(select(p).where(*waiting, p.id.in_(some)).with_for_update()).all():
            rate = rates[order.currency, order.local_day]
            columns = conversion(work, rate, order.gross_minor, order.exponent)
            if columns.gross_reporting is None:
                continue
            for name, value in columns._asdict().items():
                setattr(order, name, value)
            if order.refunded_minor:
                share_out(work, order)
            converted += 1
        work.session.flush()
    for some in lookup.chunks(sorted(customers)):
        facts.rebuild(work, bought, some)
    return converted


def import_rates(session: Session, rows: Iterable[Mapping[str, str | None]], now: datetime) -> int:
    """Take in rates, as csv.DictReader reads them from a file with the columns date, base, quote, rate.

    A rate that is known already is replaced; what was converted by it stays. Returns how many there were. Raises
    OperatorError, and changes nothing, when a row is wrong.
    """
    rates: dict[tuple[str, str, int], int] = {}
    wrong: list[str] = []
    for line, row in enumerate(rows, start=2):
        found = _rate(row, now)
        if isinstance(found, str):
            wrong.append(f"line {line}: {found}")
            continue
        base, quote, day, e12 = found
        if rates.setdefault((base, quote, day), e12) != e12:
            wrong.append(f"line {line}: an earlier line has another rate of this pair and day")
    if wrong:
        more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
        raise OperatorError(f"No rate was imported: {'; '.join(wrong[:MOST_TOLD])}{more}.")
    if not rates:
        raise OperatorError("There are no rates in this file.")
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    upsert = dialect.insert(ExchangeRate)
    upsert = upsert.on_conflict_do_update(
        index_elements=["base", "quote", "day"], set_={"rate_e12": upsert.excluded.rate_e12}
    )
    columns = ("base", "quote", "day", "rate_e12")
    session.execute(upsert, [dict(zip(columns, (*pair, e12), strict=True)) for pair, e12 in sorted(rates.items())])
    return len(rates)


def _rate(row: Mapping[str, str | None], now: datetime) -> tuple[str, str, int, int] | str:
    """Base, quote, day and rate in 10^-12; or what is wrong with the row."""
    missing = [column for column in COLUMNS if not row.get(column)]
    if missing:
        return f"{', '.join(missing)} is missing"
    said, base, quote, text = ((row[column] or "").strip() for column in COLUMNS)
    try:
        day = date.fromisoformat(said) if _DAY.fullmatch(said) else None
    except ValueError:
        day = None
    if day is None:
        return "the date is no day like 2026-01-31"
    # In the zones ahead of ours it may be tomorrow.
    if day_number(day) > day_number(now.date()) + 1:
        return "the date lies ahead"
    problems = Problems()
    exponents = [exponent_in(problems, currency) for currency in (base, quote)]
    if None in exponents or base == quote:
        return "base and quote are two currency codes of ISO 4217, like EUR and USD"
    if not _RATE.fullmatch(text) or not 0 < (rate := Decimal(text)) <= LARGEST_RATE:
        return f"the rate is a number above 0, with at most 12 decimals, and below {LARGEST_RATE:.0f}"
    return base, quote, day_number(day), int(rate.scaleb(12))
