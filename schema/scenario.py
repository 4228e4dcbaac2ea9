"""Typed-in facts as the columns that the measures rest on."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.customers.facts import facts
from app.platform.refusals import BadInput
from app.platform.text import MILLION, half_away, scaled

_WINDOWS = {
    "occasion_days_ago": "occasion",
    "inbound_days_ago": "inbound",
    "dialogue_days_ago": "dialogue",
    "need_days_ago": "need",
    "co_creation_days_ago": "cocreation",
    "brand_activity_days_ago": "brand_activity",
}
FURTHEST, MOST, MOST_ANSWERS = 100_000, 1_000_000_000, 1_000_000


def columns(given: Mapping[str, Any], today: int, exponent: int) -> dict[str, Any]:
    """The facts and profile columns of someone of whom just this is known. Raises BadInput for facts that nobody can have."""
    found: dict[str, Any] = {key: fact.empty for key, fact in facts.facts.items()}
    found |= {"terminated_day": _day(given.get("terminated_days_ago"), today), "suppressed": False}
    kept = _count(given, "kept_orders")
    occasions = given.get("occasions")
    found["kept_orders"] = kept
    found["occasions"] = kept if occasions is None else _count(given, "occasions")
    found["first_day"] = _day(given.get("first_purchase_days_ago"), today)
    found["last_day"] = _day(given.get("last_purchase_days_ago"), today)
    if kept and (found["first_day"] is None or found["last_day"] is None):
        raise BadInput("With orders, say firstPurchaseDaysAgo and lastPurchaseDaysAgo.")
    if not kept and (found["occasions"] or found["first_day"] is not None or found["last_day"] is not None):
        raise BadInput("Without kept orders there is no occasion, and no first or last purchase.")
    if kept and not 1 <= found["occasions"] <= kept:
        raise BadInput("occasions is 1 to keptOrders.")
    if kept and found["first_day"] > found["last_day"]:
        raise BadInput("The first purchase is not after the last one.")
    for name, key in _WINDOWS.items():
        latest = sorted((_day(ago, today) or 0 for ago in given.get(name) or ()), reverse=True)[:6]
        found |= {f"{key}_{n}": day for n, day in enumerate(latest, start=1)}
    found["gross_minor"], found["refunded_minor"] = (_money(given, key, exponent) for key in ("gross", "refunded"))
    found["tailored_orders"] = _count(given, "tailored_orders")
    found["referrals"] = _count(given, "converted_referrals")
    found["open_complaints"] = _count(given, "open_complaints")
    if found["open_complaints"]:
        found["oldest_open_complaint_day"] = _day(given.get("oldest_open_complaint_days_ago") or 0, today)
    found["commitments"] = int(given.get("committed", False))
    found["marketing_granted"] = int(given.get("contactable", False))
    return found | _answers(given, today)


def _answers(given: Mapping[str, Any], today: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    nps, mean = given.get("nps_answer"), given.get("csat_mean")
    if nps is not None:
        if not 0 <= nps <= 10:
            raise BadInput("npsAnswer is 0 to 10.")
        found |= {"nps": nps, "nps_day": _day(given.get("nps_days_ago") or 0, today)}
    if mean is not None:
        if not 1 <= mean <= 5:
            raise BadInput("csatMean is 1 to 5.")
        count = _count(given, "csat_count") or 1
        if count > MOST_ANSWERS:
            raise BadInput(f"csatCount is at most {MOST_ANSWERS:,}.")
        exact = Decimal(str(mean)) * count
        found |= {"csat_count": count, "csat_sum": half_away(*exact.as_integer_ratio())}
    quality, price = given.get("relative_quality"), given.get("relative_price")
    if quality is not None and price is not None:
        units = [scaled(quality, 6), scaled(price, 6)]
        if not all(unit is not None and 0 < unit <= MILLION * MILLION for unit in units):
            raise BadInput("relativeQuality and relativePrice are above 0, up to 1,000,000, with at most six decimals.")
        found |= {"quality_e6": units[0], "price_e6": units[1], "perceived_day": today}
    return found


def _day(ago: int | None, today: int) -> int | None:
    if ago is None:
        return None
    if abs(ago) > FURTHEST:
        raise BadInput(f"Days ago are at most {FURTHEST:,}.")
    return today - ago


def _count(given: Mapping[str, Any], key: str) -> int:
    value: int = given.get(key) or 0
    if not 0 <= value <= MOST:
        raise BadInput(f"A count is 0 to {MOST:,}.")
    return value


def _money(given: Mapping[str, Any], key: str, exponent: int) -> int:
    units = scaled(given.get(key) or Decimal(0), exponent)
    if units is None or units < 0:
        raise BadInput("An amount is 0 or more, with no more decimals than the reporting currency has.")
    return units
