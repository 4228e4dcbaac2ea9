"""The caps of the policy, at each contact: nobody gets one more, by whatever road and in whatever order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from app.platform.refusals import Refused
from app.scores.actions import publish_policy
from app.touchpoints import actions as touchpoints
from tests.campaigns.acting import contact, granted, launched
from tests.conftest import NOW
from tests.customers.acting import create
from tests.house import Shop, house

DAY = timedelta(days=1)
LAUNCHED, LATER = NOW - 60 * DAY, NOW + timedelta(hours=1)


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


@pytest.fixture
def told(shop: Shop) -> Any:
    """Two campaigns by email and one by SMS reach the same person, who may get one message a channel and two in all in
    thirty days."""
    with shop.working(LAUNCHED - DAY) as work:
        person = create(work)
        for channel in ("EMAIL", "SMS", "PHONE"):
            granted(work, person, channel=channel)
        granted(work, person, purpose="SERVICE")
    with shop.working(LAUNCHED) as work:
        first, second, service = (launched(work), launched(work), launched(work, purpose="SERVICE"))
        sms, phone = (launched(work, channel=channel) for channel in ("SMS", "PHONE"))
        capped(work, channel=1, total=2)
    return SimpleNamespace(person=person, first=first, second=second, sms=sms, phone=phone, service=service)


@pytest.fixture
def scene(shop: Shop, told: Any) -> Iterator[Any]:
    """The same, with a work to record in."""
    with shop.working(LATER) as work:
        told.work = work
        yield told


def capped(work: Any, *, channel: int | None, total: int | None, days: int = 30) -> None:
    caps = {"marketing_cap_per_channel": channel, "marketing_cap_total": total, "marketing_cap_days": days}
    publish_policy(work, {"set": caps})  # type: ignore[typeddict-item]


def refused(scene: Any, campaign: str, **given: Any) -> bool:
    found: list[Any] = []
    try:
        contact(scene.work, scene.person, campaign, **given)
    except Refused as no:
        found = [(problem.code.value, problem.path) for problem in no.problems]
    assert found in ([], [("WRONG_STATE", ("campaign_id",))])
    return bool(found)


def test_a_cap_holds_across_campaigns_of_a_channel(scene: Any) -> None:
    assert not refused(scene, scene.first)
    assert refused(scene, scene.second)
    assert refused(scene, scene.first)


def test_a_cap_holds_across_channels(scene: Any) -> None:
    assert not refused(scene, scene.first)
    assert not refused(scene, scene.sms, channel="SMS")
    assert refused(scene, scene.phone, channel="PHONE")


def test_what_is_no_send_of_a_marketing_campaign_is_neither_counted_nor_capped(scene: Any) -> None:
    for _ in range(3):
        assert not refused(scene, scene.service)
        assert not refused(scene, scene.first, direction="INBOUND")
        touchpoints.record_touchpoint(
            scene.work,
            {"customer": {"id": scene.person}, "kind": "MESSAGE", "channel": "EMAIL", "direction": "OUTBOUND"},
        )
    assert not refused(scene, scene.first)


def test_a_window_ends_and_what_was_retracted_was_never_sent(scene: Any) -> None:
    sent = contact(scene.work, scene.person, scene.first, occurred_at=NOW - 30 * DAY)
    assert not refused(scene, scene.first, occurred_at=NOW)
    # Of both it would be within thirty days.
    assert refused(scene, scene.first, occurred_at=NOW - 20 * DAY)
    touchpoints.retract_touchpoint(scene.work, {"touchpoint": {"id": sent["touchpoint"]}, "reason": "Not sent"})
    assert refused(scene, scene.first, occurred_at=NOW - 29 * DAY)
    assert not refused(scene, scene.first, occurred_at=NOW - 31 * DAY)


def test_rows_of_a_batch_count_for_those_after_them(scene: Any) -> None:
    said = {"kind": "MESSAGE", "channel": "EMAIL", "direction": "OUTBOUND", "customer": {"id": scene.person}}
    rows: Any = [{**said, "campaign_id": each} for each in (scene.first, scene.second)]
    rows.append({**rows[0], "external_ref": {"system": "mailer", "value": "1"}, "occurred_at": NOW - 40 * DAY})
    rows.append(rows[2])
    answer = touchpoints.record_touchpoints(scene.work, {"rows": rows, "on_error": "SKIP_ROW"})
    assert [row["outcome"] for row in answer["rows"]] == ["RECORDED", "REFUSED", "RECORDED", "ALREADY_RECORDED"]


def test_the_policy_of_now_holds_and_without_caps_there_are_none(scene: Any) -> None:
    assert not refused(scene, scene.first)
    capped(scene.work, channel=None, total=None)
    # A version is in force after the one before it.
    scene.work.now += timedelta(seconds=1)
    assert not refused(scene, scene.first)
    capped(scene.work, channel=0, total=None)
    scene.work.now += timedelta(seconds=1)
    assert refused(scene, scene.phone, channel="PHONE")


def test_no_order_of_contacts_passes_a_cap(scene: Any) -> None:
    capped(scene.work, channel=2, total=3, days=7)
    dice, kept = Random(7), list[tuple[datetime, str]]()
    campaigns = {"EMAIL": scene.first, "SMS": scene.sms, "PHONE": scene.phone}
    for _ in range(80):
        channel, at = dice.choice([*campaigns]), NOW - dice.randrange(40) * DAY
        windows = [
            [through for when, through in [*kept, (at, channel)] if start <= when < start + 7 * DAY]
            for start in (NOW - days * DAY for days in range(50))
        ]
        fits = all(len(each) <= 3 and all(each.count(name) <= 2 for name in campaigns) for each in windows)
        assert refused(scene, campaigns[channel], channel=channel, occurred_at=at) != fits
        kept += [(at, channel)] if fits else []
    assert 10 < len(kept) < 30


def test_two_at_once_do_not_pass_a_cap_of_one(shop: Shop, told: Any) -> None:
    def send(campaign: str) -> str:
        try:
            with shop.working(LATER) as work:
                contact(work, told.person, campaign)
        except Refused:
            return "REFUSED"
        return "RECORDED"

    with ThreadPoolExecutor(4) as crowd:
        outcomes = list(crowd.map(send, [told.first, told.second] * 4))
    assert sorted(outcomes) == ["RECORDED", *["REFUSED"] * 7]
