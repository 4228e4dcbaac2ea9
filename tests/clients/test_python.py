"""The recipe for Python, against the real server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from gql import GraphQLRequest
from gql.transport.exceptions import TransportQueryError

from tests.clients.python.recipe import changes, connected, customers, record_purchase
from tests.clients.server import ROWS, served
from tests.conftest import BACKENDS

LYON = {"city": {"eq": "Lyon"}}
RENAME = """
mutation ($id: ID!, $name: String!) {
  customerUpdate(input: { customer: { id: $id }, set: { name: $name } }) { userErrors { message } }
}
"""


class Losing(httpx.AsyncHTTPTransport):
    """The first answer is lost on its way."""

    asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        self.asked += 1
        if self.asked == 1:
            await answer.aread()
            raise httpx.ReadError("Lost", request=request)
        return answer


@pytest.fixture(scope="module", params=BACKENDS)
def known(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    with served(request.param) as environment:
        yield environment


@pytest.fixture
def at(known: dict[str, str]) -> tuple[str, str]:
    """Url and key."""
    return known["GUANXI_URL"], known["GUANXI_KEY"]


def purchase_of(customer: str) -> dict[str, Any]:
    return {"customer": {"id": customer}, "currency": "EUR", "lines": [{"name": "Tea", "price": {"unit": "12.50"}}]}


async def test_all_pages_are_read(at: tuple[str, str]) -> None:
    async with connected(*at) as session:
        names = {each["name"] async for each in customers(session, LYON)}
    assert len(names) == len(ROWS)


async def test_a_purchase_whose_answer_was_lost_is_made_once(at: tuple[str, str]) -> None:
    async with connected(*at) as session:
        first = await anext(customers(session, LYON))
    losing = Losing()
    async with connected(*at, transport=losing) as session:
        told = await record_purchase(session, purchase_of(first["id"]))
        assert losing.asked == 2
        assert told["userErrors"] == []
        assert told["purchase"]["gross"] == {"amount": "12.50", "currency": "EUR"}
        now = {each["id"]: each async for each in customers(session, LYON)}
    assert now[first["id"]]["facts"]["keptOrders"] == first["facts"]["keptOrders"] + 1


async def test_what_is_refused_is_data(at: tuple[str, str]) -> None:
    async with connected(*at) as session:
        told = await record_purchase(session, purchase_of("cus_0"))
    assert told["purchase"] is None
    assert [error["code"] for error in told["userErrors"]] == ["NOT_FOUND"]


async def test_a_wrong_question_is_not_asked_again(at: tuple[str, str]) -> None:
    losing = Losing()
    losing.asked = 1
    async with connected(*at, transport=losing) as session:
        with pytest.raises(TransportQueryError, match="unknown field"):
            await anext(customers(session, {"city": {"equals": "Lyon"}}))
    assert losing.asked == 2


async def test_what_is_throttled_is_asked_again(known: dict[str, str]) -> None:
    async with connected(known["GUANXI_SMALL_URL"], known["GUANXI_SMALL_KEY"]) as session:
        many = GraphQLRequest("{ customers(first: 100) { nodes { id } } }")
        answers = await asyncio.gather(*(session.execute(many) for _ in range(7)))
    assert [len(each["customers"]["nodes"]) for each in answers] == [len(ROWS)] * 7


async def test_customer_changed(at: tuple[str, str]) -> None:
    async with connected(*at) as session:
        first = await anext(customers(session, LYON))

        async def rename() -> None:
            await asyncio.sleep(0.5)
            await session.execute(GraphQLRequest(RENAME, variable_values={"id": first["id"], "name": "Someone else"}))

        told = changes(*at, [first["id"]])

        async def updated() -> dict[str, Any]:
            # What was just before may still be told.
            return await anext(each async for each in told if each["event"] == "customer.updated")

        change, _ = await asyncio.gather(updated(), rename())
        await told.aclose()  # type: ignore[attr-defined]
    assert change["event"] == "customer.updated"
    assert change["customer"] == {"id": first["id"], "name": "Someone else"}
