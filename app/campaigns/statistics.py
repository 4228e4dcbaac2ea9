"""What a campaign changed, by intention to treat: everyone assigned counts, contacted or not.

The effect is the difference of two conversion rates. Its interval is Newcombe's, of Wilson's for each arm (Statistics
in Medicine 17, 1998, method 10): it holds for small arms and rare events too, where the usual one does not. z and p are
of the pooled rate. Nothing here is ever taken from what campaigns are merely credited with (attribution.py).
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil, erfc, exp, log, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
# Intervals of 95 %; sample sizes for a power of 80 %.
Z_95, Z_80 = _NORMAL.inv_cdf(0.975), _NORMAL.inv_cdf(0.8)
# Where no effect was observed, arms are held against one that makes a fifth more convert.
RELATIVE = Fraction(1, 5)
# Where it would take more than that, the arms are as good as alike.
MOST_MEMBERS = 10**9


@dataclass(frozen=True)
class Arm:
    members: int
    converted: int

    @property
    def rate(self) -> Fraction | None:
        return Fraction(self.converted, self.members) if self.members else None


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Interval":
        """`factor` is not below zero."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    @property
    def leaves_out_nothing(self) -> bool:
        """Whether 0 is among what it may be."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Lift:
    """Treatment rate less holdout rate; how many standard errors that is, and how often chance alone does as much."""

    absolute: Interval
    z: float
    p_value: float


def wilson(arm: Arm) -> tuple[float, float]:
    """The 95 % interval of the rate of an arm that has members."""
    rate, members, square = arm.converted / arm.members, arm.members, Z_95 * Z_95
    middle = (rate + square / (2 * members)) / (1 + square / members)
    half = Z_95 / (1 + square / members) * sqrt(rate * (1 - rate) / members + square / (4 * members * members))
    # At nobody and at everybody it ends there; a rounding error must not lead past them.
    low = 0.0 if arm.converted == 0 else middle - half
    high = 1.0 if arm.converted == members else middle + half
    return low, high


def lift(treated: Arm, held_out: Arm) -> Lift | None:
    """None while one of the arms has no members."""
    if treated.rate is None or held_out.rate is None:
        return None
    p1, p0 = float(treated.rate), float(held_out.rate)
    (low1, high1), (low0, high0) = wilson(treated), wilson(held_out)
    d = float(treated.rate - held_out.rate)
    low = d - sqrt((p1 - low1) ** 2 + (high0 - p0) ** 2)
    high = d + sqrt((high1 - p1) ** 2 + (p0 - low0) ** 2)
    pooled = (treated.converted + held_out.converted) / (treated.members + held_out.members)
    error = sqrt(pooled * (1 - pooled) * (1 / treated.members + 1 / held_out.members))
    # Nobody, or everybody, converted in both: there is no difference to measure.
    z = d / error if error else 0.0
    return Lift(Interval(d, low, high), z, erfc(abs(z) / sqrt(2)))


def ratio(treated: Arm, held_out: Arm) -> Interval | None:
    """Treatment rate by holdout rate, with its log interval; None until both arms have conversions."""
    if not treated.rate or not held_out.rate:
        return None
    found = float(treated.rate / held_out.rate)
    variance = (1 - treated.rate) / treated.converted + (1 - held_out.rate) / held_out.converted
    half = Z_95 * sqrt(variance)
    return Interval(found, exp(log(found) - half), exp(log(found) + half))


def incremental_conversions(treated: Arm, held_out: Arm) -> Interval | None:
    """How many conversions there would not have been without the campaign: the lift times the treated members."""
    found = lift(treated, held_out)
    return found.absolute.times(treated.members) if found else None


def incremental_revenue(treated: Arm, held_out: Arm, spend: int) -> Interval | None:
    """The same times the mean of what treated converters spent, all of them together `spend`; None while nobody
    treated has converted: then there is no mean."""
    conversions = incremental_conversions(treated, held_out)
    return conversions.times(spend / treated.converted) if conversions and treated.converted else None


def roi(revenue: float, margin: float, cost: int) -> float | None:
    """Gain by cost: -1 when all that was spent is lost; None when nothing was spent."""
    return (revenue * margin - cost) / cost if cost else None


def incremental_roi(revenue: Interval, margin: float, cost: int) -> Interval | None:
    if not cost:
        return None
    value, low, high = ((end * margin - cost) / cost for end in (revenue.value, revenue.low, revenue.high))
    return Interval(value, low, high)


def members_needed(p1: float | Fraction, p0: float | Fraction) -> int | None:
    """In each arm, to see such a difference four times in five; None when there is none."""
    if p1 == p0:
        return None
    return max(1, ceil((Z_95 + Z_80) ** 2 * float(p1 * (1 - p1) + p0 * (1 - p0)) / float(p1 - p0) ** 2))


def needed(treated: Arm, held_out: Arm) -> int | None:
    """The members that each arm would need for the effect that was observed, or without one for a fifth more than the
    holdout's rate; None where there is nothing to go by."""
    if treated.rate is None or held_out.rate is None:
        return None
    if treated.rate != held_out.rate:
        return members_needed(treated.rate, held_out.rate)
    # Where a fifth more is more than everybody, a fifth less.
    base = held_out.rate
    other = base * (1 + RELATIVE) if base * (1 + RELATIVE) <= 1 else base * (1 - RELATIVE)
    return members_needed(other, base)


