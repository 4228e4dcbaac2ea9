"""The tea house's campaigns: four that were launched, each with an end of its own, and one that is planned.

    老友归来 Come back for a cup      to those lost for a year, a third of them held out: it can prove what it changed
    明前新茶 The tea before Qingming  news of the harvest by email; who was held out bought as much as who was told
    第一杯茶 The first cup             to those who have never bought: what it cost to win a customer, by channel
    生日茶礼 A birthday tea           on the day, to all of them: without a holdout it can prove nothing. Still running
    秋日茶约 A tea in autumn          a draft, to be launched

Arms are drawn by ids, which are new each time: who buys is settled once they are known, in shares of each. Whoever
collects stars, or is there to be found again, does no more than is told of them elsewhere.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import select

from app.campaigns import actions
from app.campaigns.audience import Reads
from app.campaigns.statistics import Arm, lift
from app.customers.actions import archive_customer
from app.customers.tables import CustomerRef
from app.demo.lives import Deed, Life, Record, Teller
from app.demo.words import LEAVES, Tea
from app.outreach.tables import CampaignArm, CampaignMember
from app.platform.ids import key_of
from app.platform.refusals import Refused
from app.platform.work import Work
from app.purchases.actions import record_purchases
from app.touchpoints.actions import record_touchpoints

COME_BACK = "老友归来 Come back for a cup"
SPRING = "明前新茶 The tea before Qingming"
FIRST_CUP = "第一杯茶 The first cup"
BIRTHDAY = "生日茶礼 A birthday tea"
AUTUMN = "秋日茶约 A tea in autumn"
LOST = '{"lifecycle":{"stage":{"eq":"CHURNED"}}}'
NEVER_BOUGHT = '{"lifecycle":{"stage":{"eq":"PROSPECT"}}}'
BUYERS = '{"lifecycle":{"stage":{"in":["NEW","ACTIVE","LOYAL"]}}}'
CELEBRATING = '{"birthdayInDays":30,"lifecycle":{"stage":{"in":["NEW","ACTIVE","LOYAL"]}}}'
# Launched so many days ago.
COME_BACK_AGO, FIRST_CUP_AGO, BIRTHDAY_AGO = 80, 50, 20
# Of those who are told, how many come back at least; and of those who are not, how many all the same.
WON, ANYWAY = 0.18, 0.03
# By how much it has to be more.
CLEAR = 0.01
Range = tuple[int, int]


class Campaign(NamedTuple):
    """One that was launched: its id, when, and who is in which arm, in no order."""

    id: str
    channel: str
    ago: int
    days: int
    treatment: list[Life]
    holdout: list[Life]

    @property
    def window(self) -> Range:
        """The days ago on which what is bought counts."""
        return max(1, self.ago - self.days), self.ago - 1


class Campaigns:
    """What is done for each of them. `loyal`: who collects stars."""

    def __init__(self, today: datetime, lives: Sequence[Life], loyal: Iterable[Life], reads: Reads) -> None:
        self.teller, self.reads, self.dice = Teller(today), reads, Random()
        self.lives = {_name(life): life for life in lives}
        told = {_name(life) for life in loyal} | {_name(life) for life in lives if _archived(life)}
        self.free = {name for name in self.lives if name not in told and name[0] != "demo"}
        self.contacts = self.orders = 0

    def told(self) -> Iterator[list[Deed]]:
        """What is done next, in no order: asked for once all that came before is done."""
        stories = [(COME_BACK_AGO, self._come_back), (self._spring_ago(), self._spring)]
        stories += [(FIRST_CUP_AGO, self._first_cup), (BIRTHDAY_AGO, self._birthday)]
        # What one has changed, the next finds.
        for ago, story in sorted(stories, key=lambda each: -each[0]):
            # Dice of its own: nobody else's fall otherwise for how the arms were drawn.
            self.dice = self.teller.rng = Random(f"{ago} days before {self.teller.today.date()}")
            yield from story(ago)
        yield [self._draft(AUTUMN, 3, "WIN_BACK", "SMS", LOST, {"holdout_share": 0.2, "budget": _money(2000)}, {})]

    def _come_back(self, ago: int) -> Iterator[list[Deed]]:
        """Of those who had not come for long, most said on a card by post that a message now and then is welcome."""
        silent = [life for life in self._others() if life.orders and self._silent(life, ago) > 365]
        yield self._agreed(silent, 0.8, (ago + 10, ago + 40), "SMS")
        terms = {"holdout_share": 0.33, "conversion_days": 40, "budget": _money(3000)}
        campaign = yield from self._open(COME_BACK, ago, "WIN_BACK", "SMS", LOST, terms)
        if campaign is None:
            return
        sent = {_name(life): self._send(campaign, life, "COME_BACK") for life in campaign.treatment}
        willing, unasked = self._free(campaign.treatment), self._free(campaign.holdout)
        replies = [
            self._reply(campaign, life, self.dice.randint(ago - 4, ago - 1), to=sent[_name(life)])
            for life in willing[::5]
        ]
        bought = [self._buy(campaign, life) for life in unasked[: int(ANYWAY * len(campaign.holdout))]]
        won = self._waiting(campaign, willing)[: self._telling(campaign)]
        bought += [self._buy(campaign, life, named=self.teller.chance(0.8)) for life in won]
        yield [
            self._contact([*sent.values()]),
            self._contact(replies),
            self._purchase(bought),
            self._spend(campaign, ago, Decimal("0.08") * len(sent), "短信 Text messages"),
            self._spend(campaign, ago - 41, Decimal(20 * max(1, len(won))), "茶在等您 The cups that were on us"),
            self._complete(campaign),
        ]

    def _spring(self, ago: int) -> Iterator[list[Deed]]:
        """Both arms buy as they would have: where chance has it otherwise, it is made good."""
        terms = {"holdout_share": 0.3, "conversion_days": 30, "budget": _money(800)}
        campaign = yield from self._open(SPRING, ago, "LAUNCH", "EMAIL", BUYERS, terms)
        if campaign is None:
            return
        sent = [self._send(campaign, life, "HARVEST") for life in campaign.treatment]
        willing = self._free(campaign.treatment)
        clicks = [self._reply(campaign, life, ago - 1, "CLICK") for life in willing[::6]]
        bought = [self._buy(campaign, life, [(LEAVES[0], 1)], named=True) for life in willing[::12]]
        bought += self._evened(campaign)
        yield [
            self._contact(sent),
            self._contact(clicks),
            self._purchase(bought),
            self._spend(campaign, ago, Decimal(49), "邮件 Mailing", "USD"),
            self._complete(campaign),
        ]

    def _first_cup(self, ago: int) -> Iterator[list[Deed]]:
        """Some who have only looked so far are offered their first cup."""
        looking = [life for life in self._others() if life.since > ago + 30 and self._has_only_looked(life, ago)]
        yield self._agreed(looking, 0.6, (ago + 1, ago + 30), "EMAIL")
        terms = {"holdout_share": 0.2, "conversion_days": 30, "budget": _money(900)}
        campaign = yield from self._open(FIRST_CUP, ago, "CONVERT_PROSPECT", "EMAIL", NEVER_BOUGHT, terms)
        if campaign is None:
            return
        sent = [self._send(campaign, life, "HARVEST") for life in campaign.treatment]
        willing = self._waiting(campaign, self._free(campaign.treatment))
        clicks = [self._reply(campaign, life, ago - 1, "CLICK") for life in willing[::5]]
        won = [self._buy(campaign, life, [(LEAVES[0], 1)], named=True) for life in willing[::9]]
        yield [
            self._contact(sent),
            self._contact(clicks),
            self._purchase(won),
            self._spend(campaign, ago, Decimal("0.05") * max(1, len(sent)), "邮件 Mailing"),
            self._spend(campaign, ago - 31, Decimal(28 * max(1, len(won))), "第一杯 The first cups, on us"),
            self._complete(campaign),
        ]

    def _birthday(self, ago: int) -> Iterator[list[Deed]]:
        """Some have theirs still ahead."""
        joined = [
            life for life in self._others() if life.since > ago + 30 and self._birthday_in(life, ago, 30) is not None
        ]
        yield self._agreed(joined, 0.8, (ago + 1, ago + 30), "WECHAT")
        campaign = yield from self._open(BIRTHDAY, ago, "CARE", "WECHAT", CELEBRATING, {"conversion_days": 30})
        if campaign is None:
            return
        ages = [(life, self._birthday_in(life, ago, ago - 1)) for life in campaign.treatment]
        days = {_name(life): ago - later for life, later in ages if later is not None}
        sent = [self._send(campaign, self.lives[name], "CARE", days[name], kind="CARE") for name in days]
        willing = [life for life in self._free(campaign.treatment) if _name(life) in days]
        thanks = [self._reply(campaign, life, days[_name(life)]) for life in willing[::2]]
        bought = [self._buy(campaign, life, days=(1, days[_name(life)]), named=True) for life in willing[::3]]
        yield [
            *(self._contact([each]) for each in sent),
            self._contact(thanks),
            self._purchase(bought),
            self._spend(campaign, 1, Decimal(28 * max(1, len(sent))), "赠饮 Drinks that were on us"),
        ]

    # ------------------------------------------------------------------ who

    def _others(self) -> Iterator[Life]:
        return (self.lives[name] for name in self.lives if name in self.free)

    def _free(self, arm: Iterable[Life]) -> list[Life]:
        """Those of an arm of whom anything may still be told."""
        return [life for life in arm if _name(life) in self.free]

    def _silent(self, life: Life, ago: int) -> int:
        """For how many days, that many days ago; below 0 for whoever has bought since."""
        last: datetime = max(order["purchased_at"] for order in life.orders)
        return (self.teller.at(ago, 0, 0) - last).days

    def _has_only_looked(self, life: Life, ago: int) -> bool:
        return all(order["purchased_at"] >= self.teller.at(ago, 0, 0) for order in life.orders)

    def _spring_ago(self) -> int:
        """The last 28 March that is long past: a week before Qingming, when the first harvest comes."""
        day = self.teller.today.replace(month=3, day=28)
        day = day if (self.teller.today - day).days > 60 else day.replace(year=day.year - 1)
        return (self.teller.today.date() - day.date()).days

    def _birthday_in(self, life: Life, ago: int, within: int) -> int | None:
        """In how many days, from that many days ago; None when not within so many."""
        born, first = life.profile["birthday"], self.teller.at(ago, 0, 0).date()
        days = (first + timedelta(days=later) for later in range(within + 1))
        return born and next((n for n, day in enumerate(days) if (day.month, day.day) == (born.month, born.day)), None)

    def _waiting(self, campaign: Campaign, arm: Iterable[Life]) -> list[Life]:
        """Those of an arm who have bought nothing in the window."""
        first, last = (self.teller.at(ago, hour, 0) for ago, hour in ((campaign.ago, 10), (campaign.window[0], 23)))
        return [life for life in arm if not any(first <= order["purchased_at"] <= last for order in life.orders)]

    def _telling(self, campaign: Campaign) -> int:
        """How many treated buyers it takes until nobody puts them down to chance: more where arms are small."""
        arms = campaign.treatment, campaign.holdout
        treated, held_out = (Arm(len(arm), len(arm) - len(self._waiting(campaign, arm))) for arm in arms)
        most = treated.members - treated.converted
        for won in range(ceil(WON * treated.members), most):
            found = lift(Arm(treated.members, treated.converted + won), held_out)
            if found is None or found.absolute.low > CLEAR:
                return won
        return most

    def _evened(self, campaign: Campaign) -> Iterator[Record]:
        """What is bought in the arm that has bought less, until it has bought as much."""
        arms = [arm for arm in (campaign.treatment, campaign.holdout) if arm]
        shares = [(len(arm) - len(self._waiting(campaign, arm))) / len(arm) for arm in arms]
        for arm, share in zip(arms, shares, strict=True):
            more = round((max(shares) - share) * len(arm))
            waiting = self._free(self._waiting(campaign, arm))
            yield from (self._buy(campaign, life) for life in waiting[:more])

    # ------------------------------------------------------------------ what they do

    def _agreed(self, lives: Iterable[Life], share: float, days: Range, channel: str) -> list[Deed]:
        """So many of them say yes to marketing on that channel."""
        lives = [life for life in lives if self.teller.chance(share)]
        for life in lives:
            self.teller.consent(life, self.dice.randint(*days), channel)
        return [life.deeds[-1] for life in lives]

    def _send(
        self, campaign: Campaign, life: Life, about: str, ago: int | None = None, kind: str = "MESSAGE"
    ) -> Record:
        at = self.teller.at(campaign.ago if ago is None else ago, 10, 0)
        said = {"body": self.teller.say(life, about), "campaign_id": campaign.id, "occurred_at": at}
        return self.teller.touch(life, 0, kind, campaign.channel, out=True, **said)

    def _reply(
        self, campaign: Campaign, life: Life, ago: int, kind: str = "MESSAGE", to: Record | None = None
    ) -> Record:
        at = self.teller.at(ago, self.dice.randint(11, 20))
        body = self.teller.say(life, kind if kind == "CLICK" else "THANKS")
        said: Record = {"body": body, "campaign_id": campaign.id, "occurred_at": at}
        said |= {"in_reply_to": {"external_ref": to["external_ref"]}} if to else {}
        return self.teller.touch(life, 0, kind, campaign.channel, **said)

    def _buy(
        self,
        campaign: Campaign,
        life: Life,
        lines: Sequence[tuple[Tea, int]] = (),
        *,
        days: Range | None = None,
        named: bool = False,
    ) -> Record:
        """`named`: they say what brought them."""
        said = {"campaign_id": campaign.id} if named else {}
        return self.teller.order(life, self.dice.randint(*days or campaign.window), lines, **said)

    # ------------------------------------------------------------------ as deeds

    def _open(
        self, name: str, ago: int, objective: str, channel: str, audience: str, terms: Record
    ) -> Generator[list[Deed], None, Campaign | None]:
        """Plan it a week before, and launch it; None when there was nobody to address."""
        made: Record = {}
        yield [
            self._draft(name, ago + 7, objective, channel, audience, terms, made),
            (self.teller.at(ago, 10, 0), self._launch, made),
        ]
        if "arms" not in made:
            return None
        arms = ([self.lives[each] for each in sorted(made["arms"][arm])] for arm in CampaignArm)
        treatment, holdout = (self.dice.sample(arm, len(arm)) for arm in arms)
        return Campaign(made["campaign"], channel, ago, terms["conversion_days"], treatment, holdout)

    def _draft(
        self, name: str, ago: int, objective: str, channel: str, audience: str, terms: Record, made: Record
    ) -> Deed:
        def plan(work: Work, given: Any) -> None:
            made.update(actions.create_campaign(work, given, reads=self.reads))

        about = {"name": name, "objective": objective, "channel": channel, "purpose": "MARKETING"}
        return self.teller.at(ago, 9, 0), plan, {**about, "audience": audience, **terms}

    def _launch(self, work: Work, made: Any) -> None:
        # Among few customers there may be nobody to address: then it stays a draft.
        with suppress(Refused), work.savepoint():
            actions.launch_campaign(work, {"id": made["campaign"]}, reads=self.reads)
            m, r = CampaignMember, CustomerRef
            same = (r.org_id == m.org_id) & (r.customer_id == m.customer_id)
            mine = m.org_id == work.org.id, m.campaign_id == key_of(made["campaign"], "cam"), m.arm.is_not(None)
            made["arms"] = {arm: [] for arm in CampaignArm}
            for arm, *name in work.session.execute(select(m.arm, r.system, r.value).join(r, same).where(*mine)):
                if tuple(name) in self.lives:
                    made["arms"][CampaignArm(arm)].append(tuple(name))

    def _contact(self, rows: list[Record]) -> Deed:
        return self._recorded(rows, "occurred_at", self._enter_contacts)

    def _purchase(self, rows: list[Record]) -> Deed:
        return self._recorded(rows, "purchased_at", self._enter_orders)

    def _recorded(self, rows: list[Record], at: str, act: Any) -> Deed:
        """Entered at once, with the clock of the latest."""
        rows = sorted(rows, key=lambda row: row[at])
        # Who has meanwhile said no to a message is refused it, as it should be.
        return rows[-1][at] if rows else self.teller.today, act, {"rows": rows, "on_error": "REJECT_ROW"}

    def _enter_contacts(self, work: Work, given: Any) -> None:
        self.contacts += record_touchpoints(work, given, limit=None)["recorded"]

    def _enter_orders(self, work: Work, given: Any) -> None:
        self.orders += record_purchases(work, given, limit=None)["recorded"]

    def _spend(self, campaign: Campaign, ago: int, amount: Decimal, note: str, currency: str = "CNY") -> Deed:
        given = {"campaign_id": campaign.id, "cost": {"amount": amount, "currency": currency}, "note": note}
        return self.teller.at(ago, 21, 0), actions.record_cost, given

    def _complete(self, campaign: Campaign) -> Deed:
        return self.teller.at(campaign.window[0] - 1, 22, 0), actions.complete_campaign, {"id": campaign.id}


def _name(life: Life) -> tuple[str, str]:
    return life.ref["system"], life.ref["value"]


def _archived(life: Life) -> bool:
    return any(act is archive_customer for _, act, _ in life.deeds)


def _money(amount: int) -> Record:
    return {"amount": Decimal(amount), "currency": "CNY"}
