"""The log: one JSON object a line, or words for a terminal. Never a value: of an exception its class and place.

What requests were is written by a thread of its own, a few kilobytes at a time: nobody waits for it, and lines of
several processes on one pipe do not mix.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

import orjson

from app.platform.ids import public_id
from app.platform.keys import PREFIX
from app.platform.records import Record, wall

# What a pipe takes in one piece: what several processes write to it does not mix. One alone may write more at once.
ONE_PIECE, ALONE = 4_000, 60_000
SLOW_SECONDS = 0.5
MODES = ("json", "text", "off")
CLOSE_SECONDS = 1.0
# Where several processes count together.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
requests = logging.getLogger("guanxi.requests")


def mode_of(said: str) -> str:
    """`said`, or what suits where it is written to."""
    return said or ("text" if sys.stderr.isatty() else "json")


def configuration(mode: str) -> dict[str, Any]:
    """For logging.config: all that is logged goes to stderr in that form; `off` is about requests alone."""
    form = "json" if mode == "off" else mode
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": form}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "app.serving.lines.JsonLines"},
            "text": {"()": "app.serving.lines.Words"},
        },
        "handlers": {"log": handler, "requests": dict(handler)},
        "root": {"level": "WARNING", "handlers": ["log"]},
        "loggers": {
            "guanxi": {"level": "INFO"},
            requests.name: {"handlers": ["requests"], "level": "INFO", "propagate": False},
        },
    }


class Lines:
    """Writes a line for each request, where the logger `guanxi.requests` is heard."""

    def __init__(self, mode: str) -> None:
        self._write = words if mode == "text" else json_line
        self._off = mode == "off"
        self._waiting: SimpleQueue[Sequence[Record] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def take(self, records: Sequence[Record]) -> None:
        if self._off or not records or not requests.isEnabledFor(logging.INFO):
            return
        if self._thread is None:
            # Whoever does not read what is logged does not keep the server from ending.
            self._thread = Thread(target=self._go, name="log", daemon=True)
            self._thread.start()
        self._waiting.put(records)

    def close(self) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(CLOSE_SECONDS)
            self._thread = None

    def _go(self) -> None:
        while (records := self._waiting.get()) is not None:
            written = map(partial(self._write, since=wall(0.0)), records)
            for piece in _pieces(written, ONE_PIECE if FOLDER in os.environ else ALONE):
                requests.info("%s", piece, extra={"lines": piece})


def _pieces(lines: Iterable[str], most: int) -> Iterable[str]:
    piece, size = list[str](), 0
    for line in lines:
        if piece and size + len(line) > most:
            yield "\n".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line) + 1
    if piece:
        yield "\n".join(piece)


# What many lines have in common is written once.
_alike: dict[Any, str] = {}
_MOST_ALIKE = 2_000


def json_line(record: Record, since: float) -> str:
    """A request as one JSON object. `since`: what the clock that never jumps lacks to the time of day."""
    caller = record.caller
    whose = caller.ids if caller else ""
    key = whose, record.document, record.asked, record.transport, record.lane, record.status, record.codes
    alike = _alike.get(key)
    if alike is None:
        if len(_alike) >= _MOST_ALIKE:
            _alike.clear()
        alike = _alike[key] = _written_once(record)
    seconds = record.ended - record.began
    slow = ',"slow":true' if seconds > SLOW_SECONDS and _is_slow(record) else ""
    return (
        f'{{"time":"{_instant(since + record.ended)}","requestId":"{record.request_id}","ms":{seconds * 1000:.2f},'
        f'"cost":{record.cost},"statements":{record.statements}{slow},{alike}'
    )


def _written_once(record: Record) -> str:
    caller, (kind, name) = record.caller, record.asked
    failed = record.status >= 500 or "INTERNAL_SERVER_ERROR" in record.codes
    said = {
        "level": "error" if failed else "info",
        "logger": requests.name,
        "transport": record.transport,
        "org": public_id("org", caller.org.id) if caller else None,
        "key": public_id(PREFIX, caller.key_id) if caller and caller.key_id else None,
        "kind": kind or None,
        "operation": name or None,
        "document": record.document or None,
        "lane": record.lane,
        "status": record.status,
        "errors": list(record.codes),
    }
    return orjson.dumps(said).decode()[1:]


def words(record: Record, since: float) -> str:
    """The same, shorter, for somebody who looks at a terminal."""
    kind, name = record.asked
    asked = f"{kind or record.transport} {name or record.document[:8] or '-'}"
    at = _instant(since + record.ended)[11:19]
    told = [f"{at} {record.status} {asked} {record.seconds * 1000:.1f} ms {record.lane}"]
    told.append(f"{record.statements} statement{'' if record.statements == 1 else 's'}, cost {record.cost}")
    if record.codes:
        told.append(" ".join(record.codes))
    if _is_slow(record):
        told.append("SLOW")
    return " | ".join([*told, record.request_id])


def _is_slow(record: Record) -> bool:
    # A subscription lasts.
    return record.seconds > SLOW_SECONDS and record.asked[0] != "subscription"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _instant(seconds: float) -> str:
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


# ---------------------------------------------------------------------------------------------- everything else


class Words(logging.Formatter):
    """For a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        lines: str | None = getattr(record, "lines", None)
        if lines is not None:
            return lines
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        failure, places = _failure(record)
        told = f"{at} {record.levelname.lower()} {record.name}: {_message(record)}"
        return "\n  ".join([told + (f" ({failure})" if failure else ""), *places])


class JsonLines(logging.Formatter):
    """For whoever collects it."""

    def format(self, record: logging.LogRecord) -> str:
        lines: str | None = getattr(record, "lines", None)
        if lines is not None:
            return lines
        said: dict[str, Any] = {
            "time": _instant(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        failure, places = _failure(record)
        if failure:
            said |= {"exception": failure, "at": places}
        return json.dumps(said, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    # The event loop quotes the task that failed, and with it the exception's own words, below its first line.
    return record.getMessage().partition("\n")[0]


def _failure(record: logging.LogRecord) -> tuple[str, list[str]]:
    """The class of what went wrong, and where: its message could hold somebody's values."""
    if not record.exc_info or record.exc_info[0] is None:
        return "", []
    places = traceback.extract_tb(record.exc_info[2])
    # Whoever masked a message kept the class in its place.
    kind = record.exc_info[0].__name__
    return kind, [f"{each.filename}:{each.lineno} {each.name}" for each in places[-20:]]
