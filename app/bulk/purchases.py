"""Importing a file of purchases, a row each; run again, it repeats nothing and completes what was left."""

import csv
import gzip
import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Engine

from app.customers.actions import create_by_refs
from app.customers.lookup import holders, public
from app.customers.rules import occurred
from app.platform.access import Caller
from app.platform.database import analyze
from app.platform.days import midnight
from app.platform.refusals import Code, OperatorError, Problems
from app.platform.refusals import Path as Where
from app.platform.text import Ref, clean_ref
from app.platform.work import work
from app.purchases.actions import record_purchases
from app.purchases.rules import PurchaseRecord, exponent_in
from app.scores.standings import settle
from app.touchpoints.rules import units

ROWS_AT_ONCE = 1000
ROWS_UNTIL_A_LOOK = 1000
OWN_SYSTEM = "import"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)


@dataclass(frozen=True)
class Columns:
    """Which column says what. `currency` is that of all amounts; `ref` the column of the purchase's own number, if any.

    `system` names where the customers' (and the purchases') numbers come from: by default the columns they stand in.
    """

    customer: str
    at: str
    quantity: str
    amount: str
    currency: str
    ref: str | None = None
    system: str | None = None

    @property
    def holder(self) -> str:
        """The system that the customers' numbers are of."""
        return self.system or self.customer

    @property
    def names(self) -> list[str]:
        return [name for name in (self.customer, self.at, self.quantity, self.amount, self.ref) if name is not None]

    def column_of(self, path: Where) -> str:
        """Where in the file a problem lies."""
        columns = {"customer": self.customer, "purchased_at": self.at, "quantity": self.quantity, "price": self.amount}
        return next((columns[str(step)] for step in path if step in columns), self.ref or self.amount)


@dataclass
class Report:
    rows: int = 0
    recorded: int = 0
    already_there: int = 0
    refused: int = 0
    customers_created: int = 0


@dataclass
class Row:
    """A line of the file: what it says, and why it is refused, if it is."""

    line: int
    cells: list[str]
    customer: str = ""
    record: PurchaseRecord = field(default_factory=PurchaseRecord)
    reason: str | None = None


