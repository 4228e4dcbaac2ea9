"""How fast a key may ask: a leaky bucket each, which all processes share through the database.

A process takes from the shared bucket by the portion, and spends what it took without asking again: of a hundred
requests one looks at the database. What is refused does not: what there was then, and what has come back since at the
most, is known.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from anyio.to_thread import run_sync
from sqlalchemy import CheckConstraint, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.platform.access import Caller
from app.platform.database import STRICT, Base
from app.platform.walls import enter
from app.platform.work import transaction

# A portion is so much of the bucket.
PORTIONS = 20
MOST_KEYS = 10_000
MILLI = 1_000


class RateBucket(Base):
    """What is left for a key: `level` thousandths of a point of cost at the instant `at`; it rises from then on."""

    __tablename__ = "rate_buckets"
    __table_args__ = (CheckConstraint("level >= 0", name="level"), STRICT)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    level: Mapped[int]
    at: Mapped[datetime]


class Throttled(Exception):
    """There is not enough left; `seconds` until there will be, `standing` as it is."""

    def __init__(self, seconds: int, standing: "Standing") -> None:
        super().__init__(f"Too much was asked with this key; again in {seconds} s.")
        self.seconds, self.standing = seconds, standing


class Standing(NamedTuple):
    """Points of cost: how many there can be, are now, and come back each second."""

    limit: int
    remaining: int
    restored: int

    @property
    def full_in(self) -> float:
        """Seconds."""
        return (self.limit - self.remaining) / self.restored


@dataclass
class _Portion:
    """What this process has of a bucket; `shared` was left in the database at `at`, by the clock that never jumps."""

    mine: int = 0
    shared: float = 0
    at: float = 0.0
    asked: bool = False
    locks: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = field(default_factory=WeakKeyDictionary)

    @property
    def lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if loop not in self.locks:
            self.locks[loop] = asyncio.Lock()
        return self.locks[loop]


class Limiter:
    """The buckets of one process: `limit` points at the most, of which `restored` come back each second."""

    def __init__(self, engine: Engine, limit: int, restored: int) -> None:
        self._engine, self.limit, self.restored = engine, limit, restored
        self._full = Standing(limit, limit, restored)
        # By `Caller.ids`, which is quicker looked up than a UUID.
        self._portions: dict[str, _Portion] = {}

    def spend(self, caller: Caller, cost: int) -> Standing | None:
        """So many points of what this process has; None when it has to look for more."""
        portion = self._portions.get(caller.ids)
        if portion is None or portion.mine < cost:
            return None
        portion.mine -= cost
        return self._standing(portion)

    async def take(self, caller: Caller, cost: int) -> Standing:
        """So many points. Raises Throttled, and takes none, when there are not as many."""
        portion = self._portions.get(caller.ids)
        if portion is None:
            if len(self._portions) >= MOST_KEYS:
                self._portions.clear()
            portion = self._portions[caller.ids] = _Portion()
        if portion.mine < cost:
            async with portion.lock:
                if portion.mine < cost:
                    await self._fetch(caller, caller.key_id or caller.org.id, portion, cost - portion.mine)
        if portion.mine < cost:
            lacking = cost - portion.mine - self._left(portion)
            raise Throttled(max(1, ceil(lacking / self.restored)), self._standing(portion))
        portion.mine -= cost
        return self._standing(portion)

    def standing(self, caller: Caller) -> Standing:
        """What is left, as far as it is known here without looking."""
        portion = self._portions.get(caller.ids)
        return self._standing(portion) if portion else self._full

    async def _fetch(self, caller: Caller, key: UUID, portion: _Portion, needed: int) -> None:
        # Others only take: there cannot be more than this by now.
        if portion.asked and self._left(portion) < needed:
            return
        wanted = max(needed, self.limit // PORTIONS)
        try:
            got, left = await run_sync(self._taken, caller.org.id, key, needed, wanted)
        except IntegrityError:
            # Another process has just made the bucket.
            got, left = await run_sync(self._taken, caller.org.id, key, needed, wanted)
        portion.mine += got
        portion.shared, portion.at, portion.asked = left, time.monotonic(), True

    def _taken(self, org: UUID, key: UUID, needed: int, wanted: int) -> tuple[int, float]:
        """How much was taken: at most what is wanted, nothing where there is less than needed; and what is left."""
        b, full = RateBucket, self.limit * MILLI
        mine = b.org_id == org, b.key_id == key
        with transaction(self._engine) as session:
            enter(session, org)
            row = session.execute(select(b.level, b.at).where(*mine).with_for_update()).one_or_none()
            now = datetime.now(UTC)
            level = full
            if row is not None:
                # Clocks of two servers differ a little: time never runs backwards here.
                now = max(now, row.at)
                level = min(full, row.level + int((now - row.at).total_seconds() * self.restored * MILLI))
            got = min(wanted, level // MILLI)
            got = got if got >= needed else 0
            level -= got * MILLI
            if row is None:
                session.execute(insert(b).values(org_id=org, key_id=key, level=level, at=now))
            else:
                session.execute(update(b).where(*mine).values(level=level, at=now))
        return got, level / MILLI

    def _left(self, portion: _Portion) -> float:
        """What others can have left at the most."""
        return min(self.limit, portion.shared + (time.monotonic() - portion.at) * self.restored)

    def _standing(self, portion: _Portion) -> Standing:
        there = int(portion.mine + portion.shared + (time.monotonic() - portion.at) * self.restored)
        return self._full if there >= self.limit else Standing(self.limit, there, self.restored)
