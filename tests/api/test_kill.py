"""A server that is killed in the midst of writing has lost nothing that it acknowledged, and has done nothing by
halves."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, exists, make_url, select

from app.customers.tables import Customer, CustomerToken, customer_facts
from app.platform.access import create_organization
from app.platform.audit import AuditEntry
from app.platform.database import connect
from app.platform.idempotency import IdempotencyKey
from app.platform.migrations import upgrade
from app.platform.work import Work, operator, transaction
from app.purchases.tables import Purchase, PurchaseLine
from app.scores.actions import first_policy
from tests.api.acting import by, line, mutation, ref
from tests.conftest import BACKENDS, _drop, _migrated
from tests.databases import new_postgres_database, new_sqlite_database

KILLS = 20 if os.environ.get("GUANXI_TEST_SIZE") == "full" else 2
CLIENTS, WRITES_BETWEEN = 4, 15


@pytest.fixture(params=BACKENDS)
def durable_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that keeps its word through a crash, with one organisation."""
    if request.param == "sqlite":
        url = new_sqlite_database(Path(make_url(_migrated("sqlite")).database or ""))
        engine = connect(url)
    else:
        url = new_postgres_database(durable=True)
        engine = connect(url)
        upgrade(engine)
    since = datetime.now(UTC) - timedelta(days=1)
    with transaction(engine) as session:
        org = create_organization(session, "Shop", "UTC", "EUR", since)
        first_policy(Work(session, operator(org), since))
    engine.dispose()
    yield url
    _drop(url)


@dataclass
class Writer:
    """Writes one thing after another, and keeps what was acknowledged; what was not, it sends again with its key."""

    name: int
    port: int
    seed: random.Random
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[tuple[str, Any, str, Any]] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)
    sent_again: int = 0
    failed: Exception | None = None

    def run(self) -> None:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20, trust_env=False) as client:
                while not self.stop.is_set():
                    self._write(client, *self._next())
        except Exception as error:  # noqa: BLE001 - told to the test, whatever it is
            self.failed = error

    def _next(self) -> tuple[str, Any]:
        number = len(self.acknowledged)
        match self.seed.choice(["create", "upserts", "purchase", "purchase", "touchpoint"]):
            case "upserts":
                rows = [{"externalRef": ref(f"{self.name}-{number}-{n}"), "set": {"name": "Bo"}} for n in range(3)]
                return "customersUpsert", {"rows": rows}
            case "purchase" if self.customers:
                lines = [line(f"{n + 1}.00") for n in range(3)]
                return "purchaseRecord", {
                    "customer": by(self.seed.choice(self.customers)),
                    "currency": "EUR",
                    "lines": lines,
                }
            case "touchpoint" if self.customers:
                who = by(self.seed.choice(self.customers))
                return "touchpointRecord", {"customer": who, "kind": "CALL", "channel": "PHONE", "direction": "INBOUND"}
            case _:
                return "customerCreate", {"name": f"Ana {self.name} {number}"}

    def _write(self, client: httpx.Client, name: str, given: Any) -> None:
        key = f"{self.name}-{len(self.acknowledged)}"
        until = time.monotonic() + 60
        while True:
            try:
                answer = send(client, name, given, key)
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                self.sent_again += 1
                time.sleep(0.05)
        assert "errors" not in answer, answer
        payload = answer["data"][name]
        assert payload["userErrors"] == [], payload
        self.acknowledged.append((name, given, key, payload))
        if name == "customerCreate":
            self.customers.append(payload["customer"]["id"])


def test_nothing_acknowledged_is_lost_and_nothing_is_half_done(durable_url: str) -> None:
    port = free_port()
    writers = [Writer(n, port, random.Random(n)) for n in range(CLIENTS)]
    threads = [threading.Thread(target=writer.run, daemon=True) for writer in writers]
    pause = random.Random(7)
    with serving(durable_url, port) as server:
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            wait_for(writers, WRITES_BETWEEN)
            time.sleep(pause.random() / 20)
            server.kill()
            server.start()
        wait_for(writers, WRITES_BETWEEN)
        for writer in writers:
            writer.stop.set()
        for thread in threads:
            thread.join(timeout=60)
        assert [writer.failed for writer in writers] == [None] * CLIENTS
        # Without one there was no kill in the midst of anything.
        assert sum(writer.sent_again for writer in writers) > 0
        everything_is_there(port, writers)
    nothing_is_half_done(durable_url)
    verified = guanxi(durable_url, "facts", "verify").communicate(timeout=60)
    assert verified == (b"The stored facts are what the events say, in 1 organisation.\n", b"")


