"""Campaigns with many members, and what these bought and answered, stored as rows: thousands in a moment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.customers.facts import facts
from app.customers.tables import Customer
from app.outreach.tables import Campaign, CampaignCost, CampaignMember
from app.platform.days import local_day
from app.platform.ids import new_id
from app.platform.work import Work
from app.purchases.tables import Purchase, Refund
from app.touchpoints.tables import Touchpoint

NOBODY: tuple[UUID, ...] = ()


def people(work: Work, count: int, at: datetime, name: str = "Somebody") -> list[UUID]:
    keys = [new_id() for _ in range(count)]
    said = {"version": 1, "created_at": at, "updated_at": at, "kind": "PERSON", "attributes": "{}", "suppressed": False}
    named = {"name": name, "name_folded": name.casefold()}
    work.insert(Customer, [{"id": key, **said, **named} for key in keys])
    work.session.execute(insert(facts.table), [{"org_id": work.org.id, "customer_id": key} for key in keys])
    return keys


@dataclass
class Enrolled:
    """A launched campaign and its members' customers by arm."""

    key: UUID
    treated: Sequence[UUID]
    held_out: Sequence[UUID]
    launched: datetime

    @property
    def id(self) -> str:
        return f"cam_{self.key.hex}"


def enrol(
    work: Work,
    treated: Sequence[UUID],
    held_out: Sequence[UUID],
    launched: datetime,
    *,
    left_out: Sequence[UUID] = NOBODY,
    days: int = 30,
    cost: int = 0,
    **given: Any,
) -> Enrolled:
    """A campaign by e-mail that enrolled these; `left_out` for want of consent; `cost` in minor units."""
    key, day = new_id(), local_day(launched, work.org.zone)
    campaign = {"id": key, "version": 2, "created_at": launched, "updated_at": launched, "status": "RUNNING"}
    campaign |= {"name": "Spring", "name_folded": "spring", "objective": "WIN_BACK", "channel": "EMAIL"}
    campaign |= {"purpose": "MARKETING", "holdout_e6": 250_000, "conversion_days": days, "audience": "{}"}
    campaign |= {"launched_at": launched, "launched_day": day, "audience_hash": "f" * 64}
    campaign |= {"matched": len(treated) + len(held_out) + len(left_out), "treatment": len(treated)}
    campaign |= {"holdout": len(held_out), "excluded_archived": 0, "excluded_no_consent": len(left_out)}
    campaign |= {"excluded_suppressed": 0, "excluded_frequency_cap": 0}
    work.insert(Campaign, [campaign | given])
    about = {"campaign_id": key, "enrolled_at": launched, "enrolled_day": day, "until_day": day + days}
    fates = [("TREATMENT", None, treated), ("HOLDOUT", None, held_out), (None, "NO_CONSENT", left_out)]
    rows = [
        {"id": new_id(), "customer_id": customer, "arm": arm, "excluded": excluded, **about}
        for arm, excluded, customers in fates
        for customer in customers
    ]
    work.insert(CampaignMember, rows)
    made = Enrolled(key, treated, held_out, launched)
    if cost:
        spend(work, made, cost, launched)
    return made


def spend(work: Work, campaign: Enrolled, minor: int, at: datetime) -> None:
    """A cost of the campaign."""
    of = {"id": new_id(), "campaign_id": campaign.key, "amount_minor": minor, "amount_reporting": minor}
    work.insert(
        CampaignCost,
        [{**of, "currency": work.org.currency, "exponent": work.org.exponent, "at": at, "recorded_at": at}],
    )


def buy(work: Work, customers: Iterable[UUID], at: datetime, minor: int = 3_000, **given: Any) -> list[UUID]:
    """A purchase of each, in the reporting currency; returns their keys."""
    said = {"purchased_at": at, "local_day": local_day(at, work.org.zone), "recorded_at": at, "channel": "STORE"}
    said |= {"promotional": False, "currency": work.org.currency, "exponent": work.org.exponent, "content_hash": ""}
    said |= {"gross_minor": minor, "gross_reporting": minor, "refunded_minor": 0, "refunded_reporting": 0}
    rows = [{"id": new_id(), "customer_id": customer, **said, **given} for customer in customers]
    work.insert(Purchase, rows)
    return [row["id"] for row in rows]


def refund(work: Work, purchases: Sequence[UUID], at: datetime, minor: int) -> None:
    """So much of each was given back, all of it converted."""
    said = {"amount_minor": minor, "amount_reporting": minor, "refunded_at": at, "recorded_at": at, "content_hash": ""}
    work.insert(Refund, [{"id": new_id(), "purchase_id": purchase, **said} for purchase in purchases])
    work.update(Purchase, [{"id": key, "refunded_minor": minor, "refunded_reporting": minor} for key in purchases])


def touch(work: Work, customers: Iterable[UUID], at: datetime, campaign: Enrolled | None, **given: Any) -> None:
    """A contact with each, by e-mail and of ours unless told otherwise."""
    said = {"kind": "MESSAGE", "channel": "EMAIL", "direction": "OUTBOUND", "occurred_at": at, "recorded_at": at}
    said |= {"local_day": local_day(at, work.org.zone), "attributes": "{}", "content_hash": ""}
    said |= {"campaign_id": campaign.key if campaign else None}
    work.insert(Touchpoint, [{"id": new_id(), "customer_id": customer, **said, **given} for customer in customers])


DAY = timedelta(days=1)
