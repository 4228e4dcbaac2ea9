"""Campaigns planned, launched and spoken for in one line each."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.campaigns import actions
from app.customers import actions as customers
from app.outreach.tables import CampaignMember
from app.platform.ids import key_of
from app.platform.work import Work
from app.touchpoints import actions as touchpoints
from schema.audience import audience_of

EVERYBODY = '{"kind":{"eq":"PERSON"}}'


def granted(work: Work, customer: str, *, state: str = "GRANTED", at: datetime | None = None, **about: str) -> None:
    said: Any = {"purpose": "MARKETING", "channel": "EMAIL", **about, "state": state, "at": at}
    customers.record_consent(work, {"customer": {"id": customer}, **said})


def planned(work: Work, **given: Any) -> str:
    said = {"name": "Come back", "objective": "WIN_BACK", "channel": "EMAIL", "purpose": "MARKETING"}
    made: Any = {**said, "audience": EVERYBODY, **given}
    return str(actions.create_campaign(work, made, reads=audience_of)["campaign"])


def launched(work: Work, campaign: str | None = None, **given: Any) -> str:
    campaign = campaign or planned(work, **given)
    return str(actions.launch_campaign(work, {"id": campaign}, reads=audience_of)["campaign"])


def contact(work: Work, customer: str, campaign: str, **given: Any) -> Any:
    said = {"kind": "MESSAGE", "channel": "EMAIL", "direction": "OUTBOUND", "campaign_id": campaign}
    made: Any = {"customer": {"id": customer}, **said, **given}
    return touchpoints.record_touchpoint(work, made)


def arms_of(work: Work, campaign: str) -> dict[str, str | None]:
    """The arm of everyone whom the audience found, by public id; None for who was left out."""
    m = CampaignMember
    mine = m.org_id == work.org.id, m.campaign_id == key_of(campaign, "cam")
    return {f"cus_{key.hex}": arm for key, arm in work.session.execute(select(m.customer_id, m.arm).where(*mine))}
