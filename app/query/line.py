"""One connection to PostgreSQL for questions, on libpq itself, in pipeline mode: several may be under way on it, each
of which is answered or fails by itself, in their order.

A driver's coroutine for each statement costs more than the statement: here a question is one call to send it, and a
future that is told when its answer has come.
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


class _Unit:
    """What succeeds or fails by itself. Without a future it is the connection's own: `must` it succeed? `there`:
    whether its statement is known to be prepared."""

    __slots__ = ("answer", "failure", "future", "must", "prepared", "sent", "there")

    def __init__(self, prepared: Prepared | None, future: "asyncio.Future[bytes | None] | None", *, must: bool) -> None:
        self.prepared, self.future, self.must = prepared, future, must
        self.there = False
        self.answer: bytes | None = None
        self.failure = ""
        self.sent = time.perf_counter()


class Line:
    """`org`: whose rows it shows to what is asked next; `units`: what is under way; `alone`: while a question has it
    for itself. `freed` is called each time that something is done, `dropped` once, when it is of no more use."""

    def __init__(self, driver: Any, freed: Callable[[], None], dropped: Callable[["Line"], None]) -> None:
        self._driver, self._freed, self._dropped = driver, freed, dropped
        self._pg: Any = driver.pgconn
        self._loop = asyncio.get_running_loop()
        self._names: OrderedDict[Prepared, bytes] = OrderedDict()
        self._made = 0
        self._done_at = 0.0
        self._socket: int = self._pg.socket
        self.org: UUID | None = None
        self.units: deque[_Unit] = deque()
        self.alone = self.used = self.closed = False
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._readable)

    def ask(self, prepared: Prepared, parameters: list[bytes | None], org: UUID) -> "asyncio.Future[bytes | None]":
        """The statement's one value. Raises Lost, Stale and what the database refuses, as psycopg names it."""
        future: asyncio.Future[bytes | None] = self._loop.create_future()
        unit = _Unit(prepared, future, must=False)
        try:
            if org is not self.org:
                self._enter(org)
            name = self._names.get(prepared)
            if name is None:
                name = self._prepare(prepared)
            else:
                self._names.move_to_end(prepared)
                unit.there = True
            self._pg.send_query_prepared(name, parameters)
            self._end(unit)
        except psycopg.OperationalError as failure:
            self.units.append(unit)
            self.drop(failure)
        return future

    def _enter(self, org: UUID) -> None:
        if org != self.org:
            # By itself: what is asked next may fail, and what this said would be taken back with it.
            self._pg.send_query_params(entering(org).encode(), None)
            self._end(_Unit(None, None, must=True))
        self.org = org

    def _prepare(self, prepared: Prepared) -> bytes:
        if len(self._names) >= STATEMENTS_KEPT:
            _, oldest = self._names.popitem(last=False)
            self._pg.send_query_params(b"DEALLOCATE " + oldest, None)
            self._end(_Unit(None, None, must=False))
        self._made += 1
        name = self._names[prepared] = b"q%d" % self._made
        self._pg.send_prepare(name, prepared.text.encode())
        return name

    def _end(self, unit: _Unit) -> None:
        self.units.append(unit)
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
        units = self.units
        try:
            for result in arrived(self._pg):
                status = result.status
                if status == _ROWS:
                    if result.ntuples:
                        units[0].answer = result.get_value(0, 0)
                elif status == _SYNC:
                    self._over(units.popleft())
                    if not units:
                        break
                elif status == _DONE:
                    units[0].there = True
                elif status != _ABORTED:
                    units[0].failure = state_of(result)
        except psycopg.OperationalError as failure:
            self.drop(failure)

    def _over(self, unit: _Unit) -> None:
        now, future = time.perf_counter(), unit.future
        # It began when those before it were done.
        took, self._done_at = now - max(unit.sent, self._done_at), now
        if future is None:
            if unit.failure and unit.must:
                raise psycopg.OperationalError("The connection cannot show an organisation's rows.")
            return
        self.used = True
        if not self.units:
            self.alone = False
        prepared: Any = unit.prepared
        if not unit.failure:
            prepared.ran(1000 * took)
            if not future.done():
                future.set_result(unit.answer)
        else:
            error = self._refused(unit)
            if not future.done():
                future.set_exception(error)
        self._freed()

    def _refused(self, unit: _Unit) -> Exception:
        prepared: Any = unit.prepared
        state = unit.failure
        if state == _CANCELLED:
            prepared.ran(1000 * QUESTION_SECONDS)
        if not unit.there or state in _STALE:
            # One that stands is kept, or each failure would leave another plan behind in the server.
            self._names.pop(prepared, None)
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
