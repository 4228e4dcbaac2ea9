"""Histories at random."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

from tests.oracle.days import local_day
from tests.oracle.history import History, Order, Refund, Touch, Word
from tests.oracle.printing import half_away

BOUNDARY_AGES = (0, 1, 14, 15, 30, 31, 90, 91, 180, 181, 360, 361, 365, 366, 730, 731)
NOTABLE_AMOUNTS = (0, 1, 2, 333, 99_99, 100_00, 100_01, 300_00, 800_00, 800_01, 1999_99, 2000_00, 2500_00)
FOREIGN_RATE = Decimal("0.37")  # a foreign order's reporting_minor is gross_minor times this, a half away from zero
KIND_WEIGHTS = dict.fromkeys(
    (
        *("MESSAGE", "CALL", "MEETING", "BROWSE", "SEARCH", "CLICK", "REVIEW", "SOCIAL", "COMPLAINT", "NEED"),
        *("CO_CREATION", "REFERRAL", "EVENT", "CARE", "QUOTE_ACCEPTED", "CONTRACT_SIGNED", "NOTE", "OTHER"),
    ),
    1,
) | {"SURVEY": 3}
CHANNELS = ("EMAIL", "SMS", "WECHAT", "STORE", "PHONE")


def random_history(rng: Random, now: datetime, zone: ZoneInfo, ahead_days: int = 30) -> History:
    """A plausible history that likes boundaries. Equal generators make equal histories.

    Lists are in the order of recording, which is not the order of occurring; ids rise with it, and a reply is recorded
    after what it answers. Up to ahead_days after now things go on happening, so that now can be asked about afterwards;
    with 0 nothing but a termination lies ahead. No order is refunded beyond its gross; a voided one is not refunded.
    """
    return _Teller(rng, now, zone, ahead_days).history()


class _Teller:
    def __init__(self, rng: Random, now: datetime, zone: ZoneInfo, ahead_days: int):
        self.rng, self.now, self.zone, self.ahead_days = rng, now, zone, ahead_days
        self.today = local_day(now, zone)
        self.end = now + timedelta(days=ahead_days)

    def history(self) -> History:
        bond = self.rng.choices(("stranger", "passer-by", "regular", "friend"), (3, 5, 6, 6))[0]
        orders, touches = self.orders(bond), self.touches(bond)
        return History(orders, touches, self.words(), self.chance(0.1), self.terminated_on(orders))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def age(self) -> int:
        if self.ahead_days and self.chance(0.08):
            return -self.rng.randint(1, self.ahead_days)
        return self.rng.choice(BOUNDARY_AGES) if self.chance(0.6) else self.rng.randint(0, 760)

    def at(self, days_ago: int) -> datetime:
        """An instant on that local day, often its very first or last."""
        hour, minute, microsecond = self.rng.randrange(24), self.rng.randrange(60), self.rng.randrange(10**6)
        moment = self.rng.choice((time.min, time.max, time(hour, minute, 30, microsecond)))
        at = datetime.combine(self.today - timedelta(days=days_ago), moment, self.zone).astimezone(UTC)
        if days_ago == 0 and self.chance(0.5):
            at = self.rng.choice((self.now, min(at, self.now), self.now + timedelta(microseconds=1)))
        return min(at, self.end).astimezone(UTC)

    # --- orders

    def orders(self, bond: str) -> list[Order]:
        if bond == "stranger":
            ages = [self.age()] if self.chance(0.1) else []
        elif bond == "passer-by":
            ages = [self.age() for _ in range(self.rng.randint(1, 3))]
        else:
            last = self.rng.choice((0, 0, 1, 30, 31, 90, 91, 180, 181, 365, 366, self.age()))
            spans = (0, 1, 30, 60, 90, 179, 180, 181, *self.rng.sample(range(300), 6))
            ages = [last] + [last + self.rng.choice(spans) for _ in range(self.rng.choice((2, 3, 4, 5, 9, 16)))]
            self.rng.shuffle(ages)
        tailored = 0.3 if bond == "friend" else 0.05
        return [self.order(f"pur-{number:03}", self.at(days_ago), tailored) for number, days_ago in enumerate(ages)]

    def order(self, key: str, at: datetime, tailored: float) -> Order:
        gross = self.rng.choice(NOTABLE_AMOUNTS) if self.chance(0.4) else self.rng.randint(1, 600_00)
        foreign = half_away(Fraction(FOREIGN_RATE) * gross)
        reporting = self.rng.choices((gross, foreign, None), (7, 2, 1))[0]
        order = Order(key, at, gross, reporting, self.chance(tailored), self.chance(0.06))
        if gross and not order.voided and self.chance(0.25):
            order.refunds = self.refunds(order)
        return order

    def refunds(self, order: Order) -> list[Refund]:
        """In one to three parts, often down to nothing; some instants are the order's own, now, or after now."""
        total = order.gross_minor if self.chance(0.5) else self.rng.randint(1, order.gross_minor)
        cuts = sorted(self.rng.randint(1, total) for _ in range(self.rng.randint(0, 2)))
        parts = [upper - lower for lower, upper in zip([0, *cuts], [*cuts, total], strict=True) if upper > lower]
        refunds = []
        for number, part in enumerate(parts):
            later = order.at + timedelta(days=self.rng.choice((0, 1, 30, 365)), seconds=self.rng.randint(0, 1))
            at = self.rng.choice((later, later, self.now, self.now + timedelta(microseconds=1)))
            refunds.append(Refund(min(max(at, order.at), self.end), part, f"{order.id}-ref-{number}"))
        return refunds

    # --- touchpoints

    def touches(self, bond: str) -> list[Touch]:
        kinds = self.rng.choices(list(KIND_WEIGHTS), KIND_WEIGHTS.values(), k=self.rng.randint(0, 9))
        if bond == "friend":
            kinds += ["NEED"] * self.rng.randint(0, 2) + ["CO_CREATION"] * self.rng.randint(0, 3)
            kinds += self.rng.choices(("MEETING", "CALL", "MESSAGE"), k=self.rng.randint(2, 6))
        if self.chance(0.15):
            kinds += ["MESSAGE"] * 6
        self.rng.shuffle(kinds)
        touches: list[Touch] = []
        for number, kind in enumerate(kinds):
            touches.append(self.touch(f"tou-{number:03}", kind, touches))
        return touches

    def touch(self, key: str, kind: str, earlier: list[Touch]) -> Touch:
        at = self.at(self.age() if self.chance(0.7) else self.rng.choice((0, 1, 14, 15, 90, 91, 180, 181, 365, 366)))
        surveys = [touch for touch in earlier if touch.kind == "SURVEY"]
        if kind == "SURVEY" and surveys and self.chance(0.4):
            at = self.rng.choice(surveys).at
        direction = "INBOUND" if self.chance(0.6) else "OUTBOUND"
        touch = Touch(key, kind, self.rng.choice(CHANNELS), direction, at, retracted=self.chance(0.08))
        if earlier and self.chance(0.35):
            touch.reply_to = self.rng.choice(earlier).id
        if kind == "SURVEY":
            touch.nps = self.rng.choice((None, 0, 6, 7, 8, 9, 9, 10))
            touch.csat = self.rng.choice((None, 1, 2, 3, 4, 5))
            touch.quality = self.rng.choice((None, Decimal(1), Decimal("1.15"), Decimal("0.8"), Decimal("2.00005")))
            touch.price = self.rng.choice((None, Decimal(1), Decimal("1.15"), Decimal("0.9"), Decimal(3)))
        if kind == "COMPLAINT" and self.chance(0.65):
            later = at + timedelta(days=self.rng.choice((0, 1, 14, 15, 60)))
            touch.resolved_at = min(max(at, self.rng.choice((later, later, self.now))), self.end)
        return touch

    # --- consent and the end

    def words(self) -> list[Word]:
        words: list[Word] = []
        for number in range(self.rng.choice((0, 1, 2, 3, 6))):
            at = self.rng.choice(words).at if words and self.chance(0.3) else self.at(self.age())
            purpose = "MARKETING" if self.chance(0.8) else self.rng.choice(("SERVICE", "ANALYTICS", "PROFILING"))
            state = "GRANTED" if self.chance(0.6) else "WITHDRAWN"
            words.append(Word(f"con-{number:03}", purpose, self.rng.choice(CHANNELS[:2]), state, at))
        return words

    def terminated_on(self, orders: list[Order]) -> date | None:
        if not self.chance(0.2):
            return None
        days = [self.today + timedelta(days=shift) for shift in (-self.age(), 0, 1, -1, 20)]
        for order in orders[:2]:
            bought = local_day(order.at, self.zone)
            days += [bought - timedelta(days=1), bought, bought + timedelta(days=1)]
        return self.rng.choice(days)
