"""Facts and policies as customerScenario takes them."""

from datetime import date
from typing import Any

from tests.oracle.facts import Facts
from tests.oracle.judgements import Policy
from tests.oracle.printing import money


def typed(facts: Facts, today: date, exponent: int) -> dict[str, Any]:
    """The facts as customerScenario takes them."""

    def ago(day: date | None) -> int | None:
        return None if day is None else (today - day).days

    given: dict[str, Any] = {
        "keptOrders": facts.kept_orders,
        "occasions": facts.occasions,
        "firstPurchaseDaysAgo": ago(facts.first_day),
        "lastPurchaseDaysAgo": ago(facts.last_day),
        "occasionDaysAgo": [ago(day) for day in facts.occasion_days],
        "gross": money(facts.gross_minor, exponent),
        "refunded": money(facts.refunded_minor, exponent),
        "inboundDaysAgo": [ago(day) for day in facts.inbound_days],
        "dialogueDaysAgo": [ago(day) for day in facts.dialogue_days],
        "needDaysAgo": [ago(day) for day in facts.need_days],
        "coCreationDaysAgo": [ago(day) for day in facts.cocreation_days],
        "brandActivityDaysAgo": [ago(day) for day in facts.brand_days],
        "tailoredOrders": facts.tailored_orders,
        "convertedReferrals": facts.converted_referrals,
        "openComplaints": facts.open_complaints,
        "oldestOpenComplaintDaysAgo": ago(facts.oldest_open_complaint_day),
        "npsAnswer": facts.nps,
        "npsDaysAgo": ago(facts.nps_day),
        "committed": facts.committed,
        "contactable": facts.contactable,
        "terminatedDaysAgo": ago(facts.terminated_on),
        "relativeQuality": facts.quality and str(facts.quality),
        "relativePrice": facts.price and str(facts.price),
    }
    if facts.csat_mean is not None:
        given |= {"csatMean": float(facts.csat_mean), "csatCount": facts.csat_mean.denominator}
    return {key: value for key, value in given.items() if value is not None}


def typed_policy(policy: Policy, exponent: int) -> dict[str, Any]:
    """The whole policy, as a proposal."""
    camel: dict[str, Any] = {}
    for key, value in vars(policy).items():
        first, *rest = key.split("_")
        camel[first + "".join(part.capitalize() for part in rest)] = value
    weights = camel.pop("valueWeights")
    camel["rfmMonetaryCuts"] = [money(cut, exponent) for cut in policy.rfm_monetary_cuts]
    parts = ("recency", "frequency", "monetary", "engagement", "advocacy")
    return camel | {"valueWeights": dict(zip(parts, map(float, weights), strict=True))}
