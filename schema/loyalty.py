"""Programmes, members' accounts and their books, as they are read."""

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry

from app.customers.measures import customers
from app.loyalty import due, levels, measures, reports
from app.loyalty.measures import POINTS, accounts, entries, programs, redemptions, reservations, rewards
from app.loyalty.tables import LoyaltyAccount as AccountTable
from app.loyalty.tables import LoyaltyLevel as LevelTable
from app.loyalty.tables import LoyaltyProgram as ProgramTable
from app.loyalty.tables import PointsEntry as EntryTable
from app.loyalty.tables import PointsReservation as ReservationTable
from app.loyalty.tables import Redemption as RedemptionTable
from app.loyalty.tables import Reward as RewardTable
from app.platform.refusals import BadInput
from app.purchases.measures import purchases
from app.query.kind import Day, Flag, Id, Moment, Name, Plain, Position, Raw, Text, Whole
from app.query.question import All, Compare, Related, Relation, Where
from schema.enums import (
    LedgerAccount,
    LoyaltyAccountStatus,
    PointsEntryKind,
    PointsReservationStatus,
)
from schema.fields import (
    Value,
    column,
    entity,
    identity,
    live,
    measured,
    money,
    one,
    part,
    pointed,
    related,
    rows,
    same,
    valued,
)
from schema.filters import listing
from schema.given import MOST_DAYS, Extra, Values
from schema.node import Money, Node
from schema.pages import connection
from schema.scalars import CurrencyCode, Date, DateTime, Decimal, SafeInt

Person = Annotated["Customer", strawberry.lazy("schema.types")]  # type: ignore[name-defined] # noqa: F821
Program = Annotated["LoyaltyProgram", strawberry.lazy("schema.loyalty")]
Accounts = Annotated["LoyaltyAccountConnection", strawberry.lazy("schema.loyalty")]  # type: ignore[valid-type]

AS_OF = {
    "as_of": (
        DateTime | None,
        None,
        "As of that instant; not in the future. Of the last seconds, what others still write may yet be added.",
    )
}


def _points(of: Any, said: str, **flags: Any) -> Any:
    """A column of points."""
    return column(of, POINTS, description=said, **{"filter": False, **flags})


# ------------------------------------------------------------------ programmes


@entity(measures.levels)
@strawberry.type(description="A level of members, under the programme's terms in force. 会员等级")
class LoyaltyLevel:
    name: str = column(
        LevelTable.name, Text(), folded=LevelTable.name_folded, description="As members know it, like 金星."
    )
    rank: int = column(LevelTable.rank, Whole(), description="The higher, the better.")
    qualify_points: SafeInt = _points(
        LevelTable.qualify_points, "So many points that qualify, in one calendar year, reach it at once."
    )
    retain_points: SafeInt = _points(
        LevelTable.retain_points, "So many in the year before keep it, for those who have it."
    )
    multiplier: Decimal = measured(
        measures.multiplier, filter=False, description="By which earned points are multiplied."
    )
    benefits: list[str] = column(LevelTable.benefits, Raw(), filter=False, description="What members of it enjoy.")


@entity(rewards)
@strawberry.type(description="What points buy; as it is now, also below an asOf.")
class Reward(Node):
    id: strawberry.ID = identity("rew")
    program: Program = one(Relation(programs, "program_id", "id"), description="In which programme.")
    name: str = column(RewardTable.name, Text(), filter=False, description="At most 200 characters.")
    points: SafeInt = _points(RewardTable.points, "What it costs.")
    stock: int | None = column(
        RewardTable.stock, Whole(), filter=False, description="How many are left; null: unlimited."
    )
    active: bool = column(RewardTable.active, Flag(), filter=False, description="Whether it can be had.")


@entity(reports.ledger)
@strawberry.type(description="What one account of the double entry holds.")
class LedgerBalance:
    account: LedgerAccount = valued(
        "account", Position(enum=LedgerAccount), description="One of the programme's, or all members' together."
    )
    points: SafeInt = valued("points", POINTS, description="Signed: what a credit adds.")


