"""A question that is asked again with other values is not planned again, and says what it would say if it were."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from schema import lane
from schema.lane import Repeated
from tests.conftest import NOW
from tests.query.conftest import Lanes, Shop
from tests.query.shop import public

PAGE = """query Page($first: Int, $after: String, $last: Int, $before: String) {
  customers(first: $first, after: $after, last: $last, before: $before, orderBy: [%s], where: {name: {contains: "a"}}) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { id name value { score } } } }"""
SCORE, CHANGED = "{field: VALUE_SCORE, direction: DESC}, {field: NAME}", "{field: UPDATED_AT}"
NOBODY = "cus_" + "0" * 32


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each question for which there was one to repeat: whether it was."""
    seen: list[bool] = []
    asked = Repeated.asked

    def note(self: Repeated, *given: Any) -> Any:
        found = asked(self, *given)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(Repeated, "asked", note)
    return seen


@pytest.mark.parametrize("order", [SCORE, CHANGED])
async def test_pages(lanes: Lanes, shop: Shop, again: list[bool], order: str) -> None:
    document = PAGE % order
    _, first, _ = await lanes.both(shop, document, {"first": 4})
    _, other, _ = await lanes.both(shop, PAGE % "{field: NAME}", {"first": 4})
    begins, strange = (json.loads(each)["data"]["customers"]["pageInfo"]["endCursor"] for each in (first, other))
    for given in (
        {"first": 5, "after": begins},
        {"first": 100, "after": begins},
        {"first": 0, "after": begins},
        {"first": 101, "after": begins},
        {"first": 5, "after": strange},
        {"first": 5, "after": "nonsense"},
        {"first": 5, "after": ""},
        {"first": None, "after": begins},
        {"after": begins},
        {"last": 3, "before": begins},
        {"last": 2, "before": begins},
        {"last": -1, "before": begins},
        {"first": 3, "last": 3},
        {"first": 3, "last": 4},
        {"first": None, "last": None, "after": None, "before": None},
        {},
    ):
        _, told, completed = await lanes.both(shop, document, given)
        assert told == completed, given
    assert again.count(True) >= 2
    assert again.count(False) >= 5


async def test_a_page_goes_on_at_the_clock_of_the_first_one(lanes: Lanes, shop: Shop, again: list[bool]) -> None:
    for given in ({"first": 4}, {"first": 7}):
        page = (await shop.client().ask(PAGE % SCORE, **given))["customers"]
        for size in (5, 6):
            going_on = {"first": size, "after": page["pageInfo"]["endCursor"]}
            later = await shop.client(NOW + timedelta(days=40)).ask(PAGE % SCORE, **going_on)
            assert later == await shop.client().ask(PAGE % SCORE, **going_on)
    assert again.count(True) >= 6


FILTERED = "query Filtered($it: %s) { customers(first: 9, where: {%s}) { totalCount nodes { id name } } }"
# How a filter is written, its variable's type, its values, and whether the second one asks the same question.
FILTERS: dict[str, tuple[str, Sequence[Any], bool]] = {
    "createdAt: {gte: $it}": ("DateTime", ["2025-03-01T00:00:00Z", "2025-09-01T02:00:00+02:00", "x", None], True),
    "createdAt: {withinDays: $it}": ("Int", [30, 400, -1, 36_501, None], True),
    "birthday: {lt: $it}": ("Date", ["1980-01-01", "1990-12-31", "1990-13-31"], True),
    "name: {contains: $it}": ("String", ["a", "AN", "\0", "", "x" * 3000], True),
    "name: {eq: $it}": ("String", ["Ana", "Li", "\0", 5], True),
    "name: {in: $it}": ("[String!]", [["Ana"], ["Li", "Ana"], [], ["x"] * 201, "Li", [None]], True),
    "email: {isNull: $it}": ("Boolean", [True, False, True], False),
    "id: {eq: $it}": ("ID", [NOBODY, "tou_" + "0" * 32, "x", 7], True),
    "id: {notIn: $it}": ("[ID!]", [[NOBODY], [], ["x"]], True),
    "lifecycle: {stage: {eq: $it}}": ("LifecycleStage", ["LOYAL", "NEW", "NOBODY"], True),
    "facts: {net: {eq: $it}}": ("Decimal", ["0", "12.34", "0.001", "1e30"], True),
    "facts: {net: {gte: $it}}": ("Decimal", ["0", "12.345", "1e30"], True),
    "suppressed: {eq: $it}": ("Boolean", [True, False], True),
    "NOT: {touchpoints: {some: {occurredAt: {gte: $it}}}}": (
        "DateTime",
        ["2025-03-01T00:00:00Z", "2025-09-01T00:00:00Z"],
        True,
    ),
    "NOT: $it": ("CustomerWhere", [{"kind": {"eq": "PERSON"}}, {"name": {"eq": "Ana"}}, {}], False),
    "OR: $it": ("[CustomerWhere!]", [[{"kind": {"eq": "PERSON"}}], [{"name": {"eq": "Ana"}}, {}], []], False),
    "OR: [$it, {suppressed: {eq: true}}]": ("CustomerWhere", [{"kind": {"eq": "PERSON"}}, {}], False),
    "name: $it": ("StringFilter", [{"eq": "Ana"}, {"startsWith": "L"}, {}], False),
    "segment: {in: $it}": ("[ID!]", [[NOBODY], ["seg_" + "0" * 32]], False),
}


