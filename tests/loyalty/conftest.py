"""What is due, posted in one word; and the houses and shops of the tests of the API."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import Engine

from app.loyalty.posting import post_due
from app.platform.access import Org
from tests.api.conftest import house, open_shop, shop

__all__ = ["house", "open_shop", "shop"]

Post = Callable[[datetime], int]


@pytest.fixture
def post(engine: Engine, org: Org) -> Post:
    """`post(now)`: for everyone; in how many accounts something was due."""
    return lambda now: post_due(engine, org, lambda: now)
