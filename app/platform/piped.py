"""A connection to PostgreSQL on which statements travel together: each is prepared once, sent without waiting, and all
that was sent is waited for at once.

On libpq itself: what a driver's cursor does for a statement (reading its text for parameters, above all) takes longer
than the database does.
"""

import asyncio
import re
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from sqlalchemy import URL, make_url
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from app.platform.database import CONNECT_SECONDS, STILL_THERE, options
from app.platform.sending import Prepared
from app.platform.walls import TAKE_ROLE

# Locks have a timeout of their own; this is a server that has gone without a word.
_SILENT_SECONDS = 60
_PARAMETER = re.compile(r"%\((\w+)\)s")
_GOOD = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
_SYNC = pq.ExecStatus.PIPELINE_SYNC


class Failed(Exception):
    """The database refused it. `state`: its SQLSTATE."""

    def __init__(self, state: str) -> None:
        super().__init__(f"SQLSTATE {state}")
        self.state = state


class Sent:
    """A statement on its way, and what came back; None until it was waited for."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] | None = None
        self.told = b""


class Piped:
    """Owns a connection until it is closed. Between two waits it belongs to no event loop. Whoever gives up a wait, or
    finds no connection any more, has closed it: what came later would be taken for answers to what is sent next."""

    def __init__(self, driver: Any) -> None:
        self._driver, self._pg = driver, driver.pgconn
        # The server's, at its other end; asked now, since one that is closed has none.
        self.process = int(self._pg.backend_pid)
        self._reading = Transformer(driver)
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._names: dict[str, tuple[bytes, list[str]]] = {}
        self._fresh: list[str] = []
        self._made = 0
        self._waiting: list[Sent] = []
        self._answers = _Answers([])

    @property
    def closed(self) -> bool:
        return bool(self._pg.status == pq.ConnStatus.BAD)

    @property
    def was_cut(self) -> bool:
        """Whether there is something to read of which nothing is expected: last words, or the end."""
        return self.closed or has_more(self._pg.socket)

    @property
    def refused(self) -> Sent | None:
        """The first that was refused of those that were waited for last."""
        return self._answers.refused

    @property
    def has_sent(self) -> bool:
        """Whether there is something to wait for."""
        return bool(self._waiting)

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

    async def wait(self) -> None:
        """Wait for all that was sent; raises Failed with the first of what was refused."""
        if not self._waiting:
            return
        self._answers, self._waiting = _Answers(self._waiting), []
        try:
            await self._arrive()
        except BaseException:
            self.close()
            raise
        fresh, self._fresh = self._fresh, []
        if self._answers.failed:
            # Whether these were prepared is not known: they are prepared again, by other names.
            for text in fresh:
                self._names.pop(text, None)
            raise Failed(self._answers.failed)

    def close(self) -> None:
        with suppress(Exception):
            self._pg.finish()

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

    # ------------------------------------------------------------------ what comes back

    async def _arrive(self) -> None:
        self._pg.pipeline_sync()
        loop, socket = asyncio.get_running_loop(), self._pg.socket
        self._done = loop.create_future()
        silent = loop.call_later(_SILENT_SECONDS, self._end, psycopg.OperationalError("Nothing is heard of it."))
        try:
            loop.add_reader(socket, self._readable)
            # This may find that the connection was cut, and closes it: the next one has the same number.
            if self._pg.flush():
                loop.add_writer(socket, self._writable)
            await self._done
        finally:
            silent.cancel()
            loop.remove_reader(socket)
            loop.remove_writer(socket)

    def _end(self, failure: Exception | None = None) -> None:
        if self._done.done():
            return
        if failure is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(failure)

    def _writable(self) -> None:
        try:
            if not self._pg.flush():
                self._done.get_loop().remove_writer(self._pg.socket)
        except Exception as failure:  # noqa: BLE001 - told to who waits
            self._end(failure)

    def _readable(self) -> None:
        try:
            for result in arrived(self._pg):
                if result.status == _SYNC:
                    self._end()
                    return
                self._answers.take(result, self._reading)
        except Exception as failure:  # noqa: BLE001 - told to who waits
            self._end(failure)


class _Answers:
    """What comes back of statements, in their order, each of which has one result. `refused`: the first of which it is
    an error, and `failed`, its SQLSTATE."""

    def __init__(self, sent: Sequence[Sent]) -> None:
        self._sent = iter(sent)
        self.refused: Sent | None = None
        self.failed = ""

    def take(self, result: Any, reading: Any) -> None:
        sent = next(self._sent, None)
        if sent is None:
            raise psycopg.OperationalError("The connection is ended.")
        if result.status in _GOOD:
            sent.told, sent.rows = result.command_status or b"", []
            if result.ntuples:
                reading.set_pgresult(result)
                sent.rows = reading.load_rows(0, result.ntuples, tuple)
        elif self.refused is None:
            self.failed, self.refused = state_of(result), sent


def arrived(pg: Any) -> Iterator[Any]:
    """What has come back by now of statements in pipeline mode, in their order, to the last byte: of a connection that
    was ended libuv tells once, and then looks at it no more. Raises psycopg.OperationalError."""
    while True:
        pg.consume_input()
        nothing = 0
        while nothing < 2 and not pg.is_busy():
            result = pg.get_result()
            if result is None:
                # The end of one statement's results; after a second one there is nothing more.
                nothing += 1
            else:
                nothing = 0
                yield result
        if not has_more(pg.socket):
            return


def has_more(socket: int) -> bool:
    """Whether there is something to read by now, or an end."""
    now = select.poll()
    now.register(socket, select.POLLIN)
    return any(told & select.POLLIN for _, told in now.poll(0))


def state_of(result: Any) -> str:
    """The SQLSTATE of a refusal; raises psycopg.OperationalError when there is no connection any more."""
    state = result.error_field(pq.DiagnosticField.SQLSTATE)
    if state is None:
        # libpq's own words.
        raise psycopg.OperationalError("The connection was cut.")
    said: str = state.decode()
    return said


def address_of(url: str | URL) -> dict[str, Any]:
    """What libpq is told of a database's URL, as an engine tells it: its own reading takes a plus in one for a plus."""
    dialect: Any = psycopg_dialect
    _, address = dialect().create_connect_args(make_url(url))
    return dict(address)


async def opened(url: str | URL, settings: Mapping[str, str], *first: str) -> Any:
    """A connection in the role that serves, for which the `first` statements were run; raises psycopg.Error. What the
    address says of how long to wait for a host stands."""
    said = address_of(url)
    ours = {"connect_timeout": CONNECT_SECONDS, **STILL_THERE}
    address = ours | said | {"options": options(settings, said.get("options", ""))}
    driver = await psycopg.AsyncConnection.connect(**address, autocommit=True)
    try:
        for statement in (TAKE_ROLE, *first):
            await driver.execute(statement)
    except BaseException:
        with suppress(psycopg.Error):
            await driver.close()
        raise
    return driver


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
