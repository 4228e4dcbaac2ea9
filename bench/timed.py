"""Runs a Python server with every statement that it gives SQLite timed: one line of milliseconds each, into a file.

    python -m bench.timed FILE guanxi serve --port 8000
    python -m bench.timed FILE -m bench.floor 8000

A statement of one JSON row is done when it is executed: SQLite steps to its first row there.
"""

import runpy
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Put our connection in the driver's place, then become the program."""
    file, *program = sys.argv[1:]
    out = Path(file).open("a", buffering=1)  # noqa: SIM115 - as long as the process lives

    class Cursor(sqlite3.Cursor):
        def execute(self, *given: Any) -> "Cursor":
            began = time.perf_counter()
            super().execute(*given)
            out.write(f"{(time.perf_counter() - began) * 1000:.4f}\n")
            return self

    class Connection(sqlite3.Connection):
        def cursor(self, *given: Any) -> Any:
            return super().cursor(*(given or (Cursor,)))

        def execute(self, *given: Any) -> Any:
            return self.cursor().execute(*given)

    connect = sqlite3.connect

    def timed(*given: Any, **named: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*given, **{"factory": Connection, **named})
        return made

    sqlite3.connect = sqlite3.dbapi2.connect = timed  # type: ignore[assignment]
    sys.argv = program
    if program[0] == "-m":
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main()
