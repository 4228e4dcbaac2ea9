"""What is given back is never more than was paid, and nets to zero to the minor unit."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app.platform.work import Work
from app.purchases import actions
from app.purchases.tables import ExchangeRate, Refund
from tests.conftest import NOW, Begin
from tests.customers.acting import create, events_of, ref, refused, rows_in
from tests.customers.test_races import at_once
from tests.purchases.acting import buy, facts_of, line, read, refund, refunds_of, void

DAY = timedelta(days=1)


def rate(work: Work, base: str, quote: str, day: int, e12: int) -> None:
    work.session.execute(insert(ExchangeRate), [{"base": base, "quote": quote, "day": day, "rate_e12": e12}])


def test_a_refund_is_taken_off_until_nothing_is_left(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        purchase = buy(work, customer)
        first = refund(work, purchase, "4.00", reason=" torn ")
        assert (first["purchase"], first["outcome"]) == (purchase, "RECORDED")
        known = facts_of(work, customer)
        assert (known["kept_orders"], known["refunded_minor"]) == (1, 400)
        assert refused(refund, work, purchase, "6.01") == [("EXCEEDS_PURCHASE", ("amount", "amount"), None)]
        refund(work, purchase, "6")
        known = facts_of(work, customer)
        assert (known["kept_orders"], known["occasions"], known["refunded_minor"]) == (0, 0, 1000)
        assert (read(work, purchase).refunded_minor, read(work, purchase).refunded_reporting) == (1000, 1000)
        assert refused(refund, work, purchase, "0.01") == [("EXCEEDS_PURCHASE", ("amount", "amount"), None)]
        assert events_of(work, purchase) == ["purchase.recorded", "purchase.refunded", "purchase.refunded"]


@pytest.mark.parametrize(
    ("amount", "currency", "code", "path"),
    [
        ("0", "EUR", "OUT_OF_RANGE", "amount"),
        ("-1", "EUR", "OUT_OF_RANGE", "amount"),
        ("0.001", "EUR", "INVALID", "amount"),
        ("NaN", "EUR", "INVALID", "amount"),
        ("1E+40", "EUR", "OUT_OF_RANGE", "amount"),
        ("1", "USD", "CURRENCY_MISMATCH", "currency"),
    ],
)
def test_an_amount_that_is_none_is_refused(begin: Begin, amount: str, currency: str, code: str, path: str) -> None:
    with begin() as work:
        purchase = buy(work, create(work))
        assert refused(refund, work, purchase, amount, currency) == [(code, ("amount", path), None)]
        assert rows_in(work, Refund) == 0


def test_a_refund_follows_its_purchase(begin: Begin) -> None:
    with begin() as work:
        purchase = buy(work, create(work), purchased_at=NOW - DAY)
        for at in (NOW - DAY - timedelta(seconds=1), NOW + timedelta(minutes=6)):
            assert refused(refund, work, purchase, "1", refunded_at=at) == [("OUT_OF_RANGE", ("refunded_at",), None)]
        # The shop's clock ran ahead of ours: what it does not say of the refund is not held against it.
        ahead = buy(work, create(work), purchased_at=NOW + timedelta(minutes=4))
        assert refund(work, ahead, "1")["outcome"] == "RECORDED"


def test_a_refund_ref_again_is_a_repeat_even_when_nothing_is_left(begin: Begin) -> None:
    with begin() as work:
        purchase, other = buy(work, create(work)), buy(work, create(work))
        first = refund(work, purchase, "10.00", external_ref=ref("r1"))
        again = refund(work, purchase, "10", external_ref=ref("r1"))
        assert again == {**first, "outcome": "ALREADY_RECORDED"}
        taken = [("TAKEN", ("external_ref",), first["refund"])]
        assert refused(refund, work, other, "10.00", external_ref=ref("r1")) == taken
        assert [problem[0] for problem in refused(refund, work, purchase, "9.00", external_ref=ref("r1"))] == [
            "EXCEEDS_PURCHASE", "TAKEN",
        ]  # fmt: skip
        assert refunds_of(work, purchase) == [(1000, 1000)]


def test_a_late_refund_shares_anew_at_the_purchases_own_rate(begin: Begin) -> None:
    with begin() as work:
        rate(work, "USD", "EUR", work.today - 3, 10**12 // 3)
        customer = create(work)
        purchase = buy(work, customer, line("3.00"), currency="USD", purchased_at=NOW - 2 * DAY)
        assert (read(work, purchase).gross_reporting, read(work, purchase).rate_source) == (100, "USD/EUR 2026-06-12")
        refund(work, purchase, "1.00", "USD", refunded_at=NOW)
        assert refunds_of(work, purchase) == [(100, 33)]
        refund(work, purchase, "1.01", "USD", refunded_at=NOW - DAY)
        assert refunds_of(work, purchase) == [(101, 34), (100, 33)]
        assert facts_of(work, customer)["refunded_minor"] == 67
        refund(work, purchase, "0.99", "USD", refunded_at=NOW - DAY)
        assert sum(share or 0 for _, share in refunds_of(work, purchase)) == 100
        known = facts_of(work, customer)
        assert (known["gross_minor"], known["refunded_minor"], known["kept_orders"]) == (100, 100, 0)


def test_refunds_at_once_give_back_no_more_than_was_paid(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        purchase = buy(work, customer)

    def act() -> Any:
        with begin() as work:
            return refund(work, purchase, "4.00")

    answers = at_once(*[act] * 5)
    assert sum(isinstance(answer, dict) for answer in answers) == 2
    with begin() as work:
        assert read(work, purchase).refunded_minor == 800
        assert facts_of(work, customer)["refunded_minor"] == 800


def test_what_was_voided_had_never_been(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        purchase = buy(work, customer, external_ref=ref("1"))
        refund(work, purchase, "1", external_ref=ref("r1"))
        assert refused(void, work, purchase, " ") == [("REQUIRED", ("reason",), None)]
        assert void(work, purchase) == {"purchase": purchase}
        known = facts_of(work, customer)
        assert (known["kept_orders"], known["gross_minor"], known["refunded_minor"]) == (0, 0, 0)
        assert refused(void, work, purchase) == [("WRONG_STATE", ("purchase",), None)]
        assert refused(refund, work, purchase, "1") == [("WRONG_STATE", ("purchase",), None)]
        assert refund(work, purchase, "1", external_ref=ref("r1"))["outcome"] == "ALREADY_RECORDED"
        assert events_of(work, purchase)[-1] == "purchase.voided"
        again = buy(work, customer, external_ref=ref("1"))
        assert again != purchase
        given: Any = {"purchase": {"external_ref": ref("1")}, "reason": "typed thrice"}
        assert actions.void_purchase(work, given) == {"purchase": again}
        assert refused(actions.void_purchase, work, given) == [("NOT_FOUND", ("purchase",), None)]
