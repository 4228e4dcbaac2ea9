"""The statistics against tables in print, against what defines them, and against each other."""

from datetime import date
from math import exp, isclose, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.campaigns.statistics import (
    MOST_MEMBERS,
    Z_80,
    Z_95,
    Arm,
    incremental_conversions,
    incremental_revenue,
    incremental_roi,
    lift,
    members_needed,
    needed,
    ratio,
    roi,
    sentence,
    wilson,
)

TREATED, HELD_OUT = Arm(9_000, 540), Arm(4_000, 200)
NOBODY = Arm(0, 0)


def arm(largest: int = 100_000) -> st.SearchStrategy[Arm]:
    return st.integers(1, largest).flatmap(lambda n: st.integers(0, n).map(lambda x: Arm(n, x)))


# ------------------------------------------------------------------ reference numbers


def test_the_example_of_the_handbook() -> None:
    found = lift(TREATED, HELD_OUT)
    assert found is not None
    assert [round(100 * each, 3) for each in (found.absolute.value, found.absolute.low, found.absolute.high)] == [
        1.0,
        0.139,
        1.813,
    ]
    assert (round(found.z, 4), round(found.p_value, 4)) == (2.2712, 0.0231)
    conversions = incremental_conversions(TREATED, HELD_OUT)
    assert conversions is not None
    assert [round(each, 1) for each in (conversions.value, conversions.low, conversions.high)] == [90.0, 12.5, 163.2]
    revenue = incremental_revenue(TREATED, HELD_OUT, 540 * 30)
    assert revenue is not None
    gain = incremental_roi(revenue, 1, 1_500)
    assert gain is not None
    assert [round(each, 2) for each in (gain.value, gain.low, gain.high)] == [0.8, -0.75, 2.26]
    assert roi(540 * 30, 1, 1_500) == 9.8
    assert members_needed(0.05, 0.06) == members_needed(0.06, 0.05) == 8_155


# Newcombe 1998, table II, method 10: both arms, and the interval as it is printed there.
PRINTED = [
    (Arm(70, 56), Arm(80, 48), (0.0524, 0.3339)),
    (Arm(10, 9), Arm(10, 3), (0.1705, 0.8090)),
    (Arm(7, 6), Arm(7, 2), (0.0582, 0.8062)),
    (Arm(56, 5), Arm(29, 0), (-0.0381, 0.1926)),
    (Arm(10, 0), Arm(20, 0), (-0.1611, 0.2775)),
    (Arm(10, 0), Arm(10, 0), (-0.2775, 0.2775)),
    (Arm(10, 10), Arm(20, 0), (0.6791, 1.0)),
    (Arm(10, 10), Arm(10, 0), (0.6075, 1.0)),
]


@pytest.mark.parametrize(("one", "other", "interval"), PRINTED)
def test_newcombes_own_examples(one: Arm, other: Arm, interval: tuple[float, float]) -> None:
    found = lift(one, other)
    assert found is not None
    assert (round(found.absolute.low, 4), round(found.absolute.high, 4)) == interval


# ------------------------------------------------------------------ what defines them


@given(arm())
def test_the_ends_of_a_rate_lie_where_it_would_just_be_believed(one: Arm) -> None:
    """Wilson's ends are the rates from which the observed one lies 1.96 of their own standard errors away."""
    seen = one.converted / one.members
    low, high = wilson(one)
    assert 0 <= low <= seen <= high <= 1
    for end in (low, high):
        away, error = abs(seen - end), sqrt(end * (1 - end) / one.members)
        assert end in (0.0, 1.0) or isclose(away, Z_95 * error, rel_tol=1e-6, abs_tol=1e-9)


