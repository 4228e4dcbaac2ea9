"""What is known of a request once it is over, for its line in the log, the figures and the traces: never a value."""

import time
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, event

from app.platform.access import Caller

# Between two looks of whoever takes them, so many are kept; of more, only how many they were.
MOST_KEPT = 10_000


class Record:
    """One operation. `transport`: http, sse or ws; `document`: its hash; `asked`: its kind and name; `began` and
    `ended`: by the clock that never jumps; `spans`: when each statement began and ended, where traces are made."""

    # What most records have stands here once.
    caller: Caller | None = None
    document = parent = ""
    asked = "", ""
    lane, status, cost, statements = "core", 200, 0, 0
    codes: tuple[str, ...] = ()
    spans: list[tuple[float, float]] | None = None
    ended = 0.0

    def __init__(self, request_id: str, transport: str) -> None:
        self.request_id, self.transport, self.began = request_id, transport, time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Records:
    """Those that are over, until somebody takes them. `traced`: statements are to be timed."""

    def __init__(self) -> None:
        self.traced = False
        self.dropped = 0
        self._over: list[Record] = []

    def begin(self, request_id: str, transport: str, parent: bytes = b"") -> Record:
        """Of the operation that begins here; what runs in its name counts to it."""
        record = Record(request_id, transport)
        if self.traced:
            record.spans, record.parent = [], parent.decode("latin-1")
        current.set(record)
        return record

    def end(self, record: Record) -> None:
        record.ended = time.perf_counter()
        if len(self._over) < MOST_KEPT:
            self._over.append(record)
        else:
            self.dropped += 1

    def take(self) -> list[Record]:
        taken, self._over = self._over, []
        return taken


def wall(at: float) -> float:
    """The seconds since 1970 of an instant of the clock that never jumps."""
    return time.time() - time.perf_counter() + at


# The operation in whose name this runs, if there is one.
current: ContextVar[Record | None] = ContextVar("record", default=None)


def noted() -> Record:
    """The record of the operation in whose name this runs; one that nobody takes where there is none."""
    return current.get() or Record("", "")


def count_statement() -> None:
    """One more was run for the operation."""
    record = current.get()
    if record is not None:
        record.statements += 1


def count_statements(engine: Engine) -> None:
    """Those that run over this engine, too."""

    @event.listens_for(engine, "before_cursor_execute")
    def before(connection: Any, *_: Any) -> None:
        record = current.get()
        if record is not None:
            record.statements += 1
            if record.spans is not None:
                connection.info["began"] = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def after(connection: Any, *_: Any) -> None:
        began, record = connection.info.pop("began", None), current.get()
        if began is not None and record is not None and record.spans is not None:
            record.spans.append((began, time.perf_counter()))
