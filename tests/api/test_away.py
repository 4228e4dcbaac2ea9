"""What is said when the database is away: what may safely be asked again, and what nobody knows."""

import sqlite3
from typing import Any

import httpx2 as httpx
import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.platform.away import Away, away
from app.platform.piped import Failed
from app.platform.writing import OnPostgreSQL
from app.query.fetch import Reader
from tests.api.acting import Shop, by, new_customer

CREATED = 'mutation { customerCreate(input: { name: "Ana" }) { customer { id } query { customers { totalCount } } } }'
UPDATED = """mutation($i: CustomerUpdateInput!) {
  customerUpdate(input: $i) { customer { id version } userErrors { code } } }"""

NOTED = """mutation($i: TouchpointRecordInput!) {
  touchpointRecord(input: $i) { touchpoint { id } userErrors { code } } }"""


async def send(shop: Shop, query: str, variables: Any = None, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await shop.http.post("/graphql", json={"query": query, "variables": variables}, headers=sent)


def told(answer: httpx.Response) -> tuple[int, list[str], str | None]:
    assert "errors" in answer.json(), answer.text
    codes = [error["extensions"]["code"] for error in answer.json()["errors"]]
    return answer.status_code, codes, answer.headers.get("retry-after")


def full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize("failure", [Away(), full(), psycopg.errors.AdminShutdown(), psycopg.OperationalError("cut")])
async def test_a_question_may_be_asked_again(shop: Shop, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    async def fails(*_: Any) -> bytes:
        raise failure

    monkeypatch.setattr(Reader, "read", fails)
    # In either lane, of one field and of several.
    for query in (
        "{ customers { totalCount } }",
        "{ a: customers { totalCount } b: customer(by: { id: 1 }) { id } }",
        "{ viewer { scopes } customers { totalCount } }",
    ):
        for accept in ("application/json", "application/graphql-response+json"):
            answer = await send(shop, query, accept=accept)
            assert told(answer) == (503, ["UNAVAILABLE"], "1")
            assert answer.json()["errors"][0]["extensions"]["retryAfter"] == 1
            assert "data" not in answer.json()


async def test_what_is_done_is_not_asked_for_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> bytes:
        raise Away

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "read", fails)
        answer = await send(shop, CREATED)
        assert told(answer) == (200, ["UNAVAILABLE"], None)
        assert answer.json()["errors"][0]["path"] == ["customerCreate", "query", "customers"]
    assert (await shop.ask("{ customers { totalCount } }"))["customers"]["totalCount"] == 1


async def test_nobody_knows_of_a_commit_that_was_cut(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    if shop.house.engine.dialect.name == "sqlite":
        pytest.skip("There is nobody between it and its file.")
    customer = await new_customer(shop)
    commit, together = Session.commit, OnPostgreSQL.commit

    def cut(session: Session) -> None:
        commit(session)
        raise OperationalError("COMMIT", {}, psycopg.OperationalError("cut"), connection_invalidated=True)

    async def cut_together(writing: OnPostgreSQL) -> None:
        await together(writing)
        raise Failed("57P01")

    named = {"i": {"customer": by(customer), "set": {"name": "Bo"}}}
    noted = {"i": {"customer": by(customer), "kind": "NOTE", "channel": "PHONE", "direction": "INBOUND"}}
    for patched, method, query, variables in (
        (Session, cut, UPDATED, named),
        (OnPostgreSQL, cut_together, NOTED, noted),
    ):
        with monkeypatch.context() as cutting:
            cutting.setattr(patched, "commit", method)
            assert told(await send(shop, query, variables)) == (503, ["UNAVAILABLE"], None)
            # What carries a key may be sent again: it finds that it was done.
            key = f"once-{method.__name__}"
            assert told(await send(shop, query, variables, idempotency_key=key)) == (503, ["UNAVAILABLE"], "1")
        again = (await send(shop, query, variables, idempotency_key=key)).json()
        assert again["extensions"] == {"idempotency": {"replayed": True}}
    # One that nobody was told of, and one that was.
    assert (await send(shop, "{ touchpoints { totalCount } }")).json()["data"]["touchpoints"]["totalCount"] == 2


def test_what_is_wrong_with_a_statement_is_no_absence() -> None:
    assert away(psycopg.errors.UniqueViolation()) is None
    assert away(sqlite3.IntegrityError()) is None
    assert away(Failed("25P02")) is None
    assert away(ValueError()) is None
