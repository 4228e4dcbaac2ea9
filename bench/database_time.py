"""What a question costs the database alone, at each size: one client, one request after the other.

PostgreSQL says it itself: for a while it logs how long each parse, bind and execute has taken. SQLite runs in the
server's process: the driver's statements are timed there. What is told is the median over requests of the sum of a
request's statements; of Q4 the median of the slowest stage.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import restore
from bench.load import Loaded
from bench.place import Postgres, cache_folder
from bench.questions import WRITES, Variables, answer, request, variables
from bench.servers import Server, serving

COUNTED = 15
LONGEST = 8  # seconds for one question, once it has been asked three times
QUESTIONS = ("Q1", "Q2", "Q4", "Q5", "M1", "M2", "M3")
# At most so many ms at 1M customers; at most so many times what it was at 100k.
WANTED = {("postgresql", "Q4"): 25, ("postgresql", "Q5"): 10, ("sqlite", "Q4"): 50, ("sqlite", "Q5"): 20}
GROWTH = {"Q4": 2.0, "Q5": 2.0, "Q1": 1.3, "Q2": 1.3, "M1": 1.3}


@dataclass(frozen=True)
class Cost:
    """Milliseconds that one request takes of the database."""

    dialect: str
    size: int
    server: str
    question: str
    ms: float


def costs(
    loaded: Loaded, names: list[str], questions: list[str], postgres: Postgres | None, say: Callable[[str], None]
) -> list[Cost]:
    """What each of these questions costs, asked of each of these servers."""
    asked = [question for question in QUESTIONS if question in questions]
    found = []
    with (
        _told(loaded, postgres) as (file, taken),
        serving(names, loaded, timed=None if postgres else file) as servers,
    ):
        for server in servers:
            for question in asked:
                try:
                    ms = _cost(server, question, loaded, taken)
                except ValueError as error:
                    say(f"  {server.name} has no answer to {question}: {str(error)[:200]}")
                    continue
                found.append(Cost(loaded.dialect, loaded.size, server.name, question, round(ms, 3)))
    if WRITES.intersection(asked):
        restore.undo(loaded.url, loaded.shop.today)
    return found


def _cost(server: Server, question: str, loaded: Loaded, taken: Callable[[], float]) -> float:
    given = variables(question, loaded.shop)
    if question == "Q4":
        return max(_median(server, question, [one], taken) for one in given)
    return _median(server, question, given, taken)


def _median(server: Server, question: str, given: list[Variables], taken: Callable[[], float]) -> float:
    found: list[float] = []
    ends = time.monotonic() + LONGEST
    # Each is asked once before it counts: otherwise it is told who came first to the disk.
    for number in range(2 * COUNTED):
        if len(found) > 2 and time.monotonic() > ends:
            break
        taken()
        said = server.ask(request(question, server.family, given[number % min(COUNTED, len(given))]))
        answer(question, server.family, said)
        # The last line may be written a moment after the answer.
        time.sleep(0.005)
        found.append(taken())
    return statistics.median(found[COUNTED:] or found[1:])


@contextlib.contextmanager
def _told(loaded: Loaded, postgres: Postgres | None) -> Iterator[tuple[Path, Callable[[], float]]]:
    """The file that statements are told in, and how many ms of them it has got since one last looked."""
    if postgres is None:
        file = cache_folder() / "logs" / "statements"
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
        yield file, _reader(file, lambda text: sum(float(line) for line in text.split()))
        return
    file, name = postgres.log, loaded.url.partition("?")[0].rpartition("/")[2]
    with postgres.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 0")
        try:
            yield file, _reader(file, _durations)
        finally:
            connection.execute(f"ALTER DATABASE {name} RESET log_min_duration_statement")


def _durations(text: str) -> float:
    marked = (line.partition("LOG:  duration: ")[2] for line in text.splitlines())
    return sum(float(rest.partition(" ms")[0]) for rest in marked if rest)


def _reader(file: Path, total: Callable[[str], float]) -> Callable[[], float]:
    place = file.stat().st_size

    def taken() -> float:
        nonlocal place
        with file.open("rb") as told:
            told.seek(place)
            text = told.read()
        place += len(text)
        return total(text.decode(errors="replace"))

    return taken
