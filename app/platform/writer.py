"""One commit for many: changes that were asked for at the same time are written together, and nobody is answered
before the commit that holds what is his.

A writer takes what has gathered while the last group was written; whoever is alone does not wait for company. What was
foreseen (foreseen.py) is written in a few statements for all of a group, and of each organisation one group at a time;
on PostgreSQL another one may read, and another be committed, meanwhile (under_way.py).

SQLite has one writer, a thread, and everything goes through it: a change that has to look first runs in the same
transaction, in a savepoint of its own. PostgreSQL is written to from the event loop itself, over a few connections: a
thread would take turns with it for Python, and wait longer for that than for the database. There a change that has to
look first has a transaction of its own, elsewhere, as has one of a group that could not be written as it was foreseen.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from datetime import datetime
from functools import partial
from threading import Condition, Lock, Thread
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from anyio.to_thread import run_sync
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from app.platform.access import Caller
from app.platform.away import Away
from app.platform.changes import Apart, Change, Do, Gathered, Looks, Result, fail, foresee, see, tell
from app.platform.checkpoints import Checkpoints
from app.platform.outbox import committed
from app.platform.piped import Failed
from app.platform.records import count_statement
from app.platform.under_way import Group, UnderWay
from app.platform.work import one_writer, work
from app.platform.writing import OnPostgreSQL, OnSQLite

# A group ends once it has taken so long: those that it holds wait for its commit.
LONGEST_SECONDS = 0.02
# So many groups are under way at once on PostgreSQL.
WRITERS = 4
TRIES = 4
# Of PostgreSQL: serialization_failure, deadlock_detected. Nothing was done, and the same again will do.
_AGAIN = frozenset({"40001", "40P01"})
log = logging.getLogger("guanxi.writer")


class Writer(ABC):
    """Writes to one database. `groups`: how many groups held so many changes."""

    all_together = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counting = Lock()
        self.groups: Counter[int] = Counter()

    async def write(
        self, caller: Caller, now: datetime, do: Do, *, in_memory: bool = False, looks: Looks = ()
    ) -> Result:
        """Do it in one transaction, and answer when it is committed. Raises what `do` raises, and has then done
        nothing. `in_memory`: try first without looking, where that takes no time; `looks`: or after having read these,
        together with those of others."""
        foreseen, result = foresee(caller, now, do) if in_memory else (None, {})
        if foreseen or looks or self.all_together:
            loop = asyncio.get_running_loop()
            change = Change(caller, now, do, foreseen, result, loop.create_future(), looks)
            self._add(change)
            count_statement()
            try:
                return await change.answer
            except Apart:
                pass
        return await run_sync(self._apart, caller, now, do)

    @abstractmethod
    def close(self) -> None:
        """Write what waits, and end."""

    @abstractmethod
    def _add(self, change: Change) -> None:
        """It will be written, and told."""

    def _apart(self, caller: Caller, now: datetime, do: Do) -> Result:
        for attempt in range(TRIES):
            try:
                with work(self._engine, caller, now) as transaction:
                    result = do(transaction)
                self._count(1)
                return result
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _AGAIN or attempt == TRIES - 1:
                    raise
        raise AssertionError("The last try returns or raises.")

    def _count(self, changes: int) -> None:
        with self._counting:
            self.groups[changes] += 1


class _Here:
    """What one event loop has to write, and the tasks that write it. `starting`: the organisations for which one is yet
    to begin."""

    def __init__(self) -> None:
        self.under_way = UnderWay()
        self.writers: set[asyncio.Task[None]] = set()
        self.starting: set[UUID] = set()


class _ToPostgreSQL(Writer):
    """Connections go from one group to the next, of whatever loop."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Here] = WeakKeyDictionary()
        self._idle: list[OnPostgreSQL] = []
        self._closed = False

    def close(self) -> None:
        # Tasks that write go on until nothing waits.
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _add(self, change: Change) -> None:
        loop = change.answer.get_loop()
        here = self._loops.get(loop)
        if here is None:
            here = self._loops[loop] = _Here()
        here.under_way.add(change)
        self._begin(here, change.caller.org.id)

    def _begin(self, here: _Here, org_id: UUID) -> None:
        """Another writer, where a group of this organisation may begin."""
        if len(here.writers) < WRITERS and org_id not in here.starting and here.under_way.may_begin(org_id):
            here.starting.add(org_id)
            here.writers.add(asyncio.get_running_loop().create_task(self._go(here, org_id)))

    async def _go(self, here: _Here, org_id: UUID) -> None:
        here.starting.discard(org_id)
        try:
            await self._write_on(here)
        finally:
            # At once, and not when the loop tells of it: what is added until then would be left to nobody.
            here.writers.discard(asyncio.current_task())

    async def _write_on(self, here: _Here) -> None:
        """Write until nothing waits but what another one goes on with."""
        writing: OnPostgreSQL | None = None
        while group := here.under_way.take():
            try:
                writing = await self._write(here, group, writing or self._kept())
            finally:
                here.under_way.end(group)
                tell(group.changes)
            self._count(len(group.changes))
            committed(self._engine, group.org_id)
        if writing is not None:
            self._idle.append(writing)
            if self._closed:
                self.close()

    def _kept(self) -> OnPostgreSQL | None:
        # Another loop, in a thread of its own, may just have taken the last one.
        with suppress(IndexError):
            return self._idle.pop()
        return None

    async def _write(self, here: _Here, group: Group, writing: OnPostgreSQL | None) -> OnPostgreSQL | None:
        """Each is told afterwards; returns the connection, as long as it is of use."""
        try:
            while writing is not None and writing.was_cut:
                # Of what is sent to it nobody would know what became.
                writing.close()
                writing = self._kept()
            writing = writing or await OnPostgreSQL.open(self._engine)
            seen = await writing.begin(group.org_id, partial(see, group.changes))
            await here.under_way.turn_of(group)
            self._begin(here, group.org_id)
            works = [each.foreseen for each in group.changes if each.foreseen and not each.looks]
            written = await writing.write(works, seen)
        except BaseException as failure:
            told: BaseException = Apart()
            if writing is not None:
                if writing.unsure:
                    told = failure if writing.refused else Away(unknown=True)
                writing.close()
            fail(group.changes, told)
            if not isinstance(failure, Exception):
                raise
            # Whose fault it was shows when each is done by itself.
            if not isinstance(failure, Failed):
                log.warning("writing together failed: %s", type(failure).__name__)
            return None
        for each in group.changes:
            each.error = None if each.foreseen in written else Apart()
        return writing


