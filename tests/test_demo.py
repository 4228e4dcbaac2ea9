"""The demonstration shows everything that a customer can be, on whatever day it is made."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from graphql import parse, validate
from sqlalchemy import Engine, func, make_url, select
from sqlalchemy.orm import Session

from app import demo
from app.campaigns.actions import launch_campaign
from app.customers.facts import facts, verify
from app.customers.tables import Channel, Consent, ConsentPurpose, ConsentState, Customer, CustomerKind
from app.demo import campaigns, lives, stars
from app.demo.lives import Teller
from app.loyalty.tables import EntryKind, LoyaltyAccount, PointsEntry, PointsReservation, Redemption, ReservationStatus
from app.loyalty.verify import verify as verify_ledger
from app.outreach.tables import Campaign, CampaignCost, CampaignMember, CampaignStatus
from app.platform.access import organizations
from app.platform.database import instant_text
from app.platform.ids import PublicId
from app.platform.work import Work, operator
from app.policy.tables import Policy
from app.purchases.tables import Purchase, Refund
from app.relationships.measures import NextAction, RelationshipTier
from app.scores.behavior import BehaviorType
from app.scores.lifecycle import LifecyclePhase, LifecycleStage
from app.touchpoints.tables import Touchpoint, TouchpointKind
from schema.audience import audience_of
from schema.schema import graphql_schema
from tests.conftest import NOW, _drop, _migrated
from tests.databases import new_sqlite_database
from tests.tea_house import House

FULL = os.environ.get("GUANXI_TEST_SIZE") == "full"
# Fewer than there will be: what occurs among these occurs among all.
FEW = lives.CUSTOMERS if FULL else 500
EXAMPLES = Path(lives.__file__).parents[1] / "graphiql" / "examples"
# A leap day's first minutes and a year's last ones; a day like others is made below.
ODD = (datetime(2024, 2, 29, 0, 5, tzinfo=UTC), datetime(2029, 12, 31, 23, 55, tzinfo=UTC))
MORNINGS = (*ODD, NOW) if FULL else ODD


@pytest.fixture(scope="module", params=MORNINGS, ids=lambda now: f"{now:%Y}")
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "CUSTOMERS", FEW)
        url = new_sqlite_database(_file(_migrated("sqlite")))
        made = House(url, request.param)
        yield made
        made.engine.dispose()
        _drop(url)


def _file(url: str) -> Any:
    return Path(make_url(url).database or "")


# ------------------------------------------------------------------------------------------------ all that can be


@pytest.mark.parametrize(
    ("dimension", "key", "outcomes"),
    [
        ("LIFECYCLE_STAGE", "lifecycleStage", {*LifecycleStage.__members__}),
        ("LIFECYCLE_PHASE", "lifecyclePhase", {*LifecyclePhase.__members__}),
        ("LIFECYCLE_NEXT_ACTION", "lifecycleNextAction", {*NextAction.__members__}),
        ("RELATIONSHIP_TIER", "relationshipTier", {*RelationshipTier.__members__, None}),
        ("VALUE_BEHAVIOR", "valueBehavior", {*BehaviorType.__members__, None}),
        ("KIND", "kind", {*CustomerKind.__members__}),
    ],
)
def test_every_judgement_occurs(house: House, dimension: str, key: str, outcomes: set[str | None]) -> None:
    assert set(house.groups(dimension, key)) == outcomes


def test_every_grade_occurs(house: House) -> None:
    cells = [cell for cell in house.groups("VALUE_RFM_CELL", "valueRfmCell") if cell]
    for place in range(3):
        assert {cell[place] for cell in cells} == set("12345")


def test_everything_happens_that_can_be_recorded(house: House) -> None:
    assert house.known(Touchpoint.kind) == set(TouchpointKind.__members__)
    assert house.known(Consent.state) == set(ConsentState.__members__)
    assert house.known(Consent.purpose) == set(ConsentPurpose.__members__)
    assert house.known(Purchase.currency) == {"CNY", "EUR", "USD", "GBP"}
    assert house.known(Purchase.promotional) == {True, False}
    assert len(house.known(Touchpoint.channel) & set(Channel.__members__)) >= 11
    assert house.known(Policy.version) == {1, 2}
    for column in (
        Touchpoint.in_reply_to,
        Touchpoint.resolved_at,
        Touchpoint.retracted_at,
        Purchase.voided_at,
        Purchase.tailored_to,
        Refund.reason,
        Customer.archived_at,
        Customer.terminated_day,
        Customer.birthday,
    ):
        assert house.known(column, column.is_not(None)), column
    assert house.known(Customer.suppressed) == {True, False}
    whole = Purchase.refunded_minor == Purchase.gross_minor
    assert house.known(Purchase.id, whole)
    assert house.known(Purchase.id, Purchase.refunded_minor > 0, ~whole)
    assert house.known(Purchase.currency, Purchase.gross_reporting.is_(None)) == {"GBP"}


def test_complaints_wait_in_time_and_too_long(house: House) -> None:
    with Session(house.engine) as session:
        oldest = facts.table.c.oldest_open_complaint_day
        days = session.scalars(select(oldest).where(facts.table.c.org_id == house.org.id, oldest.is_not(None))).all()
        today = Work(session, operator(house.org), house.now).today
    assert min(days) < today - 10 <= max(days)


def test_facts_are_what_the_events_say(house: House) -> None:
    with Session(house.engine) as session:
        assert verify(Work(session, operator(house.org), house.now)) == {}


def test_customers_joined_over_three_years_and_nothing_lies_ahead(house: House) -> None:
    with Session(house.engine) as session:
        mine = Customer.org_id == house.org.id
        first, last = session.execute(
            select(func.min(Customer.created_at), func.max(Customer.created_at)).where(mine)
        ).one()
    assert house.now - first > timedelta(days=1000)
    assert house.now - last < timedelta(days=30)
    for column in (
        Purchase.purchased_at,
        Purchase.recorded_at,
        Touchpoint.occurred_at,
        Refund.refunded_at,
        Consent.at,
        LoyaltyAccount.opened_at,
        PointsEntry.at,
        PointsEntry.posted_at,
        Campaign.updated_at,
        CampaignCost.at,
        CampaignMember.enrolled_at,
    ):
        assert max(house.known(column)) < house.now


# ------------------------------------------------------------------------------------------------ stars


def account(house: House, number: str, selection: str) -> Any:
    found = house.ask(f'{{ loyaltyAccount(by: {{ number: "{number}" }}) {{ {selection} }} }}')
    return found["loyaltyAccount"]


def test_there_are_members_at_every_level_and_each_level_says_what_it_is_good_for(house: House) -> None:
    asked = house.ask(
        "{ loyaltyAccounts(first: 100) { nodes { level { rank } } } "
        "loyaltyPrograms { pointsName currency version levels { rank name multiplier benefits } } }"
    )
    assert {node["level"]["rank"] for node in asked["loyaltyAccounts"]["nodes"]} == {1, 2, 3}
    (program,) = asked["loyaltyPrograms"]
    assert (program["pointsName"], program["currency"], program["version"]) == ("星星 stars", demo.CURRENCY, 2)
    levels = program["levels"]
    assert [level["name"].split()[0] for level in levels] == ["新星", "银星", "金星"]
    assert [level["multiplier"] for level in levels] == ["1", "1.2", "1.7"]
    assert set(levels[2]["benefits"]) == {stars.BIRTHDAY, stars.UPGRADE, stars.EVENTS, stars.EARLY}
    assert set(levels[1]["benefits"]) == set(levels[2]["benefits"]) - {stars.EARLY}
    levels_of = {name: account(house, name, "level { rank }")["level"]["rank"] for name in stars.NAMED}
    assert (levels_of["gold-star"], levels_of["silver-star"], levels_of["new-customer"]) == (3, 2, 1)


def test_everything_happens_that_can_be_done_with_points(house: House) -> None:
    assert house.known(PointsEntry.kind) == {kind.value for kind in EntryKind}
    closed_as = house.known(PointsReservation.closed_as)
    assert closed_as == {None, *(status.value for status in ReservationStatus)} - {ReservationStatus.OPEN.value}
    assert house.known(Redemption.id, Redemption.reversed > 0, Redemption.reversed < Redemption.points)
    assert house.known(PointsEntry.reason, PointsEntry.kind == EntryKind.ADJUST.value) >= {
        "补登到店消费 A purchase that the till missed"
    }
    purchases = PointsEntry.source_prefix == "pur"
    assert house.known(PointsEntry.account_id, purchases) == house.known(LoyaltyAccount.id)
    asked = house.ask("{ loyaltyPrograms { rewards { name stock active } } }")
    rewards = {reward["name"]: reward for reward in asked["loyaltyPrograms"][0]["rewards"]}
    assert rewards.keys() == stars.REWARDS.keys()
    assert 0 < rewards[stars.LIMITED]["stock"] < (stars.REWARDS[stars.LIMITED][1] or 0)
    assert [name for name, reward in rewards.items() if not reward["active"]] == [stars.MOONCAKES]


def test_members_are_to_be_found_by_their_numbers(house: House) -> None:
    balance = "status balance { available pending reserved debt }"
    for number in ("gold-star", "silver-star", "ambassador", "slipping-partner"):
        assert account(house, number, "expiring(withinDays: 45) { points }")["expiring"], number
    silver = account(house, "silver-star", f"{balance} nextLevel {{ pointsNeeded level {{ rank }} }}")
    assert silver["balance"]["reserved"] == 300
    assert (silver["nextLevel"]["level"]["rank"], silver["nextLevel"]["pointsNeeded"] > 0) == (3, True)
    assert account(house, "gold-star", "balance { pending }")["balance"]["pending"] > 0
    owed = account(house, "stars-owed", balance)["balance"]
    assert (owed["available"], owed["debt"] > 0) == (0, True)
    lost = account(house, "lost", balance)
    assert (lost["status"], set(lost["balance"].values())) == ("CLOSED", {0})


def test_the_books_are_in_order(house: House) -> None:
    with Session(house.engine) as session:
        assert verify_ledger(Work(session, operator(house.org), house.now)) == {}
    for ago in (0, 30, 400, 800):
        as_of = "" if not ago else f'(asOf: "{instant_text(house.now - timedelta(days=ago))}")'
        (program,) = house.ask(f"{{ loyaltyPrograms {{ trialBalance{as_of} {{ points }} }} }}")["loyaltyPrograms"]
        points = [row["points"] for row in program["trialBalance"]]
        assert (sum(points), any(points)) == (0, ago != 800)


# ------------------------------------------------------------------------------------------------ campaigns


def campaign(house: House, name: str) -> Any:
    asked = house.ask(
        f'{{ campaigns(where: {{ name: {{ eq: "{name}" }} }}) {{ nodes {{ status objective budgetLeft {{ amount }} '
        "launch { matched treatment holdout excluded { reason count } } members { totalCount } "
        "told: members(where: { arm: { eq: TREATMENT }, status: { notIn: [ENROLLED] } }) { totalCount } "
        "untold: members(where: { arm: { eq: HOLDOUT }, status: { in: [CONTACTED, RESPONDED] } }) { totalCount } "
        "first: members(first: 100, where: { arm: { eq: TREATMENT } }) { nodes { status } } "
        "result { sentence windowOpen cost { amount } lift { low high } incrementalRoi { value low } "
        "treatment { members converted } holdout { members } attributedRevenue { amount } } } } }"
    )
    (found,) = asked["campaigns"]["nodes"]
    return found


def test_there_is_a_campaign_in_every_state_but_given_up(house: House) -> None:
    assert house.known(Campaign.status) == {*CampaignStatus.__members__} - {CampaignStatus.CANCELLED.name}
    for column in (Touchpoint.campaign_id, Purchase.campaign_id, CampaignCost.campaign_id):
        launched = Campaign.launched_at.is_not(None)
        assert house.known(column, column.is_not(None)) == house.known(Campaign.id, launched), column


def test_winning_back_has_changed_something_and_shows_it(house: House) -> None:
    found = campaign(house, campaigns.COME_BACK)
    result, launch = found["result"], found["launch"]
    assert (found["status"], found["objective"], result["windowOpen"]) == ("COMPLETED", "WIN_BACK", False)
    assert result["sentence"].startswith("The campaign raised the conversion rate by ")
    assert result["lift"]["low"] > 0
    assert result["incrementalRoi"]["value"] > 0
    assert float(result["cost"]["amount"]) > 0
    assert float(found["budgetLeft"]["amount"]) > 0
    assert found["told"]["totalCount"] == launch["treatment"]
    assert found["untold"]["totalCount"] == 0
    assert {node["status"] for node in found["first"]["nodes"]} == {"CONTACTED", "RESPONDED", "CONVERTED"}
    left_out = sum(each["count"] for each in launch["excluded"])
    assert launch["matched"] == launch["treatment"] + launch["holdout"] + left_out > found["members"]["totalCount"] > 0


def test_greeting_on_birthdays_goes_on_and_can_show_nothing(house: House) -> None:
    found = campaign(house, campaigns.BIRTHDAY)
    result = found["result"]
    assert (found["status"], found["objective"], result["windowOpen"]) == ("RUNNING", "CARE", True)
    assert result["sentence"].startswith("There is no holdout: ")
    assert (result["holdout"], result["lift"], result["incrementalRoi"]) == (None, None, None)
    assert {"ENROLLED", "CONTACTED", "CONVERTED"} <= {node["status"] for node in found["first"]["nodes"]}


def test_it_is_known_what_it_cost_to_win_a_customer(house: House) -> None:
    found = campaign(house, campaigns.FIRST_CUP)
    assert (found["objective"], found["status"]) == ("CONVERT_PROSPECT", "COMPLETED")
    assert found["result"]["treatment"]["converted"] > 0
    period = 'from: "2020-01-01T00:00:00Z", to: "2040-01-01T00:00:00Z"'
    rows = house.ask(f"{{ channelQuality({period}) {{ channel customers cost {{ amount }} cac {{ amount }} }} }}")
    (won,) = [row for row in rows["channelQuality"] if float(row["cost"]["amount"])]
    assert won["channel"] == "EMAIL"
    assert float(won["cac"]["amount"]) == pytest.approx(float(won["cost"]["amount"]) / won["customers"], abs=0.01)


def test_the_spring_tea_sold_and_the_campaign_has_no_part_in_it_that_could_be_seen(house: House) -> None:
    found = campaign(house, campaigns.SPRING)
    result = found["result"]
    assert (found["status"], found["objective"], result["windowOpen"]) == ("COMPLETED", "LAUNCH", False)
    assert "underpowered" in result["sentence"] or result["sentence"].startswith("No effect was seen")
    assert result["lift"]["low"] < 0 < result["lift"]["high"]
    assert float(result["attributedRevenue"]["amount"]) > float(result["cost"]["amount"])


def test_there_is_one_to_be_launched(house: House) -> None:
    found = campaign(house, campaigns.AUTUMN)
    assert (found["status"], found["launch"], found["result"]) == ("DRAFT", None, None)
    with Session(house.engine) as session:
        mine = Campaign.org_id == house.org.id
        planned = session.scalars(select(Campaign).where(mine, Campaign.launched_at.is_(None))).one()
        work = Work(session, operator(house.org), house.now)
        launch_campaign(work, {"id": str(PublicId("cam", planned.id))}, reads=audience_of)
        assert min(planned.treatment or 0, planned.holdout or 0) > 0
        session.rollback()


# What writes and what listens is tried in a browser: tests/browser.
@pytest.mark.parametrize("example", sorted(EXAMPLES.iterdir()), ids=lambda path: path.stem)
def test_an_example_of_the_page_runs_and_shows_something(house: House, example: Path) -> None:
    document = example.read_text(encoding="utf-8")
    assert validate(graphql_schema, parse(document)) == []
    (kind,) = re.findall(rf"^(query|mutation|subscription) {example.stem.capitalize()} {{$", document, re.MULTILINE)
    assert kind != "query" or _shown(house.ask(document))


def _shown(value: Any) -> bool:
    """Whether nothing is left empty that has parts."""
    parts = value.values() if isinstance(value, dict) else value
    return bool(value) and all(_shown(part) for part in parts if isinstance(part, dict | list))


# ------------------------------------------------------------------------------------------------ to be found again

NAMED = {
    "ambassador": ("LOYAL", "MATURITY", "REWARD_LOYALTY", "PARTNER", "AMBASSADOR"),
    "slipping-partner": ("LOYAL", "DECLINE", "PREVENT_TERMINATION", "PARTNER", None),
    "new-customer": ("NEW", "SIGNING", "NURTURE_SECOND_PURCHASE", "BUYER", "OCCASIONAL"),
    "prospect": ("PROSPECT", "DEVELOPMENT", "CONVERT_PROSPECT", None, None),
    "lost": ("CHURNED", "TERMINATION", "WIN_BACK", None, None),
    "complaint": ("LOYAL", "DECLINE", "RESOLVE_COMPLAINT", None, None),
    "office-contract": ("PROSPECT", "SIGNING", "CLOSE_FIRST_ORDER", None, None),
    "gold-star": ("LOYAL", "MATURITY", "REWARD_LOYALTY", None, None),
    "silver-star": ("LOYAL", "MATURITY", "REWARD_LOYALTY", None, None),
    "stars-owed": ("NEW", "SIGNING", "CAPTURE_NEEDS", None, None),
}


@pytest.mark.parametrize("name", NAMED)
def test_whoever_is_named_is_what_is_said_of_them(house: House, name: str) -> None:
    found = house.ask(
        f'{{ customer(by: {{externalRef: {{system: "demo", value: "{name}"}}}}) {{ '
        "lifecycle { stage phase nextAction } relationship { tier } value { behavior } } }"
    )["customer"]
    stage, phase, action, tier, behavior = NAMED[name]
    assert found["lifecycle"] == {"stage": stage, "phase": phase, "nextAction": action}
    assert found["relationship"]["tier"] == tier or tier is None
    assert found["value"]["behavior"] == behavior or behavior is None


# ------------------------------------------------------------------------------------------------ how it is made


def test_it_says_what_it_made_and_makes_it_once(house: House) -> None:
    assert house.said.startswith(f"Made Qinghe Tea House 清河茶馆: {FEW + len(NAMED):,} customers, ")
    assert demo.fill(house.engine, house.now, audience_of) == "There is an organisation already, so none was made."
    with Session(house.engine) as session:
        assert organizations(session) == [house.org]


def test_it_is_made_on_both_databases(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "CUSTOMERS", 20)
    demo.fill(engine, NOW, audience_of)
    with Session(engine) as session:
        (org,) = organizations(session)
        work = Work(session, operator(org), NOW)
        assert (verify(work), verify_ledger(work)) == ({}, {})


def test_what_is_interrupted_leaves_nothing_behind(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "CUSTOMERS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(demo, "record_purchases", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            demo.fill(engine, NOW, audience_of)
    with Session(engine) as session:
        assert organizations(session) == []
    assert demo.fill(engine, NOW, audience_of).startswith("Made ")


def test_a_day_makes_the_same_lives_and_another_day_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "CUSTOMERS", 20)
    day = datetime(2026, 6, 15, tzinfo=ZoneInfo(demo.TIME_ZONE))
    once, again, next_day = (list(Teller(start).customers()) for start in (day, day, day + timedelta(days=1)))
    assert once == again
    assert [life.profile for life in once] != [life.profile for life in next_day]
