"""Filling a database of one size: bulk copies into tables without indexes, and then the product's own commands.

    migrate -> rows (COPY, or executemany) -> indexes -> facts rebuild (-> facts settle) -> planner statistics

A database that is there is used again, unless the migrations or the rows that they hold have changed since.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path

import psycopg

from app.platform.access import Organization, create_key, organization
from app.platform.database import connect
from app.platform.work import Work, operator, transaction
from app.scores.actions import first_policy
from bench import data, points
from bench.data import DATA_VERSION, ORG, Row, Shop
from bench.place import ROOT, Postgres, cache_folder

Say = Callable[[str], None]
TABLES = {**data.COLUMNS, **points.COLUMNS}


@dataclass(frozen=True)
class Loaded:
    """A database to be asked. `today`: the end of the story that it holds; `ready`: its facts are made as well."""

    dialect: str
    size: int
    url: str
    key: str
    today: str
    print: str
    seconds: float
    ready: bool

    @property
    def shop(self) -> Shop:
        return Shop(self.size, datetime.fromisoformat(self.today))


def load(dialect: str, size: int, postgres: Postgres | None, say: Say) -> Loaded:
    """The database of that size: found as it was left, or made."""
    note = cache_folder() / f"{dialect}-{size}.json"
    made = _found(note, postgres, size)
    if made and made.ready:
        # What is judged of a customer may have run out since.
        settle(made.url)
        return made
    say(f"{dialect} {size:,}:")
    began = time.perf_counter()
    if made is None:
        made = _filled(dialect, size, postgres, say)
        _keep(note, made)
    _settle(made.url, say)
    made = replace(made, seconds=round(made.seconds + time.perf_counter() - began, 1), ready=True)
    _keep(note, made)
    say(f"  in all {made.seconds:.0f} s")
    return made


def _found(note: Path, postgres: Postgres | None, size: int) -> Loaded | None:
    """What is there of it; nothing when the tables or the rows were others."""
    if not note.exists():
        return None
    found = json.loads(note.read_text())
    there = postgres.has(_name(size)) if postgres else _file(size).exists()
    return Loaded(**found) if found["print"] == _fingerprint() and there else None


def _keep(note: Path, made: Loaded) -> None:
    note.write_text(json.dumps(asdict(made), indent=1))


def _filled(dialect: str, size: int, postgres: Postgres | None, say: Say) -> Loaded:
    """A new database with all of its rows, and no facts yet."""
    today = _today(size)
    if postgres:
        url = postgres.url(_name(size))
        with postgres.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_name(size)} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {_name(size)} TEMPLATE template0")
    else:
        url = f"sqlite:///{_file(size)}"
        for old in _file(size).parent.glob(f"{_file(size).name}*"):
            old.unlink()
    guanxi(url, "migrate")
    key = _organise(url, today)
    (_copy if postgres else _insert)(url, Shop(size, today), say)
    return Loaded(dialect, size, url, key, today.isoformat(), _fingerprint(), 0.0, False)


def guanxi(url: str, *command: str) -> str:
    """Run the product's command line on that database."""
    environment = {**os.environ, "GUANXI_DATABASE_URL": url}
    done = subprocess.run(
        [Path(sys.executable).parent / "guanxi", *command], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"guanxi {' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def settle(url: str) -> None:
    """Have the product judge again whatever is due, if it knows how."""
    if "settle" in _commands(url):
        guanxi(url, "facts", "settle")


@cache
def _commands(url: str) -> str:
    return guanxi(url, "facts", "--help")


def _today(size: int) -> datetime:
    """One day for both databases, while either is in use."""
    for note in cache_folder().glob(f"*-{size}.json"):
        found = json.loads(note.read_text())
        if found["print"] == _fingerprint():
            return datetime.fromisoformat(found["today"])
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _name(size: int) -> str:
    return f"bench_{size}"


def _file(size: int) -> Path:
    return cache_folder() / f"bench_{size}.db"


def _fingerprint() -> str:
    """Of the tables and of what is put into them."""
    found = hashlib.sha256(str(DATA_VERSION).encode())
    for path in sorted((ROOT / "migrations" / "versions").glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _organise(url: str, today: datetime) -> str:
    """The one organisation, its policy, and a key to ask with."""
    engine = connect(url)
    began = datetime(2020, 1, 1, tzinfo=UTC)
    with transaction(engine) as session:
        session.add(Organization(id=ORG, name="Bench", time_zone="UTC", currency="CNY", created_at=began))
        session.flush()
        org = organization(session, ORG)
        assert org is not None
        first_policy(Work(session, operator(org), began))
        key = create_key(session, ORG, ["read", "write"], today)
    engine.dispose()
    return key


def _copy(url: str, shop: Shop, say: Say) -> None:
    """PostgreSQL: COPY into bare tables; the constraints stay, their checks rest meanwhile."""
    tables = ", ".join(f"'{table}'" for table in TABLES)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        indexes = connection.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " JOIN pg_class c ON c.oid = indrelid"
            " WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
            f" AND c.relnamespace = 'public'::regnamespace AND c.relname IN ({tables})"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        began = time.perf_counter()
        for table, columns, rows in _tables(shop):
            with connection.cursor().copy(f"COPY {table} ({columns.replace(' ', ', ')}) FROM STDIN") as copy:
                while lines := "".join(map(_line, islice(rows, 5000))):
                    copy.write(lines)
            say(f"  {table}: {time.perf_counter() - began:.0f} s")
            began = time.perf_counter()
        for _, definition in indexes:
            connection.execute(definition)
        say(f"  {len(indexes)} indexes: {time.perf_counter() - began:.0f} s")


def _tables(shop: Shop) -> Iterator[tuple[str, str, Iterator[Row]]]:
    """Every table that is filled, with its columns and its rows; the books are made up when it is their turn."""
    yield from ((table, columns, shop.rows(table)) for table, columns in data.COLUMNS.items())
    books = points.Points(shop)
    yield from ((table, columns, books.rows(table)) for table, columns in points.COLUMNS.items())


def _line(row: Row) -> str:
    return "\t".join(["\\N" if value is None else str(value) for value in row]) + "\n"


def _insert(url: str, shop: Shop, say: Say) -> None:
    """SQLite: executemany into bare tables, in one transaction a table."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -524288", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    marks = ", ".join("?" for _ in TABLES)
    indexes = connection.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})",
        list(TABLES),
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    began = time.perf_counter()
    for table, columns, rows in _tables(shop):
        names = columns.split()
        connection.execute("BEGIN")
        values = ", ".join("?" for _ in names)
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", rows)
        connection.execute("COMMIT")
        say(f"  {table}: {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
    for _, definition in indexes:
        connection.execute(definition)
    say(f"  {len(indexes)} indexes: {time.perf_counter() - began:.0f} s")
    connection.close()


def _settle(url: str, say: Say) -> None:
    """What is derived, and what the planner knows: of SQLite nothing, as in production."""
    engine = connect(url)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Rebuilding over tables that nobody has counted takes a minute for each thousand customers.
            connection.exec_driver_sql("VACUUM (ANALYZE)")
    for name, command in (
        ("facts rebuild", lambda: guanxi(url, "facts", "rebuild")),
        ("facts settle", lambda: settle(url)),
    ):
        began = time.perf_counter()
        command()
        say(f"  {name}: {time.perf_counter() - began:.0f} s")
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Rebuilding has left a dead row for each live one.
            connection.exec_driver_sql("VACUUM (FULL, ANALYZE) customer_facts")
            connection.exec_driver_sql("VACUUM (ANALYZE)")
    else:
        with engine.connect().execution_options(reading=True) as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
