"""The wall between a key and what its scopes do not cover: made from the schema, so that no field can be forgotten.

Each thing that has a policy is named by a key that has every scope but the one it needs, in every way that it can be
named. The answer is a refusal that tells its name and the scope; no statement is run, and nothing is written.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.platform.scopes import BUNDLES, PERSONAL, SCOPES
from app.query import fetch
from schema import access, documents, policies
from schema.coverage import NoPolicy, covered
from schema.schema import coverage, graphql_schema
from tests.api.acting import House, buy, by, contact, line, new_customer, open_house, ref, unknown
from tests.api.naming import FIELDS, PLACES, TYPES, VALUE, below, called, carriers, named, routes

ALL = [each for each in SCOPES if each not in BUNDLES or each == "admin"]
READS = [each for each in ALL if each.endswith(":read") or each == "admin"]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with open_house("sqlite") as made:
        yield made


def but(scope: str) -> list[str]:
    """Every scope but that one, and what brings it along."""
    return [each for each in ALL if each != scope and scope not in BUNDLES.get(each, ())]


class Guarded:
    """A shop with something in it, and a key for each scope that has all others."""

    def __init__(self, house: House) -> None:
        self.shop = house.shop("read", "write", "admin")
        self.without = {scope: self.shop.renewed(self.shop.now, *but(scope)) for scope in READS}
        self.statements: list[str] = []

    async def fill(self) -> None:
        self.customer = await new_customer(
            self.shop, "Ana", email=f"{VALUE}@example.com", phone="+4915112345678", birthday="1990-02-03"
        )
        await contact(self.shop, self.customer, "NOTE", subject=VALUE, body=VALUE)
        await buy(self.shop, self.customer)
        self.before = self.shop.rows()

    async def refused(self, scope: str, query: str, variables: Any = None) -> str:
        """The code of a refusal, which ran nothing and tells nobody's value."""
        self.statements.clear()
        answer = await self.without[scope].post(query, variables)
        assert "errors" in answer, (scope, query, variables, answer)
        told = {error["extensions"]["code"] for error in answer["errors"]}
        assert len(told) == 1, answer
        assert self.statements == [], (query, variables)
        assert VALUE not in json.dumps(answer)
        if told == {"FORBIDDEN_FIELD"}:
            assert "data" not in answer
            assert scope in answer["errors"][0]["message"], answer
        return str(told.pop())


@pytest.fixture(scope="module")
async def guarded(house: House) -> Any:
    made = Guarded(house)
    await made.fill()
    fetch.watchers.append(made.statements.append)
    yield made
    fetch.watchers.remove(made.statements.append)
    assert made.shop.rows() == made.before
    for each in (made.shop, *made.without.values()):
        await each.http.aclose()


INPUTS = [(key, scope) for key, scopes in coverage.inputs.items() for scope in scopes]
CODES = {"FORBIDDEN", "FORBIDDEN_FIELD"}


# ------------------------------------------------------------------ tests


@pytest.mark.parametrize("scope", READS)
async def test_no_field_is_selected_without_its_scope(guarded: Guarded, scope: str) -> None:
    tried = 0
    for of, name, needed in FIELDS:
        if needed != scope:
            continue
        told = TYPES[of].fields[name]
        head, tail = PLACES[of]
        field = f"{name}{called(told)}{below(told.type)}"
        code = await guarded.refused(scope, f"{head}{field}{tail}")
        assert code == "FORBIDDEN_FIELD" or not head.startswith("{ node("), (of, name, code)
        tried += 1
    assert tried >= 5


@pytest.mark.parametrize("scope", READS)
async def test_nothing_is_asked_by_what_may_not_be_seen(guarded: Guarded, scope: str) -> None:
    tried, ways = 0, 0
    for (wanted, key), needed in INPUTS:
        if needed != scope:
            continue
        for of, field, argument, definition in carriers():
            path = routes(definition.type, wanted)
            if path is None:
                continue
            ways += 1
            asked = named(of, field, argument, (*path, key))
            query, variables = asked[ways % 3]
            # Further away by the same road: a few of all the ways.
            if len(path) > 1 and ways % 4:
                continue
            code = await guarded.refused(scope, query, variables)
            root = PLACES[of][0] if of != "Mutation" else ""
            assert code == "FORBIDDEN_FIELD" or (code == "FORBIDDEN" and not root.startswith("{ node(")), query
            tried += 1
    assert tried > 5 or scope in ("campaigns:read", "segments:read", "policy:read", "admin")


