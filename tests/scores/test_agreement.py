"""A measure is one thing: as a field, a filter, a sort key and a group.

The metric catalogue names the routes and the schema their types, so that a new measure is held to this too.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from random import Random
from typing import Any

import pytest

from tests.conftest import BACKENDS, NOW
from tests.house import FULL, LATER, Shop
from tests.oracle.printing import half_away, instant_text, money
from tests.reading import FACTS, JUDGED, leaf, letters, read_all, selection
from tests.scores.crowd import COUNT, lived

VALUES = 100 if FULL else 3
backends = pytest.mark.parametrize("backend", BACKENDS)


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
