"""Input types of campaigns, named as the contract names them."""

import strawberry

from schema.enums import CampaignObjective, Channel, ConsentPurpose
from schema.filters import named
from schema.inputs import MoneyInput, must, said
from schema.scalars import DateTime

Audience = named("CustomerWhere")

_EXPECTED = "The version this was read at; STALE_VERSION when it is no longer true."
_NAME = "1 to 200 characters."
_OBJECTIVE = "What it is for."
_CHANNEL = "Through which members are contacted."
_PURPOSE = "The consent it needs."
_BUDGET = "In the reporting currency; null: none."
_STARTS, _ENDS = "When it is planned to begin.", "When it is planned to end; not before it starts."
_HOLDOUT = "Share of the audience that is kept untouched, 0 to 0.5, at most six decimals."
_WINDOW = "Days after enrolment in which a kept purchase counts as converted, 1 to 3,650."
_AUDIENCE = (
    "Whom it is for: judged when it is launched. At least one test; the segments that it names must be there, then too."
)
_WHICH = "Which campaign."


@strawberry.input(description="A new campaign, as a draft.")
class CampaignCreateInput:
    name: str = must(_NAME)
    objective: CampaignObjective = must(_OBJECTIVE)
    channel: Channel = must(_CHANNEL)
    purpose: ConsentPurpose = said(_PURPOSE, ConsentPurpose.MARKETING)
    budget: MoneyInput | None = said(_BUDGET)
    starts_at: DateTime | None = said(_STARTS)
    ends_at: DateTime | None = said(_ENDS)
    holdout_share: float = said(_HOLDOUT, 0.0)
    conversion_days: int = said(_WINDOW, 30)
    audience: Audience = must(_AUDIENCE)  # type: ignore[valid-type]


@strawberry.input(
    description="What is left out stays as it is. Once launched, channel, purpose, start, holdout, window and audience stay."
)
class CampaignSetInput:
    name: str | None = said(_NAME)
    objective: CampaignObjective | None = said(_OBJECTIVE)
    channel: Channel | None = said(_CHANNEL)
    purpose: ConsentPurpose | None = said(_PURPOSE)
    budget: MoneyInput | None = said(_BUDGET)
    starts_at: DateTime | None = said(_STARTS)
    ends_at: DateTime | None = said(_ENDS)
    holdout_share: float | None = said(_HOLDOUT)
    conversion_days: int | None = said(_WINDOW)
    audience: Audience | None = said(_AUDIENCE)  # type: ignore[valid-type]


@strawberry.input(description="Changes to a campaign.")
class CampaignUpdateInput:
    id: strawberry.ID = must(_WHICH)
    expected_version: int | None = said(_EXPECTED)
    set: CampaignSetInput = must("What is to be otherwise.")


@strawberry.input(description="A draft that is to begin.")
class CampaignLaunchInput:
    id: strawberry.ID = must(_WHICH)
    expected_version: int | None = said(_EXPECTED)


@strawberry.input(description="Money spent on a campaign. A retry without an idempotency key books it again.")
class CampaignCostRecordInput:
    campaign_id: strawberry.ID = must(_WHICH)
    cost: MoneyInput = must("In any currency with a rate on that day; above 0.")
    at: DateTime | None = said("When it was spent; now unless said, at most 5 minutes ahead.")
    note: str | None = said("What for; at most 10,000 characters.")


@strawberry.input(description="A running campaign that is done.")
class CampaignCompleteInput:
    id: strawberry.ID = must(_WHICH)


@strawberry.input(description="A campaign that is given up, launched or not.")
class CampaignCancelInput:
    id: strawberry.ID = must(_WHICH)
    reason: str | None = said("For the record; at most 10,000 characters.")
