"""What is due, posted in one word; a desk that reads; and the houses and shops of the tests of the API."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from app.loyalty.posting import post_due
from app.platform.access import Org, create_key
from app.platform.database import instant_text
from app.platform.work import transaction
from tests.api.conftest import house, open_shop, shop
from tests.client import Client, application
from tests.conftest import NOW

__all__ = ["house", "open_shop", "shop"]

Post = Callable[[datetime], int]


@pytest.fixture
def post(engine: Engine, org: Org) -> Post:
    """`post(now)`: for everyone; in how many accounts something was due."""
    return lambda now: post_due(engine, org, lambda: now)


class Desk(Client):
    """Asks, and sees that one statement answers."""

    async def read(self, query: str, now: datetime | None = None, **variables: Any) -> Any:
        sent = await self.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"x-guanxi-now": instant_text(now or self.now or NOW)},
        )
        assert sent.headers["x-guanxi-lane"] == "sql", sent.text
        assert "errors" not in sent.json(), sent.text
        return sent.json()["data"]


@pytest.fixture
async def desk(engine: Engine, org: Org, database_url: str) -> AsyncIterator[Desk]:
    with transaction(engine) as session:
        key = create_key(session, org.id, ["read", "write"], NOW)
    app = application(database_url)
    made = Desk(app, key, NOW)
    yield made
    await made.http.aclose()
    # Its end closes the connections that it reads over.
    async with app.router.lifespan_context(app):
        pass
