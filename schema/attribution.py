"""What touches and channels are credited with, as it is read."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import strawberry
from graphql import GraphQLObjectType

from app.campaigns import quality
from app.campaigns.attribution import attributed
from app.campaigns.measures import campaigns
from app.campaigns.quality import qualities
from app.platform.refusals import BadInput
from app.query import question as q
from app.query.kind import Fixed, Minor, Name, Whole
from app.query.question import Relation
from schema.asks import Ask, every
from schema.campaigns import Campaign
from schema.enums import AttributionKey, AttributionModel, Channel
from schema.fields import REQUIRED, Argument, Value, entity, measured, money, one, valued
from schema.node import Money
from schema.plan import Planner
from schema.scalars import DateTime
from schema.selection import Selected

Given = Mapping[str, Any]
LONGEST_LOOK_BACK = 366


@entity(attributed, order=(("id", False),))
@strawberry.type(
    description="What a channel or campaign is credited with; the parts sum to the revenue exactly. Whoever is credited "
    "with nothing has no row. Descriptive: it "
    "tells what came before purchases, not what brought them about; a campaign's result tells that. 归因"
)
class AttributionRow:
    channel: Channel | None = valued(
        "channel",
        Name(enum=Channel),
        nullable=True,
        description="Of the touches. Null by campaign, and for what was bought without a touch in the look-back.",
    )
    campaign: Campaign | None = one(
        Relation(campaigns, "campaign_id", "id"),
        description="In whose name the touches were. Null by channel, and for touches in no campaign's name together "
        "with what was bought without a touch in the look-back.",
    )
    conversions: float = valued(
        "conversions",
        Fixed(decimals=6),
        description="Purchases, each shared by its touches in millionths that sum to 1.",
    )
    revenue: Money = money(
        Value("revenue", Minor(), False), description="Their net in the reporting currency, shared to the minor unit."
    )


@entity(qualities, order=(("customers", True), ("cost", True), ("id", False)))
@strawberry.type(
    description="The customers whose first kept order lies in the period and whose first touch was on this channel, "
    "and what they cost. 渠道质量"
)
class ChannelQuality:
    channel: Channel = valued(
        "channel",
        Name(enum=Channel),
        description="Of the earliest live touch up to the first kept order; without one, of that order itself.",
    )
    customers: int = valued("customers", Whole(), description="So many were acquired, archived ones included.")
    cost: Money = money(
        Value("cost", Minor(), False),
        description="Booked in the period by campaigns on this channel with the objective ACQUIRE, CONVERT_PROSPECT or "
        "CLOSE_FIRST_ORDER, in the reporting currency.",
    )
    cac: Money | None = money(
        quality.cac, description="Cost of one customer: cost / customers, rounded once. Null without any. 获客成本"
    )
    repurchase_rate: float | None = measured(
        quality.repurchase_rate,
        filter=False,
        description="Share of them with a kept order on a second day by now, six decimals. Null without any. 复购率",
    )
    net_per_customer: Money | None = money(
        quality.net_per_customer,
        description="What they have bought by now, less refunds, in the reporting currency, by customer, rounded once. "
        "Null without any.",
    )


# ------------------------------------------------------------------ arguments

PERIOD: dict[str, Argument] = {
    "from_": (DateTime, REQUIRED, "From this instant on."),
    "to": (DateTime, REQUIRED, "Up to, not including, this instant; it may lie ahead."),
}
ATTRIBUTION: dict[str, Argument] = {
    "by": (AttributionKey, REQUIRED, "What the credit goes to."),
    "model": (AttributionModel, REQUIRED, "How a purchase is shared by the touches before it."),
    **PERIOD,
    "look_back_days": (
        int,
        30,
        "A touch counts from so many local days before the purchase, 1 to 366, up to the purchase itself.",
    ),
}


def refuse_period(given: Given) -> None:
    """Raises BadInput for a period that ends before it begins, and for a look-back that is none."""
    if given["to"] < given["from"]:
        raise BadInput("A period may not end before it begins: give from <= to.")
    if not 1 <= given.get("lookBackDays", 1) <= LONGEST_LOOK_BACK:
        raise BadInput(f"lookBackDays is 1 to {LONGEST_LOOK_BACK}.")


def _in_period(ask: Ask) -> Ask:
    def asked(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question | None:
        refuse_period(given)
        planner.values.given |= {"since": given["from"], "until": given["to"]}
        return ask(planner, selected, of, given)

    return asked


@_in_period
def attribution(planner: Planner, selected: Selected, of: GraphQLObjectType, given: Given) -> q.Question | None:
    planner.values.given |= {
        "by": list(AttributionKey).index(given["by"]),
        "model": list(AttributionModel).index(given["model"]),
        "look_back": given["lookBackDays"],
        "touched_since": _touched_since(given["from"], given["lookBackDays"]),
    }
    return every(planner, selected, of, given)


def _touched_since(since: datetime, look_back: int) -> datetime:
    """No touch of the look-back is older: a local day may begin so much earlier than it does in UTC."""
    earliest = datetime.min.replace(tzinfo=UTC)
    margin = timedelta(days=look_back + 2)
    return since - margin if since - earliest > margin else earliest


channel_quality = _in_period(every)
