"""Questions of a server that is long at work: does a light request suffer from heavy ones, or from those who never get
to the point, and does it grow?
"""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from random import Random
from statistics import median
from typing import Any

from bench.drive import Load
from bench.load import Loaded
from bench.questions import answer, request, variables
from bench.servers import Memory, Server, serving
from bench.servers import memory as memory_of

Say = Callable[[str], None]
# Of 100 mixed requests; what is light is asked more often, as in life.
MIX = {"Q1": 70, "Q2": 15, "Q4": 10, "Q5": 5}
MIXED = 100_000
SLOW = 500


def light_under_heavy(loaded: Loaded, say: Say, seconds: float = 5) -> dict[str, Any]:
    """The latency of Q1 for one client, alone, and while 16 others ask H1: everybody grouped by phase and tier."""
    with serving(["guanxi"], loaded) as [server]:
        light, heavy = _load(server, "Q1", loaded), _load(server, "H1", loaded)
        light.window(1, 1, seed=0)
        alone = light.window(1, seconds, seed=1)
        with ThreadPoolExecutor(1) as beside:
            hard = beside.submit(heavy.window, 16, seconds + 3, 2)
            light.window(1, 1, seed=3)
            under = light.window(1, seconds, seed=4)
            asked = hard.result()
    say(f"  Q1 alone: p50 {alone.p50:.1f} ms, p99 {alone.p99:.1f} ms")
    say(f"  Q1 under 16 clients of H1 ({asked.rate:.1f}/s): p50 {under.p50:.1f} ms, p99 {under.p99:.1f} ms (< 100)")
    return {"alone": asdict(alone), "under": asdict(under), "heavy": asdict(asked)}


def light_under_slow(loaded: Loaded, say: Say, rounds: int = 5, seconds: float = 4) -> None:
    """The latency of Q1 for eight clients, alone, and while 500 others never get to the point: in turns, and their
    medians."""
    with serving(["guanxi"], loaded) as [server]:
        load = _load(server, "Q1", loaded)
        load.window(8, 1, seed=0)
        alone, under = [], []
        for turn in range(rounds):
            alone.append(load.window(8, seconds, seed=turn))
            command = [sys.executable, "-m", "bench.slow", str(server.port), str(SLOW)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as slow:
                assert slow.stdout is not None
                slow.stdout.readline()
                # The first of them are ended by now, and come again.
                load.window(8, 12, seed=100 + turn)
                under.append(load.window(8, seconds, seed=200 + turn))
                told, _ = slow.communicate()
        for name, windows in (("alone", alone), (f"under {SLOW} slow ones", under)):
            p50, p99 = median(each.p50 for each in windows), median(each.p99 for each in windows)
            rate, errors = median(each.rate for each in windows), sum(each.errors for each in windows)
            say(f"  Q1 {name}: {rate:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, {errors} errors")
        say(f"  {memory_of(server.pid)}; of the last turn:")
        say("".join(f"    {line}\n" for line in told.splitlines()))


def memory(loaded: Loaded, say: Say, total: int = MIXED) -> list[tuple[int, Memory]]:
    """Requests so far, and the worker's memory then: mixed questions at 16 clients."""
    with serving(["guanxi"], loaded) as [server]:
        raws = []
        dice = Random("mix")
        for question, weight in MIX.items():
            given = variables(question, loaded.shop)
            asked = [request(question, server.family, dice.choice(given)) for _ in range(weight * 10)]
            raws += [each.raw(server.key) for each in asked]
        load = Load(server, "mix", raws)
        seen = [(0, memory_of(server.pid))]
        say(f"  {0:>7,} requests: {seen[-1][1]}")
        while seen[-1][0] < total:
            window = load.window(16, 5, seed=len(seen))
            seen.append((seen[-1][0] + max(1, window.requests), memory_of(server.pid)))
            if len(seen) % 4 == 2 or seen[-1][0] >= total:
                say(f"  {seen[-1][0]:>7,} requests: {seen[-1][1]}")
    say(json.dumps([(requests, round(size.resident), round(size.private)) for requests, size in seen]))
    return seen


def _load(server: Server, question: str, loaded: Loaded) -> Load:
    requests = [request(question, server.family, given) for given in variables(question, loaded.shop)]
    answer(question, server.family, server.ask(requests[0]))
    return Load(server, question, [each.raw(server.key) for each in requests])
