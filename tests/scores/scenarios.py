"""Facts and policies that are typed in, and what is judged of them."""

from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any

from tests.conftest import NOW
from tests.house import Shop
from tests.oracle.facts import Facts
from tests.oracle.judgements import Policy
from tests.oracle.printing import money
from tests.reading import JUDGED

# In a scenario the answer is of today.
SAID = tuple(path for path in JUDGED if path != "value.perceived.answeredOn")


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


def scenario(shop: Shop, given: Any, select: str, now: datetime = NOW, policy: Any = None) -> Any:
    query = f"""query Scenario($facts: CustomerFactsInput!, $policy: PolicySetInput) {{
      customerScenario(facts: $facts, policy: $policy) {{ {select} }} }}"""
    return shop.ask(query, now, facts=given, policy=policy)["customerScenario"]


def random_policy(rng: Random) -> Policy:
    new, active, churn = sorted(rng.sample(range(1, 500), 3))
    weights = [rng.randint(0, 250_000) for _ in range(4)]
    return Policy(
        new_days=rng.choice((0, new)),
        active_days=active,
        churn_days=churn,
        loyal_min_occasions=rng.randint(1, 6),
        loyal_min_span_days=rng.choice((0, 30, 180, 400)),
        complaint_sla_days=rng.choice((0, 1, 15, 60)),
        detractor_window_days=rng.choice((0, 91, 365)),
        customer_min_occasions=rng.randint(1, 3),
        customer_min_inbound=rng.randint(0, 6),
        client_min_dialogues=rng.randint(0, 4),
        client_min_needs=rng.randint(0, 2),
        client_min_tailored=rng.randint(0, 3),
        partner_min_cocreation=rng.randint(0, 3),
        rfm_recency_cuts=tuple(sorted(rng.choices((0, 1, 30, 90, 181, 400), k=4))),  # type: ignore[arg-type]
        rfm_frequency_cuts=tuple(sorted(rng.choices((0, 1, 2, 3, 5), k=4))),  # type: ignore[arg-type]
        rfm_monetary_cuts=tuple(sorted(rng.choices((0, 1, 99_99, 100_00, 500_00), k=4))),  # type: ignore[arg-type]
        value_weights=tuple(str(Decimal(w).scaleb(-6)) for w in (*weights, 1_000_000 - sum(weights))),
    )
