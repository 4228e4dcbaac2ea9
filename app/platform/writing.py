"""The connections that writers keep: one transaction after the other, each of one organisation, for many callers."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from app.platform.access import Caller
from app.platform.database import ISOLATION, STOOD_STILL_SECONDS
from app.platform.foreseen import Foreseen, merged
from app.platform.piped import Failed, Piped, Sent, opened
from app.platform.sending import Prepared
from app.platform.steps import Found, Step, Turns, Writing
from app.platform.walls import entering
from app.platform.work import Work

Seeing = Callable[[Writing], Turns[Sequence[Foreseen]]]


class OnSQLite:
    """Each group of foreseen changes, and each that has to look first, in a savepoint that is undone alone."""

    dialect = "sqlite"

    def __init__(self, engine: Engine) -> None:
        self._connection: Connection = engine.connect()
        self.org_id = UUID(int=0)

    def begin(self) -> None:
        self._connection.begin()
        self._driver: sqlite3.Connection = self._connection.connection.dbapi_connection  # type: ignore[assignment]
        self._cursor = self._driver.cursor()

    def commit(self) -> None:
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()

    def put(self, org_id: UUID, works: Sequence[Foreseen], seeing: Seeing) -> Sequence[Foreseen]:
        """Write these together, and what `seeing` makes of what it reads; returns those that are written. Of others,
        which are to be done by looking, nothing is."""
        self.org_id = org_id
        self._cursor.execute("SAVEPOINT foreseen")
        try:
            works = [*works, *_at_once(seeing(self))]
            refuted = _at_once(put(self, works))
            written = [each for each in works if each not in refuted]
        except Exception as error:  # noqa: BLE001 - whose fault it was shows when each is done by itself
            self.go_on(error)
            self._cursor.execute("ROLLBACK TO foreseen")
            written = []
        self._cursor.execute("RELEASE foreseen")
        return written

    def go_on(self, error: Exception) -> None:
        """After a failure: raises it when it took the whole transaction with it, as a full disk does."""
        if not self._driver.in_transaction:
            raise error

    @contextmanager
    def looking(self, caller: Caller, now: Any) -> Iterator[Work]:
        """For a change that is not foreseen."""
        session = Session(self._connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
        with session, session.begin():
            yield Work(session, caller, now)

    def send(self, prepared: Prepared, values: Mapping[str, Any]) -> Any:
        return self._cursor.execute(prepared.text, prepared.parameters(values)).fetchall()

    def send_many(self, prepared: Prepared, rows: Sequence[Sequence[Any]]) -> Any:
        return self._cursor.executemany(prepared.text, rows)

    def read(self, sent: Any) -> Sequence[Any]:
        found: Sequence[Any] = sent
        return found


class OnPostgreSQL:
    """A group is a transaction; what it sends travels together."""

    dialect = "postgresql"

    def __init__(self, piped: Piped) -> None:
        self.org_id = UUID(int=0)
        self._piped = piped
        self._commit: Sent | None = None

    @classmethod
    async def open(cls, engine: Engine) -> "OnPostgreSQL":
        """A connection of its own, which remembers its organisation and its plans; raises psycopg.Error."""
        return cls(Piped(await opened(engine.url, _SETTINGS)))

    async def begin(self, org_id: UUID, seeing: Seeing) -> Sequence[Foreseen]:
        """Begin a group, and return what `seeing` makes of what it reads. Raises when that cannot be read together; the
        connection is then of no more use."""
        self._commit = None
        if org_id != self.org_id:
            self.org_id = org_id
            self._piped.say(entering(org_id))
        self._piped.say("BEGIN")
        return await self._in_turns(seeing(self))

    async def write(self, works: Sequence[Foreseen], seen: Sequence[Foreseen]) -> Sequence[Foreseen]:
        """Write these together, with those that have seen what they need, and commit; returns those that are written.
        Of others, which are to be done by looking, nothing is. Raises when that fails: the connection is then of no
        more use, and `unsure` tells whether it may have been committed all the same."""
        all_of_them = [*works, *seen]
        try:
            await self._insist(all_of_them)
            return all_of_them
        except Failed as failed:
            if self.unsure or failed.state == _LOCKED:
                raise
        self._commit = None
        # Undone, and tried with a look at each answer; but for what was read, which is locked no more. Whoever had
        # entered in the same trip is out again: what is sent together is one transaction, even before its BEGIN.
        for text in ("ROLLBACK", entering(self.org_id), "BEGIN"):
            self._piped.say(text)
        refuted = await self._in_turns(put(self, works))
        await self.commit()
        return [each for each in works if each not in refuted]

    @property
    def unsure(self) -> bool:
        """Whether a commit was sent, and nothing before it refused: then it may have been done."""
        return self._commit is not None and self._piped.refused in (None, self._commit)

    @property
    def refused(self) -> bool:
        """Whether it was the commit that was refused: nothing was done."""
        return self._commit is not None and self._piped.refused is self._commit and not self._piped.closed

    @property
    def was_cut(self) -> bool:
        """Between two groups: whether it is of no more use."""
        return self._piped.was_cut

    async def _insist(self, works: Sequence[Foreseen]) -> None:
        """In one trip with the commit: whether all holds is not looked at here, but there, where it fails if not."""
        sent = []
        for step, values in merged(works):
            if step.insists:
                step.insist(self, values)
            else:
                sent.append((step, values, step.send(self, values)))
        if any(step.goes_on for step, *_ in sent):
            await self._piped.wait()
            _finish(self, sent)
            sent = []
        await self.commit()
        _finish(self, sent)

    async def commit(self) -> None:
        """Commit, in one trip with what was sent and not yet waited for."""
        self._commit = self._piped.say("COMMIT")
        await self._piped.wait()
        if self._commit.told != b"COMMIT":
            raise Failed("25P02")

    def close(self) -> None:
        self._piped.close()

    def send(self, prepared: Prepared, values: Mapping[str, Any]) -> Any:
        return self._piped.send(prepared, values)

    def send_many(self, prepared: Prepared, rows: Sequence[Sequence[Any]]) -> Any:
        raise NotImplementedError

    def read(self, sent: Any) -> Sequence[Any]:
        if sent.rows is None:
            raise RuntimeError("Its answer was not waited for.")
        found: Sequence[Any] = sent.rows
        return found

    async def _in_turns(self, turns: Turns[Found]) -> Found:
        try:
            while True:
                next(turns)
                if self._piped.has_sent:
                    await self._piped.wait()
                else:
                    await asyncio.sleep(0)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


# They look rows up by their keys, whatever was counted of the tables when their plans were made.
_SETTINGS = {
    "jit": "off",
    "timezone": "UTC",
    "default_transaction_isolation": ISOLATION,
    "idle_in_transaction_session_timeout": f"{STOOD_STILL_SECONDS}s",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Many would wait with it: whoever meets another's lock waits for that apart.
    "lock_timeout": "200ms",
    "application_name": "guanxi-writer",
}
_LOCKED = "55P03"


def put(writing: Writing, works: Sequence[Foreseen]) -> Turns[list[Foreseen]]:
    """Send their steps; those that rest on something that does not hold are left out, and returned."""
    premises = [(step, values, step.send(writing, values)) for step, values in merged(works) if not step.place]
    yield
    untrue = [(step, gone) for step, values, answer in premises if (gone := step.finish(writing, values, answer))]
    refuted = [work for work in works if any(work.rests_on(step, gone) for step, gone in untrue)]
    rest = merged(work for work in works if work not in refuted)
    sent = [(step, values, step.send(writing, values)) for step, values in rest if step.place]
    yield
    _finish(writing, sent)
    return refuted


def _finish(writing: Writing, sent: Iterable[tuple[Step, list[Any], Any]]) -> None:
    for step, values, answer in sent:
        step.finish(writing, values, answer)


def _at_once(turns: Turns[Found]) -> Found:
    """Without waiting: each answer is there when it was asked for."""
    try:
        while True:
            next(turns)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
