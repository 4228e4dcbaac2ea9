"""What a campaign changed: the reference numbers of the handbook, and which purchases count when."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from app.platform.database import instant_text
from tests.campaigns.crowd import DAY, Enrolled, buy, enrol, people, refund, spend
from tests.conftest import NOW
from tests.house import Shop, house

LAUNCHED = NOW - 60 * DAY
RESULT = """query($id: ID!, $margin: Float! = 1, $asOf: DateTime) {
  campaign(id: $id) { result(margin: $margin, asOf: $asOf) {
    treatment { members converted orders rate revenue { amount currency } }
    holdout { members converted orders rate revenue { amount } }
    lift { absolute low high z pValue } ratio { value low high } incrementalConversions { value low high }
    incrementalRevenue { value { amount } low { amount } high { amount } } incrementalRoi { value low high }
    attributedRevenue { amount } attributedRoi cost { amount } membersNeeded windowEndsOn windowOpen sentence } } }"""


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


def result(shop: Shop, campaign: Enrolled, now: datetime = NOW, **given: Any) -> Any:
    if "as_of" in given:
        given["asOf"] = instant_text(given.pop("as_of"))
    return shop.ask(RESULT, now, id=campaign.id, **given)["campaign"]["result"]


def arms(told: Any) -> Any:
    """Converted, orders and revenue of each arm."""
    each = [told["treatment"], told["holdout"]]
    return [arm and (arm["converted"], arm["orders"], arm["revenue"]["amount"]) for arm in each]


# ------------------------------------------------------------------ the numbers


def test_the_reference_numbers(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 13_000, LAUNCHED)
        treated, held_out = everyone[:9_000], everyone[9_000:]
        campaign = enrol(work, treated, held_out, LAUNCHED, cost=150_000)
        buy(work, treated[:540] + held_out[:200], LAUNCHED + DAY)
    told = result(shop, campaign)
    assert told["treatment"] == {
        "members": 9_000,
        "converted": 540,
        "orders": 540,
        "rate": 0.06,
        "revenue": {"amount": "16200.00", "currency": "EUR"},
    }
    assert told["holdout"]["members"] == 4_000
    assert (told["holdout"]["converted"], told["holdout"]["rate"]) == (200, 0.05)
    lift = told["lift"]
    assert lift["absolute"] == 0.01
    assert [round(100 * lift[key], 3) for key in ("low", "high")] == [0.139, 1.813]
    assert (round(lift["z"], 4), round(lift["pValue"], 4)) == (2.2712, 0.0231)
    conversions = told["incrementalConversions"]
    assert [round(conversions[key], 1) for key in ("value", "low", "high")] == [90.0, 12.5, 163.2]
    revenue = told["incrementalRevenue"]
    assert [revenue[key]["amount"] for key in ("value", "low", "high")] == ["2700.00", "376.15", "4894.85"]
    roi = told["incrementalRoi"]
    assert [round(roi[key], 2) for key in ("value", "low", "high")] == [0.8, -0.75, 2.26]
    assert (told["attributedRevenue"]["amount"], told["attributedRoi"]) == ("16200.00", 9.8)
    assert told["membersNeeded"] == 8_155
    assert told["ratio"] == {"value": 1.2, "low": 1.024717, "high": 1.405266}
    assert told["cost"]["amount"] == "1500.00"
    assert (told["windowEndsOn"], told["windowOpen"]) == ("2026-05-16", False)
    assert told["sentence"] == (
        "The campaign raised the conversion rate by 1.00 percentage points (95 % interval 0.14 to 1.81): "
        "6.00 % of 9,000 treated members bought, 5.00 % of 4,000 held out."
    )


def test_without_a_holdout_there_is_nothing_to_compare(shop: Shop) -> None:
    with shop.working() as work:
        treated = people(work, 10, LAUNCHED)
        campaign = enrol(work, treated, [], LAUNCHED, cost=5_000)
        buy(work, treated[:4], LAUNCHED)
    told = result(shop, campaign, margin=0.5)
    assert arms(told) == [(4, 4, "120.00"), None]
    compared = ("lift", "ratio", "incrementalConversions", "incrementalRevenue", "incrementalRoi", "membersNeeded")
    assert [told[key] for key in compared] == [None] * len(compared)
    assert (told["attributedRevenue"]["amount"], told["attributedRoi"]) == ("120.00", 0.2)
    assert told["sentence"].startswith("There is no holdout: 40.00 % of 10 treated members bought")


def test_when_nobody_treated_has_bought_no_revenue_is_guessed(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 20, LAUNCHED)
        campaign = enrol(work, everyone[:10], everyone[10:], LAUNCHED, cost=100)
        buy(work, everyone[18:], LAUNCHED)
    told = result(shop, campaign)
    assert told["lift"]["absolute"] == -0.2
    assert told["incrementalConversions"]["value"] == -2.0
    assert told["ratio"] is told["incrementalRevenue"] is told["incrementalRoi"] is None
    assert (told["attributedRevenue"]["amount"], told["attributedRoi"]) == ("0.00", -1.0)
    assert "underpowered" in told["sentence"]


def test_without_a_cost_there_is_no_return_on_it(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 20, LAUNCHED)
        campaign = enrol(work, everyone[:10], everyone[10:], LAUNCHED)
        buy(work, everyone[:3], LAUNCHED)
    told = result(shop, campaign)
    assert (told["cost"]["amount"], told["incrementalRoi"], told["attributedRoi"]) == ("0.00", None, None)
    assert told["incrementalRevenue"]["value"]["amount"] == "90.00"


def test_nobody_treated(shop: Shop) -> None:
    with shop.working() as work:
        campaign = enrol(work, [], people(work, 2, LAUNCHED), LAUNCHED)
    told = result(shop, campaign)
    assert (told["treatment"]["members"], told["treatment"]["rate"], told["lift"]) == (0, None, None)
    assert told["sentence"].startswith("Nobody is in the treatment arm")


# ------------------------------------------------------------------ which purchases count


def test_a_purchase_converts_within_the_window_and_while_it_is_kept(backend: str) -> None:
    shop = house(backend).shop("Asia/Shanghai")
    # Enrolled on 16 April at 20:00 local time; the last day of the window is 26 April, local.
    enrolled, last = NOW - 60 * DAY, NOW - 50 * DAY
    counted = [
        (enrolled, {}),
        (last + timedelta(hours=3, minutes=59), {}),
        (enrolled + DAY, {"gross_minor": 0, "gross_reporting": 0}),
        (enrolled + DAY, {"currency": "KWD", "exponent": 3, "gross_reporting": None, "refunded_reporting": None}),
        (enrolled + DAY, {"refunded_minor": 2_999, "refunded_reporting": 2_999}),
    ]
    not_counted = [
        (enrolled - timedelta(microseconds=1), {}),
        (last + timedelta(hours=4), {}),
        (enrolled + DAY, {"voided_at": NOW}),
        (enrolled + DAY, {"refunded_minor": 3_000, "refunded_reporting": 3_000}),
    ]
    with shop.working() as work:
        buyers = people(work, len(counted) + len(not_counted) + 2, enrolled)
        left_out, stranger = buyers.pop(), buyers.pop()
        campaign = enrol(work, buyers, [], enrolled, left_out=[left_out], days=10)
        for customer, (at, given) in zip(buyers, counted + not_counted, strict=True):
            buy(work, [customer], at, **given)
        # Twice is one conversion, and two orders.
        buy(work, [buyers[0], left_out, stranger], enrolled + DAY)
    told = result(shop, campaign)
    assert (told["treatment"]["members"], told["windowEndsOn"]) == (len(buyers), "2026-04-26")
    assert arms(told) == [(len(counted), len(counted) + 1, "90.01"), None]


def test_campaigns_that_overlap_each_count_a_purchase(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 4, LAUNCHED)
        one = enrol(work, everyone[:2], everyone[2:], LAUNCHED)
        other = enrol(work, everyone[2:], everyone[:2], LAUNCHED + 5 * DAY)
        # Whatever campaign it names.
        buy(work, everyone[:1], LAUNCHED + 6 * DAY, campaign_id=one.key)
        buy(work, everyone[2:3], LAUNCHED + 3 * DAY, campaign_id=other.key)
    assert arms(result(shop, one)) == [(1, 1, "30.00"), (1, 1, "30.00")]
    assert arms(result(shop, other)) == [(0, 0, "0.00"), (1, 1, "30.00")]


# ------------------------------------------------------------------ as of another day


def test_as_of_any_instant_only_what_had_happened_counts(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 4, LAUNCHED)
        campaign = enrol(work, everyone[:2], everyone[2:], LAUNCHED)
        first = buy(work, everyone[:1], LAUNCHED + DAY)
        buy(work, everyone[1:2], LAUNCHED + 3 * DAY, 1_000)
        refund(work, first, LAUNCHED + 5 * DAY, 3_000)
        partly = buy(work, everyone[2:3], LAUNCHED + 7 * DAY)
        refund(work, partly, LAUNCHED + 9 * DAY, 500)
        spend(work, campaign, 700, LAUNCHED + 2 * DAY)
        spend(work, campaign, 300, LAUNCHED + 8 * DAY)
    reads = {
        0: ([(0, 0, "0.00"), (0, 0, "0.00")], "0.00"),
        1: ([(1, 1, "30.00"), (0, 0, "0.00")], "0.00"),
        4: ([(2, 2, "40.00"), (0, 0, "0.00")], "7.00"),
        5: ([(1, 1, "10.00"), (0, 0, "0.00")], "7.00"),
        7: ([(1, 1, "10.00"), (1, 1, "30.00")], "7.00"),
        9: ([(1, 1, "10.00"), (1, 1, "25.00")], "10.00"),
    }
    for days, (each, cost) in reads.items():
        as_of = LAUNCHED + days * DAY
        told = result(shop, campaign, as_of=as_of)
        assert (arms(told), told["cost"]["amount"]) == (each, cost), days
        # Asked at that time it said the same.
        assert result(shop, campaign, as_of) == told
    assert result(shop, campaign) == result(shop, campaign, as_of=NOW)
    assert result(shop, campaign, as_of=LAUNCHED - timedelta(microseconds=1)) is None


def test_the_window_is_open_through_its_last_day(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 4, LAUNCHED)
        campaign = enrol(work, everyone[:2], everyone[2:], LAUNCHED, days=10)
    midnight = (LAUNCHED + 11 * DAY).replace(hour=0)
    during, after = (result(shop, campaign, as_of=at) for at in (midnight - timedelta(microseconds=1), midnight))
    assert (during["windowOpen"], after["windowOpen"]) == (True, False)
    assert during["sentence"] == (
        f"{after['sentence']} The conversion window is open until 2026-04-26: none of this is final."
    )


# ------------------------------------------------------------------ how it is asked


def test_a_draft_has_no_result_and_nobody(shop: Shop) -> None:
    with shop.working() as work:
        campaign = enrol(work, [], [], LAUNCHED, launched_at=None, launched_day=None, status="DRAFT")
    asked = (
        "query($id: ID!) { campaign(id: $id) { status launch { matched } members { totalCount } result { sentence } } }"
    )
    told = shop.ask(asked, NOW, id=campaign.id)["campaign"]
    assert told == {"status": "DRAFT", "launch": None, "members": {"totalCount": 0}, "result": None}


@pytest.mark.parametrize(
    "argument", ["margin: -0.01", "margin: 1.01", 'asOf: "2027-01-01T00:00:00Z"', 'asOf: "1850-01-01T00:00:00Z"']
)
def test_what_cannot_be_asked_is_refused(shop: Shop, argument: str) -> None:
    with shop.working() as work:
        campaign = enrol(work, people(work, 1, LAUNCHED), [], LAUNCHED)
    told = shop.post(
        f"query($id: ID!) {{ campaign(id: $id) {{ result({argument}) {{ sentence }} }} }}", NOW, id=campaign.id
    )
    assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]


SHAPES = """query($id: ID!) {
  campaigns(orderBy: [{field: NAME}]) {
    nodes { name half: result(margin: 0.5) { ...R } result { ...R __typename } } }
  node(id: $id) { ... on Campaign {
    result(asOf: "%s") { sum: attributedRevenue { of: currency so: amount } ...R } } } }
