"""A real server on each database, for all tests of what it tells without being asked again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2 as httpx
import pytest
from sqlalchemy import update

from app.platform.access import ApiKey
from app.platform.work import transaction
from tests.api.acting import House, open_house
from tests.conftest import BACKENDS
from tests.live.serving import Server, serving


# Of the package: a server of many organisations has something to look after, and would do so beside all other tests.
@pytest.fixture(scope="package", params=BACKENDS)
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with open_house(request.param) as made:
        # With one organisation alone it would ask nobody for a key.
        made.shop()
        made.shop()
        yield made


@pytest.fixture(scope="package")
def server(house: House) -> Iterator[Server]:
    with serving(house.url, origins="https://crm.example.com") as made:
        yield made


class Teller:
    """Changes things over HTTP, as somebody else than who listens."""

    def __init__(self, house: House, server: Server, *scopes: str) -> None:
        self.house, self.server = house, server
        self.org = house.shop().org
        self.key = house.key(self.org, scopes or ("read", "write"))

    async def ask(self, query: str, **variables: Any) -> Any:
        async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {self.key}"}) as http:
            answer = await http.post(self.server.url, json={"query": query, "variables": variables}, timeout=30)
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    async def do(self, field: str, given: Any, shown: str = "") -> Any:
        kind = field[0].upper() + field[1:]
        query = f"mutation($i: {kind}Input!) {{ {field}(input: $i) {{ {shown} userErrors {{ code message }} }} }}"
        payload = (await self.ask(query, i=given))[field]
        assert payload["userErrors"] == []
        return payload

    async def customer(self, name: str = "Ana") -> str:
        made = await self.do("customerCreate", {"name": name}, "customer { id }")
        return str(made["customer"]["id"])

    async def rename(self, customer: str, name: str) -> None:
        await self.do("customerUpdate", {"customer": {"id": customer}, "set": {"name": name}})


def revoke(house: House, key: str) -> None:
    with transaction(house.engine) as session:
        mine = update(ApiKey).where(ApiKey.id == UUID(hex=key.split("_")[1]))
        session.execute(mine.values(revoked_at=datetime.now(UTC)))


@pytest.fixture
def teller(house: House, server: Server) -> Teller:
    return Teller(house, server)


@pytest.fixture
def stranger(house: House, server: Server) -> Teller:
    """Of another organisation."""
    return Teller(house, server)
