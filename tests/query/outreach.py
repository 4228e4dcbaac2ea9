"""A campaign of the shop that was launched when it opened, with somebody in each arm and somebody left out; and the
segments that ship."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.outreach.tables import Campaign, CampaignCost, CampaignMember
from app.platform.access import Org
from app.platform.days import local_day
from app.platform.work import Work
from app.segments.actions import row_of
from app.segments.shipped import SHIPPED
from app.segments.tables import Segment

WINDOW = 30


def campaign_of(org: Org) -> UUID:
    return UUID(int=org.id.int * 0x10000 + 0x900)


def member_of(org: Org, number: int) -> UUID:
    return UUID(int=org.id.int * 0x10000 + 0xA00 + number)


def segment_of(org: Org, number: int) -> UUID:
    """The id of the shipped segment with that number."""
    return UUID(int=org.id.int * 0x10000 + 0xB000 + number)


def store_segments(work: Work) -> None:
    rows = [row_of(*each, work.now) | {"id": segment_of(work.org, n)} for n, each in enumerate(SHIPPED)]
    work.insert(Segment, rows)


def store_campaign(work: Work, customers: Sequence[UUID], launched: datetime) -> None:
    """The customers take turns: treated, held out, treated, left out."""
    org, key = work.org, campaign_of(work.org)
    turns = [("TREATMENT", None), ("HOLDOUT", None), ("TREATMENT", None), (None, "NO_CONSENT")]
    fates = [turns[n % len(turns)] for n in range(len(customers))]
    arms, excluded = [arm for arm, _ in fates], [reason for _, reason in fates]
    day = local_day(launched, org.zone)
    counts = {"matched": len(fates), "treatment": arms.count("TREATMENT"), "holdout": arms.count("HOLDOUT")}
    left_out = {f"excluded_{name}": 0 for name in ("archived", "suppressed", "frequency_cap")}
    campaign = {
        "id": key,
        "version": 2,
        "created_at": launched,
        "updated_at": launched,
        "name": 'Come back "soon"',
        "name_folded": 'come back "soon"',
        "objective": "WIN_BACK",
        "status": "RUNNING",
        "channel": "EMAIL",
        "purpose": "MARKETING",
        "budget_minor": 100_000,
        "starts_at": launched,
        "holdout_e6": 250_000,
        "conversion_days": WINDOW,
        "audience": '{"suppressed":{"eq":false}}',
        "launched_at": launched,
        "launched_day": day,
        "audience_hash": "0" * 64,
        **counts,
        **left_out,
        "excluded_no_consent": excluded.count("NO_CONSENT"),
    }
    work.insert(Campaign, [campaign])
    member = {"campaign_id": key, "enrolled_at": launched, "enrolled_day": day, "until_day": day + WINDOW}
    rows = [
        {"id": member_of(org, n), "customer_id": customer, "arm": arm, "excluded": reason, **member}
        for n, (customer, (arm, reason)) in enumerate(zip(customers, fates, strict=True))
    ]
    work.insert(CampaignMember, rows)
    cost = {"amount_minor": 12_345, "currency": org.currency, "exponent": org.exponent, "amount_reporting": 12_345}
    dated = {"at": launched, "recorded_at": launched, "note": None}
    work.insert(CampaignCost, [{"id": UUID(int=key.int + 1), "campaign_id": key, **cost, **dated}])
