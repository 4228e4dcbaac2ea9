"""What no table holds: the trial balance and the liability of a programme, and which points expire when.

Rows are made from the accounts and lots as they are at the clock, with what has fallen due.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    Select,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)

import app.loyalty.kept  # noqa: F401 - the balances with what has fallen due, and what is kept of them
from app.loyalty.due import payments, returned
from app.loyalty.lots import has_points
from app.loyalty.measures import POINTS, accounts, programs, term_in_force
from app.loyalty.tables import LedgerAccount, LoyaltyAccount, PointsEntry, PointsLot, PointsLotMove
from app.platform.database import Key, Words
from app.platform.text import LARGEST
from app.query import sql
from app.query.calendar import MonthStart
from app.query.fact import constant
from app.query.flow import Statement, read
from app.query.kind import Fixed, Minor, Whole
from app.query.measure import measure
from app.query.shape import Shape, described

Expression = ColumnElement[Any]

# The account of the double entry, what it holds of a member's row, and with which sign.
_HELD = {
    LedgerAccount.ISSUED: ("issued", -1),
    LedgerAccount.REDEEMED: ("redeemed", 1),
    LedgerAccount.EXPIRED: ("now_expired", 1),
    LedgerAccount.REVERSED: ("reversed", 1),
    LedgerAccount.ADJUSTMENTS: ("adjusted", -1),
    LedgerAccount.PENDING: ("now_pending", 1),
    LedgerAccount.AVAILABLE: ("now_available", 1),
    LedgerAccount.RESERVED: ("now_reserved", 1),
    LedgerAccount.DEBT: ("now_debt", -1),
}
_SUMMED = tuple(node for node, _ in _HELD.values())


def _totals(statement: Statement, keys: Select[Any] | None) -> CTE:
    """Programmes, with the sums over their accounts."""

    def theirs(row: Any, _: Statement) -> list[ColumnElement[bool]]:
        return [row.program_id.in_(keys)] if keys is not None else []

    members = read(statement, accounts, {"program_id", *_SUMMED}, only=theirs)
    of = members["program_id"]
    sums = (
        select(of.label("of"), *(sql.whole(func.sum(members[node])).label(node) for node in _SUMMED))
        .select_from(members.source)
        .where(*members.tests)
        .group_by(of)
        .cte(statement.name("sums"))
    )
    p: Any = programs.table.alias(statement.name(programs.name))
    value = p.c.point_value_e6
    if statement.clock.past:
        value = term_in_force("point_value_e6", p.c.org_id, p.c.id, statement.now)
    # Before there was the programme, there was nothing in it.
    own = select(p.c.org_id, p.c.id, p.c.currency, p.c.exponent, value.label("point_value_e6"))
    own = own.where(p.c.org_id == statement.org, *([p.c.id.in_(keys)] if keys is not None else []))
    each = own.cte(statement.name("programs"))
    return (
        select(each, *(func.coalesce(sums.c[node], constant(0)).label(node) for node in _SUMMED))
        .select_from(each.outerjoin(sums, sums.c.of == each.c.id))
        .cte(statement.name("totals"))
    )


def _ledger(statement: Statement, keys: Select[Any] | None) -> FromClause:
    totals = _totals(statement, keys)
    each = [
        select(
            totals.c.org_id,
            totals.c.id.label("program_id"),
            constant(place).label("account"),
            (totals.c[node] * constant(sign)).label("points"),
        )
        for place, (node, sign) in enumerate(_HELD[account] for account in LedgerAccount)
    ]
    return union_all(*each).cte(statement.name("ledger"))


ledger = Shape(
    "ledger_balance",
    described("ledger_balances", program_id=Key(), account=BigInteger(), points=BigInteger()),
    key=("program_id", "account"),
    derived=_ledger,
)

# ------------------------------------------------------------------ liability

liabilities = Shape(
    "liability",
    described(
        "liabilities",
        id=Key(),
        currency=Words(),
        exponent=BigInteger(),
        point_value_e6=BigInteger(),
        **dict.fromkeys(_SUMMED, BigInteger()),
    ),
    derived=_totals,
)


@measure(liabilities, Whole(), catalogued=False)
def unit(c: Any, p: Any) -> Any:
    """Minor units in one whole of the programme's currency."""
    return case(
        {constant(2): constant(100), constant(0): constant(1), constant(3): constant(1_000)},
        value=c.exponent,
        else_=constant(10_000),
    )


@measure(liabilities, POINTS, catalogued=False)
def outstanding(c: Any, p: Any) -> Any:
    return c.now_available + c.now_pending + c.now_reserved - c.now_debt


@measure(liabilities, Fixed(decimals=6), nullable=True, catalogued=False)
def redemption_rate(c: Any, p: Any) -> Any:
    closed = c.redeemed + c.now_expired
    return case((closed > constant(0), sql.Share(c.redeemed, constant(10**6), constant(1), constant(1), closed)))


