"""Planning a campaign, changing it, booking what it costs and ending it: what is kept, and what is refused with nothing
written."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import func, select

from app.campaigns import actions
from app.outreach.tables import Campaign, CampaignCost
from app.platform.ids import key_of
from schema.audience import audience_of
from tests.campaigns.acting import EVERYBODY, granted, launched, planned
from tests.conftest import NOW
from tests.customers.acting import create, refused
from tests.house import Shop, house

DAY = timedelta(days=1)


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


def read(work: Any, campaign: str) -> Campaign:
    mine = Campaign.org_id == work.org.id, Campaign.id == key_of(campaign, "cam")
    return work.session.scalars(select(Campaign).where(*mine).execution_options(populate_existing=True)).one()  # type: ignore[no-any-return]


def changed(work: Any, campaign: str, expected_version: int | None = None, **change: Any) -> Any:
    said: Any = {"id": campaign, "expected_version": expected_version, "set": change}
    return actions.update_campaign(work, said, reads=audience_of)


def spent(work: Any, campaign: str, amount: str, currency: str = "EUR", **given: Any) -> Any:
    cost: Any = {"amount": Decimal(amount), "currency": currency}
    return actions.record_cost(work, {"campaign_id": campaign, "cost": cost, **given})


def running(work: Any, **given: Any) -> str:
    granted(work, create(work))
    return launched(work, **given)


def test_a_draft_has_what_was_given_and_the_rest_as_promised(shop: Shop) -> None:
    with shop.working(NOW) as work:
        given = {"budget": {"amount": Decimal("1500.50"), "currency": "EUR"}, "holdout_share": 0.123456}
        row = read(work, planned(work, name="  Win back ", **given, starts_at=NOW, ends_at=NOW))
        assert (row.name, row.status, row.version, row.budget_minor, row.holdout_e6) == (
            "Win back", "DRAFT", 1, 150_050, 123_456,
        )  # fmt: skip
        assert (row.conversion_days, row.purpose, row.audience) == (30, "MARKETING", EVERYBODY)
        assert row.launched_at is row.audience_hash is row.matched is None


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"name": "   "}, "REQUIRED", ("name",)),
        ({"name": "x" * 201}, "TOO_LONG", ("name",)),
        ({"holdout_share": 0.51}, "OUT_OF_RANGE", ("holdout_share",)),
        ({"holdout_share": 0.0000004}, "OUT_OF_RANGE", ("holdout_share",)),
        ({"audience": '{"segment":{"notIn":[]}}'}, "INVALID", ("audience",)),
        ({"audience": '{"kind":{"notIn":[]},"lifecycle":{"stage":{"notIn":[]}}}'}, "INVALID", ("audience",)),
        ({"holdout_share": -0.01}, "OUT_OF_RANGE", ("holdout_share",)),
        ({"holdout_share": float("nan")}, "OUT_OF_RANGE", ("holdout_share",)),
        ({"conversion_days": 0}, "OUT_OF_RANGE", ("conversion_days",)),
        ({"conversion_days": 3_651}, "OUT_OF_RANGE", ("conversion_days",)),
        ({"starts_at": NOW, "ends_at": NOW - DAY}, "INVALID", ("ends_at",)),
        ({"budget": {"amount": Decimal(1), "currency": "USD"}}, "CURRENCY_MISMATCH", ("budget", "currency")),
        ({"budget": {"amount": Decimal("1.001"), "currency": "EUR"}}, "INVALID", ("budget", "amount")),
        ({"budget": {"amount": Decimal(-1), "currency": "EUR"}}, "OUT_OF_RANGE", ("budget", "amount")),
        ({"audience": "{}"}, "INVALID", ("audience",)),
        ({"audience": '{"AND":[]}'}, "INVALID", ("audience",)),
        ({"audience": orjson.dumps({"AND": [{"name": {"eq": "x"}}] * 51}).decode()}, "INVALID", ("audience",)),
        ({"audience": '{"NOT":{"NOT":{"NOT":{"NOT":{"NOT":{"name":{"eq":"x"}}}}}}}'}, "INVALID", ("audience",)),
        ({"audience": '{"name":{"eq":null}}'}, "INVALID", ("audience",)),
    ],
)
def test_what_cannot_be_planned_is_refused_and_nothing_is_written(
    shop: Shop, given: dict[str, Any], code: str, path: tuple[str, ...]
) -> None:
    with shop.working(NOW) as work:
        assert refused(planned, work, **given) == [(code, path, None)]
        draft = planned(work)
        assert refused(changed, work, draft, **given) == [(code, ("set", *path), None)]
        assert read(work, draft).version == 1
        mine = Campaign.org_id == work.org.id
        assert work.session.scalar(select(func.count()).select_from(Campaign).where(mine)) == 1


def test_a_draft_changes_and_says_how_often(shop: Shop) -> None:
    with shop.working(NOW) as work:
        draft = planned(work)
        changed(work, draft, 1, name="Sooner", audience='{"suppressed":{"eq":false}}', holdout_share=0.1)
        row = read(work, draft)
        assert (row.name, row.version, row.holdout_e6, row.audience) == (
            "Sooner", 2, 100_000, '{"suppressed":{"eq":false}}',
        )  # fmt: skip
        assert refused(changed, work, draft, 1, name="Later") == [("STALE_VERSION", ("expected_version",), draft)]
        # What the other date already is counts too.
        changed(work, draft, starts_at=NOW + DAY)
        assert refused(changed, work, draft, ends_at=NOW) == [("INVALID", ("set", "ends_at"), None)]


def test_a_launched_audience_is_never_edited(shop: Shop) -> None:
    with shop.working(NOW) as work:
        campaign = running(work)
        frozen: dict[str, Any] = {"channel": "SMS", "purpose": "SERVICE", "starts_at": NOW, "holdout_share": 0.1}
        frozen |= {"conversion_days": 3, "audience": '{"suppressed":{"eq":true}}'}
        for name, value in frozen.items():
            assert refused(changed, work, campaign, **{name: value}) == [("WRONG_STATE", ("set", name), None)]
        changed(work, campaign, name="Renamed", ends_at=NOW + DAY, budget=None, objective="CARE")
        row = read(work, campaign)
        assert (row.name, row.objective, row.audience, row.version) == ("Renamed", "CARE", EVERYBODY, 3)


def test_costs_are_booked_in_the_reporting_currency(shop: Shop) -> None:
    with shop.working(NOW) as work:
        campaign = planned(work)
        spent(work, campaign, "100.00", note="Stamps")
        spent(work, campaign, "10.00", "USD", at=NOW - DAY)
        mine = CampaignCost.org_id == work.org.id
        rows = work.session.execute(
            select(CampaignCost.amount_minor, CampaignCost.amount_reporting, CampaignCost.currency).where(mine)
        ).all()
        by_currency = {currency: (amount, reporting) for amount, reporting, currency in rows}
        assert by_currency["EUR"] == (10_000, 10_000)
        amount, reporting = by_currency["USD"]
        assert amount == 1_000
        assert reporting not in (None, 0)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"amount": "0"}, ("OUT_OF_RANGE", ("cost", "amount"), None)),
        ({"amount": "-5"}, ("OUT_OF_RANGE", ("cost", "amount"), None)),
        ({"amount": "1.001"}, ("INVALID", ("cost", "amount"), None)),
        ({"amount": "1", "currency": "XXY"}, ("INVALID", ("cost", "currency"), None)),
        ({"amount": "1", "currency": "SEK"}, ("CURRENCY_MISMATCH", ("cost", "currency"), None)),
        ({"amount": "1", "at": NOW + DAY}, ("OUT_OF_RANGE", ("at",), None)),
    ],
)
def test_what_cannot_be_booked_is_refused(shop: Shop, given: dict[str, Any], wanted: Any) -> None:
    with shop.working(NOW) as work:
        campaign = planned(work)
        assert refused(spent, work, campaign, **given) == [wanted]
        mine = CampaignCost.org_id == work.org.id
        assert work.session.scalar(select(func.count()).select_from(CampaignCost).where(mine)) == 0


def test_a_campaign_ends_once(shop: Shop) -> None:
    def told(campaign: str, act: Any) -> list[Any]:
        return [code for code, _, _ in refused(act, work, {"id": campaign})]

    with shop.working(NOW) as work:
        draft, done, given_up = planned(work), running(work), running(work)
        assert told(draft, actions.complete_campaign) == ["WRONG_STATE"]
        actions.complete_campaign(work, {"id": done})
        actions.cancel_campaign(work, {"id": given_up, "reason": "Too dear"})
        actions.cancel_campaign(work, {"id": draft})
        assert [read(work, each).status for each in (draft, done, given_up)] == ["CANCELLED", "COMPLETED", "CANCELLED"]
        assert read(work, given_up).cancel_reason == "Too dear"
        for campaign in (draft, done, given_up):
            assert told(campaign, actions.complete_campaign) == ["WRONG_STATE"]
            assert told(campaign, actions.cancel_campaign) == ["WRONG_STATE"]
        assert refused(changed, work, done, ends_at=NOW) == [("WRONG_STATE", ("set", "ends_at"), None)]


def test_what_is_not_ours_is_not_there(shop: Shop, backend: str) -> None:
    with house(backend).shop().working(NOW) as work:
        theirs = planned(work)
    with shop.working(NOW) as work:
        for campaign in (theirs, f"cam_{uuid4().hex}", "nonsense"):
            assert refused(changed, work, campaign, name="x") == [("NOT_FOUND", ("id",), None)]
            assert refused(launched, work, campaign) == [("NOT_FOUND", ("id",), None)]
            assert refused(spent, work, campaign, "1") == [("NOT_FOUND", ("campaign_id",), None)]
            assert refused(actions.cancel_campaign, work, {"id": campaign}) == [("NOT_FOUND", ("id",), None)]
