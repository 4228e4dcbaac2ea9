"""The load: windows of a second or so at some concurrency, with wrk, or with a generator of our own where wrk is not.

Both send prepared requests in random order over kept connections, as fast as answers come. A window tells how many
were answered, how long they took, and how much CPU the server and the database used meanwhile.
"""

import asyncio
import json
import random
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.questions import MARK, fresh, series
from bench.servers import Server, cpu_seconds, tree

WRK = shutil.which("wrk")
_SCRIPT = """
local requests, series, number = {}, "", 0
local mark = "@MARK@"
function init(args)
  local file = io.open(args[1], "rb")
  local text = file:read("*a")
  file:close()
  local at = 1
  while at <= #text do
    local stop = text:find("\\n", at, true)
    local size = tonumber(text:sub(at, stop - 1))
    local one = text:sub(stop + 1, stop + size)
    local from, to = one:find(mark, 1, true)
    requests[#requests + 1] = from and {one:sub(1, from - 1), one:sub(to + 1)} or one
    at = stop + size + 1
  end
  math.randomseed(tonumber(args[2]))
  series = args[3]
end
function request()
  local one = requests[math.random(#requests)]
  if type(one) == "string" then return one end
  number = number + 1
  return one[1] .. string.format("%s%014d", series, number) .. one[2]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"p50":%d,"p99":%d,"errors":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Window:
    """What one window saw. Latencies in ms; CPU in ms for each request."""

    server: str
    question: str
    clients: int
    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int
    server_cpu: float
    database_cpu: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "rate": round(self.rate, 1)}


def generator() -> str:
    """Which one is at work."""
    return (
        "wrk" if WRK else "the benchmark's own generator (asyncio), which may itself be the limit above some 10,000/s"
    )


class Load:
    """The requests of one question, as one server is to be sent them."""

    def __init__(self, server: Server, question: str, raws: list[bytes]) -> None:
        self.server, self.question, self.raws = server, question, raws
        self._marked = any(MARK.encode() in raw for raw in raws)
        self._folder = tempfile.TemporaryDirectory(prefix="guanxi-bench-")
        folder = Path(self._folder.name)
        self._file, self._script = folder / "requests", folder / "drive.lua"
        self._file.write_bytes(b"".join(b"%d\n%s" % (len(raw), raw) for raw in raws))
        self._script.write_text(_SCRIPT.replace("@MARK@", MARK))

    def window(self, clients: int, seconds: float, seed: int, database: int | None = None) -> Window:
        """Drive it for so long. `database`: the process of the database, whose CPU is told as well."""
        ours, theirs = tree(self.server.pid), tree(database) if database else []
        before = cpu_seconds(ours), cpu_seconds(theirs)
        told = self._wrk(clients, seconds, seed) if WRK else asyncio.run(self._own(clients, seconds, seed))
        after = cpu_seconds(ours), cpu_seconds(tree(database) if database else [])
        requests, took, p50, p99, errors = told
        each = [round((b - a) * 1000 / max(1, requests), 4) for a, b in zip(before, after, strict=True)]
        return Window(self.server.name, self.question, clients, requests, took, p50, p99, errors, each[0], each[1])

    def _wrk(self, clients: int, seconds: float, seed: int) -> tuple[int, float, float, float, int]:
        assert WRK is not None
        # wrk knows whole seconds only.
        length = f"{max(1, round(seconds))}s"
        command = [WRK, "-t", "1", "-c", str(clients), "-d", length, "--timeout", "30s", "-s", str(self._script)]
        command += [f"http://127.0.0.1:{self.server.port}/", "--", str(self._file), str(seed), series()]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout[done.stdout.index('{"requests"') :].splitlines()[0])
        return (found["requests"], found["us"] / 1e6, found["p50"] / 1000, found["p99"] / 1000, found["errors"])

    async def _own(self, clients: int, seconds: float, seed: int) -> tuple[int, float, float, float, int]:
        taken: list[float] = []
        errors = 0
        began = time.perf_counter()
        ends = began + seconds

        async def client(number: int) -> None:
            nonlocal errors
            dice = random.Random(f"{seed} {number}")
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            while (now := time.perf_counter()) < ends:
                raw = self.raws[dice.randrange(len(self.raws))]
                writer.write(fresh(raw.decode()).encode() if self._marked else raw)
                head = await reader.readuntil(b"\r\n\r\n")
                await _body(reader, head.lower())
                taken.append(time.perf_counter() - now)
                errors += not head.startswith(b"HTTP/1.1 200")
            writer.close()

        await asyncio.gather(*(client(number) for number in range(clients)))
        took = time.perf_counter() - began
        taken.sort()
        p50, p99 = (taken[int(len(taken) * part)] * 1000 if taken else 0.0 for part in (0.5, 0.99))
        return len(taken), took, p50, p99, errors


async def _body(reader: asyncio.StreamReader, head: bytes) -> None:
    _, found, rest = head.partition(b"content-length:")
    if found:
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()
