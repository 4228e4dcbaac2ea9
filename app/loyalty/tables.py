"""Rows of programmes, accounts and their books.

What happened stands in `points_entries` and `points_lot_moves`, which are only ever added to. Everything else that
counts points (accounts, lots, redemptions, reservations) is derived from them, guarded by its checks, and verified by
`guanxi ledger verify`.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.customers.tables import of_a_customer
from app.platform.database import STRICT, Base, Owned

# An instant that never comes: of a lot that never expires, of an account in which nothing falls due.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)


class AccountStatus(Enum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class EntryKind(Enum):
    EARN = "EARN"
    ACTIVATE = "ACTIVATE"
    REDEEM = "REDEEM"
    REVERSE_REDEMPTION = "REVERSE_REDEMPTION"
    RESERVE = "RESERVE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    EXPIRE = "EXPIRE"
    CLAW_BACK = "CLAW_BACK"
    SETTLE_DEBT = "SETTLE_DEBT"
    ADJUST = "ADJUST"
    TRANSFER = "TRANSFER"
    FORFEIT = "FORFEIT"


class LedgerAccount(Enum):
    """The accounts of the double entry: five of the programme, four of each member."""

    ISSUED = "ISSUED"
    REDEEMED = "REDEEMED"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"
    ADJUSTMENTS = "ADJUSTMENTS"
    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    RESERVED = "RESERVED"
    DEBT = "DEBT"


class ReservationStatus(Enum):
    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


def _of(table: str, column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", column], [f"{table}.org_id", f"{table}.id"])


def _while(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class LoyaltyProgram(Owned):
    """The terms in force now stand beside the name; every version of them in `loyalty_terms`."""

    __tablename__ = "loyalty_programs"
    __table_args__ = (
        CheckConstraint("exponent BETWEEN 0 AND 4", name="exponent"),
        Index(None, "org_id", "created_at", "id"),
        STRICT,
    )

    name: Mapped[str]
    points_name: Mapped[str]
    currency: Mapped[str]
    exponent: Mapped[int]
    created_at: Mapped[datetime]
    version: Mapped[int]
    earn_rate_e6: Mapped[int]
    activation_days: Mapped[int]
    expiry_days: Mapped[int | None]
    point_value_e6: Mapped[int]
    grace_days: Mapped[int]
    soft_landing: Mapped[bool]


class LoyaltyTerms(Base):
    """A version of a programme's terms, in force from `at` until the next one. `*_e6`: in 10^-6 of a point, or of the
    currency."""

    __tablename__ = "loyalty_terms"
    __table_args__ = (
        _of("loyalty_programs", "program_id"),
        CheckConstraint("earn_rate_e6 >= 0", name="earn_rate"),
        CheckConstraint("point_value_e6 >= 0", name="point_value"),
        CheckConstraint("activation_days >= 0", name="activation"),
        CheckConstraint("expiry_days > 0", name="expiry"),
        CheckConstraint("grace_days >= 0", name="grace"),
        Index(None, "org_id", "program_id", "at"),
        STRICT,
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    earn_rate_e6: Mapped[int]
    activation_days: Mapped[int]
    expiry_days: Mapped[int | None]
    point_value_e6: Mapped[int]
    grace_days: Mapped[int]
    soft_landing: Mapped[bool]


class LoyaltyLevel(Base):
    """A level in one version of a programme's terms. `benefits`: a JSON list of texts."""

    __tablename__ = "loyalty_levels"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "program_id", "version"],
            ["loyalty_terms.org_id", "loyalty_terms.program_id", "loyalty_terms.version"],
        ),
        CheckConstraint("qualify_points >= retain_points AND retain_points >= 0", name="points"),
        CheckConstraint("multiplier_e6 >= 0", name="multiplier"),
        STRICT,
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_folded: Mapped[str]
    qualify_points: Mapped[int]
    retain_points: Mapped[int]
    multiplier_e6: Mapped[int]
    benefits: Mapped[str]


class Reward(Owned):
    """What points buy; `stock` null: unlimited."""

    __tablename__ = "rewards"
    __table_args__ = (
        _of("loyalty_programs", "program_id"),
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("stock >= 0", name="stock"),
        Index(None, "org_id", "program_id", "points", "id"),
        STRICT,
    )

    program_id: Mapped[UUID]
    name: Mapped[str]
    points: Mapped[int]
    stock: Mapped[int | None]
    active: Mapped[bool]
    created_at: Mapped[datetime]


