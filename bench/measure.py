"""One run over one database: the servers in turn, question by question, round by round.

A window of one server is followed by a window of the next, so that whatever else the machine does meanwhile falls on
all of them alike. Noise only ever slows a window down: the best one is told, with the median and the spread beside it.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import restore
from bench.compare import same_values
from bench.drive import Load, Window
from bench.load import Loaded
from bench.place import into_memory
from bench.questions import WRITES, answer, asked_of, request, variables
from bench.servers import Server, serving

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be driven, and for how long."""

    servers: list[str]
    questions: list[str]
    clients: list[int]
    rounds: int
    seconds: float
    compare: bool = True


@dataclass(frozen=True)
class Cell:
    """One server, one question, so many clients: over all its windows. `spread`: the slowest beside the best, in %."""

    server: str
    question: str
    clients: int
    best: float
    median: float
    spread: float
    p50: float
    p99: float
    server_cpu: float
    database_cpu: float
    errors: int


def run(loaded: Loaded, plan: Plan, database: int | None, say: Say) -> list[Window]:
    """Every window of a run; the values are compared first, and what was written is taken out again afterwards."""
    # Nothing happens in the story after its last midnight: an interrupted run may have left something.
    began = loaded.shop.today
    restore.undo(loaded.url, began)
    reads = [name for name in plan.questions if name not in WRITES]
    writes = [name for name in plan.questions if name in WRITES]
    windows: list[Window] = []
    with serving(plan.servers, loaded) as servers:
        if plan.compare:
            compared = same_values(servers, reads, loaded.shop)
            say(f"  {compared} answers are the same on {', '.join(server.name for server in servers)}")
        for question in reads:
            windows += _question(loaded, question, servers, plan, database, say)
        try:
            if writes and plan.compare:
                same_values(servers, writes, loaded.shop)
            for question in writes:
                windows += _question(loaded, question, servers, plan, database, say)
        finally:
            if writes:
                restore.undo(loaded.url, began)
    return windows


def _question(
    loaded: Loaded, question: str, servers: list[Server], plan: Plan, database: int | None, say: Say
) -> list[Window]:
    asked, servers = variables(question, loaded.shop), asked_of(question, servers)
    loads = {}
    for server in servers:
        requests = [request(question, server.family, given) for given in asked]
        # wrk looks at the status alone; a refusal under the status 200 would be counted as the quickest of answers.
        answer(question, server.family, server.ask(requests[0]))
        loads[server.name] = Load(server, question, [each.raw(server.key) for each in requests])
    windows = []
    into_memory(loaded.url)
    for server in servers:
        # Compilers that watch what is asked often need to see it often.
        loads[server.name].window(8, 2, seed=0)
    for clients in plan.clients:
        for each in range(1, plan.rounds + 1):
            for server in servers:
                window = loads[server.name].window(clients, plan.seconds, each, database)
                if window.errors or not window.requests:
                    say(
                        f"  {server.name} {question} at {clients}: {window.errors} errors in {window.requests} requests"
                    )
                windows.append(window)
        told = [cell for cell in cells(windows) if cell.clients == clients]
        say(f"  {question} at {clients:>2}: " + ", ".join(f"{cell.server} {cell.best:,.0f}/s" for cell in told))
    return windows


def cells(windows: list[Window]) -> list[Cell]:
    """The windows, gathered by server, question and clients, in the order in which these first occur."""
    gathered: dict[tuple[str, int, str], list[Window]] = {}
    for window in windows:
        gathered.setdefault((window.question, window.clients, window.server), []).append(window)
    return [_cell(some) for some in gathered.values()]


def _cell(windows: list[Window]) -> Cell:
    rates = sorted(window.rate for window in windows)
    best = max(windows, key=lambda window: window.rate)

    def middle(values: list[float]) -> float:
        return round(statistics.median(values), 4)

    return Cell(
        best.server,
        best.question,
        best.clients,
        round(rates[-1], 1),
        round(statistics.median(rates), 1),
        round(100 * (1 - rates[0] / rates[-1]), 1) if rates[-1] else 0.0,
        best.p50,
        best.p99,
        middle([window.server_cpu for window in windows]),
        middle([window.database_cpu for window in windows]),
        sum(window.errors for window in windows),
    )


def ratios(found: list[Cell]) -> dict[tuple[str, int, str], float]:
    """Guanxi's best beside each other server's best, by question, clients and server."""
    ours = {(cell.question, cell.clients): cell.best for cell in found if cell.server == "guanxi"}
    return {
        (cell.question, cell.clients, cell.server): round(ours[cell.question, cell.clients] / cell.best, 3)
        for cell in found
        if cell.server != "guanxi" and (cell.question, cell.clients) in ours and cell.best
    }


def as_json(loaded: Loaded, windows: list[Window]) -> dict[str, Any]:
    """What a run leaves behind."""
    return {
        "dialect": loaded.dialect,
        "size": loaded.size,
        "load_seconds": loaded.seconds,
        "windows": [window.as_dict() for window in windows],
    }
