"""The benchmark: `make bench`, or `python -m bench --help`.

Load the databases, compare the answers, drive the servers in turn, print the tables, and write docs/benchmark.md,
docs/growth.svg and a JSON file of every window into the cache folder.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from bench import report
from bench.drive import generator
from bench.load import Loaded, load
from bench.measure import Plan, as_json, cells, run
from bench.place import ROOT, Postgres, cache_folder, start_postgres
from bench.questions import TITLES
from bench.servers import PEERS

SIZES = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}


def main() -> None:
    """Parse, and do what was asked."""
    options = _options()
    postgres = start_postgres() if "postgresql" in options.databases else None
    bases = [
        load(dialect, size, postgres if dialect == "postgresql" else None, say)
        for size in options.sizes
        for dialect in options.databases
    ]
    if options.load:
        return
    _drive(options, bases, postgres)


def _drive(options: argparse.Namespace, bases: list[Loaded], postgres: Postgres | None) -> None:
    told: dict[str, Any] = {
        "command": f"python -m bench {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "generator": generator(),
        "seconds": options.seconds,
        "rounds": options.rounds,
        "machine": report.machine(_version(postgres)),
        "runs": [],
    }
    sections = []
    for base in bases:
        # The others are compared where the issue compares them; growth alone is asked of the largest.
        servers = [*options.servers, *PEERS] if options.peers and base.dialect == "postgresql" else options.servers
        plan = Plan(servers, options.questions, options.clients, options.rounds, options.seconds, not options.unchecked)
        title = f"{report.NAMES[base.dialect]}, {base.size:,} customers"
        say(title)
        windows = run(base, plan, postgres.pid if postgres and base.dialect == "postgresql" else None, say)
        found = cells(windows)
        tables = [report.ratio_table(found, base.dialect, clients) for clients in reversed(options.clients)]
        tables.append(report.rates(found))
        for table in tables:
            say("\n" + report.plain(table))
        say("")
        sections.append((title, "\n\n".join(map(report.markdown, tables))))
        told["runs"].append(as_json(base, windows))
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    results = cache_folder() / "results"
    results.mkdir(exist_ok=True)
    (results / f"{stamp}.json").write_text(json.dumps(told, indent=1))
    say(f"Every window is in {results / f'{stamp}.json'}.")
    if not options.dry:
        docs = ROOT / "docs"
        docs.mkdir(exist_ok=True)
        (docs / "benchmark.md").write_text(report.document(told, sections))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    listed = {"type": lambda text: text.split(",")}
    parser.add_argument("--sizes", default="10k,100k", type=lambda text: [SIZES[name] for name in text.split(",")])
    parser.add_argument("--databases", default="postgresql,sqlite", **listed)
    parser.add_argument("--servers", default="guanxi,floor,idiomatic", **listed)
    parser.add_argument("--peers", action="store_true", help="with PostGraphile and mercurius, from npm")
    parser.add_argument("--questions", default=",".join(TITLES), **listed)
    parser.add_argument("--clients", default="1,16", type=lambda text: [int(each) for each in text.split(",")])
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--seconds", default=1.0, type=float, help="of each window")
    parser.add_argument("--load", action="store_true", help="load the databases, and no more")
    parser.add_argument("--unchecked", action="store_true", help="do not compare the answers first")
    parser.add_argument("--dry", action="store_true", help="leave docs/ as it is")
    return parser.parse_args()


def _version(postgres: Postgres | None) -> str | None:
    if postgres is None:
        return None
    with postgres.connect() as connection:
        [found] = connection.execute("SHOW server_version").fetchone() or [None]
    return str(found)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