_GUARDED = ("available", "pending", "reserved", "debt", "issued", "redeemed", "expired", "reversed")


class LoyaltyAccount(Owned):
    """A member's balances, after all entries up to `last_at`.

    `issued`, `redeemed`, `expired`, `reversed` and `adjusted` (net) are what this member added to the programme's
    accounts. `due_at`: nothing falls due before it, and no entry was made after it (NEVER: nothing falls due).
    `entries`: how many there are, which numbers the next one. `kept_rank`: the level (null: none) under version
    `kept_version` of the terms, until `due_at`.
    """

    __tablename__ = "loyalty_accounts"
    __table_args__ = (
        _of("loyalty_programs", "program_id"),
        of_a_customer(),
        *(CheckConstraint(f"{balance} >= 0", name=balance) for balance in _GUARDED),
        CheckConstraint("available = 0 OR debt = 0", name="settled"),
        CheckConstraint(
            "issued + adjusted - redeemed - expired - reversed + moved = available + pending + reserved - debt",
            name="zero",
        ),
        Index("uq_loyalty_accounts_number", "org_id", "number", unique=True),
        Index(
            "uq_loyalty_accounts_open",
            "org_id",
            "program_id",
            "customer_id",
            unique=True,
            **_while("closed_at IS NULL"),
        ),
        Index(None, "org_id", "customer_id", "opened_at", "id"),
        Index(None, "org_id", "program_id", "opened_at", "id"),
        Index(None, "org_id", "opened_at", "id"),
        Index("ix_loyalty_accounts_due", "org_id", "due_at", "id"),
        Index("ix_loyalty_accounts_kept", "org_id", "program_id", "kept_version", "id"),
        STRICT,
    )

    program_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    number: Mapped[str]
    number_folded: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    version: Mapped[int]
    entries: Mapped[int]
    last_at: Mapped[datetime]
    due_at: Mapped[datetime]
    kept_version: Mapped[int] = mapped_column(server_default="0")
    kept_rank: Mapped[int | None]
    available: Mapped[int]
    pending: Mapped[int]
    reserved: Mapped[int]
    debt: Mapped[int]
    issued: Mapped[int]
    redeemed: Mapped[int]
    expired: Mapped[int]
    reversed: Mapped[int]
    adjusted: Mapped[int]
    moved: Mapped[int]


class PointsEntry(Owned):
    """`points` moved from `debit` to `credit`, in one member's book; a transfer is an entry in each of two.

    `place` counts an account's entries from 1, and `at` never falls: it is when the entry took effect, for a command
    the instant of recording, for what fell due by itself its own instant. `incoming` marks the receiver's half of a
    transfer. `qualified`: all points that qualified for `qualifying_year` so far. The balances are those after it.
    `source_prefix` and `source_id`: the purchase, redemption or reservation it belongs to.
    """

    __tablename__ = "points_entries"
    __table_args__ = (
        _of("loyalty_accounts", "account_id"),
        CheckConstraint("points > 0", name="points"),
        Index("uq_points_entries_place", "org_id", "account_id", "place", unique=True),
        Index(None, "org_id", "account_id", "at", "place"),
        Index(
            "ix_points_entries_qualified",
            "org_id",
            "account_id",
            "qualifying_year",
            "place",
            **_while("qualifying_year IS NOT NULL"),
        ),
        Index("ix_points_entries_source", "org_id", "source_id", **_while("source_id IS NOT NULL")),
        STRICT,
    )

    account_id: Mapped[UUID]
    program_id: Mapped[UUID]
    place: Mapped[int]
    at: Mapped[datetime]
    posted_at: Mapped[datetime]
    effective_day: Mapped[int]
    kind: Mapped[str]
    debit: Mapped[str]
    credit: Mapped[str]
    points: Mapped[int]
    incoming: Mapped[bool]
    other_account_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    source_prefix: Mapped[str | None]
    source_id: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    qualifying_year: Mapped[int | None]
    qualified: Mapped[int | None]
    available: Mapped[int]
    pending: Mapped[int]
    reserved: Mapped[int]
    debt: Mapped[int]
    issued: Mapped[int]
    redeemed: Mapped[int]
    expired: Mapped[int]
    reversed: Mapped[int]
    adjusted: Mapped[int]
    moved: Mapped[int]


