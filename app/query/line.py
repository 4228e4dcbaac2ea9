"""One connection to PostgreSQL for questions, on libpq itself, in pipeline mode: several may be under way on it, and
are answered in their order.

A driver's coroutine for each statement costs more than the statement, and to send it by itself as much again: here a
question is one call, and a future that is told when its answer has come. What is asked in one turn of the event loop
leaves in one piece, and the kernel and the database are woken once for all of it. That is one transaction of theirs:
when a question fails, those behind it are not answered, and are to be asked again (Aborted).
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq

from app.platform.database import QUESTION_SECONDS
from app.platform.piped import arrived, state_of
from app.platform.walls import entering
from app.query.statement import Prepared

# A large plan takes some 2 MiB of the server's memory, on each connection.
STATEMENTS_KEPT = 64
_ROWS, _DONE, _SYNC = pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK, pq.ExecStatus.PIPELINE_SYNC
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED
# What was prepared is gone, or was made for tables that have changed since: it is prepared anew.
_STALE = frozenset({"26000", "0A000"})
_CANCELLED = "57014"


class Lost(psycopg.OperationalError):
    """The connection was cut. `used`: it had answered before, so that a reading may well be asked again on another."""

    used = False


class Stale(Exception):
    """To be asked again: its plan was of another time."""


class Aborted(Exception):
    """To be asked again: another one that travelled with it failed."""


class _Unit:
    """A statement on its way, of which so many `results` are to come. Without a future it is the connection's own:
    `must` it succeed? `there`: whether its statement is known to be prepared."""

    __slots__ = ("aborted", "answer", "failure", "future", "must", "prepared", "results", "sent", "there")

    def __init__(
        self, prepared: Prepared | None, future: "asyncio.Future[bytes | None] | None", *, must: bool = False
    ) -> None:
        self.prepared, self.future, self.must = prepared, future, must
        self.results = 1
        self.there = self.aborted = False
        self.answer: bytes | None = None
        self.failure = ""
        self.sent = time.perf_counter()


class Line:
    """`org`: whose rows it shows to what is asked next; `units`: what is under way; `open`: what was asked in this turn
    of the event loop is yet to leave; `alone`: while a question has it for itself. `freed` is called each time that
    something is done, `dropped` once, when it is of no more use."""

    def __init__(self, driver: Any, freed: Callable[[], None], dropped: Callable[["Line"], None]) -> None:
        self._driver, self._freed, self._dropped = driver, freed, dropped
        self._pg: Any = driver.pgconn
        self._loop = asyncio.get_running_loop()
        self._names: OrderedDict[Prepared, bytes] = OrderedDict()
        self._made = self._answered = 0
        self._done_at = 0.0
        self._socket: int = self._pg.socket
        self.org: UUID | None = None
        self.units: deque[_Unit] = deque()
        self.open = self.alone = self.used = self.closed = False
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._readable)

    def ask(self, prepared: Prepared, parameters: list[bytes | None], org: UUID) -> "asyncio.Future[bytes | None]":
        """The statement's one value. Raises Lost, Stale, Aborted and what the database refuses, as psycopg names it."""
        future: asyncio.Future[bytes | None] = self._loop.create_future()
        unit = _Unit(prepared, future)
        try:
            if org is not self.org:
                self._enter(org)
            name = self._names.get(prepared)
            if name is None:
                name = self._prepare(prepared)
                unit.results = 2
            else:
                self._names.move_to_end(prepared)
                unit.there = True
            self._pg.send_query_prepared(name, parameters)
            self.units.append(unit)
            if not self.open:
                self.open = True
                self._loop.call_soon(self._leave)
        except psycopg.OperationalError as failure:
            self.units.append(unit)
            self.drop(failure)
        return future

    def _enter(self, org: UUID) -> None:
        if org != self.org:
            # By itself: what is asked next may fail, and what this said would be taken back with it.
            self._own(entering(org), must=True)
        self.org = org

    def _prepare(self, prepared: Prepared) -> bytes:
        if len(self._names) >= STATEMENTS_KEPT:
            _, oldest = self._names.popitem(last=False)
            self._own(f"DEALLOCATE {oldest.decode()}")
        self._made += 1
        name = self._names[prepared] = b"q%d" % self._made
        self._pg.send_prepare(name, prepared.text.encode())
        return name

    def _own(self, text: str, *, must: bool = False) -> None:
        if self.open:
            self._sync()
        self._pg.send_query_params(text.encode(), None)
        self.units.append(_Unit(None, None, must=must))
        self._sync()

    def _leave(self) -> None:
        if self.open and not self.closed:
            try:
                self._sync()
            except psycopg.OperationalError as failure:
                self.drop(failure)

    def _sync(self) -> None:
        """All that was asked since the last one leaves, and is one transaction: libpq sends nothing before."""
        self.open = False
        self._pg.pipeline_sync()
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._writable)

    # ------------------------------------------------------------------ what comes back

    def _writable(self) -> None:
        try:
            if not self._pg.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.OperationalError as failure:
            self.drop(failure)

    def _readable(self) -> None:
        try:
            for result in arrived(self._pg):
                status = result.status
                if status == _SYNC:
                    self._over()
                    continue
                unit = self.units[self._answered]
                if status == _ROWS:
                    if result.ntuples:
                        unit.answer = result.get_value(0, 0)
                elif status == _DONE:
                    unit.there = True
                elif status == _ABORTED:
                    unit.aborted = True
                else:
                    unit.failure = state_of(result)
                unit.results -= 1
                if not unit.results:
                    self._answered += 1
        except psycopg.OperationalError as failure:
            self.drop(failure)

    def _over(self) -> None:
        """What left together is told together: a connection that is cut may have failed some of it before."""
        now = time.perf_counter()
        units = [self.units.popleft() for _ in range(self._answered)]
        self._answered = 0
        # The first began when those before it were done; what came together is taken to have taken as long.
        took, self._done_at = (now - max(units[0].sent, self._done_at)) / len(units), now
        if not self.units:
            self.alone = False
        for unit in units:
            self._told(unit, took)
        self._freed()

    def _told(self, unit: _Unit, took: float) -> None:
        prepared, future = unit.prepared, unit.future
        if future is None or prepared is None:
            if unit.failure and unit.must:
                raise psycopg.OperationalError("The connection cannot show an organisation's rows.")
            return
        self.used = True
        error = self._refused(unit) if unit.failure or unit.aborted else None
        if error is None:
            prepared.ran(1000 * took)
        if future.done():
            return  # nobody waits for it any more
        if error is None:
            future.set_result(unit.answer)
        else:
            future.set_exception(error)

    def _refused(self, unit: _Unit) -> Exception:
        prepared: Any = unit.prepared
        state = unit.failure
        if state == _CANCELLED:
            prepared.ran(1000 * QUESTION_SECONDS)
        if not unit.there or state in _STALE:
            # One that stands is kept, or each failure would leave another plan behind in the server.
            self._names.pop(prepared, None)
        if not state:
            return Aborted()
        if state in _STALE:
            return Stale()
        try:
            kind: type[psycopg.Error] = psycopg.errors.lookup(state)
        except KeyError:
            kind = psycopg.DatabaseError
        # Its message could hold somebody's values.
        return kind(f"SQLSTATE {state}")

    # ------------------------------------------------------------------ its end

    def drop(self, failure: Exception | None = None) -> None:
        """It is of no more use; whoever waits is told."""
        if self.closed:
            return
        self.closed = True
        over = self._loop.is_closed()
        if not over:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._pg.finish()
        self._dropped(self)
        waiting, self.units = self.units, deque()
        for unit in () if over else waiting:
            if unit.future is not None and not unit.future.done():
                lost = Lost("The connection to the database was cut.")
                lost.used, lost.__cause__ = self.used, failure
                unit.future.set_exception(lost)
        if not over:
            self._freed()
