"""Recording what customers bought, one purchase or a file of them, each converted at its own day's rate."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.customers import facts
from app.loyalty import earning as loyalty
from app.outreach.contact import unknown
from app.platform.ids import public_id
from app.platform.refusals import Refused
from app.platform.work import Work
from app.purchases import rules
from app.purchases.facts import bought
from app.purchases.rates import conversion, rates_for
from app.purchases.refunds import refund_purchase, void_purchase
from app.purchases.rules import Order, needs_key
from app.purchases.tables import Purchase, PurchaseLine
from app.touchpoints.actions import attributed, enter, link, linked, place, standing
from app.touchpoints.rules import AT_MOST_ROWS, Register, Verdict, answer, few_enough
from app.touchpoints.tables import TouchpointKind

Result = dict[str, Any]


def record_purchase(work: Work, given: rules.PurchaseRecord) -> Result:
    """Record one purchase; a repeat of an external reference with equal content answers the first."""
    [verdict] = _record(work, [rules.order(given, work.now, work.org.zone)], whole=True)
    if verdict.problems:
        raise Refused(*verdict.problems)
    return {"purchase": _public(verdict.key), "outcome": verdict.outcome}


def record_purchases(work: Work, given: rules.PurchasesRecord, *, limit: int | None = AT_MOST_ROWS) -> Result:
    """Record many, as if sent one after the other. With "abort" in the result nothing is to be kept."""
    rows = few_enough(given["rows"], limit)
    whole = given.get("on_error", "REJECT_ALL") == "REJECT_ALL"
    orders = [rules.order(row, work.now, work.org.zone, "rows", index) for index, row in enumerate(rows)]
    verdicts = _record(work, orders, whole=whole)
    return answer(verdicts, "purchase", "pur", aborted=whole and any(verdict.problems for verdict in verdicts))


def _record(work: Work, orders: Sequence[Order], *, whole: bool) -> list[Verdict]:
    place(work, orders)
    _convert(work, orders)

    def insert(new: list[Order]) -> None:
        work.insert(Purchase, [order.columns for order in new])
        work.insert(
            PurchaseLine, [{"purchase_id": order.columns["id"], **line} for order in new for line in order.lines]
        )

    new, verdicts = enter(work, orders, _judged, insert, whole=whole)
    if new:
        loyalty.earn(work, [_earning(order) for order in new])
    if len(new) == 1:
        told = new[0].columns
        facts.fold(work, bought, told["customer_id"], told["id"], told["purchased_at"])
    else:
        facts.rebuild(work, bought, {order.columns["customer_id"] for order in new})
    buyers = [order.columns["customer_id"] for order in new]
    work.announce("purchase.recorded", *(_public(order.columns["id"]) for order in new), customers=buyers)
    return verdicts


def _earning(order: Order) -> loyalty.Bought:
    c = order.columns
    return loyalty.Bought(c["id"], c["customer_id"], c["gross_minor"], c["currency"], c["local_day"])


def _convert(work: Work, orders: Sequence[Order]) -> None:
    sound = [order.columns for order in orders if not order.problems]
    rates = rates_for(work, {(columns["currency"], columns["local_day"]) for columns in sound})
    for columns in sound:
        rate = rates.get((columns["currency"], columns["local_day"]))
        columns |= conversion(work, rate, columns["gross_minor"], columns["exponent"])._asdict()


def _judged(work: Work, orders: Sequence[Order]) -> list[Verdict]:
    register = Register("pur", standing(work, Purchase, orders, "voided_at"))
    needs = linked(work, orders)
    lost = {id(order) for order in attributed(work, orders) if order.columns["campaign_id"] is None}
    verdicts = []
    for order in orders:
        problems = link(order, "tailored_to", needs, TouchpointKind.NEED)
        problems += [unknown(*order.problems.prefix)] if id(order) in lost else []
        verdicts.append(register.enter(order, problems))
    return verdicts


def _public(key: UUID | None) -> str:
    assert key
    return public_id("pur", key)


__all__ = ["needs_key", "record_purchase", "record_purchases", "refund_purchase", "void_purchase"]
