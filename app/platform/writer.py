"""One commit for many: changes that were asked for at the same time are written together, and nobody is answered
before the commit that holds what is his.

A writer is a thread with a connection of its own. It takes what has gathered while it wrote the last group; whoever is
alone does not wait for company. What was foreseen (foreseen.py) is written in a few statements for all of a group.

SQLite has one writer and everything goes through it: a change that has to look first runs in the same transaction, in
a savepoint of its own. On PostgreSQL such a change has a transaction of its own, elsewhere, as has one of a group that
could not be written as it was foreseen.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Condition, Thread
from typing import Any
from weakref import WeakKeyDictionary

from anyio.to_thread import run_sync
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from app.platform.access import Caller
from app.platform.away import Away, away
from app.platform.foreseen import Foreseen, Unforeseen
from app.platform.outbox import committed
from app.platform.records import count_statement
from app.platform.refusals import Refused
from app.platform.steps import Look, Writing
from app.platform.work import Work, one_writer, work
from app.platform.writing import OnPostgreSQL, OnSQLite

Result = dict[str, Any]
Do = Callable[[Work], Result]
Looks = Sequence[tuple[Look, Any]]

# A group ends after so many changes, or once it has taken so long: those that it holds wait for its commit.
MOST, LONGEST_SECONDS = 64, 0.02
WRITERS = 2
TRIES = 4
# Of PostgreSQL: serialization_failure, deadlock_detected. Nothing was done, and the same again will do.
_AGAIN = frozenset({"40001", "40P01"})


class _Apart(Exception):
    """It is to be done by itself: nothing of it was written."""


@dataclass(eq=False)
class Change:
    """One change on its way. `result` is what it answers if all is as foreseen; `looks`: what must be read for that."""

    caller: Caller
    now: datetime
    do: Do
    foreseen: Foreseen | None
    result: Result
    answer: "asyncio.Future[Result]"
    looks: Looks = ()
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.claims = self.foreseen.claims() if self.foreseen else set(self.looks)

    def tell(self) -> None:
        if self.answer.done():
            return  # nobody waits any more
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class Writer:
    """Writes to one database. `groups`: how many groups held so many changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._sqlite = engine, engine.dialect.name == "sqlite"
        self._waiting: deque[Change] = deque()
        self._in_hand: set[Any] = set()
        self._gathered = Condition()
        self._threads: list[Thread] = []
        self._closed = False
        self.groups: Counter[int] = Counter()

    async def write(
        self, caller: Caller, now: datetime, do: Do, *, in_memory: bool = False, looks: Looks = ()
    ) -> Result:
        """Do it in one transaction, and answer when it is committed. Raises what `do` raises, and has then done
        nothing. `in_memory`: try first without looking, where that takes no time; `looks`: or after having read these,
        together with those of others."""
        foreseen, result = _foresee(caller, now, do) if in_memory else (None, {})
        if foreseen or looks or self._sqlite:
            loop = asyncio.get_running_loop()
            change = Change(caller, now, do, foreseen, result, loop.create_future(), looks)
            self._add(change)
            count_statement()
            try:
                return await change.answer
            except _Apart:
                pass
        return await run_sync(self._apart, caller, now, do)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._gathered:
            self._closed = True
            self._gathered.notify_all()
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join()

    def _apart(self, caller: Caller, now: datetime, do: Do) -> Result:
        for attempt in range(TRIES):
            try:
                with work(self._engine, caller, now) as transaction:
                    result = do(transaction)
                with self._gathered:
                    self.groups[1] += 1
                return result
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _AGAIN or attempt == TRIES - 1:
                    raise
        raise AssertionError("The last try returns or raises.")

    # ------------------------------------------------------------------ the queue

    def _add(self, change: Change) -> None:
        with self._gathered:
            self._waiting.append(change)
            if not self._threads:
                self._closed = False
                write = self._write_on_sqlite if self._sqlite else self._write_on_postgresql
                self._threads = [
                    Thread(target=write, name=f"writer-{n}", daemon=True) for n in range(1 if self._sqlite else WRITERS)
                ]
                for thread in self._threads:
                    thread.start()
            self._gathered.notify()

    def _take(self) -> list[Change]:
        """What has gathered, and can be written together; waits for it. Empty when all is written and it ends."""
        with self._gathered:
            while True:
                if taken := self._group():
                    for each in taken:
                        self._waiting.remove(each)
                        self._in_hand |= each.claims
                    return taken
                if self._closed and not self._waiting:
                    return []
                self._gathered.wait()

    def _group(self) -> list[Change]:
        """Changes that do not touch each other, nor what another writer has in hand."""
        group: list[Change] = []
        claimed = set(self._in_hand)
        for change in self._waiting:
            if len(group) == MOST:
                break
            together = self._sqlite or not group or change.caller.org.id == group[0].caller.org.id
            if together and claimed.isdisjoint(change.claims):
                group.append(change)
                claimed |= change.claims
        return group

    def _told(self, group: Sequence[Change], rest: Sequence[Change] = ()) -> None:
        """Answer a group that is committed; for the rest of it there was no time: it comes first in the next."""
        with self._gathered:
            self.groups[len(group) - len(rest)] += 1
            for each in group:
                self._in_hand -= each.claims
            self._waiting.extendleft(reversed(rest))
            self._gathered.notify()
        for org_id in {each.caller.org.id for each in group}:
            committed(self._engine, org_id)
        by_loop: dict[Any, list[Change]] = {}
        for each in group:
            if each not in rest:
                by_loop.setdefault(each.answer.get_loop(), []).append(each)
        for loop, changes in by_loop.items():
            # One that was closed meanwhile has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, changes)

    # ------------------------------------------------------------------ PostgreSQL

    def _write_on_postgresql(self) -> None:
        writing: OnPostgreSQL | None = None
        while group := self._take():
            try:
                writing = writing or OnPostgreSQL(self._engine)
                works = [each.foreseen for each in group if each.foreseen]
                written = writing.put(group[0].caller.org.id, works, partial(_see, group))
            except Exception:  # noqa: BLE001 - whose fault it was shows when each is done by itself
                written = []
                writing = _close(writing)
            for each in group:
                each.error = None if each.foreseen in written else _Apart()
            try:
                if writing:
                    writing.commit()
            except Exception as error:  # noqa: BLE001 - told to each
                _fail(group, Away(unknown=True) if away(error) else error)
                writing = _close(writing)
            self._told(group)
        _close(writing)

    # ------------------------------------------------------------------ SQLite

    def _write_on_sqlite(self) -> None:
        writing: OnSQLite | None = None
        while group := self._take():
            rest: list[Change] = []
            try:
                with one_writer:
                    writing = writing or OnSQLite(self._engine)
                    writing.begin()
                    rest = self._fill(writing, group)
                    writing.commit()
            except Exception as error:  # noqa: BLE001 - told to each
                rest = []
                _fail(group, error)
                writing = _close(writing)
            self._told(group, rest)
        _close(writing)

    def _fill(self, writing: OnSQLite, group: list[Change]) -> list[Change]:
        """Write what there is time for, the foreseen first; returns the rest, of which nothing is written."""
        by_org: dict[Any, list[Change]] = {}
        for each in group:
            if each.foreseen or each.looks:
                by_org.setdefault(each.caller.org.id, []).append(each)
        for org_id, some in by_org.items():
            works = [each.foreseen for each in some if each.foreseen]
            written = writing.put(org_id, works, partial(_see, some))
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