class _ToSQLite(Writer):
    """A thread with a connection of its own."""

    all_together = True

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._gathered = Gathered()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread:
            thread.join()

    def _add(self, change: Change) -> None:
        with self._changed:
            self._gathered.add(change)
            if self._thread is None:
                self._closed = False
                self._thread = Thread(target=self._go, name="writer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _take(self) -> list[Change]:
        """What has gathered; waits for it. Empty when all is written and it ends."""
        with self._changed:
            while not (taken := self._gathered.take()) and not self._closed:
                self._changed.wait()
            return taken

    def _go(self) -> None:
        writing: OnSQLite | None = None
        checkpoints = Checkpoints(self._engine)
        while group := self._take():
            rest: list[Change] = []
            written = 0
            try:
                with one_writer:
                    writing = writing or OnSQLite(self._engine)
                    writing.begin()
                    rest = self._fill(writing, group)
                    writing.commit()
                written = len(group) - len(rest)
            except Exception as error:  # noqa: BLE001 - told to each
                rest = []
                fail(group, error)
                if writing is not None:
                    writing.close()
                writing = None
            self._told(group, rest)
            checkpoints.written(written)
        checkpoints.close()
        if writing is not None:
            writing.close()

    def _fill(self, writing: OnSQLite, group: list[Change]) -> list[Change]:
        """Write what there is time for, the foreseen first; returns the rest, of which nothing is written."""
        by_org: dict[Any, list[Change]] = {}
        for each in group:
            if each.foreseen or each.looks:
                by_org.setdefault(each.caller.org.id, []).append(each)
        for org_id, some in by_org.items():
            works = [each.foreseen for each in some if each.foreseen]
            written = writing.put(org_id, works, partial(see, some))
            for each in some:
                each.foreseen = each.foreseen if each.foreseen in written else None
        apart = [each for each in group if not each.foreseen]
        ends = time.monotonic() + LONGEST_SECONDS
        for place, each in enumerate(apart, 1):
            try:
                with writing.looking(each.caller, each.now) as transaction:
                    each.result = each.do(transaction)
            except Exception as error:  # noqa: BLE001 - told to who asked
                each.error = error
                writing.go_on(error)
            if time.monotonic() > ends:
                return apart[place:]
        return []

    def _told(self, group: list[Change], rest: list[Change]) -> None:
        """Answer a group that is committed."""
        self._count(len(group) - len(rest))
        with self._changed:
            self._gathered.put_back(rest)
        for org_id in {each.caller.org.id for each in group}:
            committed(self._engine, org_id)
        by_loop: dict[Any, list[Change]] = {}
        for each in group:
            if each not in rest:
                by_loop.setdefault(each.answer.get_loop(), []).append(each)
        for loop, changes in by_loop.items():
            # One that was closed meanwhile has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, changes)


_writers: WeakKeyDictionary[Engine, Writer] = WeakKeyDictionary()


def writer_of(engine: Engine) -> Writer:
    """The one writer to this database in this process; it ends when the engine is disposed of."""
    found = _writers.get(engine)
    if found is None:
        found = _writers[engine] = (_ToSQLite if engine.dialect.name == "sqlite" else _ToPostgreSQL)(engine)
        event.listen(engine, "engine_disposed", lambda _: _writers.pop(engine).close() if engine in _writers else None)
    return found
