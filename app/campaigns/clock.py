"""Whether a clock stands before what has been recorded: facts are then read from the events up to it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, exists, select
from sqlalchemy.orm import Session

from app.customers.tables import Consent
from app.loyalty.tables import LoyaltyAccount, LoyaltyTerms, PointsEntry
from app.outreach.tables import Campaign, CampaignCost
from app.purchases.tables import Purchase, Refund
from app.touchpoints.tables import Touchpoint


def something_later(reading: Connection | Session, org: UUID, now: datetime) -> bool:
    """Whether anything is recorded that lies ahead."""
    later = [
        exists().where(table.org_id == org, at > now)
        for table, at in (
            (Purchase, Purchase.purchased_at),
            (Touchpoint, Touchpoint.occurred_at),
            (Refund, Refund.refunded_at),
            (Consent, Consent.at),
            (Touchpoint, Touchpoint.resolved_at),
            (LoyaltyAccount, LoyaltyAccount.opened_at),
            (LoyaltyAccount, LoyaltyAccount.closed_at),
            (PointsEntry, PointsEntry.at),
            (LoyaltyTerms, LoyaltyTerms.at),
            (Campaign, Campaign.created_at),
            (Campaign, Campaign.launched_at),
            (Campaign, Campaign.ended_at),
            (CampaignCost, CampaignCost.at),
        )
    ]
    return any(reading.execute(select(*later)).one())
