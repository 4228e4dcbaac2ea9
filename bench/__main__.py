"""How long the documented questions take here: statement size, cold compile, and the median of warm runs, on SQLite.

Loads the CDNOW purchases that the tests carry (69,659 of 23,570 customers) into a database of its own, and asks each
question of bench/questions/ through the whole application, HTTP excepted. Figures are of this machine, at this moment.
"""

import asyncio
import gzip
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from graphql import execute, parse

from app.bulk.purchases import Columns, import_purchases
from app.platform.access import create_organization
from app.platform.database import connect
from app.platform.migrations import upgrade
from app.platform.work import Work, operator, transaction
from app.query.fetch import Reader
from app.scores.actions import first_policy
from schema.context import Asked
from schema.schema import graphql_schema, world

HERE = Path(__file__).parent
PURCHASES = HERE.parent / "tests" / "data" / "cdnow" / "purchases.csv.gz"
WARM_RUNS = 9
# The clock of the questions: the day after the last purchase, when there is still somebody in every stage.
TODAY = datetime(1998, 7, 1, tzinfo=UTC)


def main() -> None:
    """Load, ask, print."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        engine = connect(url)
        upgrade(engine)
        then, now = datetime(1997, 1, 1, tzinfo=UTC), datetime.now(UTC)
        with transaction(engine) as session:
            caller = operator(create_organization(session, "CDNOW", "UTC", "USD", then))
            first_policy(Work(session, caller, then))
        file = Path(folder) / "purchases.csv"
        with gzip.open(PURCHASES) as packed, file.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        started = time.perf_counter()
        columns = Columns("customer_id", "purchased_on", "quantity", "amount_usd", "USD")
        report = import_purchases(engine, caller, file, columns, lambda: now)
        _say(f"import: {report.recorded:,} purchases in {time.perf_counter() - started:.1f} s")
        reader = Reader(connect(url, for_questions=True), world)
        _say(f"{'question':<28}{'first ms':>10}{'median ms':>11}{'answer kB':>11}")
        for path in sorted((HERE / "questions").glob("*.graphql")):
            document = parse(path.read_text())
            taken, size = [], 0
            for _ in range(WARM_RUNS + 1):
                began = time.perf_counter()
                size = asyncio.run(_ask(document, Asked(engine, reader, caller, TODAY)))
                taken.append((time.perf_counter() - began) * 1000)
            _say(f"{path.stem:<28}{taken[0]:>10.1f}{statistics.median(taken[1:]):>11.1f}{size / 1000:>11.1f}")


async def _ask(document: object, asked: Asked) -> int:
    result = execute(graphql_schema, document, context_value=asked)  # type: ignore[arg-type]
    result = await result  # type: ignore[misc]
    if result.errors:
        raise SystemExit(f"A question failed: {result.errors[0].message}")
    return len(str(result.data))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
