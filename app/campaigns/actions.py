"""Planning a campaign, launching it to a frozen audience, booking what it costs, and ending it."""

from typing import Any

from sqlalchemy import select

from app.campaigns import rules
from app.campaigns.audience import Audience, Reads
from app.campaigns.launch import enrol
from app.customers.rules import occurred
from app.outreach.tables import Campaign, CampaignArm, CampaignCost, CampaignStatus
from app.platform.days import local_day
from app.platform.ids import key_of, new_id, public_id
from app.platform.refusals import BadInput, Code, Problems, Refused
from app.platform.text import LARGEST, LONGEST_BODY, clean
from app.platform.work import Work
from app.purchases.rates import rates_for
from app.purchases.rules import exponent_in
from app.touchpoints.rules import units

Result = dict[str, Any]


def create_campaign(work: Work, given: rules.CampaignSet, *, reads: Reads) -> Result:
    """A draft. Its audience is only looked at, to see that it can be asked."""
    problems = Problems()
    columns = rules.clean_campaign(problems, given, work.org)
    rules.check_dates(problems, columns.get("starts_at"), columns.get("ends_at"))
    _audience(work, problems, given["audience"], reads, "audience")
    problems.stop()
    key = new_id()
    defaults: dict[str, Any] = {"purpose": "MARKETING", "budget_minor": None, "starts_at": None, "ends_at": None}
    defaults |= {"holdout_e6": 0, "conversion_days": 30}
    fresh = {"id": key, "version": 1, "status": CampaignStatus.DRAFT.value, "audience": given["audience"]}
    work.insert(Campaign, [{**defaults, **fresh, "created_at": work.now, "updated_at": work.now, **columns}])
    return _done(work, "campaign.created", key)


def update_campaign(work: Work, given: rules.CampaignUpdate, *, reads: Reads) -> Result:
    """What is left out stays. Once launched, whom it addresses and how it is measured stay for ever."""
    problems = Problems()
    campaign = _find(work, given["id"])
    change = given["set"]
    _expect(problems, campaign, given.get("expected_version"))
    of_change = problems.under("set")
    columns = rules.clean_campaign(of_change, change, work.org)
    if campaign.launched_at is not None:
        for name in rules.FROZEN:
            if name in change:
                of_change.add(Code.WRONG_STATE, "This was settled when the campaign was launched.", name)
    elif change.get("audience") is not None:
        _audience(work, of_change, change["audience"], reads, "audience")
        columns["audience"] = change["audience"]
    if campaign.ended_at is not None and "ends_at" in change:
        of_change.add(Code.WRONG_STATE, "This campaign has ended.", "ends_at")
    dates = {name: columns.get(name, getattr(campaign, name)) for name in ("starts_at", "ends_at")}
    rules.check_dates(of_change, **dates)
    problems.stop()
    for name, value in columns.items():
        setattr(campaign, name, value)
    return _changed(work, "campaign.updated", campaign)


def launch_campaign(work: Work, given: rules.CampaignLaunch, *, reads: Reads) -> Result:
    """Freeze the audience, draw the holdout, enrol: once, and only where somebody is addressed."""
    problems = Problems()
    campaign = _find(work, given["id"])
    if campaign.status != CampaignStatus.DRAFT.value:
        said = "was launched already" if campaign.launched_at is not None else "was cancelled"
        problems.add(Code.WRONG_STATE, f"This campaign {said}.", "id")
        raise Refused(*problems.found)
    _expect(problems, campaign, given.get("expected_version"))
    if campaign.ends_at is not None and campaign.ends_at < work.now:
        problems.add(Code.WRONG_STATE, "This campaign was to end before now.", "id")
    audience = _audience(work, problems, campaign.audience, reads, "id")
    problems.stop()
    assert audience
    launched = enrol(work, campaign, audience, local_day(work.now, work.org.zone))
    if not launched.arms[CampaignArm.TREATMENT]:
        counts = {reason.value.lower().replace("_", " "): count for reason, count in launched.excluded.items()}
        counts["held out"] = launched.arms[CampaignArm.HOLDOUT]
        left_out = ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
        of_those = f" of {launched.matched} found ({left_out})" if left_out else ""
        problems.add(Code.WRONG_STATE, f"There is nobody{of_those} whom this campaign could address.", "id")
        problems.stop()
    campaign.status = CampaignStatus.RUNNING.value
    campaign.launched_at = work.now
    campaign.launched_day = local_day(work.now, work.org.zone)
    campaign.audience_hash = launched.audience_hash
    campaign.matched = launched.matched
    for arm, count in launched.arms.items():
        setattr(campaign, arm.value.lower(), count)
    for reason, count in launched.excluded.items():
        setattr(campaign, f"excluded_{reason.value.lower()}", count)
    return _changed(work, "campaign.launched", campaign)


