"""Acting through the writer, many at once, and looking at what came of it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.customers import facts
from app.platform.access import Org
from app.platform.work import Work, operator
from app.platform.writer import writer_of
from app.platform.writing import OnPostgreSQL, OnSQLite
from app.purchases import actions as purchases
from app.touchpoints import actions as touchpoints
from tests.conftest import NOW, Begin

Do = Callable[[Work], Any]


def contact(customer: str, **given: Any) -> Do:
    said: Any = {"customer": {"id": customer}, "kind": "CALL", "channel": "PHONE", "direction": "INBOUND", **given}
    return lambda work: dict(touchpoints.record_touchpoint(work, said))


def order(customer: str, total: str, **given: Any) -> Do:
    line = {"name": "Tea", "price": {"total": Decimal(total)}}
    said: Any = {"customer": {"id": customer}, "currency": "EUR", "lines": [line], **given}
    return lambda work: dict(purchases.record_purchase(work, said))


class Commits:
    """Counts commits. The first waits until everything was asked for, so that the rest has gathered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.all_asked, self.fails = 0, Event(), False
        in_thread, on_loop = OnSQLite.commit, OnPostgreSQL.commit
        self.unheld = on_loop

        def commit(writing: OnSQLite) -> None:
            self.all_asked.wait(20)
            self._counted()
            in_thread(writing)

        async def commit_on_loop(writing: OnPostgreSQL) -> None:
            await asyncio.to_thread(self.all_asked.wait, 20)
            self._counted()
            await on_loop(writing)

        monkeypatch.setattr(OnSQLite, "commit", commit)
        monkeypatch.setattr(OnPostgreSQL, "commit", commit_on_loop)

    def _counted(self) -> None:
        self.count += 1
        if self.fails:
            raise OperationalError("COMMIT", {}, Exception("the disk is gone"))


def at_once(engine: Engine, org: Org, acts: list[Do], commits: Commits | None = None, *, in_memory: bool = True) -> Any:
    """The answers in order; what was raised stands in its place."""
    writer = writer_of(engine)

    async def ask() -> Any:
        asked = [asyncio.ensure_future(writer.write(operator(org), NOW, act, in_memory=in_memory)) for act in acts]
        await asyncio.sleep(0.2)
        if commits:
            commits.all_asked.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask())


def on_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


@contextmanager
def failing_commits(engine: Engine, commits: Commits) -> Iterator[None]:
    """Those of groups that hold touchpoints."""
    if not on_postgresql(engine):
        commits.fails = True
        yield
        commits.fails = False
        return
    with engine.begin() as made:
        made.exec_driver_sql(
            "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'gone'; END $$"
        )
        made.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER gone AFTER INSERT ON touchpoints DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION gone()"
        )
    yield
    with engine.begin() as made:
        made.exec_driver_sql("DROP FUNCTION gone CASCADE")


@contextmanager
def looking(begin: Begin) -> Iterator[Work]:
    with begin() as work:
        assert facts.verify(work) == {}
        yield work
