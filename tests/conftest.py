"""What tests stand on: both databases, made by the real migrations; an organisation; a unit of its work."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from app.platform.access import Org, create_organization
from app.platform.database import connect
from app.platform.migrations import upgrade
from app.platform.work import Work, operator, transaction, work
from app.scores.actions import first_policy
from app.segments.actions import first_segments
from tests.databases import drop_postgres_database, new_postgres_database, new_sqlite_database

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
BACKENDS = ("sqlite", "postgresql")
# Files that take ten seconds or more.
LONGEST = (
    "serving/test_stop.py",
    "scores/test_standings.py",
    "scores/test_agreement.py",
    "api/test_wall.py",
    "bulk/test_cdnow.py",
    "loyalty/test_kill.py",
    "live/test_outbox.py",
    "live/test_slow.py",
    "live/test_socket.py",
    "loyalty/test_races.py",
    "live/test_events.py",
    "api/test_made.py",
    "api/test_kill.py",
    "query/test_lanes.py",
    "test_demo.py",
    "loyalty/test_walk.py",
    "campaigns/test_attribution.py",
    "platform/test_writer.py",
    "scores/test_steps.py",
    "test_readme.py",
    "scores/test_judgements.py",
    "query/test_connections.py",
    "query/test_walk.py",
    "query/test_list_shapes.py",
    "live/test_away.py",
)

Begin = Callable[..., AbstractContextManager[Work]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: at the end no process waits for another that has only then begun one of them."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.location[0].removeprefix("tests/"), len(place)))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """All tests of a process share an event loop, as requests do: connections that are read over belong to one."""
    yield  # noqa: PT022 - the loop stays until then


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def empty_url(backend: str) -> Iterator[str]:
    """A database without tables."""
    url = new_sqlite_database() if backend == "sqlite" else new_postgres_database(durable=False)
    yield url
    _drop(url)


@pytest.fixture
def database_url(backend: str) -> Iterator[str]:
    """A migrated database without rows: a fresh copy for each test."""
    template = _migrated(backend)
    if backend == "sqlite":
        url = new_sqlite_database(Path(make_url(template).database or ""))
    else:
        url = new_postgres_database(template)
    yield url
    _drop(url)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def new_org(engine: Engine) -> Callable[..., Org]:
    """`new_org(time_zone="Europe/Paris", currency="JPY")`: with its first policy, published a year before NOW."""

    def make(name: str = "Shop", time_zone: str = "UTC", currency: str = "EUR") -> Org:
        since = NOW.replace(year=NOW.year - 1)
        with transaction(engine) as session:
            org = create_organization(session, name, time_zone, currency, since)
            opening = Work(session, operator(org), since)
            first_policy(opening)
            first_segments(opening)
        return org

    return make


@pytest.fixture
def org(new_org: Callable[..., Org]) -> Org:
    return new_org()


@pytest.fixture
def begin(engine: Engine, org: Org) -> Begin:
    """`with begin() as work:`, `begin(now=...)`, `begin(org=other)`: a transaction of the organisation's operator."""

    def make(now: datetime = NOW, org: Org = org) -> AbstractContextManager[Work]:
        return work(engine, operator(org), now)

    return make


@cache
def _migrated(backend: str) -> str:
    url = new_sqlite_database() if backend == "sqlite" else new_postgres_database(durable=False)
    engine = connect(url)
    upgrade(engine)
    engine.dispose()
    return url


def _drop(url: str) -> None:
    if make_url(url).get_backend_name() == "postgresql":
        drop_postgres_database(url)
    else:
        Path(make_url(url).database or "").unlink(missing_ok=True)
