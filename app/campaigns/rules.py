"""What a campaign must be, before anything is looked up."""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypedDict

from app.customers.rules import clean_choice
from app.customers.tables import Channel, ConsentPurpose
from app.outreach.tables import CampaignObjective
from app.platform.access import Org
from app.platform.refusals import Code, Problems
from app.platform.text import clean, folded
from app.purchases.rules import Money
from app.touchpoints.rules import units

LARGEST_HOLDOUT = 0.5
LONGEST_WINDOW = 3_650
MILLION = 1_000_000
# What a launch freezes, by the names under which it is given.
FROZEN = ("channel", "purpose", "starts_at", "holdout_share", "conversion_days", "audience")


class CampaignSet(TypedDict, total=False):
    """`audience`: a CustomerWhere as JSON, as it was given."""

    name: str
    objective: str
    channel: str
    purpose: str
    budget: Money | None
    starts_at: datetime | None
    ends_at: datetime | None
    holdout_share: float
    conversion_days: int
    audience: str


class CampaignUpdate(TypedDict, total=False):
    id: str
    expected_version: int | None
    set: CampaignSet


class CampaignLaunch(TypedDict, total=False):
    id: str
    expected_version: int | None


class CostRecord(TypedDict, total=False):
    campaign_id: str
    cost: Money
    at: datetime | None
    note: str | None


class CampaignEnd(TypedDict, total=False):
    id: str
    reason: str | None


def clean_campaign(problems: Problems, given: CampaignSet, org: Org) -> dict[str, Any]:
    """The columns that are given, checked; the audience is not looked at."""
    columns: dict[str, Any] = {}
    for name in ("name", "objective", "channel", "purpose", "holdout_share", "conversion_days", "audience"):
        if name in given and given.get(name) is None:
            problems.add(Code.REQUIRED, "This may not be empty.", name)
    if given.get("name") is not None:
        columns["name"] = clean(problems, given["name"], "name", required=True)
        columns["name_folded"] = folded(columns["name"])
    choices: Mapping[str, Any] = {"objective": CampaignObjective, "channel": Channel, "purpose": ConsentPurpose}
    for name, enum in choices.items():
        if given.get(name) is not None:
            columns[name] = clean_choice(problems, enum, given[name], name)  # type: ignore[literal-required] # one of the three
    if "budget" in given:
        columns["budget_minor"] = _budget(problems, given["budget"], org)
    for name in ("starts_at", "ends_at"):
        if name in given:
            columns[name] = given[name]  # type: ignore[literal-required] # one of the two
    if given.get("holdout_share") is not None:
        columns["holdout_e6"] = _share(problems, given["holdout_share"])
    if given.get("conversion_days") is not None:
        columns["conversion_days"] = given["conversion_days"]
        if not 1 <= given["conversion_days"] <= LONGEST_WINDOW:
            problems.add(Code.OUT_OF_RANGE, f"From 1 to {LONGEST_WINDOW}.", "conversion_days")
    return columns


def check_dates(problems: Problems, starts_at: datetime | None, ends_at: datetime | None) -> None:
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        problems.add(Code.INVALID, "A campaign does not end before it starts.", "ends_at")


def _budget(problems: Problems, budget: Money | None, org: Org) -> int | None:
    if budget is None:
        return None
    if budget["currency"] != org.currency:
        message = f"A budget is held against costs, in {org.currency}."
        problems.add(Code.CURRENCY_MISMATCH, message, "budget", "currency")
        return None
    return units(problems, budget["amount"], org.exponent, "budget", "amount")


def _share(problems: Problems, share: float) -> int:
    if not 0 <= share <= LARGEST_HOLDOUT:
        problems.add(Code.OUT_OF_RANGE, f"A share from 0 to {LARGEST_HOLDOUT}.", "holdout_share")
        return 0
    millionths = int(Decimal(str(share)).scaleb(6).to_integral_value(ROUND_HALF_UP))
    if share and not millionths:
        # Not taken for none: whoever wants a holdout, and gets none, can prove nothing.
        problems.add(Code.OUT_OF_RANGE, "A share has at most six decimals: 0, or at least 0.000001.", "holdout_share")
    return millionths
