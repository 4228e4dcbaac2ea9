"""SQLite's log of what was committed is copied into the database beside the writer, so that nobody waits for it.

A commit that finds the log long copies all of it before it returns: 8,000 pages take 70 ms, and whoever wants to write
waits that long. Here a thread copies while others write on; only for the last few pages, without which the log does
not begin anew, writers wait. SQLite's own way remains for a log that grows past that (database.py).
"""

import logging
import sqlite3
from threading import Event, Thread
from typing import Any

from sqlalchemy import Engine

from app.platform.work import one_writer

# After so many changes; of points, that is after some 1,500 pages.
AFTER_CHANGES = 128
# A log of so many pages is to begin anew.
LONG = 4000
log = logging.getLogger("guanxi.writer")


class Checkpoints:
    """Of one database; the writer says how much it wrote."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changes = 0
        self._wanted = Event()
        self._ends = False
        self._thread: Thread | None = None

    def written(self, changes: int) -> None:
        """So many were committed."""
        self._changes += changes
        if self._changes >= AFTER_CHANGES:
            self._changes = 0
            if self._thread is None:
                self._thread = Thread(target=self._go, name="checkpoints", daemon=True)
                self._thread.start()
            self._wanted.set()

    def close(self) -> None:
        """Let it end what it has begun."""
        self._ends = True
        self._wanted.set()
        if self._thread:
            self._thread.join()

    def _go(self) -> None:
        while self._wanted.wait() and not self._ends:
            self._wanted.clear()
            try:
                connection = self._engine.raw_connection()
                # It is closed at its end, and not kept for others.
                connection.detach()
                try:
                    self._copy(connection.dbapi_connection)
                finally:
                    connection.close()
            except Exception as error:  # noqa: BLE001 - the log keeps what was committed, and is copied another time
                log.warning("copying the log of commits failed: %s", type(error).__name__)

    def _copy(self, connection: Any) -> None:
        if _copied(connection) >= LONG:
            with one_writer:
                _copied(connection)


def _copied(connection: sqlite3.Connection) -> int:
    """Copy what nobody reads any more in its old state; returns how many pages the log holds."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)
