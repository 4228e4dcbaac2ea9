"""What the plain model of the books (model.py) is made of."""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

ACCOUNTS = (
    "ISSUED", "REDEEMED", "EXPIRED", "REVERSED", "ADJUSTMENTS", "PENDING", "AVAILABLE", "RESERVED", "DEBT",
)  # fmt: skip


class Refused(Exception):
    def __init__(self, code: str, needed: int | None = None, available: int | None = None) -> None:
        super().__init__(code, needed, available)
        self.code, self.needed, self.available = code, needed, available


@dataclass(frozen=True)
class Level:
    rank: int
    name: str
    qualify: int
    retain: int
    multiplier: Fraction = Fraction(1)


@dataclass(frozen=True)
class Terms:
    earn_rate: Fraction = Fraction(1)
    activation_days: int = 0
    expiry_days: int | None = None
    grace_days: int = 30
    soft_landing: bool = True
    levels: tuple[Level, ...] = ()


@dataclass
class Lot:
    number: int
    account: str
    points: int
    active_on: date
    expires_on: date | None
    earned_at: datetime
    pending: int = 0
    available: int = 0
    reserved: int = 0


@dataclass(frozen=True)
class Entry:
    at: datetime
    account: str
    kind: str
    debit: str
    credit: str
    points: int
    qualifying_year: int | None = None


@dataclass
class Taken:
    """Points of one reservation or redemption, lot by lot in the order in which they were taken."""

    account: str
    points: int
    lots: list[tuple[Lot, int]]
    back: int = 0
    captured: int = 0
    expires_at: datetime | None = None
    closed: str | None = None


@dataclass
class Order:
    account: str
    gross: Fraction
    points: int
    lot: Lot | None
    year: int
    refunded: Fraction = Fraction(0)
    clawed: int = 0
    voided: bool = False
