"""What a book is opened with, read by statements that are made once: for one command, or for many that are done
together (app/platform/steps.py)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, or_, select, true, tuple_

from app.customers.rules import Lookup as CustomerLookup
from app.loyalty import finality
from app.loyalty.lots import has_points
from app.loyalty.rules import AccountLookup, Level
from app.loyalty.tables import (
    NEVER,
    LoyaltyAccount,
    LoyaltyLevel,
    LoyaltyProgram,
    LoyaltyTerms,
    PointsEntry,
    PointsLot,
    PointsReservation,
)
from app.platform.database import Instant, Key
from app.platform.ids import key_of
from app.platform.sending import Prepared, key_from, one_of, prepare, reading
from app.platform.steps import UNKNOWN, Look, Writing
from app.platform.work import Work

a, e = LoyaltyAccount, PointsEntry
_ACCOUNT, _LOT = a.__table__, PointsLot.__table__
_HELD = PointsReservation.__table__
# Few need more lots than these for what they spend.
LOTS_AT_ONCE = 50
# What an account's row has besides a book's.
_OF_NO_BOOK = frozenset({"org_id", "number", "number_folded", "opened_at"})
Row = dict[str, Any]
After = tuple[datetime, datetime, UUID] | None


class _Account(Look):
    """An account, locked, with the terms that are in force."""

    def send(self, writing: Writing, values: Sequence[UUID]) -> Any:
        given = {"org": writing.org_id, "ids": list(set(values))}
        finality.begin(writing)
        return writing.send(_accounts(writing.dialect, "id", isinstance(writing, Work))[0], given)

    def found(self, writing: Writing, values: Sequence[UUID], sent: Any) -> Mapping[UUID, Row]:
        read = _accounts(writing.dialect, "id", True)[1]
        rows = [read(row) for row in writing.read(sent)]
        return {row["id"]: row for row in rows}


class Membership(NamedTuple):
    """An account of a customer, with what it takes to earn by a purchase."""

    row: Row
    years: dict[int, int]
    levels: tuple[Level, ...]


class _Memberships(Look):
    """Of a customer: the open accounts, locked."""

    asks_more = True

    def send(self, writing: Writing, values: Sequence[UUID]) -> Any:
        given = {"org": writing.org_id, "ids": sorted(set(values))}
        waits = isinstance(writing, Work)
        finality.begin(writing)
        rows = writing.send(_accounts(writing.dialect, "customer_id", waits)[0], given)
        return rows, None if waits else writing.send(_members(writing.dialect), given)

    def more(self, writing: Writing, values: Sequence[UUID], sent: Any) -> Any:
        read = _accounts(writing.dialect, "customer_id", True)[1]
        rows = [read(row) for row in writing.read(sent[0])]
        ids = [row["id"] for row in rows]
        return rows, sent[1], YEARS.send(writing, ids), LEVELS.send(writing, ids)

    def found(self, writing: Writing, values: Sequence[UUID], sent: Any) -> Mapping[UUID, Any]:
        rows, members, of_years, of_levels = sent
        ids = [row["id"] for row in rows]
        found: dict[UUID, Any] = {customer: [] for customer in values}
        if members is not None:
            # One that was passed over is not none.
            locked = set(ids)
            for account, customer in writing.read(members):
                if key_from(account) not in locked:
                    found[key_from(customer)] = UNKNOWN
        years, levels = YEARS.found(writing, ids, of_years), LEVELS.found(writing, ids, of_levels)
        for row in rows:
            if found[row["customer_id"]] is not UNKNOWN:
                key = row["id"]
                found[row["customer_id"]].append(Membership(row, years[key], levels[key]))
        return found


class _Lots(Look):
    """`(account, after)`: the lots with something available, in the order in which they are spent, from the start or
    after one; so many at once."""

    def send(self, writing: Writing, values: Sequence[tuple[UUID, After]]) -> Any:
        if _are_first_of_many(writing, values):
            ids = {account for account, _ in values}
            return writing.send(_lots_of_many()[0], {"org": writing.org_id, "ids": list(ids)})
        return [_send_lots(writing, account, after) for account, after in values]

    def found(self, writing: Writing, values: Sequence[Any], sent: Any) -> Mapping[Any, list[Row]]:
        if _are_first_of_many(writing, values):
            read, by_account = _lots_of_many()[1], dict[Any, list[Row]]((value, []) for value in values)
            for row in map(read, writing.read(sent)):
                by_account[row["account_id"], None].append(row)
            return by_account
        read = _lots(writing.dialect, True)[1]
        return {value: [read(row) for row in writing.read(each)] for value, each in zip(values, sent, strict=True)}


def _are_first_of_many(writing: Writing, values: Sequence[tuple[UUID, After]]) -> bool:
    """A statement for each takes PostgreSQL longer than the lots themselves do; SQLite is asked without a journey."""
    return writing.dialect == "postgresql" and len(values) > 1 and all(after is None for _, after in values)


class _Years(Look):
    """The qualifying points of each calendar year of an account: one look-up a year, however long the history is."""

    def send(self, writing: Writing, values: Sequence[UUID]) -> Any:
        given = [{"org": writing.org_id, "account": account} for account in values]
        return [writing.send(_years(writing.dialect), each) for each in given]

    def found(self, writing: Writing, values: Sequence[UUID], sent: Any) -> Mapping[UUID, dict[int, int]]:
        rows = [writing.read(each) for each in sent]
        return {
            account: {int(year): int(points) for year, points in each}
            for account, each in zip(values, rows, strict=True)
        }


class _Levels(Look):
    """Of an account: the levels of its programme's terms, by rank."""

    def send(self, writing: Writing, values: Sequence[UUID]) -> Any:
        return writing.send(_levels(writing.dialect), {"org": writing.org_id, "ids": sorted(set(values))})

    def found(self, writing: Writing, values: Sequence[UUID], sent: Any) -> Mapping[UUID, tuple[Level, ...]]:
        found: dict[UUID, tuple[Level, ...]] = dict.fromkeys(values, ())
        for account, *level in writing.read(sent):
            found[key_from(account)] += (Level(*map(int, level)),)
        return found


