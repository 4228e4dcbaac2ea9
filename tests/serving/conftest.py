"""One organisation, asked through the application by whoever holds all scopes."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine

from app.platform.access import Org, create_key
from app.platform.work import transaction
from tests.client import Client, application
from tests.conftest import NOW


@pytest.fixture
async def client(database_url: str, engine: Engine, org: Org) -> AsyncIterator[Client]:
    with transaction(engine) as session:
        key = create_key(session, org.id, ["read", "write", "admin"], NOW)
    app = application(database_url)
    made = Client(app, key, None)
    async with app.router.lifespan_context(app), made.http:
        yield made
