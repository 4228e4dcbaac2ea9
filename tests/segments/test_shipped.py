"""The segments that ship: every organisation has them, they find whom they say, and they may be changed."""

from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, select, text

from app.platform.access import create_organization
from app.platform.database import connect
from app.platform.migrations import downgrade, upgrade
from app.platform.work import transaction
from app.segments.shipped import SHIPPED
from app.segments.tables import Segment
from schema.stored import input_json, where_from_json
from tests.client import Client
from tests.conftest import NOW, Begin
from tests.query.conftest import Shop
from tests.segments.conftest import do
from tests.segments.given import WHERE

NAMES = [each.name for each in SHIPPED]


def churned(values: Any) -> bool:
    return values["lifecycle.stage"] == "CHURNED"


# As their sentences say it.
BELONGS: dict[str, Any] = {
    "High value": lambda v: v["value.score"] is not None and v["value.score"] >= 70 and not churned(v),
    "Promising": lambda v: (
        v["value.score"] is not None
        and v["value.rfm.recency"] >= 4
        and v["value.churnRisk"] < 0.5
        and v["value.score"] < 70
    ),
    "At risk": lambda v: v["value.churnRisk"] is not None and v["value.churnRisk"] >= 0.5 and not churned(v),
    "Ambassador": lambda v: v["value.behavior"] == "AMBASSADOR",
    "High frequency": lambda v: v["value.behavior"] == "HIGH_FREQUENCY",
    "Growth potential": lambda v: v["value.behavior"] == "GROWTH_POTENTIAL",
    "Occasional": lambda v: v["value.behavior"] == "OCCASIONAL",
}


def test_each_is_written_as_a_given_one_is_stored() -> None:
    for each in SHIPPED:
        assert input_json(WHERE, where_from_json(each.test)) == each.test


async def test_they_find_whom_they_say(client: Client, shop: Shop) -> None:
    told = await client.ask("{ segments { name description where count customers(first: 100) { nodes { name } } } }")
    found = {each["name"]: each for each in told["segments"]}
    for each in SHIPPED:
        segment = found[each.name]
        assert (segment["description"], segment["where"]) == (each.description, orjson.loads(each.test))
        names = [person.columns["name"] for person in shop.live if BELONGS[each.name](person.values)]
        assert segment["count"] == len(names) > 0
        assert sorted(node["name"] for node in segment["customers"]["nodes"]) == sorted(names)


async def test_the_types_share_out_those_who_have_bought(client: Client) -> None:
    told = await client.ask(
        "{ segments { name count } customers(where: {facts: {keptOrders: {gte: 1}}}) { totalCount } }"
    )
    count = {each["name"]: each["count"] for each in told["segments"]}
    types = ("Ambassador", "High frequency", "Growth potential", "Occasional")
    assert sum(count[name] for name in types) == told["customers"]["totalCount"]


async def test_they_may_be_changed_and_deleted(newcomer: Client) -> None:
    told = await newcomer.ask("{ segments { id name } }")
    keys = {each["name"]: each["id"] for each in told["segments"]}
    changed = await do(newcomer, "Update", id=keys["Promising"], set={"where": {"kind": {"eq": "PERSON"}}})
    assert changed["segment"]["where"] == {"kind": {"eq": "PERSON"}}
    gone = await do(newcomer, "Delete", id=keys["Occasional"])
    assert gone["userErrors"] == []


def test_a_new_organisation_has_them(begin: Begin) -> None:
    with begin() as work:
        found = work.session.scalars(select(Segment).where(Segment.org_id == work.org.id)).all()
        assert sorted(each.name for each in found) == sorted(NAMES)
        announced = work.session.execute(
            text("SELECT count(*) FROM audit_entries WHERE event = 'segment.created'")
        ).scalar()
    assert announced == len(SHIPPED)


def test_the_migration_gives_them_to_those_that_are_there(empty_url: str) -> None:
    engine = connect(empty_url)
    upgrade(engine, "0006")
    with transaction(engine) as session:
        orgs = [create_organization(session, name, "UTC", "EUR", NOW) for name in ("One", "Two")]
    upgrade(engine)
    for org in orgs:
        assert sorted(names_of(engine, org.id)) == sorted(NAMES)
    downgrade(engine, "0006")
    upgrade(engine)
    assert sorted(names_of(engine, orgs[0].id)) == sorted(NAMES)
    engine.dispose()


def names_of(engine: Engine, org_id: Any) -> list[str]:
    rows = select(Segment.name, Segment.test, Segment.description, Segment.name_folded)
    with engine.connect() as connection:
        found = connection.execute(rows.where(Segment.org_id == org_id)).all()
    assert {(row.name, row.description, row.test) for row in found} == {tuple(each) for each in SHIPPED}
    assert all(row.name_folded == row.name.casefold() for row in found)
    return [row.name for row in found]


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_says_who_they_are(name: str) -> None:
    [shipped] = [each for each in SHIPPED if each.name == name]
    assert len(shipped.description) > 60
    assert any("\u4e00" <= letter <= "\u9fff" for letter in shipped.description)
