"""One application on each database for all tests of the API; each test has organisations of its own in it."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.api.acting import House, Shop, open_house
from tests.conftest import BACKENDS


@pytest.fixture(scope="session", params=BACKENDS)
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with open_house(request.param) as made:
        yield made


@pytest.fixture
async def open_shop(house: House) -> AsyncIterator[Callable[..., Shop]]:
    """`open_shop(scopes=("read",))`: another organisation, and a client of it."""
    made: list[Shop] = []

    def make(*scopes: str) -> Shop:
        made.append(house.shop(*scopes))
        return made[-1]

    yield make
    for each in made:
        await each.http.aclose()


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    return open_shop()