@entity(reports.expiring)
@strawberry.type(description="Points that expire together.")
class ExpiringPoints:
    expires_on: Date = valued(
        "expires_day",
        Day(),
        description="From this day on they are gone; by month, the first day of the month in which they expire.",
    )
    points: SafeInt = valued("points", POINTS, description="Available or pending.")


@entity(reports.liabilities)
@strawberry.type(description="What the outstanding points may cost. 积分负债")
class LoyaltyLiability:
    outstanding: SafeInt = measured(
        reports.outstanding,
        filter=False,
        description="Available, pending and reserved points of all members, less what they owe.",
    )
    redemption_rate: float | None = measured(
        reports.redemption_rate,
        filter=False,
        description="Share of closed points that were spent, six decimals; null until any closed. The rest is breakage.",
    )
    amount: Money | None = money(
        reports.amount,
        own=True,
        filter=False,
        description="Outstanding by redemption rate by point value, in the programme's currency, rounded once; null "
        "while the rate is. Where members owe more than they have, it is 0.",
    )
    expiring: list[ExpiringPoints] = rows(
        Relation(reports.months, "id", "program_id", order=("expires_day",)),
        description="Available and pending points by month of expiry, soonest first. Reserved ones, those that never "
        "expire, and what is owed are not in it.",
    )


@entity(programs, order=(("created_at", False), ("id", False)))
@strawberry.type(
    description="A loyalty programme: how points are earned, what they are worth, and its levels. Below an asOf its "
    "terms and levels are those of then; version, names and rewards are as they are now. 会员计划"
)
class LoyaltyProgram(Node):
    id: strawberry.ID = identity("lpr")
    version: int = column(
        ProgramTable.version,
        Whole(),
        filter=False,
        description="Rises by one with every change; give it back as expectedVersion.",
    )
    name: str = column(ProgramTable.name, Text(), filter=False, description="At most 200 characters.")
    points_name: str = column(
        ProgramTable.points_name, Text(), filter=False, description="What its points are called, like stars."
    )
    currency: CurrencyCode = column(
        ProgramTable.currency, Plain(), filter=False, description="Purchases in this currency earn."
    )
    earn_rate: Decimal = measured(
        measures.earn_rate,
        filter=False,
        description="Points per whole currency unit of net spend, rounded down per order.",
    )
    activation_days: int = column(
        ProgramTable.activation_days,
        Whole(),
        filter=False,
        description="Days from earning until points can be spent.",
    )
    expiry_days: int | None = column(
        ProgramTable.expiry_days,
        Whole(),
        filter=False,
        description="Days from activation until points expire; null: never.",
    )
    point_value: Decimal = measured(
        measures.point_value,
        filter=False,
        description="What one point is worth when spent, in whole units of the currency, for the liability.",
    )
    level_grace_days: int = column(
        ProgramTable.grace_days,
        Whole(),
        filter=False,
        description="Days into a new calendar year in which the old level still holds.",
    )
    soft_landing: bool = column(
        ProgramTable.soft_landing,
        Flag(),
        filter=False,
        description="Fall one level at a time, not to where the points are.",
    )
    levels: list[LoyaltyLevel] = rows(
        Relation(measures.levels, "id", "program_id", measures.levels_in_force, ("rank",)),
        description="Lowest first; empty when there are none.",
    )
    rewards: list[Reward] = rows(
        Relation(rewards, "id", "program_id", order=("points", "id")),
        description="Cheapest first, those that cannot be had now included.",
    )
    trial_balance: list[LedgerBalance] = rows(
        Relation(reports.ledger, "id", "program_id", order=("account",)),
        returns=list[LedgerBalance],
        arguments=AS_OF,
        description="Double entry: one row for each account, and they sum to zero at any time.",
    )
    liability: LoyaltyLiability = one(
        Relation(reports.liabilities, "id", "id"),
        returns=LoyaltyLiability,
        arguments=AS_OF,
        description="Outstanding points and what they may cost.",
    )
    accounts: Accounts = related(
        Accounts,
        Relation(accounts, "id", "program_id"),
        arguments=listing("LoyaltyAccount"),
        description="Its members' accounts, oldest first unless ordered otherwise.",
    )


# ------------------------------------------------------------------ accounts


