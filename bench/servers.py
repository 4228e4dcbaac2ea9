"""Starting the servers that are compared, on loopback, and reading what they cost from the kernel."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers
from bench.load import Loaded
from bench.place import ROOT, cache_folder
from bench.questions import Request, fresh

TICK = os.sysconf("SC_CLK_TCK")
TITLES = {
    "guanxi": "Guanxi, one process",
    "bare": "Guanxi without keys, cost, policies and row level security",
    "floor": "(d) hand-written Starlette route, hand-written SQL",
    "transaction": "(d), whose M2 and M3 are a transaction: conditional update, entry, key row, commit",
    "idiomatic": "(a) strawberry + SQLAlchemy async ORM + DataLoader",
    "postgraphile": "PostGraphile 5",
    "mercurius": "mercurius with JIT and DataLoader",
}
FAMILIES = {"floor": "rest", "transaction": "rest", "postgraphile": "postgraphile"}
PEERS = ("postgraphile", "mercurius")


@dataclass(frozen=True)
class Server:
    """One that is running. `pid` is the process that was started; others may be below it."""

    name: str
    port: int
    pid: int
    key: str

    @property
    def family(self) -> str:
        return FAMILIES.get(self.name, "graphql")

    def ask(self, request: Request, seconds: float = 60) -> Any:
        """One answer, read; raises OSError or ValueError for none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            headers = {"authorization": f"Bearer {self.key}"}
            if request.body:
                headers["content-type"] = "application/json"
            connection.request(request.method, request.path, fresh(request.body).encode() or None, headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{self.name} answers {answer.status}: {body[:500]!r}")
        try:
            return json.loads(body)
        except ValueError as error:
            place = getattr(error, "pos", 0)
            raise ValueError(f"{self.name} answers no JSON: ...{body[max(0, place - 200) : place + 100]!r}") from None


@contextlib.contextmanager
def serving(names: list[str], loaded: Loaded, timed: Path | None = None) -> Iterator[list[Server]]:
    """All of them over one database, ended when the block ends. `timed`: where they tell how long SQLite takes."""
    running: list[tuple[Server, subprocess.Popen[bytes]]] = []
    logs = cache_folder() / "logs"
    logs.mkdir(exist_ok=True)
    try:
        for name in names:
            port = _free_port()
            command, environment, folder = _command(name, port, loaded)
            if timed:
                given = command[1:] if command[0] == sys.executable else command
                command = [sys.executable, "-m", "bench.timed", str(timed), *given]
            with (logs / f"{loaded.dialect}-{name}.log").open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log
                )
            running.append((Server(name, port, process.pid, loaded.key), process))
        for server, process in running:
            _wait(server, process, logs / f"{loaded.dialect}-{server.name}.log")
        yield [server for server, _ in running]
    finally:
        for _, process in running:
            process.terminate()
        for _, process in running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(name: str, port: int, loaded: Loaded) -> tuple[list[str], dict[str, str], Path]:
    environment = {"GUANXI_DATABASE_URL": loaded.url, "PYTHONWARNINGS": "ignore"}
    # Everybody asks with one key here: its bucket is kept, and is large enough for all of them.
    environment |= {"GUANXI_COST_LIMIT": "100000000", "GUANXI_COST_RESTORED": "10000000"}
    if name == "guanxi":
        # As in production; whoever gives a key is held to it, here as anywhere.
        guanxi = Path(sys.executable).parent / "guanxi"
        return [str(guanxi), "serve", "--port", str(port)], environment, ROOT
    if name in PEERS:
        return peers.command(name, loaded.url, port)
    return [sys.executable, "-m", f"bench.{name}", str(port)], environment, ROOT


def _wait(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until it takes connections."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{server.name} does not serve: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        port: int = attempt.getsockname()[1]
        return port


# ------------------------------------------------------------------ what the kernel has counted


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes, and of children that they have waited for."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(ticks) for ticks in fields[11:15])
    return total / TICK


@dataclass(frozen=True)
class Memory:
    """Of a process and all below it, in MB: what is in memory, and what of that is its own alone. The rest are pages
    of files, as of a database that SQLite has mapped, which the system has anyway and takes back when it needs to."""

    resident: float
    private: float

    def __str__(self) -> str:
        return f"{self.resident:.0f} MB, of which private {self.private:.0f} MB"


def memory(pid: int) -> Memory:
    """As the kernel tells it now."""
    kilobytes = {"VmRSS": 0, "RssAnon": 0}
    for each in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{each}/status").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in kilobytes:
                    kilobytes[name] += int(rest.split()[0])
    return Memory(*(found * 1024 / 1e6 for found in kilobytes.values()))
