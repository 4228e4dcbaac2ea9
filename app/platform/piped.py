"""A connection to PostgreSQL on which statements travel together: each is prepared once, sent without waiting, and all
that was sent is waited for at once.

On libpq itself: what a driver's cursor does for a statement (reading its text for parameters, above all) takes longer
than the database does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from select import POLLIN, POLLOUT, poll
from typing import Any, cast
from uuid import UUID

from psycopg import pq
from psycopg.adapt import Transformer
from sqlalchemy import Engine

from app.platform.sending import Prepared

# Locks have a timeout of their own; this is a server that has gone without a word.
_SILENT_MILLISECONDS = 60_000
_PARAMETER = re.compile(r"%\((\w+)\)s")
# What the driver says for itself, as when the connection is cut, has no SQLSTATE.
LOST = "?????"
_GOOD = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


class Failed(Exception):
    """The database refused it. `state`: its SQLSTATE."""

    def __init__(self, state: str) -> None:
        super().__init__(f"SQLSTATE {state}")
        self.state = state


class Sent:
    """A statement on its way, and what came back."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.told = b""


class Piped:
    """Owns a connection of the engine's until it is closed."""

    def __init__(self, engine: Engine, settings: Sequence[str] = ()) -> None:
        held = engine.raw_connection()
        self._driver = cast("Any", held.driver_connection)
        held.detach()
        self._pg: Any = self._driver.pgconn
        self._reading = Transformer(self._driver)
        self._pg.enter_pipeline_mode()
        self._socket = poll()
        self._socket.register(self._pg.socket, POLLIN)
        self._names: dict[str, tuple[bytes, list[str]]] = {}
        self._fresh: list[str] = []
        self._made = 0
        self._waiting: list[Sent] = []
        for setting in settings:
            self.say(f"SET {setting}")
        self.wait()

    def say(self, text: str) -> Sent:
        """Send a statement without parameters."""
        self._pg.send_query_params(text.encode(), None)
        return self._sent()

    def send(self, prepared: Prepared, values: Mapping[str, Any]) -> Sent:
        known = self._names.get(prepared.text)
        if known is None:
            known = self._prepare(prepared)
        name, parameters = known
        given = [parameter(values[each]) for each in parameters]
        self._pg.send_query_prepared(name, given, result_format=pq.Format.BINARY)
        return self._sent()

    def wait(self) -> None:
        """Wait for all that was sent; raises Failed with the first of what was refused."""
        if not self._waiting:
            return
        self._pg.pipeline_sync()
        waiting, self._waiting = self._waiting, []
        self._flush()
        failed = ""
        for sent in waiting:
            result = self._result()
            if result.status in _GOOD:
                sent.told = result.command_status or b""
                if result.ntuples:
                    self._reading.set_pgresult(result)
                    sent.rows = self._reading.load_rows(0, result.ntuples, tuple)
            elif not failed:
                failed = (result.error_field(pq.DiagnosticField.SQLSTATE) or LOST.encode()).decode()
            self._result()  # the end of its results
        self._result()  # the end of the pipeline
        fresh, self._fresh = self._fresh, []
        if failed:
            # Whether these were prepared is not known: they are prepared again, by other names.
            for text in fresh:
                self._names.pop(text, None)
            raise Failed(failed)

    def close(self) -> None:
        with suppress(Exception):
            self._driver.close()

    def _sent(self) -> Sent:
        sent = Sent()
        self._waiting.append(sent)
        return sent

    def _prepare(self, prepared: Prepared) -> tuple[bytes, list[str]]:
        self._made += 1
        name, text = b"w%d" % self._made, prepared.text
        parameters = list(dict.fromkeys(_PARAMETER.findall(text)))
        if parameters:
            text = _PARAMETER.sub(lambda found: f"${parameters.index(found[1]) + 1}", text).replace("%%", "%")
        self._pg.send_prepare(name, text.encode())
        self._sent()
        self._fresh.append(prepared.text)
        # A text without names has its parameters in their order already.
        self._names[prepared.text] = known = name, parameters or list(prepared.binders)
        return known

    def _flush(self) -> None:
        while self._pg.flush():
            self._socket.modify(self._pg.socket, POLLIN | POLLOUT)
            self._socket.poll(_SILENT_MILLISECONDS)
            self._pg.consume_input()
            self._socket.modify(self._pg.socket, POLLIN)

    def _result(self) -> Any:
        while self._pg.is_busy():
            if not self._socket.poll(_SILENT_MILLISECONDS):
                raise Failed("08006")
            self._pg.consume_input()
        return self._pg.get_result()


def parameter(value: Any) -> bytes | None:
    """A parameter as PostgreSQL reads it in text."""
    kind = type(value)
    if kind is UUID:
        return value.hex.encode()  # type: ignore[no-any-return]
    if value is None:
        return None
    if kind is list:
        return f"{{{','.join([_spelled(each, _quoted) for each in value])}}}".encode()
    return _spelled(value, str).encode()


def _spelled(value: Any, word: Callable[[str], str]) -> str:
    kind = type(value)
    if kind is str:
        return word(value)
    if kind is UUID or kind is int or kind is Decimal:
        return str(value)
    if kind is datetime:
        return str(value.isoformat())
    if kind is bool:
        return "true" if value else "false"
    if value is None:  # of a list: what stands by itself is sent as none at all
        return "NULL"
    raise TypeError(f"No parameter is of the type {kind.__name__}.")


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