# ------------------------------------------------------------------ in words


def sentence(treated: Arm, held_out: Arm, open_until: date | None = None) -> str:
    """What may honestly be said. `open_until`: the last day of the conversion window while it is still open."""
    said = _said(treated, held_out)
    if open_until is None:
        return said
    return f"{said} The conversion window is open until {open_until.isoformat()}: none of this is final."


def _said(treated: Arm, held_out: Arm) -> str:
    if treated.rate is None:
        return "Nobody is in the treatment arm: nothing can be said about what the campaign changed."
    seen = f"{_percent(treated.rate)} of {treated.members:,} treated members bought"
    found = lift(treated, held_out)
    if found is None or held_out.rate is None:
        return f"There is no holdout: {seen}, and how many of them would have anyway cannot be told."
    seen = f"{seen}, {_percent(held_out.rate)} of {held_out.members:,} held out"
    d = found.absolute
    if d.leaves_out_nothing:
        return _unsettled(treated, held_out, d, seen)
    verb, sign = ("raised", 1) if d.value > 0 else ("lowered", -1)
    ends = _ends(*sorted((sign * d.low, sign * d.high)))
    return f"The campaign {verb} the conversion rate by {_points(sign * d.value)} percentage points {ends}: {seen}."


def _unsettled(treated: Arm, held_out: Arm, d: Interval, seen: str) -> str:
    """Nothing is never proven; what can be said is how much would have been seen."""
    smaller, enough = min(treated.members, held_out.members), needed(treated, held_out)
    if enough is None:
        all_or_none = "everybody" if treated.converted else "nobody"
        return f"This is underpowered: {all_or_none} in either arm has bought {_ends(d.low, d.high)}: {seen}."
    if d.value == 0 and enough <= smaller:
        return f"No effect was seen, by arms large enough to see one of a fifth {_ends(d.low, d.high)}: {seen}."
    small = "the arms are too small to tell"
    if enough > smaller:
        some = f"{enough:,}" if enough <= MOST_MEMBERS else f"more than {MOST_MEMBERS:,}"
        small = f"to see {'one of a fifth' if d.value == 0 else 'that much'} takes {some} members in each arm"
    return (
        f"This is underpowered, which is not to say without effect: the rates differ by {_points(d.value)} percentage "
        f"points {_ends(d.low, d.high)}, and {small}: {seen}."
    )


def _percent(rate: Fraction) -> str:
    return f"{float(100 * rate):.2f} %"


def _points(share: float) -> str:
    # Never -0.00.
    return f"{round(100 * share, 2) + 0.0:.2f}"


def _ends(low: float, high: float) -> str:
    return f"(95 % interval {_points(low)} to {_points(high)})"
