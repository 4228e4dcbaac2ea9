"""Campaigns, their members, and what they changed, as they are read."""

from typing import Annotated, Any

import strawberry

from app.campaigns import measures
from app.campaigns.measures import campaigns, exclusions, members
from app.customers.measures import customers
from app.outreach.tables import Campaign as CampaignTable
from app.outreach.tables import CampaignMember as MemberTable
from app.query.kind import Id, Minor, Moment, Name, Plain, Position, Raw, Text, Whole
from app.query.question import Relation
from schema.campaign_results import MARGIN, RESULT, CampaignResult
from schema.enums import (
    CampaignArm,
    CampaignMemberStatus,
    CampaignObjective,
    CampaignStatus,
    Channel,
    ConsentPurpose,
    ExclusionReason,
)
from schema.fields import Value, column, computed, entity, identity, measured, money, one, part, related, rows, valued
from schema.filters import named
from schema.node import Money, Node
from schema.pages import connection
from schema.scalars import JSON, DateTime

Person = Annotated["Customer", strawberry.lazy("schema.types")]  # type: ignore[name-defined] # noqa: F821
Members = Annotated["CampaignMemberConnection", strawberry.lazy("schema.campaigns")]  # type: ignore[valid-type]

_AS_OF = {"as_of": (DateTime | None, None, "As of that instant, by what is known of it today; not in the future.")}

# ------------------------------------------------------------------ the launch


@entity(exclusions)
@strawberry.type(description="How many of an audience are left out for one reason.")
class Exclusion:
    reason: ExclusionReason = valued("reason", Position(enum=ExclusionReason), description="The first one that held.")
    count: int = valued("members", Whole(), description="So many.")


def _told(node: str, said: str) -> Any:
    return valued(node, Whole(), description=said)


@strawberry.type(
    description="What the launch froze: matched = treatment + holdout + all that is excluded. Anyone can draw the same "
    "arms again from the ids; see holdoutShare."
)
class CampaignLaunch:
    launched_at: DateTime = valued("launched_at", Moment(), description="When members were enrolled.")
    audience_hash: str = valued(
        "audience_hash",
        Plain(),
        description="SHA-256, hexadecimal, of the members' customer ids as printed here, sorted, joined by line feeds.",
    )
    matched: int = _told("matched", "How many the audience found.")
    excluded: list[Exclusion] = rows(
        Relation(exclusions, "id", "campaign_id", order=("reason",)),
        description="How many of them were left out, by reason, in the order in which reasons are applied; each "
        "reason is there, with 0 if nobody was.",
    )
    treatment: int = _told("treatment", "How many may be contacted.")
    holdout: int = _told("holdout", "How many are kept untouched.")


# ------------------------------------------------------------------ campaigns


