"""A campaign through the API, as a marketing team runs one: preview, plan, launch, contact, read what it changed."""

from datetime import timedelta
from typing import Any

import pytest

from tests.campaigns.acting import granted
from tests.conftest import NOW
from tests.customers.acting import create
from tests.house import Shop, house

LATER = NOW + timedelta(days=3)
PROBLEMS = "userErrors { code field message }"


@pytest.fixture
def shop(backend: str) -> Shop:
    made = house(backend).shop()
    with made.working(NOW) as work:
        for number in range(20):
            person = create(work, f"P{number}", city="Lyon" if number % 4 else "Paris")
            if number % 5:
                granted(work, person)
    return made


def done(shop: Shop, field: str, given: dict[str, Any], selected: str, now: Any = NOW) -> Any:
    name = f"{field[0].upper()}{field[1:]}Input"
    told = shop.ask(f"mutation($i: {name}!) {{ {field}(input: $i) {{ {selected} {PROBLEMS} }} }}", now, i=given)
    return told[field]


def test_from_the_preview_to_the_result(shop: Shop) -> None:
    audience = {"AND": [{"city": {"eq": "Lyon"}}, {"lifecycle": {"stage": {"in": ["PROSPECT"]}}}]}
    asked = "query($w: CustomerWhere!) { audiencePreview(where: $w, channel: EMAIL, purpose: MARKETING) "
    asked += "{ matched reachable excluded { count reason } sample { name } __typename } }"
    preview = shop.ask(asked, NOW, w=audience)["audiencePreview"]
    assert (preview["matched"], preview["reachable"], len(preview["sample"])) == (15, 12, 10)
    assert {each["reason"]: each["count"] for each in preview["excluded"]} == {
        "ARCHIVED": 0, "NO_CONSENT": 3, "SUPPRESSED": 0, "FREQUENCY_CAP": 0,
    }  # fmt: skip
    assert preview["__typename"] == "AudiencePreview"

    planned = {"name": "Back to Lyon", "objective": "WIN_BACK", "channel": "EMAIL", "audience": audience}
    planned |= {"holdoutShare": 0.5, "conversionDays": 14, "budget": {"amount": "500.00", "currency": "EUR"}}
    created = done(shop, "campaignCreate", planned, "campaign { id version status audience launch { matched } }")
    campaign = created["campaign"]
    assert created["userErrors"] == []
    assert campaign == {"id": campaign["id"], "version": 1, "status": "DRAFT", "audience": audience, "launch": None}

    wanted = "campaign { version status launch { matched treatment holdout audienceHash excluded { reason count } } }"
    launched = done(shop, "campaignLaunch", {"id": campaign["id"], "expectedVersion": 1}, wanted)["campaign"]
    frozen = launched["launch"]
    assert (launched["status"], launched["version"]) == ("RUNNING", 2)
    assert frozen["matched"] == 15 == frozen["treatment"] + frozen["holdout"] + 3
    assert frozen["excluded"] == [{"reason": each["reason"], "count": each["count"]} for each in preview["excluded"]]
    assert len(frozen["audienceHash"]) == 64

    asked = "query($id: ID!) { campaign(id: $id)"
    asked += " { members(where: {arm: {eq: TREATMENT}}) { nodes { id customer { id name } } } } }"
    treated = shop.ask(asked, LATER, id=campaign["id"])["campaign"]["members"]["nodes"]
    spoken = {"kind": "MESSAGE", "channel": "EMAIL", "direction": "OUTBOUND", "campaignId": campaign["id"]}
    for member in treated:
        sent = {"customer": {"id": member["customer"]["id"]}, **spoken}
        told = done(shop, "touchpointRecord", sent, "outcome touchpoint { campaign { name } }", LATER)
        assert told["touchpoint"] == {"campaign": {"name": "Back to Lyon"}}
    bought = {"customer": {"id": treated[0]["customer"]["id"]}, "currency": "EUR", "campaignId": campaign["id"]}
    bought |= {"lines": [{"name": "Tea", "price": {"total": "120.00"}}], "externalRef": {"system": "t", "value": "1"}}
    done(shop, "purchaseRecord", bought, "purchase { campaign { id } }", LATER)
    cost = {"campaignId": campaign["id"], "cost": {"amount": "60.00", "currency": "EUR"}}
    booked = done(shop, "campaignCostRecord", cost, "campaign { cost { amount } budget { amount } }", LATER)
    assert booked["campaign"] == {"cost": {"amount": "60.00"}, "budget": {"amount": "500.00"}}

    asked = """query($id: ID!, $then: DateTime) { campaign(id: $id) {
        members(where: {status: {eq: CONVERTED}}) { totalCount }
        result(margin: 0.5, asOf: $then) {
          treatment { members converted revenue { amount } }
          holdout { members converted }
          attributedRevenue { amount } attributedRoi sentence } } }"""
    found = shop.ask(asked, LATER, id=campaign["id"])["campaign"]
    assert found["members"]["totalCount"] == 1
    result = found["result"]
    assert result["treatment"] == {"members": len(treated), "converted": 1, "revenue": {"amount": "120.00"}}
    assert result["holdout"] == {"members": frozen["holdout"], "converted": 0}
    assert (result["attributedRevenue"], result["attributedRoi"]) == ({"amount": "120.00"}, 0.0)
    assert result["sentence"]
    before = shop.ask(asked, LATER, id=campaign["id"], then="2026-06-15T12:00:01Z")["campaign"]["result"]
    assert before["treatment"]["converted"] == 0
    assert shop.ask(asked, LATER, id=campaign["id"], then="2026-06-15T11:59:59Z")["campaign"]["result"] is None

    ended = done(shop, "campaignComplete", {"id": campaign["id"]}, "campaign { status }", LATER)
    assert ended["campaign"] == {"status": "COMPLETED"}


