"""How points are earned, taken back and counted towards levels: no session, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypedDict

from app.customers.rules import Lookup as CustomerLookup
from app.platform.days import day_number, day_of
from app.platform.refusals import Code, Problems
from app.platform.text import LARGEST, MILLION, clean, folded, scaled

MOST_LEVELS = 50
MOST_BENEFITS = 20
MOST_DAYS = 36_500
LONGEST_GRACE = 365
MOST_MINUTES = 30 * 24 * 60
LATEST = date(2199, 12, 31)


class AccountLookup(TypedDict, total=False):
    """Either of them."""

    id: str
    number: str


class LevelGiven(TypedDict, total=False):
    name: str
    rank: int
    qualify_points: int
    retain_points: int
    multiplier: Decimal
    benefits: Sequence[str]


class TermsGiven(TypedDict, total=False):
    name: str
    points_name: str
    currency: str
    earn_rate: Decimal
    activation_days: int
    expiry_days: int | None
    point_value: Decimal
    level_grace_days: int
    soft_landing: bool
    levels: Sequence[LevelGiven]


class ProgramUpdate(TypedDict, total=False):
    id: str
    expected_version: int | None
    set: TermsGiven


class RewardGiven(TypedDict, total=False):
    """Null is refused, but for `stock`."""

    program_id: str
    name: str | None
    points: int | None
    stock: int | None
    active: bool | None


class RewardUpdate(TypedDict, total=False):
    id: str
    set: RewardGiven


class AccountOpen(TypedDict, total=False):
    program_id: str
    customer: CustomerLookup
    number: str | None


class AccountClose(TypedDict, total=False):
    account: AccountLookup
    reason: str | None


class Earn(TypedDict, total=False):
    account: AccountLookup
    points: int
    reason: str
    active_on: date | None
    expires_on: date | None


class Spend(TypedDict, total=False):
    """Either of them."""

    points: int
    reward_id: str


class Redeem(TypedDict, total=False):
    account: AccountLookup
    spend: Spend
    reason: str | None


class Reverse(TypedDict, total=False):
    redemption_id: str
    points: int
    reason: str | None


class Reserve(TypedDict, total=False):
    account: AccountLookup
    points: int
    minutes: int


class Capture(TypedDict, total=False):
    reservation_id: str
    points: int


class Void(TypedDict, total=False):
    reservation_id: str


class Adjust(TypedDict, total=False):
    account: AccountLookup
    points: int
    reason: str
    expires_on: date | None


# `from` is a word of Python's own.
Transfer = TypedDict(
    "Transfer", {"from": AccountLookup, "to": AccountLookup, "points": int, "reason": str | None}, total=False
)


@dataclass(frozen=True)
class Level:
    rank: int
    qualify_points: int
    retain_points: int
    multiplier_e6: int


@dataclass(frozen=True)
class Terms:
    """What a version of a programme says of points."""

    version: int
    earn_rate_e6: int
    activation_days: int
    expiry_days: int | None
    grace_days: int
    soft_landing: bool

    def days(self, since: int) -> tuple[int, int | None]:
        """From which day points of that day can be spent, and on which they are gone (None: never)."""
        active = since + self.activation_days
        return active, None if self.expiry_days is None else active + self.expiry_days


def points_for(net_minor: int, exponent: int, earn_rate_e6: int, multiplier_e6: int) -> int:
    """Whole points for what was spent: rounded down once, at the end."""
    points: int = net_minor * earn_rate_e6 * multiplier_e6 // (10**exponent * MILLION * MILLION)
    return points


def still_to_claw(earned: int, clawed: int, refunded: int, gross: int) -> int:
    """What is to be taken back now that so much of an order was refunded in all. By the cumulative share, so that many
    small refunds take what one large one would."""
    return max(0, earned * refunded // gross - clawed) if gross else 0


def multiplier_e6(levels: Iterable[Level], rank: int | None) -> int:
    return next((level.multiplier_e6 for level in levels if level.rank == rank), MILLION)


def level_on(day: int, qualified: Mapping[int, int], levels: Sequence[Level], terms: Terms) -> int | None:
    """The rank of the level that somebody has on a day, with so many qualifying points in each calendar year.

    Levels are replayed year by year: what was earned in a year holds at once and to the end of the next; then it is
    carried by points that qualify or retain it, or falls, with a soft landing by one step. In the first days of a year
    the old level still holds.
    """
    today = day_of(day)
    if not levels or not any(year <= today.year for year in qualified):
        return _earned(0, levels)
    before, old = 0, None
    status: int | None = None
    for year in range(min(qualified), today.year + 1):
        old, now = status, qualified.get(year, 0)
        carried = _highest(
            level.rank
            for level in levels
            if before >= level.qualify_points
            or (old is not None and level.rank <= old and before >= level.retain_points)
        )
        softly = _highest(level.rank for level in levels if old is not None and level.rank < old)
        status = _highest((_earned(now, levels), carried, softly if terms.soft_landing else None))
        before = now
    in_grace = (today - date(today.year, 1, 1)).days < terms.grace_days
    return _highest((status, old)) if in_grace else status


def level_stands_until(day: int, terms: Terms) -> int:
    """The next day on which the calendar alone may change a level."""
    today = day_of(day)
    grace_ends = day_number(date(today.year, 1, 1)) + terms.grace_days
    return grace_ends if day < grace_ends else day_number(date(today.year + 1, 1, 1))


def _earned(points: int, levels: Iterable[Level]) -> int | None:
    return _highest(level.rank for level in levels if points >= level.qualify_points)


def _highest(ranks: Iterable[int | None]) -> int | None:
    return max((rank for rank in ranks if rank is not None), default=None)


# ------------------------------------------------------------------ what is given


def clean_terms(problems: Problems, given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are given, checked; `levels` as rows."""
    columns: dict[str, Any] = {}
    for name in ("name", "points_name"):
        if name in given:
            columns[name] = clean(problems, given[name], name, required=True)
    for name in ("earn_rate", "point_value"):
        if name in given:
            columns[f"{name}_e6"] = _millionths(problems, given[name], name)
    for name, column, least, most in (
        ("activation_days", "activation_days", 0, MOST_DAYS),
        ("expiry_days", "expiry_days", 1, MOST_DAYS),
        ("level_grace_days", "grace_days", 0, LONGEST_GRACE),
    ):
        if name in given:
            columns[column] = _whole(problems, given[name], least, most, name)
    if "soft_landing" in given:
        columns["soft_landing"] = given["soft_landing"]
    for name in (
        "points_name",
        "name",
        "earn_rate_e6",
        "point_value_e6",
        "activation_days",
        "grace_days",
        "soft_landing",
        "levels",
    ):
        path = {"grace_days": "level_grace_days"}.get(name, name.removesuffix("_e6"))
        if path in given and given[path] is None:
            problems.add(Code.REQUIRED, "This may not be empty.", path)
    if "levels" in given:
        columns["levels"] = clean_levels(problems.under("levels"), given["levels"] or [])
    return columns


