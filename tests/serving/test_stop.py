"""A server that is told to stop, or to replace its workers, fails nobody."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from anyio.to_thread import run_sync
from sqlalchemy import Engine, event

from app.platform.access import create_key, create_organization
from app.platform.work import Work, operator, transaction
from app.scores.actions import first_policy
from tests.api.test_kill import free_port
from tests.client import application

FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"
RESTARTS, CLIENTS = (5, 8) if FULL else (1, 3)
CREATE = 'mutation { customerCreate(input: { name: "Ana" }) { customer { id } } }'
READ = "{ customers(first: 3) { totalCount nodes { id } } }"


class Server:
    """`guanxi serve`, and what it has logged."""

    def __init__(self, url: str, folder: Path, *options: str, **said: str) -> None:
        self.port, self.log = free_port(), folder / "log"
        command = [
            sys.executable,
            "-c",
            "from app.cli import main; main()",
            "serve",
            "--port",
            str(self.port),
            *options,
        ]
        environment = {**os.environ, "GUANXI_DATABASE_URL": url, "GUANXI_COST_LIMIT": "0", **said}
        with self.log.open("wb") as log:
            root = Path(__file__).parents[2]
            self.process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        self.address = f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, trust_env=False, timeout=20)

    def wait(self) -> None:
        until = time.monotonic() + 90
        while True:
            try:
                if self.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until
            time.sleep(0.1)

    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(each) for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()}


@contextmanager
def serving(url: str, folder: Path, *options: str, **said: str) -> Iterator[Server]:
    server = Server(url, folder, *options, **said)
    try:
        server.wait()
        yield server
    finally:
        server.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.process.wait(30)
        server.process.kill()


class Asking(threading.Thread):
    """Asks and writes, over connections that are kept, and does what Retry-After says. `failed`: all else."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.server, self.failed, self.answered, self.stopped = server, list[str](), 0, threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self.server.address, trust_env=False, timeout=20) as client:
            while not self.stopped.is_set():
                document = CREATE if self.answered % 5 == 0 else READ
                try:
                    answer = client.post("/graphql", json={"query": document})
                except httpx.TransportError as error:
                    self.failed.append(repr(error))
                    continue
                if "retry-after" in answer.headers:
                    time.sleep(float(answer.headers["retry-after"]))
                elif answer.status_code != 200 or "errors" in answer.json():
                    self.failed.append(answer.text)
                else:
                    self.answered += 1
                # Without a pause they would take the processor that a new worker starts with.
                time.sleep(0.01)


@pytest.fixture
def served_url(database_url: str, engine: Engine) -> str:
    since = datetime.now(UTC) - timedelta(days=1)
    with transaction(engine) as session:
        org = create_organization(session, "Shop", "UTC", "EUR", since)
        first_policy(Work(session, operator(org), since))
        create_key(session, org.id, ["read"], since)
    return database_url


def replaced(server: Server) -> None:
    """Each worker is another, and all that are there serve."""
    before = server.workers()
    assert len(before) == 2
    server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 120
    while (now := server.workers()) & before or len(now) != 2:
        assert time.monotonic() < until, (before, now)
        time.sleep(0.1)


def test_restarts_behind_two_workers_fail_no_request(served_url: str, tmp_path: Path) -> None:
    with serving(served_url, tmp_path, "--workers", "2", GUANXI_NOTICE_SECONDS="1") as server:
        asking = [Asking(server) for _ in range(CLIENTS)]
        for each in asking:
            each.start()
        for _ in range(RESTARTS):
            replaced(server)
        for each in asking:
            each.stopped.set()
            each.join(30)
        assert [failure for each in asking for failure in each.failed] == []
        answered = sum(each.answered for each in asking)
        assert answered > 10 * CLIENTS
        # Of all processes, those that are gone too.
        time.sleep(0.5)
        counted = [
            line for line in server.get("/metrics").text.splitlines() if line.startswith("guanxi_requests_total")
        ]
        assert sum(float(line.split()[-1]) for line in counted) == answered
        written = [line for line in server.log.read_text().splitlines() if '"requestId"' in line]
        assert len(written) == answered


def test_it_says_so_first_and_ends_what_it_began(served_url: str, tmp_path: Path) -> None:
    with serving(served_url, tmp_path, GUANXI_NOTICE_SECONDS="1") as server:
        with httpx.Client(base_url=server.address, trust_env=False, timeout=20) as client:
            told: dict[str, Any] = {"query": READ}
            assert client.post("/graphql", json=told).status_code == 200
            began = time.monotonic()
            server.process.terminate()
            while (ready := server.get("/readyz")).status_code == 200:
                assert time.monotonic() - began < 1
            assert (ready.text, ready.headers["connection"]) == ("The server is stopping.", "close")
            answer = client.post("/graphql", json=told)
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
            assert server.get("/healthz").status_code == 200
        server.process.wait(15)
        assert 1 <= time.monotonic() - began < 10
        with closing(httpx.Client(trust_env=False)) as client, pytest.raises(httpx.ConnectError):
            client.get(server.address)


def test_workers_whose_parent_was_killed_leave_its_port(served_url: str, tmp_path: Path) -> None:
    with serving(served_url, tmp_path, "--workers", "2") as server:
        workers = server.workers()
        assert len(workers) == 2
        server.process.kill()
        server.process.wait(10)
        until = time.monotonic() + 30
        while (left := {each for each in workers if Path(f"/proc/{each}").exists()}) and time.monotonic() < until:
            time.sleep(0.1)
        for each in left:
            os.kill(each, signal.SIGKILL)
        assert not left, server.log.read_text()
        assert server.log.read_text().count("the process that started this worker is gone") == 2
        with socket.socket() as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bind(("127.0.0.1", server.port))


class _Slow:
    """Background work that is in the middle of something."""

    def __init__(self, said: list[str]) -> None:
        self._said, self.began = said, threading.Event()

    def step(self) -> int:
        self.began.set()
        time.sleep(0.3)
        self._said.append("done")
        return 0

    def pause(self, most: float) -> float:
        return most


async def test_the_database_is_let_go_once_nobody_works_on_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    slow = _Slow(said)
    monkeypatch.setattr("app.main.settler", lambda *_, **__: slow)
    app = application(database_url)

    def let_go(_: Engine) -> None:
        said.append("let go")

    event.listen(Engine, "engine_disposed", let_go)
    try:
        async with app.router.lifespan_context(app):
            assert await run_sync(slow.began.wait, 5)
    finally:
        event.remove(Engine, "engine_disposed", let_go)
    assert said[0] == "done"
    assert "let go" in said
