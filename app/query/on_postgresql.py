"""How PostgreSQL is read: over a few connections of our own, each statement prepared once on each of them.

Nothing is sent to a connection between two statements: what one of them leaves behind is known here.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import make_url

from app.platform.database import LOCK_SECONDS, QUESTION_SECONDS
from app.platform.walls import TAKE_ROLE, entering
from app.query.statement import Prepared

CONNECTIONS = 8
# Of them, how many a statement may have that is long, or of which nothing is known yet: the rest stay free for others.
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
        self._statements: OrderedDict[Prepared, Any] = OrderedDict()
        self._org: UUID | None = None

    async def run(self, prepared: Prepared, parameters: list[Any], org: UUID) -> bytes | None:
        if org != self._org:
            self._org = None
            await self.driver.execute(entering(org))
            self._org = org
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
    """The connections of one event loop."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._free_for_long = asyncio.Semaphore(FOR_LONG_ONES)

    async def run(self, prepared: Prepared, parameters: list[Any], org: UUID) -> bytes | None:
        if prepared.took is None or prepared.took > LONG_MILLISECONDS:
            async with self._free_for_long, self._free:
                return await self._run(prepared, parameters, org)
        async with self._free:
            return await self._run(prepared, parameters, org)

    async def _run(self, prepared: Prepared, parameters: list[Any], org: UUID) -> bytes | None:
        while True:
            known = bool(self._idle)
            connection = self._idle.pop() if known else await self._open()
            try:
                began = time.perf_counter()
                found = await connection.run(prepared, parameters, org)
                prepared.ran((time.perf_counter() - began) * 1000)
            except asyncpg.QueryCanceledError:
                self._idle.append(connection)
                prepared.ran(1000 * QUESTION_SECONDS)
                raise
            except asyncpg.PostgresError:
                if not connection.driver.is_closed():
                    self._idle.append(connection)
                    raise
                if not known:
                    raise
            except (OSError, asyncpg.InterfaceError):
                # It was cut while it lay idle: a reading may be asked again on a new one.
                connection.driver.terminate()
                if not known:
                    raise
            except BaseException:
                connection.driver.terminate()
                raise
            else:
                self._idle.append(connection)
                return found

    async def _open(self) -> _Connection:
        driver = await asyncpg.connect(self._dsn, server_settings=SETTINGS)
        # The JSON that a statement answers with goes on as the bytes that came.
        await driver.set_type_codec("text", schema="pg_catalog", encoder=str.encode, decoder=bytes, format="binary")
        await driver.execute(TAKE_ROLE)
        return _Connection(driver)

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.driver.close()


class PostgreSQL:
    """A pool for each event loop that asks: a connection belongs to the loop that opened it."""

    def __init__(self, url: str) -> None:
        self._dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()

    async def run(self, prepared: Prepared, values: Mapping[str, Any]) -> bytes | None:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = _Pool(self._dsn)
        return await pool.run(prepared, prepared.placed(values), values["org"])

    async def close(self) -> None:
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()
