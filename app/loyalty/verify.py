"""Recomputing what is derived from the books: balances, lots, redemptions, reservations, and what each order earned."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, and_, case, cast, func, or_, select

from app.loyalty.ledger import BALANCES
from app.loyalty.tables import EntryKind as Kind
from app.loyalty.tables import LedgerAccount as Account
from app.loyalty.tables import (
    LoyaltyAccount,
    PointsEntry,
    PointsLot,
    PointsLotMove,
    PointsReservation,
    Redemption,
    ReservationStatus,
)
from app.platform.work import Work

Expression = ColumnElement[Any]
a, e, res = LoyaltyAccount, PointsEntry, PointsReservation
_PARTS = ("pending", "remaining", "reserved")
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


def verify(work: Work) -> dict[str, int]:
    """What is not as the books say, and in how many rows. Nothing, unless something is broken."""
    found = {}
    for said, wrong in _wrong(work):
        rows = work.session.execute(select(func.count()).select_from(wrong.subquery("wrong"))).scalar_one()
        if rows:
            found[said] = rows
    return found


def _wrong(work: Work) -> Iterator[tuple[str, Select[Any]]]:
    org = work.org.id
    changes = {name: _change(name) for name in BALANCES}
    folded = _summed(e.account_id, {**changes, "entries": cast(1, BigInteger)}, e.org_id == org, "folded")
    yield "accounts whose balances are not the sum of their entries", _beside(a, org, folded, [*BALANCES, "entries"])

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
        "entries that carry other balances than those up to them",
        select(r.id).where(or_(*(r[n] != r[f"sum_{n}"] for n in BALANCES), r.place != r.counted, r.at < r.before)),
    )

    halves = case((e.incoming, e.points), else_=-e.points)
    moves = select(e.at).where(e.org_id == org, e.kind == Kind.TRANSFER.value).group_by(e.program_id, e.at)
    yield "instants at which more or less arrived than was given", moves.having(func.sum(halves) != 0)

    signed = case((e.kind == Kind.EARN.value, e.points), else_=-e.points)
    by_year: Any = {"partition_by": [e.org_id, e.account_id, e.qualifying_year], "order_by": e.place}
    years = (
        select(e.id, e.qualified, _whole(func.sum(signed).over(**by_year)).label("total"))
        .where(e.org_id == org, e.qualifying_year.is_not(None))
        .subquery("years")
    )
    yield "entries that carry other qualifying points", select(years.c.id).where(years.c.qualified != years.c.total)

    lot, move = PointsLot, PointsLotMove
    moved = _summed(move.lot_id, {part: getattr(move, part) for part in _PARTS}, move.org_id == org, "moved")
    yield "lots that have something else left than their moves say", _beside(lot, org, moved, _PARTS)

    named = dict(zip(("pending", "available", "reserved"), _PARTS, strict=True))
    left = _summed(lot.account_id, {n: getattr(lot, part) for n, part in named.items()}, lot.org_id == org, "left_over")
    yield "accounts that have other balances than their lots", _beside(a, org, left, list(named))

    back = _of_source(org, "reversed", Kind.REVERSE_REDEMPTION)
    yield "redemptions of which something else was given back", _beside(Redemption, org, back, ["reversed"])

    captured = _of_source(org, "captured", Kind.CAPTURE)
    yield "reservations of which something else was captured", _beside(res, org, captured, ["captured"])
    ended = _of_source(org, "ended", Kind.CAPTURE, Kind.VOID)
    over = res.closed_at.is_not(None)
    yield (
        "reservations that hold something else than they say",
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

    earned: Any = (
        select(e.account_id, e.source_id)
        .where(e.org_id == org, e.source_prefix == "pur")
        .group_by(e.account_id, e.source_id)
        .having(func.sum(signed) < 0)
    )
    yield "purchases of which more was taken back than they earned", earned


def _change(name: str) -> Expression:
    """What an entry changed of a balance, told by its two accounts alone."""
    transfer = e.kind == Kind.TRANSFER.value
    either_way = case((e.incoming, e.points), else_=-e.points)
    if name == "moved":
        return case((transfer, either_way), else_=0)
    account, sign = _FOLDS[name]
    change = case((e.credit == account.value, e.points), else_=0) - case((e.debit == account.value, e.points), else_=0)
    return case((transfer, either_way if name == "available" else 0), else_=change * sign)


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


def _whole(number: Any) -> Expression:
    # PostgreSQL sums bigints into a numeric.
    return cast(number, BigInteger)