def test_refusals_are_typed_and_point_into_the_input(shop: Shop) -> None:
    draft = {"name": "", "objective": "CARE", "channel": "SMS", "audience": {}, "holdoutShare": 0.6}
    told = done(shop, "campaignCreate", draft, "campaign { id }")
    assert told["campaign"] is None
    assert {(each["code"], tuple(each["field"])) for each in told["userErrors"]} == {
        ("REQUIRED", ("input", "name")),
        ("OUT_OF_RANGE", ("input", "holdoutShare")),
        ("INVALID", ("input", "audience")),
    }
    assert shop.ask("{ campaigns { totalCount } }", NOW) == {"campaigns": {"totalCount": 0}}
    stale = done(
        shop,
        "campaignCreate",
        draft | {"name": "Care", "holdoutShare": 0, "audience": {"city": {"eq": "Lyon"}}},
        "campaign { id }",
    )
    given = {"id": stale["campaign"]["id"], "expectedVersion": 7}
    asked = """mutation($i: CampaignLaunchInput!) { campaignLaunch(input: $i) {
        userErrors { code ... on StaleVersionError { current { ... on Campaign { version } } } } } }"""
    problems = shop.ask(asked, NOW, i=given)["campaignLaunch"]["userErrors"]
    assert problems == [{"code": "STALE_VERSION", "current": {"version": 1}}]


@pytest.mark.parametrize("audience", [{}, {"AND": [{}]}, {"NOT": {}}, {"city": {}}, {"segment": {}}])
def test_an_audience_that_asks_nothing_is_refused(shop: Shop, audience: Any) -> None:
    told = done(
        shop,
        "campaignCreate",
        {"name": "x", "objective": "CARE", "channel": "SMS", "audience": audience},
        "campaign { id }",
    )
    assert [each["code"] for each in told["userErrors"]] == ["INVALID"]


def test_an_audience_of_unknown_fields_does_not_pass_the_door(shop: Shop) -> None:
    told = shop.post(
        'mutation { campaignCreate(input: {name: "x", objective: CARE, channel: SMS, audience: {shoeSize: {eq: 43}}})'
        " { campaign { id } } }",
        NOW,
    )
    assert "errors" in str(told) or told.json()["errors"]


def test_the_audience_reads_back_as_it_was_given(shop: Shop) -> None:
    audience = {
        "OR": [
            {"value": {"score": {"gte": 10}}},
            {"NOT": {"country": {"isNull": True}}},
        ],
        "createdAt": {"gte": "2020-01-01T00:00:00.000000Z"},
    }
    planned = {"name": "All", "objective": "OTHER", "channel": "MAIL", "purpose": "SERVICE", "audience": audience}
    told = done(shop, "campaignCreate", planned, "campaign { audience purpose }")
    assert told["campaign"] == {"audience": audience, "purpose": "SERVICE"}