def everything_is_there(port: int, writers: list[Writer]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
        for writer in writers:
            for name, given, key, payload in writer.acknowledged:
                again = send(client, name, given, key)
                assert again["extensions"] == {"idempotency": {"replayed": True}}
                assert ids(again["data"][name]) == ids(payload)
                assert again["data"][name].get("outcome") == payload.get("outcome")
        asked = {"query": "{ customers { totalCount } touchpoints { totalCount } purchases { totalCount } }"}
        found = client.post("/graphql", json=asked).json()["data"]
    done = [name for writer in writers for name, *_ in writer.acknowledged]
    assert found["customers"]["totalCount"] == done.count("customerCreate") + 3 * done.count("customersUpsert")
    assert found["touchpoints"]["totalCount"] == done.count("touchpointRecord")
    assert found["purchases"]["totalCount"] == done.count("purchaseRecord")


def nothing_is_half_done(url: str) -> None:
    engine = connect(url)
    mine = Customer.org_id
    lines = exists().where(PurchaseLine.org_id == Purchase.org_id, PurchaseLine.purchase_id == Purchase.id)
    facts = exists().where(customer_facts.c.org_id == mine, customer_facts.c.customer_id == Customer.id)
    tokens = exists().where(CustomerToken.org_id == mine, CustomerToken.customer_id == Customer.id)
    assert count(engine, select(Purchase.id).where(~lines)) == 0
    assert count(engine, select(Customer.id).where(~(facts & tokens))) == 0
    assert count(engine, select(IdempotencyKey.key).where(IdempotencyKey.result.is_(None))) == 0
    told = count(engine, select(AuditEntry.id).where(AuditEntry.event == "purchase.recorded"))
    assert told == count(engine, select(Purchase.id))
    engine.dispose()


def count(engine: Engine, statement: Any) -> int:
    with engine.connect().execution_options(across_organisations=True) as connection:
        return len(connection.execute(statement).all())


def ids(payload: Any) -> list[Any]:
    rows = payload.get("rows", [payload])
    return [each[name]["id"] for each in rows for name in ("customer", "touchpoint", "purchase") if each.get(name)]


def send(client: httpx.Client, name: str, given: Any, key: str) -> Any:
    return client.post("/graphql", json={"query": mutation(name, key), "variables": {"input": given}}).json()


def wait_for(writers: list[Writer], more: int) -> None:
    before, until = [len(writer.acknowledged) for writer in writers], time.monotonic() + 60
    while sum(len(writer.acknowledged) for writer in writers) - sum(before) < more:
        assert time.monotonic() < until, [writer.failed for writer in writers]
        assert not any(writer.failed for writer in writers), [writer.failed for writer in writers]
        time.sleep(0.005)


class Server:
    """`guanxi serve`, as a process of its own."""

    def __init__(self, url: str, port: int) -> None:
        self.url, self.port = url, port
        self.start()

    def start(self) -> None:
        self.process = guanxi(self.url, "serve", "--port", str(self.port))
        until = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, self.process.communicate()
                assert time.monotonic() < until
                time.sleep(0.05)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait(timeout=10) == -signal.SIGKILL
        self.process.communicate()


@contextmanager
def serving(url: str, port: int) -> Iterator[Server]:
    server = Server(url, port)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def guanxi(url: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", *arguments],
        cwd=Path(__file__).parents[2],
        # Nobody reads what it logs: a full pipe would make it wait.
        env={**os.environ, "GUANXI_DATABASE_URL": url, "GUANXI_COST_LIMIT": "0", "GUANXI_LOG": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def free_port() -> int:
    """Not one that the system gives to clients: knocking at it, one of them could be given it itself."""
    while True:
        port = random.SystemRandom().randint(15_000, 30_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
