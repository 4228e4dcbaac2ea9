"""How SQLite is read: what is short at once, where it is asked; what is long in threads aside.

One step in SQLite's own code is quicker than handing it to a thread and back; but whoever waits behind a long one
waits for all of it. What a statement took before tells which it is, and one that turns out long is broken off and
asked aside.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import make_url

from app.platform.database import LOCK_SECONDS, QUESTION_SECONDS
from app.query.statement import Prepared

SHORT_MILLISECONDS = 2.0
# A little longer than short, so that it is not broken off for a hiccup.
BROKEN_OFF_SECONDS = 0.004
THREADS = 3
_STEPS = 5_000  # of SQLite's virtual machine: a fraction of a millisecond
_STATEMENTS_KEPT = 256


class SQLite:
    """One connection where it is asked, and one for each thread."""

    def __init__(self, url: str) -> None:
        self._path = make_url(url).database or ""
        self._here: sqlite3.Connection | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="question")
        self._aside = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def run(self, prepared: Prepared, values: Mapping[str, Any]) -> bytes | None:
        parameters = prepared.named(values)
        if prepared.took is not None and prepared.took < SHORT_MILLISECONDS:
            try:
                return self._at_once(prepared, parameters)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                prepared.ran(1000 * BROKEN_OFF_SECONDS * 2)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_thread, prepared, parameters)

    def _at_once(self, prepared: Prepared, parameters: dict[str, Any]) -> bytes | None:
        if self._here is None:
            self._here = self._open()
        return _run(self._here, prepared, parameters, BROKEN_OFF_SECONDS)

    def _in_thread(self, prepared: Prepared, parameters: dict[str, Any]) -> bytes | None:
        connection = getattr(self._aside, "connection", None)
        if connection is None:
            connection = self._aside.connection = self._open()
        return _run(connection, prepared, parameters, QUESTION_SECONDS)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=LOCK_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS_KEPT,
        )
        # Nobody writes over a connection for questions, whatever a statement says.
        for pragma in ("query_only = ON", "cache_size = -16384", "mmap_size = 1073741824", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.text_factory = bytes
        self._opened.append(connection)
        return connection

    def in_use(self) -> dict[str, int]:
        return {"idle": len(self._opened), "busy": 0, "waiting": 0}

    async def close(self) -> None:
        self._threads.shutdown()
        while self._opened:
            self._opened.pop().close()
        self._here = None


def _run(
    connection: sqlite3.Connection, prepared: Prepared, parameters: dict[str, Any], seconds: float
) -> bytes | None:
    began = time.perf_counter()
    deadline = began + seconds
    connection.set_progress_handler(lambda: time.perf_counter() > deadline, _STEPS)
    row = connection.execute(prepared.text, parameters).fetchone()
    prepared.ran((time.perf_counter() - began) * 1000)
    found: bytes | None = row[0]
    return found
