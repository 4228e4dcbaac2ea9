"""What a run found, as tables: on the screen, and in docs/benchmark.md."""

import os
import platform
import re
import sqlite3
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.campaigns import WANTED as CAMPAIGN_WANTED
from bench.campaigns import Moment
from bench.data import DAYS
from bench.database_time import GROWTH, Cost
from bench.database_time import WANTED as COST_WANTED
from bench.drive import generator
from bench.history import ASKED, Taken
from bench.measure import Cell, ratios
from bench.points import LONG
from bench.questions import TITLES
from bench.servers import TITLES as SERVERS

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
# What the ratios are to be with one process, PostgreSQL, 100,000 customers, 16 clients; on SQLite against (d).
WANTED = {
    ("Q1", "postgraphile"): 2.5,
    ("Q2", "postgraphile"): 2.5,
    ("Q3", "postgraphile"): 3.5,
    ("M1", "postgraphile"): 1.5,
    ("Q1", "floor"): 0.75,
    ("Q2", "floor"): 0.7,
    ("Q3", "floor"): 0.8,
    ("M1", "floor"): 0.7,
    # Beside statements in a transaction; its ratio to the one statement of the floor is told too.
    ("M3", "transaction"): 0.7,
    ("Q1", "bare"): 0.75,
    ("Q1", "mercurius"): 1.2,
    ("Q2", "mercurius"): 2.0,
    ("Q3", "mercurius"): 3.0,
    ("M1", "mercurius"): 1.0,
}
WANTED_SQLITE = {("Q1", "floor"): 0.8, ("M1", "floor"): 0.7, ("M3", "floor"): 0.7}
GROWTH_TITLE = "Database time of one request, by number of customers"
HISTORY_TITLE = "Time of one request, by the length of an account's history"
CAMPAIGN_TITLE = "Time of a campaign's large moments"
Table = tuple[list[str], list[list[str]]]


def size_name(size: int) -> str:
    return f"{size // 1_000_000}M" if size % 1_000_000 == 0 else f"{size // 1000}k"


def rates(found: Sequence[Cell]) -> Table:
    """Requests a second: best, median and spread, latencies, and CPU for each request."""
    head = [
        "question",
        "clients",
        "server",
        "best/s",
        "median/s",
        "spread",
        "p50 ms",
        "p99 ms",
        "server CPU ms",
        "DB CPU ms",
    ]
    rows = [
        [
            *(cell.question, str(cell.clients), cell.server, _number(cell.best), _number(cell.median)),
            *(f"{cell.spread:.0f} %", f"{cell.p50:.2f}", f"{cell.p99:.2f}", f"{cell.server_cpu:.3f}"),
            f"{cell.database_cpu:.3f}" if cell.database_cpu else "-",
        ]
        for cell in found
    ]
    return head, rows


def ratio_table(found: Sequence[Cell], dialect: str, clients: int = 16) -> Table:
    """Guanxi's best beside each other's best; in brackets what is wanted of it."""
    wanted = WANTED if dialect == "postgresql" else WANTED_SQLITE
    told = ratios(list(found))
    servers = list(dict.fromkeys(cell.server for cell in found if cell.server != "guanxi"))
    questions = list(dict.fromkeys(cell.question for cell in found))
    rows = []
    for question in questions:
        row = [question]
        for server in servers:
            ratio, least = told.get((question, clients, server)), wanted.get((question, server))
            text = "-" if ratio is None else f"{ratio:.2f}"
            row.append(text + (f" (>= {least:g})" if least and ratio is not None else ""))
        rows.append(row)
    return [f"{clients} clients: Guanxi / other", *servers], rows


def cost_table(found: Sequence[Cost]) -> Table:
    """Database time at each size, and how it grows from 100k to 1M, beside what is allowed."""
    sizes = sorted({cost.size for cost in found})
    at = {(cost.dialect, cost.server, cost.question, cost.size): cost.ms for cost in found}
    rows = []
    for dialect, server, question in dict.fromkeys(key[:3] for key in at):
        row = [NAMES[dialect], question, server]
        row += [f"{ms:.2f}" if (ms := at.get((dialect, server, question, size))) else "-" for size in sizes]
        small, large = (at.get((dialect, server, question, size)) for size in (100_000, 1_000_000))
        most, least = GROWTH.get(question), COST_WANTED.get((dialect, question))
        grown = f"{large / small:.2f}x" if small and large else "-"
        bound = ", ".join(filter(None, [f"{least} ms" if least else "", f"{most:g}x" if most else ""]))
        rows.append([*row, grown, bound if server == "guanxi" else ""])
    head = ["database", "question", "server", *(f"{size_name(size)} ms" for size in sizes), "100k to 1M", "at most"]
    return head, rows


