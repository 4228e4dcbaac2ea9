"""Who the customers are, and what happens with them: told in days ago, with dice alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from app.customers.actions import archive_customer, record_consent, reinstate_customer, terminate_customer
from app.demo import words
from app.demo.words import Place, Tea
from app.platform.text import Ref
from app.platform.work import Work
from app.purchases.actions import refund_purchase, void_purchase
from app.touchpoints.actions import resolve_complaint, retract_touchpoint

# The history in days, and how many live through it.
DAYS = 3 * 365
CUSTOMERS = 2000

# As the actions take it.
Record = dict[str, Any]
Deed = tuple[datetime, Callable[[Work, Any], Any], Record]


class Habit(NamedTuple):
    """Ranges of days: since the first order, since the last, and from one to the next. `warmth`: what else happens."""

    share: int
    first: tuple[int, int]
    last: tuple[int, int]
    gap: tuple[int, int]
    warmth: float


HABITS = {
    "prospect": Habit(14, (1, 700), (1, 1), (1, 1), 0.6),
    "newcomer": Habit(12, (1, 88), (1, 30), (10, 40), 0.8),
    "passer-by": Habit(21, (100, 1080), (95, 700), (60, 200), 0.4),
    "regular": Habit(24, (120, 1080), (1, 60), (28, 90), 0.5),
    "friend": Habit(9, (400, 1080), (1, 40), (18, 45), 1.0),
    "slipping": Habit(9, (400, 1080), (182, 360), (24, 70), 0.6),
    "lapsed": Habit(11, (500, 1080), (368, 800), (30, 90), 0.4),
}
# Kinds and channels.
MADE_TOGETHER = (("CO_CREATION", "EVENT"), ("CO_CREATION", "STORE"), ("REFERRAL", "WECHAT"))


@dataclass
class Life:
    """One customer, who joined `since` days ago: the profile, and all that followed, ready for the actions."""

    ref: Ref
    since: int
    joined: datetime
    profile: Record
    place: Place
    contacts: list[Record] = field(default_factory=list)
    orders: list[Record] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)

    @property
    def lookup(self) -> Record:
        return {"external_ref": self.ref}


class Teller:
    """Makes lives. Equal days make equal lives, and nothing is later than the evening before `today`."""

    def __init__(self, today: datetime) -> None:
        self.today = today
        self.rng = Random(today.date().toordinal())
        self.cards = 0

    def customers(self) -> Iterator[Life]:
        names, shares = list(HABITS), [habit.share for habit in HABITS.values()]
        for name in self.rng.choices(names, shares, k=CUSTOMERS):
            yield self.customer(name, HABITS[name])

    def customer(self, name: str, habit: Habit) -> Life:
        first = self.rng.randint(*habit.first)
        since = min(DAYS, first + self.rng.choice((0, 0, 1, 3, 10, 40)))
        # New cards are entered every third day.
        life = self.join(since + -since % 3, company=self.chance(0.06))
        if name == "prospect":
            self.court(life, first)
        else:
            last = min(first, self.rng.randint(*habit.last))
            self.buy_on(life, list(self.occasions(first, last, self.rng.randint(*habit.gap))), habit.warmth)
            if name == "friend":
                self.befriend(life, first)
        self.agree(life)
        self.mishap(life)
        return life

    # --- the profile

    def join(
        self, ago: int, *, company: bool = False, place: Place | None = None, ref: Ref | None = None, **known: Any
    ) -> Life:
        self.cards += 1
        place = place or self.rng.choices(words.PLACES, [each.share for each in words.PLACES])[0]
        name, spoken = self.company() if company else self.person(place)
        card, app = f"QH-{self.cards:05}", f"app-{70_000 + self.cards}"
        refs: list[Ref] = [{"system": "pos", "value": card}]
        if self.chance(0.55):
            refs.append({"system": "app", "value": app})
        number = self.cards if place.country == "CN" else 100 + self.cards % 100
        favourite = self.rng.choice((*words.LEAVES, *words.DRINKS))
        profile = {
            "kind": "COMPANY" if company else "PERSON",
            "name": name,
            "email": f"{spoken}{self.cards}@example.{'org' if company else 'com'}" if self.chance(0.75) else None,
            "phone": place.phone.format(number) if self.chance(0.85) else None,
            "birthday": None if company or self.chance(0.3) else self.birthday(),
            "city": place.city,
            "region": place.region,
            "country": place.country,
            "language": place.language,
            "external_refs": refs,
            "attributes": {"favouriteTea": favourite.name, "preferredShop": self.rng.choice(words.SHOPS)},
            "suppressed": self.chance(0.02),
            **known,
        }
        return Life(ref or refs[0], ago, self.at(ago, 8, 30), profile, place)

    def named(self, ref: str, name: str, ago: int, email: str, **known: Any) -> Life:
        """One who is there to be found again."""
        profile: Record = {"place": words.PLACES[0], "email": f"{email}@example.com", "suppressed": False, **known}
        return self.join(ago, ref={"system": "demo", "value": ref}, name=name, **profile)

    def person(self, place: Place) -> tuple[str, str]:
        if western := words.WESTERN.get(place.country):
            return " ".join(self.rng.choice(names) for names in western), "guest"
        surname, first = self.rng.choice(words.SURNAMES), self.rng.choice(words.GIVEN_NAMES)
        return surname[0] + first[0], f"{first[1]}.{surname[1]}"

    def birthday(self) -> date:
        return date(1950, 1, 1) + timedelta(days=self.rng.randrange(20_000))

    def company(self) -> tuple[str, str]:
        name, spoken = self.rng.choice(words.COMPANY_NAMES)
        return name + self.rng.choice(words.COMPANY_KINDS), f"office.{spoken}"

    # --- what happens

    def order(self, life: Life, ago: int, lines: Sequence[tuple[Tea, int]] = (), **said: Any) -> Record:
        online = life.place.country != "CN" or self.chance(0.2)
        currency = life.place.currency if online else "CNY"
        if life.place.country == "GB" and self.chance(0.1):
            currency = "GBP"  # for which nobody has told a rate
        lines = lines or self.basket(life, online=online)
        record = {
            "customer": life.lookup,
            "purchased_at": self.at(ago),
            "currency": currency,
            "channel": "WEBSITE" if online else self.rng.choice(("STORE", "STORE", "STORE", "APP")),
            "promotional": self.at(ago).strftime("%m%d") in ("0618", "1111") or self.chance(0.06),
            "lines": [self.line(tea, quantity, currency) for tea, quantity in lines],
            "external_ref": {"system": "pos", "value": f"{life.ref['value']}/{len(life.orders) + 1}"},
            **said,
        }
        life.orders.append(record)
        return record

    def basket(self, life: Life, *, online: bool) -> list[tuple[Tea, int]]:
        if life.profile["kind"] == "COMPANY":
            return [(tea, self.rng.randint(2, 8)) for tea in self.rng.sample(words.LEAVES, self.rng.randint(1, 3))]
        teas = list(words.LEAVES if online or self.chance(0.25) else words.DRINKS)
        found = [(tea, self.rng.choice((1, 1, 1, 2))) for tea in self.rng.sample(teas, self.rng.randint(1, 3))]
        return [*found, (self.rng.choice(words.TREASURES), 1)] if self.chance(0.06) else found

    def line(self, tea: Tea, quantity: int, currency: str) -> Any:
        unit = Decimal(tea.price) if currency == "CNY" else Decimal(tea.price // 7) + Decimal("0.90")
        said = {"sku": tea.sku, "name": tea.name, "category": tea.category}
        return {**said, "quantity": Decimal(quantity), "price": {"unit": unit}}

    def touch(self, life: Life, ago: int, kind: str, channel: str, *, out: bool = False, **said: Any) -> Record:
        record = {
            "customer": life.lookup,
            "kind": kind,
            "channel": channel,
            "direction": "OUTBOUND" if out else "INBOUND",
            "occurred_at": self.at(ago),
            "external_ref": {"system": "inbox", "value": f"{life.ref['value']}/{len(life.contacts) + 1}"},
            "body": self.say(life, kind) if kind in words.SAID else None,
            **said,
        }
        life.contacts.append(record)
        return record

    def talk(self, life: Life, ago: int) -> None:
        """A question and its answer, or the other way round."""
        channel, asks = self.rng.choice(("WECHAT", "WECHAT", "CHAT", "EMAIL", "SMS")), self.chance(0.8)
        opening, reply = ("QUESTION", "ANSWER") if asks else ("CARE", "QUESTION")
        asked = self.touch(life, ago, "MESSAGE", channel, out=not asks, body=self.say(life, opening))
        answered = asked["occurred_at"] + timedelta(minutes=self.rng.randint(3, 50))
        link = {"external_ref": asked["external_ref"]}
        said = self.say(life, reply)
        self.touch(life, ago, "MESSAGE", channel, out=asks, body=said, occurred_at=answered, in_reply_to=link)

    def survey(self, life: Life, ago: int, nps: int, quality: float, price: float) -> None:
        """What they think of us; 1 is as good, or as dear, as the tea house next door."""
        ratios: Record = {"relative_quality": Decimal(f"{quality:.2f}"), "relative_price": Decimal(f"{price:.2f}")}
        self.touch(life, ago, "SURVEY", "EMAIL", nps=nps, csat=max(1, min(5, round(nps / 2))), **ratios)

    def complain(self, life: Life, ago: int, settled_after: int | None) -> None:
        complaint = self.touch(life, ago, "COMPLAINT", "PHONE", sentiment=-0.8)
        if settled_after is not None:
            at, link = self.at(max(1, ago - settled_after), 22), {"external_ref": complaint["external_ref"]}
            said = {"touchpoint": link, "resolved_at": at, "resolution": self.say(life, "RESOLUTION")}
            life.deeds.append((at, resolve_complaint, said))

    def consent(self, life: Life, ago: int, channel: str, state: str = "GRANTED", purpose: str = "MARKETING") -> None:
        at = self.at(ago)
        said = {"customer": life.lookup, "purpose": purpose, "channel": channel, "state": state, "at": at}
        life.deeds.append((at, record_consent, {**said, "source": "会员登记 Sign-up"}))

    def refund(self, life: Life, order: Record, *, whole: bool) -> None:
        at = min(order["purchased_at"] + timedelta(days=self.rng.randint(1, 12)), self.at(1, 22))
        prices = [line["price"]["unit"] * line["quantity"] for line in order["lines"]]
        amount = {"amount": sum(prices) if whole else prices[0] / 2, "currency": order["currency"]}
        said = {"purchase": {"external_ref": order["external_ref"]}, "refunded_at": at, "reason": "破损 Damaged"}
        life.deeds.append((at, refund_purchase, {**said, "amount": amount}))

    def end(self, life: Life, ago: int) -> None:
        """Ended by word: `ago` may be less than 0, for a day that lies ahead."""
        said = {"customer": life.lookup, "terminated_on": self.at(ago).date(), "reason": "搬离本市 Moved away"}
        life.deeds.append((self.at(max(1, ago), 22), terminate_customer, said))

    # --- how it goes on

    def occasions(self, first: int, last: int, gap: int) -> Iterator[int]:
        ago = first
        while ago >= last:
            yield ago
            ago -= max(1, round(self.rng.gauss(gap, gap / 3)))

    def buy_on(self, life: Life, days: Sequence[int], warmth: float) -> None:
        mood = self.rng.gauss(7.8, 1.9)
        for ago in days:
            order = self.order(life, ago)
            if self.chance(0.008):
                self.refund(life, order, whole=self.chance(0.4))
            self.around(life, ago, warmth)
            if self.chance(0.12 * warmth):
                # Better by the year, and dearer too.
                later = max(1, ago - self.rng.randint(1, 9))
                year = (DAYS - later) / 365
                nps = max(0, min(10, round(self.rng.gauss(mood, 1.2))))
                self.survey(life, later, nps, 0.96 + nps / 60 + year / 25, self.rng.gauss(1.02 + year / 30, 0.05))
            if self.chance(0.007):
                later = max(1, ago - self.rng.randint(0, 6))
                self.complain(life, later, None if later < 60 and self.chance(0.5) else self.rng.randint(1, 12))

    def around(self, life: Life, ago: int, warmth: float) -> None:
        """What comes with an order, before and after."""
        before, after = min(life.since, ago + self.rng.randint(0, 2)), max(1, ago - self.rng.randint(1, 12))
        happens = (
            (0.3, before, "BROWSE", ("APP", "WEBSITE"), False),
            (0.15, before, "SEARCH", ("APP", "WEBSITE"), False),
            (0.15, before, "CLICK", ("EMAIL", "APP", "SMS"), False),
            (0.12, after, "CARE", ("WECHAT", "SMS", "EMAIL"), True),
            (0.1, after, "REVIEW", ("APP", "WEBSITE"), False),
            (0.08, after, "SOCIAL", ("SOCIAL",), False),
            (0.08, after, "EVENT", ("EVENT", "STORE"), False),
            (0.06, after, "CALL", ("PHONE",), True),
            (0.04, after, "NOTE", ("STORE",), True),
            (0.12, after, "NEED", ("STORE", "WECHAT"), False),
            (0.01, after, "OTHER", ("MAIL",), False),
        )
        for share, day, kind, channels, out in happens:
            if self.chance(share * warmth):
                self.touch(life, day, kind, self.rng.choice(channels), out=out)
        if self.chance(0.12 * warmth):
            self.talk(life, after)

    def befriend(self, life: Life, since: int) -> None:
        """A customer who is known and heard, and some with whom new teas are made."""
        for ago in range(since - 30, 0, -self.rng.randint(40, 90)):
            self.talk(life, ago)
            if self.chance(0.3):
                self.touch(life, ago, "MEETING", "VISIT", out=True)
        for ago in range(since - 60, 20, -self.rng.randint(120, 240)):
            self.tailor(life, ago, ago - self.rng.randint(5, 19))
        for _ in range(self.rng.choice((0, 0, 1, 2, 3))):
            kind, channel = self.rng.choice(MADE_TOGETHER)
            self.touch(life, self.rng.randint(1, min(since, 700)), kind, channel)

    def tailor(self, life: Life, ago: int, delivered: int) -> None:
        need = self.touch(life, ago, "NEED", "WECHAT")
        self.order(life, delivered, [(words.BLEND, 1)], tailored_to={"external_ref": need["external_ref"]})

    def court(self, life: Life, since: int) -> None:
        """Somebody who has not bought yet."""
        for _ in range(self.rng.randint(1, 6)):
            self.around(life, self.rng.randint(1, since), 0.7)
        if self.chance(0.7 if life.profile["kind"] == "COMPANY" else 0.02):
            self.touch(life, self.rng.randint(1, since), "MEETING", "VISIT", out=True)
            self.touch(life, self.rng.randint(1, since), "QUOTE_ACCEPTED", "EMAIL")

    def agree(self, life: Life) -> None:
        if self.chance(0.4):
            channel = self.rng.choice(("WECHAT", "WECHAT", "EMAIL", "SMS", "PUSH"))
            self.consent(life, life.since, channel)
            if self.chance(0.15):
                self.consent(life, self.rng.randint(1, life.since), channel, "WITHDRAWN")
        if self.chance(0.03):
            self.consent(life, life.since, "EMAIL", purpose=self.rng.choice(("SERVICE", "ANALYTICS", "PROFILING")))

    def mishap(self, life: Life) -> None:
        """Ends, slips of the hand, and what becomes of them."""
        if self.chance(0.02):
            self.end(life, self.rng.choice((self.rng.randint(1, life.since), self.rng.randint(1, life.since), 1, -30)))
            if self.chance(0.2):
                life.deeds.append((self.at(1, 23), reinstate_customer, {"customer": life.lookup}))
        if life.orders and self.chance(0.01):
            again: Ref = {"system": "pos", "value": f"{life.ref['value']}/again"}
            life.orders.append({**life.orders[-1], "external_ref": again})
            void = {"purchase": {"external_ref": again}, "reason": "重复录入 Entered twice"}
            life.deeds.append((self.at(1, 22), void_purchase, void))
        if life.contacts and self.chance(0.01):
            wrong = self.touch(life, 1, "NOTE", "STORE", out=True)
            retract = {"touchpoint": {"external_ref": wrong["external_ref"]}, "reason": "记错了人 Meant for another"}
            life.deeds.append((self.at(1, 22), retract_touchpoint, retract))
        if life.orders and self.chance(0.015):
            self.complain(life, self.rng.randint(1, min(9, life.since)), settled_after=None)
        if self.chance(0.012):
            life.deeds.append((self.at(1, 23, 59), archive_customer, {"customer": life.lookup}))

    # --- dice and days

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def at(self, ago: int, hour: int | None = None, minute: int | None = None) -> datetime:
        """That hour of a local day, or any at which the shops are open."""
        hour = self.rng.randint(9, 20) if hour is None else hour
        minute = self.rng.randrange(60) if minute is None else minute
        return (self.today - timedelta(days=ago)).replace(hour=hour, minute=minute)

    def say(self, life: Life, about: str) -> str:
        return self.rng.choice(words.SAID[about])[not life.place.language.startswith("zh")]
