"""Two exits of one engine, the statement's JSON as it comes and graphql-core completing the same, say the same."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.loyalty.tables import PointsEntry
from app.query.on_postgresql import PostgreSQL
from app.query.on_sqlite import SQLite
from schema.queries import ROOTS
from tests.api.made import Maker
from tests.query.conftest import FULL, Lanes, Shop, asked
from tests.query.documents import DOCUMENTS, deepest
from tests.query.members import program_of
from tests.query.outreach import campaign_of, member_of
from tests.query.shop import ORG, public

MADE = 1_500 if FULL else 40
GOLDEN = Path(__file__).parent.parent / "golden"
# What is asked every day. A field that can no longer be answered by its statement alone would be seen here.
CORE = DOCUMENTS | {"the_deepest": deepest()} | {path.stem: path.read_text() for path in GOLDEN.glob("*.graphql")}


@pytest.mark.parametrize("what", CORE)
async def test_what_is_asked_every_day_is_answered_by_its_statement(lanes: Lanes, shop: Shop, what: str) -> None:
    taken, told, completed = await lanes.both(shop, CORE[what])
    # Who asks stands in the request, not in a table.
    assert taken == ("core" if "viewer" in CORE[what] else "sql")
    # The order of keys is that of the selection, too.
    assert json.loads(told, object_pairs_hook=list) == json.loads(completed, object_pairs_hook=list)


class Documents(Maker):
    """Several root fields, under aliases, in fragments that are there or not."""

    def made(self) -> tuple[str, dict[str, Any]]:
        declared, fields, fragments, variables = ["$yes: Boolean!", "$no: Boolean!"], [], [], {"yes": True, "no": False}
        for n in range(self.dice.choice((1, 1, 2, 3))):
            text, given = self.document("query", self.dice.choice(sorted(ROOTS)))
            head, _, body = text.partition(" { ")
            body = body.removesuffix(" }")
            for name in sorted(given, key=len, reverse=True):
                head = head.replace(f"${name}:", f"$v{n}_{name}:")
                body = body.replace(f": ${name}", f": $v{n}_{name}")
            variables |= {f"v{n}_{name}": value for name, value in given.items()}
            declared += [head.partition("(")[2].removesuffix(")")] if "(" in head else []
            field = f"a{n}: {body}"
            match self.dice.randrange(5):
                case 0:
                    fragments.append(f"fragment F{n} on Query {{ {field} }}")
                    field = f"...F{n}"
                case 1:
                    field = f"... on Query @include(if: $yes) {{ {field} }}"
                case 2:
                    field = f"... @skip(if: $no) {{ {field} }} __typename"
            fields.append(field)
        fields.append("nobody: __typename @skip(if: $yes) somebody: __typename @include(if: $no)")
        return f"query Made({', '.join(declared)}) {{ {' '.join(fields)} }} {' '.join(fragments)}", variables


async def test_both_lanes_say_the_same_of_documents_that_nobody_thought_of(
    lanes: Lanes, shops: dict[str, Shop]
) -> None:
    dice = random.Random(20_261_122)
    people = shops["sqlite"].live
    ids = [public("cus", person.id) for person in people[:5]]
    ids += [public("tou", each.id) for person in people[:20] for each in person.shown[:1]]
    ids += [public("pur", each.id) for person in people[:20] for each in person.purchases[:1]]
    ids += [public("acc", book.id) for person in people[:20] for book in person.books[:1]]
    ids += [
        public("ent", row["id"]) for person in people[:9] for book in person.books for row in book.rows[PointsEntry]
    ]
    ids += [public("lpr", program_of(ORG, number)) for number in (0, 1)]
    ids += [public("cam", campaign_of(ORG)), *(public("mem", member_of(ORG, number)) for number in range(8))]
    maker, seen = Documents(dice, ids), Counter[str]()
    for number in range(MADE):
        query, variables = maker.made()
        answers = {}
        for backend, shop in shops.items():
            taken, told, completed = await lanes.both(shop, query, variables)
            assert json.loads(told) == json.loads(completed), (number, backend, query, variables)
            answers[backend] = (taken, told)
            seen[taken] += 1
        assert answers["sqlite"] == answers["postgresql"], (number, query, variables)
    assert seen["sql"] > 0.9 * MADE, seen


COERCED = """query($first: Int = 2, $after: String, $names: [String!], $kinds: [CustomerKind!]!, $where: CustomerWhere,
    $order: [CustomerOrder!], $in: [LifecycleStage!]) {
  customers(first: $first, after: $after, orderBy: $order, where: {AND: [$where, {kind: {in: $kinds}}]}) {
    nodes { id name kind } }
  some: customers(first: 3, where: {name: {in: $names}, lifecycle: {stage: {in: $in}}}) { nodes { id } } }"""


@pytest.mark.parametrize(
    "given",
    [
        {"kinds": "PERSON", "where": {}},
        {"kinds": ["PERSON", "COMPANY"], "where": {"name": {"contains": "a"}}, "first": 7},
        {"kinds": [], "where": {"OR": [{"name": {"eq": "x"}}, {"touchpoints": {"some": {"kind": {"eq": "NOTE"}}}}]}},
        {"kinds": ["PERSON"], "where": {}, "first": None},
        {"kinds": ["PERSON"], "where": {}, "first": 0},
        {"kinds": ["PERSON"], "where": {}, "names": "Ana", "in": "LOYAL"},
        {"kinds": ["PERSON"], "where": {"lifecycle": {"stage": {"in": ["LOYAL", "NEW"]}}}, "in": ["CHURNED"]},
        {"kinds": ["PERSON"], "where": {}, "order": {"field": "VALUE_SCORE", "direction": "DESC"}},
        {"kinds": ["PERSON"], "where": {}, "order": [{"field": "NAME"}, {"field": "CREATED_AT"}]},
        {"kinds": ["PERSON"], "where": {}, "order": None, "names": None},
        {"kinds": ["PERSON"], "where": None},
        {"kinds": ["PERSON"]},
        {"kinds": None, "where": {}},
        {"kinds": ["NOBODY"], "where": {}},
        {"kinds": ["PERSON"], "where": {"name": {"eq": 5}}},
        {"kinds": ["PERSON"], "where": {"nothing": {}}},
        {"kinds": ["PERSON"], "where": {}, "first": 2.5},
        {"kinds": ["PERSON"], "where": {}, "first": 2.0},
        {"kinds": ["PERSON"], "where": {}, "first": True},
        {"kinds": ["PERSON"], "where": {}, "after": "nonsense"},
        {"kinds": ["PERSON"], "where": {}, "unknown": 1},
    ],
)
async def test_variables_are_coerced_as_graphql_core_does(lanes: Lanes, shop: Shop, given: dict[str, Any]) -> None:
    _, told, completed = await lanes.both(shop, COERCED, given)
    assert told == completed


async def test_what_is_unusual_is_completed_by_graphql_core(shop: Shop) -> None:
    for query in (
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Customer") { name } customers { totalCount } }',
        "{ viewer { scopes } }",
        "{ metricCatalog { __typename } }",
        'mutation { touchpointRecord(input: {customerId: "x", kind: NOTE}) { userErrors { code } } }',
    ):
        assert (await asked(shop, query))[0] == "core", query


async def test_one_of_several_operations_is_answered(lanes: Lanes, shop: Shop) -> None:
    query = "query A { customers(first: 1) { totalCount } } query B { customers(first: 1) { __typename } }"
    assert await asked(shop, query, name="B") == ("sql", b'{"data":{"customers":{"__typename":"CustomerConnection"}}}')
    taken, told = await asked(shop, query)
    assert (taken, json.loads(told)["errors"][0]["extensions"]["code"]) == ("core", "OPERATION_RESOLUTION_FAILURE")


class Broken(Exception):
    """Holds SECRET words that nobody may read."""


@pytest.mark.parametrize("driver", [SQLite, PostgreSQL])
async def test_a_statement_that_fails_is_told_whole_and_masked(
    lanes: Lanes, shops: dict[str, Shop], monkeypatch: pytest.MonkeyPatch, driver: Any
) -> None:
    shop = shops["sqlite" if driver is SQLite else "postgresql"]
    run = driver.run

    async def fail(self: Any, prepared: Any, values: Any) -> Any:
        if "touchpoints" in prepared.text:
            raise Broken("SECRET")
        return await run(self, prepared, values)

    monkeypatch.setattr(driver, "run", fail)
    person = public("cus", shop.live[0].id)
    one = f'one: customer(by: {{id: "{person}"}}) {{ touchpoints {{ totalCount }} }}'
    other = f'other: customer(by: {{id: "{person}"}}) {{ id }}'
    for query, data in (
        (f"{{ {one} }}", {"one": None}),
        (f"{{ {one} {other} }}", {"one": None, "other": {"id": person}}),
        (f"{{ {other} all: customers {{ nodes {{ touchpoints {{ totalCount }} }} }} }}", None),
    ):
        taken, told, completed = await lanes.both(shop, query)
        answer = json.loads(told)
        assert taken == "sql"
        assert answer == json.loads(completed)
        assert answer["data"] == data
        [error] = answer["errors"]
        assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"}
        assert b"SECRET" not in told


async def test_a_question_asked_again_is_neither_walked_nor_compiled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """query($first: Int!, $name: String!, $after: String) { customers(first: $first, after: $after,
      where: {name: {contains: $name}}) { nodes { id touchpoints(first: $first) { nodes { id } } } } }"""
    assert (await asked(shop, query, {"first": 1, "name": "a"}))[0] == "sql"

    def never(*_: Any) -> None:
        raise AssertionError("walked again")

    monkeypatch.setattr("schema.plan.Planner._paged", never)
    monkeypatch.setattr("app.query.statement.World.compile", never)
    for first, name in ((2, "b"), (90, ""), (7, "王")):
        taken, told = await asked(shop, query, {"first": first, "name": name})
        assert (taken, b"errors" in told) == ("sql", False)
