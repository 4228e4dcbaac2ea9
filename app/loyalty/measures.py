"""Programmes, accounts and their books as something to be asked about.

What falls due by the clock counts, posted or not (`due.py`); levels are replayed (`levels.py`).
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, case, func, select

from app.loyalty.tables import (
    AccountStatus,
    LoyaltyAccount,
    LoyaltyLevel,
    LoyaltyProgram,
    LoyaltyTerms,
    PointsEntry,
    PointsReservation,
    Redemption,
    ReservationStatus,
    Reward,
)
from app.query import sql
from app.query.fact import constant
from app.query.kind import Exact, Id, Position, Whole
from app.query.measure import Measure, measure
from app.query.shape import AsOf, Shape

# Points are whole, and many.
POINTS = Whole("SafeInt")
BALANCES = (
    "available",
    "pending",
    "reserved",
    "debt",
    "issued",
    "redeemed",
    "expired",
    "reversed",
    "adjusted",
    "moved",
)
_TERMS = (
    "earn_rate_e6",
    "activation_days",
    "expiry_days",
    "point_value_e6",
    "grace_days",
    "soft_landing",
)


def term_in_force(key: str, org: Any, program: Any, now: Any) -> ColumnElement[Any]:
    """Of the terms that are in force at an instant, or the first ones before that."""
    t: Any = LoyaltyTerms.__table__.alias("terms")
    found = select(t.c[key]).where(t.c.org_id == org, t.c.program_id == program)
    newest = case((t.c.at <= now, t.c.version), else_=-t.c.version).desc()
    return found.order_by(newest).limit(constant(1)).correlate_except(t).scalar_subquery()


def _term(key: str) -> AsOf:
    return lambda program, now: term_in_force(key, program.org_id, program.id, now)


def _left(key: str) -> AsOf:
    """As the last entry up to an instant left it."""

    def then(account: Any, now: Any) -> ColumnElement[Any]:
        e: Any = PointsEntry.__table__.alias("left_by")
        found = select(e.c[key]).where(e.c.org_id == account.org_id, e.c.account_id == account.id, e.c.at <= now)
        last = found.order_by(e.c.at.desc(), e.c.place.desc()).limit(constant(1))
        return func.coalesce(last.correlate_except(e).scalar_subquery(), constant(0))

    return then


def _by_then(key: str, at: str = "closed_at") -> AsOf:
    """Known from that instant on."""
    return lambda row, now: case((row[at] <= now, row[key]))


def _given_back(redemption: Any, now: Any) -> ColumnElement[Any]:
    e: Any = PointsEntry.__table__.alias("given_back")
    total = select(sql.whole(func.sum(e.c.points))).where(
        e.c.org_id == redemption.org_id,
        e.c.source_id == redemption.id,
        e.c.kind == sql.text("REVERSE_REDEMPTION"),
        e.c.at <= now,
    )
    return func.coalesce(total.correlate_except(e).scalar_subquery(), constant(0))


def _made_by_capture(reservation: Any) -> ColumnElement[Any]:
    r: Any = Redemption.__table__.alias("captured_as")
    made = select(r.c.id).where(
        r.c.org_id == reservation.org_id,
        r.c.account_id == reservation.account_id,
        r.c.redeemed_at == reservation.closed_at,
        r.c.reservation_id == reservation.id,
    )
    return made.limit(constant(1)).correlate_except(r).scalar_subquery()


def points_earned(purchase: Any, now: Any = None) -> ColumnElement[Any]:
    """The points that a purchase earned, less what was taken back; up to an instant if one is given."""
    e: Any = PointsEntry.__table__.alias("earned")
    earned, clawed = (e.c.kind == sql.text(kind) for kind in ("EARN", "CLAW_BACK"))
    total = func.sum(case((earned, e.c.points), (clawed, -e.c.points)))
    found = select(sql.whole(total)).where(e.c.org_id == purchase.org_id, e.c.source_id == purchase.id)
    found = found if now is None else found.where(e.c.at <= now)
    return func.coalesce(found.correlate_except(e).scalar_subquery(), constant(0))


def levels_in_force(level: Any, statement: Any) -> list[Any]:
    """Those of the version that is in force; now it is the programme's own, whatever a clock says."""
    if statement.clock.past:
        return [level.version == term_in_force("version", level.org_id, level.program_id, statement.now)]
    p: Any = LoyaltyProgram.__table__.alias("of_program")
    own = select(p.c.version).where(p.c.org_id == level.org_id, p.c.id == level.program_id)
    return [level.version == own.correlate_except(p).scalar_subquery()]


programs = Shape(
    "program",
    LoyaltyProgram.__table__,
    prefix="lpr",
    at="created_at",
    past={key: _term(key) for key in _TERMS},
)
levels = Shape("level", LoyaltyLevel.__table__, key=("program_id", "version", "rank"))
rewards = Shape("reward", Reward.__table__, prefix="rew", at="created_at")
accounts = Shape(
    "account",
    LoyaltyAccount.__table__,
    prefix="acc",
    at="opened_at",
    past={key: _left(key) for key in BALANCES}
    | {"entries": _left("place"), "closed_at": _by_then("closed_at")}
    # What is kept says nothing of any other day.
    | {"kept_version": lambda _account, _now: constant(0)},
)
entries = Shape("entry", PointsEntry.__table__, prefix="ent", at="at")
redemptions = Shape(
    "redemption",
    Redemption.__table__,
    prefix="red",
    at="redeemed_at",
    past={"reversed": _given_back},
)
reservations = Shape(
    "reservation",
    PointsReservation.__table__,
    prefix="res",
    at="reserved_at",
    past={
        "closed_at": _by_then("closed_at"),
        "closed_as": _by_then("closed_as"),
        "captured": lambda r, now: case((r.closed_at <= now, r.captured), else_=constant(0)),
    },
    borrowed={"redemption_id": _made_by_capture},
)


def _millionths(shape: Shape, key: str) -> Measure:
    return shape.add(Measure(key, shape, Exact(decimals=6), lambda c, _: getattr(c, f"{key}_e6"), catalogued=False))


earn_rate, point_value = _millionths(programs, "earn_rate"), _millionths(programs, "point_value")
multiplier = _millionths(levels, "multiplier")


def _place(of: Any, name: str) -> ColumnElement[int]:
    return constant(list(of.__members__).index(name))


@measure(accounts, Position(enum=AccountStatus), catalogued=False)
def account_status(c: Any, p: Any) -> Any:
    return case((c.closed_at.is_(None), _place(AccountStatus, "OPEN")), else_=_place(AccountStatus, "CLOSED"))


@measure(reservations, Position(enum=ReservationStatus), catalogued=False)
def reservation_status(c: Any, p: Any) -> Any:
    closed = {sql.text(name): constant(place) for place, name in enumerate(ReservationStatus.__members__)}
    over, still = _place(ReservationStatus, "EXPIRED"), _place(ReservationStatus, "OPEN")
    return case((c.closed_at.is_not(None), case(closed, value=c.closed_as)), (c.expires_at <= p.now, over), else_=still)


def _source(prefix: str) -> Callable[[Any, Any], Any]:
    return lambda c, _: case((c.source_prefix == sql.text(prefix), c.source_id))


# The node of the source's id, by its prefix.
SOURCES = {
    prefix: entries.add(
        Measure(f"source_{prefix}", entries, Id(prefix=prefix), _source(prefix), nullable=True, catalogued=False)
    ).key
    for prefix in ("pur", "red", "res")
}