@strawberry.type(
    description="What a member has, with all that has fallen due by the clock; of an entry, what the book had after it."
)
class PointsBalance:
    available: SafeInt = measured(due.now_available, sort=True, description="Can be spent now.")
    pending: SafeInt = measured(due.now_pending, description="Earned, to be available later.")
    reserved: SafeInt = measured(due.now_reserved, filter=False, description="Held for a while.")
    debt: SafeInt = measured(
        due.now_debt, description="Owed after a refund of points already spent; the next credit settles it."
    )
    lifetime_earned: SafeInt = _points(AccountTable.issued, "All that was ever earned, whatever became of it.")


@strawberry.type(description="The next level, and what is missing.")
class LoyaltyLevelProgress:
    level: LoyaltyLevel = part(nodes=levels.NEXT, filter=False, description="The next one up.")
    points_needed: SafeInt = measured(
        levels.points_needed, filter=False, description="Points still to qualify, in this calendar year."
    )
    by: Date = measured(levels.needed_by, filter=False, description="The last day of the calendar year.")


def _ahead(days: int) -> None:
    if not 0 <= days <= MOST_DAYS:
        raise BadInput(f"Days ahead are 0 to {MOST_DAYS}.")


def _soon(days: int, path: str, values: Values) -> Where:
    """On one of the next so many days. What expires today is gone already."""
    _ahead(days)
    since = Compare("expires_day", "gt", values.put(f"{path}_today", values.today))
    return All((since, Compare("expires_day", "lte", values.put(f"{path}_until", values.today + days))))


def _within(given: Mapping[str, Any], path: str, values: Any) -> Where:
    return _soon(given["withinDays"], path, values)


_EXPIRING = Relation(reports.expiring, "id", "account_id", order=("expires_day",), selective=True)


def _expires_soon(days: Any, path: str, values: Values) -> Where:
    return Related(_EXPIRING, _soon(days, path, values))


@entity(
    accounts,
    order=(("opened_at", False),),
    extra={
        "program_id": (Value("program_id", Id(prefix="lpr"), False), None, "The programme's id."),
        "customer_id": (Value("customer_id", Id(prefix="cus"), False), None, "The customer's id."),
        "expiring_within_days": (
            Extra(_expires_soon),
            int,
            "Has points, available or pending, that expire in the next so many days.",
        ),
    },
)
@strawberry.type(
    description="A customer's membership in a programme, with its points. It goes on if the customer is archived, until "
    "it is closed. 会员账户"
)
class LoyaltyAccount(Node):
    id: strawberry.ID = identity("acc")
    live_id: strawberry.ID = live("acc")
    as_of: DateTime | None = same("as_of", "The instant this was read at; null: now.")
    version: int = column(
        AccountTable.version, Whole(), filter=False, description="Rises with every change; of now, also below an asOf."
    )
    number: str = column(
        AccountTable.number,
        Text(),
        folded=AccountTable.number_folded,
        sort=True,
        description="Unique in the organisation.",
    )
    program: Program = one(Relation(programs, "program_id", "id"), description="Of which programme.")
    customer: Person = one(Relation(customers, "customer_id", "id"), filter=True, description="Whose it is.")
    status: LoyaltyAccountStatus = measured(measures.account_status, description="Open, or closed for ever.")
    opened_at: DateTime = column(
        AccountTable.opened_at, Moment(), sort=True, filter=False, description="When it was opened."
    )
    balance: PointsBalance = part(description="Its points.")
    level: LoyaltyLevel | None = part(
        unless=levels.level_rank,
        nodes=levels.LEVEL,
        description="The level under the terms in force; null: none yet.",
    )
    next_level: LoyaltyLevelProgress | None = part(
        unless=levels.next_rank,
        filter=False,
        description="Points still to qualify for the next level, and by when; null at the highest. A closed account "
        "shows where it stood.",
    )
    expiring: list[ExpiringPoints] = rows(
        _EXPIRING,
        returns=list[ExpiringPoints],
        arguments={"within_days": (int, 90, "In the next so many days; 0 to 36,500.")},
        asked=_within,
        description="Available and pending points that expire, by day, soonest first.",
    )
    entries: "PointsEntryConnection" = related(  # type: ignore[valid-type]
        Annotated["PointsEntryConnection", strawberry.lazy("schema.loyalty")],
        Relation(entries, "id", "account_id"),
        description="Its book as it was posted, latest first. What fell due since its last posting counts in "
        "`balance`, and is not an entry yet.",
    )


