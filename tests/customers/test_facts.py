"""Facts kept event by event, in whatever order events are told, are those that all the events make."""

from dataclasses import replace
from datetime import datetime
from functools import cache
from random import Random
from typing import Any

import pytest
from sqlalchemy import update

from app.customers.facts import facts, rebuild_all, verify
from app.platform.ids import key_of
from tests.conftest import BACKENDS
from tests.histories import Scribe, enter, histories, notable_instants, one_by_one, up_to, write
from tests.house import FULL, LATER, Shop, house
from tests.oracle.history import History
from tests.reading import FACTS, JUDGED, default_policy, differences, expected, leaf, read_all, selection

LIVES = 150 if FULL else 15
INSTANTS = 8 if FULL else 3
ZONE = "America/Sao_Paulo"
EVERYTHING = selection([*FACTS, *JUDGED, "terminatedOn", "suppressed"])

backends = pytest.mark.parametrize("backend", BACKENDS)


def at_equal_instants(lives: list[History], rng: Random) -> list[History]:
    """Some of what happened, happened at one instant."""
    return [_at_once(life, rng) if rng.random() < 0.4 else life for life in lives]


def _at_once(life: History, rng: Random) -> History:
    at = rng.choice([event.at for event in (*life.orders, *life.touches)] or [LATER])

    def moved(event: Any) -> Any:
        if rng.random() < 0.5:
            return event
        if getattr(event, "resolved_at", None):
            return replace(event, at=at, resolved_at=max(at, event.resolved_at))
        if getattr(event, "refunds", None):
            return replace(event, at=min(at, *(refund.at for refund in event.refunds)))
        return replace(event, at=at)

    orders, touches = [moved(order) for order in life.orders], [moved(touch) for touch in life.touches]
    return replace(life, orders=orders, touches=touches, words=[moved(word) for word in life.words])


@cache
def lived(backend: str) -> tuple[Shop, list[History]]:
    """An organisation whose customers' events were told one by one, in any order; facts are right after each."""
    shop = house(backend).shop(ZONE)
    rng = Random(40)
    lives = at_equal_instants(histories(4, LIVES, shop.zone), rng)
    ids = enter(shop, lives)
    with shop.working() as work:
        scribes = [Scribe(work, key, shop.org.currency, f"{name}/{shop.org.id}") for name, key in ids.items()]
        telling = [one_by_one(scribe, life, rng) for scribe, life in zip(scribes, lives, strict=True)]
        while telling:
            # One event of each of some customers, then a look.
            for teller in rng.sample(telling, min(len(telling), 4)):
                step = next(teller, None)
                if step is None:
                    telling.remove(teller)
                else:
                    step()
            assert verify(work) == {}
    return shop, lives


def rows(shop: Shop, now: datetime = LATER, as_of: datetime | None = None) -> list[dict[str, Any]]:
    paths = (*FACTS, *JUDGED, "terminatedOn", "suppressed")
    return [{path: leaf(row, path) for path in paths} for row in read_all(shop, EVERYTHING, now, as_of)]


def wanted(shop: Shop, lives: list[History], now: datetime) -> list[dict[str, Any]]:
    return [expected(life, now, shop, default_policy(shop.org.exponent)) for life in lives]


def unlike(got: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> dict[int, Any]:
    pairs = enumerate(zip(got, wanted, strict=True))
    return {place: found for place, pair in pairs if (found := differences(*pair))}


@backends
def test_facts_are_right_after_each_event_in_any_order(backend: str) -> None:
    shop, lives = lived(backend)
    assert unlike(rows(shop), wanted(shop, lives, LATER)) == {}


@backends
def test_a_rebuild_changes_nothing(backend: str) -> None:
    shop, lives = lived(backend)
    before = rows(shop)
    with shop.working() as work:
        assert rebuild_all(work) == len(lives)
        assert verify(work) == {}
    assert rows(shop) == before


@backends
def test_as_of_an_instant_is_what_one_would_have_been_told_then_had_all_been_known(backend: str) -> None:
    shop, lives = lived(backend)
    for instant in notable_instants(lives, shop.zone, Random(41), INSTANTS):
        then = house(backend).shop(ZONE)
        write(then, [up_to(life, instant) for life in lives], LATER)
        looking_back, told_then = rows(shop, LATER, instant), rows(then, instant)
        assert unlike(looking_back, told_then) == {}, instant
        assert unlike(told_then, wanted(shop, lives, instant)) == {}, instant


@backends
def test_what_is_broken_is_found_by_name_and_mended_by_a_rebuild(backend: str) -> None:
    shop = house(backend).shop(ZONE)
    ids = write(shop, histories(6, 3, shop.zone))
    with shop.working() as work:
        table, key = facts.table, key_of(ids["0001"], "cus")
        mine = table.c.org_id == shop.org.id, table.c.customer_id == key
        wrong = {"kept_orders": table.c.kept_orders + 1, "inbound_6": 1, "marketing_granted": 9}
        work.session.execute(update(table).where(*mine).values(**wrong))
        found = verify(work)
        assert {key: sorted(names) for key, names in found.items()} == {key: sorted(wrong)}
        rebuild_all(work)
        assert verify(work) == {}
