"""A measure is one thing: as a field, a filter, a sort key, a group, in a scenario and in its own explanation.

The metric catalogue names the routes and the schema their types, so that a new measure is held to this too.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any

import pytest

from app.customers.measures import customers
from app.query.measure import Ladder, Noted
from tests.conftest import BACKENDS, NOW
from tests.histories import histories, write
from tests.house import FULL, LATER, Shop, house
from tests.oracle.facts import Facts, facts_of
from tests.oracle.generator import random_history
from tests.oracle.history import History
from tests.oracle.judgements import Policy, judge
from tests.oracle.printing import half_away, instant_text, money
from tests.reading import FACTS, JUDGED, default_policy, leaf, letters, read_all, selection
from tests.scores.scenarios import typed, typed_policy

COUNT = 100 if FULL else 60
VALUES = 100 if FULL else 3
ZONE = "Asia/Shanghai"
backends = pytest.mark.parametrize("backend", BACKENDS)


@cache
def lived(backend: str) -> tuple[Shop, list[History]]:
    shop = house(backend).shop(ZONE)
    lives = histories(77, COUNT, shop.zone)
    write(shop, lives)
    return shop, lives


# ------------------------------------------------------------------------------------------------ the routes


@dataclass(frozen=True)
class Route:
    """How one value is selected, filtered, sorted and grouped by; None where it is not."""

    path: str
    filter: str | None
    order: str | None
    group: str | None


@cache
def fields(type_name: str) -> dict[str, str]:
    """The fields of a type, or of an input, with the names of their types."""
    query = """query Fields($name: String!) { __type(name: $name) {
      fields { name args { name } type { ...named } } inputFields { name type { ...named } } enumValues { name } } }
      fragment named on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"""
    told = lived("sqlite")[0].ask(query, name=type_name)["__type"]
    found = {}
    for each in (told["fields"] or []) + (told["inputFields"] or []):
        of = each["type"]
        while of["name"] is None:
            of = of["ofType"]
        if not each.get("args"):
            found[each["name"]] = of["name"]
    return found | {value["name"]: "" for value in told["enumValues"] or ()}


def type_at(root: str, path: str) -> str:
    for part in path.split("."):
        root = fields(root)[part]
    return root


@cache
def routes() -> list[Route]:
    """Those of the catalogue, and those of the facts that are no measures."""
    shop = lived("sqlite")[0]
    listed = shop.ask("{ metricCatalog { selectedAs filteredAs orderedAs groupedAs } }")["metricCatalog"]
    found = [Route(*each.values()) for each in listed]
    orders, filters = fields("CustomerOrderField"), fields("CustomerFactsWhere")
    for name in fields("CustomerFacts"):
        path = f"facts.{name}"
        if path not in {route.path for route in found}:
            order = upper(path)
            found.append(Route(path, path if name in filters else None, order if order in orders else None, None))
    return found


def upper(path: str) -> str:
    return "_".join("".join(f"_{c}" if c.isupper() else c for c in part) for part in path.split(".")).upper()


def camel(path: str) -> str:
    first, *rest = path.split(".")
    return first + "".join(part[0].upper() + part[1:] for part in rest)


def selected(route: Route) -> str:
    return f"{route.path}.amount" if type_at("Customer", route.path) == "Money" else route.path


def comparable(route: Route, value: Any) -> Any:
    """As it sorts: an enumeration by the place of its values, money as a number."""
    of = type_at("Customer", route.path)
    if value is None or of in ("Int", "Float", "Boolean", "Date", "DateTime", "String"):
        return value
    return Decimal(value) if of in ("Money", "Decimal") else list(fields(of)).index(value)


def nest(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


@cache
def rows(backend: str, as_of: datetime | None) -> list[Any]:
    shop, _ = lived(backend)
    found = read_all(shop, selection(selected(route) for route in routes()), LATER, as_of)
    assert len(found) == COUNT
    return found


def values(backend: str, route: Route, as_of: datetime | None = None) -> dict[str, Any]:
    return {row["name"]: leaf(row, selected(route)) for row in rows(backend, as_of)}


def test_the_catalogue_names_a_route_for_every_judgement() -> None:
    paths = {selected(route) for route in routes()}
    shown_only = {"value.perceived.quality", "value.perceived.price", "value.perceived.answeredOn"}
    assert paths | shown_only == {*FACTS, *JUDGED}
    assert all(route.filter in (route.path, None) and route.order in (upper(route.path), None) for route in routes())
    assert {route.order for route in routes()} - {None} >= set(fields("CustomerOrderField")) - {
        *("CREATED_AT", "UPDATED_AT", "NAME")
    }


# ------------------------------------------------------------------------------------------------ filters

FILTER = """query Filter($where: CustomerWhere, $asOf: DateTime) {
  customers(first: 100, where: $where, asOf: $asOf) { totalCount nodes { name } } }"""


def filtered(shop: Shop, where: Any, as_of: datetime | None = None) -> set[str]:
    found = shop.ask(FILTER, where=where, asOf=as_of and instant_text(as_of))["customers"]
    assert found["totalCount"] == len(found["nodes"])
    return {node["name"] for node in found["nodes"]}


def operators(route: Route, value: Any, of: str) -> Iterator[tuple[Any, Any]]:
    """Operators of a filter type with that value, and what they say of another."""
    held, known = comparable(route, value), fields(of)
    if value is None:
        yield {"isNull": True}, lambda other: other is None
        return
    if "isNull" in known:
        yield {"isNull": False}, lambda other: other is not None
    equal = {"eq": value} if "eq" in known else {"gte": value, "lte": value}
    yield equal, lambda other: other == held
    for operator, test in (
        ("in", lambda other: other == held),
        ("notIn", lambda other: other != held),
        ("gte", lambda other: other is not None and other >= held),
        ("gt", lambda other: other is not None and other > held),
        ("lte", lambda other: other is not None and other <= held),
        ("lt", lambda other: other is not None and other < held),
    ):
        if operator in known:
            yield {operator: [value] if operator.lower().endswith("in") else value}, test


def agrees(backend: str, route: Route, asked: Any, says: Any, as_of: datetime | None = None) -> None:
    """A filter finds just those whose field says so, and its NOT the rest."""
    shop, _ = lived(backend)
    by_name = values(backend, route, as_of)
    right = {name for name, other in by_name.items() if says(comparable(route, other))}
    where = nest(route.filter or "", asked)
    assert filtered(shop, where, as_of) == right, (where, as_of)
    assert filtered(shop, {"NOT": where}, as_of) == set(by_name) - right, (where, as_of)


def occurring(backend: str, route: Route, as_of: datetime | None = None) -> list[Any]:
    return [
        each for _, each in sorted({letters(each): each for each in values(backend, route, as_of).values()}.items())
    ]


# A statement that is asked for the first time is dear to make, so by default each database tries operators of its own.
@backends
def test_a_filter_finds_just_those_whose_field_says_so_and_its_not_the_rest(backend: str) -> None:
    rng = Random(BACKENDS.index(backend))
    for route in [route for route in routes() if route.filter]:
        of, found = type_at("CustomerWhere", route.filter or ""), occurring(backend, route)
        for value in found if len(found) <= VALUES else rng.sample(found, VALUES):
            equal = [test for test in operators(route, value, of) if value is None or "isNull" not in test[0]][:1]
            for asked, says in equal:
                agrees(backend, route, asked, says)
        every = [test for value in found[-2:] for test in operators(route, value, of)]
        for asked, says in every if FULL else rng.sample(every, 1):
            agrees(backend, route, asked, says)


@backends
def test_every_operator_says_what_it_says_of_each_kind_of_value(backend: str) -> None:
    tried: set[tuple[str, str]] = set()
    for route in [route for route in routes() if route.filter]:
        of = type_at("CustomerWhere", route.filter or "")
        for value in occurring(backend, route)[:: -1 if backend == "sqlite" else 1]:
            for asked, says in operators(route, value, of):
                if not {(of, operator) for operator in asked} <= tried:
                    tried |= {(of, operator) for operator in asked}
                    agrees(backend, route, asked, says)
    assert len(tried) > 40


@backends
def test_filters_of_the_past_are_those_of_its_fields(backend: str) -> None:
    rng = Random(BACKENDS.index(backend))
    filterable = [route for route in routes() if route.filter]
    for route in filterable if FULL else rng.sample(filterable, 7):
        of = type_at("CustomerWhere", route.filter or "")
        asked, says = rng.choice(list(operators(route, rng.choice(occurring(backend, route, NOW)), of)))
        agrees(backend, route, asked, says, NOW)


# ------------------------------------------------------------------------------------------------ sorting

SORT = """query Sort($by: [CustomerOrder!], $asOf: DateTime, $after: String) {
  customers(first: 100, orderBy: $by, asOf: $asOf, after: $after) { nodes { name } } }"""


def in_order(by: list[tuple[Route, str]], backend: str, as_of: datetime | None) -> list[str]:
    """Nulls last either way; ids, which rise with the names, break ties in the direction of the last key."""
    names = sorted((row["name"] for row in rows(backend, as_of)), reverse=by[-1][1] == "DESC")
    for route, direction in reversed(by):
        known = {name: comparable(route, value) for name, value in values(backend, route, as_of).items()}
        rest = [name for name in names if known[name] is None]
        names = [name for name in names if known[name] is not None]
        # Python's sort keeps equals as they are, reversed too.
        names = sorted(names, key=known.__getitem__, reverse=direction == "DESC") + rest
    return names


@backends
@pytest.mark.parametrize("as_of", [None, NOW], ids=["stored", "past"])
def test_a_sort_is_that_of_the_fields(backend: str, as_of: datetime | None) -> None:
    shop, _ = lived(backend)
    sortable = [route for route in routes() if route.order]
    asked = [[(route, direction)] for route in sortable for direction in ("ASC", "DESC")]
    rng = Random(BACKENDS.index(backend))
    if as_of and not FULL:
        asked = rng.sample(asked, 8)
    pairs = [rng.sample(sortable, 2) for _ in range(60 if FULL else 3)]
    asked += [[(route, rng.choice(("ASC", "DESC"))) for route in pair] for pair in pairs]
    for by in asked:
        given = [{"field": route.order, "direction": direction} for route, direction in by]
        found = shop.ask(SORT, by=given, asOf=as_of and instant_text(as_of))["customers"]["nodes"]
        assert [node["name"] for node in found] == in_order(by, backend, as_of), given


# ------------------------------------------------------------------------------------------------ groups


def aggregates() -> dict[str, Route]:
    """The fields of CustomerMeasures, and what they are of."""
    by_name = {camel(route.path): route for route in routes()}
    return {name: by_name[name] for name in fields("CustomerMeasures")}


def group_query(dimensions: list[str]) -> str:
    of = " ".join(fields("CustomerMeasures"))
    row = f"count factsNet {{ amount }} avg {{ {of} }} min {{ {of} }} max {{ {of} }}"
    keys = " ".join(dimensions)
    return f"""query Groups($by: [CustomerDimension!]!, $where: CustomerWhere, $asOf: DateTime) {{
      customerGroups(by: $by, where: $where, asOf: $asOf)
      {{ complete rows {{ {keys} {row} }} all {{ {row} }} }} }}"""


DECIMALS = {"value.score": 4, "value.churnRisk": 6, "value.health": 4}


def summed_up(backend: str, members: set[str], as_of: datetime | None) -> dict[str, Any]:
    """What a group says of its members."""
    net = next(route for route in routes() if route.path == "facts.net")
    total = sum(Decimal(value) for name, value in values(backend, net, as_of).items() if name in members)
    found: dict[str, Any] = {
        "count": len(members),
        "factsNet": {"amount": f"{total:.2f}"},
        "avg": {},
        "min": {},
        "max": {},
    }
    for name, route in aggregates().items():
        known = [v for who, v in values(backend, route, as_of).items() if who in members and v is not None]
        exact, is_money = [Fraction(str(v)) for v in known], type_at("Customer", route.path) == "Money"
        decimals = 2 if is_money else DECIMALS.get(route.path, 4)
        for aggregate, value in (
            ("avg", Fraction(half_away(sum(exact) / len(exact) * 10**decimals), 10**decimals) if exact else None),
            ("min", min(exact, default=None)),
            ("max", max(exact, default=None)),
        ):
            printed = None if value is None else money(int(value * 100), 2) if is_money else float(value)
            found[aggregate][name] = printed
    return found


@backends
def test_groups_are_counts_and_sums_of_the_fields(backend: str) -> None:
    shop, _ = lived(backend)
    routed = [route for route in routes() if route.group]
    asked = [[route] for route in routed] + [[a, b] for a, b in itertools.pairwise(routed)]
    some = {"lifecycle": {"stage": {"in": ["LOYAL", "CHURNED"]}}, "value": {"score": {"gte": 30}}}
    rng = Random(BACKENDS.index(backend))
    nobody = {"facts": {"keptOrders": {"gt": 1000}}}
    for where, as_of in ((None, None), (some, None), (None, NOW), (some, NOW), (nobody, None)):
        everyone = {row["name"] for row in rows(backend, as_of)} if where is None else filtered(shop, where, as_of)
        for dimensions in asked if FULL else rng.sample(asked, 2 if where or as_of else 6):
            given = {"by": [route.group for route in dimensions], "where": where}
            query = group_query([camel(route.path) for route in dimensions])
            found = shop.ask(query, **given, asOf=as_of and instant_text(as_of))["customerGroups"]
            members: dict[tuple[Any, ...], set[str]] = defaultdict(set)
            known = [values(backend, route, as_of) for route in dimensions]
            for name in everyone:
                members[tuple(each[name] for each in known)].add(name)
            keys = [camel(route.path) for route in dimensions]
            told = {tuple(row.pop(key) for key in keys): row for row in found["rows"]}
            assert found["complete"]
            assert len(told) == len(found["rows"])
            assert told == {key: summed_up(backend, who, as_of) for key, who in members.items()}, given
            assert found["all"] == summed_up(backend, everyone, as_of), given


@backends
def test_groups_count_as_filters_do(backend: str) -> None:
    shop, _ = lived(backend)
    for route in routes():
        if route.group and route.filter:
            query = group_query([camel(route.path)])
            for row in shop.ask(query, by=[route.group])["customerGroups"]["rows"]:
                key = row[camel(route.path)]
                where = nest(route.filter, {"isNull": True} if key is None else {"eq": key})
                assert len(filtered(shop, where)) == row["count"], (route, key)


# ------------------------------------------------------------------------------------------------ scenarios

WHY = """{ rule policyVersion reasons { rule sentence fact observed threshold met }
  next { to sufficient sentence fact needed by } }"""
EXPLAINED = {
    "stage": ("lifecycle", "STAGE", "lifecycle.stage"),
    "phase": ("lifecycle", "PHASE", "lifecycle.phase"),
    "action": ("lifecycle", "NEXT_ACTION", "lifecycle.nextAction"),
    "tier": ("relationship", None, "relationship.tier"),
    "score": ("value", "SCORE", "value.score"),
    "rfm": ("value", "RFM", "value.rfm.cell"),
    "risk": ("value", "CHURN_RISK", "value.churnRisk"),
    "health": ("value", "HEALTH", "value.health"),
    "behavior": ("value", "BEHAVIOR", "value.behavior"),
    "perceived": ("value", "PERCEIVED", "value.perceived.ratio"),
}
LADDERS: dict[str, Any] = {key: made for key, made in customers.measures.items() if isinstance(made, Ladder)}
LADDERS["action"] = LADDERS.pop("next_action")


def explanations(*names: str) -> str:
    """Each under its name, below the part that it belongs to."""
    parts: dict[str, str] = defaultdict(str)
    for name in names:
        part, of, _ = EXPLAINED[name]
        parts[part] += f" {name}_why: why{f'(of: {of})' if of else ''} {WHY}"
    return " ".join(f"{part} {{ {told} }}" for part, told in parts.items())


def scenario(shop: Shop, given: Any, select: str, now: datetime = NOW, policy: Any = None) -> Any:
    query = f"""query Scenario($facts: CustomerFactsInput!, $policy: PolicySetInput) {{
      customerScenario(facts: $facts, policy: $policy) {{ {select} }} }}"""
    return shop.ask(query, now, facts=given, policy=policy)["customerScenario"]


# In a scenario the answer is of today.
SAID = tuple(path for path in JUDGED if path != "value.perceived.answeredOn")


def known_of(life: History, shop: Shop) -> Facts:
    return facts_of(life, NOW, shop.zone)


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


def random_policy(rng: Random) -> Policy:
    new, active, churn = sorted(rng.sample(range(1, 500), 3))
    weights = [rng.randint(0, 250_000) for _ in range(4)]
    return Policy(
        new_days=rng.choice((0, new)),
        active_days=active,
        churn_days=churn,
        loyal_min_occasions=rng.randint(1, 6),
        loyal_min_span_days=rng.choice((0, 30, 180, 400)),
        complaint_sla_days=rng.choice((0, 1, 15, 60)),
        detractor_window_days=rng.choice((0, 91, 365)),
        customer_min_occasions=rng.randint(1, 3),
        customer_min_inbound=rng.randint(0, 6),
        client_min_dialogues=rng.randint(0, 4),
        client_min_needs=rng.randint(0, 2),
        client_min_tailored=rng.randint(0, 3),
        partner_min_cocreation=rng.randint(0, 3),
        rfm_recency_cuts=tuple(sorted(rng.choices((0, 1, 30, 90, 181, 400), k=4))),  # type: ignore[arg-type]
        rfm_frequency_cuts=tuple(sorted(rng.choices((0, 1, 2, 3, 5), k=4))),  # type: ignore[arg-type]
        rfm_monetary_cuts=tuple(sorted(rng.choices((0, 1, 99_99, 100_00, 500_00), k=4))),  # type: ignore[arg-type]
        value_weights=tuple(str(Decimal(w).scaleb(-6)) for w in (*weights, 1_000_000 - sum(weights))),
    )


# ------------------------------------------------------------------------------------------------ explanations


@cache
def explained(backend: str) -> list[tuple[Facts, Any]]:
    """Each customer's facts, judgements and explanations as of NOW."""
    shop, lives = lived(backend)
    told = read_all(shop, f"{selection([*JUDGED, *FACTS])} {explanations(*EXPLAINED)}", LATER, NOW)
    return [(known_of(life, shop), row) for life, row in zip(lives, told, strict=True)]


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


# ------------------------------------------------------------------------------------------------ steps

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
