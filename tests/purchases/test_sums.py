"""The sums beside a purchase are what its refunds say, and are mended when something broke them."""

from decimal import Decimal
from typing import Any

from sqlalchemy import update

from app.customers.actions import create_customer
from app.purchases.actions import record_purchase
from app.purchases.refunds import refund_purchase, sum_again, wrongly_summed
from app.purchases.tables import Purchase


def test_a_broken_sum_is_found_and_mended(begin: Any, org: Any) -> None:
    with begin() as work:
        customer = create_customer(work, {"name": "Ana"})["customer"]
        given = {
            "customer": {"id": customer},
            "currency": "EUR",
            "lines": [{"name": "Tea", "price": {"total": Decimal("30.00")}}],
        }
        purchase = record_purchase(work, given)["purchase"]
        refund_purchase(work, {"purchase": {"id": purchase}, "amount": {"amount": Decimal("7.50"), "currency": "EUR"}})
        assert wrongly_summed(work) == []
    with begin() as work:
        every = update(Purchase).where(Purchase.org_id == org.id)
        work.session.execute(every.values(refunded_minor=1, refunded_reporting=2))
        broken = wrongly_summed(work)
        assert len(broken) == 1
        sum_again(work, broken)
        assert wrongly_summed(work) == []
