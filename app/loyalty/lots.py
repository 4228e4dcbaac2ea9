"""Lots: points that came together, and what is taken of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal_column


@dataclass(eq=False)
class Lot:
    """Points that came together. Made here, or read; `changed` since.

    `spendable`: whether any remained when it was written.
    """

    id: UUID
    account_id: UUID
    points: int
    active_day: int
    active_at: datetime
    expires_day: int | None
    expires_at: datetime
    earned_at: datetime
    terms_version: int
    purchase_id: UUID | None
    pending: int = 0
    remaining: int = 0
    reserved: int = 0
    spendable: bool = False
    is_new: bool = False
    changed: bool = False

    @property
    def order(self) -> tuple[datetime, datetime, UUID]:
        """Soonest expiry first, then oldest."""
        return self.expires_at, self.earned_at, self.id


def has_points(lot: Any) -> ColumnElement[bool]:
    """Whether any of a lot's points can be spent: found by the index of those, of which a row may say so in vain."""
    return and_(lot.spendable, lot.remaining > literal_column("0"))


Taken = Sequence[tuple[Lot, int]]


@dataclass(frozen=True)
class Source:
    """What an entry belongs to."""

    prefix: str
    key: UUID


@dataclass
class Held:
    """A reservation that is open, and what it holds of which lots."""

    id: UUID
    points: int
    expires_at: datetime
    taken: Taken


def first(lots: Iterable[Lot], points: int, part: str = "remaining") -> Taken:
    """So many points of these lots, in their order; fewer when they have no more."""
    taken = []
    for lot in lots:
        some = min(points, getattr(lot, part))
        if some > 0:
            taken.append((lot, some))
            points -= some
    return taken
