"""What happened to one customer."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass
class Refund:
    at: datetime
    minor: int
    id: str = ""


@dataclass
class Order:
    """What was bought, in its own currency; reporting_minor is None while no exchange rate is known."""

    id: str
    at: datetime
    gross_minor: int
    reporting_minor: int | None
    tailored: bool = False
    voided: bool = False
    refunds: list[Refund] = field(default_factory=list)


@dataclass
class Touch:
    id: str
    kind: str
    channel: str
    direction: str
    at: datetime
    nps: int | None = None
    csat: int | None = None
    quality: Decimal | None = None
    price: Decimal | None = None
    resolved_at: datetime | None = None
    reply_to: str | None = None
    retracted: bool = False


@dataclass
class Word:
    """One word on consent; the last one on each purpose and channel holds."""

    id: str
    purpose: str
    channel: str
    state: str
    at: datetime


@dataclass
class History:
    orders: list[Order] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    suppressed: bool = False
    terminated_on: date | None = None
    # From when to when somebody was a member of a loyalty programme.
    memberships: list[tuple[datetime, datetime | None]] = field(default_factory=list)
