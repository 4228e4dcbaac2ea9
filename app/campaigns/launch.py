"""Freezing an audience: whom the question finds at one instant, who of them is left out, and by lot into which arm.

The lot is no chance: it is drawn from the ids of organisation, campaign and customer (`arm_of`), so that anyone can
draw it again. All in two statements, whatever the audience's size.
"""

from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, case, func, insert, null, select
from sqlalchemy.sql.expression import Insert

from app.campaigns.audience import CHANNEL, PURPOSE, Audience, found
from app.campaigns.clock import something_later
from app.outreach.tables import Campaign, CampaignArm, CampaignMember, ExclusionReason
from app.platform.database import Key, Words
from app.platform.draws import OF, Drawn, drawn
from app.platform.ids import PublicId
from app.platform.sending import prepare
from app.platform.work import Work
from app.policy.tables import Policy
from app.query import sql
from app.query.fact import constant
from app.query.flow import Statement, in_force
from app.query.question import Clock

MILLION = 1_000_000


class Launched(NamedTuple):
    """How many were found, and what became of them."""

    matched: int
    arms: dict[CampaignArm, int]
    excluded: dict[ExclusionReason, int]
    audience_hash: str


def arm_of(organization: str, campaign: str, customer: str, holdout_e6: int) -> CampaignArm:
    """The arm, from public ids: HOLDOUT when the first 8 bytes, big-endian, of SHA-256 over ORG|CAMPAIGN|CUSTOMER, mod
    10,000, are below 10,000 x share."""
    place = drawn(f"{organization}|{campaign}|{customer}")
    return CampaignArm.HOLDOUT if place * MILLION < OF * holdout_e6 else CampaignArm.TREATMENT


def enrol(work: Work, campaign: Campaign, audience: Audience, day: int) -> Launched:
    """Everyone whom the audience finds now, as members of the campaign or left out of it for a reason."""
    statement = Statement(work.dialect, Clock(past=something_later(work.session, work.org.id, work.now)))
    statement.policy = in_force(statement, Policy.__table__)
    own = {
        PURPOSE: campaign.purpose,
        CHANNEL: campaign.channel,
        "campaign": campaign.id,
        "ids": f"{PublicId('org', work.org.id)}|{PublicId('cam', campaign.id)}|cus_",
        "share": OF * campaign.holdout_e6,
        "until": day + campaign.conversion_days,
    }
    prepared = prepare(_members(statement, audience), work.dialect)
    work.run(prepared, {**audience.values, **own})
    return Launched(**_counts(work, campaign.id), audience_hash=audience_hash(work, campaign.id))


def _members(statement: Statement, audience: Audience) -> Insert:
    everyone = found(statement, audience.where)
    ids = statement.bind("ids", Words()).concat(sql.KeyHex(everyone.c.id))
    held = Drawn(ids) * constant(MILLION) < statement.bind("share")
    arm = case(
        (everyone.c.fate.is_not(None), null()),
        (held, sql.text(CampaignArm.HOLDOUT.value)),
        else_=sql.text(CampaignArm.TREATMENT.value),
    )
    excluded = case(
        *((everyone.c.fate == constant(place), sql.text(reason.value)) for place, reason in enumerate(ExclusionReason))
    )
    columns = {
        "org_id": statement.org,
        "id": _new_key(statement.dialect),
        "campaign_id": statement.bind("campaign", Key()),
        "customer_id": everyone.c.id,
        "arm": arm,
        "excluded": excluded,
        "enrolled_at": statement.now,
        "enrolled_day": statement.today,
        "until_day": statement.bind("until"),
    }
    rows = select(*(value.label(name) for name, value in columns.items())).select_from(everyone)
    return insert(CampaignMember).from_select(list(columns), rows)


def _new_key(dialect: str) -> ColumnElement[Any]:
    # Made by the database, since so are the rows; nothing is ordered by it.
    return func.gen_random_uuid() if dialect == "postgresql" else func.lower(func.hex(func.randomblob(constant(16))))


def _counts(work: Work, campaign: UUID) -> dict[str, Any]:
    m = CampaignMember
    mine = m.org_id == work.org.id, m.campaign_id == campaign
    counted = work.session.execute(select(m.arm, m.excluded, func.count()).where(*mine).group_by(m.arm, m.excluded))
    fates = {arm or excluded: count for arm, excluded, count in counted}
    return {
        "matched": sum(fates.values()),
        "arms": {arm: fates.get(arm.value, 0) for arm in CampaignArm},
        "excluded": {reason: fates.get(reason.value, 0) for reason in ExclusionReason},
    }


def audience_hash(work: Work, campaign: UUID) -> str:
    """SHA-256, as hex digits, of the members' customer ids as printed by the API, sorted, joined by line feeds."""
    m: Any = CampaignMember.__table__
    mine = and_(
        m.c.org_id == bindparam("org", type_=Key()),
        m.c.campaign_id == bindparam("campaign", type_=Key()),
        m.c.arm.is_not(None),
    )
    keys = select(sql.KeyHex(m.c.customer_id)).where(mine).order_by(m.c.customer_id)
    rows = work.run(prepare(keys, work.dialect), {"org": work.org.id, "campaign": campaign})
    return sha256("\n".join([f"cus_{row[0]}" for row in rows]).encode()).hexdigest()
