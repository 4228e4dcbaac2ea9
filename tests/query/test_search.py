"""People are found by what is typed, best match first; and one of them by an id, a reference, an email or a phone."""

from functools import cache
from typing import Any

import pytest

from app.customers import actions
from app.platform.access import create_key
from app.platform.database import connect
from app.platform.work import Work, operator, transaction
from app.scores.actions import first_policy
from tests.client import Client, application
from tests.conftest import NOW
from tests.query.conftest import fresh_database
from tests.query.shop import ORG
from tests.query.storing import store_organization

PEOPLE: dict[str, dict[str, Any]] = {
    "wang": {"name": "王小明", "email": "ming@example.com", "phone": "+33612345678"},
    "xiao": {"name": "小明", "email": None, "phone": None},
    "zhang": {"name": "张明远", "email": "zhang@example.cn", "phone": "+8613800138000"},
    "emile": {"name": "Émile Zola", "email": "zola@example.com", "phone": None},
    "zola": {"name": "Anna Zola-Ming", "email": None, "phone": None},
    "zolar": {"name": "Zolar Anna", "email": None, "phone": None},
    "family": {"name": "Anna Family", "email": "family@example.net", "phone": "+33655555555"},
    "other": {"name": "Ben Family", "email": "family@example.net", "phone": "+33655555555"},
    "traps": {"name": "100% O'Brien _x_ {0} %s", "email": None, "phone": None},
    "gone": {"name": "Zola Gone", "email": "gone@example.com", "phone": "+33677777777"},
}
FIND = """query($search: String, $first: Int, $after: String, $last: Int, $where: CustomerWhere,
  $orderBy: [CustomerOrder!], $archived: ArchivedScope! = EXCLUDE) {
  customers(search: $search, first: $first, after: $after, last: $last, where: $where, orderBy: $orderBy,
    archived: $archived) {
    totalCount edges { cursor node { externalRefs { value } } } pageInfo { hasNextPage endCursor } } }"""


@cache
def served(backend: str) -> tuple[Any, str, dict[str, str]]:
    url = fresh_database(backend)
    engine = connect(url)
    ids = {}
    with transaction(engine) as session:
        store_organization(session, ORG)
        work = Work(session, operator(ORG), NOW)
        first_policy(work)
        for key, person in PEOPLE.items():
            made: Any = {**person, "external_refs": [{"system": "crm", "value": f"R-{key}"}]}
            ids[key] = actions.create_customer(work, made)["customer"]
        actions.archive_customer(work, {"customer": {"id": ids["gone"]}, "expected_version": None})
        key = create_key(session, ORG.id, ["read"], NOW)
    engine.dispose()
    return application(url), key, ids


@pytest.fixture
def ids(backend: str) -> dict[str, str]:
    return served(backend)[2]


@pytest.fixture
def client(backend: str) -> Client:
    app, key, _ = served(backend)
    return Client(app, key, NOW)


async def found(client: Client, search: str, **given: Any) -> list[str]:
    page = (await client.ask(FIND, search=search, **given))["customers"]
    names = [edge["node"]["externalRefs"][0]["value"].removeprefix("R-") for edge in page["edges"]]
    assert page["totalCount"] == len(names) or "last" in given
    return names


@pytest.mark.parametrize(
    ("search", "who"),
    [
        ("王小明", {"wang"}),
        ("小明", {"wang", "xiao"}),
        ("明", {"wang", "xiao", "zhang"}),
        ("王", {"wang"}),
        ("明远", {"zhang"}),
        ("小远", set()),
        ("zola", {"emile", "zola", "zolar"}),
        ("ZOL", {"emile", "zola", "zolar"}),
        ("ola", set()),
        ("émile", {"emile"}),
        ("E\u0301MILE", {"emile"}),
        ("anna zola", {"zola", "zolar"}),
        ("zola anna", {"zola", "zolar"}),
        ("  anna   zolar ", {"zolar"}),
        ("anna nobody", set()),
        ("zola@example.com", {"emile"}),
        ("ZOLA@EXAMPLE", {"emile"}),
        ("family@example.net", {"family", "other"}),
        ("+33612345678", {"wang"}),
        ("06 12 34 56 78", {"wang"}),
        ("138 0013 8000", {"zhang"}),
        ("R-wang", {"wang"}),
        ("R-zolar", {"zolar"}),
        ("o'brien", {"traps"}),
        ("%", set()),
        ("_", set()),
        ("...!?", set()),
        ("' OR 1=1 --", set()),
        ("gone", set()),
    ],
)
async def test_who_is_found(client: Client, search: str, who: set[str]) -> None:
    assert set(await found(client, search)) == who


async def test_the_best_match_comes_first(client: Client) -> None:
    # A whole word before the beginning of one; a name before an address.
    assert (await found(client, "zola"))[-1] == "zolar"
    assert (await found(client, "ming"))[0] == "zola"
    assert (await found(client, "小明"))[0] in ("wang", "xiao")
    assert await found(client, "zolar") == ["zolar"]


