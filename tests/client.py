"""A client of the API in tests: GraphQL text in, data out, through the real application."""

from datetime import datetime
from typing import Any

import httpx2 as httpx
from starlette.applications import Starlette

from app.main import create_app
from app.platform.database import instant_text
from app.settings import Settings


class Client:
    """Asks as the holder of a key, at a clock that each request carries unless it is None."""

    def __init__(self, app: Starlette, key: str, now: datetime | None) -> None:
        self.now = now
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://127.0.0.1",
            headers={"authorization": f"Bearer {key}"},
        )

    async def post(
        self, query: str, variables: dict[str, Any] | None = None, now: datetime | None = None, **headers: str
    ) -> Any:
        clock = now or self.now
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | (
            {"x-guanxi-now": instant_text(clock)} if clock else {}
        )
        return (await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=sent)).json()

    async def ask(self, query: str, now: datetime | None = None, **variables: Any) -> Any:
        """The data; fails on any error."""
        answer = await self.post(query, variables, now)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refused(self, query: str, now: datetime | None = None, **variables: Any) -> list[str]:
        """The codes of the errors; fails when there are none."""
        answer = await self.post(query, variables, now)
        return [error["extensions"]["code"] for error in answer["errors"]]

    async def do(
        self, field: str, given: dict[str, Any], select: str, now: datetime | None = None, key: str | None = None
    ) -> Any:
        """One mutation; its payload, userErrors included."""
        kind = field[0].upper() + field[1:]
        directive = f' @idempotent(key: "{key}")' if key else ""
        query = (
            f"mutation Do($input: {kind}Input!) {{ {field}(input: $input){directive} "
            f"{{ {select} userErrors {{ field message code __typename }} }} }}"
        )
        return (await self.ask(query, now, input=given))[field]


def application(url: str) -> Starlette:
    # Few connections: a test server has a hundred for all applications of all tests.
    # Without the bucket: an answer is compared whole, and what is left of a bucket rises by the second.
    environment = {"GUANXI_DATABASE_URL": url, "GUANXI_TEST_CLOCK": "1", "GUANXI_CONNECTIONS": "3"}
    environment["GUANXI_COST_LIMIT"] = "0"
    return create_app(Settings.from_environment(environment))