@entity(campaigns, order=(("created_at", True),))
@strawberry.type(
    description="A campaign: an audience for a purpose on a channel, with some kept untouched, so that what it changes "
    "can be told. Below an asOf its status, launch and cost are those of then; what was planned is as it is now. 营销活动"
)
class Campaign(Node):
    id: strawberry.ID = identity("cam")
    version: int = column(
        CampaignTable.version,
        Whole(),
        filter=False,
        description="Rises by one with every change; give it back as expectedVersion.",
    )
    name: str = column(
        CampaignTable.name, Text(), folded=CampaignTable.name_folded, sort=True, description="At most 200 characters."
    )
    objective: CampaignObjective = column(
        CampaignTable.objective, Name(enum=CampaignObjective), filter=False, description="What it is for."
    )
    status: CampaignStatus = measured(measures.campaign_status, sort=True, description="How far it is.")
    channel: Channel = column(
        CampaignTable.channel, Name(enum=Channel), filter=False, description="Through what it reaches its members."
    )
    purpose: ConsentPurpose = column(
        CampaignTable.purpose,
        Name(enum=ConsentPurpose),
        filter=False,
        description="What they must have consented to, on that channel.",
    )
    budget: Money | None = money(
        CampaignTable.budget_minor,
        filter=False,
        description="What it may cost, in the reporting currency; null: unset.",
    )
    cost: Money = money(
        Value("cost_minor", Minor(), False, filter=False),
        description="Everything booked with campaignCostRecord, in the reporting currency.",
    )
    budget_left: Money | None = money(
        measures.budget_left,
        filter=False,
        description="Budget less cost, below zero once overspent; null without a budget.",
    )
    starts_at: DateTime | None = column(
        CampaignTable.starts_at, Moment(), sort=True, description="When it is planned to begin."
    )
    ends_at: DateTime | None = column(
        CampaignTable.ends_at, Moment(), filter=False, description="When it is planned to end."
    )
    holdout_share: float = measured(
        measures.holdout_share,
        filter=False,
        description="Share of the audience that is kept untouched, 0 to 0.5. Held out is whose draw lies below 10,000 "
        "times that share: the first 8 bytes, big-endian, of SHA-256 over organisation|campaign|customer, their ids as "
        "printed here, modulo 10,000.",
    )
    conversion_days: int = column(
        CampaignTable.conversion_days,
        Whole(),
        filter=False,
        description="Days after enrolment in which a kept purchase counts as converted; the last one counts whole.",
    )
    audience: JSON = column(
        CampaignTable.audience,
        Raw(),
        filter=False,
        description="The CustomerWhere whose answer is frozen at launch, as it was given.",
    )
    launch: CampaignLaunch | None = part(
        unless="launched_at",
        filter=False,
        description="Null until launch. The same audience, arms and hash come out of the same launch.",
    )
    members: Members = related(
        Members,
        Relation(members, "id", "campaign_id"),
        arguments={"where": (named("CampaignMemberWhere") | None, None, "Only those that pass.")},
        description="Who was enrolled, in both arms; empty until launch.",
    )
    result: CampaignResult | None = computed(
        RESULT,
        CampaignResult | None,
        arguments=MARGIN | _AS_OF,
        description="What it changed. Null until launch, and as of any instant before it.",
    )


CampaignConnection, CampaignEdge = connection(Campaign)

# ------------------------------------------------------------------ members


def looked_up(node: str, said: str) -> Any:
    return valued(node, Moment(), nullable=True, description=said)


@entity(members, extra={"customer_id": (Value("customer_id", Id(prefix="cus"), False), None, "The customer's id.")})
@strawberry.type(
    description="A customer enrolled in a campaign. Whatever is told follows from contacts and purchases: nothing is "
    "set by hand, and what is taken back no longer counts."
)
class CampaignMember(Node):
    id: strawberry.ID = identity("mem")
    campaign: Campaign = one(Relation(campaigns, "campaign_id", "id"), description="In which campaign.")
    customer: Person = one(Relation(customers, "customer_id", "id"), filter=True, description="Who.")
    arm: CampaignArm = valued(
        "arm",
        Name(enum=CampaignArm),
        filter=True,
        description="Drawn at launch; see holdoutShare of the campaign.",
    )
    status: CampaignMemberStatus = measured(
        measures.member_status, description="The highest reached; refunds undo a conversion."
    )
    enrolled_at: DateTime = column(MemberTable.enrolled_at, Moment(), filter=False, description="At launch.")
    contacted_at: DateTime | None = looked_up(
        "contacted_at", "The first outbound touchpoint with this campaignId on the campaign's channel; null: none."
    )
    responded_at: DateTime | None = looked_up(
        "responded_at", "The first inbound touchpoint with this campaignId, on any channel; null: none."
    )
    converted_at: DateTime | None = looked_up(
        "converted_at",
        "The first kept purchase within conversionDays of enrolment, whatever led there: of campaigns that overlap each counts it; null: none.",
    )
    spend: Money = money(
        Value("spend_minor", Minor(), False, filter=False),
        description="Net of the kept purchases in the conversion window, reporting currency; what no exchange rate is known for is not in it.",
    )


CampaignMemberConnection, CampaignMemberEdge = connection(CampaignMember)
