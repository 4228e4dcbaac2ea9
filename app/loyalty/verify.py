"""Recomputing what is derived from the books: balances, lots, what falls due when, redemptions, reservations, and what
each order earned.

What is wrong is said of one row or many, named by the first word: "account with other balances than in the lots".
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    tuple_,
    union_all,
)

from app.loyalty.kept import wrongly_kept
from app.loyalty.ledger import BALANCES
from app.loyalty.tables import (
    NEVER,
    LoyaltyAccount,
    PointsEntry,
    PointsLot,
    PointsLotMove,
    PointsReservation,
    Redemption,
    ReservationStatus,
)
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.platform.days import day_of, midnight
from app.platform.work import Work

Expression = ColumnElement[Any]
Wrong = tuple[str, Select[Any]]
a, e, lot, move, res = LoyaltyAccount, PointsEntry, PointsLot, PointsLotMove, PointsReservation
# The part of a lot, and the balance that all of them make together.
_PARTS = {"pending": "pending", "remaining": "available", "reserved": "reserved"}
# The member's own accounts, and what each member added to the programme's, with the sign that makes it positive.
_FOLDS = {
    "available": (Account.AVAILABLE, 1),
    "pending": (Account.PENDING, 1),
    "reserved": (Account.RESERVED, 1),
    "debt": (Account.DEBT, -1),
    "issued": (Account.ISSUED, -1),
    "redeemed": (Account.REDEEMED, 1),
    "expired": (Account.EXPIRED, 1),
    "reversed": (Account.REVERSED, 1),
    "adjusted": (Account.ADJUSTMENTS, -1),
}
# From where to where each kind of entry moves points.
_WAYS = {
    Kind.EARN: [(Account.ISSUED, Account.PENDING), (Account.ISSUED, Account.AVAILABLE)],
    Kind.ACTIVATE: [(Account.PENDING, Account.AVAILABLE)],
    Kind.REDEEM: [(Account.AVAILABLE, Account.REDEEMED)],
    Kind.REVERSE_REDEMPTION: [(Account.REDEEMED, Account.AVAILABLE)],
    Kind.RESERVE: [(Account.AVAILABLE, Account.RESERVED)],
    Kind.CAPTURE: [(Account.RESERVED, Account.REDEEMED)],
    Kind.VOID: [(Account.RESERVED, Account.AVAILABLE)],
    Kind.EXPIRE: [(Account.AVAILABLE, Account.EXPIRED)],
    Kind.CLAW_BACK: [(held, Account.REVERSED) for held in (Account.PENDING, Account.AVAILABLE, Account.DEBT)],
    Kind.SETTLE_DEBT: [(Account.AVAILABLE, Account.DEBT)],
    Kind.ADJUST: [(Account.ADJUSTMENTS, Account.AVAILABLE), (Account.AVAILABLE, Account.ADJUSTMENTS)],
    Kind.TRANSFER: [(Account.AVAILABLE, Account.AVAILABLE)],
    Kind.FORFEIT: [(Account.PENDING, Account.EXPIRED), (Account.AVAILABLE, Account.EXPIRED)],
}
_QUALIFYING = (Kind.EARN.value, Kind.CLAW_BACK.value)
_MAKING_LOTS = (Kind.EARN.value, Kind.ADJUST.value, Kind.TRANSFER.value)


def verify(work: Work) -> dict[str, int]:
    """What is not as the books say, and in how many rows. Nothing, unless something is broken."""
    org, found = work.org.id, {}
    for part in (_entries, _accounts, _lots, _sources):
        for said, wrong in part(org):
            rows = select(func.count()).select_from(wrong.subquery("wrong"))
            found[said] = work.session.execute(rows).scalar_one()
    found["lot with days that begin at other instants"] = _of_other_days(work)
    found["account with another level than a replay finds"] = wrongly_kept(work)
    return {said: rows for said, rows in found.items() if rows}


# ------------------------------------------------------------------ the books themselves


def _entries(org: Any) -> Iterator[Wrong]:
    ways = [(kind.value, debit.value, credit.value) for kind, each in _WAYS.items() for debit, credit in each]
    transfer = e.kind == Kind.TRANSFER.value
    yield (
        "entry of a kind that moves points otherwise",
        select(e.id).where(
            e.org_id == org,
            or_(
                tuple_(e.kind, e.debit, e.credit).not_in(ways),
                e.kind.in_(_QUALIFYING) != e.qualifying_year.is_not(None),
                transfer != e.other_account_id.is_not(None),
                and_(e.incoming, ~transfer),
            ),
        ),
    )

    changes = {name: _change(name) for name in BALANCES}
    in_order: Any = {"partition_by": [e.org_id, e.account_id], "order_by": e.place}
    running = (
        select(
            e.id,
            *(getattr(e, name).label(name) for name in (*BALANCES, "place", "at")),
            *(_whole(func.sum(change).over(**in_order)).label(f"sum_{name}") for name, change in changes.items()),
            func.row_number().over(**in_order).label("counted"),
            func.lag(e.at).over(**in_order).label("before"),
        )
        .where(e.org_id == org)
        .subquery("running")
    )
    r = running.c
    yield (
        "entry with balances that do not follow from those before",
        select(r.id).where(or_(*(r[n] != r[f"sum_{n}"] for n in BALANCES), r.place != r.counted, r.at < r.before)),
    )

    halves = case((e.incoming, e.points), else_=-e.points)
    moves = select(e.at).where(e.org_id == org, e.kind == Kind.TRANSFER.value).group_by(e.program_id, e.at)
    yield "instant at which more or less arrived than was given", moves.having(func.sum(halves) != 0)

    by_year: Any = {"partition_by": [e.org_id, e.account_id, e.qualifying_year], "order_by": e.place}
    years = (
        select(e.id, e.qualified, _whole(func.sum(_earned()).over(**by_year)).label("total"))
        .where(e.org_id == org, e.qualifying_year.is_not(None))
        .subquery("years")
    )
    yield (
        "entry with qualifying points that do not follow from those before",
        select(years.c.id).where(years.c.qualified != years.c.total),
    )

    moved = _summed(move.entry_id, {part: getattr(move, part) for part in _PARTS}, move.org_id == org, "moved_by")
    other = [func.coalesce(moved.c[part], 0) != _change(balance) for part, balance in _PARTS.items()]
    yield (
        "entry with other moves of lots than of points",
        select(e.id).outerjoin_from(e, moved, moved.c.subject == e.id).where(e.org_id == org, or_(*other)),
    )


# ------------------------------------------------------------------ what is derived from them


def _accounts(org: Any) -> Iterator[Wrong]:
    changes: dict[str, Any] = {name: _change(name) for name in BALANCES}
    folded = _summed(e.account_id, {**changes, "entries": cast(1, BigInteger)}, e.org_id == org, "folded")
    yield "account with balances that are not the sum of the entries", _beside(a, org, folded, [*BALANCES, "entries"])

    last = _one(func.max, select(e.account_id, e.at).where(e.org_id == org), "last")
    yield "account with a last entry at another instant", _against(last, a.last_at != last.c.at, org)

    left = {balance: getattr(lot, part) for part, balance in _PARTS.items()}
    lots = _summed(lot.account_id, left, lot.org_id == org, "left_over")
    yield "account with other balances than in the lots", _beside(a, org, lots, list(left))

    pending = select(lot.account_id, lot.active_at.label("at")).where(lot.org_id == org, lot.pending > 0)
    remaining = select(lot.account_id, lot.expires_at.label("at")).where(lot.org_id == org, lot.remaining > 0)
    held = select(res.account_id, res.expires_at.label("at")).where(res.org_id == org, res.closed_at.is_(None))
    first = _one(func.min, union_all(pending, remaining, held), "first")
    yield "account with something due sooner than noted", _against(first, a.due_at > first.c.at, org)


def _lots(org: Any) -> Iterator[Wrong]:
    parts = [getattr(move, part) for part in _PARTS]
    moved = _summed(move.lot_id, dict(zip(_PARTS, parts, strict=True)), move.org_id == org, "moved")
    yield "lot with something else left than the moves say", _beside(lot, org, moved, list(_PARTS))

    into = parts[0] + parts[1] + parts[2]
    makes = and_(e.org_id == org, e.id == move.entry_id, e.kind.in_(_MAKING_LOTS))
    brought = _summed(move.lot_id, {"points": into}, and_(move.org_id == org, makes, into > 0), "brought")
    yield "lot of other points than came in", _beside(lot, org, brought, ["points"])

    unlike = select(lot.id).where(lot.org_id == org, lot.spendable != (lot.remaining > 0))
    yield "lot that is not spendable as its points are", unlike


def _of_other_days(work: Work) -> int:
    """Lots whose instants are not the beginnings of their days; what days begin at, only the calendar knows."""

    @cache
    def begins(day: int) -> datetime | None:
        try:
            return midnight(day_of(day), work.org.zone)
        except OverflowError:
            return None

    columns = lot.active_day, lot.active_at, lot.expires_day, lot.expires_at
    days = select(*columns, func.count()).where(lot.org_id == work.org.id).group_by(*columns)
    return sum(
        rows
        for active, active_at, expires, expires_at, rows in work.session.execute(days)
        if begins(active) != active_at or (NEVER if expires is None else begins(expires)) != expires_at
    )


def _sources(org: Any) -> Iterator[Wrong]:
    back = _of_source(org, "reversed", Kind.REVERSE_REDEMPTION)
    yield "redemption of which something else was given back", _beside(Redemption, org, back, ["reversed"])
    yield "redemption of other points than the entry", _unlike_its_entry(Redemption, org, Kind.REDEEM, Kind.CAPTURE)

    captured = _of_source(org, "captured", Kind.CAPTURE)
    yield "reservation of which something else was captured", _beside(res, org, captured, ["captured"])
    yield "reservation of other points than the entry", _unlike_its_entry(res, org, Kind.RESERVE)

    ended = _of_source(org, "ended", Kind.CAPTURE, Kind.VOID)
    over = res.closed_at.is_not(None)
    yield (
        "reservation with something else held than noted",
        select(res.id)
        .outerjoin_from(res, ended, ended.c.subject == res.id)
        .where(
            res.org_id == org,
            or_(
                func.coalesce(ended.c.ended, 0) != case((over, res.points), else_=0),
                and_(res.closed_as == ReservationStatus.CAPTURED.value, res.captured == 0),
            ),
        ),
    )

    overdrawn: Any = (
        select(e.account_id, e.source_id)
        .where(e.org_id == org, e.source_prefix == "pur")
        .group_by(e.account_id, e.source_id)
        .having(func.sum(_earned()) < 0)
    )
    yield "purchase of which more was taken back than earned", overdrawn


# ------------------------------------------------------------------ how it is said


def _change(name: str) -> Expression:
    """What an entry changed of a balance, told by its two accounts alone."""
    transfer = e.kind == Kind.TRANSFER.value
    either_way = case((e.incoming, e.points), else_=-e.points)
    if name == "moved":
        return case((transfer, either_way), else_=0)
    account, sign = _FOLDS[name]
    change = case((e.credit == account.value, e.points), else_=0) - case((e.debit == account.value, e.points), else_=0)
    return case((transfer, either_way if name == "available" else 0), else_=change * sign)


def _earned() -> Expression:
    """Of an entry that earns or takes back."""
    return case((e.kind == Kind.EARN.value, e.points), else_=-e.points)


def _summed(subject: Any, values: dict[str, Any], mine: Any, name: str) -> FromClause:
    sums = (_whole(func.sum(value)).label(name) for name, value in values.items())
    return select(subject.label("subject"), *sums).where(mine).group_by(subject).subquery(name)


def _of_source(org: Any, name: str, *kinds: Kind) -> FromClause:
    mine = and_(e.org_id == org, e.source_id.is_not(None), e.kind.in_([kind.value for kind in kinds]))
    return _summed(e.source_id, {name: e.points}, mine, f"{name}_in_all")


def _beside(table: Any, org: Any, sums: FromClause, names: Sequence[str]) -> Select[Any]:
    """Rows whose columns are not the sums; nothing to sum is 0."""
    differs = [getattr(table, name) != func.coalesce(sums.c[name], 0) for name in names]
    wrong: Select[Any] = (
        select(table.id)
        .outerjoin_from(table, sums, sums.c.subject == table.id)
        .where(table.org_id == org, or_(*differs))
    )
    return wrong


def _one(which: Any, instants: Any, name: str) -> FromClause:
    """The first or the last instant of each account."""
    each = instants.subquery(f"{name}_of")
    return select(each.c.account_id, which(each.c.at).label("at")).group_by(each.c.account_id).subquery(name)


def _against(instants: FromClause, differs: Expression, org: Any) -> Select[Any]:
    """Accounts that say another instant."""
    return select(a.id).join_from(a, instants, instants.c.account_id == a.id).where(a.org_id == org, differs)


def _unlike_its_entry(table: Any, org: Any, *kinds: Kind) -> Select[Any]:
    """Rows that are not of their own entry's points, or of another account."""
    differs = [
        e.points != table.points,
        e.account_id != table.account_id,
        e.kind.not_in([kind.value for kind in kinds]),
    ]
    wrong: Select[Any] = select(table.id).where(
        table.org_id == org, e.org_id == org, e.id == table.entry_id, or_(*differs)
    )
    return wrong


def _whole(number: Any) -> Expression:
    # PostgreSQL sums bigints into a numeric.
    return cast(number, BigInteger)
