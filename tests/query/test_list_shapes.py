"""Whatever is selected of a list, and wherever it hangs: both lanes and both databases say the same."""

import json
from itertools import combinations

import pytest

from tests.query.conftest import Lanes, Shop
from tests.query.shop import public
from tests.query.test_same_bytes import answer

OF_A_LIST = (
    "__typename",
    "totalCount",
    "nodes { id kind }",
    "nodes { __typename }",
    "edges { node { kind } }",
    "edges { __typename node { id __typename } }",
    "edges { __typename }",
    "edges { cursor }",
    "pageInfo { hasNextPage }",
    "pageInfo { hasPreviousPage __typename }",
    "pageInfo { endCursor startCursor }",
)
SELECTED = [*OF_A_LIST, *map(" ".join, combinations(OF_A_LIST, 2))]
PLACES = {
    "at the root": "%s",
    "below many": "customers(first: 3) { nodes { %s } }",
    "below one": 'customer(by: { id: "%%s" }) { %s }',
}
LISTS = {"at the root": "customers", "below many": "touchpoints", "below one": "touchpoints"}
PAGES = ("first: 2", "last: 2", "first: 2, orderBy: [{ field: OCCURRED_AT, direction: ASC }]")


def asked(place: str, page: str, selected: list[str], shop: Shop) -> str:
    page = page.replace("OCCURRED_AT", "NAME") if place == "at the root" else page
    lists = " ".join(f"a{n}: {LISTS[place]}({page}) {{ {each} }}" for n, each in enumerate(selected))
    person = next(each for each in shop.live if len(each.touchpoints) > 3)
    return f"{{ {PLACES[place] % lists} }}".replace("%s", public("cus", person.id))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("place", PLACES)
async def test_both_databases_say_the_same_of_a_list(shops: dict[str, Shop], place: str, page: str) -> None:
    for some in (SELECTED[::2], SELECTED[1::2]):
        document = asked(place, page, some, shops["sqlite"])
        told = {backend: await answer(shop, document) for backend, shop in shops.items()}
        assert told["sqlite"] == told["postgresql"]


@pytest.mark.parametrize("place", PLACES)
async def test_both_lanes_say_the_same_of_a_list(lanes: Lanes, shop: Shop, place: str) -> None:
    for some in (SELECTED[::2], SELECTED[1::2]):
        taken, told, completed = await lanes.both(shop, asked(place, PAGES[0], some, shop))
        assert taken == "sql"
        assert json.loads(told, object_pairs_hook=list) == json.loads(completed, object_pairs_hook=list)
