"""A file of purchases is taken in once, whole, however often it is run; what is refused is told line by line."""

import csv
import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from app.bulk import purchases as bulk
from app.bulk.purchases import Columns, Report, import_purchases
from app.customers import facts
from app.customers.tables import Customer, CustomerRef
from app.platform.access import Org
from app.platform.audit import AuditEntry
from app.platform.refusals import OperatorError
from app.platform.work import operator
from app.purchases.tables import Purchase, PurchaseLine
from tests.conftest import NOW, Begin
from tests.customers.acting import ref, rows_in
from tests.purchases.acting import facts_of, void

HEADER = "customer_id,purchased_on,quantity,amount_usd"
COLUMNS = Columns("customer_id", "purchased_on", "quantity", "amount_usd", "USD")
CDNOW = Path(__file__).parents[1] / "data/cdnow/purchases.csv.gz"


@pytest.fixture
def org(new_org: Callable[..., Org]) -> Org:
    return new_org(time_zone="America/New_York", currency="USD")


@pytest.fixture
def take(engine: Engine, org: Org, tmp_path: Path) -> Callable[..., Report]:
    """`take("00001,1997-01-01,1,11.77", ...)`: import these lines."""

    def make(
        *lines: str, columns: Columns = COLUMNS, header: str = HEADER, name: str = "orders.csv", **more: Any
    ) -> Report:
        file = tmp_path / name
        file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return import_purchases(engine, operator(org), file, columns, lambda: NOW, **more)

    return make


@pytest.fixture
def refusals(tmp_path: Path) -> Callable[[], list[list[str]]]:
    def read() -> list[list[str]]:
        file = tmp_path / "orders.csv.refused.csv"
        return list(csv.reader(file.read_text().splitlines())) if file.exists() else []

    return read


def test_each_row_becomes_a_purchase(take: Callable[..., Report], begin: Begin) -> None:
    report = take("00001,1997-01-01,2,23.54", "00002,1997-01-12T23:00:00-05:00,1,0.00", "00001,1997-01-18,1,1.50")
    assert report == Report(rows=3, recorded=3, customers_created=2)
    with begin() as work:
        refs = select(CustomerRef.system, CustomerRef.value, Customer.name).join_from(
            CustomerRef, Customer, (Customer.org_id == CustomerRef.org_id) & (Customer.id == CustomerRef.customer_id)
        )
        found = work.session.execute(refs.where(CustomerRef.org_id == work.org.id).order_by(CustomerRef.value)).all()
        assert [tuple(row) for row in found] == [("customer_id", "00001", "00001"), ("customer_id", "00002", "00002")]
        orders = work.session.scalars(
            select(Purchase).where(Purchase.org_id == work.org.id).order_by(Purchase.id)
        ).all()
        assert [(order.purchased_at, order.gross_minor) for order in orders] == [
            (datetime(1997, 1, 1, 5, tzinfo=UTC), 2354),
            (datetime(1997, 1, 13, 4, tzinfo=UTC), 0),
            (datetime(1997, 1, 18, 5, tzinfo=UTC), 150),
        ]
        line = work.session.scalars(
            select(PurchaseLine).where(PurchaseLine.org_id == work.org.id, PurchaseLine.purchase_id == orders[0].id)
        ).one()
        assert (line.name, line.quantity_e6, line.unit_minor, line.total_minor) == ("Purchase", 2_000_000, None, 2354)
        assert facts.verify(work) == {}


def test_run_again_it_repeats_nothing(take: Callable[..., Report], begin: Begin) -> None:
    lines = ["1,1997-01-01,1,5.00", "1,1997-01-01,1,5.00", "1,1997-01-01,1,5.0", "2,1997-01-01,1,5.00"]
    assert take(*lines) == Report(rows=4, recorded=4, customers_created=2)
    assert take(*lines) == Report(rows=4, already_there=4)
    assert take(*reversed(lines), "1,1997-01-01,1,5.00") == Report(rows=5, recorded=1, already_there=4)
    with begin() as work:
        assert rows_in(work, Purchase) == 5
        assert facts.verify(work) == {}


