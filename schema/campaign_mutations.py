"""What can be done with campaigns."""

from functools import partial
from typing import Any

from app.campaigns import actions
from schema import campaign_inputs as inputs
from schema.audience import audience_of
from schema.campaigns import Campaign
from schema.mutation import mutation, payload


def _of_campaign(action: Any, input_type: type, outcome: str, said: str) -> Any:
    answer = payload(input_type.__name__.replace("Input", "Payload"), outcome, {"campaign": Campaign})
    return mutation(action, input_type, answer, said)


create = _of_campaign(
    partial(actions.create_campaign, reads=audience_of),
    inputs.CampaignCreateInput,
    "A new campaign.",
    "Plan a campaign. Nobody is enrolled before it is launched.",
)
update = _of_campaign(
    partial(actions.update_campaign, reads=audience_of),
    inputs.CampaignUpdateInput,
    "A changed campaign.",
    "Change a campaign. Once launched, whom it addresses and how it is measured stay.",
)
launch = _of_campaign(
    partial(actions.launch_campaign, reads=audience_of),
    inputs.CampaignLaunchInput,
    "A running campaign.",
    "Freezes the audience, draws the holdout, enrols.",
)
record_cost = _of_campaign(
    actions.record_cost,
    inputs.CampaignCostRecordInput,
    "A campaign with what it cost.",
    "Book what was spent on a campaign, by its day's rate.",
)
complete = _of_campaign(
    actions.complete_campaign,
    inputs.CampaignCompleteInput,
    "A campaign that is done.",
    "Nobody is contacted in its name any more; purchases count until the windows close.",
)
cancel = _of_campaign(
    actions.cancel_campaign,
    inputs.CampaignCancelInput,
    "A campaign that was given up.",
    "Give a campaign up, launched or not.",
)
