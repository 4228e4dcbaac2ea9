"""Buying in one line, and looking at what came of it."""

from decimal import Decimal
from typing import Any

from sqlalchemy import select

from app.customers import facts
from app.customers.facts import facts as fact_table
from app.platform.ids import key_of
from app.platform.work import Work
from app.purchases import actions
from app.purchases.tables import Purchase, Refund


def line(price: str = "10.00", quantity: str = "1", name: str = "Tea", **given: Any) -> Any:
    return {"name": name, "quantity": Decimal(quantity), "price": {"unit": Decimal(price)}, **given}


def said(customer: str, *lines: Any, currency: str = "EUR", **given: Any) -> Any:
    return {"customer": {"id": customer}, "currency": currency, "lines": list(lines or [line()]), **given}


def buy(work: Work, customer: str, *lines: Any, **given: Any) -> str:
    answer = actions.record_purchase(work, said(customer, *lines, **given))
    assert answer["outcome"] == "RECORDED"
    return str(answer["purchase"])


def many(work: Work, *rows: Any, on_error: str = "REJECT_ALL", **more: Any) -> Any:
    return actions.record_purchases(work, {"rows": list(rows), "on_error": on_error}, **more)


def refund(work: Work, purchase: str, amount: str, currency: str = "EUR", **given: Any) -> Any:
    money: Any = {"amount": Decimal(amount), "currency": currency}
    return actions.refund_purchase(work, {"purchase": {"id": purchase}, "amount": money, **given})  # type: ignore[typeddict-item]


def void(work: Work, purchase: str, reason: str = "typed twice") -> Any:
    return actions.void_purchase(work, {"purchase": {"id": purchase}, "reason": reason})


def read(work: Work, purchase: str) -> Purchase:
    mine = Purchase.org_id == work.org.id, Purchase.id == key_of(purchase, "pur")
    return work.session.scalars(select(Purchase).where(*mine).execution_options(populate_existing=True)).one()


def refunds_of(work: Work, purchase: str) -> list[tuple[int, int | None]]:
    mine = Refund.org_id == work.org.id, Refund.purchase_id == key_of(purchase, "pur")
    asked = (
        select(Refund).where(*mine).order_by(Refund.refunded_at, Refund.id).execution_options(populate_existing=True)
    )
    return [(refund.amount_minor, refund.amount_reporting) for refund in work.session.scalars(asked)]


def facts_of(work: Work, customer: str) -> dict[str, Any]:
    assert facts.verify(work) == {}
    table = fact_table.table
    mine = table.c.org_id == work.org.id, table.c.customer_id == key_of(customer, "cus")
    return dict(work.session.execute(select(table).where(*mine)).one()._mapping)
