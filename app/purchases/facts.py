"""What purchases and refunds tell of a customer."""

from typing import Any

from sqlalchemy import BigInteger, Select, and_, case, func, select
from sqlalchemy.orm import aliased

from app.customers.facts import facts
from app.platform.database import Instant
from app.purchases.tables import Purchase, Refund
from app.query.fact import Horizon


def _orders(horizon: Horizon) -> Select[Any]:
    """Orders that were not voided, each with what was refunded by then: the refunds themselves are asked, not the
    sums kept beside the order."""
    p, r = aliased(Purchase, name="bought_order"), aliased(Refund, name="given_back")
    by_then = [] if horizon.until is None else [r.refunded_at <= horizon.until]
    of_this = [r.org_id == p.org_id, r.purchase_id == p.id, *by_then]
    orders = (
        select(
            p.customer_id.label("subject"),
            p.purchased_at.label("at"),
            p.local_day.label("day"),
            p.gross_minor,
            p.gross_reporting,
            p.tailored_to,
            _sum(r.amount_minor, of_this).label("refunded_minor"),
            _sum(r.amount_reporting, of_this).label("refunded_reporting"),
        )
        .where(horizon.of(p, at=p.purchased_at, subject=p.customer_id), p.voided_at.is_(None))
        .subquery("orders")
    )
    o = orders.c
    gone = and_(o.refunded_minor > 0, o.refunded_minor >= o.gross_minor)
    return select(
        o.subject,
        o.at,
        o.day,
        o.gross_reporting,
        o.refunded_reporting,
        case((o.tailored_to.is_not(None), 1), else_=0).label("tailored"),
        case((gone, 0), else_=1).label("kept"),
    )


def _sum(amount: Any, tests: list[Any]) -> Any:
    # Bought rarely, refunded more rarely: a look-up by index for each order beats a join that groups every refund
    # there is.
    return func.coalesce(select(func.sum(amount)).where(*tests).scalar_subquery(), 0)


def _kept(e: Any) -> Any:
    return e.kept == 1


def _day(e: Any) -> Any:
    return e.day


bought = facts.fed_by("bought", _orders, newest="newest_order_at")
bought.count("kept_orders", _kept)
bought.distinct("occasion", 6, total="occasions", value=_day, where=_kept)
bought.first("first_day", BigInteger(), _day, where=_kept)
bought.last("last_day", BigInteger(), _day, where=_kept)
bought.last("newest_order_at", Instant(), lambda e: e.at)
bought.total("gross_minor", lambda e: e.gross_reporting)
bought.total("refunded_minor", lambda e: case((e.gross_reporting.is_not(None), e.refunded_reporting)))
bought.count("unconverted_orders", lambda e: and_(_kept(e), e.gross_reporting.is_(None)))
bought.count("tailored_orders", lambda e: and_(_kept(e), e.tailored == 1))
