"""Every fact and judgement of random lives, now and as of the past, is what plain Python makes of the same events."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pytest

from app.scores.actions import publish_policy
from tests.conftest import BACKENDS, NOW
from tests.histories import histories, notable_instants, write
from tests.house import FULL, LATER, Shop, house
from tests.oracle.history import History
from tests.oracle.judgements import Policy
from tests.reading import FACTS, JUDGED, default_policy, differences, expected, leaf, letters, read_all, selection

# Zones on both sides of UTC, one with summer time; currencies with two, no and three decimals.
PLACES = (("Europe/Paris", "EUR", 101), ("America/St_Johns", "JPY", 20), ("Asia/Shanghai", "KWD", 20))
INSTANTS = 20 if FULL else 5
SIZE = 10 if FULL else 1
CHANGED_AT = NOW - timedelta(days=100)
EVERYTHING = selection([*FACTS, *JUDGED, "facts.net.currency", "lifecycle.why.policyVersion"])


@dataclass
class Told:
    """An organisation with its customers' lives, and the policies it had."""

    shop: Shop
    lives: list[History]
    policies: list[tuple[datetime, Policy]]

    def policy(self, now: datetime) -> tuple[int, Policy]:
        """The version in force then, or the first before there was any."""
        version = max([n for n, (since, _) in enumerate(self.policies) if since <= now], default=0)
        return version + 1, self.policies[version][1]

    def expected(self, now: datetime) -> list[dict[str, Any]]:
        version, policy = self.policy(now)
        also = {"facts.net.currency": self.shop.org.currency, "lifecycle.why.policyVersion": version}
        return [expected(life, now, self.shop, policy) | also for life in self.lives]

    def read(self, now: datetime = LATER, as_of: datetime | None = None) -> list[dict[str, Any]]:
        rows = read_all(self.shop, EVERYTHING, now, as_of)
        return [{path: leaf(row, path) for path in self.paths} for row in rows]

    @property
    def paths(self) -> tuple[str, ...]:
        return (*FACTS, *JUDGED, "facts.net.currency", "lifecycle.why.policyVersion")


@cache
def told(backend: str, place: int) -> Told:
    zone, currency, count = PLACES[place]
    shop = house(backend).shop(zone, currency)
    lives = histories(place + 1, count * SIZE, shop.zone)
    write(shop, lives)
    policies = [(NOW - timedelta(days=366), default_policy(shop.org.exponent))]
    if place:
        policies.append((CHANGED_AT, replace(policies[0][1], **STRICTER)))
        with shop.working(CHANGED_AT) as work:
            change = {**STRICTER, "value_weights": WEIGHTS}
            publish_policy(work, {"set": change, "expected_version": 1, "rfm_cuts_from_base": False})
    return Told(shop, lives, policies)


STRICTER: dict[str, Any] = {
    "new_days": 30,
    "active_days": 91,
    "churn_days": 181,
    "loyal_min_occasions": 3,
    "loyal_min_span_days": 60,
    "complaint_sla_days": 0,
    "detractor_window_days": 400,
    "customer_min_occasions": 1,
    "customer_min_inbound": 2,
    "client_min_dialogues": 1,
    "client_min_needs": 2,
    "client_min_tailored": 2,
    "partner_min_cocreation": 1,
    "rfm_recency_cuts": (1, 30, 30, 200),
    "rfm_frequency_cuts": (1, 1, 2, 3),
    "value_weights": ("0.123457", "0.3", "0.3", "0.076543", "0.2"),
}
WEIGHED = ("recency", "frequency", "monetary", "engagement", "advocacy")
WEIGHTS = dict(zip(WEIGHED, map(float, STRICTER["value_weights"]), strict=True))

backends = pytest.mark.parametrize("backend", BACKENDS)
places = pytest.mark.parametrize("place", range(len(PLACES)))


def assert_alike(got: list[dict[str, Any]], wanted: list[dict[str, Any]], when: object = None) -> None:
    assert len(got) == len(wanted)
    wrong = {name: found for name, pair in enumerate(zip(got, wanted, strict=True)) if (found := differences(*pair))}
    assert wrong == {}, when


@backends
@places
def test_what_is_stored_says_what_the_events_say(backend: str, place: int) -> None:
    here = told(backend, place)
    assert_alike(here.read(LATER), here.expected(LATER))


@backends
@places
def test_a_clock_that_stays_behind_the_newest_event_reads_only_what_had_happened(backend: str, place: int) -> None:
    here = told(backend, place)
    assert_alike(here.read(NOW), here.expected(NOW))


@backends
@places
def test_as_of_an_instant_everything_is_what_it_would_have_been(backend: str, place: int) -> None:
    here = told(backend, place)
    for instant in notable_instants(here.lives, here.shop.zone, Random(place), INSTANTS):
        assert_alike(here.read(LATER, instant), here.expected(instant), instant)


@backends
def test_as_of_a_day_before_anybody_came_nobody_has_done_anything(backend: str) -> None:
    here = told(backend, 0)
    long_ago = NOW - timedelta(days=20_000)
    assert_alike(here.read(LATER, long_ago), here.expected(long_ago))
    assert {row["facts.touchpoints"] + row["facts.keptOrders"] for row in here.read(LATER, long_ago)} == {0}


@places
def test_both_databases_answer_with_the_same_letters(place: int) -> None:
    instants = [None, *notable_instants(told("sqlite", place).lives, told("sqlite", place).shop.zone, Random(9), 3)]
    asked = selection([*FACTS, *JUDGED])
    for instant in instants:
        answers = {letters(read_all(told(backend, place).shop, asked, LATER, instant)) for backend in BACKENDS}
        assert len(answers) == 1, instant


def test_the_lives_told_reach_every_judgement() -> None:
    seen = Counter(
        (path, value)
        for place in range(len(PLACES))
        for row in told("sqlite", place).expected(NOW)
        for path, value in row.items()
    )
    stages = {"PROSPECT", "NEW", "ACTIVE", "LOYAL", "CHURNED"}
    assert stages == {value for path, value in seen if path == "lifecycle.stage"}
    assert {None, "BUYER", "CUSTOMER", "CLIENT", "PARTNER"} == {
        value for path, value in seen if path == "relationship.tier"
    }
    assert len([value for path, value in seen if path == "lifecycle.nextAction"]) >= 10
    assert len([value for path, value in seen if path == "lifecycle.phase"]) == 6
    assert len([value for path, value in seen if path == "value.behavior"]) == 5
