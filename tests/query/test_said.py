"""What the API says of a hundred lives is what plain Python makes of them: the ground that the other tests here
stand on."""

from typing import Any

from tests.client import Client
from tests.query.conftest import Shop
from tests.query.shop import public

EVERYTHING = """
  id kind name email phone birthday city region country language suppressed createdAt updatedAt
  facts { keptOrders occasions firstPurchaseOn lastPurchaseOn unconvertedOrders gross { amount } refunded { amount }
  net { amount }
    averageOrderValue { amount } touchpoints lastTouchpointAt inboundLast90Days nps csat openComplaints committed
    contactable }
  lifecycle { stage phase recencyDays tenureDays nextAction deliverable }
  relationship { tier }
  value { score rfm { recency frequency monetary cell } churnRisk health healthCoverage behavior perceived { quality
  price ratio answeredOn } }
"""


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        here = f"{path}.{key}" if path else key
        found |= leaves(value, here) if isinstance(value, dict) else {here: value}
    return found


async def test_what_is_said_of_everyone_is_what_python_says(client: Client, shop: Shop) -> None:
    data = await client.ask(f"{{ customers(first: 100) {{ totalCount nodes {{ {EVERYTHING} }} }} }}")
    assert data["customers"]["totalCount"] == len(shop.live)
    told = {node["id"]: leaves(node) for node in data["customers"]["nodes"]}
    for person in shop.live:
        said = told[public("cus", person.id)]
        known = {path: value for path, value in person.values.items() if path in said}
        wrong = {path: (said[path], value) for path, value in known.items() if said[path] != value}
        assert not wrong
        missing = {path for path in person.values if path not in said and person.values[path] is not None}
        assert not missing
