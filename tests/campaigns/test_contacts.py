"""Who may be contacted in the name of a campaign: asked again for each contact, when it is recorded."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from app.campaigns import actions
from app.customers import actions as customers
from app.platform.refusals import Refused
from app.purchases import actions as purchases
from app.touchpoints import actions as touchpoints
from app.touchpoints.tables import Touchpoint
from tests.campaigns.acting import arms_of, contact, granted, launched, planned
from tests.conftest import NOW
from tests.customers.acting import create
from tests.house import Shop, house
from tests.purchases import acting as buying

BEFORE, LATER = NOW - timedelta(days=1), NOW + timedelta(hours=2)


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


@pytest.fixture
def scene(shop: Shop, backend: str) -> Iterator[Any]:
    """Everybody consented to marketing by email a day ago, and a campaign was launched with half of them held out."""
    with house(backend).shop().working(NOW) as work:
        theirs = planned(work)
    with shop.working(BEFORE) as work:
        people = [create(work) for _ in range(24)]
        for person in people:
            granted(work, person)
    with shop.working(NOW) as work:
        campaign = launched(work, holdout_share=0.5)
    with shop.working(LATER) as work:
        arms = arms_of(work, campaign)
        told = SimpleNamespace(work=work, campaign=campaign, people=people, theirs=theirs)
        told.treated = next(each for each in people if arms[each] == "TREATMENT")
        told.held = next(each for each in people if arms[each] == "HOLDOUT")
        yield told


def problems(do: Callable[[], Any]) -> list[tuple[str, tuple[str | int, ...]]]:
    with pytest.raises(Refused) as raised:
        do()
    return [(problem.code.value, problem.path) for problem in raised.value.problems]


def against(scene: Any, customer: str, **given: Any) -> list[str]:
    """The codes of what stands against a contact; it is not written."""
    before = scene.work.session.query(Touchpoint).filter_by(org_id=scene.work.org.id).count()
    found = problems(lambda: contact(scene.work, customer, given.pop("campaign", scene.campaign), **given))
    assert {path for _, path in found} == {("campaign_id",)}
    assert scene.work.session.query(Touchpoint).filter_by(org_id=scene.work.org.id).count() == before
    return [code for code, _ in found]


def test_a_member_of_the_treatment_arm_who_consents_is_contacted(scene: Any) -> None:
    assert contact(scene.work, scene.treated, scene.campaign)["outcome"] == "RECORDED"


def test_the_holdout_is_not_contacted(scene: Any) -> None:
    assert against(scene, scene.held) == ["WRONG_STATE"]


def test_what_the_holdout_says_by_itself_is_recorded(scene: Any) -> None:
    assert contact(scene.work, scene.held, scene.campaign, direction="INBOUND")["outcome"] == "RECORDED"


def test_nobody_is_contacted_who_was_not_in_the_audience(scene: Any) -> None:
    stranger = create(scene.work)
    granted(scene.work, stranger)
    assert against(scene, stranger) == ["WRONG_STATE"]


def test_whoever_has_withdrawn_since_is_not_contacted(scene: Any) -> None:
    granted(scene.work, scene.treated, state="WITHDRAWN")
    assert against(scene, scene.treated) == ["NO_CONSENT"]
    # Nor by telling of it as something that was before.
    assert against(scene, scene.treated, occurred_at=NOW + timedelta(minutes=1)) == ["NO_CONSENT"]
    granted(scene.work, scene.treated)
    assert contact(scene.work, scene.treated, scene.campaign)["outcome"] == "RECORDED"


def test_consent_that_came_later_does_not_cover_what_was_before(scene: Any) -> None:
    granted(scene.work, scene.treated, state="WITHDRAWN", at=NOW + timedelta(minutes=10))
    granted(scene.work, scene.treated, at=NOW + timedelta(minutes=30))
    assert against(scene, scene.treated, occurred_at=NOW + timedelta(minutes=20)) == ["NO_CONSENT"]
    assert contact(scene.work, scene.treated, scene.campaign, occurred_at=NOW + timedelta(minutes=40))


def test_consent_is_for_a_channel_and_a_purpose(scene: Any) -> None:
    assert against(scene, scene.treated, channel="SMS") == ["NO_CONSENT"]
    granted(scene.work, scene.treated, channel="SMS", purpose="SERVICE")
    assert against(scene, scene.treated, channel="SMS") == ["NO_CONSENT"]
    granted(scene.work, scene.treated, channel="SMS")
    assert contact(scene.work, scene.treated, scene.campaign, channel="SMS")


def test_the_suppressed_get_no_marketing_and_the_archived_nothing(scene: Any) -> None:
    who: Any = {"customer": {"id": scene.treated}}
    customers.update_customer(scene.work, {**who, "expected_version": None, "set": {"suppressed": True}})
    assert against(scene, scene.treated) == ["NO_CONSENT"]
    customers.archive_customer(scene.work, who)
    assert against(scene, scene.treated) == ["ARCHIVED", "NO_CONSENT"]


def test_a_service_campaign_reaches_the_suppressed(scene: Any) -> None:
    who: Any = {"customer": {"id": scene.treated}}
    granted(scene.work, scene.treated, purpose="SERVICE")
    customers.update_customer(scene.work, {**who, "expected_version": None, "set": {"suppressed": True}})
    service = launched(scene.work, purpose="SERVICE")
    assert contact(scene.work, scene.treated, service)["outcome"] == "RECORDED"


@pytest.mark.parametrize("direction", ["INBOUND", "OUTBOUND"])
def test_a_draft_has_no_contacts(scene: Any, direction: str) -> None:
    draft = planned(scene.work)
    assert against(scene, scene.treated, campaign=draft, direction=direction) == ["WRONG_STATE"]


def test_a_contact_does_not_come_before_the_launch_nor_after_the_end(scene: Any) -> None:
    assert against(scene, scene.treated, occurred_at=NOW - timedelta(seconds=1)) == ["WRONG_STATE"]
    actions.complete_campaign(scene.work, {"id": scene.campaign})
    assert contact(scene.work, scene.treated, scene.campaign, occurred_at=LATER - timedelta(minutes=1))
    scene.work.now = LATER + timedelta(minutes=1)
    assert against(scene, scene.treated) == ["WRONG_STATE"]
    assert contact(scene.work, scene.treated, scene.campaign, direction="INBOUND")


def test_a_campaign_that_is_not_ours_is_none(scene: Any) -> None:
    for campaign in (scene.theirs, f"cam_{uuid4().hex}", scene.treated, "nonsense"):
        assert against(scene, scene.treated, campaign=campaign) == ["NOT_FOUND"]
        wanted = [("NOT_FOUND", ("campaign_id",))]
        assert problems(lambda campaign=campaign: buying.buy(scene.work, scene.treated, campaign_id=campaign)) == wanted


def test_a_batch_says_of_each_row_what_stands_against_it(scene: Any) -> None:
    said = {"kind": "MESSAGE", "channel": "EMAIL", "direction": "OUTBOUND", "campaign_id": scene.campaign}
    rows: Any = [{"customer": {"id": each}, **said} for each in (scene.treated, scene.held)]
    answer = touchpoints.record_touchpoints(scene.work, {"rows": rows, "on_error": "SKIP_ROW"})
    assert [row["outcome"] for row in answer["rows"]] == ["RECORDED", "REFUSED"]
    [problem] = answer["rows"][1]["user_errors"]
    assert (problem["code"], problem["path"]) == ("WRONG_STATE", ["rows", 1, "campaign_id"])


def test_a_repeat_is_a_repeat_even_after_consent_was_withdrawn(scene: Any) -> None:
    ref = {"system": "mailer", "value": "1"}
    first = contact(scene.work, scene.treated, scene.campaign, external_ref=ref)
    granted(scene.work, scene.treated, state="WITHDRAWN")
    again = contact(scene.work, scene.treated, scene.campaign, external_ref=ref)
    assert again == {**first, "outcome": "ALREADY_RECORDED"}
    # Of another campaign it is another contact.
    assert ("TAKEN", ("external_ref",)) in problems(
        lambda: contact(scene.work, scene.treated, launched(scene.work), external_ref=ref)
    )


def test_a_purchase_names_its_campaign(scene: Any) -> None:
    purchase = buying.buy(scene.work, scene.held, campaign_id=scene.campaign)
    found = buying.read(scene.work, purchase).campaign_id
    assert found is not None
    assert f"cam_{found.hex}" == scene.campaign
    ref = {"system": "till", "value": "1"}
    said = buying.said(scene.held, external_ref=ref, campaign_id=scene.campaign)
    first = purchases.record_purchase(scene.work, said)
    assert purchases.record_purchase(scene.work, said) == {**first, "outcome": "ALREADY_RECORDED"}