def clean_levels(problems: Problems, given: Sequence[LevelGiven]) -> list[dict[str, Any]]:
    """Levels by rank; each asks more than the one below it."""
    if len(given) > MOST_LEVELS:
        problems.add(Code.TOO_MANY, f"At most {MOST_LEVELS} levels.")
        return []
    rows = [_level(problems.under(place), level) for place, level in enumerate(given)]
    order = sorted(range(len(rows)), key=lambda place: given[place]["rank"])
    for lower, higher in pairwise(order):
        below, above = given[lower], given[higher]
        if below["rank"] == above["rank"]:
            problems.add(Code.INVALID, "Two levels have this rank.", higher, "rank")
        elif below["qualify_points"] >= above["qualify_points"]:
            problems.add(
                Code.INVALID, "A level of a higher rank needs more points to qualify.", higher, "qualify_points"
            )
        elif below["retain_points"] > above["retain_points"]:
            problems.add(
                Code.INVALID, "A level of a higher rank needs no fewer points to stay.", higher, "retain_points"
            )
    return [rows[place] for place in order]


def _level(problems: Problems, given: LevelGiven) -> dict[str, Any]:
    name = clean(problems, given["name"], "name", required=True)
    benefits = given.get("benefits") or []
    if len(benefits) > MOST_BENEFITS:
        problems.add(Code.TOO_MANY, f"At most {MOST_BENEFITS} benefits.", "benefits")
        benefits = []
    qualify = _whole(problems, given["qualify_points"], 0, LARGEST, "qualify_points")
    retain = _whole(problems, given["retain_points"], 0, LARGEST, "retain_points")
    if qualify is not None and retain is not None and retain > qualify:
        problems.add(Code.INVALID, "To stay takes no more points than to qualify.", "retain_points")
    return {
        "rank": _whole(problems, given["rank"], 0, 1_000_000, "rank"),
        "name": name,
        "name_folded": folded(name),
        "qualify_points": qualify,
        "retain_points": retain,
        "multiplier_e6": _millionths(problems, given.get("multiplier", Decimal(1)), "multiplier"),
        "benefits": [clean(problems, text, "benefits", place, required=True) for place, text in enumerate(benefits)],
    }


def clean_points(problems: Problems, points: int, *path: str | int, signed: bool = False) -> int:
    """From 1 to 2^53 - 1; `signed` in either direction."""
    if not 1 <= (abs(points) if signed else points) <= LARGEST:
        said = "Any number of points but 0" if signed else "At least 1 point"
        problems.add(Code.OUT_OF_RANGE, f"{said}, and at most 2^53 - 1.", *path)
    return points


def clean_days(
    problems: Problems, today: int, active_on: date | None, expires_on: date | None, terms: Terms
) -> tuple[int, int | None]:
    """From which day points can be spent, and on which they are gone; the programme says what is not given."""
    since = day_number(active_on) if active_on is not None else None
    active, expires = terms.days(today)
    if since is not None:
        active, expires = since, None if terms.expiry_days is None else since + terms.expiry_days
    if expires_on is not None:
        expires = day_number(expires_on)
        if expires <= today:
            problems.add(Code.OUT_OF_RANGE, "Points expire after today at the earliest.", "expires_on")
        elif expires <= active:
            problems.add(Code.INVALID, "Points expire after the day from which they can be spent.", "expires_on")
    for name, day in (("active_on", active_on), ("expires_on", expires_on)):
        if day is not None and not date(1900, 1, 1) <= day <= LATEST:
            problems.add(Code.OUT_OF_RANGE, f"A day from 1900 to {LATEST.year}.", name)
    return active, expires


def _millionths(problems: Problems, given: Decimal | None, name: str) -> int | None:
    found = scaled(given, 6) if given is not None else 0
    if found is None or not 0 <= found <= MILLION * MILLION:
        problems.add(Code.OUT_OF_RANGE, "From 0 to 1,000,000, with at most 6 decimals.", name)
        return None
    return found


def _whole(problems: Problems, given: int | None, least: int, most: int, name: str) -> int | None:
    if given is not None and not least <= given <= most:
        problems.add(Code.OUT_OF_RANGE, f"From {least} to {most}.", name)
        return None
    return given