def _see(group: Sequence[Change], writing: Writing) -> list[Foreseen]:
    """Read what those need who look first, all of it together, and carry their changes out in memory."""
    changes = [each for each in group if each.looks]
    wanted: dict[Look, list[Any]] = {}
    for each in changes:
        for look, value in each.looks:
            wanted.setdefault(look, []).append(value)
    sent = {look: look.send(writing, values) for look, values in wanted.items()}
    found = {look: look.found(writing, values, sent[look]) for look, values in wanted.items()}
    for each in changes:
        seen = {(look, value): found[look].get(value) for look, value in each.looks}
        each.foreseen, each.result = _foresee(each.caller, each.now, each.do, seen)
    return [each.foreseen for each in changes if each.foreseen]


def _foresee(
    caller: Caller, now: datetime, do: Do, seen: Mapping[Any, Any] | None = None
) -> tuple[Foreseen | None, Result]:
    foreseen = Foreseen(caller, now, seen)
    try:
        return foreseen, do(foreseen)
    except (Unforeseen, Refused):
        # All that is to be said of a refusal is found by looking.
        return None, {}


def _tell(changes: Sequence[Change]) -> None:
    for each in changes:
        each.tell()


def _fail(changes: Sequence[Change], error: BaseException) -> None:
    for each in changes:
        each.error = error


def _close(writing: OnPostgreSQL | OnSQLite | None) -> Any:
    """Another one is opened when it is needed."""
    if writing:
        writing.close()


_writers: WeakKeyDictionary[Engine, Writer] = WeakKeyDictionary()


def writer_of(engine: Engine) -> Writer:
    """The one writer to this database in this process; it ends when the engine is disposed of."""
    found = _writers.get(engine)
    if found is None:
        found = _writers[engine] = Writer(engine)
        event.listen(engine, "engine_disposed", lambda _: _writers.pop(engine).close() if engine in _writers else None)
    return found