@measure(liabilities, Minor(exponent="exponent", unit="unit"), nullable=True, catalogued=False)
def amount(c: Any, p: Any) -> Any:
    """Outstanding by rate by value, rounded once."""
    closed = c.redeemed + c.now_expired
    owed = sql.Greatest(c.outstanding, constant(0))
    worth = c.point_value_e6 * c.unit
    # About so much: more than an amount may be is not told, rather than told wrong.
    about = (
        cast(owed, Double())
        * cast(c.redeemed, Double())
        / cast(func.nullif(closed, constant(0)), Double())
        * cast(worth, Double())
    )
    countable = and_(closed > constant(0), about < literal_column(str(float(LARGEST * 10**6))))
    return case((countable, sql.Share(owed, c.redeemed, worth, constant(10**6), closed)))


# ------------------------------------------------------------------ what expires when

_BY = ("account_id", "expires_day")


def _left(statement: Statement, among: Any) -> list[Select[Any]]:
    """Points, available or pending, in lots whose day is to come, with those days; several rows may be of one lot."""
    org, now = statement.org, statement.now
    lot: Any = PointsLot.__table__.alias(statement.name("lot"))
    own = [lot.c.org_id == org, among(lot.c.account_id), lot.c.expires_at > now, lot.c.expires_day.is_not(None)]
    back = returned(org, now, among).subquery(statement.name("back"))
    paid = payments(org, now, among)
    came = [
        select(*(each.c[key] for key in _BY), points).where(each.c.expires_at > now, each.c.expires_day.is_not(None))
        for each, points in ((back, back.c.points), (paid, -paid.c.paid))
    ]
    of_lot = [lot.c[key] for key in _BY]
    if not statement.clock.past:
        parts = (lot.c.remaining, has_points(lot.c)), (lot.c.pending, lot.c.pending > constant(0))
        return [*(select(*of_lot, part.label("points")).where(*own, left) for part, left in parts), *came]
    # As all moves up to now made them.
    e: Any = PointsEntry.__table__.alias(statement.name("entry"))
    m: Any = PointsLotMove.__table__.alias(statement.name("move"))
    moved = e.join(m, and_(m.c.org_id == sql.Given(e.c.org_id), m.c.entry_id == e.c.id))
    moved = moved.join(lot, and_(lot.c.org_id == sql.Given(m.c.org_id), lot.c.id == m.c.lot_id))
    then = [e.c.org_id == org, among(e.c.account_id), e.c.at <= now, lot.c.expires_at > now]
    points = (m.c.remaining + m.c.pending).label("points")
    return [select(*of_lot, points).select_from(moved).where(*then, lot.c.expires_day.is_not(None)), *came]


def _lots(statement: Statement, accounts: Select[Any] | None) -> FromClause:
    each = _left(statement, lambda account: account.in_(accounts) if accounts is not None else true())
    return union_all(*each).subquery(statement.name("lots"))


def _expiring(statement: Statement, keys: Select[Any] | None) -> FromClause:
    """By account and day."""
    lots = _lots(statement, keys)
    total = sql.whole(func.sum(lots.c.points))
    return (
        select(statement.org.label("org_id"), lots.c.account_id, lots.c.expires_day, total.label("points"))
        .group_by(lots.c.account_id, lots.c.expires_day)
        .having(total > constant(0))
        .cte(statement.name("expiring"))
    )


def _months(statement: Statement, keys: Select[Any] | None) -> FromClause:
    """By programme and month, named by its first day."""
    a: Any = LoyaltyAccount.__table__.alias(statement.name("member"))
    members = select(a.c.id).where(a.c.org_id == statement.org)
    if keys is not None:
        members = members.where(a.c.program_id.in_(keys))
    lots = _lots(statement, members)
    # Not by account first: of these there are as many as lots. No account has less than none on any day.
    days = (
        select(a.c.program_id, lots.c.expires_day, func.sum(lots.c.points).label("points"))
        .select_from(lots.join(a, and_(a.c.org_id == statement.org, a.c.id == lots.c.account_id)))
        .group_by(a.c.program_id, lots.c.expires_day)
        .cte(statement.name("days"))
    )
    month, total = MonthStart(days.c.expires_day), sql.whole(func.sum(days.c.points))
    return (
        select(statement.org.label("org_id"), days.c.program_id, month.label("expires_day"), total.label("points"))
        .group_by(days.c.program_id, month)
        .having(total > constant(0))
        .cte(statement.name("months"))
    )


expiring = Shape(
    "expiring_points",
    described("expiring_points", account_id=Key(), expires_day=BigInteger(), points=BigInteger()),
    key=("account_id", "expires_day"),
    derived=_expiring,
)
months = Shape(
    "expiring_month",
    described("expiring_months", program_id=Key(), expires_day=BigInteger(), points=BigInteger()),
    key=("program_id", "expires_day"),
    derived=_months,
)