@pytest.mark.parametrize("scope", READS)
async def test_nothing_is_sorted_or_grouped_by_what_may_not_be_seen(guarded: Guarded, scope: str) -> None:
    for (enum, value), scopes in coverage.values.items():
        if scope not in scopes:
            continue
        for of, field, argument, definition in carriers():
            path = routes(definition.type, enum)
            if path is None or of == "Mutation":
                continue
            for query, variables in named(of, field, argument, path):
                first = next(iter(TYPES[enum].values))
                chosen = query.replace(first, value)
                given = json.loads(json.dumps(variables).replace(f'"{first}"', f'"{value}"'))
                assert await guarded.refused(scope, chosen, given) in CODES
                if "after" not in TYPES[of].fields[field].args:
                    continue
                # A place in such a list is no way to it either; of a list that may not be asked, it is no place.
                paged = chosen.replace("orderBy:", f'after: "{VALUE}", orderBy:')
                asked = PLACES[of][0].startswith("{ node(")
                assert await guarded.refused(scope, paged, given) in (CODES if asked else {*CODES, "BAD_USER_INPUT"})


@pytest.mark.parametrize("scope", READS)
async def test_no_root_field_is_asked_without_its_scope(guarded: Guarded, scope: str) -> None:
    for name, needed in policies.ROOTS.items():
        if needed == scope:
            told = TYPES["Query"].fields[name]
            assert await guarded.refused(scope, f"{{ {name}{called(told)}{below(told.type)} }}") == "FORBIDDEN"


async def test_no_change_is_made_without_its_scope(guarded: Guarded) -> None:
    for name, needed in policies.MUTATIONS.items():
        told = graphql_schema.mutation_type.fields[name]  # type: ignore[union-attr]
        lacking = guarded.shop.renewed(guarded.shop.now, *but(needed))
        query = f'mutation {{ {name}{called(told)} @idempotent(key: "{name}") {{ userErrors {{ code }} }} }}'
        answer = await lacking.post(query)
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"], (name, answer)
        assert needed in answer["errors"][0]["message"]
        await lacking.http.aclose()


async def test_a_row_is_told_by_its_id_to_those_who_may_see_its_kind(guarded: Guarded) -> None:
    for scope, prefix in (("customers:read", "cus"), ("purchases:read", "pur"), ("loyalty:read", "acc")):
        there = guarded.customer if prefix == "cus" else unknown(prefix)
        told = set()
        for each in (there, unknown(prefix)):
            for field in (f'node(id: "{each}")', f'nodes(ids: ["{each}"])'):
                for more in ("", " viewer { scopes }"):
                    answer = await guarded.without[scope].post(f"{{ {field} {{ id }}{more} }}")
                    assert guarded.statements == []
                    told.add(str([each["message"] for each in answer["errors"]]))
        assert len(told) == 1


VOID = 'purchaseVoid(input: {purchase: {id: "x"}, reason: "x"}) { userErrors { code } }'
MADE = 'customerCreate(input: {name: "Bo"}) { customer { id } }'
BESIDE = [
    'mutation { customerCreate(input: {name: "Bo"}) { query { purchases { totalCount } } } }',
    f"mutation {{ {MADE} {VOID} }}",
    f"mutation {{ ...A }} fragment A on Mutation {{ {MADE} {VOID} }}",
]


@pytest.mark.parametrize("query", BESIDE)
async def test_nothing_is_done_whose_answer_could_not_be_told(guarded: Guarded, query: str) -> None:
    """What fails beside it would take the whole answer with it."""
    lacking = guarded.shop.renewed(guarded.shop.now, "customers:write", "customers:read")
    before = guarded.shop.rows()
    answer = await lacking.post(query)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN_FIELD"]
    assert "purchases:" in answer["errors"][0]["message"]
    assert guarded.shop.rows() == before
    await lacking.http.aclose()