fragment R on CampaignResult { attributedRoi
  all: treatment { converted converted revenue { __typename a: amount } } }"""


def test_of_many_campaigns_at_once_and_under_any_name(shop: Shop) -> None:
    with shop.working() as work:
        everyone = people(work, 6, LAUNCHED)
        buy(work, everyone[:3], LAUNCHED + DAY)
        one = enrol(work, everyone[:4], everyone[4:], LAUNCHED, cost=4_500, name="A", name_folded="a")
        enrol(work, everyone[2:], everyone[:2], LAUNCHED, cost=100, name="B", name_folded="b")
        draft = {"launched_at": None, "launched_day": None, "status": "DRAFT", "name": "C", "name_folded": "c"}
        enrol(work, [], [], LAUNCHED, **draft)
    told = shop.ask(SHAPES % instant_text(LAUNCHED + 2 * DAY), NOW, id=one.id)

    def read(converted: int, amount: str, roi: float) -> Any:
        revenue = {"__typename": "Money", "a": amount}
        return {"attributedRoi": roi, "all": {"converted": converted, "revenue": revenue}}

    named = {"__typename": "CampaignResult"}
    assert told["campaigns"]["nodes"] == [
        {"name": "A", "half": read(3, "90.00", 0.0), "result": read(3, "90.00", 1.0) | named},
        {"name": "B", "half": read(1, "30.00", 14.0), "result": read(1, "30.00", 29.0) | named},
        {"name": "C", "half": None, "result": None},
    ]
    assert told["node"] == {"result": {"sum": {"of": "EUR", "so": "90.00"}, **read(3, "90.00", 1.0)}}


def test_budget_against_cost(shop: Shop) -> None:
    with shop.working() as work:
        campaign = enrol(work, people(work, 1, LAUNCHED), [], LAUNCHED, cost=9_000, budget_minor=8_000)
    asked = "query($id: ID!) { campaign(id: $id) { budget { amount } cost { amount } budgetLeft { amount currency } } }"
    assert shop.ask(asked, NOW, id=campaign.id)["campaign"] == {
        "budget": {"amount": "80.00"},
        "cost": {"amount": "90.00"},
        "budgetLeft": {"amount": "-10.00", "currency": "EUR"},
    }
