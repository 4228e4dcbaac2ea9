"""What has changed of customers, read from the audit trail in the order in which it was committed, none left out.

Ids are made before the commit, and transactions end in another order than they begin: no id tells what is new. So a
reader on PostgreSQL keeps the snapshot that it saw, and reads what a later one sees besides. Within that, `place`
orders what concerns one customer: it was given while the customer was locked. SQLite writes one after the other, and
the order of its rows is the order of their commits.

After a crash PostgreSQL gives out the numbers again of those transactions that had not come to the disk: undone ones,
and messages to listeners. Rows that were read had come there, and with them every smaller number. So a snapshot is
kept only as far as the last row that was read (`_kept`): whatever has a greater number has not been seen.

That something was committed is told within this process (`committed`), and on PostgreSQL to others (`tell`). Whoever
misses it finds it when he looks again: the rows are the truth.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from anyio.to_thread import run_sync
from sqlalchemy import Engine, make_url

from app.platform.database import INSTANT_FORMAT, LOCK_SECONDS, as_it_is
from app.platform.piped import Piped, has_more, opened
from app.platform.sending import Prepared
from app.platform.walls import entering

AT_ONCE = 500
CHANNEL = "guanxi_outbox"
# So many organisations are named in one message at most; of more, all are to look.
_MOST_NAMED = 20


@dataclass(frozen=True)
class Change:
    """Something happened that concerns a customer."""

    customer_id: UUID
    event: str
    at: datetime


@dataclass(frozen=True)
class Place:
    """Up to where somebody has read. `upto`: he is in the midst of what that snapshot saw, after `place`. `last` is
    the greatest transaction of what he has read."""

    seen: str
    place: int = 0
    upto: str | None = None
    last: int = 0


class Outbox(Protocol):
    async def now(self, org_id: UUID) -> Place:
        """Where what is yet to be committed begins."""

    async def after(self, org_id: UUID, place: Place) -> tuple[list[Change], Place]:
        """The next changes of that organisation, AT_ONCE at most, and where to go on."""

    async def tell(self, orgs: Iterable[UUID]) -> None:
        """Tell other processes that these have something new."""

    async def close(self) -> None:
        """Close the connection; the next question opens another."""


# Told of the organisations in whose name something was committed, in the thread that did it.
_listeners: WeakKeyDictionary[Engine, Callable[[UUID], None]] = WeakKeyDictionary()


def listen(engine: Engine, told: Callable[[UUID], None] | None) -> None:
    """Who is to hear of commits of this engine; None: nobody any more."""
    if told is None:
        _listeners.pop(engine, None)
    else:
        _listeners[engine] = told


def committed(engine: Engine, org_id: UUID) -> None:
    """Say that a transaction of that organisation was committed."""
    told = _listeners.get(engine)
    if told is not None:
        told(org_id)


def outbox_of(url: str, heard: Callable[[UUID | None], None]) -> Outbox:
    """`heard` of an organisation that has something new in another process; None: each may have."""
    if make_url(url).get_backend_name() == "postgresql":
        return OnPostgreSQL(url, heard)
    return OnSQLite(url)


# ------------------------------------------------------------------ PostgreSQL

_SETTINGS = {
    "jit": "off",
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "statement_timeout": "10s",
    # How much is new is known of this snapshot, and not of any: planned each time, and by the index.
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    # A message needs no disk: it is lost with the server, as its listeners are.
    "synchronous_commit": "off",
    "application_name": "guanxi-outbox",
}
_NEW = Prepared(
    f"""
SELECT s.upto, e.place, e.customer_id, e.event, e.at, e.xact
FROM (SELECT coalesce($4::text, pg_current_snapshot()::text) AS upto) s
LEFT JOIN LATERAL (
  SELECT place, customer_id, event, at, xact FROM audit_entries
  WHERE org_id = $1 AND customer_id IS NOT NULL AND place > $3
    AND xact >= pg_snapshot_xmin($2::text::pg_snapshot)::text::bigint
    AND NOT pg_visible_in_snapshot(xact::text::xid8, $2::text::pg_snapshot)
    AND pg_visible_in_snapshot(xact::text::xid8, s.upto::pg_snapshot)
  ORDER BY place LIMIT {AT_ONCE}
) e ON true
ORDER BY e.place
""",
    dict.fromkeys(("org", "seen", "place", "upto"), as_it_is),
)
_NOW = Prepared(
    """
