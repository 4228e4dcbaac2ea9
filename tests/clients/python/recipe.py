"""A client in Python: questions and changes over HTTP, what changes over a WebSocket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import ExecutionResult
from tenacity import retry, retry_if_exception_type, retry_if_result, stop_after_attempt, wait_random_exponential

PAGE = """
query Page($where: CustomerWhere, $after: String) {
  customers(first: 10, after: $after, where: $where) {
    nodes { id name facts { keptOrders net { amount currency } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
PURCHASE = """
mutation Purchase($input: PurchaseRecordInput!, $key: String!) {
  purchaseRecord(input: $input) @idempotent(key: $key) {
    purchase { id gross { amount currency } }
    userErrors { field code message }
  }
}
"""
CHANGED = """
subscription Changed($ids: [ID!]) { customerChanged(ids: $ids) { event occurredAt customer { id name } } }
"""


def throttled(result: ExecutionResult) -> bool:
    return bool(result.errors) and result.errors[0]["extensions"]["code"] == "THROTTLED"


# No answer, or too much was asked. What is asked again together is spread out.
AGAIN = retry(
    retry=retry_if_exception_type(TransportError) | retry_if_result(throttled),
    stop=stop_after_attempt(8),
    wait=wait_random_exponential(max=10),
    retry_error_callback=lambda last: last.outcome.result() if last.outcome else None,
)


@asynccontextmanager
async def connected(url: str, key: str, **details: Any) -> AsyncIterator[AsyncClientSession]:
    """`details` are those of an httpx2.AsyncClient."""
    transport = HTTPXAsyncTransport(url, headers={"authorization": f"Bearer {key}"}, **details)
    client = Client(transport=transport)
    session = await client.connect_async(reconnecting=True, retry_execute=AGAIN)
    try:
        yield session
    finally:
        await client.close_async()


async def customers(session: AsyncClientSession, where: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """All of them, page by page."""
    after: str | None = None
    while True:
        asked = GraphQLRequest(PAGE, variable_values={"where": where, "after": after})
        page = (await session.execute(asked))["customers"]
        for customer in page["nodes"]:
            yield customer
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


async def record_purchase(session: AsyncClientSession, purchase: dict[str, Any]) -> dict[str, Any]:
    """The payload, with its userErrors. Sent again, it is the same purchase: the key stays."""
    asked = GraphQLRequest(PURCHASE, variable_values={"input": purchase, "key": str(uuid4())})
    return (await session.execute(asked))["purchaseRecord"]


async def changes(url: str, key: str, ids: list[str]) -> AsyncIterator[dict[str, Any]]:
    """What happens to these customers from now on: hints, at most once each."""
    transport = WebsocketsTransport(
        url.replace("http", "ws", 1),
        init_payload={"authorization": f"Bearer {key}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    asked = GraphQLRequest(CHANGED, variable_values={"ids": ids})
    async with Client(transport=transport) as session:
        async for told in session.subscribe(asked):
            yield told["customerChanged"]
