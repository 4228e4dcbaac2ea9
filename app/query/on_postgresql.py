"""How PostgreSQL is read: over a few connections of our own, each statement prepared once on each of them.

Nothing is sent to a connection between two statements: what one of them leaves behind is known here.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Coroutine, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import make_url

from app.platform.away import Away
from app.platform.database import CONNECT_SECONDS, LOCK_SECONDS, QUESTION_SECONDS
from app.platform.walls import TAKE_ROLE, entering
from app.query.statement import Prepared

# How many connections statements may have that are long, or of which nothing is known yet: the rest stay free.
FOR_LONG_ONES = 3
LONG_MILLISECONDS = 50.0
# A large plan takes some 2 MiB of the server's memory, on each connection.
STATEMENTS_KEPT = 64
SETTINGS = {
    "jit": "off",
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "statement_timeout": f"{QUESTION_SECONDS}s",
    # Planning a large statement takes as long as running it.
    "plan_cache_mode": "force_generic_plan",
    # What is read often lies in memory. By the default, some hundred rows are dearer to look up than a table to read.
    "random_page_cost": "1.1",
    "application_name": "guanxi questions",
}


class _Connection:
    """A connection, what is prepared on it, and whose rows it may see."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.org: UUID | None = None
        self._statements: OrderedDict[Prepared, Any] = OrderedDict()

    async def run(self, prepared: Prepared, parameters: list[Any], org: UUID) -> bytes | None:
        if org is not self.org:
            if org != self.org:
                self.org = None
                await self.driver.execute(entering(org))
            self.org = org
        statement = self._statements.get(prepared)
        if statement is None:
            statement = self._statements[prepared] = await self.driver.prepare(prepared.text)
            if len(self._statements) > STATEMENTS_KEPT:
                self._statements.popitem(last=False)
        else:
            self._statements.move_to_end(prepared)
        found: bytes | None = await statement.fetchval(*parameters)
        return found


class _Pool:
    """The connections of one event loop. Whoever finds none idle opens one, up to a bound, or waits for his turn."""

    def __init__(self, dsn: str, most: int) -> None:
        self._dsn, self._most = dsn, most
        self.loop = asyncio.get_running_loop()
        self._idle: list[_Connection] = []
        self._opened = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._free_for_long = asyncio.Semaphore(min(FOR_LONG_ONES, most))

    def run(self, prepared: Prepared, parameters: list[Any], org: UUID) -> Coroutine[Any, Any, bytes | None]:
        """The statement's one value, once it is awaited."""
        is_long = prepared.took is None or prepared.took > LONG_MILLISECONDS
        return (self._in_turn if is_long else self._at_once)(prepared, parameters, org)

    async def _in_turn(self, prepared: Prepared, parameters: list[Any], org: UUID) -> bytes | None:
        async with self._free_for_long:
            return await self._at_once(prepared, parameters, org)

    async def _at_once(self, prepared: Prepared, parameters: list[Any], org: UUID) -> bytes | None:
        while True:
            connection = self._take(org)
            used = connection is not None
            if connection is None:
                connection = await self._another()
                if connection is None:
                    continue
            began = time.perf_counter()
            try:
                found = await connection.run(prepared, parameters, org)
            except BaseException as error:
                if isinstance(error, asyncpg.QueryCanceledError):
                    prepared.ran(1000 * QUESTION_SECONDS)
                if isinstance(error, asyncpg.PostgresError) and not connection.driver.is_closed():
                    self._give(connection)
                    raise
                self._drop(connection)
                # It was cut while it lay idle: a reading may be asked again, on a new one.
                if used and isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.PostgresError):
                    continue
                if isinstance(error, OSError):
                    raise Away from None
                raise
            prepared.ran((time.perf_counter() - began) * 1000)
            self._give(connection)
            return found

    def _take(self, org: UUID) -> _Connection | None:
        """An idle one, of that organisation if there is."""
        for place in range(len(self._idle) - 1, -1, -1):
            its = self._idle[place].org
            if its is org or its == org:
                return self._idle.pop(place)
        return self._idle.pop() if self._idle and self._opened >= self._most else None

    async def _another(self) -> _Connection | None:
        """A new one; None after a wait for one that was in use."""
        if self._opened >= self._most:
            turn = self.loop.create_future()
            self._waiting.append(turn)
            await turn
            return None
        self._opened += 1
        try:
            try:
                driver = await asyncpg.connect(self._dsn, server_settings=SETTINGS, timeout=CONNECT_SECONDS)
            except OSError:
                # Refused, unreachable, or without an answer in time.
                raise Away from None
            # The JSON that a statement answers with goes on as the bytes that came.
            await driver.set_type_codec("text", schema="pg_catalog", encoder=str.encode, decoder=bytes, format="binary")
            await driver.execute(TAKE_ROLE)
        except BaseException:
            self._opened -= 1
            self._call_next()
            raise
        return _Connection(driver)

    def _give(self, connection: _Connection) -> None:
        self._idle.append(connection)
        self._call_next()

    def _drop(self, connection: _Connection) -> None:
        self._opened -= 1
        connection.driver.terminate()
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def in_use(self) -> dict[str, int]:
        idle = len(self._idle)
        return {"idle": idle, "busy": self._opened - idle, "waiting": len(self._waiting)}

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            if asyncio.get_running_loop() is self.loop:
                await connection.driver.close()
            else:
                connection.driver.terminate()


class PostgreSQL:
    """The pool of the event loop that asks: a connection belongs to the loop that opened it."""

    def __init__(self, url: str, connections: int) -> None:
        self._connections = connections
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pool: _Pool | None = None

    def run(self, prepared: Prepared, values: Mapping[str, Any]) -> Coroutine[Any, Any, bytes | None]:
        # To ask which loop runs costs more than all the rest of this; whether the last one still does is as good.
        if self._pool is None or self._pool.loop.is_closed():
            self._pool = _Pool(self._dsn, self._connections)
        return self._pool.run(prepared, prepared.placed(values), values["org"])

    def in_use(self) -> dict[str, int]:
        return self._pool.in_use() if self._pool else {"idle": 0, "busy": 0, "waiting": 0}

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None and not pool.loop.is_closed():
            await pool.close()
