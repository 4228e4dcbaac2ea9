"""The stars programme: two years of points, earned by what its members buy and spent by what they are told to do here.

An account's number is that of the card: the reference by which the tea house knows the customer. To be found again:

    gold-star       金星, with a level to lose and points about to expire; has given some to her daughter
    silver-star     银星, the daughter; a seat is held for 300 stars
    stars-owed      in debt: spent what she had, then brought a teapot back
    complaint       took something for stars, and got a part of them back
    lost            has left the programme, and forfeited what was left
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from app.demo.lives import Deed, Life, Record, Teller
from app.demo.words import LEAVES, TREASURES
from app.loyalty import actions, programs
from app.platform.refusals import Refused
from app.platform.work import Work
from app.purchases.actions import refund_purchase

LAUNCHED = 730
# Purchases are entered once in so many days, with the clock of the latest.
DAYS_AT_ONCE = 7
EARNED_FOR = {"CO_CREATION": "一起做茶 A tea made together", "REFERRAL": "介绍朋友 A friend came"}
# Of those in China who have bought something since.
SHARE = 0.05
NAMED = (
    "ambassador",
    "slipping-partner",
    "new-customer",
    "complaint",
    "lost",
    "gold-star",
    "silver-star",
    "stars-owed",
)

BIRTHDAY, UPGRADE = "生日赠饮 Birthday drink", "免费升杯 Free upgrade"
EVENTS, EARLY = "专属活动邀请 Event invitations", "限量产品优先购买权 Early right to buy limited editions"
LEVELS: tuple[Record, ...] = (
    {"name": "新星 New star", "qualify_points": 0, "retain_points": 0, "benefits": [BIRTHDAY]},
    {"name": "银星 Silver star", "qualify_points": 1000, "retain_points": 800, "benefits": [BIRTHDAY, UPGRADE, EVENTS]},
    {
        "name": "金星 Gold star",
        "qualify_points": 3000,
        "retain_points": 2400,
        "benefits": [BIRTHDAY, UPGRADE, EVENTS, EARLY],
    },
)
PROGRAM: Record = {
    "name": "清河星享 Qinghe Stars",
    "points_name": "星星 stars",
    "earn_rate": Decimal(1),
    # What is sent back comes back within a week.
    "activation_days": 7,
    "expiry_days": 365,
    "point_value": Decimal("0.05"),
    "level_grace_days": 30,
    "soft_landing": True,
}
CUP, DRINK, GAIWAN, LIMITED, BOX, MOONCAKES = (
    "免费升杯 A larger cup",
    "桂花乌龙 Osmanthus oolong",
    "盖碗 Gaiwan",
    "限量紫砂杯 Yixing cup, limited edition",
    "清河礼盒 Qinghe gift box",
    "中秋月饼 Mooncakes",
)
# What they cost, and how many there are.
REWARDS: dict[str, tuple[int, int | None]] = {
    CUP: (60, None),
    DRINK: (280, None),
    MOONCAKES: (500, None),
    LIMITED: (1200, 60),
    GAIWAN: (1600, None),
    BOX: (3600, None),
}


class Week(NamedTuple):
    """What happens first, what is bought, and what follows."""

    opened: list[Deed]
    orders: list[Any]
    deeds: list[Deed]


@dataclass
class Stars:
    """Who is a member, and what they do; then the ids of what was made, as later deeds need them."""

    teller: Teller
    members: list[Life] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    program: str = ""
    rewards: dict[str, str] = field(default_factory=dict)
    latest: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def launched(self) -> datetime:
        return self.teller.at(LAUNCHED, 8, 0)

    # --- who, and what they do

    def family(self) -> Iterator[Life]:
        """Three whom the programme alone has brought here."""
        gold = self.teller.named("gold-star", "许清欢", 760, "xuqinghuan")
        for ago in range(744, 0, -19):
            self.teller.order(gold, ago, [(self.teller.rng.choice(LEAVES), 1), (TREASURES[3], 1)], channel="STORE")
        self.teller.tailor(gold, 300, 290)
        yield gold
        silver = self.teller.named("silver-star", "许一诺", 600, "xuyinuo")
        for ago in range(590, 0, -35):
            self.teller.order(silver, ago, [(LEAVES[0], 1)], channel="APP")
        self.teller.tailor(silver, 150, 140)
        yield silver
        owed = self.teller.named("stars-owed", "方景行", 90, "fangjingxing")
        pot = self.teller.order(owed, 60, [(TREASURES[2], 1)], channel="STORE")
        for ago, tea in ((33, LEAVES[5]), (10, LEAVES[8])):
            self.teller.order(owed, ago, [(tea, 1)], channel="STORE")
        back = {"purchase": {"external_ref": pot["external_ref"]}, "reason": "破损 Damaged"}
        at = self.teller.at(12)
        amount = {"amount": pot["lines"][0]["price"]["unit"], "currency": "CNY"}
        owed.deeds.append((at, refund_purchase, {**back, "amount": amount, "refunded_at": at}))
        yield owed

    def enrol(self, lives: Sequence[Life]) -> list[Life]:
        """Choose the members among them; returns the others."""
        others = []
        for life in lives:
            named = life.ref["system"] == "demo"
            buys = life.place.country == "CN" and any(order["purchased_at"] > self.launched for order in life.orders)
            if life.ref["value"] in NAMED if named else buys and self.teller.chance(SHARE):
                self.members.append(life)
                if not named:
                    self._live(life)
            else:
                others.append(life)
        self._tell()
        return others

    def _live(self, life: Life) -> None:
        """Earning otherwise than by buying, and spending now and then; whoever has too little goes without."""
        dice = self.teller.rng
        for contact in life.contacts:
            reason, at = EARNED_FOR.get(contact["kind"]), contact["occurred_at"]
            if reason and at > self._opened(life):
                self.deeds.append(
                    (at, actions.earn_points, {"account": _account(life), "points": 100, "reason": reason})
                )
        since = min(life.since, LAUNCHED)
        for _ in range(dice.randint(0, 3)):
            reward = dice.choice((CUP, DRINK, LIMITED, GAIWAN, GAIWAN, BOX))
            self._do(life, dice.randint(1, since), self.take, reward=reward)

    def _tell(self) -> None:
        by_name = {life.ref["value"]: life for life in self.members}
        gold, silver, ambassador = by_name["gold-star"], by_name["silver-star"], by_name["ambassador"]
        self._do(ambassador, 210, actions.earn_points, points=100, reason=EARNED_FOR["REFERRAL"])
        self._do(ambassador, 300, self.take, reward=DRINK)
        self._do(ambassador, 120, self.reserve, points=200, minutes=3 * 24 * 60)
        self._do(ambassador, 119, self.capture, points=150)
        self._do(by_name["slipping-partner"], 230, self.reserve, points=300, minutes=60)
        self._do(gold, 230, self.reserve, points=300, minutes=24 * 60)
        self._do(gold, 229, self.void, hour=7)
        self._do(gold, 200, self.take, reward=LIMITED)
        given = {"to": _account(silver), "points": 300, "reason": "给女儿 For my daughter"}
        self.deeds.append((self.teller.at(5), actions.transfer_points, {"from": _account(gold), **given}))
        self._do(gold, 20, actions.adjust_points, points=200, reason="补登到店消费 A purchase that the till missed")
        self._do(silver, 80, actions.adjust_points, points=-30, reason="重复积分 Counted twice")
        self._do(silver, 6, self.reserve, points=300, minutes=30 * 24 * 60)
        self._do(by_name["complaint"], 26, self.redeem, points=200, reason="到店茶席 A tea table")
        self._do(by_name["complaint"], 20, self.give_back, points=80, reason="茶凉了 The tea was cold")
        self._do(by_name["stars-owed"], 22, self.redeem, points=900, reason="礼品卡 Gift card")
        self._do(by_name["lost"], 100, actions.close_account, reason="不再来店 Does not come any more")
        # Mooncakes have their season.
        self.deeds.append((self.teller.at(240, 8, 0), self.withdraw, {"reward": MOONCAKES}))
        self.deeds.append((self.teller.at(365, 8, 0), self.raise_gold, {}))

    def _do(self, life: Life, ago: int, act: Any, *, hour: int | None = None, **given: Any) -> None:
        at = max(self.teller.at(ago, hour), self._opened(life))
        self.deeds.append((at, act, {"account": _account(life), **given}))

    def _opened(self, life: Life) -> datetime:
        return max(self.launched, life.joined)

    # --- in the order of time

    def weeks(self) -> Iterator[Week]:
        """What earns before what spends. What was bought before the launch, and earns nothing, is one week."""

        def week(at: datetime) -> int:
            return max(-1, (at - self.launched).days // DAYS_AT_ONCE)

        told: list[tuple[datetime, int, Any]] = [(self.launched, 0, (self.launched, self.launch, {}))]
        for life in self.members:
            at, given = self._opened(life), {"customer": life.lookup, "number": life.ref["value"]}
            told.append((at, 0, (at, self.join, given)))
            told += [(order["purchased_at"], 1, order) for order in life.orders]
            told += [(deed[0], 2, deed) for deed in life.deeds]
        told += [(deed[0], 2, deed) for deed in self.deeds]
        for _, group in groupby(sorted(told, key=lambda each: each[0]), key=lambda each: week(each[0])):
            parts: tuple[list[Any], ...] = ([], [], [])
            for _, part, each in group:
                parts[part].append(each)
            yield Week(*parts)

    # --- deeds that need an id of what was made before

    def launch(self, work: Work, given: Record) -> None:
        del given
        terms: Any = {**PROGRAM, "currency": work.org.currency, "levels": _levels("1.5")}
        self.program = programs.create_program(work, terms)["program"]
        for name, (points, stock) in REWARDS.items():
            reward: Any = {"program_id": self.program, "name": name, "points": points, "stock": stock}
            self.rewards[name] = programs.create_reward(work, reward)["reward"]

    def raise_gold(self, work: Work, given: Record) -> None:
        del given
        programs.update_program(work, {"id": self.program, "expected_version": 1, "set": {"levels": _levels("1.7")}})

    def withdraw(self, work: Work, given: Record) -> None:
        programs.update_reward(work, {"id": self.rewards[given["reward"]], "set": {"active": False}})

    def join(self, work: Work, given: Any) -> None:
        said: Any = {"program_id": self.program, **given}
        actions.open_account(work, said)

    def take(self, work: Work, given: Any) -> None:
        reward: Any = {"reward_id": self.rewards[given["reward"]]}
        with suppress(Refused):
            actions.redeem_points(work, {"account": given["account"], "spend": reward})

    def redeem(self, work: Work, given: Any) -> None:
        said: Any = {"account": given["account"], "spend": {"points": given["points"]}, "reason": given["reason"]}
        self._keep(given, "redemption", actions.redeem_points(work, said))

    def give_back(self, work: Work, given: Any) -> None:
        spent, points = self._kept(given, "redemption"), given["points"]
        actions.reverse_redemption(work, {"redemption_id": spent, "points": points, "reason": given["reason"]})

    def reserve(self, work: Work, given: Any) -> None:
        self._keep(given, "reservation", actions.reserve_points(work, given))

    def capture(self, work: Work, given: Any) -> None:
        held = self._kept(given, "reservation")
        actions.capture_reservation(work, {"reservation_id": held, "points": given["points"]})

    def void(self, work: Work, given: Any) -> None:
        actions.void_reservation(work, {"reservation_id": self._kept(given, "reservation")})

    def _keep(self, given: Any, thing: str, result: Record) -> None:
        self.latest[given["account"]["number"], thing] = result[thing]

    def _kept(self, given: Any, thing: str) -> str:
        return self.latest[given["account"]["number"], thing]


def _levels(gold: str) -> list[Any]:
    multipliers = (Decimal(1), Decimal("1.2"), Decimal(gold))
    return [
        {"rank": rank, "multiplier": multiplier, **level}
        for rank, (level, multiplier) in enumerate(zip(LEVELS, multipliers, strict=True), start=1)
    ]


def _account(life: Life) -> Any:
    return {"number": life.ref["value"]}
