"""One statement for each root field, whatever is selected below it; and none that names no organisation."""

from typing import Any

import pytest
from sqlalchemy import delete, exists, insert, or_, select, update

from app.customers.tables import Customer, CustomerRef
from app.platform.tenancy import OrganisationNotNamed, check
from app.query.question import Question
from app.query.statement import World
from app.touchpoints.tables import Touchpoint
from schema.schema import world
from tests.client import Client
from tests.query.conftest import Shop
from tests.query.documents import FULL_PAGE, PAGE_OF_50
from tests.query.shop import ORG, public


@pytest.fixture
def client(shop: Shop) -> Client:
    # A clock that is set is looked up beside the question; without one a question is the only statement.
    return shop.client(None)


async def test_a_page_with_everything_is_one_statement(client: Client, statements: list[str]) -> None:
    for document in (FULL_PAGE, PAGE_OF_50):
        statements.clear()
        data = await client.ask(document)
        rows = data["customers"].get("nodes") or [edge["node"] for edge in data["customers"]["edges"]]
        assert len(rows) == 50
        assert len(statements) == 1


async def test_each_root_field_is_one_statement(client: Client, shop: Shop, statements: list[str]) -> None:
    person = next(person for person in shop.live if person.shown and person.purchases)
    cus, tou, pur = public("cus", person.id), public("tou", person.shown[0].id), public("pur", person.purchases[0].id)
    fields = [
        f'customer(by: {{id: "{cus}"}}) {{ touchpoints {{ nodes {{ customer {{ consents {{ id }} }} }} }} }}',
        f'touchpoint(by: {{id: "{tou}"}}) {{ customer {{ lifecycle {{ stage }} }} }}',
        f'purchase(by: {{id: "{pur}"}}) {{ lines {{ name }} refunds {{ id }} customer {{ consents {{ state }} }} }}',
        "customers(first: 3, search: \"a\") { totalCount edges { cursor } }",
        "touchpoints { nodes { id inReplyTo { id } } }",
        "purchases { totalCount nodes { tailoredTo { id } } }",
        "customerGroups(by: [LIFECYCLE_STAGE]) { rows { count lifecycleStage factsNet { amount } } all { count } }",
        "customerScenario(facts: {openComplaints: 1}) { lifecycle { stage } }",
        f'node(id: "{cus}") {{ id __typename }}',
        f'nodes(ids: ["{cus}", "{tou}", "{pur}", "{cus}", "x"]) {{ id ... on Purchase {{ customer {{ name }} }} }}',
        "policy { version }",
        "policies { version }",
    ]  # fmt: skip
    for field in fields:
        statements.clear()
        await client.ask(f"{{ {field} }}")
        assert len(statements) == 1, field
    statements.clear()
    await client.ask("{ " + " ".join(f"a{n}: {field}" for n, field in enumerate(fields)) + " }")
    assert len(statements) == len(fields)


async def test_what_needs_no_rows_reads_none(client: Client, statements: list[str]) -> None:
    await client.ask("{ __typename viewer { organization { id name } scopes } metricCatalog { __typename } }")
    assert statements == []


async def test_nobody_is_counted_unless_asked_for(client: Client, statements: list[str]) -> None:
    await client.ask("{ customers(first: 2) { nodes { id touchpoints(first: 1) { nodes { id } } } } }")
    assert "counted" not in statements.pop()
    assert not statements
    document = "query($all: Boolean!) { customers(first: 2) { totalCount @include(if: $all) nodes { id } } }"
    await client.ask(document, all=False)
    assert "counted" not in statements.pop()
    await client.ask("{ customers(first: 2) { totalCount nodes { id } } }")
    assert "counted" in statements.pop()
    # Only counted: no page is read.
    await client.ask("{ customers(first: 2) { totalCount } }")
    assert "cut AS" not in statements.pop()
    await client.ask("{ customers(first: 2) { __typename } }")
    assert "customers" not in statements.pop()


async def test_a_batch_is_read_back_in_one_statement(empty_shop: Shop, statements: list[str]) -> None:
    rows = [{"externalRef": {"system": "batch", "value": str(n)}, "set": {"name": f"Row {n}"}} for n in range(200)]
    document = """mutation($input: CustomersUpsertInput!) { customersUpsert(input: $input) { created refused
      rows { index outcome customer { id name lifecycle { stage why { rule } } touchpoints { totalCount } }
        userErrors { message } } userErrors { message } } }"""
    given = {"rows": rows, "onError": "REJECT_ALL"}
    answer = (await empty_shop.client(None).ask(document, input=given))["customersUpsert"]
    assert [row["customer"]["name"] for row in answer["rows"]] == [f"Row {n}" for n in range(200)]
    read = [statement for statement in statements if "customer_rows" in statement]
    assert len(read) == 1
    assert {row["customer"]["lifecycle"]["stage"] for row in answer["rows"]} == {"PROSPECT"}


# ------------------------------------------------------------------ a question asked again


