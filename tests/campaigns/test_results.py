"""What a campaign changed: the reference numbers of the handbook, and which purchases count when."""

from datetime import datetime
from typing import Any

import pytest

from app.platform.database import instant_text
from tests.campaigns.crowd import DAY, Enrolled, buy, enrol, people
from tests.conftest import NOW
from tests.histories import Shop, house

LAUNCHED = NOW - 60 * DAY
RESULT = """query($id: ID!, $margin: Float! = 1, $asOf: DateTime) { campaign(id: $id) { result(margin: $margin, asOf: $asOf) {
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


def arms(told: Any) -> tuple[Any, ...]:
    """Converted, orders and revenue of each arm."""
    each = [told["treatment"], told["holdout"]]
    return tuple(arm and (arm["converted"], arm["orders"], arm["revenue"]["amount"]) for arm in each)


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
