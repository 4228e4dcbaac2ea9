"""Runs prepared statements. A statement's JSON comes back as bytes; who asks decides what becomes of it.

Reads go over connections of their own, outside any transaction: one statement sees one state of the data.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Any, Protocol
from uuid import UUID

from anyio.to_thread import run_sync
from sqlalchemy import make_url

from app.platform.database import LOCK_SECONDS
from app.platform.records import current
from app.query import sql
from app.query.on_postgresql import PostgreSQL
from app.query.on_sqlite import SQLite
from app.query.question import Question
from app.query.statement import Prepared, World

NOTHING = b"null"
MARK = sql.MARK.encode()
_BEHIND = re.compile(sql.BEHIND.encode() + rb"([0-9a-f]{32})")
# Seconds before each try to write what is due: all together as long as anybody waits for a lock.
_PAUSES = (0, 0.01, 0.02, 0.05, 0.1, *repeat(0.2, LOCK_SECONDS * 5))
# (organisation, rows, until, now): writes what is due in these rows until an instant, where nobody else has them.
CatchUp = Callable[[UUID, Collection[UUID], datetime, datetime], None]
SHORT_MILLISECONDS = 5.0
# The latest instant as of which a question reads, among its values, if it does.
AS_OF_LATEST = "as_of_latest"

# Told of each statement that is run: for tests, which count them.
watchers: list[Callable[[str], None]] = []


class Driver(Protocol):
    async def run(self, prepared: Prepared, values: Mapping[str, Any]) -> bytes | None:
        """The one value of the one row, as UTF-8."""

    async def close(self) -> None:
        """Close every connection."""

    def in_use(self) -> Mapping[str, int]:
        """How many connections there are, by state."""


class Finality(Protocol):
    """Has what is read of these tables as of an instant stay as it is read."""

    @property
    def tables(self) -> Set[str]:
        """By name."""

    def holds(self, org_id: UUID, instant: datetime, /) -> bool:
        """Whether it does already."""

    def settle(self, org_id: UUID, instant: datetime, /) -> None:
        """Have it do so. Raises TimeoutError where it cannot be had."""


class Reader:
    """Answers questions from one database, over so many connections to a server. `catch_up`: writes what the clock has
    made of rows, before they are read."""

    def __init__(self, url: str, world: World, catch_up: CatchUp, finality: Finality, connections: int = 16) -> None:
        self.world, self._catch_up, self._finality = world, catch_up, finality
        self._writing = ThreadPoolExecutor(1, "catching-up")
        self._settling: dict[tuple[asyncio.AbstractEventLoop, UUID], asyncio.Task[None]] = {}
        self._dialect = make_url(url).get_backend_name()
        self._driver: Driver = PostgreSQL(url, connections) if self._dialect == "postgresql" else SQLite(url)

    def known(self, question: Question) -> Prepared | None:
        """The statement of a question that was asked before."""
        return self.world.known(question, self._dialect)

    def is_short(self, question: Question) -> bool:
        """Whether it took but a moment of late."""
        prepared = self.known(question)
        return prepared is not None and prepared.took is not None and prepared.took < SHORT_MILLISECONDS

    async def read(self, question: Question, values: Mapping[str, Any]) -> bytes:
        """The answer as JSON: `null` where there is none. Raises TimeoutError where somebody keeps what is due, or what
        is read as of an instant, from being settled."""
        prepared = self.world.known(question, self._dialect)
        if prepared is None:
            prepared = await run_sync(self.world.prepared, question, self._dialect)
        if AS_OF_LATEST in values and not self._finality.tables.isdisjoint(prepared.tables):
            await self._settled(values["org"], values[AS_OF_LATEST])
        pauses = iter(_PAUSES)
        while True:
            answer = await self._run(prepared, values)
            if answer is None:
                return NOTHING
            if prepared.awaiting and (behind := _BEHIND.findall(answer)):
                await self._caught_up(behind, values, next(pauses, None))
            elif prepared.trusting and MARK in answer:
                prepared = await run_sync(partial(self.world.prepared, question, self._dialect, trusting=False))
            else:
                return answer

    async def _caught_up(self, behind: Sequence[bytes], values: Mapping[str, Any], pause: float | None) -> None:
        """Have what is due written in these rows. Not in a thread that others need, and by one at a time: the next one
        finds it done."""
        if pause is None:
            raise TimeoutError
        # Somebody else has what is still due; nobody waits for him with a lock.
        await asyncio.sleep(pause)
        rows = {UUID(key.decode()) for key in behind}
        given = values["org"], rows, values["now"], values["clock"]
        await asyncio.get_running_loop().run_in_executor(self._writing, self._catch_up, *given)

    async def _settled(self, org_id: UUID, instant: datetime) -> None:
        async with asyncio.timeout(LOCK_SECONDS):
            while not self._finality.holds(org_id, instant):
                # One at a time of each organisation, which goes on when who asked first has given up: however many
                # wait, they wait for the same.
                loop = asyncio.get_running_loop()
                settling = self._settling.get((loop, org_id))
                if settling is None or settling.done():
                    settling = loop.create_task(run_sync(self._finality.settle, org_id, instant))
                    self._settling[loop, org_id] = settling
                    settling.add_done_callback(partial(self._settled_by, loop, org_id))
                await asyncio.shield(settling)

    def _settled_by(self, loop: asyncio.AbstractEventLoop, org_id: UUID, settling: asyncio.Task[None]) -> None:
        if self._settling.get((loop, org_id)) is settling:
            del self._settling[loop, org_id]
        if not settling.cancelled():
            # Told to who waits, if anybody still does.
            settling.exception()

    def _run(self, prepared: Prepared, values: Mapping[str, Any]) -> Awaitable[bytes | None]:
        for watcher in watchers:
            watcher(prepared.text)
        record = current.get()
        if record is not None:
            record.statements += 1
            if record.spans is not None:
                return self._timed(prepared, values, record.spans)
        return self._driver.run(prepared, values)

    async def _timed(
        self, prepared: Prepared, values: Mapping[str, Any], spans: list[tuple[float, float]]
    ) -> bytes | None:
        began = time.perf_counter()
        try:
            return await self._driver.run(prepared, values)
        finally:
            spans.append((began, time.perf_counter()))

    def in_use(self) -> Mapping[str, int]:
        """Connections by state: `idle`, `busy`, and how many questions are `waiting` for one."""
        return self._driver.in_use()

    async def close(self) -> None:
        self._writing.shutdown()
        await self._driver.close()