async def test_a_question_asked_again_with_other_values_is_known(client: Client, shop: Shop, next_door: Shop) -> None:
    document = """query($first: Int!, $after: String, $where: CustomerWhere!, $more: Int!) {
      customers(first: $first, after: $after, where: $where, orderBy: {field: FACTS_NET}) {
        totalCount pageInfo { endCursor } nodes { id touchpoints(first: $more) { nodes { id } } } } }"""

    def where(names: list[str], least: str) -> dict[str, Any]:
        some = [public("cus", person.id) for person in shop.people[: min(5, len(names))]]
        return {"name": {"notIn": names}, "facts": {"net": {"gte": least}}, "id": {"notIn": some}}

    first = await client.ask(document, first=2, where=where([], "-1"), more=1)
    await client.ask(
        document, first=2, where=where([], "-1"), more=1, after=first["customers"]["pageInfo"]["endCursor"]
    )
    misses, hits = world.misses, world.hits
    for size in (3, 50, 90):
        wanted = where([str(n) for n in range(size)], f"-{size}.5")
        cursor = (await client.ask(document, first=size, where=wanted, more=size))["customers"]["pageInfo"]["endCursor"]
        assert cursor
        await client.ask(document, first=size, where=where(["x"], "0"), more=2, after=cursor)
    assert world.misses == misses
    assert world.hits > hits
    await next_door.client(None).ask(document, first=5, where=where(["a"], "1"), more=1)
    assert world.misses == misses


async def test_the_statements_that_are_kept_are_bounded(client: Client, questions: list[Question]) -> None:
    for n in range(6):
        await client.ask(f"{{ customers {{ a{n}: totalCount }} }}")
    small = World(world.shapes, world.policies, kept=3)
    texts = [small.prepared(question, "sqlite").text for question in questions]
    assert (len(questions), len(small._prepared), small.misses) == (6, 3, 6)
    assert small.prepared(questions[5], "sqlite").text == texts[5]
    assert small.misses == 6
    assert small.prepared(questions[0], "sqlite").text == texts[0]
    assert (small.misses, len(small._prepared)) == (7, 3)


# ------------------------------------------------------------------ the wall between organisations

C, T, R = Customer.__table__, Touchpoint.__table__, CustomerRef.__table__
MINE = C.c.org_id == ORG.id
a, b = C.alias("a"), C.alias("b")

FORGETFUL: dict[str, Any] = {
    "a select": select(C.c.id),
    "a select by id": select(C).where(C.c.id == ORG.id),
    "an entity": select(Customer).where(Customer.name == "x"),
    "a join whose second table is anybody's": select(C.c.id).join_from(C, T, T.c.customer_id == C.c.id).where(MINE),
    "two tables of one organisation, which may be any": select(C.c.id).join_from(C, T, T.c.org_id == C.c.org_id),
    "a subquery": select(C.c.id).where(MINE, C.c.id.in_(select(T.c.customer_id))),
    "a scalar subquery": select(select(T.c.id).limit(1).scalar_subquery()),
    "an exists": select(C.c.id).where(MINE, exists().where(T.c.customer_id == C.c.id)),
    "a common table expression": select(select(C.c.id).cte("these")),
    "one alias of two": select(a.c.id).join_from(a, b, a.c.name == b.c.name).where(a.c.org_id == ORG.id),
    "a union": select(C.c.id).where(MINE).union_all(select(a.c.id)),
    "another comparison": select(C.c.id).where(C.c.org_id != ORG.id),
    "one organisation or anything": select(C.c.id).where(or_(C.c.org_id == ORG.id, C.c.name == "x")),
    "an update": update(C).where(C.c.id == ORG.id).values(name="x"),
    "an update by a subquery": update(C).where(MINE, C.c.id.in_(select(R.c.customer_id))).values(name="x"),
    "a delete": delete(T).where(T.c.id == ORG.id),
    "an insert of anybody's rows": insert(C).from_select(["id"], select(T.c.id)),
}
MINDFUL: dict[str, Any] = {
    "a select": select(C.c.id).where(MINE),
    "an entity": select(Customer).where(Customer.org_id == ORG.id),
    "a join": select(C.c.id).join_from(C, T, T.c.org_id == C.c.org_id).where(MINE),
    "a join the other way round": select(C.c.id).join_from(C, T, C.c.org_id == T.c.org_id).where(ORG.id == T.c.org_id),
    "a chain": select(a.c.id)
    .join_from(a, b, a.c.org_id == b.c.org_id)
    .join(T, T.c.org_id == b.c.org_id)
    .where(T.c.org_id == ORG.id),
    "a subquery": select(C.c.id).where(MINE, C.c.id.in_(select(T.c.customer_id).where(T.c.org_id == ORG.id))),
    "an exists": select(C.c.id).where(MINE, exists().where(T.c.org_id == C.c.org_id)),
    "an exists or else": select(C.c.id).where(MINE, or_(C.c.name == "x", exists().where(T.c.org_id == C.c.org_id))),
    "an update": update(C).where(MINE).values(name="x"),
    "a delete": delete(T).where(T.c.org_id == ORG.id),
    "an insert": insert(C).values(org_id=ORG.id),
}


@pytest.mark.parametrize("what", FORGETFUL)
def test_a_statement_that_forgets_whose_rows_it_means_is_refused(what: str) -> None:
    with pytest.raises(OrganisationNotNamed):
        check(FORGETFUL[what])


@pytest.mark.parametrize("what", MINDFUL)
def test_a_statement_that_says_whose_rows_it_means_is_not(what: str) -> None:
    check(MINDFUL[what])
