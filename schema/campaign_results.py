"""What a campaign changed, as it is told: statistics that Python makes of the sums of each arm."""

from collections.abc import Mapping
from typing import Any

import strawberry

from app.campaigns.results import COLUMNS, ArmResult, result_of, results, whole_minor
from app.campaigns.statistics import Interval
from app.campaigns.statistics import Lift as LiftFound
from app.platform.access import Org
from app.platform.refusals import BadInput
from app.purchases.rules import printed
from app.query.question import Relation
from schema.fields import Computed
from schema.node import Money
from schema.scalars import Date

# Enough to tell any two results apart, few enough to be the same on every machine.
DECIMALS = 6
MARGIN = {"margin": (float, 1.0, "The share of spend that is kept, 0 to 1.")}


@strawberry.type(description="What came of one arm in the conversion window, contacted or not.")
class CampaignArmResult:
    members: int = strawberry.field(description="Everyone assigned.")
    converted: int = strawberry.field(description="Members with a kept purchase in the window.")
    orders: int = strawberry.field(description="Their kept purchases in the window.")
    rate: float | None = strawberry.field(description="Converted by members, six decimals; null without members.")
    revenue: Money = strawberry.field(
        description="Net of those purchases, reporting currency; what no exchange rate is known for is not in it."
    )


@strawberry.type(description="A difference of conversion rates, as a share: 0.01 is one percentage point.")
class Lift:
    absolute: float = strawberry.field(description="Treatment rate less holdout rate, six decimals.")
    low: float = strawberry.field(description="The lower end of Newcombe's 95 % interval.")
    high: float = strawberry.field(description="Its upper end.")
    z: float = strawberry.field(
        description="The difference by its standard error, of the pooled rate; 0 if nobody or everybody converted."
    )
    p_value: float = strawberry.field(
        description="How often chance alone would differ as much, either way; six decimals. It holds when read once, on the day fixed before."
    )


@strawberry.type(description="An amount of money and the ends of its 95 % interval.")
class MoneyInterval:
    value: Money = strawberry.field(description="The estimate.")
    low: Money = strawberry.field(description="The lower end.")
    high: Money = strawberry.field(description="The upper end.")


@strawberry.type(description="A number and the ends of its 95 % interval, six decimals.")
class FloatInterval:
    value: float = strawberry.field(description="The estimate.")
    low: float = strawberry.field(description="The lower end.")
    high: float = strawberry.field(description="The upper end.")


@strawberry.type(
    description="By intention to treat: everyone assigned counts, contacted or not. A purchase in the window counts "
    "whatever led there, so campaigns that overlap each count it: the arms tell what this one changed."
)
class CampaignResult:
    treatment: CampaignArmResult = strawberry.field(description="Those who might be contacted.")
    holdout: CampaignArmResult | None = strawberry.field(description="Those kept untouched; null when nobody is.")
    lift: Lift | None = strawberry.field(
        description="Treatment rate less holdout rate, with Newcombe's interval; null without a holdout."
    )
    ratio: FloatInterval | None = strawberry.field(
        description="Treatment rate by holdout rate, with its log interval: 1.2 is a fifth more. Null until both arms have conversions."
    )
    incremental_conversions: FloatInterval | None = strawberry.field(
        description="Lift x treatment members: who would not have bought otherwise. Null without a holdout."
    )
    incremental_revenue: MoneyInterval | None = strawberry.field(
        description="Lift x treatment members x mean net spend of treatment converters, Newcombe's ends likewise. Null "
        "without a holdout, and while no treated member has converted, since there is no mean. Never the attributed figure."
    )
    incremental_roi: FloatInterval | None = strawberry.field(
        description="(incremental revenue x margin - cost) / cost, its ends likewise; null where that revenue is, or nothing was spent."
    )
    attributed_revenue: Money = strawberry.field(
        description="Net spend of the treatment arm in its windows. Most of it may have come anyway."
    )
    attributed_roi: float | None = strawberry.field(
        description="(attributed revenue x margin - cost) / cost, six decimals; null when nothing was spent."
    )
    cost: Money = strawberry.field(description="All that was booked by then, reporting currency.")
    members_needed: int | None = strawberry.field(
        description="In each arm, to see the observed lift four times in five, or without one a fifth more than the "
        "holdout's rate; null without a holdout, while nobody or everybody has converted, and beyond a thousand million."
    )
    window_ends_on: Date = strawberry.field(
        description="The last local day on which a purchase converts: the day to read the result on, known since the launch."
    )
    window_open: bool = strawberry.field(
        description="Whether that day is not over, so that everything here may yet move."
    )
    sentence: str = strawberry.field(
        description="What may honestly be said: underpowered, no holdout, or the effect with its interval in percentage points."
    )


def _check(given: Mapping[str, Any], _path: str, _values: Any) -> None:
    # Not a number is neither.
    if not 0 <= given["margin"] <= 1:
        raise BadInput("margin is 0 to 1.")


def _told(numbers: Mapping[str, int], given: Mapping[str, Any], org: Org) -> dict[str, Any]:
    found = result_of(numbers, given["margin"])

    def money(minor: float) -> dict[str, Any]:
        return {"amount": printed(whole_minor(minor), org.exponent), "currency": org.currency}

    def arm(of: ArmResult) -> dict[str, Any]:
        told = {"members": of.arm.members, "converted": of.arm.converted, "orders": of.orders}
        return told | {"rate": _rounded(of.arm.rate), "revenue": money(of.revenue)}

    revenue = found.incremental_revenue
    return {
        "treatment": arm(found.treatment),
        "holdout": arm(found.holdout) if found.holdout else None,
        "lift": found.lift and _lift(found.lift),
        "ratio": _interval(found.ratio),
        "incrementalConversions": _interval(found.incremental_conversions),
        "incrementalRevenue": revenue and {key: money(getattr(revenue, key)) for key in ("value", "low", "high")},
        "incrementalRoi": _interval(found.incremental_roi),
        "attributedRevenue": money(found.treatment.revenue),
        "attributedRoi": _rounded(found.attributed_roi),
        "cost": money(found.cost),
        "membersNeeded": found.needed,
        "windowEndsOn": found.until.isoformat(),
        "windowOpen": found.open,
        "sentence": found.sentence,
    }


def _lift(found: LiftFound) -> dict[str, Any]:
    d = found.absolute
    told = {"absolute": d.value, "low": d.low, "high": d.high, "z": found.z, "pValue": found.p_value}
    return {key: _rounded(value) for key, value in told.items()}


def _interval(found: Interval | None) -> dict[str, Any] | None:
    return None if found is None else {key: _rounded(getattr(found, key)) for key in ("value", "low", "high")}


def _rounded(value: Any) -> float | None:
    # Never -0.0.
    return None if value is None else round(float(value), DECIMALS) + 0.0


RESULT = Computed(Relation(results, "id", "id"), COLUMNS, _check, _told)