WAYS = {
    "an alias": "{ customers { nodes { name: email } } }",
    "a fragment": "{ customers { nodes { ...A } } } fragment A on Customer { ...B } fragment B on Customer { email }",
    "an interface": "{ customers { nodes { ... on Node { ... on Customer { email } } } } }",
    "@include": "query($x: Boolean = true) { customers { nodes { email @include(if: $x) } } }",
    "@include that says no": "query($x: Boolean = false) { customers { nodes { email @include(if: $x) } } }",
    "@skip": "query($x: Boolean = false) { customers { nodes { ... @skip(if: $x) { email } } } }",
    "another root": "{ viewer { scopes } metricCatalog { key } customers { edges { node { email } } } }",
    "a relation": "{ purchases { nodes { customer { loyaltyAccounts { nodes { customer { email } } } } } } }",
    "a payload": 'mutation { customerCreate(input: {name: "A"}) { customer { email } } }',
    "beside a payload": 'mutation { customerCreate(input: {name: "A"}) { query { customers { nodes { phone } } } } }',
    "an error's row": 'mutation { customerCreate(input: {name: "A"}) { userErrors { ... on TakenError '
    "{ existing { ... on Customer { birthday } } } } } }",
    "a lookup in a change": 'mutation { customerArchive(input: {customer: {email: "a@b.c"}}) { userErrors { code } } }',
    "part of a variable": "query($x: CustomerWhere = {email: {isNull: false}}) "
    "{ customers(where: {NOT: {AND: [{OR: [$x]}]}}) { totalCount } }",
    "an item that is no list": '{ customers(where: {AND: {phone: {startsWith: "+"}}}) { totalCount } }',
    "the count of a list below": '{ customers { nodes { touchpoints(where: {customer: {email: {contains: "a"}}}) '
    "{ totalCount } } } }",
    "a search": '{ customers(search: "a") { totalCount } }',
    "a search beside": 'query($s: String = "a") { customers(search: $s) { totalCount } }',
    "an audience": "{ audiencePreview(where: {email: {isNull: true}}, channel: EMAIL, purpose: SERVICE) { matched } }",
    "a group": '{ customerGroups(by: [KIND], where: {birthday: {gte: "1990-01-01"}}) { all { count } } }',
    "days": "{ customers(where: {birthdayInDays: 3}) { totalCount } }",
    "a segment": 'mutation { segmentCreate(input: {name: "A", where: {phone: {startsWith: "+"}}}) { segment { id } } }',
}


@pytest.mark.parametrize("way", WAYS)
async def test_there_is_no_way_around(guarded: Guarded, way: str) -> None:
    assert await guarded.refused(PERSONAL, WAYS[way]) == "FORBIDDEN_FIELD"


async def test_a_variable_is_looked_through_in_each_request(guarded: Guarded) -> None:
    asked = "query($w: CustomerWhere, $s: String) { customers(where: $w, search: $s) { totalCount } }"
    lacking = guarded.without[PERSONAL]
    for _ in range(2):
        assert (await lacking.ask(asked, w={"name": {"contains": "an"}}))["customers"]["totalCount"] == 1
        assert (await lacking.ask(asked, w=None, s=None))["customers"]["totalCount"] == 1
        deep = {"AND": [{"name": {"contains": "an"}}, {"NOT": {"purchases": {"some": {"customer": {"email": {}}}}}}]}
        for variables in ({"w": {"email": {"contains": VALUE}}}, {"s": "an"}, {"w": deep}):
            assert await guarded.refused(PERSONAL, asked, variables) == "FORBIDDEN_FIELD"
    assert (await guarded.shop.ask(asked, w={"email": {"contains": VALUE}}, s=VALUE))["customers"]["totalCount"] == 1


