"""Documents by their hash: Apollo's persisted queries, and those that an operator trusts."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from app.platform.refusals import OperatorError
from app.settings import Settings
from schema.request import Given
from schema.stored_documents import StoredDocuments, trusted_documents
from tests.api.acting import House, Shop
from tests.api.test_http import GRAPHQL, JSON, told

COUNT = "{ customers { totalCount } }"
COUNTED = {"data": {"customers": {"totalCount": 0}}}


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def named(text: str, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}, **more}


async def post(shop: Shop, body: Any, accept: str = GRAPHQL) -> Any:
    return await shop.http.post("/graphql", json=body, headers={"accept": accept})


def of_its_own(text: str) -> str:
    """The document under a hash that no other test has sent to this server."""
    of_its_own.made = getattr(of_its_own, "made", 0) + 1  # type: ignore[attr-defined]
    return f"{text} # {of_its_own.made}"  # type: ignore[attr-defined]


async def test_a_document_is_sent_once_and_asked_by_its_hash(shop: Shop) -> None:
    text = of_its_own("query A($n: Int) { customers(first: $n) { totalCount } } query B { viewer { scopes } }")
    asked = named(text, operationName="A", variables={"n": 3})
    missing = told(await post(shop, asked), 400, "PERSISTED_QUERY_NOT_FOUND")
    # The words that Apollo's and urql's clients wait for.
    assert [error["message"] for error in missing["errors"]] == ["PersistedQueryNotFound"]
    told(await post(shop, asked, JSON), 200, "PERSISTED_QUERY_NOT_FOUND")
    for body in (asked | {"query": text}, asked, asked):
        response = await post(shop, body)
        assert (response.status_code, response.json()) == (200, COUNTED)
    params = {key: value if isinstance(value, str) else json.dumps(value) for key, value in asked.items()}
    assert (await shop.http.get("/graphql", params=params)).json() == COUNTED
    params["extensions"] = json.dumps(named("{ nobody }")["extensions"])
    told(await shop.http.get("/graphql", params=params), 200, "PERSISTED_QUERY_NOT_FOUND")


async def test_a_document_can_be_sent_by_get_too(shop: Shop) -> None:
    text = of_its_own(COUNT)
    extensions = json.dumps(named(text)["extensions"])
    assert (await shop.http.get("/graphql", params={"query": text, "extensions": extensions})).json() == COUNTED
    assert (await shop.http.get("/graphql", params={"extensions": extensions})).json() == COUNTED


async def test_a_mutation_is_none_by_get_however_it_is_named(shop: Shop) -> None:
    text = of_its_own('mutation { customerCreate(input: { name: "Ana" }) { userErrors { code } } }')
    assert (await post(shop, named(text, query=text))).status_code == 200
    told(
        await shop.http.get("/graphql", params={"extensions": json.dumps(named(text)["extensions"])}),
        405,
        "BAD_REQUEST",
    )
    assert (await shop.ask(COUNT))["customers"]["totalCount"] == 1


async def test_nobody_puts_another_text_under_a_hash(shop: Shop, open_shop: Callable[..., Shop]) -> None:
    text, other = of_its_own(COUNT), of_its_own("{ viewer { scopes } }")
    told(await post(shop, named(text, query=other)), 400, "BAD_REQUEST")
    told(await post(shop, named(text)), 400, "PERSISTED_QUERY_NOT_FOUND")
    assert (await post(shop, named(text, query=text))).json() == COUNTED
    told(await post(shop, named(text, query=other)), 400, "BAD_REQUEST")
    # Another organisation's answer is its own.
    assert (await post(open_shop(), named(text))).json() == COUNTED


async def test_what_is_no_document_is_not_kept(shop: Shop) -> None:
    text = of_its_own("{ nothing }")
    told(await post(shop, named(text, query=text)), 400, "GRAPHQL_VALIDATION_FAILED")
    told(await post(shop, named(text)), 400, "PERSISTED_QUERY_NOT_FOUND")


async def test_who_is_not_known_is_not_told_what_is_stored(shop: Shop) -> None:
    text = of_its_own(COUNT)
    for body in (named(text), named(text, query=text), {"documentId": f"sha256:{digest(text)}"}):
        response = await shop.http.post("/graphql", json=body, headers={"authorization": "Bearer gx_no"})
        told(response, 401, "UNAUTHENTICATED")
    told(await post(shop, named(text)), 400, "PERSISTED_QUERY_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {"extensions": {"persistedQuery": 1}},
        {"extensions": {"persistedQuery": {"sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 63}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "g" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ["0" * 64]}}},
        {"documentId": 1},
        {"documentId": "0" * 64},
        {"documentId": "md5:" + "0" * 32},
        {"documentId": "sha256:" + "0" * 64, **named("{ other }")},
        {"query": None, "extensions": {}},
    ],
)
async def test_what_is_no_hash_is_refused(shop: Shop, body: Any) -> None:
    told(await post(shop, body), 400, "BAD_REQUEST")
    if body.get("query", "") is not None:
        told(await post(shop, body | {"query": COUNT}), 400, "BAD_REQUEST")


def test_texts_are_kept_up_to_so_many_characters() -> None:
    stored = StoredDocuments(most=100)
    texts = [f"{{ a{n} }} {'#' * 20}" for n in range(20)]
    for text in texts:
        stored.keep(Given(text, None, None, digest(text)))
    assert sum(map(len, stored._sent.values())) == stored._size <= 100
    assert stored.text(Given("", None, None, digest(texts[-1]))) == texts[-1]


# ------------------------------------------------------------------ trusted


@asynccontextmanager
async def trusting(house: House, shop: Shop, documents: Path, mode: str) -> AsyncIterator[Shop]:
    said = {"GUANXI_DATABASE_URL": house.url, "GUANXI_CONNECTIONS": "2", "GUANXI_COST_LIMIT": "0"}
    said |= {"GUANXI_DOCUMENTS": str(documents), "GUANXI_DOCUMENTS_MODE": mode}
    app = create_app(Settings.from_environment(said))
    made = Shop(House(house.url, house.engine, app), shop.org, shop.key, None)
    async with app.router.lifespan_context(app), made.http:
        yield made


async def test_a_trusted_document_is_asked_by_its_id(house: House, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/count.graphql").write_text(COUNT)
    async with trusting(house, shop, tmp_path, "off") as asking:
        body = {"documentId": f"sha256:{digest(COUNT)}"}
        assert (await post(asking, body)).json() == COUNTED
        assert (await asking.http.get("/graphql", params=body)).json() == COUNTED
        assert (await post(asking, body | {"query": COUNT})).json() == COUNTED
        assert (await post(asking, named(COUNT))).json() == COUNTED
        told(await post(asking, body | {"query": "{ viewer { scopes } }"}), 400, "BAD_REQUEST")
        told(await post(asking, {"documentId": "sha256:" + "0" * 64}), 400, "PERSISTED_QUERY_NOT_FOUND")
        assert (await post(asking, {"query": "{ viewer { scopes } }"})).status_code == 200


async def test_no_other_document_is_answered_where_they_are_enforced(house: House, shop: Shop, tmp_path: Path) -> None:
    listed = tmp_path / "documents.json"
    listed.write_text(json.dumps({digest(COUNT): COUNT}))
    other = of_its_own("{ viewer { scopes } }")
    async with trusting(house, shop, listed, "enforce") as asking:
        for body in ({"documentId": f"sha256:{digest(COUNT)}"}, {"query": COUNT}, named(COUNT)):
            assert (await post(asking, body)).json() == COUNTED
        for body in ({"query": other}, named(other, query=other)):
            told(await post(asking, body), 400, "FORBIDDEN")
        told(await post(asking, named(other)), 400, "PERSISTED_QUERY_NOT_FOUND")
        stream = await asking.http.post("/graphql", json={"query": other}, headers={"accept": "text/event-stream"})
        assert '"FORBIDDEN"' in stream.text
        assert "scopes" not in stream.text


async def test_others_are_told_of_before_they_are_enforced(
    house: House, shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "count.graphql").write_text(COUNT)
    other = of_its_own('{ customer(by: { email: "secret@example.com" }) { id } }')
    async with trusting(house, shop, tmp_path, "log") as asking:
        with caplog.at_level(logging.WARNING, "guanxi.documents"):
            for query in (COUNT, other, other):
                assert (await post(asking, {"query": query})).status_code == 200
    assert caplog.messages == [f"document sha256:{digest(other)} is not trusted"]


def test_lists_of_documents_as_clients_write_them(tmp_path: Path) -> None:
    listed = tmp_path / "documents.json"
    for found in (
        {digest(COUNT): COUNT},
        {f"sha256:{digest(COUNT)}": COUNT},
        {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [{"id": digest(COUNT), "name": "A", "type": "query", "body": COUNT}],
        },
    ):
        listed.write_text(json.dumps(found))
        assert trusted_documents(listed) == {digest(COUNT): COUNT}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"a": 1}',
        json.dumps({"0" * 64: COUNT}),
        json.dumps({"format": "apollo-persisted-query-manifest", "operations": [1]}),
        json.dumps({digest("#" * 70_000): "#" * 70_000}),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    listed = tmp_path / "documents.json"
    listed.write_text(text)
    with pytest.raises(OperatorError):
        trusted_documents(listed)
    with pytest.raises(OperatorError):
        trusted_documents(tmp_path / "nowhere.json")
