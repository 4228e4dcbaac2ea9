"""What was read of the books as of an instant stays as it was read.

A command takes effect when its request arrived, and is committed some milliseconds later. Whoever reads as of an
instant in between would not see it then, and would see it ever after. So before the books are read as of the last
minutes, their organisation's row in `points_finality` says until when they are final (`Finality.settle`), and who
began to write before it said so is waited for. A command that finds itself before that instant takes effect directly
after it (`behind`). The row is the same for every process, and so no clock of another one can undo this.
"""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Select, bindparam, func, literal_column, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from app.loyalty.tables import (
    LoyaltyAccount,
    LoyaltyLevel,
    LoyaltyProgram,
    LoyaltyTerms,
    PointsEntry,
    PointsLot,
    PointsLotMove,
    PointsReservation,
    Redemption,
)
from app.platform.database import LOCK_SECONDS, STRICT, Base, Key, instant_text
from app.platform.sending import Prepared, prepare, reading
from app.platform.steps import Writing
from app.platform.walls import enter
from app.platform.work import Work, transaction

# What is read as of earlier instants is final: no command is under way for so long (it is not begun after a minute, and
# undone where its server stands still for two), and no two servers' clocks are to be so far apart.
RECENT = timedelta(minutes=5)
_NEXT = timedelta(microseconds=1)
# Of PostgreSQL's advisory locks: those of whoever writes books, by organisation.
_LOCK_CLASS = 0x6778
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.002, 0.1
log = logging.getLogger("guanxi.loyalty")


class PointsFinality(Base):
    """Until when what an organisation's books say is final: nothing takes effect at or before that instant any more."""

    __tablename__ = "points_finality"
    __table_args__ = (STRICT,)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    until: Mapped[datetime]


f = PointsFinality


class Finality:
    """Until when the books in one database are final, as far as this process knows."""

    tables = frozenset(
        table.__tablename__
        for table in (
            LoyaltyProgram,
            LoyaltyTerms,
            LoyaltyLevel,
            LoyaltyAccount,
            PointsEntry,
            PointsLot,
            PointsLotMove,
            PointsReservation,
            Redemption,
        )
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._until: dict[UUID, datetime] = {}

    def holds(self, org_id: UUID, instant: datetime) -> bool:
        """Whether what is read as of this instant stays as it is, without more ado."""
        now = datetime.now(UTC)
        if not now - RECENT < instant <= now:
            # Nothing is written there any more; of what is to come nothing is promised.
            return True
        until = self._until.get(org_id)
        return until is not None and instant <= until

    def settle(self, org_id: UUID, instant: datetime) -> None:
        """Have it hold. Raises TimeoutError where somebody who writes is not done in time."""
        if self.holds(org_id, instant):
            return
        now = datetime.now(UTC)
        with transaction(self._engine) as session:
            enter(session, org_id)
            until = session.scalar(select(f.until).where(f.org_id == org_id))
            if until is not None and until > now + RECENT:
                # No clock may be that far ahead; left there, it would let everything pass until it comes.
                log.warning("the books were final until %s: a clock was wrong", instant_text(until))
            if until is None or not instant <= until <= now + RECENT:
                until = now
                insert = {"postgresql": postgresql, "sqlite": sqlite}[self._engine.dialect.name].insert
                # Another process may have written a later one since.
                behind_or_wrong = or_(f.until < now, f.until > now + RECENT)
                said = insert(f).values(org_id=org_id, until=now)
                session.execute(
                    said.on_conflict_do_update(index_elements=[f.org_id], set_={"until": now}, where=behind_or_wrong)
                )
        if self._engine.dialect.name == "postgresql":
            # On SQLite nobody else was writing.
            self._wait_for_who_writes(org_id)
        self._until[org_id] = until

    def _wait_for_who_writes(self, org_id: UUID) -> None:
        """Until all are done that may not have read what was just written. They are not held up, as they would be by a
        lock that excludes theirs."""
        given: Mapping[str, Any] = {"class": _LOCK_CLASS, "number": _number(org_id)}
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            before = set(connection.scalars(_WHO_WRITES, given))
            ends, pause = time.monotonic() + LOCK_SECONDS, _FIRST_PAUSE_SECONDS
            while before:
                if time.monotonic() > ends:
                    raise TimeoutError
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                before &= set(connection.scalars(_WHO_WRITES, given))


def final_until(org: Any) -> Any:
    """A column for who opens books, once it has said that it writes them (`begin`)."""
    return select(f.until).where(f.org_id == org).scalar_subquery().label("final_until")


def begin(writing: Writing) -> None:
    """Say that this transaction writes books. What it reads afterwards is newer than what anybody settled who does not
    wait for it."""
    if writing.dialect == "postgresql":
        writing.send(_locked(), {"number": _number(writing.org_id)})


def behind(until: datetime | None, clock: datetime) -> datetime:
    """When a command takes effect whose request arrived then."""
    return until + _NEXT if until is not None and until - RECENT < clock <= until else clock


def takes_effect(work: Work) -> datetime:
    """When something about programmes and accounts takes effect that is done outside a book."""
    begin(work)
    prepared, read = _finality(work.dialect)
    [row] = work.run(prepared, {"org": work.org_id})
    return behind(read(row)["final_until"], work.now)


@cache
def _finality(dialect: str) -> Any:
    columns = [final_until(bindparam("org", type_=Key()))]
    return prepare(select(*columns), dialect), reading(columns, dialect)


@cache
def _locked() -> Prepared:
    lock: Select[Any] = select(func.pg_advisory_xact_lock_shared(literal_column(str(_LOCK_CLASS)), bindparam("number")))
    return prepare(lock, "postgresql")


_WHO_WRITES = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND classid = :class AND objid = :number"
    " AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _number(org_id: UUID) -> int:
    # Whoever has the same is waited for too, which does no harm.
    return org_id.int & 0x7FFFFFFF
