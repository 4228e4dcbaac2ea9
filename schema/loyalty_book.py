"""What stands in members' books, and what it made: entries, redemptions and reservations, as they are read."""

import strawberry

from app.loyalty import measures
from app.loyalty.measures import accounts, entries, redemptions, reservations, rewards
from app.loyalty.tables import PointsEntry as EntryTable
from app.loyalty.tables import PointsReservation as ReservationTable
from app.loyalty.tables import Redemption as RedemptionTable
from app.purchases.measures import purchases
from app.query.kind import Day, Flag, Moment, Name, Text
from app.query.question import Relation
from schema.enums import LedgerAccount, PointsEntryKind, PointsReservationStatus
from schema.fields import column, entity, identity, measured, one, part, pointed
from schema.loyalty import LoyaltyAccount, PointsBalance, Reward, points_of
from schema.node import Node
from schema.pages import connection
from schema.scalars import Date, DateTime, SafeInt


@entity(redemptions)
@strawberry.type(description="Points that were spent.")
class Redemption(Node):
    id: strawberry.ID = identity("red")
    account: LoyaltyAccount = one(Relation(accounts, "account_id", "id"), description="Of which account.")
    points: SafeInt = points_of(RedemptionTable.points, "So many.")
    reversed: SafeInt = points_of(RedemptionTable.reversed, "Of these, given back since.")
    reward: Reward | None = one(
        Relation(rewards, "reward_id", "id"), description="What they bought; null when points alone were taken."
    )
    redeemed_at: DateTime = column(RedemptionTable.redeemed_at, Moment(), filter=False, description="When.")


@entity(reservations)
@strawberry.type(description="Points held for a while, to be captured or let go.")
class PointsReservation(Node):
    id: strawberry.ID = identity("res")
    account: LoyaltyAccount = one(Relation(accounts, "account_id", "id"), description="Of which account.")
    points: SafeInt = points_of(ReservationTable.points, "So many were held.")
    captured: SafeInt = points_of(ReservationTable.captured, "Of these, spent.")
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
    points: SafeInt = points_of(EntryTable.points, "Moved from debit to credit; always above zero.")
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