def import_purchases(
    engine: Engine,
    caller: Caller,
    path: Path,
    columns: Columns,
    clock: Callable[[], datetime],
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Record every row of a .csv or .csv.gz file. The amount is the line's total; a bare day is its local midnight.

    A thousand rows are one transaction. Customers who are not known are created. Rows that are refused go, with their
    line and the reason, into a file beside the input; `progress` hears how many rows are done. Raises OperatorError.
    """
    report = Report()
    lines = _lines(path)
    header = _header(path, lines, columns)
    reader = Reader(columns, header, caller.org.zone)
    refused = path.with_name(f"{path.name}.refused.csv")
    _remove(refused)
    next_look = ROWS_UNTIL_A_LOOK
    while some := list(islice(lines, ROWS_AT_ONCE)):
        now = clock()
        rows = [reader.read(line, cells, now) for line, cells in some]
        _record(engine, caller, now, rows, columns, report)
        _put_aside(refused, header, [row for row in rows if row.reason])
        report.rows += len(rows)
        if report.rows >= next_look:
            # Four times as much may want other plans.
            next_look = report.rows * 4
            analyze(engine)
        if progress:
            progress(report.rows)
    if report.recorded:
        settle(engine, caller.org, clock)
        analyze(engine)
    return report


def _record(engine: Engine, caller: Caller, now: datetime, rows: list[Row], columns: Columns, report: Report) -> None:
    """One transaction: everything of these rows, or nothing."""
    sound = [row for row in rows if not row.reason]
    system = columns.holder
    with work(engine, caller, now) as unit:
        known = len(holders(unit, {(system, row.customer) for row in sound}))
        customers = create_by_refs(unit, system, {row.customer: None for row in sound})
        for row in sound:
            row.record["customer"] = {"id": public(customers[row.customer])}
        given = {"rows": [row.record for row in sound], "on_error": "REJECT_ROW"}
        result = record_purchases(unit, given, limit=None)  # type: ignore[arg-type] # rows as the file gave them
    for row, answer in zip(sound, result["rows"], strict=True):
        problems = answer["user_errors"]
        row.reason = "; ".join(f"{columns.column_of(each['path'])}: {each['message']}" for each in problems) or None
    report.customers_created += len(customers) - known
    report.recorded += result["recorded"]
    report.already_there += result["already_recorded"]
    report.refused += sum(row.reason is not None for row in rows)


class Reader:
    """Makes purchases of lines, and tells equal lines apart by how many of them came before."""

    def __init__(self, columns: Columns, header: list[str], zone: ZoneInfo) -> None:
        self.columns = columns
        self.width = len(header)
        self.places = [header.index(name) for name in columns.names]
        self.system = columns.holder
        problems = Problems()
        self.exponent = exponent_in(problems, columns.currency) or 0
        if problems:
            raise OperatorError(f"{columns.currency!r} is not a currency code of ISO 4217, like EUR.")
        self.equal: Counter[bytes] = Counter()
        self.instant = lru_cache(maxsize=10_000)(lambda text: _instant(text, zone))

    def read(self, line: int, cells: list[str], now: datetime) -> Row:
        row = Row(line, cells)
        if len(cells) != self.width:
            row.reason = f"This line has {len(cells)} columns, the header {self.width}."
            return row
        problems = Problems()
        customer, at, quantity, amount, *number = [cells[place].strip() for place in self.places]
        holder = clean_ref(problems, {"system": self.system, "value": customer}, "customer")
        instant = self.instant(at)
        if instant is None:
            message = "Neither a day like 2026-01-31 nor an instant with an offset like 2026-01-31T18:00:00+01:00."
            problems.add(Code.INVALID, message, "purchased_at")
        else:
            occurred(problems, instant, now, "purchased_at")
        pieces, total = _number(quantity), _number(amount)
        e6 = units(problems, pieces, 6, "quantity", zero=False)
        minor = units(problems, total, self.exponent, "price")
        if problems or holder is None or instant is None or e6 is None or minor is None:
            row.reason = "; ".join(f"{self.columns.column_of(each.path)}: {each.message}" for each in problems.found)
            return row
        row.customer = holder["value"]
        row.record = {
            "purchased_at": instant,
            "currency": self.columns.currency,
            "lines": [{"name": "Purchase", "quantity": pieces, "price": {"total": total}}],
            "external_ref": self._ref(number, [self.system, row.customer, at, e6, minor, self.columns.currency]),
        }
        return row

    def _ref(self, number: list[str], said: list[str | int]) -> Ref:
        """The purchase's own number in the file; or what the line says, and how many equal ones came before."""
        if self.columns.ref is not None:
            return {"system": self.columns.system or self.columns.ref, "value": number[0]}
        # Half of the hash is enough to tell rows apart, and the index is half as wide.
        digest = hashlib.sha256(orjson.dumps(said)).digest()[:16]
        before = self.equal[digest]
        self.equal[digest] += 1
        return {"system": OWN_SYSTEM, "value": f"{digest.hex()}-{before}"}


def _number(text: str) -> Decimal:
    return Decimal(text) if _NUMBER.fullmatch(text) else Decimal("NaN")


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        if _DAY.fullmatch(text):
            return midnight(date.fromisoformat(text), zone)
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return None


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of the line it begins on; empty ones are left out."""
    try:
        with _opened(path) as text:
            reader = csv.reader(text)
            begins = 1
            for cells in reader:
                if cells:
                    yield begins, cells
                begins = reader.line_num + 1
    except UnicodeDecodeError:
        raise OperatorError(f"{path.name} is not text in UTF-8.") from None
    except csv.Error:
        raise OperatorError(f"{path.name} is not a CSV file from line {reader.line_num} on.") from None
    except (OSError, EOFError, zlib.error):
        raise OperatorError(f"{path.name} cannot be read.") from None


def _opened(path: Path) -> IO[str]:
    # With or without the byte order mark that spreadsheets put first.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _header(path: Path, lines: Iterator[tuple[int, list[str]]], columns: Columns) -> list[str]:
    _, header = next(lines, (0, None))
    if header is None:
        raise OperatorError(f"{path.name} is empty.")
    header = [name.strip() for name in header]
    missing = [name for name in columns.names if header.count(name) != 1]
    if missing:
        raise OperatorError(f"{path.name} has no column, or several, of the name: {', '.join(missing)}.")
    return header


def _put_aside(path: Path, header: list[str], rows: Iterable[Row]) -> None:
    rows = list(rows)
    if not rows:
        return
    try:
        first = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as text:
            writer = csv.writer(text)
            if first:
                writer.writerow(["line", "reason", *header])
            writer.writerows([row.line, row.reason, *row.cells] for row in rows)
    except OSError:
        raise OperatorError(f"{path.name} cannot be written.") from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        raise OperatorError(f"{path.name} cannot be removed.") from None
