"""One shop on each database, made once: these tests only read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url
from starlette.applications import Starlette

from app.platform.database import connect
from app.platform.records import current
from app.query import fetch
from app.query.fetch import Reader
from app.query.question import Question
from schema import lane
from tests.client import Client, application
from tests.conftest import BACKENDS, NOW, _migrated
from tests.databases import new_postgres_database, new_sqlite_database
from tests.query.shop import ARCHIVED, EMPTY, LIVE, NEXT_DOOR, ORG, Maker, Person
from tests.query.storing import open_shops

FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"


@dataclass(repr=False)
class Shop:
    """A shop as it stands on one database."""

    app: Starlette
    key: str
    people: list[Person]

    @property
    def live(self) -> list[Person]:
        return [person for person in self.people if person.columns["archived_at"] is None]

    def client(self, now: Any = NOW) -> Client:
        return Client(self.app, self.key, now)


@dataclass(repr=False)
class Street:
    """The shop, the one next door with fewer customers of the same names, and an empty one to be written to."""

    shop: Shop
    next_door: Shop
    empty: Shop


@cache
def street_on(backend: str) -> Street:
    url = fresh_database(backend)
    houses = [(ORG, Maker(1).people(LIVE, ARCHIVED)), (NEXT_DOOR, Maker(7, NEXT_DOOR).people(12, 1)), (EMPTY, [])]
    engine = connect(url)
    keys = open_shops(engine, houses)
    if backend == "postgresql":
        with engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    engine.dispose()
    app = application(url)
    return Street(*(Shop(app, key, people) for key, (_, people) in zip(keys, houses, strict=True)))


def shop_on(backend: str) -> Shop:
    return street_on(backend).shop


def fresh_database(backend: str) -> str:
    """The url of a migrated database without rows, which stays until the tests end."""
    template = _migrated(backend)
    if backend == "sqlite":
        return new_sqlite_database(Path(make_url(template).database or ""))
    return new_postgres_database(template)


@pytest.fixture
def shop(backend: str) -> Shop:
    return shop_on(backend)


@pytest.fixture
def next_door(backend: str) -> Shop:
    return street_on(backend).next_door


@pytest.fixture
def empty_shop(backend: str) -> Shop:
    return street_on(backend).empty


@pytest.fixture
def client(shop: Shop) -> Client:
    return shop.client()


@pytest.fixture
def shops() -> dict[str, Shop]:
    return {backend: shop_on(backend) for backend in BACKENDS}


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The compiled questions that are sent to a database meanwhile, and whatever else is read beside them; not what
    finds the key's holder."""
    sent: list[str] = []

    def note(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        beside = statement.startswith(("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")) or "FROM api_keys" in statement
        # What goes on behind everybody's back, perhaps of a test before this one, is asked in nobody's name.
        if current.get() is not None and not beside and "FROM organizations" not in statement:
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    fetch.watchers.append(sent.append)
    yield sent
    fetch.watchers.remove(sent.append)
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """The questions that requests are turned into meanwhile."""
    asked: list[Question] = []
    read = Reader.read

    async def note(reader: Reader, question: Question, values: Any) -> bytes:
        asked.append(question)
        return await read(reader, question, values)

    monkeypatch.setattr(Reader, "read", note)
    return asked


async def asked(shop: Shop, query: str, variables: dict[str, Any] | None = None, name: str | None = None) -> Any:
    """Which lane answered, and the bytes."""
    body = {"query": query, "variables": variables, "operationName": name}
    sent = await shop.client().http.post(
        "/graphql", json=body, headers={"x-guanxi-now": NOW.isoformat(), "x-request-id": "r"}
    )
    return sent.headers["x-guanxi-lane"], sent.content


class Lanes:
    """Asks by both lanes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    async def both(self, shop: Shop, query: str, variables: dict[str, Any] | None = None) -> tuple[str, bytes, bytes]:
        """The lane that it takes of itself, what it says there, and what graphql-core says."""
        taken, told = await asked(shop, query, variables)
        with self.patch.context() as patch:

            async def nobody(*_: Any) -> None:
                return None

            patch.setattr(lane, "answer", nobody)
            core, completed = await asked(shop, query, variables)
        assert core == "core"
        return taken, told, completed


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> Lanes:
    return Lanes(monkeypatch)
