"""What SQLite's log of commits holds is copied into the database beside the writer, so that few wait for it.

A commit that finds the log long copies all of it before it returns: 8,000 pages take 70 ms, and whoever wants to write
waits that long. Here a thread copies while others write on; only for the last few pages, without which the log does
not begin anew, writers wait. What one change writes of very many rows, and what is written past the writer, is left to
SQLite's own way, at a length that is seldom reached else (database.py).
"""

import logging
import sqlite3
from contextlib import closing, suppress
from threading import Event, Thread
from typing import Any

from sqlalchemy import Engine

from app.platform.work import one_writer

# After so many changes; of points, that is after some 1,500 pages.
AFTER_CHANGES = 128
# A log of so many pages is to begin anew.
LONG = 4000
# So often it is looked whether it ends, while it waits for a long transaction.
LOOK_SECONDS = 0.1
log = logging.getLogger("guanxi.writer")


class Checkpoints:
    """Of one database; its writer says how much it wrote."""

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
            self._wanted.set()
            if self._thread is None:
                thread = Thread(target=self._go, name="checkpoints", daemon=True)
                # Where there may be no more threads, SQLite's own way remains.
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def close(self) -> None:
        """Let it end what it has begun. Whoever calls this may hold `one_writer`."""
        self._ends = True
        self._wanted.set()
        if self._thread:
            self._thread.join()

    def _go(self) -> None:
        while not self._ends:
            try:
                with closing(self._engine.raw_connection()) as connection:
                    # It is kept here, and closed at its end.
                    connection.detach()
                    while self._wanted.wait() and not self._ends:
                        self._wanted.clear()
                        self._copy(connection.dbapi_connection)
            except Exception as error:  # noqa: BLE001 - the log keeps what was committed, and is copied another time
                log.warning("copying the log of commits failed: %s", type(error).__name__)
                self._wanted.wait()

    def _copy(self, connection: Any) -> None:
        if _copied(connection) < LONG:
            return
        while not (alone := one_writer.acquire(timeout=LOOK_SECONDS)) and not self._ends:
            pass
        if alone:
            try:
                _copied(connection)
            finally:
                one_writer.release()


def _copied(connection: sqlite3.Connection) -> int:
    """Copy what nobody reads any more in its old state; returns how many pages the log holds."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)
