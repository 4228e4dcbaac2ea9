"""Whether a contact may be made in the name of a campaign: asked again for each, when it is recorded."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_

from app.customers.tables import Consent, ConsentPurpose, ConsentState, Customer
from app.outreach.tables import Campaign, CampaignArm, CampaignMember, CampaignStatus
from app.platform.ids import key_of
from app.platform.refusals import Code, Path, Problem
from app.platform.work import Work

FIELD = "campaign_id"


class Contact(NamedTuple):
    """`campaign`: its public id, as it was given; `prefix`: where in the input the contact stands."""

    campaign: str
    customer_id: UUID
    channel: str
    outbound: bool
    occurred_at: datetime
    prefix: Path = ()


def named(work: Work, campaigns: Iterable[str]) -> dict[str, UUID]:
    """The keys of those that there are."""
    return {public: row.id for public, row in _named(work, campaigns).items()}


def unknown(*prefix: str | int) -> Problem:
    return Problem(Code.NOT_FOUND, "There is no such campaign.", (*prefix, FIELD))


def objections(work: Work, contacts: Sequence[Contact]) -> list[list[Problem]]:
    """What stands against each of them, in a few statements for all.

    A campaign speaks once it was launched and until it ended, to its treatment arm alone, and to nobody whose last word
    on its purpose and this channel is no GRANTED: neither when the contact was made, nor now.
    """
    campaigns = _named(work, {contact.campaign for contact in contacts})
    spoken = [contact for contact in contacts if contact.outbound and contact.campaign in campaigns]
    fates = _fates(work, {(campaigns[each.campaign].id, each.customer_id) for each in spoken})
    people = _people(work, {each.customer_id for each in spoken})
    words = _words(work, {each.customer_id for each in spoken})
    found = []
    for contact in contacts:
        campaign = campaigns.get(contact.campaign)
        if campaign is None:
            found.append([unknown(*contact.prefix)])
            continue
        problems = list(_untimely(contact, campaign))
        if contact.outbound and not problems:
            problems += _unwanted(contact, campaign, fates)
            problems += _unconsented(work, contact, campaign, people[contact.customer_id], words)
        found.append(problems)
    return found


def _untimely(contact: Contact, campaign: Any) -> Iterable[Problem]:
    if campaign.launched_at is None:
        yield _against(contact, Code.WRONG_STATE, "This campaign has not been launched.")
    elif contact.occurred_at < campaign.launched_at:
        yield _against(contact, Code.WRONG_STATE, "This campaign was launched only after this contact.")
    elif contact.outbound and campaign.ended_at is not None and contact.occurred_at > campaign.ended_at:
        ended = "completed" if campaign.status == CampaignStatus.COMPLETED.value else "cancelled"
        yield _against(contact, Code.WRONG_STATE, f"This campaign had been {ended} by then.")


def _unwanted(contact: Contact, campaign: Any, fates: Mapping[tuple[UUID, UUID], str | None]) -> list[Problem]:
    member = (campaign.id, contact.customer_id)
    if fates.get(member) == CampaignArm.TREATMENT.value:
        return []
    message = "This customer is not among the campaign's members."
    if fates.get(member) == CampaignArm.HOLDOUT.value:
        message = "This customer belongs to the holdout, which is never contacted."
    return [_against(contact, Code.WRONG_STATE, message)]


def _unconsented(
    work: Work, contact: Contact, campaign: Any, person: Any, words: Mapping[UUID, list[Any]]
) -> Iterable[Problem]:
    if person.archived_at is not None:
        yield _against(contact, Code.ARCHIVED, "This customer is archived.")
    if person.suppressed and campaign.purpose == ConsentPurpose.MARKETING.value:
        yield _against(contact, Code.NO_CONSENT, "This customer is never contacted for marketing.")
    about = [
        word
        for word in words.get(contact.customer_id, ())
        if (word.purpose, word.channel) == (campaign.purpose, contact.channel)
    ]
    if not all(_granted(about, instant) for instant in (contact.occurred_at, work.now)):
        yield _against(contact, Code.NO_CONSENT, f"No consent to {campaign.purpose} through {contact.channel}.")


def _granted(about: Iterable[Any], instant: datetime) -> bool:
    """`about`: the words on one purpose and channel, in the order in which they were given."""
    last = None
    for word in about:
        last = word.state if word.at <= instant else last
    return last == ConsentState.GRANTED.value


def _against(contact: Contact, code: Code, message: str) -> Problem:
    return Problem(code, message, (*contact.prefix, FIELD))


# ------------------------------------------------------------------ looking


def _named(work: Work, campaigns: Iterable[str]) -> dict[str, Any]:
    keys = {key: public for public in set(campaigns) if (key := key_of(public, "cam"))}
    if not keys:
        return {}
    c = Campaign
    columns = c.id, c.status, c.purpose, c.launched_at, c.ended_at
    rows = work.session.execute(select(*columns).where(c.org_id == work.org.id, c.id.in_(keys)))
    return {keys[row.id]: row for row in rows}


def _fates(work: Work, members: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], str | None]:
    if not members:
        return {}
    m = CampaignMember
    mine = m.org_id == work.org.id, tuple_(m.campaign_id, m.customer_id).in_(sorted(members))
    rows = work.session.execute(select(m.campaign_id, m.customer_id, m.arm).where(*mine))
    return {(campaign, customer): arm for campaign, customer, arm in rows}


def _people(work: Work, customers: Collection[UUID]) -> dict[UUID, Any]:
    if not customers:
        return {}
    c = Customer
    mine = c.org_id == work.org.id, c.id.in_(sorted(customers))
    return {row.id: row for row in work.session.execute(select(c.id, c.archived_at, c.suppressed).where(*mine))}


def _words(work: Work, customers: Collection[UUID]) -> dict[UUID, list[Any]]:
    """All that they said on consent, oldest first."""
    if not customers:
        return {}
    w, found = Consent, dict[UUID, list[Any]]()
    columns = w.customer_id, w.purpose, w.channel, w.state, w.at
    mine = w.org_id == work.org.id, w.customer_id.in_(sorted(customers))
    for row in work.session.execute(select(*columns).where(*mine).order_by(w.at, w.id)):
        found.setdefault(row.customer_id, []).append(row)
    return found
