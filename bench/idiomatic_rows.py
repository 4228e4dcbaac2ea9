"""The rows of the idiomatic server: what it maps, judges in Python, judges in SQL, and loads in batches."""

import re
import time
import uuid
from collections import defaultdict
from typing import Any

from sqlalchemy import case, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from strawberry.dataloader import DataLoader

import app.tables  # noqa: F401 - the row of facts has all of its columns
from app.customers.tables import Customer as CustomerRow
from app.customers.tables import customer_facts
from app.loyalty.tables import LoyaltyAccount, LoyaltyLevel, LoyaltyProgram, PointsEntry
from app.platform.database import Base
from app.scores.lifecycle import LifecycleStage
from app.touchpoints.tables import Touchpoint as TouchpointRow

DAY = 86_400


class _FactsRow(Base):
    """The row of facts, mapped as any other table."""

    __table__ = customer_facts
    __mapper_args__ = {"primary_key": [customer_facts.c.org_id, customer_facts.c.customer_id]}  # noqa: RUF012


# Its columns are known when it is mapped.
FactsRow: Any = _FactsRow


def today() -> int:
    return int(time.time() // DAY)


def stage_of(customer: CustomerRow, facts: Any) -> LifecycleStage:
    """The default policy, in Python."""
    now, f = today(), facts
    ended = customer.terminated_day is not None and customer.terminated_day <= now
    if ended and not (f.last_day is not None and f.last_day > customer.terminated_day):
        return LifecycleStage.CHURNED
    if f.kept_orders == 0:
        return LifecycleStage.PROSPECT
    if f.last_day < now - 365:
        return LifecycleStage.CHURNED
    if f.occasions >= 4 and f.last_day - f.first_day >= 180:
        return LifecycleStage.LOYAL
    return LifecycleStage.NEW if f.first_day >= now - 90 else LifecycleStage.ACTIVE


def score_of(f: Any) -> float | None:
    """The default policy, in Python."""
    if f.kept_orders == 0:
        return None
    now = today()
    silent, net = max(0, now - f.last_day), max(0, f.gross_minor - f.refunded_minor)
    recency = 4 - sum(silent > cut for cut in (30, 90, 180, 365))
    frequency = sum(f.occasions > cut for cut in (1, 2, 4, 8))
    monetary = sum(net > cut for cut in (10_000, 30_000, 80_000, 200_000))
    days = [getattr(f, f"inbound_{n}") for n in range(1, 7)]
    engaged = sum(day is not None and day >= now - 90 for day in days)
    advocacy = 6 if f.nps is None or 6 < f.nps < 9 else 12 if f.nps >= 9 else 0
    units = 3 * (recency * 200_000 + frequency * 250_000 + monetary * 350_000)
    return float((units + engaged * 200_000 + advocacy * 100_000 + 6) // 12) / 10_000


class Loaders:
    """One of each for every request."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], org: uuid.UUID) -> None:
        self._sessions, self._org = sessions, org
        self.facts = DataLoader(load_fn=self._facts)
        self.accounts = DataLoader(load_fn=self._accounts)
        self.qualified = DataLoader(load_fn=self._qualified)
        self.levels = DataLoader(load_fn=self._levels)
        self.touchpoints: dict[int, DataLoader[uuid.UUID, list[TouchpointRow]]] = {}

    async def _facts(self, keys: list[uuid.UUID]) -> list[Any]:
        async with self._sessions() as session:
            mine = FactsRow.org_id == self._org, FactsRow.customer_id.in_(keys)
            found = {row.customer_id: row for row in await session.scalars(select(FactsRow).where(*mine))}
        return [found.get(key) for key in keys]

    async def _accounts(self, keys: list[uuid.UUID]) -> list[list[LoyaltyAccount]]:
        """Those of each customer, oldest first."""
        a = LoyaltyAccount
        rows = select(a).where(a.org_id == self._org, a.customer_id.in_(keys)).order_by(a.opened_at, a.id)
        found = defaultdict(list)
        async with self._sessions() as session:
            for row in await session.scalars(rows):
                found[row.customer_id].append(row)
        return [found[key] for key in keys]

    async def _qualified(self, keys: list[uuid.UUID]) -> list[int]:
        """What each account qualified for, in this year or the last one, whichever is more."""
        e, year = PointsEntry, time.gmtime().tm_year
        signed = case((e.kind == "EARN", e.points), else_=-e.points)
        mine = e.org_id == self._org, e.account_id.in_(keys), e.qualifying_year.in_([year, year - 1])
        rows = select(e.account_id, func.sum(signed)).where(*mine).group_by(e.account_id, e.qualifying_year)
        found: dict[uuid.UUID, int] = {}
        async with self._sessions() as session:
            for key, points in await session.execute(rows):
                found[key] = max(int(points), found.get(key, 0))
        return [found.get(key, 0) for key in keys]

    async def _levels(self, programs: list[uuid.UUID]) -> list[list[LoyaltyLevel]]:
        """Those of each programme, highest first."""
        v, p = LoyaltyLevel, LoyaltyProgram
        both = (p.org_id == v.org_id) & (p.id == v.program_id) & (p.version == v.version)
        rows = select(v).join(p, both).where(v.org_id == self._org, v.program_id.in_(programs)).order_by(v.rank.desc())
        found = defaultdict(list)
        async with self._sessions() as session:
            for row in await session.scalars(rows):
                found[row.program_id].append(row)
        return [found[key] for key in programs]

    def latest(self, first: int) -> "DataLoader[uuid.UUID, list[TouchpointRow]]":
        """The last so many of each customer."""
        if first not in self.touchpoints:

            async def load(keys: list[uuid.UUID]) -> list[list[TouchpointRow]]:
                t = TouchpointRow
                order = (t.occurred_at.desc(), t.id.desc())
                place = func.row_number().over(partition_by=t.customer_id, order_by=order).label("place")
                mine = t.org_id == self._org, t.customer_id.in_(keys), t.retracted_at.is_(None)
                placed = select(t.id, place).where(*mine).subquery()
                rows = select(t).join(placed, t.id == placed.c.id).where(t.org_id == self._org, placed.c.place <= first)
                found = defaultdict(list)
                async with self._sessions() as session:
                    for row in await session.scalars(rows.order_by(*order)):
                        found[row.customer_id].append(row)
                return [found[key] for key in keys]

            self.touchpoints[first] = DataLoader(load_fn=load)
        return self.touchpoints[first]


def ruled(expression: str) -> Any:
    """A rule of bench/floor_sql.py, over the mapped tables."""
    named = re.sub(r"\bf\.", "customer_facts.", re.sub(r"\bc\.", "customers.", expression))
    return literal_column(f"({named.replace('CAST(:today AS bigint)', str(today()))})")


def of_everyone(org: uuid.UUID, statement: Any) -> Any:
    both = (FactsRow.org_id == CustomerRow.org_id) & (FactsRow.customer_id == CustomerRow.id)
    return (
        statement.select_from(CustomerRow)
        .join(FactsRow, both)
        .where(CustomerRow.org_id == org, CustomerRow.archived_at.is_(None))
    )