class PointsLot(Owned):
    """Points that came together, and so are activated and expire together: `points` at first, of which `pending`,
    `remaining` (available) and `reserved` are left.

    Spendable on `active_day` and until the day before `expires_day` (null: for ever); the instants are the beginnings
    of those days. `earned_at` puts lots that expire alike in order, and survives a transfer. `spendable`: some remain;
    lots are found by it, since an index that looks at `remaining` itself is written anew by every command.
    """

    __tablename__ = "points_lots"
    __table_args__ = (
        _of("loyalty_accounts", "account_id"),
        CheckConstraint("points > 0", name="points"),
        *(CheckConstraint(f"{part} >= 0", name=part) for part in ("pending", "remaining", "reserved")),
        CheckConstraint("pending + remaining + reserved <= points", name="whole"),
        CheckConstraint("spendable OR remaining = 0", name="spendable"),
        Index(
            "ix_points_lots_spendable",
            "org_id",
            "account_id",
            "expires_at",
            "earned_at",
            "id",
            postgresql_where=text("spendable"),
            sqlite_where=text("spendable = 1"),
        ),
        Index("ix_points_lots_pending", "org_id", "account_id", "active_at", "id", **_while("pending > 0")),
        Index("ix_points_lots_purchase", "org_id", "purchase_id", **_while("purchase_id IS NOT NULL")),
        STRICT,
    )

    account_id: Mapped[UUID]
    points: Mapped[int]
    pending: Mapped[int]
    remaining: Mapped[int]
    reserved: Mapped[int]
    active_day: Mapped[int]
    active_at: Mapped[datetime]
    expires_day: Mapped[int | None]
    expires_at: Mapped[datetime]
    earned_at: Mapped[datetime]
    terms_version: Mapped[int]
    purchase_id: Mapped[UUID | None]
    spendable: Mapped[bool] = mapped_column(server_default=true())


class PointsLotMove(Base):
    """What an entry changed of a lot; `position` is the order in which its lots were taken. `at` is the entry's."""

    __tablename__ = "points_lot_moves"
    __table_args__ = (
        _of("points_entries", "entry_id"),
        _of("points_lots", "lot_id"),
        Index(None, "org_id", "lot_id", "at"),
        STRICT,
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    lot_id: Mapped[UUID]
    at: Mapped[datetime]
    pending: Mapped[int]
    remaining: Mapped[int]
    reserved: Mapped[int]


class Redemption(Owned):
    """Points spent by one entry, of which `reversed` were given back."""

    __tablename__ = "redemptions"
    __table_args__ = (
        _of("loyalty_accounts", "account_id"),
        _of("points_entries", "entry_id"),
        _of("rewards", "reward_id"),
        CheckConstraint("reversed BETWEEN 0 AND points", name="reversed"),
        Index(None, "org_id", "account_id", "redeemed_at", "id"),
        STRICT,
    )

    account_id: Mapped[UUID]
    entry_id: Mapped[UUID]
    points: Mapped[int]
    reversed: Mapped[int]
    reward_id: Mapped[UUID | None]
    reservation_id: Mapped[UUID | None]
    redeemed_at: Mapped[datetime]


class PointsReservation(Owned):
    """Points held by one entry until `closed_at`, at the latest until `expires_at`."""

    __tablename__ = "points_reservations"
    __table_args__ = (
        _of("loyalty_accounts", "account_id"),
        _of("points_entries", "entry_id"),
        CheckConstraint("captured BETWEEN 0 AND points", name="captured"),
        CheckConstraint("(closed_at IS NULL) = (closed_as IS NULL)", name="closed"),
        Index("ix_points_reservations_open", "org_id", "account_id", "expires_at", "id", **_while("closed_at IS NULL")),
        STRICT,
    )

    account_id: Mapped[UUID]
    entry_id: Mapped[UUID]
    points: Mapped[int]
    captured: Mapped[int]
    reserved_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]
