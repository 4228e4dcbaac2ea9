"""Programmes and members' accounts, as they are read."""

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry

from app.customers.measures import customers
from app.loyalty import due, levels, measures, reports
from app.loyalty.measures import POINTS, accounts, entries, programs, rewards
from app.loyalty.tables import LoyaltyAccount as AccountTable
from app.loyalty.tables import LoyaltyLevel as LevelTable
from app.loyalty.tables import LoyaltyProgram as ProgramTable
from app.loyalty.tables import Reward as RewardTable
from app.platform.refusals import BadInput
from app.query.kind import Day, Flag, Id, Moment, Plain, Position, Raw, Text, Whole
from app.query.question import All, Compare, Related, Relation, Where
from schema.enums import LedgerAccount, LoyaltyAccountStatus
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
Entries = Annotated["PointsEntryConnection", strawberry.lazy("schema.loyalty_book")]  # type: ignore[name-defined] # noqa: F821
Program = Annotated["LoyaltyProgram", strawberry.lazy("schema.loyalty")]
Accounts = Annotated["LoyaltyAccountConnection", strawberry.lazy("schema.loyalty")]  # type: ignore[valid-type]

AS_OF = {
    "as_of": (
        DateTime | None,
        None,
        "As of that instant; not in the future. What was read so once stays so.",
    )
}


def points_of(of: Any, said: str, **flags: Any) -> Any:
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
    qualify_points: SafeInt = points_of(
        LevelTable.qualify_points, "So many points that qualify, in one calendar year, reach it at once."
    )
    retain_points: SafeInt = points_of(
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
    points: SafeInt = points_of(RewardTable.points, "What it costs.")
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
    lifetime_earned: SafeInt = points_of(AccountTable.issued, "All that was ever earned, whatever became of it.")


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
    entries: Entries = related(
        Entries,
        Relation(entries, "id", "account_id", written=due.is_posted.key),
        description="Its book, latest first, with all that has fallen due.",
    )


LoyaltyAccountConnection, LoyaltyAccountEdge = connection(LoyaltyAccount)