def record_cost(work: Work, given: rules.CostRecord) -> Result:
    """Book what was spent on a campaign, by the rate of its day."""
    problems = Problems()
    campaign = _find(work, given["campaign_id"], "campaign_id", lock=False)
    at = occurred(problems, given.get("at"), work.now, "at")
    cost = given["cost"]
    exponent = exponent_in(problems, cost["currency"], "cost", "currency")
    amount = None
    if exponent is not None:
        amount = units(problems, cost["amount"], exponent, "cost", "amount", zero=False)
    day = local_day(at, work.org.zone)
    reporting = None
    if amount is not None and exponent is not None:
        rate = rates_for(work, {(cost["currency"], day)}).get((cost["currency"], day))
        reporting = rate.convert(amount, exponent, work.org.exponent) if rate else None
        if reporting is None or reporting > LARGEST:
            message = f"No rate of that day turns this into {work.org.currency}."
            problems.add(Code.CURRENCY_MISMATCH, message, "cost", "currency")
    note = clean(problems, given.get("note"), "note", longest=LONGEST_BODY)
    problems.stop()
    money = {"amount_minor": amount, "currency": cost["currency"], "exponent": exponent, "amount_reporting": reporting}
    row = {"id": new_id(), "campaign_id": campaign.id, **money, "at": at, "recorded_at": work.now, "note": note}
    work.insert(CampaignCost, [row])
    return _done(work, "campaign.cost_recorded", campaign.id)


def complete_campaign(work: Work, given: rules.CampaignEnd) -> Result:
    """Nobody is contacted in its name any more; conversions go on being counted until their windows close."""
    campaign = _find(work, given["id"])
    if campaign.status != CampaignStatus.RUNNING.value:
        raise Refused(*_wrong_state(f"Only a running campaign is completed; this one is {_standing(campaign)}."))
    return _ended(work, "campaign.completed", campaign, CampaignStatus.COMPLETED)


def cancel_campaign(work: Work, given: rules.CampaignEnd) -> Result:
    """The same for one that is given up, launched or not."""
    problems = Problems()
    reason = clean(problems, given.get("reason"), "reason", longest=LONGEST_BODY)
    campaign = _find(work, given["id"])
    if campaign.ended_at is not None:
        problems.add(Code.WRONG_STATE, f"This campaign is {_standing(campaign)} already.", "id")
    problems.stop()
    campaign.cancel_reason = reason
    return _ended(work, "campaign.cancelled", campaign, CampaignStatus.CANCELLED)


# ------------------------------------------------------------------


def _audience(work: Work, problems: Problems, text: str | None, reads: Reads, *path: str) -> Audience | None:
    """The stored question, ready to be asked; adds INVALID for one that cannot be, or that asks nothing."""
    if text is None:
        return None
    try:
        audience = reads(work, text)
    except BadInput as refused:
        problems.add(Code.INVALID, str(refused), *path)
        return None
    if not audience.tests:
        problems.add(Code.INVALID, "Say whom: an audience has at least one test.", *path)
    return audience


def _find(work: Work, public: str, path: str = "id", *, lock: bool = True) -> Campaign:
    c = Campaign
    asked = select(c).where(c.org_id == work.org.id, c.id == key_of(public, "cam"))
    asked = asked.with_for_update(key_share=True) if lock else asked
    found = work.session.scalars(asked.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        problems = Problems()
        problems.add(Code.NOT_FOUND, "There is no such campaign.", path)
        raise Refused(*problems.found)
    return found


def _expect(problems: Problems, campaign: Campaign, version: int | None) -> None:
    if version is not None and version != campaign.version:
        message = f"The current version is {campaign.version}."
        problems.add(Code.STALE_VERSION, message, "expected_version", node=_public(campaign.id))


def _standing(campaign: Campaign) -> str:
    return {"DRAFT": "a draft"}.get(campaign.status, campaign.status.lower())


def _wrong_state(message: str) -> list[Any]:
    problems = Problems()
    problems.add(Code.WRONG_STATE, message, "id")
    return problems.found


def _ended(work: Work, event: str, campaign: Campaign, status: CampaignStatus) -> Result:
    campaign.status = status.value
    campaign.ended_at = work.now
    return _changed(work, event, campaign)


def _changed(work: Work, event: str, campaign: Campaign) -> Result:
    campaign.version += 1
    campaign.updated_at = work.now
    work.session.flush()
    return _done(work, event, campaign.id)


def _done(work: Work, event: str, key: Any) -> Result:
    work.announce(event, _public(key))
    return {"campaign": _public(key)}


def _public(key: Any) -> str:
    return public_id("cam", key)