ACCOUNT, MEMBERSHIPS, LOTS, YEARS, LEVELS = _Account(), _Memberships(), _Lots(), _Years(), _Levels()


def before_spending(account: AccountLookup) -> list[tuple[Look, Any]]:
    """What it takes to spend points of an account in memory; nothing for an account that has to be looked for."""
    key = key_of(account.get("id") or "", "acc")
    return [(ACCOUNT, key), (LOTS, (key, None))] if key else []


def before_buying(customer: CustomerLookup) -> list[tuple[Look, Any]]:
    key = key_of(customer.get("id") or "", "cus")
    return [(MEMBERSHIPS, key)] if key else []


def before_earning(account: AccountLookup) -> list[tuple[Look, Any]]:
    key = key_of(account.get("id") or "", "acc")
    return [(ACCOUNT, key), (YEARS, key), (LEVELS, key)] if key else []


def due(work: Work, account: UUID, until: datetime) -> tuple[list[Row], list[Row]]:
    """The lots that are to be activated or to expire by then, and the reservations that time out."""
    given = {"org": work.org_id, "account": account, "until": until}
    found = [[read(row) for row in work.run(prepared, given)] for prepared, read in _due(work.dialect)]
    return found[0], found[1]


def next_due(work: Work, account: UUID) -> datetime:
    """When something falls due next, at the earliest."""
    prepared, read = _next_due(work.dialect)
    [row] = work.run(prepared, {"org": work.org_id, "account": account})
    return min((instant for instant in read(row).values() if instant is not None), default=NEVER)


# ------------------------------------------------------------------ statements


@cache
def _accounts(dialect: str, by: str, waits: bool) -> Any:
    """By their ids, or the open ones of customers. `waits`: for who has them in use; many who write together pass them
    over instead, and each waits for himself."""
    p, t, org = LoyaltyProgram, LoyaltyTerms, bindparam("org", type_=Key())
    columns = [
        *(column for column in _ACCOUNT.c if column.name not in _OF_NO_BOOK),
        *(p.__table__.c[name] for name in ("points_name", "currency", "exponent")),
        *(t.__table__.c[name] for name in ("earn_rate_e6", "activation_days", "expiry_days", "grace_days")),
        *(t.__table__.c[name].label(f"terms_{name}") for name in ("version", "soft_landing")),
        finality.final_until(org),
    ]
    in_force = and_(t.org_id == p.org_id, t.program_id == p.id, t.version == p.version)
    rows: Select[Any] = (
        select(*columns)
        .join_from(_ACCOUNT, p, and_(p.org_id == a.org_id, p.id == a.program_id))
        .join(t, in_force)
        .where(a.org_id == org, p.org_id == org, t.org_id == org, one_of(_ACCOUNT.c[by], "ids", dialect))
        .where(*([a.closed_at.is_(None)] if by == "customer_id" else []))
        # In the order of their ids: no two wait for each other.
        .order_by(a.id)
        .with_for_update(of=_ACCOUNT, skip_locked=not waits)
    )
    return prepare(rows, dialect), reading(columns, dialect)


@cache
def _members(dialect: str) -> Prepared:
    mine = a.org_id == bindparam("org", type_=Key()), a.closed_at.is_(None)
    return prepare(select(a.id, a.customer_id).where(*mine, one_of(_ACCOUNT.c.customer_id, "ids", dialect)), dialect)


