"""What has fallen due by the clock, though nobody has posted it: an account reads as if it had been.

A reservation times out and its points return to their lots; points become available; points expire. What comes in
while something is owed pays for it first, in the order in which it comes. Before `due_at` nothing does, and all of it
is 0 without a look.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, select, union_all

from app.loyalty.lots import has_points
from app.loyalty.measures import POINTS, accounts
from app.loyalty.tables import LoyaltyAccount, PointsLot, PointsLotMove, PointsReservation
from app.query import sql
from app.query.fact import constant
from app.query.kind import Flag
from app.query.measure import measure

Expression = ColumnElement[Any]
# Which accounts are meant: a condition on the column of their ids.
Among = Callable[[Any], ColumnElement[bool]]


@measure(accounts, Flag(), catalogued=False)
def is_posted(c: Any, p: Any) -> Any:
    """Whether nothing has fallen due since its last posting."""
    return c.due_at > p.now


# What is wanted of a lot that points come back to.
_OF_LOT = ("account_id", "expires_at", "expires_day", "earned_at")


def returned(org: Expression, now: Expression, among: Among) -> Select[Any]:
    """Lots, with the points that came back to each when a reservation timed out."""
    h: Any = PointsReservation.__table__.alias("timed_out")
    m: Any = PointsLotMove.__table__.alias("held")
    lot: Any = PointsLot.__table__.alias("held_of")
    return (
        select(
            *(lot.c[key] for key in _OF_LOT),
            h.c.expires_at.label("at"),
            constant(0).label("turn"),
            h.c.id.label("by"),
            lot.c.id.label("lot_id"),
            m.c.reserved.label("points"),
        )
        .select_from(
            h.join(m, and_(m.c.org_id == sql.Given(h.c.org_id), m.c.entry_id == h.c.entry_id)).join(
                lot, and_(lot.c.org_id == sql.Given(m.c.org_id), lot.c.id == m.c.lot_id)
            )
        )
        .where(h.c.org_id == org, among(h.c.account_id), h.c.closed_at.is_(None), h.c.expires_at <= now)
        .correlate_except(h, m, lot)
    )


def _activated(org: Expression, now: Expression, among: Among) -> Select[Any]:
    """The same of lots that were still to become available."""
    lot: Any = PointsLot.__table__.alias("activated")
    return (
        select(
            *(lot.c[key] for key in _OF_LOT),
            lot.c.active_at.label("at"),
            constant(1).label("turn"),
            lot.c.id.label("by"),
            lot.c.id.label("lot_id"),
            lot.c.pending.label("points"),
        )
        .where(lot.c.org_id == org, among(lot.c.account_id), lot.c.pending > constant(0), lot.c.active_at <= now)
        .correlate_except(lot)
    )


def payments(org: Expression, now: Expression, among: Among) -> Subquery:
    """What lots gave to pay a debt as soon as something came in: account_id, expires_at, expires_day, paid."""
    back = returned(org, now, among).subquery("back")
    # What comes back to a lot whose day is over is gone at once.
    alive = select(back).where(back.c.expires_at > back.c.at).correlate_except(back)
    came = union_all(alive, _activated(org, now, among)).subquery("came")
    owing: Any = LoyaltyAccount.__table__.alias("owing")
    before = (
        func.sum(came.c.points).over(
            partition_by=came.c.account_id,
            order_by=[came.c[key] for key in ("at", "turn", "by", "expires_at", "earned_at", "lot_id")],
            rows=(None, 0),
        )
        - came.c.points
    )
    paid = sql.Greatest(constant(0), sql.Least(came.c.points, sql.whole(owing.c.debt - before)))
    return (
        select(came.c.account_id, came.c.expires_at, came.c.expires_day, paid.label("paid"))
        .select_from(came.join(owing, owing.c.id == came.c.account_id))
        .where(owing.c.org_id == org, among(owing.c.id), owing.c.debt > constant(0), owing.c.due_at <= now)
        .correlate_except(came, owing)
        .subquery("payments")
    )


def _total(of: Expression, found: Any, *tests: ColumnElement[bool]) -> Expression:
    total = select(sql.whole(func.sum(of))).where(*tests).correlate_except(found)
    return func.coalesce(total.scalar_subquery(), constant(0))


def _once_due(c: Any, p: Any, found: Expression, *tests: ColumnElement[bool]) -> Expression:
    return case((and_(c.due_at <= p.now, *tests), found), else_=constant(0))


@measure(accounts, POINTS, catalogued=False)
def timed_out(c: Any, p: Any) -> Any:
    """Reserved, and back."""
    h: Any = PointsReservation.__table__.alias("timed_out")
    mine = [h.c.org_id == c.org_id, h.c.account_id == c.id, h.c.closed_at.is_(None), h.c.expires_at <= p.now]
    return _once_due(c, p, _total(h.c.points, h, *mine), c.reserved > constant(0))


@measure(accounts, POINTS, catalogued=False)
def activated(c: Any, p: Any) -> Any:
    """Pending, and available since."""
    lot: Any = PointsLot.__table__.alias("activated")
    mine = [lot.c.org_id == c.org_id, lot.c.account_id == c.id, lot.c.pending > constant(0), lot.c.active_at <= p.now]
    return _once_due(c, p, _total(lot.c.pending, lot, *mine), c.pending > constant(0))


@measure(accounts, POINTS, catalogued=False)
def settled(c: Any, p: Any) -> Any:
    """Owed, and paid by what came in."""
    back = returned(c.org_id, p.now, lambda account: account == c.id).subquery("back")
    alive = _total(back.c.points, back, back.c.expires_at > back.c.at)
    return _once_due(c, p, sql.Least(c.debt, c.activated + alive), c.debt > constant(0))


@measure(accounts, POINTS, catalogued=False)
def lapsed(c: Any, p: Any) -> Any:
    """Expired: what was left in lots whose day has come, with what came to them, less what they paid."""

    def mine(account: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = account == c.id
        return found

    lot: Any = PointsLot.__table__.alias("lapsed")
    left = [lot.c.org_id == c.org_id, mine(lot.c.account_id), has_points(lot.c), lot.c.expires_at <= p.now]
    came = _activated(c.org_id, p.now, mine).subquery("came_first")
    back = returned(c.org_id, p.now, mine).subquery("back")
    paid = payments(c.org_id, p.now, mine)
    return _once_due(
        c,
        p,
        _total(lot.c.remaining, lot, *left)
        + case((c.pending > constant(0), _total(came.c.points, came, came.c.expires_at <= p.now)), else_=constant(0))
        + case((c.reserved > constant(0), _total(back.c.points, back, back.c.expires_at <= p.now)), else_=constant(0))
        - case((c.debt > constant(0), _total(paid.c.paid, paid, paid.c.expires_at <= p.now)), else_=constant(0)),
    )


# ------------------------------------------------------------------ balances


@measure(accounts, POINTS, catalogued=False)
def now_available(c: Any, p: Any) -> Any:
    return c.available + c.activated + c.timed_out - c.settled - c.lapsed


@measure(accounts, POINTS, catalogued=False)
def now_pending(c: Any, p: Any) -> Any:
    return c.pending - c.activated


@measure(accounts, POINTS, catalogued=False)
def now_reserved(c: Any, p: Any) -> Any:
    return c.reserved - c.timed_out


@measure(accounts, POINTS, catalogued=False)
def now_debt(c: Any, p: Any) -> Any:
    return c.debt - c.settled


@measure(accounts, POINTS, catalogued=False)
def now_expired(c: Any, p: Any) -> Any:
    return c.expired + c.lapsed
