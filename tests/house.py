"""The application on a database for all tests of a process, with organisations that are asked through the API."""

import asyncio
import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, make_url
from starlette.applications import Starlette

from app.platform.access import Org, create_key, create_organization
from app.platform.database import connect
from app.platform.work import Work, operator, transaction, work
from app.purchases.rates import import_rates
from app.scores.actions import first_policy
from app.segments.actions import first_segments
from tests.client import Client, application
from tests.conftest import NOW, _migrated
from tests.databases import new_postgres_database, new_sqlite_database
from tests.oracle.generator import FOREIGN_RATE

FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"
AHEAD = 30
# Whatever is told happens up to then; it is all recorded afterwards.
LATER = NOW + timedelta(days=AHEAD + 2)
SINCE = NOW - timedelta(days=366)

# What each currency is reported beside: one with a rate, and one without, of as many decimals.
FOREIGN = {"EUR": ("USD", "GBP"), "JPY": ("KRW", "VND"), "KWD": ("BHD", "OMR")}

_runner = asyncio.Runner()
atexit.register(_runner.close)


@dataclass
class Shop:
    """An organisation, asked with a key of its own. Answers come to whoever waits for them."""

    engine: Engine
    org: Org
    client: Client

    @property
    def zone(self) -> ZoneInfo:
        return self.org.zone

    def post(self, query: str, now: datetime = LATER, **variables: Any) -> Any:
        return _runner.run(self.client.post(query, variables, now))

    def ask(self, query: str, now: datetime = LATER, **variables: Any) -> Any:
        """The data; fails on any error."""
        return _runner.run(self.client.ask(query, now, **variables))

    @contextmanager
    def working(self, now: datetime = LATER) -> Iterator[Work]:
        with work(self.engine, operator(self.org), now) as found:
            yield found

    def today(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()


@dataclass
class House:
    """The application on one database."""

    engine: Engine
    app: Starlette

    def shop(self, time_zone: str = "UTC", currency: str = "EUR") -> Shop:
        with transaction(self.engine) as session:
            org = create_organization(session, "Shop", time_zone, currency, SINCE)
            opening = Work(session, operator(org), SINCE)
            first_policy(opening)
            first_segments(opening)
            key = create_key(session, org.id, ["read", "write", "admin"], SINCE)
        return Shop(self.engine, org, Client(self.app, key, None))


@cache
def house(backend: str) -> House:
    """One for all tests; each has organisations of its own in it."""
    return open_house(backend)


def open_house(backend: str) -> House:
    """One for a test that looks at whoever is in it."""
    template = _migrated(backend)
    if backend == "sqlite":
        url = new_sqlite_database(Path(make_url(template).database or ""))
    else:
        url = new_postgres_database(template)
    made = House(connect(url), application(url))
    atexit.register(made.engine.dispose)
    with transaction(made.engine) as session:
        import_rates(session, _rates(), LATER)
    return made


def _rates() -> Iterator[dict[str, str]]:
    for currency, (foreign, _) in FOREIGN.items():
        for days in range(-AHEAD - 7, 2500, 7):
            day = (NOW - timedelta(days=max(days, -AHEAD))).date()
            yield {"date": day.isoformat(), "base": foreign, "quote": currency, "rate": str(FOREIGN_RATE)}