@cache
def _levels(dialect: str) -> Prepared:
    v, p, org = LoyaltyLevel, LoyaltyProgram, bindparam("org", type_=Key())
    columns = a.id, v.rank, v.qualify_points, v.retain_points, v.multiplier_e6
    rows = (
        select(*columns)
        .join_from(a, p, and_(p.org_id == a.org_id, p.id == a.program_id))
        .join(v, and_(v.org_id == p.org_id, v.program_id == p.id, v.version == p.version))
        .where(a.org_id == org, p.org_id == org, v.org_id == org, one_of(_ACCOUNT.c.id, "ids", dialect))
        .order_by(a.id, v.rank)
    )
    return prepare(rows, dialect)


@cache
def _lots(dialect: str, first: bool) -> Any:
    columns = _lot_columns()
    order = PointsLot.expires_at, PointsLot.earned_at, PointsLot.id
    mine = [
        PointsLot.org_id == bindparam("org", type_=Key()),
        PointsLot.account_id == bindparam("account", type_=Key()),
    ]
    if not first:
        kinds: dict[str, Any] = {"after_expiry": Instant(), "after_earned": Instant(), "after_id": Key()}
        mine.append(tuple_(*order) > tuple_(*(bindparam(name, type_=kind) for name, kind in kinds.items())))
    rows = select(*columns).where(*mine, has_points(PointsLot)).order_by(*order).limit(LOTS_AT_ONCE)
    return prepare(rows, dialect), reading(columns, dialect)


@cache
def _lots_of_many() -> Any:
    """The first of each account, in their order."""
    columns, lot, org = _lot_columns(), PointsLot, bindparam("org", type_=Key())
    mine = lot.org_id == org, lot.account_id == a.id, has_points(lot)
    order = lot.expires_at, lot.earned_at, lot.id
    first = select(*columns).where(*mine).order_by(*order).limit(LOTS_AT_ONCE).correlate(_ACCOUNT).lateral("first")
    rows = select(*first.c).select_from(_ACCOUNT).join(first, true())
    rows = rows.where(a.org_id == org, one_of(_ACCOUNT.c.id, "ids", "postgresql"))
    found = rows.order_by(first.c.expires_at, first.c.earned_at, first.c.id)
    return prepare(found, "postgresql"), reading(columns, "postgresql")


def _send_lots(writing: Writing, account: UUID, after: After) -> Any:
    given: Row = {"org": writing.org_id, "account": account}
    if after is not None:
        given |= dict(zip(("after_expiry", "after_earned", "after_id"), after, strict=True))
    return writing.send(_lots(writing.dialect, after is None)[0], given)


@cache
def _years(dialect: str) -> Prepared:
    mine = e.org_id == bindparam("org", type_=Key()), e.account_id == bindparam("account", type_=Key())
    first = select(func.min(e.qualifying_year).label("year")).where(*mine, e.qualifying_year.is_not(None))
    years = first.cte("years", recursive=True)
    later = select(func.min(e.qualifying_year)).where(*mine, e.qualifying_year > years.c.year).scalar_subquery()
    years = years.union_all(select(later).where(years.c.year.is_not(None)))
    mine_then = *mine, e.qualifying_year == years.c.year
    last = select(e.qualified).where(*mine_then).order_by(e.place.desc()).limit(1).scalar_subquery()
    return prepare(select(years.c.year, last).where(years.c.year.is_not(None)), dialect)


@cache
def _due(dialect: str) -> Any:
    lot, held, until = PointsLot, PointsReservation, bindparam("until", type_=Instant())
    wait = and_(lot.pending > 0, lot.active_at <= until)
    end = and_(has_points(lot), lot.expires_at <= until)
    lots = select(*_lot_columns()).where(*_of_account(lot), or_(wait, end))
    columns = [_HELD.c[name] for name in ("id", "entry_id", "points", "expires_at")]
    holds = select(*columns).where(*_of_account(held), held.closed_at.is_(None), held.expires_at <= until)
    of_lots = prepare(lots, dialect), reading(_lot_columns(), dialect)
    return of_lots, (prepare(holds, dialect), reading(columns, dialect))


@cache
def _next_due(dialect: str) -> Any:
    lot, held = PointsLot, PointsReservation
    firsts = [
        select(func.min(lot.active_at)).where(*_of_account(lot), lot.pending > 0).scalar_subquery(),
        select(func.min(lot.expires_at)).where(*_of_account(lot), has_points(lot)).scalar_subquery(),
        select(func.min(held.expires_at)).where(*_of_account(held), held.closed_at.is_(None)).scalar_subquery(),
    ]
    columns = [first.label(f"first_{place}") for place, first in enumerate(firsts)]
    return prepare(select(*columns), dialect), reading(columns, dialect)


def _lot_columns() -> list[Any]:
    return [column for column in _LOT.c if column.name != "org_id"]


def _of_account(table: Any) -> tuple[Any, Any]:
    org, account = bindparam("org", type_=Key()), bindparam("account", type_=Key())
    return table.org_id == org, table.account_id == account
