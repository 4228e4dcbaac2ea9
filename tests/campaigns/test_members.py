"""Members of campaigns: what each has reached, read from contacts and purchases alone, as of any day."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from app.outreach.tables import CampaignMember
from app.platform.database import instant_text
from tests.campaigns.crowd import DAY, Enrolled, buy, enrol, people, refund, touch
from tests.conftest import NOW
from tests.house import FULL, Shop, house

LAUNCHED = NOW - 60 * DAY
MEMBERS = """query($id: ID!, $where: CampaignMemberWhere, $first: Int, $after: String, $last: Int, $before: String) {
  campaign(id: $id) { members(first: $first, after: $after, last: $last, before: $before, where: $where) {
    totalCount nodes { id arm status enrolledAt contactedAt respondedAt convertedAt spend { amount currency }
      customer { id name } campaign { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


def public(customer: UUID) -> str:
    return f"cus_{customer.hex}"


def members(shop: Shop, campaign: Enrolled, **given: Any) -> Any:
    given = given if "last" in given else {"first": 100, **given}
    return shop.ask(MEMBERS, NOW, id=campaign.id, **given)["campaign"]["members"]


def states(shop: Shop, campaign: Enrolled, **given: Any) -> dict[str, str]:
    return {node["customer"]["id"]: node["status"] for node in members(shop, campaign, **given)["nodes"]}


# ------------------------------------------------------------------ what is reached


def test_the_highest_state_counts_and_each_says_since_when(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 6, LAUNCHED)
        campaign = enrol(work, everyone[:4], everyone[4:5], LAUNCHED, left_out=everyone[5:])
        touch(work, everyone[1:4], LAUNCHED + 2 * DAY, campaign)
        touch(work, everyone[1:4], LAUNCHED + 1 * DAY, campaign)
        touch(work, everyone[2:4], LAUNCHED + 3 * DAY, campaign, direction="INBOUND", channel="SMS", kind="CLICK")
        buy(work, everyone[3:], LAUNCHED + 4 * DAY)
        buy(work, everyone[3:4], LAUNCHED + 5 * DAY, 1_001)
    told = members(shop, campaign)
    keys = ("arm", "status", "contactedAt", "respondedAt", "convertedAt")
    days = [instant_text(LAUNCHED + n * DAY) for n in range(6)]
    assert [tuple(node[key] for key in keys) for node in told["nodes"]] == [
        ("TREATMENT", "ENROLLED", None, None, None),
        ("TREATMENT", "CONTACTED", days[1], None, None),
        ("TREATMENT", "RESPONDED", days[1], days[3], None),
        ("TREATMENT", "CONVERTED", days[1], days[3], days[4]),
        ("HOLDOUT", "CONVERTED", None, None, days[4]),
    ]
    assert [node["spend"]["amount"] for node in told["nodes"]] == ["0.00", "0.00", "0.00", "40.01", "30.00"]
    assert {node["enrolledAt"] for node in told["nodes"]} == {days[0]}
    assert {node["campaign"]["id"] for node in told["nodes"]} == {campaign.id}
    assert told["totalCount"] == 5


def test_what_is_no_contact_of_this_campaign_reaches_nothing(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 7, LAUNCHED)
        campaign, other = (enrol(work, everyone, [], LAUNCHED) for _ in range(2))
        touch(work, everyone[0:1], LAUNCHED + DAY, None)
        touch(work, everyone[1:2], LAUNCHED + DAY, other)
        touch(work, everyone[2:3], LAUNCHED + DAY, campaign, channel="SMS")
        touch(work, everyone[3:4], LAUNCHED + DAY, campaign, retracted_at=NOW)
        touch(work, everyone[4:5], LAUNCHED - timedelta(microseconds=1), campaign, direction="INBOUND")
        touch(work, everyone[5:6], LAUNCHED + DAY, campaign, direction="INBOUND", retracted_at=NOW)
        # An answer counts without a contact of ours: it may have been made elsewhere.
        touch(work, everyone[6:7], LAUNCHED, campaign, direction="INBOUND")
    assert list(states(shop, campaign).values()) == ["ENROLLED"] * 6 + ["RESPONDED"]


def test_a_refund_undoes_a_conversion(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 3, LAUNCHED)
        campaign = enrol(work, everyone, [], LAUNCHED)
        touch(work, everyone[:1], LAUNCHED, campaign)
        whole, partly, one_of_two = buy(work, everyone, LAUNCHED + DAY)
        buy(work, everyone[2:], LAUNCHED + 2 * DAY, 500)
        refund(work, [whole, one_of_two], LAUNCHED + 3 * DAY, 3_000)
        refund(work, [partly], LAUNCHED + 3 * DAY, 2_999)
    told = members(shop, campaign)["nodes"]
    assert [(node["status"], node["spend"]["amount"]) for node in told] == [
        ("CONTACTED", "0.00"),
        ("CONVERTED", "0.01"),
        ("CONVERTED", "5.00"),
    ]
    assert told[2]["convertedAt"] == instant_text(LAUNCHED + 2 * DAY)


# ------------------------------------------------------------------ which of them


@pytest.fixture
def campaign(shop: Shop) -> Enrolled:
    """Nine treated, six held out; three treated contacted, three converted in either arm."""
    with shop.working() as work:
        treated = people(work, 6, LAUNCHED, "Ana") + people(work, 3, LAUNCHED, "Ben")
        held_out = people(work, 6, LAUNCHED, "Ana")
        found = enrol(work, treated, held_out, LAUNCHED, left_out=people(work, 2, LAUNCHED, "Ana"))
        touch(work, treated[:3], LAUNCHED + DAY, found)
        buy(work, treated[6:] + held_out[:3], LAUNCHED + DAY)
    return found


def test_filters(shop: Shop, campaign: Enrolled) -> None:
    treated, held_out = campaign.treated, campaign.held_out
    everyone = [*treated, *held_out]
    ben, some = {"customer": {"name": {"eq": "Ben"}}}, [*treated[:2], *held_out[:1]]
    wanted: list[tuple[dict[str, Any], Any]] = [
        ({}, everyone),
        ({"arm": {"eq": "HOLDOUT"}}, held_out),
        ({"status": {"eq": "CONTACTED"}}, treated[:3]),
        ({"status": {"in": ["CONTACTED", "CONVERTED"]}}, [*treated[:3], *treated[6:], *held_out[:3]]),
        ({"status": {"eq": "RESPONDED"}}, []),
        ({"arm": {"eq": "TREATMENT"}, "NOT": {"status": {"eq": "ENROLLED"}}}, [*treated[:3], *treated[6:]]),
        ({"customerId": {"in": [public(each) for each in some]}}, some),
        ({"customerId": {"eq": "cus_x"}}, []),
        (ben, treated[6:]),
        ({"OR": [ben, {"arm": {"eq": "HOLDOUT"}, "status": {"eq": "CONVERTED"}}]}, [*treated[6:], *held_out[:3]]),
        ({"customer": {"facts": {"keptOrders": {"gte": 1}}}}, []),
    ]
    for where, passing in wanted:
        told = members(shop, campaign, where=where)
        assert [node["customer"]["id"] for node in told["nodes"]] == list(map(public, passing)), where
        assert told["totalCount"] == len(passing), where
        others = members(shop, campaign, where={"NOT": where})["totalCount"]
        assert others == len(everyone) - len(passing), where


@pytest.mark.parametrize("where", [None, {"arm": {"eq": "TREATMENT"}}, {"status": {"eq": "CONVERTED"}}])
def test_pages_go_on_where_they_ended(shop: Shop, campaign: Enrolled, where: Any) -> None:
    whole = [node["id"] for node in members(shop, campaign, where=where)["nodes"]]
    found: list[str] = []
    page = members(shop, campaign, where=where, first=4)
    while True:
        found += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        page = members(shop, campaign, where=where, first=4, after=page["pageInfo"]["endCursor"])
    assert found == whole
    back = members(shop, campaign, where=where, last=2, before=page["pageInfo"]["endCursor"])
    assert [node["id"] for node in back["nodes"]] == whole[-3:-1]


def test_whoever_was_left_out_is_no_member(shop: Shop) -> None:
    with shop.working() as work:
        customers = people(work, 2, LAUNCHED)
        campaign = enrol(work, customers[:1], [], LAUNCHED, left_out=customers[1:])
        rows = work.session.query(CampaignMember).where(
            CampaignMember.org_id == work.org.id, CampaignMember.campaign_id == campaign.key
        )
        ids = {row.customer_id: f"mem_{row.id.hex}" for row in rows}
    asked = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on CampaignMember { arm } } }"
    inside, outside = (ids[customer] for customer in customers)
    told = shop.ask(asked, NOW, ids=[inside, outside, campaign.id])["nodes"]
    assert told == [
        {"__typename": "CampaignMember", "id": inside, "arm": "TREATMENT"},
        None,
        {"__typename": "Campaign", "id": campaign.id},
    ]
    of = "query($id: ID!) { customer(by: {id: $id}) { campaignMemberships { totalCount nodes { id } } } }"
    counts = [shop.ask(of, NOW, id=public(each))["customer"]["campaignMemberships"]["totalCount"] for each in customers]
    assert counts == [1, 0]
    launch = "query($id: ID!) { campaign(id: $id) { launch { matched excluded { reason count } treatment holdout } } }"
    assert shop.ask(launch, NOW, id=campaign.id)["campaign"]["launch"] == {
        "matched": 2,
        "excluded": [
            {"reason": "ARCHIVED", "count": 0},
            {"reason": "NO_CONSENT", "count": 1},
            {"reason": "SUPPRESSED", "count": 0},
            {"reason": "FREQUENCY_CAP", "count": 0},
        ],
        "treatment": 1,
        "holdout": 0,
    }


def test_nobody_sees_the_campaign_of_another(shop: Shop, campaign: Enrolled, backend: str) -> None:
    stranger = house(backend).shop()
    asked = "query($id: ID!) { campaign(id: $id) { id } node(id: $id) { id } campaigns { totalCount } }"
    assert stranger.ask(asked, NOW, id=campaign.id) == {"campaign": None, "node": None, "campaigns": {"totalCount": 0}}
    for unknown in ("", "cam_x", "cus" + campaign.id[3:], f"cam_{'0' * 32}"):
        assert shop.ask("query($id: ID!) { campaign(id: $id) { id } }", NOW, id=unknown) == {"campaign": None}


# ------------------------------------------------------------------ from the other side


def test_a_customers_memberships_come_latest_first_and_page(shop: Shop) -> None:
    with shop.working() as work:
        [customer] = people(work, 1, LAUNCHED)
        # Recorded in no order.
        launched = {n: enrol(work, [customer], [], LAUNCHED + n * DAY).id for n in (1, 3, 0, 2)}
    asked = """query($id: ID!, $after: String) { customer(by: {id: $id}) {
      campaignMemberships(first: 3, after: $after) {
        totalCount nodes { campaign { id } } pageInfo { endCursor hasNextPage } } } }"""
    first = shop.ask(asked, NOW, id=public(customer))["customer"]["campaignMemberships"]
    assert [node["campaign"]["id"] for node in first["nodes"]] == [launched[n] for n in (3, 2, 1)]
    after = first["pageInfo"]["endCursor"]
    rest = shop.ask(asked, NOW, id=public(customer), after=after)["customer"]["campaignMemberships"]
    assert [node["campaign"]["id"] for node in rest["nodes"]] == [launched[0]]
    assert (first["totalCount"], rest["pageInfo"]["hasNextPage"]) == (4, False)


def test_contacts_and_purchases_name_their_campaign(shop: Shop) -> None:
    with shop.working() as work:
        customers = people(work, 2, LAUNCHED)
        campaign = enrol(work, customers, [], LAUNCHED)
        touch(work, customers[:1], LAUNCHED + DAY, campaign)
        touch(work, customers[1:], LAUNCHED + DAY, None)
        buy(work, customers[:1], LAUNCHED + DAY, campaign_id=campaign.key)
        buy(work, customers[1:], LAUNCHED + DAY)
    asked = """query($in: [ID!]!) {
      touchpoints(where: {campaignId: {in: $in}}) { totalCount nodes { campaign { id } } }
      purchases(where: {campaignId: {in: $in}}) { totalCount nodes { campaign { id } } }
      quiet: touchpoints(where: {NOT: {campaignId: {in: $in}}}) { nodes { campaign { id } } }
      plain: purchases(where: {campaignId: {notIn: $in}}) { nodes { campaign { id } } } }"""
    told = shop.ask(asked, NOW, **{"in": [campaign.id]})
    named = {"totalCount": 1, "nodes": [{"campaign": {"id": campaign.id}}]}
    bare = {"nodes": [{"campaign": None}]}
    assert told == {"touchpoints": named, "purchases": named, "quiet": bare, "plain": bare}


def test_campaigns_are_found_and_sorted(shop: Shop) -> None:
    with shop.working() as work:
        made = {}
        for n, (name, status) in enumerate((("Éa", "RUNNING"), ("b", "DRAFT"), ("C", "CANCELLED"), ("d", "COMPLETED"))):
            starts = None if n == 1 else LAUNCHED + n * DAY
            launched = LAUNCHED + timedelta(hours=n)
            given = {"name": name, "name_folded": name.casefold(), "status": status, "starts_at": starts}
            made[enrol(work, [], [], launched, **given).id] = name
    asked = """query($where: CampaignWhere, $by: [CampaignOrder!]) { campaigns(where: $where, orderBy: $by) {
      nodes { name } } }"""

    def names(where: Any = None, *by: dict[str, str]) -> str:
        told = shop.ask(asked, NOW, where=where, by=list(by) or None)["campaigns"]["nodes"]
        return " ".join(node["name"] for node in told)

    assert names() == "d C b Éa"
    assert names(None, {"field": "STATUS"}) == "b Éa d C"
    assert names(None, {"field": "STARTS_AT"}) == "Éa C d b"
    assert names(None, {"field": "STARTS_AT", "direction": "DESC"}) == "d C Éa b"
    assert names({"name": {"contains": "É"}}) == "Éa"
    assert names({"status": {"in": ["DRAFT", "RUNNING"]}}) == "b Éa"
    assert names({"status": {"notIn": ["DRAFT"]}, "startsAt": {"gt": instant_text(LAUNCHED)}}) == "d C"
    assert names({"id": {"in": [next(iter(made))]}}) == "Éa"


# ------------------------------------------------------------------ against a slow, obvious loop


@dataclass
class Bought:
    at: datetime
    minor: int
    refunds: list[tuple[datetime, int]] = field(default_factory=list)
    voided: bool = False

    def net(self, by: datetime) -> int | None:
        """None: it is not there, or not any more."""
        back = sum(minor for at, minor in self.refunds if at <= by)
        return None if self.at > by or self.voided or (back and back >= self.minor) else self.minor - back


@dataclass
class Life:
    arm: str
    contacts: list[tuple[datetime, bool]] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)

    def told(self, by: datetime, days: int) -> tuple[str, str]:
        """Status and spend as of an instant; the organisation's days are UTC's."""
        last = (LAUNCHED + days * DAY).date()
        window = [each for each in self.bought if each.at >= LAUNCHED and each.at.date() <= last]
        kept = [net for net in (each.net(by) for each in window) if net is not None]
        seen = [ours for at, ours in self.contacts if LAUNCHED <= at <= by]
        status = "CONVERTED" if kept else "RESPONDED" if False in seen else "CONTACTED" if True in seen else "ENROLLED"
        return status, f"{sum(kept) / 100:.2f}"


def life(rng: Random) -> Life:
    def moment() -> datetime:
        # Often on an edge of the window, or just beside it.
        edge = rng.choice((LAUNCHED, (LAUNCHED + 10 * DAY).replace(hour=0), (LAUNCHED + 11 * DAY).replace(hour=0)))
        inside = LAUNCHED + timedelta(minutes=rng.randrange(-3 * 1440, 30 * 1440))
        return rng.choice((inside, inside, edge, edge - timedelta(microseconds=1)))

    made = Life(rng.choice(("TREATMENT", "TREATMENT", "HOLDOUT")))
    made.contacts = [(moment(), rng.random() < 0.6) for _ in range(rng.choice((0, 0, 1, 2)))]
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        each = Bought(moment(), rng.choice((0, 100, 999, 3_000)), voided=rng.random() < 0.1)
        if each.minor and rng.random() < 0.4:
            share = rng.choice((1, each.minor))
            each.refunds = [(each.at + timedelta(minutes=rng.randrange(20 * 1440)), share)]
        made.bought.append(each)
    return made


WORLD = """query($id: ID!, $asOf: DateTime, $people: CustomerWhere) {
  campaign(id: $id) { members(first: 100) { nodes { customer { id } status spend { amount } } }
    result(asOf: $asOf) { treatment { converted orders revenue { amount } }
      holdout { converted orders revenue { amount } } } }
  customers(first: 100, where: $people, asOf: $asOf) { nodes { liveId campaignMemberships { nodes { arm status
    spend { amount } campaign { id } } } } } }"""


@pytest.mark.parametrize("seed", range(12 if FULL else 3))
def test_states_and_sums_are_those_of_a_slow_loop(shop: Shop, seed: int) -> None:
    rng, days = Random(seed), 10
    lives = [life(rng) for _ in range(60)]
    with shop.working() as work:
        customers = people(work, len(lives), LAUNCHED)
        of = dict(zip(customers, lives, strict=True))
        arms = {arm: [key for key in customers if of[key].arm == arm] for arm in ("TREATMENT", "HOLDOUT")}
        campaign = enrol(work, arms["TREATMENT"], arms["HOLDOUT"], LAUNCHED, days=days)
        for customer, mine in of.items():
            for at, ours in mine.contacts:
                touch(work, [customer], at, campaign, direction="OUTBOUND" if ours else "INBOUND")
            for each in mine.bought:
                [key] = buy(work, [customer], each.at, each.minor, voided_at=NOW if each.voided else None)
                for at, minor in each.refunds:
                    refund(work, [key], at, minor)
    named = {"id": {"in": [public(customer) for customer in customers]}}
    for as_of in (None, *(LAUNCHED + timedelta(minutes=rng.randrange(40 * 1440)) for _ in range(4))):
        by = as_of or NOW
        wanted = {public(customer): mine.told(by, days) for customer, mine in of.items()}
        told = shop.ask(WORLD, NOW, id=campaign.id, people=named, asOf=as_of and instant_text(as_of))
        found = {}
        for node in told["customers"]["nodes"]:
            [member] = node["campaignMemberships"]["nodes"]
            found[node["liveId"]] = (member["status"], member["spend"]["amount"])
        assert found == wanted, as_of
        if as_of is None:
            listed = told["campaign"]["members"]["nodes"]
            assert {node["customer"]["id"]: (node["status"], node["spend"]["amount"]) for node in listed} == wanted
        for arm, told_arm in told["campaign"]["result"].items():
            mine = [wanted[public(customer)] for customer in arms[arm.upper()]]
            assert told_arm["converted"] == sum(status == "CONVERTED" for status, _ in mine), (as_of, arm)
            assert told_arm["revenue"]["amount"] == f"{sum(float(spend) for _, spend in mine):.2f}", (as_of, arm)