@pytest.mark.parametrize("written", FILTERS)
async def test_filters(lanes: Lanes, shop: Shop, again: list[bool], written: str) -> None:
    kind, values, same = FILTERS[written]
    for value in [*values, *values]:
        _, told, completed = await lanes.both(shop, FILTERED % (kind, written), {"it": value})
        assert told == completed, value
    assert (again.count(True) > 0) is same


async def test_other_arguments_make_another_question(lanes: Lanes, shop: Shop, again: list[bool]) -> None:
    query = """query Others($order: [CustomerOrder!], $archived: ArchivedScope!, $search: String, $at: DateTime) {
      customers(first: 3, orderBy: $order, archived: $archived, search: $search, asOf: $at) { nodes { id } } }"""
    for given in (
        {"archived": "EXCLUDE", "order": [{"field": "NAME"}]},
        {"archived": "EXCLUDE", "order": [{"field": "CREATED_AT"}]},
        {"archived": "ONLY", "order": []},
        {"archived": "EXCLUDE", "search": "an"},
        {"archived": "EXCLUDE", "search": "li"},
        {"archived": "EXCLUDE", "at": "2025-06-01T00:00:00Z"},
        {"archived": "EXCLUDE", "at": "2025-07-01T00:00:00Z"},
    ):
        _, told, completed = await lanes.both(shop, query, given)
        assert told == completed, given
    assert not again


async def test_what_the_fields_below_take_from_a_request_is_read_again(
    lanes: Lanes, shop: Shop, again: list[bool]
) -> None:
    query = """query Below($few: Int!) {
      customers(first: 3) { nodes { id touchpoints(first: $few) { nodes { id } } } } }"""
    for few in (1, 2, 0):
        _, told, completed = await lanes.both(shop, query, {"few": few})
        assert told == completed
    assert not again


async def test_each_root_and_each_plan_has_its_own(lanes: Lanes, shop: Shop, again: list[bool]) -> None:
    query = """query Some($yes: Boolean!, $few: Int, $id: ID!) {
      a: customers(first: $few) { nodes { id name @include(if: $yes) } }
      b: touchpoints(first: $few) { nodes { id } totalCount @skip(if: $yes) }
      c: customer(by: {id: $id}) { id name } }"""
    for few in (3, 4, 101, None):
        for yes in (True, False):
            for person in (shop.live[0], shop.live[1]):
                given = {"few": few, "yes": yes, "id": public("cus", person.id)}
                _, told, completed = await lanes.both(shop, query, given)
                assert told == completed, given
    assert again.count(True) > 12


async def test_an_id_is_read_as_closely_as_the_first_time(lanes: Lanes, shop: Shop, again: list[bool]) -> None:
    query = "query One($id: ID!) { customer(by: {id: $id}) { id name value { score } } }"
    one, two = (public("cus", person.id) for person in shop.live[:2])
    for given in (one, two, f"{one}@1750000000000000", "tou_" + one[4:], NOBODY, f" {two}", two.upper(), 7, two):
        _, told, completed = await lanes.both(shop, query, {"id": given})
        assert told == completed, given
    assert again == [True, False, False, True, False, False, False, True]


async def test_it_shows_each_organisation_its_own(lanes: Lanes, shop: Shop, next_door: Shop, again: list[bool]) -> None:
    page = await shop.client().ask(PAGE % CHANGED, first=2)
    given = {"first": 3, "after": page["customers"]["pageInfo"]["endCursor"]}
    query = "query One($id: ID!) { customer(by: {id: $id}) { name } }"
    for each in (shop, next_door, shop):
        _, told, completed = await lanes.both(each, PAGE % CHANGED, given)
        assert told == completed
        mine = {person.id for person in each.live}
        assert all(
            row["id"] in {public("cus", key) for key in mine} for row in json.loads(told)["data"]["customers"]["nodes"]
        )
        found = await each.client().ask(query, id=public("cus", shop.live[0].id))
        assert (found["customer"] is not None) is (each is shop)
    assert again.count(True) >= 4


async def test_few_forms_are_kept(shop: Shop) -> None:
    names = [f"v{n}" for n in range(7)]
    declared = ", ".join(f"${name}: String" for name in names)
    tests = ", ".join(f"{{name: {{contains: ${name}}}}}" for name in names)
    query = f"query Many({declared}) {{ customers(first: 1, where: {{OR: [{tests}]}}) {{ nodes {{ id }} }} }}"
    for number in range(100):
        given = {name: "a" for place, name in enumerate(names) if number >> place & 1}
        await shop.client().post(query, given)
    document: Any = shop.app.endpoint.documents.known(query)  # type: ignore[attr-defined]
    (plan,) = [each for each in document.operation(None).plans.values() if isinstance(each, lane.Plan)]
    assert len(plan.roots[0].selected.forms) <= 64
    assert len(plan.roots[0].repeated) <= 64
