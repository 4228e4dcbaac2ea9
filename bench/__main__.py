"""The benchmark: `make bench`, or `python -m bench --help`.

Load the databases, compare the answers, drive the servers in turn, ask the database alone, print the tables, and write
docs/benchmark.md, docs/growth.svg and a JSON file of every window into the cache folder.
"""

import argparse
import json
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import endurance, plot, report
from bench.campaigns import moments
from bench.database_time import Cost, costs
from bench.drive import generator
from bench.history import history
from bench.load import Loaded, load
from bench.measure import Plan, as_json, cells, run
from bench.place import ROOT, Postgres, cache_folder, start_postgres
from bench.questions import TITLES
from bench.servers import PEERS

SIZES = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}


def main() -> None:
    """Parse, and do what was asked."""
    options = _options()
    # Whoever ends us early ends the servers too: an exception unwinds to where they are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    postgres = start_postgres() if "postgresql" in options.databases else None
    bases = [
        load(dialect, size, postgres if dialect == "postgresql" else None, say)
        for size in options.sizes
        for dialect in options.databases
    ]
    alone = any(
        getattr(options, name) for name in ("light_under_heavy", "light_under_slow", "memory", "history", "campaigns")
    )
    for base in bases if alone else ():
        say(_title(base))
        if options.light_under_heavy:
            endurance.light_under_heavy(base, say)
        if options.light_under_slow:
            endurance.light_under_slow(base, say)
        if options.memory:
            endurance.memory(base, say)
        if options.history:
            say(report.plain(report.history_table(history(base))))
        if options.campaigns:
            say(report.plain(report.campaign_table(moments(base, postgres if base.dialect == "postgresql" else None))))
    if not (options.load or alone):
        _measure(options, bases, postgres)


def _measure(options: argparse.Namespace, bases: list[Loaded], postgres: Postgres | None) -> None:
    told: dict[str, Any] = {
        "command": f"python -m bench {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "generator": generator(),
        "seconds": options.seconds,
        "rounds": options.rounds,
        "machine": report.machine(_version(postgres)),
        "runs": [],
    }
    sections, spent, long, large = [], _Spent(), [], []
    for base in bases:
        on = postgres if base.dialect == "postgresql" else None
        say(_title(base))
        if options.clients:
            windows = run(base, _plan(options, on is not None), on.pid if on else None, say)
            found = cells(windows)
            tables = [report.ratio_table(found, base.dialect, clients) for clients in reversed(options.clients)]
            tables.append(report.rates(found))
            sections.append((_title(base), "\n\n".join(map(report.markdown, tables))))
            told["runs"].append(as_json(base, windows))
            for table in tables:
                say("\n" + report.plain(table))
            say("")
        names = [name for name in ("guanxi", "floor") if name in options.servers]
        spent.add(costs(base, names, options.questions, on, say))
        long += history(base)
        # Of a larger shop an attribution over three years takes longer than a question may.
        large += moments(base, on) if base.size <= SIZES["100k"] else []
    table = report.cost_table(spent.costs)
    say("\n" + report.plain(table))
    sections.insert(0, (report.GROWTH_TITLE, f"![Growth](growth.svg)\n\n{report.markdown(table)}"))
    table = report.history_table(long)
    say("\n" + report.plain(table))
    sections.insert(1, (report.HISTORY_TITLE, report.markdown(table)))
    table = report.campaign_table(large)
    say("\n" + report.plain(table))
    sections.insert(2, (report.CAMPAIGN_TITLE, report.markdown(table)))
    told["campaigns"] = [asdict(moment) for moment in large]
    told["history"] = [asdict(taken) for taken in long]
    told["database_time"] = [asdict(cost) for cost in spent.costs]
    file = _results() / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_text(json.dumps(told, indent=1))
    say(f"Every window is in {file}.")
    if not options.dry:
        docs = ROOT / "docs"
        docs.mkdir(exist_ok=True)
        (docs / "benchmark.md").write_text(report.document(told, sections))
        (docs / "growth.svg").write_text(plot.growth(spent.costs, told["date"]))


def _plan(options: argparse.Namespace, on_postgresql: bool) -> Plan:
    servers = [*options.servers, *PEERS] if options.peers and on_postgresql else list(options.servers)
    if not on_postgresql and "transaction" in servers:
        servers.remove("transaction")
    checked = not options.unchecked
    return Plan(servers, options.questions, options.clients, options.rounds, options.seconds, checked)


class _Spent:
    """Database time by size, of this run and of those before it: the largest size is not loaded every time."""

    def __init__(self) -> None:
        self._file = _results() / "database-time.json"
        before = json.loads(self._file.read_text()) if self._file.exists() else []
        self.costs = [Cost(**each) for each in before]

    def add(self, found: list[Cost]) -> None:
        def place(cost: Cost) -> tuple[str, str, str, int]:
            return cost.dialect, cost.server, cost.question, cost.size

        known = {place(cost): cost for cost in [*self.costs, *found]}
        self.costs = [known[key] for key in sorted(known)]
        self._file.write_text(json.dumps([asdict(cost) for cost in self.costs], indent=1))


def _results() -> Path:
    folder = cache_folder() / "results"
    folder.mkdir(exist_ok=True)
    return folder


def _title(base: Loaded) -> str:
    return f"{report.NAMES[base.dialect]}, {base.size:,} customers"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)

    def add(name: str, told: str = "", **how: Any) -> None:
        parser.add_argument(f"--{name}", help=told, **how)

    add("sizes", "of 10k, 100k and 1M", default="10k,100k", type=lambda text: [SIZES[name] for name in text.split(",")])
    add("databases", default="postgresql,sqlite", type=_names)
    add("servers", default="guanxi,floor,transaction,idiomatic", type=_names)
    add("peers", "with PostGraphile and mercurius, from npm", action="store_true")
    add("questions", default=",".join(TITLES), type=_names)
    add(
        "clients",
        "0: the database time alone",
        default="1,16",
        type=lambda text: list(filter(None, map(int, _names(text)))),
    )
    add("rounds", default=3, type=int)
    add("seconds", "of each window", default=1.0, type=float)
    add("load", "load the databases, and no more", action="store_true")
    add("light-under-heavy", "only the p99 of Q1 beside 16 clients who ask H1", action="store_true")
    add("light-under-slow", "only the p99 of Q1 beside 500 who never get to the point", action="store_true")
    add("memory", "only the worker's memory over 100,000 mixed requests", action="store_true")
    add("history", "only how long requests take of accounts with short and long books", action="store_true")
    add("campaigns", "only how long a launch, its result and attribution take", action="store_true")
    add("unchecked", "do not compare the answers first", action="store_true")
    add("dry", "leave docs/ as it is", action="store_true")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return text.split(",")


def _version(postgres: Postgres | None) -> str | None:
    if postgres is None:
        return None
    with postgres.connect() as connection:
        [found] = connection.execute("SHOW server_version").fetchone() or [None]
    return str(found)


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