async def test_whoever_guesses_letter_by_letter_learns_nothing(guarded: Guarded) -> None:
    """Each question that could tell a right guess from a wrong one, over every road, in the same words."""
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789@.+-"
    roads = [
        "query($g: String!) { customers(where: {email: {startsWith: $g}}) { totalCount } }",
        "query($g: String!) { customers(where: {NOT: {email: {contains: $g}}}) { nodes { id } } }",
        "query($g: String!) { purchases(where: {customer: {phone: {startsWith: $g}}}) { totalCount } }",
        "query($g: String!) { customerGroups(by: [], where: {email: {startsWith: $g}}) { all { count } } }",
        "query($g: String!) { customers(search: $g) { totalCount } }",
        "query($g: String!) { customer(by: {email: $g}) { id } }",
        "query($w: CustomerWhere!) { customers(where: $w, orderBy: [{field: NAME}]) { edges { cursor } } }",
        "query($w: CustomerWhere!) { audiencePreview(where: $w, channel: EMAIL, purpose: SERVICE) { matched } }",
    ]
    learnt, known = [], ""
    for road in roads:
        for letter in alphabet:
            guess = known + letter
            variables: Any = {"w": {"email": {"startsWith": guess}}} if "$w" in road else {"g": guess}
            answer = await guarded.without[PERSONAL].post(road, variables, x_request_id="r")
            learnt.append((road, json.dumps(answer)))
            if "errors" not in answer:
                known = guess
    assert known == ""
    assert len(set(learnt)) == len(roads)


async def test_who_writes_is_shown_what_was_written_and_nothing_beside(house: House, guarded: Guarded) -> None:
    shop = house.shop("read", "write")
    customer = await new_customer(shop)
    till = shop.renewed(shop.now, "purchases:write")
    bought = {"customer": by(customer), "currency": "EUR", "lines": [line()], "externalRef": ref("1")}
    record = "mutation($input: PurchaseRecordInput!) { purchaseRecord(input: $input) { purchase { %s } } }"
    before = shop.rows()
    for beside in ("customer { name }", "customer { lifecycle { stage } }", "campaign { name }", "refunds { reason }"):
        guarded.statements.clear()
        assert await till.refused(record % beside, input=bought) == ["FORBIDDEN_FIELD"], beside
        assert guarded.statements == []
    assert shop.rows() == before
    shown = await till.ask(record % "id net { amount } lines { name } customer { id }", input=bought)
    assert shown["purchaseRecord"]["purchase"]["net"] == {"amount": "10.00"}
    reader = shop.renewed(shop.now, "purchases:read")
    assert (await reader.ask("{ purchases { nodes { customer { id } } } }"))["purchases"]["nodes"]
    assert await reader.refused("{ purchases { nodes { customer { lifecycle { stage } } } } }") == ["FORBIDDEN_FIELD"]
    for each in (shop, till, reader):
        await each.http.aclose()


# ------------------------------------------------------------------ the table


def test_whatever_nobody_spoke_of_is_no_part_of_a_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    for table, entry in (
        (policies.TYPES, "Campaign"),
        (policies.ROOTS, "customers"),
        (policies.MUTATIONS, "pointsEarn"),
        (policies.LOOKUPS, "CustomerLookup"),
        (policies.ARGUMENTS, "search"),
        (policies.FILTERS, "Purchase"),
        (policies.SORTED, "CustomerGroupOrderField"),
    ):
        with monkeypatch.context() as without:
            without.delitem(table, entry)
            with pytest.raises(NoPolicy, match=entry.removesuffix("Lookup")):
                covered(graphql_schema)
    with monkeypatch.context() as without:
        of = policies.TYPES["Customer"]
        without.setitem(policies.TYPES, "Customer", policies.Of(of.scope, of.plain, of.personal - {"phone"}))
        with pytest.raises(NoPolicy, match=r"Customer\.phone"):
            covered(graphql_schema)


def test_a_name_that_is_no_longer_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(policies.ROOTS, "gone", None)
    with pytest.raises(NoPolicy, match="of nothing: gone"):
        covered(graphql_schema)


def test_an_operation_is_judged_once_for_each_set_of_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(access, "judged", lambda *given: calls.append(given) or access.Verdict())
    operation = documents.document("{ customers { totalCount } }").operation(None)
    for _ in range(3):
        operation.verdict(frozenset({"a"}))
        operation.verdict(frozenset({"b"}))
    assert len(calls) == 2


def test_every_capability_has_something_to_guard() -> None:
    guarded_by = {scope for table in (coverage.fields, coverage.inputs) for each in table.values() for scope in each}
    assert guarded_by >= set(READS)
