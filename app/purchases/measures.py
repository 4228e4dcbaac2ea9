"""Purchases as something to be asked about."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import case, func, select

from app.loyalty.measures import points_earned
from app.purchases.tables import Purchase, PurchaseLine, PurchaseStatus, Refund
from app.query import sql
from app.query.fact import constant
from app.query.kind import Minor, Position, Whole
from app.query.measure import measure
from app.query.shape import AsOf, Shape


def _refunded_by(amount: str) -> AsOf:
    """What was refunded up to an instant; unknown where the purchase itself is not converted."""

    def refunded(p: Any, now: Any) -> Any:
        r: Any = Refund.__table__.alias("given_back")
        total = select(sql.whole(func.sum(r.c[amount]))).where(
            r.c.org_id == p.org_id, r.c.purchase_id == p.id, r.c.refunded_at <= now
        )
        return func.coalesce(total.scalar_subquery(), constant(0))

    return refunded


purchases = Shape(
    "purchase",
    Purchase.__table__,
    prefix="pur",
    at="purchased_at",
    past={
        "refunded_minor": _refunded_by("amount_minor"),
        "refunded_reporting": _refunded_by("amount_reporting"),
        "points_earned": points_earned,
    },
    borrowed={"points_earned": points_earned},
)


def _of_purchase(column: str) -> Callable[[Any], Any]:
    def borrowed(row: Any) -> Any:
        p: Any = Purchase.__table__.alias("its_purchase")
        return select(p.c[column]).where(p.c.org_id == row.org_id, p.c.id == row.purchase_id).scalar_subquery()

    return borrowed


_MONEY = {"currency": _of_purchase("currency"), "exponent": _of_purchase("exponent")}
lines = Shape("line", PurchaseLine.__table__, key=("purchase_id", "position"), borrowed=_MONEY)
refunds = Shape("refund", Refund.__table__, prefix="ref", at="refunded_at", borrowed=_MONEY)


def unit(c: Any, p: Any) -> Any:
    """Minor units in one whole of the purchase's own currency."""
    return case(
        {constant(2): constant(100), constant(0): constant(1), constant(3): constant(1_000)},
        value=c.exponent,
        else_=constant(10_000),
    )


for _shape in (purchases, lines, refunds):
    measure(_shape, Whole(), catalogued=False)(unit)


@measure(purchases, Position(enum=PurchaseStatus), catalogued=False)
def status(c: Any, p: Any) -> Any:
    places = {name: constant(place) for place, name in enumerate(PurchaseStatus.__members__)}
    return case(
        (c.voided_at.is_not(None), places["VOIDED"]),
        (c.refunded_minor == constant(0), places["COMPLETED"]),
        (c.refunded_minor >= c.gross_minor, places["REFUNDED"]),
        else_=places["PARTLY_REFUNDED"],
    )


@measure(purchases, Minor(exponent="exponent", unit="unit"), catalogued=False)
def net(c: Any, p: Any) -> Any:
    return c.gross_minor - c.refunded_minor


@measure(purchases, Minor(), nullable=True, catalogued=False)
def net_reporting(c: Any, p: Any) -> Any:
    return c.gross_reporting - func.coalesce(c.refunded_reporting, constant(0))