LoyaltyAccountConnection, LoyaltyAccountEdge = connection(LoyaltyAccount)


# ------------------------------------------------------------------ the book


@entity(redemptions)
@strawberry.type(description="Points that were spent.")
class Redemption(Node):
    id: strawberry.ID = identity("red")
    account: LoyaltyAccount = one(Relation(accounts, "account_id", "id"), description="Of which account.")
    points: SafeInt = _points(RedemptionTable.points, "So many.")
    reversed: SafeInt = _points(RedemptionTable.reversed, "Of these, given back since.")
    reward: Reward | None = one(
        Relation(rewards, "reward_id", "id"), description="What they bought; null when points alone were taken."
    )
    redeemed_at: DateTime = column(RedemptionTable.redeemed_at, Moment(), filter=False, description="When.")


@entity(reservations)
@strawberry.type(description="Points held for a while, to be captured or let go.")
class PointsReservation(Node):
    id: strawberry.ID = identity("res")
    account: LoyaltyAccount = one(Relation(accounts, "account_id", "id"), description="Of which account.")
    points: SafeInt = _points(ReservationTable.points, "So many were held.")
    captured: SafeInt = _points(ReservationTable.captured, "Of these, spent.")
    status: PointsReservationStatus = measured(
        measures.reservation_status, filter=False, description="What became of it, by the clock."
    )
    expires_at: DateTime = column(
        ReservationTable.expires_at,
        Moment(),
        filter=False,
        description="When what is still held returns by itself. Until then it can be captured, even if its points "
        "would have expired since: holding took them.",
    )
    redemption: Redemption | None = one(
        Relation(redemptions, "redemption_id", "id"),
        description="Made by its capture, and to be reversed by; null until then.",
    )


# What an entry calls the balances that it carries.
_AFTER = {f"now_{name}": name for name in ("available", "pending", "reserved", "debt")}


@entity(entries, order=(("at", True), ("place", True)))
@strawberry.type(description="One movement of points between two accounts; never changed afterwards. 积分流水")
class PointsEntry(Node):
    id: strawberry.ID = identity("ent")
    account: LoyaltyAccount = one(Relation(accounts, "account_id", "id"), description="In whose book it stands.")
    kind: PointsEntryKind = column(EntryTable.kind, Name(enum=PointsEntryKind), filter=False, description="What it is.")
    points: SafeInt = _points(EntryTable.points, "Moved from debit to credit; always above zero.")
    debit: LedgerAccount = column(
        EntryTable.debit, Name(enum=LedgerAccount), filter=False, description="Where they were."
    )
    credit: LedgerAccount = column(
        EntryTable.credit, Name(enum=LedgerAccount), filter=False, description="Where they are then."
    )
    effective_on: Date = column(
        EntryTable.effective_day, Day(), filter=False, description="The day on which it took effect."
    )
    recorded_at: DateTime = column(EntryTable.posted_at, Moment(), filter=False, description="When it was posted.")
    incoming: bool = column(
        EntryTable.incoming,
        Flag(),
        filter=False,
        description="Whether it is the receiver's half of a transfer. A transfer stands in two books, and each half is "
        "from AVAILABLE to AVAILABLE: this one adds to its book, the other one takes.",
    )
    other_account: LoyaltyAccount | None = one(
        Relation(accounts, "other_account_id", "id"),
        description="Of a transfer, where the points came from or went; null of all else.",
    )
    balance: PointsBalance = part(nodes=_AFTER, filter=False, description="What the book had after it.")
    reason: str | None = column(EntryTable.reason, Text(), filter=False, description="As it was given.")
    source: Node | None = pointed(
        *(Relation(shape, measures.SOURCES[shape.prefix], "id") for shape in (purchases, redemptions, reservations)),
        description="The purchase, redemption or reservation that this belongs to.",
    )


PointsEntryConnection, PointsEntryEdge = connection(PointsEntry)