SELECT pg_current_snapshot()::text, coalesce(max(xact), 0)
FROM audit_entries WHERE org_id = $1 AND customer_id IS NOT NULL
""",
    {"org": as_it_is},
)
_TELL = Prepared(f"SELECT pg_notify('{CHANNEL}', $1)", {"message": as_it_is})


def _kept(snapshot: str, last: int) -> str:
    """What is seen of that snapshot's transactions, none after `last`: as PostgreSQL writes it, `first:next:open,..`
    with `next` the one that nothing is known of, and of those before it the first that is open and all that are."""
    first, beyond, still_open = snapshot.split(":")
    beyond_kept = min(int(beyond), last + 1)
    open_kept = [each for each in still_open.split(",") if each and int(each) < beyond_kept]
    return f"{min(int(first), beyond_kept)}:{beyond_kept}:{','.join(open_kept)}"


class OnPostgreSQL:
    """A connection for one question at a time, never in a transaction between two of them, and one that listens."""

    def __init__(self, url: str, heard: Callable[[UUID | None], None]) -> None:
        self._url = url
        self._heard = heard
        self._piped: Piped | None = None
        self._listening: _Listening | None = None
        self._org: UUID | None = None
        self._turn = asyncio.Lock()

    async def now(self, org_id: UUID) -> Place:
        async with self._turn:
            [(seen, last)] = await self._asked(_NOW, org_id)
        return Place(_kept(seen, last), last=last)

    async def after(self, org_id: UUID, place: Place) -> tuple[list[Change], Place]:
        async with self._turn:
            rows = await self._asked(_NEW, org_id, seen=place.seen, place=place.place, upto=place.upto)
        upto = rows[0][0]
        told = [row for row in rows if row[1] is not None]
        changes = [Change(customer_id, event, at) for _, _, customer_id, event, at, _ in told]
        last = max([place.last, *(row[-1] for row in told)])
        if len(changes) == AT_ONCE:
            return changes, replace(place, place=told[-1][1], upto=upto, last=last)
        return changes, Place(_kept(upto, last), last=last)

    async def tell(self, orgs: Iterable[UUID]) -> None:
        named = [str(org) for org in orgs]
        message = " ".join(named) if len(named) <= _MOST_NAMED else ""
        async with self._turn:
            piped = await self._open()
            piped.send(_TELL, {"message": message})
            await piped.wait()

    async def close(self) -> None:
        async with self._turn:
            for each in (self._piped, self._listening):
                if each is not None:
                    each.close()
            self._piped, self._listening, self._org = None, None, None

    async def _asked(self, prepared: Prepared, org_id: UUID, **values: Any) -> list[tuple[Any, ...]]:
        piped = await self._open()
        if org_id != self._org:
            self._org = None
            piped.say(entering(org_id))
            await piped.wait()
            self._org = org_id
        sent = piped.send(prepared, {"org": org_id, **values})
        await piped.wait()
        return sent.rows or []

    async def _open(self) -> Piped:
        if self._listening is None or self._listening.closed:
            was_deaf = self._listening is not None
            driver = await opened(self._url, _SETTINGS, f"LISTEN {CHANNEL}")
            self._listening = _Listening(driver, self._told)
            if was_deaf:
                self._heard(None)
        if self._piped is None or self._piped.closed:
            self._org = None
            self._piped = Piped(await opened(self._url, _SETTINGS))
        return self._piped

    def _told(self, process: int, message: str) -> None:
        if self._piped is not None and process == self._piped.process:
            return  # of what was committed here it is known already
        orgs: list[UUID | None]
        try:
            orgs = [UUID(each) for each in message.split()] or [None]
        except ValueError:
            orgs = [None]
        for org in orgs:
            self._heard(org)


class _Listening:
    """A connection that hears what is told, and by which process of the server."""

    def __init__(self, driver: Any, told: Callable[[int, str], None]) -> None:
        self._driver, self._pg, self._told = driver, driver.pgconn, told
        self._loop = asyncio.get_running_loop()
        self._socket: int = self._pg.socket
        self.closed = False
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if not self._loop.is_closed():
                self._loop.remove_reader(self._socket)
            self._pg.finish()

    def _readable(self) -> None:
        try:
            while has_more(self._socket):  # to the end, if there is one: it is told once
                self._pg.consume_input()
                while (note := self._pg.notifies()) is not None:
                    self._told(note.be_pid, note.extra.decode())
        except psycopg.OperationalError:
            # Whoever asks next opens another; until then all look by themselves.
            self.close()


# ------------------------------------------------------------------ SQLite

_ROWS = f"""
SELECT rowid, customer_id, event, at FROM audit_entries
WHERE rowid > ? AND rowid <= ? AND org_id = ? AND customer_id IS NOT NULL ORDER BY rowid LIMIT {AT_ONCE}
"""


class OnSQLite:
    """Read aside, so that nobody waits for the disk."""

    def __init__(self, url: str) -> None:
        self._path = make_url(url).database or ""
        self._connection: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()
        # A thread reads on when nobody waits for it any more.
        self._in_use = Lock()

    async def now(self, org_id: UUID) -> Place:
        async with self._turn:
            return await run_sync(self._now)

    async def after(self, org_id: UUID, place: Place) -> tuple[list[Change], Place]:
        async with self._turn:
            return await run_sync(self._after, org_id, int(place.seen))

    async def tell(self, orgs: Iterable[UUID]) -> None:
        """Others look every now and then."""

    async def close(self) -> None:
        async with self._turn:
            await run_sync(self._close)

    def _now(self) -> Place:
        with self._in_use:
            return Place(str(self._last(self._open())))

    def _after(self, org_id: UUID, seen: int) -> tuple[list[Change], Place]:
        with self._in_use:
            connection = self._open()
            last = self._last(connection)
            if last <= seen:
                return [], Place(str(seen))
            rows = connection.execute(_ROWS, (seen, last, org_id.hex)).fetchall()
        changes = [Change(UUID(hex=customer), event, _instant(at)) for _, customer, event, at in rows]
        return changes, Place(str(rows[-1][0] if len(rows) == AT_ONCE else last))

    def _close(self) -> None:
        with self._in_use:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA query_only = ON")
        return self._connection

    @staticmethod
    def _last(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT coalesce(max(rowid), 0) FROM audit_entries").fetchone()[0])


def _instant(text: str) -> datetime:
    return datetime.strptime(text, INSTANT_FORMAT).replace(tzinfo=UTC)
