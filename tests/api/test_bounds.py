"""What cannot be asked is refused before anything runs, and a document costs no more than its text."""

from typing import Any

import pytest
from sqlalchemy import event

from tests.api.acting import House, Shop

ACCEPT = {"accept": "application/graphql-response+json"}


def bomb(size: int) -> str:
    """Fragments that spread each other twice: 2^size fields."""
    rings = " ".join(
        f"fragment F{n} on Customer {{ a{n}: touchpoints {{ nodes {{ ...G{n} }} }} }}"
        f" fragment G{n} on Touchpoint {{ x{n}: customer {{ ...F{n + 1} }} y{n}: customer {{ ...F{n + 1} }} }}"
        for n in range(size)
    )
    return f"{{ customers {{ nodes {{ ...F0 }} }} }} {rings} fragment F{size} on Customer {{ id }}"


DEEP = "{ customers { nodes { " + "purchases { nodes { customer { " * 30 + "id" + " } } }" * 30 + " } } }"
CANNOT: dict[str, tuple[str, str]] = {
    "a page of none": ("{ customers(first: 0) { totalCount } }", "BAD_USER_INPUT"),
    "first and last": ("{ customers(first: 1, last: 1) { totalCount } }", "BAD_USER_INPUT"),
    "a foreign cursor": ('{ customers(after: "00") { totalCount } }', "BAD_USER_INPUT"),
    "a null operator": ("{ customers(where: { name: { eq: null } }) { totalCount } }", "BAD_USER_INPUT"),
    "the future": ('{ customers(asOf: "2999-01-01T00:00:00Z") { totalCount } }', "BAD_USER_INPUT"),
    "a group page of none": ("{ customerGroups(by: [], first: 0) { complete } }", "BAD_USER_INPUT"),
    "facts nobody has": ("{ customerScenario(facts: { keptOrders: 1 }) { value { score } } }", "BAD_USER_INPUT"),
    "depth": (DEEP, "MAX_DEPTH_EXCEEDED"),
    "a bomb": (bomb(40), "MAX_DEPTH_EXCEEDED"),
    "one field very often": ("{ " + "customers { totalCount } " * 60 + "}", "MAX_COST_EXCEEDED"),
}


@pytest.mark.parametrize("name", CANNOT)
async def test_it_is_a_request_error_and_runs_nothing(shop: Shop, house: House, name: str) -> None:
    document, code = CANNOT[name]
    ran: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        ran.append(statement)

    await shop.ask("{ viewer { scopes } }")  # the key is known now
    event.listen(house.engine, "before_cursor_execute", note)
    try:
        response = await shop.http.post("/graphql", json={"query": document}, headers=ACCEPT)
    finally:
        event.remove(house.engine, "before_cursor_execute", note)
    answer = response.json()
    assert (response.status_code, set(answer)) == (400, {"errors"})
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
    assert not [statement for statement in ran if "customers" in statement]


@pytest.mark.parametrize(
    "asked", ["customer { touchpoints(first: 500) { totalCount } }", "query { customers(first: 0) { totalCount } }"]
)
async def test_nothing_is_done_for_whom_no_answer_could_be_told(shop: Shop, asked: str) -> None:
    document = f'mutation {{ customerCreate(input: {{ name: "Ghost" }}) {{ {asked} userErrors {{ code }} }} }}'
    response = await shop.http.post("/graphql", json={"query": document}, headers=ACCEPT)
    assert (response.status_code, set(response.json())) == (400, {"errors"})
    assert (await shop.ask("{ customers { totalCount } }"))["customers"]["totalCount"] == 0


async def test_a_tool_may_ask_what_there_is(shop: Shop) -> None:
    deep = "ofType { name " * 9 + "}" * 9
    answer = await shop.ask(f"{{ __schema {{ types {{ fields {{ args {{ type {{ name {deep} }} }} }} }} }} }}")
    assert answer["__schema"]["types"]
