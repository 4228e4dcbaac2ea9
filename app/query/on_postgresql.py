"""How PostgreSQL is read: over a few connections of our own, each statement prepared once on each of them.

What takes but a moment travels together, several to a connection (line.py). Whatever may take longer has a connection
for itself, so that nobody waits behind it. Nothing is sent to a connection between two statements: what one of them
leaves behind is known here.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any
from uuid import UUID

from app.platform.database import LOCK_SECONDS, QUESTION_SECONDS
from app.platform.piped import opened, parameter
from app.query.line import Aborted, Line, Lost, Stale
from app.query.statement import Prepared

# How many connections statements may have that are long, or of which nothing is known yet: the rest stay free.
FOR_LONG_ONES = 3
LONG_MILLISECONDS = 50.0
# What takes less goes together: so many of one turn of the event loop on one connection, the next on another; and any
# number, once an organisation has as many connections as a database has processors to spare for one process.
MOMENT_MILLISECONDS = 1.0
ONE_TRIP, TOGETHER, DEEPEST = 8, 4, 32
SETTINGS = {
    "jit": "off",
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "statement_timeout": f"{QUESTION_SECONDS}s",
    # Planning a large statement takes as long as running it.
    "plan_cache_mode": "force_generic_plan",
    # What is read often lies in memory. By the default, some hundred rows are dearer to look up than a table to read.
    "random_page_cost": "1.1",
    "application_name": "guanxi-questions",
}


class _Pool:
    """The connections of one event loop. Whoever finds none opens one, up to a bound, or waits for his turn."""

    def __init__(self, url: str, most: int) -> None:
        self._url, self._most = url, most
        self.loop = asyncio.get_running_loop()
        self._lines: list[Line] = []
        self._opening = 0
        self._closed = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._free_for_long = asyncio.Semaphore(min(FOR_LONG_ONES, most))

    def run(self, prepared: Prepared, parameters: list[bytes | None], org: UUID) -> Coroutine[Any, Any, bytes | None]:
        """The statement's one value, once it is awaited."""
        is_long = prepared.took is None or prepared.took > LONG_MILLISECONDS
        return (self._in_turn if is_long else self._asked)(prepared, parameters, org)

    async def _in_turn(self, prepared: Prepared, parameters: list[bytes | None], org: UUID) -> bytes | None:
        await self._free_for_long.acquire()
        asked = asyncio.ensure_future(self._asked(prepared, parameters, org))
        asked.add_done_callback(self._over)
        # The database goes on with it when nobody waits for it any more: so long it counts.
        return await asyncio.shield(asked)

    def _over(self, asked: "asyncio.Future[bytes | None]") -> None:
        self._free_for_long.release()
        if not asked.cancelled():
            asked.exception()  # whoever still waits is told; of others nobody asks

    async def _asked(self, prepared: Prepared, parameters: list[bytes | None], org: UUID) -> bytes | None:
        alone = prepared.took is None or prepared.took > MOMENT_MILLISECONDS
        again = 0
        while True:
            line = self._idle(org) if alone else self._shared(org)
            if line is None:
                line = await self._another()
                if line is None:
                    continue
            line.alone = alone
            try:
                return await line.ask(prepared, parameters, org)
            except Lost as lost:
                # It was cut while it lay idle: a reading may be asked again, on a new one.
                if not lost.used or self._closed:
                    raise
            except Aborted:
                # Whoever made it fail does so alone.
                alone = True
            except Stale:
                again += 1
                if again > self._most:
                    raise

    def _idle(self, org: UUID) -> Line | None:
        """One on which nothing is under way, of that organisation if there is."""
        found = None
        for line in self._lines:
            if not line.units and not line.alone:
                if line.org is org or line.org == org:
                    return line
                if found is None or line.org is None:
                    found = line
        return found if found is not None and self._full else None

    def _shared(self, org: UUID) -> Line | None:
        """One for what takes but a moment: the least busy of that organisation, or one that lies idle."""
        best, depth, its, idle = None, DEEPEST, 0, None
        for line in self._lines:
            if line.alone:
                continue
            under_way = len(line.units)
            if line.org is org or line.org == org:
                if not under_way or (line.open and under_way < ONE_TRIP):
                    return line
                its += 1
                if under_way < depth:
                    best, depth = line, under_way
            elif not under_way:
                idle = line
        if best is not None and its >= TOGETHER:
            return best
        return best or idle if self._full else None

    @property
    def _full(self) -> bool:
        return len(self._lines) + self._opening >= self._most

    async def _another(self) -> Line | None:
        """A new one; None after a wait for one that was in use."""
        if self._full:
            turn = self.loop.create_future()
            self._waiting.append(turn)
            await turn
            return None
        self._opening += 1
        try:
            driver = await opened(self._url, SETTINGS)
        finally:
            self._opening -= 1
            self._call_next()
        line = Line(driver, self._call_next, self._lines.remove)
        self._lines.append(line)
        return line

    def _call_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def in_use(self) -> dict[str, int]:
        idle = sum(not line.units for line in self._lines)
        return {"idle": idle, "busy": len(self._lines) - idle, "waiting": len(self._waiting)}

    def close(self) -> None:
        self._closed = True
        for line in list(self._lines):
            line.drop()


class PostgreSQL:
    """The pool of the event loop that asks: a connection belongs to the loop that opened it."""

    def __init__(self, url: str, connections: int) -> None:
        self._url, self._connections = url, connections
        self._pool: _Pool | None = None

    def run(self, prepared: Prepared, values: Mapping[str, Any]) -> Coroutine[Any, Any, bytes | None]:
        # To ask which loop runs costs more than all the rest of this; whether the last one still does is as good.
        if self._pool is None or self._pool.loop.is_closed():
            if self._pool is not None:
                self._pool.close()
            self._pool = _Pool(self._url, self._connections)
        return self._pool.run(prepared, [parameter(each) for each in prepared.placed(values)], values["org"])

    def in_use(self) -> dict[str, int]:
        return self._pool.in_use() if self._pool else {"idle": 0, "busy": 0, "waiting": 0}

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
