"""What is promised of a step comes true when it is taken, until its last day and no longer."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from tests.conftest import BACKENDS, NOW
from tests.house import FULL, Shop
from tests.oracle.facts import Facts, facts_of
from tests.oracle.generator import random_history
from tests.reading import JUDGED, default_policy, leaf, selection
from tests.scores.crowd import lived
from tests.scores.explaining import EXPLAINED, LADDERS, explained, explanations
from tests.scores.scenarios import random_policy, scenario, typed, typed_policy

backends = pytest.mark.parametrize("backend", BACKENDS)

CHANGED = {
    "Contacts from the customer": "inboundDaysAgo",
    "Dialogues": "dialogueDaysAgo",
    "Needs confirmed": "needDaysAgo",
    "Co-creations": "coCreationDaysAgo",
    "Brand activities": "brandActivityDaysAgo",
}


def carried_out(given: dict[str, Any], step: Any, day: date, told: date) -> dict[str, Any]:
    """The facts after a step that is taken on that day; the first of several purchases is made when it is told."""
    what, n = step["sentence"].partition(":")[0], int(step["needed"])
    assert n > 0
    if what == "Days with a purchase":
        since = since_of(step)
        last = min(0, (day - since).days) if since and day == told else 0
        return given | {
            "keptOrders": given["keptOrders"] + n,
            "occasions": given["occasions"] + n,
            "firstPurchaseDaysAgo": given.get("firstPurchaseDaysAgo", (day - told).days if since and n > 1 else 0),
            "lastPurchaseDaysAgo": min(given.get("lastPurchaseDaysAgo", last), last),
            "occasionDaysAgo": given["occasionDaysAgo"] + [0] * n,
        }
    if what == "Open complaints to resolve":
        return given | {"openComplaints": given["openComplaints"] - n}
    if what == "Survey answers of 9 or 10":
        return given | {"npsAnswer": 9, "npsDaysAgo": 0}
    return given | {CHANGED[what]: given[CHANGED[what]] + [0] * n}


def since_of(step: Any) -> date | None:
    said = step["sentence"].partition("on or after ")[2][:10]
    return date.fromisoformat(said) if said else None


def goodness(name: str, value: Any) -> Any:
    """Grows as the judgement gets better."""
    if name in LADDERS:
        return LADDERS[name].worst_first.index(value) if value in LADDERS[name].worst_first else -1
    return -float(value) if name == "risk" else float(value)


def outcome(shop: Shop, facts: Facts, steps: list[Any], name: str, days: int = 0, policy: Any = None) -> Any:
    """The judgement once the steps are taken so many days from now."""
    now = NOW + timedelta(days=days)
    given = typed(facts, shop.today(now), 2)
    for step in steps:
        given = carried_out(given, step, shop.today(now), shop.today(NOW))
    path = EXPLAINED[name][2]
    return leaf(scenario(shop, given, selection([path]), now, policy), path)


def promised(backend: str) -> Iterator[tuple[Facts, str, Any, list[Any]]]:
    for facts, row in explained(backend)[: None if FULL or backend == "sqlite" else 20]:
        for name, (part, _, path) in EXPLAINED.items():
            if steps := row[part][f"{name}_why"]["next"]:
                yield facts, name, leaf(row, path), steps


@backends
def test_every_promised_step_comes_true_when_it_is_taken(backend: str) -> None:
    shop, _ = lived(backend)
    kinds = set()
    for facts, name, before, steps in promised(backend):
        hold_to(shop, facts, name, before, steps)
        kinds |= {(name, step["sentence"].partition(":")[0], step["sufficient"]) for step in steps}
    assert FULL or backend != "sqlite" or len(kinds) >= 20


@backends
def test_promises_hold_under_other_policies_until_their_last_day(backend: str) -> None:
    """Of steps that have one, and of those that work from a day on."""
    shop, ends = lived(backend)[0], 0
    for seed in range(1000 if FULL else 30 if backend == "sqlite" else 6):
        rng = Random(1000 + seed)
        policy = typed_policy(random_policy(rng) if seed % 3 else default_policy(2), 2)
        facts = facts_of(random_history(rng, NOW, shop.zone), NOW, shop.zone)
        given = typed(facts, shop.today(NOW), 2)
        select = f"{selection(JUDGED)} {explanations('stage', 'phase', 'tier')}"
        row = scenario(shop, given, select, policy=policy)
        for name in ("stage", "phase", "tier"):
            part, _, path = EXPLAINED[name]
            if steps := row[part][f"{name}_why"]["next"]:
                hold_to(shop, facts, name, leaf(row, path), steps, policy)
                ends += hold_until(shop, facts, name, steps, policy)
    assert ends > 0


def alternatives(steps: list[Any]) -> list[list[Any]]:
    """Each that suffices alone, or all of them together."""
    return [[step] for step in steps if step["sufficient"]] or [steps]


def hold_to(shop: Shop, facts: Facts, name: str, before: Any, steps: list[Any], policy: Any = None) -> None:
    """What is promised comes true when it is done today."""
    assert [int(step["needed"]) for step in steps] == sorted(int(step["needed"]) for step in steps)
    assert len({step["sufficient"] for step in steps}) == 1
    for taken in alternatives(steps):
        to = taken[0]["to"]
        assert {step["to"] for step in taken} == {to}
        assert goodness(name, outcome(shop, facts, taken, name, policy=policy)) >= goodness(name, to), (name, taken)
        assert before is None or goodness(name, to) > goodness(name, before), (name, taken)
        if len(taken) > 1:
            without = outcome(shop, facts, taken[1:], name, policy=policy)
            assert goodness(name, without) < goodness(name, to), (name, taken)


def hold_until(shop: Shop, facts: Facts, name: str, steps: list[Any], policy: Any = None) -> int:
    """What is promised until a day, or from a day on, holds just so long; how many such days there were."""
    ends = 0
    for taken in alternatives(steps):
        to = goodness(name, taken[0]["to"])

        def good(days: int, taken: list[Any] = taken) -> Any:
            return goodness(name, outcome(shop, facts, taken, name, days, policy))

        by = min((step["by"] for step in taken if step["by"]), default=None)
        days = 1000 if by is None else (date.fromisoformat(by) - shop.today(NOW)).days
        assert days >= 0
        assert good(days) >= to, (name, days, facts, taken, policy)
        if by is not None:
            ends += 1
            assert good(days + 1) < to, (name, days + 1, facts, taken, policy)
        if since := since_of(taken[0]):
            first = (since - shop.today(NOW)).days
            assert good(first) >= to, (name, first, facts, taken, policy)
            assert first <= 1 or good(first - 1) < to, (name, first - 1, facts, taken, policy)
    return ends


@backends
@pytest.mark.parametrize("name", ["tier", "phase", "stage"])
def test_by_is_the_last_day_on_which_a_step_still_works(backend: str, name: str) -> None:
    shop, _ = lived(backend)
    ends = sum(hold_until(shop, facts, of, steps) for facts, of, _, steps in promised(backend) if of == name)
    assert ends > 0 or name == "stage" or backend != "sqlite"
