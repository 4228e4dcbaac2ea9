"""Launching freezes whom the audience finds: who is left out and why, and by lot into which arm. Once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from app.campaigns import actions
from app.campaigns.launch import arm_of
from app.customers import actions as customers
from app.outreach.tables import Campaign, CampaignArm, CampaignMember
from app.platform.days import local_day
from app.platform.draws import Drawn, drawn
from app.platform.ids import key_of, new_id
from app.platform.refusals import Problems, Refused
from app.scores.actions import publish_policy
from app.segments import actions as segments
from app.touchpoints.tables import Touchpoint
from tests.campaigns.acting import arms_of, granted, launched, planned
from tests.conftest import NOW
from tests.customers.acting import create
from tests.house import FULL, Shop, house
from tests.purchases.acting import buy

BEFORE = NOW - timedelta(days=60)
CHANNELS, PURPOSES = ("EMAIL", "SMS"), ("MARKETING", "SERVICE")
WORLDS = 40 if FULL else 5


@pytest.fixture
def shop(backend: str) -> Shop:
    return house(backend).shop()


def read(work: Any, campaign: str) -> Campaign:
    mine = Campaign.org_id == work.org.id, Campaign.id == key_of(campaign, "cam")
    return work.session.scalars(select(Campaign).where(*mine).execution_options(populate_existing=True)).one()  # type: ignore[no-any-return]


def refusal(work: Any, campaign: str, **given: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as raised:
        launched(work, campaign, **given)
    [problem] = raised.value.problems
    return problem.code.value, problem.message


# ------------------------------------------------------------------ who is left out, in plain Python


@dataclass
class Person:
    """`words`: (instant, channel, purpose, state); `sends`: (instant, channel, the campaign's purpose, still there)."""

    archived: bool = False
    suppressed: bool = False
    kind: str = "PERSON"
    words: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    sends: list[tuple[datetime, str, str, bool]] = field(default_factory=list)

    def fate(self, channel: str, purpose: str, caps: Any) -> str | None:
        """Why this one is left out; None: reachable."""
        about = [word for word in self.words if word[1:3] == (channel, purpose)]
        if self.archived:
            return "ARCHIVED"
        if not about or max(about, key=lambda word: word[0])[3] != "GRANTED":
            return "NO_CONSENT"
        if purpose != "MARKETING":
            return None
        if self.suppressed:
            return "SUPPRESSED"
        since = NOW.date() - timedelta(days=caps["days"] - 1)
        sends = [each for each in self.sends if each[3] and each[2] == "MARKETING" and each[0].date() >= since]
        here = [each for each in sends if each[1] == channel]
        over = (caps["channel"], len(here)), (caps["total"], len(sends))
        return "FREQUENCY_CAP" if any(cap is not None and count >= cap for cap, count in over) else None


def anybody(rng: Random) -> Person:
    def moment() -> datetime:
        return NOW - timedelta(minutes=rng.randrange(1, 60 * 24 * 40))

    states = ["GRANTED"] * 3 + ["WITHDRAWN"]
    return Person(
        archived=rng.random() < 0.15,
        suppressed=rng.random() < 0.2,
        kind=rng.choice(["PERSON", "PERSON", "COMPANY"]),
        words=[
            (moment(), rng.choice(CHANNELS), rng.choice(PURPOSES), rng.choice(states)) for _ in range(rng.randrange(7))
        ],
        sends=[
            (moment(), rng.choice(CHANNELS), rng.choice(PURPOSES), rng.random() < 0.8) for _ in range(rng.randrange(5))
        ],
    )


def settle(work: Any, people: list[Person]) -> dict[str, Person]:
    """Them in the database, by public id."""
    senders = {}
    for purpose in PURPOSES:
        senders[purpose] = key_of(planned(work, purpose=purpose), "cam")
    found = {}
    for person in people:
        customer = create(work, kind=person.kind, suppressed=person.suppressed)
        found[customer] = person
        for at, channel, purpose, state in person.words:
            granted(work, customer, channel=channel, purpose=purpose, state=state, at=at)
        said = {"kind": "MESSAGE", "direction": "OUTBOUND", "attributes": "{}", "content_hash": ""}
        rows = [
            {
                "id": new_id(),
                "customer_id": key_of(customer, "cus"),
                "campaign_id": senders[purpose],
                "channel": channel,
                "occurred_at": at,
                "recorded_at": at,
                "local_day": local_day(at, work.org.zone),
                "retracted_at": None if there else NOW,
                **said,
            }
            for at, channel, purpose, there in person.sends
        ]
        work.insert(Touchpoint, rows)
        if person.archived:
            customers.archive_customer(work, {"customer": {"id": customer}})
    return found


@pytest.mark.parametrize("seed", range(WORLDS))
def test_a_preview_and_a_launch_leave_out_whom_plain_python_leaves_out(shop: Shop, seed: int) -> None:
    rng = Random(seed)
    channel, purpose = rng.choice(CHANNELS), rng.choice(["MARKETING", "MARKETING", "SERVICE"])
    caps = {"channel": rng.choice([None, 0, 1, 2]), "total": rng.choice([None, 1, 3]), "days": rng.choice([1, 7, 30])}
    with shop.working(NOW) as work:
        people = settle(work, [anybody(rng) for _ in range(60)])
        names = {f"marketing_cap_{name}": value for name, value in caps.items() if name != "channel"}
        publish_policy(work, {"set": {**names, "marketing_cap_per_channel": caps["channel"]}})  # type: ignore[typeddict-item]
    wanted = {customer: person.fate(channel, purpose, caps) for customer, person in people.items()}
    matched = {customer: fate for customer, fate in wanted.items() if people[customer].kind == "PERSON"}
    counts = Counter(matched.values())
    order = ("ARCHIVED", "NO_CONSENT", "SUPPRESSED", "FREQUENCY_CAP")
    told = shop.ask(
        """query($c: Channel!, $p: ConsentPurpose!) {
             audiencePreview(where: {kind: {eq: PERSON}}, channel: $c, purpose: $p)
               { matched excluded { reason count } reachable sample { id } }
             customers(where: {kind: {eq: PERSON}}) { totalCount }
           }""",
        NOW,
        c=channel,
        p=purpose,
    )
    reachable = sorted(customer for customer, fate in matched.items() if fate is None)
    assert told["audiencePreview"] == {
        "matched": len(matched),
        "excluded": [{"reason": reason, "count": counts[reason]} for reason in order],
        "reachable": len(reachable),
        "sample": [{"id": customer} for customer in reachable[:10]],
    }
    assert told["customers"]["totalCount"] == len(matched) - counts["ARCHIVED"]
    if not reachable:
        return
    with shop.working(NOW) as work:
        campaign = launched(work, channel=channel, purpose=purpose, holdout_share=0.3)
        arms = arms_of(work, campaign)
        row = read(work, campaign)
        assert arms == {
            customer: None if fate else arm_of(f"org_{work.org.id.hex}", campaign, customer, 300_000).value
            for customer, fate in matched.items()
        }
        excluded = [getattr(row, f"excluded_{reason.lower()}") for reason in order]
        assert excluded == [counts[reason] for reason in order]
        assert (row.matched, row.treatment, row.holdout) == (
            len(matched),
            list(arms.values()).count("TREATMENT"),
            list(arms.values()).count("HOLDOUT"),
        )
        assert row.audience_hash == sha256("\n".join(reachable).encode()).hexdigest()


# ------------------------------------------------------------------ the lot


def test_the_lot_is_drawn_as_documented(shop: Shop) -> None:
    assert drawn("org_1|cam_2|cus_3") == int(sha256(b"org_1|cam_2|cus_3").hexdigest()[:16], 16) % 10_000
    texts = [f"org_{uuid4().hex}|cam_{uuid4().hex}|cus_{uuid4().hex}" for _ in range(300)]
    with shop.working() as work:
        for text in texts:
            assert work.session.scalar(select(Drawn(text))) == drawn(text)


@pytest.mark.parametrize(("share", "held"), [(0, 0.0), (100, 0.0001), (250_000, 0.25), (500_000, 0.5)])
def test_a_share_of_so_many_is_held_out_whatever_the_campaign(share: int, held: float) -> None:
    people = [f"cus_{number:032x}" for number in range(100_000)]
    arms = [
        [arm_of("org_a", campaign, person, share) is CampaignArm.HOLDOUT for person in people]
        for campaign in ("cam_1", "cam_2")
    ]
    n = len(people)
    for arm in arms:
        # Within five standard deviations.
        assert abs(sum(arm) - n * held) <= 5 * (n * held * (1 - held)) ** 0.5
        # Of any attribute it is independent: here of the parity, and of which half of the ids.
        for among in (arm[::2], arm[: n // 2]):
            assert abs(sum(among) - n / 2 * held) <= 5 * (n / 2 * held * (1 - held)) ** 0.5
    both = sum(first and second for first, second in zip(*arms, strict=True))
    assert abs(both - n * held**2) <= 5 * (n * held**2 * (1 - held**2)) ** 0.5 + (held == 0)


# ------------------------------------------------------------------ once, and of somebody


def people(work: Any, count: int = 5) -> list[str]:
    found = [create(work) for _ in range(count)]
    for each in found:
        granted(work, each)
    return found


def test_a_second_launch_is_refused(shop: Shop) -> None:
    with shop.working(NOW) as work:
        people(work)
        campaign = launched(work)
        assert refusal(work, campaign) == ("WRONG_STATE", "This campaign was launched already.")


def test_two_launches_at_once_launch_once(shop: Shop) -> None:
    with shop.working(NOW) as work:
        people(work, 30)
        campaign = planned(work)

    def launch(_: int) -> str:
        try:
            with shop.working(NOW) as work:
                launched(work, campaign)
                return "launched"
        except Refused as refused:
            return refused.problems[0].code.value

    with ThreadPoolExecutor(4) as pool:
        assert Counter(pool.map(launch, range(4))) == {"launched": 1, "WRONG_STATE": 3}
    with shop.working(NOW) as work:
        assert len(arms_of(work, campaign)) == 30
        assert read(work, campaign).version == 2


def test_nobody_to_address_is_refused_and_leaves_nothing(shop: Shop) -> None:
    with shop.working(NOW) as work:
        create(work)
        nobody, silent = planned(work, audience='{"name":{"eq":"Nobody"}}'), planned(work)
    for campaign, said in ((nobody, "There is nobody whom"), (silent, "nobody of 1 found (1 no consent) whom")):
        with pytest.raises(Refused) as raised, shop.working(NOW) as work:
            launched(work, campaign)
        [problem] = raised.value.problems
        assert problem.code.value == "WRONG_STATE"
        assert said in problem.message
    with shop.working(NOW) as work:
        assert read(work, silent).status == "DRAFT"
        mine = CampaignMember.org_id == work.org.id
        assert work.session.scalar(select(func.count()).select_from(CampaignMember).where(mine)) == 0


def test_who_is_held_out_whole_is_told_so(shop: Shop) -> None:
    with shop.working(NOW) as work:
        people(work, 1)
    said = set()
    # By the lot of each campaign: that all of so many address somebody happens once in a million million times.
    for _ in range(40):
        try:
            with shop.working(NOW) as work:
                launched(work, holdout_share=0.5)
        except Refused as refused:
            said |= {problem.message for problem in refused.problems}
    assert said == {"There is nobody of 1 found (1 held out) whom this campaign could address."}


def test_whom_a_deleted_segment_left_out_is_not_addressed(shop: Shop) -> None:
    with shop.working(NOW) as work:
        people(work, 3)
        tired: Any = {"name": "Asked us to stop", "where": '{"kind":{"eq":"PERSON"}}'}
        segment = segments.create_segment(work, tired, Problems())["segment"]
        campaign = planned(work, audience=f'{{"suppressed":{{"eq":false}},"segment":{{"notIn":["{segment}"]}}}}')
        segments.delete_segment(work, {"id": segment})
    with shop.working(NOW) as work:
        assert refusal(work, campaign) == ("INVALID", "This names a segment that is not there.")
        assert arms_of(work, campaign) == {}
        assert read(work, campaign).status == "DRAFT"


def test_who_comes_later_is_no_member(shop: Shop) -> None:
    with shop.working(NOW) as work:
        first = people(work)
        campaign = launched(work)
    with shop.working(NOW + timedelta(days=1)) as work:
        people(work)
        assert set(arms_of(work, campaign)) == set(first)


def test_a_launch_with_an_earlier_clock_judges_as_of_then(shop: Shop) -> None:
    with shop.working(NOW) as work:
        first, second = people(work, 2)
        buy(work, first, purchased_at=NOW - timedelta(days=3))
        buy(work, second, purchased_at=NOW - timedelta(days=1))
    with shop.working(NOW - timedelta(days=2)) as work:
        for each in (first, second):
            granted(work, each, at=NOW - timedelta(days=5))
        campaign = launched(work, audience='{"facts":{"keptOrders":{"gte":1}}}')
        assert set(arms_of(work, campaign)) == {first}


def test_a_campaign_that_was_to_be_over_is_not_launched(shop: Shop) -> None:
    with shop.working(NOW) as work:
        people(work)
        campaign = planned(work, ends_at=NOW - timedelta(days=1))
        assert refusal(work, campaign)[0] == "WRONG_STATE"
        cancelled = planned(work)
        actions.cancel_campaign(work, {"id": cancelled})
        assert refusal(work, cancelled) == ("WRONG_STATE", "This campaign was cancelled.")
