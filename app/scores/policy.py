"""What a policy may say: the defaults, and a change merged into a policy and checked whole."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.platform.refusals import Code, Problems
from app.platform.text import LARGEST, MILLION, scaled

# A policy's columns without its version, dates and provenance: counts, days, minor units, millionths.
Columns = dict[str, int | None]

DEFAULTS: Mapping[str, int | None] = {
    "new_days": 90,
    "active_days": 180,
    "churn_days": 365,
    "loyal_min_occasions": 4,
    "loyal_min_span_days": 180,
    "complaint_sla_days": 14,
    "detractor_window_days": 180,
    "customer_min_occasions": 2,
    "customer_min_inbound": 1,
    "client_min_dialogues": 3,
    "client_min_needs": 1,
    "client_min_tailored": 1,
    "partner_min_cocreation": 2,
    "marketing_cap_per_channel": None,
    "marketing_cap_total": None,
    "marketing_cap_days": 30,
}
RECENCY_CUTS = (30, 90, 180, 365)
FREQUENCY_CUTS = (1, 2, 4, 8)
MONETARY_CUTS = (100, 300, 800, 2000)
WEIGHTS = {"recency": 200_000, "frequency": 250_000, "monetary": 350_000, "engagement": 100_000, "advocacy": 100_000}

# Minimums over a window end at six: the facts hold the latest six days of each kind.
_BOUNDS = {
    "new_days": (0, 36_500),
    "active_days": (1, 36_500),
    "churn_days": (0, 36_500),
    "loyal_min_occasions": (1, 1000),
    "loyal_min_span_days": (0, 36_500),
    "complaint_sla_days": (0, 36_500),
    "detractor_window_days": (0, 36_500),
    "customer_min_occasions": (1, 1000),
    "customer_min_inbound": (0, 6),
    "client_min_dialogues": (0, 6),
    "client_min_needs": (0, 6),
    "client_min_tailored": (0, 6),
    "partner_min_cocreation": (0, 6),
    "marketing_cap_per_channel": (0, LARGEST),
    "marketing_cap_total": (0, LARGEST),
    "marketing_cap_days": (1, 366),
}
_MAY_BE_NULL = {"marketing_cap_per_channel", "marketing_cap_total"}
CUTS = ("recency", "frequency", "monetary")


def defaults(exponent: int) -> Columns:
    """The policy of a new organisation, whose reporting currency has that many decimals."""
    cuts = {
        "recency": RECENCY_CUTS,
        "frequency": FREQUENCY_CUTS,
        "monetary": [cut * 10**exponent for cut in MONETARY_CUTS],
    }
    return {
        **DEFAULTS,
        **{f"{kind}_cut_{n}": cut for kind in CUTS for n, cut in enumerate(cuts[kind], 1)},
        **{f"weight_{part}_e6": weight for part, weight in WEIGHTS.items()},
    }


def proposed(problems: Problems, current: Mapping[str, Any], change: Mapping[str, Any], exponent: int) -> Columns:
    """The policy's columns after the change; adds all that is wrong with it, below the path of the problems given.

    `change` is keyed as PolicySetInput, in snake case; what it leaves out stays.
    """
    columns: Columns = {key: current[key] for key in defaults(exponent)}
    for key in change:
        if change[key] is None and key not in _MAY_BE_NULL:
            problems.add(Code.REQUIRED, "This cannot be unset; leave it out to keep it.", key)
    said = {key: value for key, value in change.items() if value is not None or key in _MAY_BE_NULL}
    wrong = {key for key in _BOUNDS if key in said and not _within_bounds(problems, key, said[key])}
    columns.update((key, said[key]) for key in _BOUNDS if key in said)
    for kind in CUTS:
        key = f"rfm_{kind}_cuts"
        if key in said:
            cuts = _cuts(problems.under(key), said[key], exponent if kind == "monetary" else 0)
            columns.update({f"{kind}_cut_{n}": cut for n, cut in enumerate(cuts, 1)})
    if "value_weights" in said:
        columns.update(_weights(problems.under("value_weights"), said["value_weights"]))
    _check_order(problems, columns, said.keys(), wrong)
    return columns


def _within_bounds(problems: Problems, key: str, value: int | None) -> bool:
    least, most = _BOUNDS[key]
    if value is None or least <= value <= most:
        return True
    problems.add(Code.OUT_OF_RANGE, f"From {least} to {most}." if most < LARGEST else f"At least {least}.", key)
    return False


def _check_order(problems: Problems, columns: Columns, said: Collection[str], wrong: set[str]) -> None:
    for less, more, may_equal in (("new_days", "active_days", True), ("active_days", "churn_days", False)):
        low, high = columns[less], columns[more]
        if low is None or high is None or {less, more} & wrong or low < high or (may_equal and low == high):
            continue
        blamed = less if less in said and more not in said else more
        how = "at most" if may_equal else "less than"
        problems.add(Code.INVALID, f"{_spoken(less)} ({low}) must be {how} {_spoken(more)} ({high}).", blamed)


def _cuts(problems: Problems, cuts: Sequence[int | Decimal], decimals: int) -> list[int]:
    """Four cuts in units of 10^-decimals; none when there is something wrong with them."""
    if len(cuts) != 4:
        problems.add(Code.INVALID, f"Exactly four cuts, not {len(cuts)}.")
    units: list[int] = []
    for place, cut in enumerate(cuts):
        unit = scaled(Decimal(cut), decimals)
        if unit is None:
            problems.add(Code.INVALID, f"A number with at most {decimals} decimals, below 2^53 of them.", place)
        elif unit < 0:
            problems.add(Code.OUT_OF_RANGE, "A cut is not negative.", place)
        else:
            units.append(unit)
    if units != sorted(units):
        problems.add(Code.INVALID, "Cuts do not descend.")
    return units if len(units) == len(cuts) == 4 else []


def _weights(problems: Problems, weights: Mapping[str, float]) -> Columns:
    """In millionths; none when there is something wrong with them."""
    columns: dict[str, int] = {}
    for part in WEIGHTS:
        # As it was written: 0.1 is a tenth, though the float is not.
        units = scaled(Decimal(str(weights[part])), 6)
        if units is None:
            problems.add(Code.INVALID, "A weight has at most six decimals.", part)
        elif not 0 <= units <= MILLION:
            problems.add(Code.OUT_OF_RANGE, "A weight is from 0 to 1.", part)
        else:
            columns[f"weight_{part}_e6"] = units
    if len(columns) < len(WEIGHTS):
        return {}
    if sum(columns.values()) != MILLION:
        problems.add(Code.INVALID, f"The weights sum to {Decimal(sum(columns.values())) / MILLION}, not to 1.")
    return dict(columns)


def _spoken(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