def test_what_was_cut_short_is_completed(
    take: Callable[..., Report], begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ROWS_AT_ONCE", 3)
    lines = [f"{n % 4},1997-01-{n:02},1,1.00" for n in range(1, 11)]

    class Killed(Exception):
        pass

    def kill(rows: int) -> None:
        if rows == 6:
            raise Killed

    with pytest.raises(Killed):
        take(*lines, progress=kill)
    with begin() as work:
        assert rows_in(work, Purchase) == 6
        assert facts.verify(work) == {}
    done: list[int] = []
    assert take(*lines, progress=done.append) == Report(rows=10, recorded=4, already_there=6)
    assert done == [3, 6, 9, 10]


def test_a_number_of_its_own_is_a_purchases_name(
    take: Callable[..., Report], refusals: Callable[[], list[list[str]]]
) -> None:
    columns = Columns("customer", "at", "n", "total", "USD", ref="order", system="shop")
    header = "order,customer,at,n,total,note"
    rows = [
        "A1,1,2026-01-01,1,5.00,x",
        "A1,1,2026-01-01,1,5.00,y",
        "A1,1,2026-01-01,1,6.00,z",
        ",1,2026-01-01,1,6.00,z",
    ]
    report = take(*rows, columns=columns, header=header)
    assert report == Report(rows=4, recorded=1, already_there=1, refused=2, customers_created=1)
    assert [(line, reason.split(":")[0]) for line, reason, *_ in refusals()[1:]] == [("4", "order"), ("5", "order")]


def test_refused_rows_are_put_aside_with_line_and_reason(
    take: Callable[..., Report], refusals: Callable[[], list[list[str]]], begin: Begin
) -> None:
    wrong = {
        "1,1997-02-30,1,1.00": "purchased_on",
        "2,1997-01-01T12:00:00,1,1.00": "purchased_on",
        "3,0001-01-01,1,1.00": "purchased_on",
        "4,2026-06-16,1,1.00": "purchased_on",
        "5,19970101,1,1.00": "purchased_on",
        ",1997-01-01,1,1.00": "customer_id",
        "7,1997-01-01,0,1.00": "quantity",
        "8,1997-01-01,1,1.001": "amount_usd",
        "9,1997-01-01,1,-1.00": "amount_usd",
        "10,1997-01-01,1,1e3": "amount_usd",
        "11,1997-01-01,1,٣": "amount_usd",
        "12,1997-01-01,1,99999999999999999": "amount_usd",
        "13,1997-01-01,NaN,1": "quantity",
        "14,1997-01-01,1": "This line has 3 columns, the header 4.",
    }
    report = take(*wrong, '"a\nb",1997-01-01,1,1.00', "15,1997-01-01,1,1.00")
    assert report == Report(rows=16, recorded=2, refused=14, customers_created=2)
    head, *rows = refusals()
    assert head == ["line", "reason", *HEADER.split(",")]
    assert [(int(line), reason.split(":")[0]) for line, reason, *_ in rows] == list(enumerate(wrong.values(), start=2))
    assert [",".join(cells) for _, _, *cells in rows] == list(wrong)
    with begin() as work:
        assert rows_in(work, Customer) == 2
    # Run again without them, nothing is left of the file.
    assert take("15,1997-01-01,1,1.00") == Report(rows=1, already_there=1)
    assert refusals() == []


def test_a_reference_that_was_voided_since_is_recorded_anew(take: Callable[..., Report], begin: Begin) -> None:
    take("1,1997-01-01,1,5.00")
    with begin() as work:
        key = work.session.scalars(select(Purchase.id).where(Purchase.org_id == work.org.id)).one()
        void(work, f"pur_{key.hex}")
    assert take("1,1997-01-01,1,5.00") == Report(rows=1, recorded=1)


def test_a_spreadsheets_byte_order_mark_and_line_ends_are_taken(
    engine: Engine, org: Org, tmp_path: Path, begin: Begin
) -> None:
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(gzip.compress(f"\ufeff{HEADER}\r\n\r\nÉva,1997-01-01,1,1.00\r\n".encode(), mtime=0))
    assert import_purchases(engine, operator(org), file, COLUMNS, lambda: NOW).recorded == 1
    with begin() as work:
        assert work.session.scalars(select(Customer.name).where(Customer.org_id == work.org.id)).one() == "Éva"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "a.csv is empty."),
        ("a.csv", b"customer_id,quantity\n", "purchased_on, amount_usd"),
        ("a.csv", f"{HEADER},quantity\n".encode(), "quantity"),
        ("a.csv", HEADER.encode("utf-16"), "UTF-8"),
        ("a.csv", f"{HEADER}\n\xe9,1997-01-01,1,1\n".encode("latin-1"), "UTF-8"),
        ("a.csv", f"{HEADER}\n{'x' * 200_000},1997-01-01,1,1\n".encode(), "not a CSV file from line 2 on"),
        ("a.csv.gz", b"not gzip", "cannot be read"),
        ("a.csv.gz", gzip.compress(f"{HEADER}\n".encode() * 9, mtime=0)[:-9], "cannot be read"),
        ("a.csv", None, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_sentence(
    engine: Engine, org: Org, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(OperatorError, match=sentence):
        import_purchases(engine, operator(org), file, COLUMNS, lambda: NOW)


def test_a_currency_that_is_none_is_told(take: Callable[..., Report]) -> None:
    with pytest.raises(OperatorError, match="ISO 4217"):
        take(columns=Columns("customer_id", "purchased_on", "quantity", "amount_usd", "usd"))


def test_the_first_of_a_real_shops_purchases_are_counted(
    engine: Engine, org: Org, tmp_path: Path, begin: Begin
) -> None:
    with gzip.open(CDNOW, "rt") as text:
        lines = [text.readline() for _ in range(2501)]
    file = tmp_path / "some.csv"
    file.write_text("".join(lines))
    report = import_purchases(engine, operator(org), file, COLUMNS, lambda: NOW)
    rows = list(csv.DictReader(lines))
    customers = {row["customer_id"] for row in rows}
    assert report == Report(rows=2500, recorded=2500, customers_created=len(customers))
    with begin() as work:
        paid = select(func.sum(Purchase.gross_minor)).where(Purchase.org_id == work.org.id)
        assert work.session.scalars(paid).one() == sum(int(row["amount_usd"].replace(".", "")) for row in rows)
        trail = select(func.count()).where(AuditEntry.org_id == work.org.id, AuditEntry.event == "purchase.recorded")
        assert work.session.scalars(trail).one() == 2500
        mine = CustomerRef.org_id == work.org.id, CustomerRef.value == ref("00003")["value"]
        third = work.session.scalars(select(CustomerRef.customer_id).where(*mine)).one()
        known = facts_of(work, f"cus_{third.hex}")
        days = {row["purchased_on"] for row in rows if row["customer_id"] == "00003"}
        assert known["occasions"] == len(days)