def history_table(found: Sequence[Taken]) -> Table:
    """One client, by the entries of the account that is asked of."""
    rows = [
        [
            *(NAMES[taken.dialect], size_name(taken.size), ASKED[taken.question]),
            *(f"{ms:.2f}" for ms in taken.ms),
            f"{taken.ms[-1] / taken.ms[0]:.2f}x",
        ]
        for taken in found
    ]
    longest = f"{LONG[-1]:,} to {LONG[0]}"
    return ["database", "customers", "", *(f"{many:,} entries, ms" for many in LONG), longest], rows


def campaign_table(found: Sequence[Moment]) -> Table:
    """One client; CPU of the server's and of the database's processes, beside what a moment may take."""
    rows = [
        [
            *(NAMES[moment.dialect], size_name(moment.size), moment.name),
            *(f"{seconds * 1000:,.0f}" for seconds in (moment.seconds, moment.server_cpu)),
            f"{moment.database_cpu * 1000:,.0f}" if moment.dialect == "postgresql" else "-",
            f"{most * 1000:,.0f}" if (most := CAMPAIGN_WANTED.get((moment.dialect, moment.name))) else "",
        ]
        for moment in found
    ]
    return ["database", "customers", "", "ms", "server CPU ms", "DB CPU ms", "at most"], rows


def plain(table: Table) -> str:
    """For the screen."""
    head, rows = table
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if n < 3 else text.rjust(width)
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    )


def markdown(table: Table) -> str:
    head, rows = table
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def document(run: dict[str, Any], sections: Iterable[tuple[str, str]]) -> str:
    """docs/benchmark.md: how it was measured, and every table of the run."""
    machine = run["machine"]
    lines = [
        "# Benchmark",
        "",
        "Made by `make bench` (`bench/`); do not edit. Every server answers over HTTP on the same machine, over the",
        "same database; before anything is measured their answers are compared, value by value. Windows are",
        "interleaved: a second of one server, a second of the next, several rounds. The best window is told, since",
        "noise only ever slows one down, with the median and the spread (how far the slowest lies below the best).",
        "CPU is the kernel's count for the server's processes, and for the database's. Server, database and load",
        "share the cores: trust ratios, not rates.",
        "",
        f"* {machine['cores']} cores, {machine['memory']} of memory, {machine['system']}, on {run['date']}",
        f"* {', '.join(f'{name} {number}' for name, number in machine['versions'].items())}",
        f"* load: {run['generator']}; windows of {run['seconds']:g} s, {run['rounds']} rounds",
        f"* `{run['command']}`",
        f"* the shop: {DAYS} days; 2 to 3 purchases and 3 to 4 touchpoints a customer, skewed; one organisation",
        "",
        *(f"* **{name}** {title}" for name, title in TITLES.items()),
        "",
        *(f"* **{name}** {title}" for name, title in SERVERS.items()),
        "",
        "Q3 is ten pages of 100 for everybody, one statement a page, since pages of the API end at 100. Guanxi works",
        "with all of its security; the others know the organisation and check the key, or not even that.",
        "",
        "The level in Q1 is kept by Guanxi, as a replay under the terms in force found it; the others take the better",
        "of two years, which the terms of this programme allow. M2 and M3 are asked of Guanxi and of (d) alone: there",
        "in one transaction the balance is changed if it suffices, an entry is made, the key is kept with the answer.",
        "On PostgreSQL (d) does it twice: in one statement, which is as fast as it gets, and as a transaction of three",
        "prepared statements, as such code is written by hand (on SQLite these are the same). Guanxi also keeps lots,",
        "their moves, redemptions and the trail.",
        "",
        "Before each question the database's files are read once, so that the system has them in memory.",
        "",
        "Database time is what PostgreSQL logs of its statements. A commit that is one of them, as of Guanxi's writes,",
        "is in it with its wait for the disk; the one that ends a statement sent alone, as of the floor's, is not.",
    ]
    for title, text in sections:
        lines += ["", f"## {title}", "", text]
    return "\n".join(lines) + "\n"


def machine(server_version: str | None) -> dict[str, Any]:
    """What the figures were measured on."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    packages = ("strawberry-graphql", "graphql-core", "sqlalchemy", "starlette", "uvicorn", "asyncpg", "psycopg")
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    if server_version:
        versions["PostgreSQL"] = server_version
    versions |= {name: version(name) for name in packages}
    return {
        "cores": os.cpu_count(),
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "?",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "generator": generator(),
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
