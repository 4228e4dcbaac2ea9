"""An order is converted at its own day's rate, once, whenever the rate becomes known."""

import csv
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.platform.refusals import OperatorError
from app.platform.work import Work
from app.purchases.rates import convert_waiting, import_rates
from app.purchases.tables import ExchangeRate
from tests.conftest import NOW, Begin
from tests.customers.acting import create
from tests.purchases.acting import buy, facts_of, line, read, refund, refunds_of


def take_in(work: Work, *lines: str) -> int:
    return import_rates(work.session, csv.DictReader(["date,base,quote,rate", *lines]), NOW)


def conversion_of(work: Work, **given: Any) -> tuple[int | None, int | None, str | None]:
    kept = read(work, buy(work, create(work), line("100"), currency="USD", purchased_at=NOW, **given))
    return kept.gross_reporting, kept.rate_e12, kept.rate_source


def test_the_latest_rate_of_at_most_seven_days_before_is_taken(begin: Begin) -> None:
    with begin() as work:
        take_in(work, "2026-06-07,USD,EUR,0.5", "2026-06-16,USD,EUR,0.6")
        assert conversion_of(work) == (None, None, None)
        take_in(work, "2026-06-08,USD,EUR,0.7")
        assert conversion_of(work) == (7000, 700_000_000_000, "USD/EUR 2026-06-08")
        take_in(work, "2026-06-15,USD,EUR,0.8", "2026-06-15,EUR,USD,9")
        assert conversion_of(work) == (8000, 800_000_000_000, "USD/EUR 2026-06-15")


def test_a_rate_that_is_told_the_other_way_round_is_divided_by(begin: Begin) -> None:
    with begin() as work:
        take_in(work, "2026-06-14,EUR,USD,1.1042")
        assert conversion_of(work) == (9056, 905_633_037_493, "EUR/USD 2026-06-14")


def test_currencies_of_other_decimals_are_converted(begin: Begin, new_org: Callable[..., Any]) -> None:
    with begin(org=new_org(currency="JPY")) as work:
        take_in(work, "2026-06-15,KWD,JPY,500.5", "2026-06-15,JPY,KRW,9.5")
        dinar = read(work, buy(work, create(work), line("1.001"), currency="KWD"))
        assert (dinar.gross_minor, dinar.gross_reporting) == (1001, 501)
        won = read(work, buy(work, create(work), line("1000"), currency="KRW"))
        assert won.gross_reporting == 105


def test_an_amount_beyond_all_counting_waits(begin: Begin) -> None:
    with begin() as work:
        take_in(work, "2026-06-15,USD,EUR,9000000")
        kept = read(work, buy(work, create(work), line("90071992547409.91"), currency="USD"))
        assert kept.gross_reporting is None
        assert convert_waiting(work) == 0


def test_what_waited_is_converted_with_its_refunds(begin: Begin, new_org: Callable[..., Any]) -> None:
    with begin() as work:
        customer = create(work)
        purchase = buy(work, customer, line("3.00"), currency="USD", purchased_at=NOW - timedelta(days=1))
        later = buy(work, customer, line("1.00"), currency="CHF")
        refund(work, purchase, "1.00", "USD")
        refund(work, purchase, "1.00", "USD")
        assert refunds_of(work, purchase) == [(100, None), (100, None)]
        known = facts_of(work, customer)
        assert (known["unconverted_orders"], known["gross_minor"], known["refunded_minor"]) == (2, 0, 0)
        assert convert_waiting(work) == 0
        take_in(work, "2026-06-14,USD,EUR,0.333333333333")
    with begin(org=new_org("Other")) as work:
        assert convert_waiting(work) == 0
    with begin() as work:
        assert convert_waiting(work) == 1
        assert convert_waiting(work) == 0
        kept = read(work, purchase)
        assert (kept.gross_reporting, kept.refunded_reporting, kept.refunded_minor) == (100, 67, 200)
        assert refunds_of(work, purchase) == [(100, 33), (100, 34)]
        assert read(work, later).gross_reporting is None
        known = facts_of(work, customer)
        assert (known["unconverted_orders"], known["gross_minor"], known["refunded_minor"]) == (1, 100, 67)


def test_a_rate_said_again_replaces_the_first_and_rewrites_no_history(begin: Begin) -> None:
    with begin() as work:
        assert take_in(work, "2026-06-15,USD,EUR,0.5", "2026-06-15,USD,EUR,0.50") == 1
        purchase = buy(work, create(work), currency="USD")
        take_in(work, "2026-06-15,USD,EUR,0.9")
        assert work.session.scalars(select(ExchangeRate.rate_e12)).all() == [900_000_000_000]
        assert convert_waiting(work) == 0
        assert read(work, purchase).gross_reporting == 500


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-06-31,USD,EUR,1", "line 3: the date"),
        ("20260601,USD,EUR,1", "line 3: the date"),
        ("2026-06-17,USD,EUR,1", "line 3: the date lies ahead"),
        ("2026-06-01,usd,EUR,1", "line 3: base and quote"),
        ("2026-06-01,EUR,EUR,1", "line 3: base and quote"),
        ("2026-06-01,USD,EUR,0", "line 3: the rate"),
        ("2026-06-01,USD,EUR,-1", "line 3: the rate"),
        ("2026-06-01,USD,EUR,NaN", "line 3: the rate"),
        ("2026-06-01,USD,EUR,1e3", "line 3: the rate"),
        ("2026-06-01,USD,EUR,0.0000000000001", "line 3: the rate"),
        ("2026-06-01,USD,EUR,9999999999", "line 3: the rate"),
        ("2026-06-01,USD,EUR", "line 3: rate is missing"),
        ("2026-06-02,USD,EUR,2", "line 3: an earlier line"),
    ],
)
def test_one_wrong_row_imports_nothing(begin: Begin, row: str, reason: str) -> None:
    with begin() as work:
        with pytest.raises(OperatorError, match=reason):
            take_in(work, "2026-06-02,USD,EUR,1", row, "2026-06-03,USD,EUR,1")
        assert work.session.scalars(select(ExchangeRate.rate_e12)).all() == []


def test_a_file_without_rates_is_told(begin: Begin) -> None:
    with begin() as work, pytest.raises(OperatorError, match="no rates"):
        take_in(work)