def _beyond(z: float) -> float:
    """Twice the area under the normal curve beyond z, by Simpson's rule."""
    steps, furthest = 2_000, 12.0
    width = (furthest - z) / steps
    weights = [1, *([4, 2] * (steps // 2 - 1)), 4, 1]
    return 2 * sum(w * exp(-((z + n * width) ** 2) / 2) for n, w in enumerate(weights)) * width / 3 / sqrt(2 * pi)


@given(arm(), arm())
def test_a_lift_and_its_mirror(one: Arm, other: Arm) -> None:
    found, mirrored = lift(one, other), lift(other, one)
    assert found is not None
    assert mirrored is not None
    d = found.absolute
    assert d.low <= d.value <= d.high
    assert isclose(d.low, -mirrored.absolute.high, abs_tol=1e-12)
    assert isclose(found.z, -mirrored.z, abs_tol=1e-12)
    # The variance of a difference under one rate for both is that of a weighed coin, thrown in both arms.
    x, n = one.converted + other.converted, one.members + other.members
    variance = (x / n) * (1 - x / n) * (1 / one.members + 1 / other.members)
    assert isclose(found.z**2 * variance, d.value**2, rel_tol=1e-9, abs_tol=1e-15) or variance == 0
    assert isclose(found.p_value, _beyond(abs(found.z)) if abs(found.z) < 12 else 0.0, abs_tol=1e-9)


@given(arm(), arm())
def test_a_ratio_and_its_mirror(one: Arm, other: Arm) -> None:
    found, mirrored = ratio(one, other), ratio(other, one)
    if not one.converted or not other.converted:
        assert found is mirrored is None
        return
    assert found is not None
    assert mirrored is not None
    assert found.low <= found.value <= found.high
    assert isclose(found.low * mirrored.high, 1, rel_tol=1e-9)
    # It lies in the middle of its ends, by factors.
    assert isclose(found.low * found.high, found.value**2, rel_tol=1e-9)


RATES = st.integers(1, 99).map(lambda n: n / 100)


@given(RATES, RATES)
def test_so_many_members_are_enough_and_one_fewer_are_not(p1: float, p0: float) -> None:
    enough = members_needed(p1, p0)
    if p1 == p0:
        assert enough is None
        return
    assert enough is not None

    def errors_away(members: int) -> float:
        return abs(p1 - p0) / sqrt((p1 * (1 - p1) + p0 * (1 - p0)) / members)

    assert errors_away(enough) >= (Z_95 + Z_80) * (1 - 1e-12)
    assert enough == 1 or errors_away(enough - 1) < Z_95 + Z_80


@given(arm(), arm(), st.integers(0, 10**9), st.floats(0, 1), st.integers(0, 10**9))
def test_money_follows_the_lift(one: Arm, other: Arm, spend: int, margin: float, cost: int) -> None:
    found, revenue = lift(one, other), incremental_revenue(one, other, spend)
    assert found is not None
    if not one.converted:
        assert revenue is None
        return
    assert revenue is not None
    assert revenue.low <= revenue.value <= revenue.high
    mean = spend / one.converted
    assert isclose(revenue.value, found.absolute.value * one.members * mean, rel_tol=1e-9, abs_tol=1e-9)
    gain = incremental_roi(revenue, margin, cost)
    if not cost:
        assert gain is roi(spend, margin, cost) is None
        return
    assert gain is not None
    assert gain.low <= gain.value <= gain.high
    attributed = roi(spend, margin, cost)
    assert attributed is not None
    # Nobody held out buys less than nothing: what is credited is never less than what was changed.
    assert gain.value <= attributed + 1e-9 * abs(attributed) + 1e-9


# ------------------------------------------------------------------ edges


def test_nobody_says_nothing() -> None:
    for pair in ((NOBODY, HELD_OUT), (TREATED, NOBODY), (NOBODY, NOBODY)):
        assert lift(*pair) is ratio(*pair) is incremental_conversions(*pair) is needed(*pair) is None
        assert incremental_revenue(*pair, 100) is None
    assert NOBODY.rate is None


@pytest.mark.parametrize("converted", [0, 50])
def test_all_alike_is_no_difference(converted: int) -> None:
    """Everybody or nobody in both arms: no error to divide by, and still an interval."""
    found = lift(Arm(50, converted), Arm(50, converted))
    assert found is not None
    assert (found.absolute.value, found.z, found.p_value) == (0, 0, 1)
    assert found.absolute.low < 0 < found.absolute.high


def test_without_an_effect_a_fifth_more_is_looked_for() -> None:
    assert needed(Arm(100, 5), Arm(100, 5)) == members_needed(0.06, 0.05) == 8_155
    assert needed(Arm(100, 0), Arm(100, 0)) is None
    # More than everybody cannot be; a fifth less can.
    assert needed(Arm(10, 10), Arm(10, 10)) == members_needed(0.8, 1)


# ------------------------------------------------------------------ in words


BOTH = "6.00 % of 9,000 treated members bought, 5.00 % of 4,000 held out."
DIFFER = "This is underpowered, which is not to say without effect: the rates differ by"
SAID = {
    "raised": (
        (TREATED, HELD_OUT),
        f"The campaign raised the conversion rate by 1.00 percentage points (95 % interval 0.14 to 1.81): {BOTH}",
    ),
    "lowered": (
        (Arm(4_000, 200), Arm(9_000, 540)),
        (
            "The campaign lowered the conversion rate by 1.00 percentage points (95 % interval 0.14 to 1.81): "
            "5.00 % of 4,000 treated members bought, 6.00 % of 9,000 held out."
        ),
    ),
    "no holdout": (
        (TREATED, NOBODY),
        (
            "There is no holdout: 6.00 % of 9,000 treated members bought, and how many of them would have anyway "
            "cannot be told."
        ),
    ),
    "nobody treated": (
        (NOBODY, HELD_OUT),
        "Nobody is in the treatment arm: nothing can be said about what the campaign changed.",
    ),
    "underpowered": (
        (Arm(900, 54), Arm(400, 20)),
        (
            f"{DIFFER} 1.00 percentage points (95 % interval -1.94 to 3.47), and to see that much takes 8,155 "
            "members in each arm: 6.00 % of 900 treated members bought, 5.00 % of 400 held out."
        ),
    ),
    "underpowered without a difference": (
        (Arm(100, 5), Arm(100, 5)),
        (
            f"{DIFFER} 0.00 percentage points (95 % interval -6.80 to 6.80), and to see one of a fifth takes 8,155 "
            "members in each arm: 5.00 % of 100 treated members bought, 5.00 % of 100 held out."
        ),
    ),
    "one of two": (
        (Arm(1, 1), Arm(1, 0)),
        (
            f"{DIFFER} 100.00 percentage points (95 % interval -12.21 to 100.00), and the arms are too small to tell: "
            "100.00 % of 1 treated members bought, 0.00 % of 1 held out."
        ),
    ),
    "nobody bought": (
        (Arm(100, 0), Arm(100, 0)),
        (
            "This is underpowered: nobody in either arm has bought (95 % interval -3.70 to 3.70): "
            "0.00 % of 100 treated members bought, 0.00 % of 100 held out."
        ),
    ),
    "no effect": (
        (Arm(100_000, 5_000), Arm(100_000, 5_000)),
        (
            "No effect was seen, by arms large enough to see one of a fifth (95 % interval -0.19 to 0.19): "
            "5.00 % of 100,000 treated members bought, 5.00 % of 100,000 held out."
        ),
    ),
}


@pytest.mark.parametrize("what", SAID)
def test_what_may_be_said(what: str) -> None:
    arms, said = SAID[what]
    assert sentence(*arms) == said
    assert sentence(*arms, date(2026, 7, 15)) == (
        f"{said} The conversion window is open until 2026-07-15: none of this is final."
    )


def test_what_would_take_everybody_on_earth_is_not_counted() -> None:
    alike = Arm(10**6, 50_001), Arm(10**6, 50_000)
    assert (needed(*alike) or 0) > MOST_MEMBERS
    assert "takes more than 1,000,000,000 members in each arm" in sentence(*alike)


@given(arm(5_000), arm(5_000))
def test_no_more_is_said_than_the_interval_says(one: Arm, other: Arm) -> None:
    found, said = lift(one, other), sentence(one, other)
    assert found is not None
    settled = not found.absolute.low <= 0 <= found.absolute.high
    assert settled is (" raised " in said or " lowered " in said)
    assert settled is not ("underpowered" in said or said.startswith("No effect"))
    # None is denied but where one of a fifth would have been seen.
    if said.startswith("No effect"):
        assert (needed(one, other) or 0) <= min(one.members, other.members)
