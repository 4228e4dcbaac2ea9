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
        self._here: _Timed | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="question")
        self._aside = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def run(self, prepared: Prepared, values: Mapping[str, Any]) -> bytes | None:
        parameters = prepared.named(values)
        if prepared.took is not None and prepared.took < SHORT_MILLISECONDS:
            if self._here is None:
                self._here = self._open()
            try:
                return self._here.run(prepared, parameters, BROKEN_OFF_SECONDS)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                prepared.ran(1000 * BROKEN_OFF_SECONDS * 2)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_thread, prepared, parameters)

    def _in_thread(self, prepared: Prepared, parameters: dict[str, Any]) -> bytes | None:
        timed: _Timed | None = getattr(self._aside, "timed", None)
        if timed is None:
            timed = self._aside.timed = self._open()
        return timed.run(prepared, parameters, QUESTION_SECONDS)

    def _open(self) -> "_Timed":
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
        return _Timed(connection)

    def in_use(self) -> dict[str, int]:
        return {"idle": len(self._opened), "busy": 0, "waiting": 0}

    async def close(self) -> None:
        self._threads.shutdown()
        while self._opened:
            self._opened.pop().close()
        self._here = None


class _Timed:
    """A connection whose statements each have so many seconds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute, self._deadline = connection.execute, 0.0
        connection.set_progress_handler(lambda: time.perf_counter() > self._deadline, _STEPS)

    def run(self, prepared: Prepared, parameters: dict[str, Any], seconds: float) -> bytes | None:
        began = time.perf_counter()
        self._deadline = began + seconds
        row = self._execute(prepared.text, parameters).fetchone()
        prepared.ran((time.perf_counter() - began) * 1000)
        found: bytes | None = row[0]
        return found
