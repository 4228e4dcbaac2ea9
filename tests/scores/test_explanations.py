"""A measure is the same in a scenario, and is what its own explanation says."""

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from app.query.measure import Noted
from tests.conftest import BACKENDS, NOW
from tests.house import FULL, LATER
from tests.oracle.judgements import judge
from tests.reading import default_policy, leaf, letters, read_all, selection
from tests.scores.crowd import COUNT, lived
from tests.scores.explaining import EXPLAINED, LADDERS, explained, explanations, known_of
from tests.scores.scenarios import SAID, random_policy, scenario, typed, typed_policy

backends = pytest.mark.parametrize("backend", BACKENDS)


# ------------------------------------------------------------------------------------------------ scenarios


@backends
def test_typed_in_facts_are_judged_as_the_customer_who_has_them(backend: str) -> None:
    shop, lives = lived(backend)
    policy = default_policy(2)
    told = read_all(shop, explanations(*EXPLAINED), LATER, NOW)
    select = f"{selection(SAID)} {explanations(*EXPLAINED)}"
    some = slice(None) if FULL or backend == "sqlite" else slice(None, None, 4)
    for row, life in list(zip(told, lives, strict=True))[some]:
        facts = known_of(life, shop)
        found = scenario(shop, typed(facts, shop.today(NOW), 2), select)
        wanted = judge(facts, policy, shop.today(NOW))
        assert {path: leaf(found, path) for path in SAID} == {path: wanted[path] for path in SAID}
        for name, (part, _, _) in EXPLAINED.items():
            assert letters(found[part][f"{name}_why"]) == letters(row[part][f"{name}_why"]), name


@backends
def test_a_proposed_policy_judges_as_if_it_were_in_force(backend: str) -> None:
    shop, lives = lived(backend)
    for seed, life in enumerate(lives[: COUNT if FULL else 25]):
        policy, facts = random_policy(Random(seed)), known_of(life, shop)
        found = scenario(shop, typed(facts, shop.today(NOW), 2), selection(SAID), policy=typed_policy(policy, 2))
        wanted = judge(facts, policy, shop.today(NOW))
        got = {path: leaf(found, path) for path in SAID}
        assert letters(got) == letters({path: wanted[path] for path in SAID}), policy


# ------------------------------------------------------------------------------------------------ explanations


@backends
def test_a_ladder_is_decided_by_the_first_rung_all_of_whose_reasons_are_met(backend: str) -> None:
    for _, row in explained(backend):
        for name, ladder in LADDERS.items():
            part, _, path = EXPLAINED[name]
            why = row[part][f"{name}_why"]
            met = {reason["rule"]: reason["met"] for reason in why["reasons"]}
            decided = None
            for rung in ladder.rungs(Noted(), Noted()):
                if all(met[test.rule] for test in rung.tests):
                    decided = rung
                    break
            assert why["policyVersion"] == 1
            assert leaf(row, path) == (decided.outcome if decided else None)
            assert why["rule"] == (decided.rule if decided else f"{ladder.rule_name or ladder.key}.none")


OBSERVED = {"keptOrders", "occasions", "lastPurchaseOn", "inboundLast90Days", "openComplaints", "nps"}


@backends
def test_reasons_tell_what_was_observed_and_read_aloud(backend: str) -> None:
    policy, today = default_policy(2), lived(backend)[0].today(NOW)
    for facts, row in explained(backend):
        reasons = {n: {r["rule"]: r for r in row[part][f"{n}_why"]["reasons"]} for n, (part, _, _) in EXPLAINED.items()}
        for each in (reason for found in reasons.values() for reason in found.values()):
            assert (each["observed"] or "none") in each["sentence"], each
            assert each["threshold"] is None or each["threshold"] in each["sentence"], each
            assert "{" not in each["sentence"]
        for rule, observed, threshold in (
            ("tier.buyer", facts.kept_orders, 1),
            ("tier.customer.occasions", facts.occasions, policy.customer_min_occasions),
            ("tier.partner.detractor", facts.nps, today - timedelta(days=policy.detractor_window_days)),
            (
                "tier.partner.complaint",
                facts.oldest_open_complaint_day,
                today - timedelta(days=policy.complaint_sla_days),
            ),
        ):
            told = reasons["tier"][rule]
            assert (told["observed"], told["threshold"]) == (text(observed), text(threshold)), rule
        if "stage.silent" in reasons["stage"]:
            told = reasons["stage"]["stage.silent"]
            assert told["observed"] == text(facts.last_day)
            assert told["threshold"] == text(today - timedelta(days=policy.churn_days))
            assert told["met"] is (
                facts.last_day is not None and facts.last_day < date.fromisoformat(told["threshold"])
            )


def text(value: Any) -> str | None:
    return None if value is None else str(value)


@backends
def test_the_addends_of_a_score_sum_to_it(backend: str) -> None:
    for _, row in explained(backend):
        total = leaf(row, "value.score")
        if total is not None:
            added = sum(Decimal(reason["threshold"]) for reason in row["value"]["score_why"]["reasons"])
            # Each is rounded by itself.
            assert abs(added - Decimal(str(total))) <= Decimal("0.0003")