async def test_a_search_is_filtered_sorted_and_paged_like_any_list(client: Client) -> None:
    by_name = [{"field": "NAME", "direction": "DESC"}]
    assert await found(client, "zola", orderBy=by_name) == ["emile", "zolar", "zola"]
    assert await found(client, "zola", where={"email": {"isNull": False}}) == ["emile"]
    assert await found(client, "zola", where={"NOT": {"email": {"isNull": False}}}, orderBy=by_name) == [
        "zolar",
        "zola",
    ]
    assert await found(client, "gone", archived="ONLY") == await found(client, "gone", archived="INCLUDE") == ["gone"]
    everyone = await found(client, "zola")
    walked: list[str] = []
    after = None
    for _ in everyone:
        page = (await client.ask(FIND, search="zola", first=1, after=after))["customers"]
        assert page["totalCount"] == len(everyone)
        walked += [edge["node"]["externalRefs"][0]["value"].removeprefix("R-") for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert walked == everyone
    assert page["pageInfo"]["hasNextPage"] is False
    assert await found(client, "zola", last=2) == everyone[-2:]
    # A search's own cursor stands in no other list.
    assert await client.refused(FIND, search="zola", first=1, after=after, orderBy=by_name) == ["BAD_USER_INPUT"]


async def test_a_blank_search_is_none(client: Client) -> None:
    assert len(await found(client, "")) == len(await found(client, "  \u3000 ")) == len(PEOPLE) - 1
    assert (await client.ask(FIND, search=None))["customers"]["totalCount"] == len(PEOPLE) - 1


async def test_nobody_found_is_an_empty_page(client: Client) -> None:
    page = (await client.ask(FIND, search="..."))["customers"]
    assert page == {"totalCount": 0, "edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


async def test_too_long_a_search_is_refused(client: Client) -> None:
    assert await client.refused(FIND, search="a" * 1001) == ["BAD_USER_INPUT"]
    assert await client.refused(FIND, search="a\0") == ["BAD_USER_INPUT"]
    assert await found(client, "b" * 1000) == []


# ------------------------------------------------------------------ one customer


async def one(client: Client, **by: Any) -> str | None:
    found = (await client.ask("query($by: CustomerLookup!) { customer(by: $by) { id } }", by=by))["customer"]
    return found and str(found["id"])


async def test_a_customer_by_what_only_one_has(client: Client, ids: dict[str, str]) -> None:
    assert await one(client, id=ids["wang"]) == ids["wang"]
    assert await one(client, externalRef={"system": "crm", "value": "R-wang"}) == ids["wang"]
    assert await one(client, email=" ming@EXAMPLE.com ") == ids["wang"]
    assert await one(client, phone="+33 6 12 34 56 78") == ids["wang"]


async def test_several_are_as_good_as_none(client: Client) -> None:
    assert await one(client, email="family@example.net") is None
    assert await one(client, phone="+33655555555") is None


async def test_an_archived_customer_is_found_by_id_alone(client: Client, ids: dict[str, str]) -> None:
    assert await one(client, id=ids["gone"]) == ids["gone"]
    assert await one(client, externalRef={"system": "crm", "value": "R-gone"}) is None
    assert await one(client, email="gone@example.com") is None
    assert await one(client, phone="+33677777777") is None


@pytest.mark.parametrize(
    "by",
    [
        {"id": "cus_" + "0" * 32},
        {"id": "tou_" + "0" * 32},
        {"id": ""},
        {"id": "x' OR '1'='1"},
        {"externalRef": {"system": "crm", "value": "r-wang"}},
        {"externalRef": {"system": "CRM", "value": "R-wang"}},
        {"externalRef": {"system": "crm", "value": "R-wang\0"}},
        {"externalRef": {"system": "", "value": ""}},
        {"email": "nobody@example.com"},
        {"email": "not an address"},
        {"phone": "+33600000000"},
        {"phone": "seven"},
    ],
)
async def test_nobody_has_that(client: Client, by: dict[str, Any]) -> None:
    assert await one(client, **by) is None


@pytest.mark.parametrize("by", [{}, {"id": None}, {"id": "x", "email": "y"}, {"id": "x", "email": None}, {"name": "x"}])
async def test_a_lookup_is_by_one_thing(client: Client, by: dict[str, Any]) -> None:
    assert set(await client.refused("query($by: CustomerLookup!) { customer(by: $by) { id } }", by=by)) == {
        "BAD_USER_INPUT"
    }


async def test_a_reference_is_read_as_it_was_stored(client: Client, ids: dict[str, str]) -> None:
    assert await one(client, externalRef={"system": " crm", "value": "R-wang "}) == ids["wang"]
