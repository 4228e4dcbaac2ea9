"""What SQLite's log of commits holds is copied into the database beside the writer, and the log begins anew."""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine, event

from app.platform import checkpoints
from app.platform.access import Org
from app.platform.work import one_writer
from app.touchpoints.tables import Touchpoint
from tests.conftest import Begin
from tests.customers.acting import create, rows_in
from tests.platform.acting import at_once, contact, looking

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
PAGES = 50


@pytest.fixture(autouse=True)
def often(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Copied after a few changes, and by nothing else."""
    monkeypatch.setattr(checkpoints, "AFTER_CHANGES", 4)
    monkeypatch.setattr(checkpoints, "LONG", PAGES)
    engine.dispose()

    def never(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA wal_autocheckpoint = 0")

    event.listen(engine, "connect", never)
    yield
    event.remove(engine, "connect", never)
    engine.dispose()


@pytest.fixture
def customer(begin: Begin) -> str:
    with begin() as work:
        return create(work, "N1")


def test_the_log_begins_anew_while_others_write(engine: Engine, org: Org, begin: Begin, customer: str) -> None:
    log = Path(f"{engine.url.database}-wal")
    sizes = []
    for _ in range(24):
        at_once(engine, org, [contact(customer)] * 20)
        sizes.append(log.stat().st_size // 4096)
    # Else it holds 7,000.
    assert max(sizes) < 10 * PAGES
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 480


def test_it_ends_while_a_long_transaction_goes_on(
    engine: Engine, org: Org, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies, held = Event(), Event()

    def long(_: sqlite3.Connection) -> int:
        copies.set()
        held.wait(20)
        return PAGES

    monkeypatch.setattr(checkpoints, "_copied", long)
    at_once(engine, org, [contact(customer)] * 4)
    with one_writer:
        assert copies.wait(20)
        held.set()
        # What this waits for waits for this.
        engine.dispose()


def test_a_copy_that_fails_hinders_nobody(
    engine: Engine,
    org: Org,
    begin: Begin,
    customer: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(_: sqlite3.Connection) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(checkpoints, "_copied", full)
    with caplog.at_level(logging.WARNING, "guanxi.writer"):
        for _ in range(4):
            answers = at_once(engine, org, [contact(customer)] * 4)
            assert [answer["outcome"] for answer in answers] == ["RECORDED"] * 4
        engine.dispose()
    assert "copying the log of commits failed: OperationalError" in caplog.messages
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 16
