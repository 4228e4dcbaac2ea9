"""What is bought is counted to the minor unit, once, and what cannot be so is refused."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from app.customers import facts
from app.platform.ids import key_of
from app.platform.work import Work
from app.purchases import actions
from app.purchases.tables import Purchase, PurchaseLine
from app.touchpoints.actions import record_touchpoint, retract_touchpoint
from tests.conftest import NOW, Begin
from tests.customers.acting import create, events_of, ref, refused, rows_in, told
from tests.customers.test_races import at_once
from tests.purchases.acting import buy, facts_of, line, many, read, said

LARGEST = 2**53 - 1


def need(work: Work, customer: str, kind: str = "NEED") -> str:
    given: Any = {"customer": {"id": customer}, "kind": kind, "channel": "STORE", "direction": "INBOUND"}
    return str(record_touchpoint(work, given)["touchpoint"])


def test_a_purchase_is_kept_to_the_minor_unit(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        total = {"name": "Course", "price": {"total": Decimal("99.9")}, "category": "Learn"}
        purchase = buy(work, customer, line("0.99", "1.5", sku="T-1"), line("0.01", "0.5"), total, channel="STORE")
        kept = read(work, purchase)
        # 1.485 and 0.005, each rounded half away.
        assert kept.gross_minor == 149 + 1 + 9990
        assert (kept.gross_reporting, kept.rate_e12, kept.rate_source) == (kept.gross_minor, 10**12, None)
        assert (kept.purchased_at, kept.channel, kept.promotional) == (NOW, "STORE", False)
        mine = PurchaseLine.org_id == work.org.id, PurchaseLine.purchase_id == key_of(purchase, "pur")
        lines = work.session.scalars(select(PurchaseLine).where(*mine).order_by(PurchaseLine.position)).all()
        assert [(each.unit_minor, each.quantity_e6, each.total_minor) for each in lines] == [
            (99, 1_500_000, 149), (1, 500_000, 1), (None, 1_000_000, 9990),
        ]  # fmt: skip
        assert events_of(work, purchase) == ["purchase.recorded"]
        known = facts_of(work, customer)
        assert (known["kept_orders"], known["occasions"], known["gross_minor"]) == (1, 1, 10140)


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "1000", 1000), ("KWD", "1.005", 1005), ("CLF", "0.0001", 1)]
)
def test_a_currency_has_its_own_decimals(begin: Begin, currency: str, amount: str, minor: int) -> None:
    with begin() as work:
        customer = create(work)
        kept = read(work, buy(work, customer, line(amount), currency=currency))
        assert (kept.gross_minor, kept.gross_reporting, kept.rate_e12, kept.refunded_reporting) == (
            minor,
            None,
            None,
            None,
        )
        given = said(customer, line(f"{amount}1" if "." in amount else f"{amount}.1"), currency=currency)
        assert refused(actions.record_purchase, work, given) == [("INVALID", ("lines", 0, "price", "unit"), None)]
        assert facts_of(work, customer)["unconverted_orders"] == 1


@pytest.mark.parametrize(
    ("wrong", "code", "path"),
    [
        (line(quantity="0"), "OUT_OF_RANGE", ("quantity",)),
        (line(quantity="-1"), "OUT_OF_RANGE", ("quantity",)),
        (line(quantity="0.0000001"), "INVALID", ("quantity",)),
        (line(quantity="NaN"), "INVALID", ("quantity",)),
        (line(quantity="1E+30"), "OUT_OF_RANGE", ("quantity",)),
        (line("-0.01"), "OUT_OF_RANGE", ("price", "unit")),
        (line("0.001"), "INVALID", ("price", "unit")),
        (line("sNaN"), "INVALID", ("price", "unit")),
        (line(f"{2**53 // 100 + 1}"), "OUT_OF_RANGE", ("price", "unit")),
        (line("90071992547409.91", "2"), "OUT_OF_RANGE", ("price",)),
        ({"name": "Tea", "price": {}}, "INVALID", ("price",)),
        (line(name=" "), "REQUIRED", ("name",)),
        (line(sku="x" * 201), "TOO_LONG", ("sku",)),
        (line(category="a\x00"), "INVALID", ("category",)),
    ],
)
def test_a_line_that_cannot_be_counted_is_refused(begin: Begin, wrong: Any, code: str, path: Any) -> None:
    with begin() as work:
        problems = refused(actions.record_purchase, work, said(create(work), line(), wrong))
        assert problems == [(code, ("lines", 1, *path), None)]
        assert rows_in(work, Purchase) == 0


def test_the_largest_amount_is_counted_and_one_more_is_not(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        assert read(work, buy(work, customer, line("90071992547409.91"))).gross_minor == LARGEST
        given = said(customer, line("90071992547409.91"), line("0.01"))
        assert refused(actions.record_purchase, work, given) == [("OUT_OF_RANGE", ("lines",), None)]


def test_all_that_is_wrong_is_told_at_once(begin: Begin) -> None:
    with begin() as work:
        given = said(
            "cus_nobody", line(quantity="0"), currency="EURO", purchased_at=NOW + timedelta(minutes=6),
            channel="PIGEON", tailored_to={"id": "tou_none"}, external_ref=ref(""),
        )  # fmt: skip
        assert {(code, *path) for code, path, _ in refused(actions.record_purchase, work, given)} == {
            ("NOT_FOUND", "customer"), ("OUT_OF_RANGE", "lines", 0, "quantity"), ("INVALID", "currency"),
            ("OUT_OF_RANGE", "purchased_at"), ("INVALID", "channel"), ("NOT_FOUND", "tailored_to"),
            ("REQUIRED", "external_ref", "value"),
        }  # fmt: skip
        customer = create(work)
        none = {**said(customer), "lines": []}
        assert refused(actions.record_purchase, work, none) == [("REQUIRED", ("lines",), None)]
        assert refused(actions.record_purchase, work, said(customer, *[line()] * 201)) == [
            ("TOO_MANY", ("lines",), None)
        ]


def test_a_repeat_is_told_from_a_clash(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, external_refs=[ref("c1")])
        first = buy(work, customer, external_ref=ref("1"), promotional=False)
    with begin(now=NOW + timedelta(days=1)) as work:
        again = {**said(customer, line("10", "1.0"), external_ref=ref("1")), "customer": {"external_ref": ref("c1")}}
        assert actions.record_purchase(work, again) == {"purchase": first, "outcome": "ALREADY_RECORDED"}
        for other in ({"promotional": True}, {"purchased_at": NOW}, {"currency": "USD"}, {"lines": [line("10.01")]}):
            given = said(customer, external_ref=ref("1")) | other
            assert refused(actions.record_purchase, work, given) == [("TAKEN", ("external_ref",), first)]
        given = said(create(work, "Bo"), external_ref=ref("1"))
        assert refused(actions.record_purchase, work, given) == [("TAKEN", ("external_ref",), first)]
        assert facts_of(work, customer)["kept_orders"] == 1


def test_an_order_is_tailored_to_a_need_of_its_customer(begin: Begin) -> None:
    with begin() as work:
        ana, bo = create(work), create(work, "Bo")
        wish = need(work, ana)
        order = buy(work, ana, tailored_to={"id": wish}, external_ref=ref("1"))
        assert facts_of(work, ana)["tailored_orders"] == 1
        for customer, touchpoint in ((bo, wish), (ana, need(work, ana, "NOTE"))):
            given = said(customer, tailored_to={"id": touchpoint})
            assert refused(actions.record_purchase, work, given) == [("INVALID", ("tailored_to",), None)]
        retract_touchpoint(work, {"touchpoint": {"id": wish}, "reason": "typed twice"})
        assert facts_of(work, ana)["tailored_orders"] == 1
        again = said(ana, tailored_to={"id": wish}, external_ref=ref("1"))
        assert actions.record_purchase(work, again) == {"purchase": order, "outcome": "ALREADY_RECORDED"}
        new = said(ana, tailored_to={"id": wish})
        assert refused(actions.record_purchase, work, new) == [("NOT_FOUND", ("tailored_to",), None)]


def test_one_bad_row_stops_the_batch_or_only_itself(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        good = said(customer, external_ref=ref("1"))
        rows = [
            good,
            said(customer, line(), line(quantity="0")),
            good,
            said(customer, line("1"), external_ref=ref("1")),
        ]
        stopped = many(work, *rows)
        assert [row["outcome"] for row in stopped["rows"]] == ["NOT_ATTEMPTED", "REFUSED", "NOT_ATTEMPTED", "REFUSED"]
        assert told(stopped["rows"][1]) == [("OUT_OF_RANGE", ["rows", 1, "lines", 1, "quantity"])]
        assert stopped["abort"] is True
        assert rows_in(work, Purchase) == 0
        done = many(work, *rows, on_error="REJECT_ROW")
        assert [row["outcome"] for row in done["rows"]] == ["RECORDED", "REFUSED", "ALREADY_RECORDED", "REFUSED"]
        assert done["rows"][0]["purchase"] == done["rows"][2]["purchase"] == done["rows"][3]["user_errors"][0]["node"]
        assert [done[name] for name in ("recorded", "already_recorded", "refused", "not_attempted")] == [1, 1, 2, 0]
        assert facts_of(work, customer)["kept_orders"] == 1


def test_a_late_purchase_and_a_batch_leave_the_facts_what_the_events_say(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        buy(work, customer)
        buy(work, customer, purchased_at=NOW - timedelta(days=300))
        many(work, *(said(customer, purchased_at=NOW - timedelta(days=days)) for days in (10, 400, 10)))
        known = facts_of(work, customer)
        assert (known["kept_orders"], known["occasions"], known["gross_minor"]) == (5, 4, 5000)


def test_a_batch_takes_as_many_statements_as_a_row(begin: Begin, engine: Engine) -> None:
    def statements(rows: int) -> int:
        sent = []

        def listen(*_: Any) -> None:
            sent.append(1)

        with begin() as work:
            customers = [create(work) for _ in range(rows)]
            wishes = [need(work, customer) for customer in customers]
            event.listen(engine, "before_cursor_execute", listen)
            given = [
                said(customer, line(), line(), currency="USD", tailored_to={"id": wish}, external_ref=ref(customer))
                for customer, wish in zip(customers, wishes, strict=True)
            ]
            assert many(work, *given)["recorded"] == rows
            event.remove(engine, "before_cursor_execute", listen)
        return len(sent)

    assert statements(2) == statements(60) <= 14


def test_of_two_that_take_one_reference_one_is_told(begin: Begin) -> None:
    with begin() as work:
        customers = [create(work) for _ in range(4)]

    def act(customer: str) -> Callable[[], Any]:
        def record_one() -> Any:
            with begin() as work:
                return many(work, said(customer, external_ref=ref("1")), said(customer), on_error="REJECT_ROW")

        return record_one

    answers = at_once(*map(act, customers))
    assert sorted(answer["recorded"] for answer in answers) == [1, 1, 1, 2]
    with begin() as work:
        assert rows_in(work, Purchase) == 5
        assert facts.verify(work) == {}


def test_of_one_that_is_sent_twice_at_once_one_is_recorded(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)

    def act() -> Any:
        with begin() as work:
            return actions.record_purchase(work, said(customer, external_ref=ref("1")))

    answers = at_once(*[act] * 4)
    assert sorted(answer["outcome"] for answer in answers) == ["ALREADY_RECORDED"] * 3 + ["RECORDED"]
    assert len({answer["purchase"] for answer in answers}) == 1
