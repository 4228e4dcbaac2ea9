"""What stands beside the API: where things are, the contract, and whether it can answer."""

import re
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.serving import ready
from schema.schema import contract
from tests.client import Client, application

PLACES = ("/graphql", "/schema.graphql", "/healthz", "/readyz", "/metrics")


async def test_programs_are_told_where_things_are(client: Client) -> None:
    found = (await client.http.get("/")).json()
    assert (found["name"], found["graphql"], found["schema"]) == ("Guanxi", "/graphql", "/schema.graphql")
    assert set(PLACES) < set(found.values())


async def test_people_get_a_page_that_asks_nothing_of_others(client: Client) -> None:
    answer = await client.http.get("/", headers={"accept": "text/html,*/*"})
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert set(re.findall(r'(?:href|src)="([^"]*)"', answer.text)) == set(PLACES)
    assert "://" not in answer.text
    assert "<script" not in answer.text


async def test_the_contract_is_sent_once(client: Client) -> None:
    answer = await client.http.get("/schema.graphql", headers={"authorization": ""})
    assert answer.text == contract()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    tag = answer.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await client.http.get("/schema.graphql", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await client.http.get("/schema.graphql", headers={"if-none-match": '"other"'})).status_code == 200


async def test_it_is_ready_while_the_database_is_up_to_date(
    client: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "GOOD_SECONDS", 0.0)

    async def told() -> tuple[int, str]:
        answer = await client.http.get("/readyz")
        return answer.status_code, answer.text

    def is_at(revision: str) -> None:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

    assert await told() == (200, "ok")
    with engine.begin() as connection:
        reached = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    is_at("0001")
    assert await told() == (503, ready.BEHIND)
    # A newer release leaves it fit for the one before.
    is_at("ahead")
    assert await told() == (200, "ok")
    is_at(reached)


async def test_it_lives_though_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = application("postgresql://nobody@127.0.0.1:9/nothing")
    client = Client(app, "", None)
    async with client.http:
        assert (await client.http.get("/healthz")).status_code == 200
        answer = await client.http.get("/readyz")
        assert (answer.status_code, answer.text) == (503, ready.AWAY)
        assert answer.headers["retry-after"] == "1"
        monkeypatch.setattr(app.ready, "stopping", True)
        stopping = await client.http.get("/readyz")
        assert (stopping.text, stopping.headers["connection"]) == (ready.STOPPING, "close")
        assert (await client.http.get("/healthz")).status_code == 200
    await app.ready.close()
