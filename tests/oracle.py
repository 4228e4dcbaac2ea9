"""The domain said slowly in plain Python: what a history amounts to, and what a policy makes of it.

The SQL is the only evaluator the product has. This is what it is held against, and it shares nothing with it: no table,
no expression, no constant. Every loop is the obvious one; nothing here may become clever.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from random import Random
from zoneinfo import ZoneInfo

# ------------------------------------------------------------------------------------------------ what happened


@dataclass
class Refund:
    at: datetime
    minor: int
    id: str = ""


@dataclass
class Order:
    """What was bought, in its own currency; reporting_minor is None while no exchange rate is known."""

    id: str
    at: datetime
    gross_minor: int
    reporting_minor: int | None
    tailored: bool = False
    voided: bool = False
    refunds: list[Refund] = field(default_factory=list)


@dataclass
class Touch:
    id: str
    kind: str
    channel: str
    direction: str
    at: datetime
    nps: int | None = None
    csat: int | None = None
    quality: Decimal | None = None
    price: Decimal | None = None
    resolved_at: datetime | None = None
    reply_to: str | None = None
    retracted: bool = False


@dataclass
class Word:
    """One word on consent; the last one on each purpose and channel holds."""

    id: str
    purpose: str
    channel: str
    state: str
    at: datetime


@dataclass
class History:
    orders: list[Order] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    suppressed: bool = False
    terminated_on: date | None = None
    # From when to when somebody was a member of a loyalty programme.
    memberships: list[tuple[datetime, datetime | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Policy:
    new_days: int = 90
    active_days: int = 180
    churn_days: int = 365
    loyal_min_occasions: int = 4
    loyal_min_span_days: int = 180
    complaint_sla_days: int = 14
    detractor_window_days: int = 180
    customer_min_occasions: int = 2
    customer_min_inbound: int = 1
    client_min_dialogues: int = 3
    client_min_needs: int = 1
    client_min_tailored: int = 1
    partner_min_cocreation: int = 2
    rfm_recency_cuts: tuple[int, ...] = (30, 90, 180, 365)
    rfm_frequency_cuts: tuple[int, ...] = (1, 2, 4, 8)
    rfm_monetary_cuts: tuple[int, ...] = (100_00, 300_00, 800_00, 2000_00)  # minor units of the reporting currency
    value_weights: tuple[str, ...] = ("0.20", "0.25", "0.35", "0.10", "0.10")  # R, F, M, engagement, advocacy


# ------------------------------------------------------------------------------------------------ what is known


@dataclass
class Facts:
    """Everything the measures need. A list of days holds the latest six, ascending; two touches on a day, it twice."""

    kept_orders: int = 0
    occasions: int = 0
    first_day: date | None = None
    last_day: date | None = None
    occasion_days: list[date] = field(default_factory=list)
    unconverted_orders: int = 0
    converted_kept_orders: int = 0
    gross_minor: int = 0
    refunded_minor: int = 0
    tailored_orders: int = 0
    touchpoints: int = 0
    last_touchpoint_at: datetime | None = None
    inbound_days: list[date] = field(default_factory=list)
    dialogue_days: list[date] = field(default_factory=list)
    need_days: list[date] = field(default_factory=list)
    cocreation_days: list[date] = field(default_factory=list)
    brand_days: list[date] = field(default_factory=list)
    converted_referrals: int = 0
    nps: int | None = None
    nps_day: date | None = None
    csat_mean: Fraction | None = None
    quality: Decimal | None = None
    price: Decimal | None = None
    perceived_day: date | None = None
    open_complaints: int = 0
    oldest_open_complaint_day: date | None = None
    committed: bool = False
    contactable: bool = False
    terminated_on: date | None = None
    inbound_last_90: int = 0  # as of the clock that the facts were read at

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.refunded_minor


def facts_of(history: History, now: datetime, zone: ZoneInfo) -> Facts:
    """What was known at that instant: only what occurred at or before it. Days are those of the zone."""
    facts = Facts(terminated_on=history.terminated_on)
    today = local_day(now, zone)
    _count_orders(facts, [o for o in history.orders if o.at <= now and not o.voided], now, zone)
    _count_touches(facts, [t for t in history.touches if t.at <= now and not t.retracted], now, zone)
    is_member = any(begun <= now and (ended is None or ended > now) for begun, ended in history.memberships)
    facts.committed = facts.committed or is_member
    facts.contactable = not history.suppressed and _marketing_granted([w for w in history.words if w.at <= now])
    facts.inbound_last_90 = within(facts.inbound_days, 90, today)
    return facts


def _count_orders(facts: Facts, orders: list[Order], now: datetime, zone: ZoneInfo) -> None:
    kept_days = []
    for order in orders:
        refunded = sum(refund.minor for refund in order.refunds if refund.at <= now)
        kept = not (refunded > 0 and refunded >= order.gross_minor)
        if order.reporting_minor is not None:
            facts.gross_minor += order.reporting_minor
            if refunded > 0:
                # The share refunded so far, not a sum of rounded refunds: a whole refund nets to zero.
                facts.refunded_minor += half_away(Fraction(order.reporting_minor * refunded, order.gross_minor))
        if kept:
            kept_days.append(local_day(order.at, zone))
            facts.kept_orders += 1
            facts.tailored_orders += order.tailored
            facts.converted_kept_orders += order.reporting_minor is not None
            facts.unconverted_orders += order.reporting_minor is None
    if kept_days:
        facts.first_day, facts.last_day = min(kept_days), max(kept_days)
        facts.occasions = len(set(kept_days))
        facts.occasion_days = latest_six(set(kept_days))


def _count_touches(facts: Facts, touches: list[Touch], now: datetime, zone: ZoneInfo) -> None:
    existing = {touch.id: touch for touch in touches}

    def is_dialogue(touch: Touch) -> bool:
        answered = existing.get(touch.reply_to) if touch.reply_to else None
        return touch.kind in ("MEETING", "CALL") or (answered is not None and answered.direction != touch.direction)

    def is_brand_activity(touch: Touch) -> bool:
        return touch.kind == "EVENT" or (touch.direction == "INBOUND" and touch.kind in ("SOCIAL", "REVIEW"))

    def days(chosen: Iterable[Touch]) -> list[date]:
        return [local_day(touch.at, zone) for touch in chosen]

    facts.touchpoints = len(touches)
    facts.last_touchpoint_at = max((touch.at for touch in touches), default=None)
    facts.inbound_days = latest_six(days(t for t in touches if t.direction == "INBOUND"))
    facts.dialogue_days = latest_six(days(t for t in touches if is_dialogue(t)))
    facts.need_days = latest_six(days(t for t in touches if t.kind == "NEED"))
    facts.cocreation_days = latest_six(days(t for t in touches if t.kind in ("CO_CREATION", "REFERRAL")))
    facts.brand_days = latest_six(days(t for t in touches if is_brand_activity(t)))
    facts.converted_referrals = sum(t.kind == "REFERRAL" for t in touches)
    facts.committed = any(t.kind in ("QUOTE_ACCEPTED", "CONTRACT_SIGNED") for t in touches)

    unresolved = [t for t in touches if t.kind == "COMPLAINT" and (t.resolved_at is None or t.resolved_at > now)]
    facts.open_complaints = len(unresolved)
    facts.oldest_open_complaint_day = min(days(unresolved), default=None)

    surveys = sorted((t for t in touches if t.kind == "SURVEY"), key=lambda t: (t.at, t.id))
    for survey in surveys:  # the latest has the last word
        if survey.nps is not None:
            facts.nps, facts.nps_day = survey.nps, local_day(survey.at, zone)
        if survey.quality is not None and survey.price is not None:
            facts.quality, facts.price, facts.perceived_day = survey.quality, survey.price, local_day(survey.at, zone)
    answers = [survey.csat for survey in surveys if survey.csat is not None]
    facts.csat_mean = Fraction(sum(answers), len(answers)) if answers else None


def _marketing_granted(words: list[Word]) -> bool:
    last = {}
    for word in sorted(words, key=lambda word: (word.at, word.id)):
        if word.purpose == "MARKETING":
            last[word.channel] = word.state
    return "GRANTED" in last.values()


# ------------------------------------------------------------------------------------------------ what it means


def judge(facts: Facts, policy: Policy, today: date) -> dict[str, object]:
    """Every judgement, by its GraphQL path, as the API prints it. Below a null object every leaf is None."""
    j = Judgement(facts, policy, today)
    buyer = facts.kept_orders > 0
    perceived = facts.quality is not None and facts.price is not None
    return {
        "lifecycle.stage": j.stage,
        "lifecycle.phase": j.phase,
        "lifecycle.recencyDays": j.recency,
        "lifecycle.tenureDays": j.tenure,
        "lifecycle.nextAction": j.next_action,
        "lifecycle.deliverable": j.deliverable,
        "relationship.tier": j.tier,
        "value.score": rounded(j.score, 4) if buyer else None,
        "value.rfm.recency": j.r if buyer else None,
        "value.rfm.frequency": j.f if buyer else None,
        "value.rfm.monetary": j.m if buyer else None,
        "value.rfm.cell": f"{j.r}{j.f}{j.m}" if buyer else None,
        "value.churnRisk": rounded(j.churn_risk, 6) if buyer else None,
        "value.health": rounded(j.health, 4) if buyer else None,
        "value.healthCoverage": rounded(j.health_coverage, 6),
        "value.behavior": j.behavior if buyer else None,
        "value.perceived.quality": plain(facts.quality) if perceived else None,
        "value.perceived.price": plain(facts.price) if perceived else None,
        "value.perceived.ratio": rounded(Fraction(facts.quality) / Fraction(facts.price), 4) if perceived else None,
        "value.perceived.answeredOn": iso(facts.perceived_day) if perceived else None,
    }


@dataclass(frozen=True)
class Judgement:
    """One customer's facts under one policy on one day. Measures that need a kept order may be asked only with one."""

    facts: Facts
    policy: Policy
    today: date

    def age(self, day: date) -> int:
        return age(day, self.today)

    def within(self, days: list[date], window: int) -> int:
        return within(days, window, self.today)

    # --- lifecycle

    @property
    def recency(self) -> int | None:
        return None if self.facts.last_day is None else self.age(self.facts.last_day)

    @property
    def tenure(self) -> int | None:
        return None if self.facts.first_day is None else self.age(self.facts.first_day)

    @property
    def ended(self) -> bool:
        """An explicit end that is in force: reached, and no kept order after that day."""
        end, last = self.facts.terminated_on, self.facts.last_day
        return end is not None and end <= self.today and (last is None or last <= end)

    @property
    def stage(self) -> str:
        facts, policy = self.facts, self.policy
        if self.ended:
            return "CHURNED"
        if facts.kept_orders == 0:
            return "PROSPECT"
        if self.recency > policy.churn_days:
            return "CHURNED"
        span = (facts.last_day - facts.first_day).days
        if facts.occasions >= policy.loyal_min_occasions and span >= policy.loyal_min_span_days:
            return "LOYAL"
        if self.tenure <= policy.new_days:
            return "NEW"
        return "ACTIVE"

    @property
    def complaint_overdue(self) -> bool:
        oldest = self.facts.oldest_open_complaint_day
        return oldest is not None and self.age(oldest) > self.policy.complaint_sla_days

    @property
    def recent_detractor(self) -> bool:
        nps, day = self.facts.nps, self.facts.nps_day
        return nps is not None and nps <= 6 and self.age(day) <= self.policy.detractor_window_days

    @property
    def declining(self) -> bool:
        return self.stage in ("NEW", "ACTIVE", "LOYAL") and (
            self.recency > self.policy.active_days or self.complaint_overdue or self.recent_detractor
        )

    @property
    def phase(self) -> str:
        if self.declining:
            return "DECLINE"
        if self.stage == "PROSPECT":
            return "SIGNING" if self.facts.committed else "DEVELOPMENT"
        return {"NEW": "SIGNING", "ACTIVE": "GROWTH", "LOYAL": "MATURITY", "CHURNED": "TERMINATION"}[self.stage]

    @property
    def next_action(self) -> str:
        no_need_record = self.within(self.facts.need_days, 365) == 0
        if self.facts.open_complaints > 0:
            return "RESOLVE_COMPLAINT"
        if self.stage == "CHURNED":
            return "WIN_BACK"
        if self.phase == "DECLINE":
            return "RECOVER_DISSATISFIED" if self.recent_detractor else "PREVENT_TERMINATION"
        if self.phase == "DEVELOPMENT":
            return "CONVERT_PROSPECT"
        if self.stage == "PROSPECT":
            return "CLOSE_FIRST_ORDER"
        if self.stage == "NEW" and self.facts.occasions <= 1:
            return "NURTURE_SECOND_PURCHASE"
        if self.stage in ("NEW", "ACTIVE"):
            return "CAPTURE_NEEDS" if no_need_record else "BUILD_SATISFACTION"
        if self.tier == "CLIENT":
            return "INVITE_COCREATION"
        if self.tier == "CUSTOMER" and no_need_record:
            return "CAPTURE_NEEDS"
        return "REWARD_LOYALTY"

    @property
    def deliverable(self) -> bool:
        came_back = any(day >= self.facts.terminated_on for day in self.facts.inbound_days) if self.ended else True
        return (self.facts.contactable and came_back) or self.next_action == "RESOLVE_COMPLAINT"

    # --- relationship

    @property
    def tier(self) -> str | None:
        facts, policy = self.facts, self.policy
        cocreations = self.within(facts.cocreation_days, 730)
        if facts.kept_orders == 0:
            return None
        known = self.within(facts.inbound_days, 365) >= policy.customer_min_inbound or facts.committed
        if not (facts.occasions >= policy.customer_min_occasions and known):
            return "BUYER"
        understood = (
            self.within(facts.need_days, 365) >= policy.client_min_needs
            and self.within(facts.dialogue_days, 365) >= policy.client_min_dialogues
            and facts.tailored_orders + cocreations >= policy.client_min_tailored
        )
        if not understood:
            return "CUSTOMER"
        trusted = not self.recent_detractor and not self.complaint_overdue
        return "PARTNER" if cocreations >= policy.partner_min_cocreation and trusted else "CLIENT"

    # --- value

    @property
    def r(self) -> int:
        return 5 - sum(self.recency > cut for cut in self.policy.rfm_recency_cuts)

    @property
    def f(self) -> int:
        return 1 + sum(self.facts.occasions > cut for cut in self.policy.rfm_frequency_cuts)

    @property
    def m(self) -> int:
        return 1 + sum(max(0, self.facts.net_minor) > cut for cut in self.policy.rfm_monetary_cuts)

    @property
    def engagement(self) -> Fraction:
        return min(Fraction(1), Fraction(self.within(self.facts.inbound_days, 90), 6))

    @property
    def promoter(self) -> bool:
        return self.facts.nps is not None and self.facts.nps >= 9

    @property
    def advocacy(self) -> Fraction:
        if self.facts.nps is not None and self.facts.nps <= 6:
            return Fraction(0)
        return Fraction(1) if self.promoter else Fraction(1, 2)

    @property
    def score(self) -> Fraction:
        grades = (Fraction(grade - 1, 4) for grade in (self.r, self.f, self.m))
        parts = (*grades, self.engagement, self.advocacy)
        weights = (Fraction(str(weight)) for weight in self.policy.value_weights)
        return 100 * sum(weight * part for weight, part in zip(weights, parts, strict=True))

    @property
    def churn_risk(self) -> Fraction:
        if self.stage == "CHURNED":
            return Fraction(1)
        recency, active, churn = self.recency, self.policy.active_days, self.policy.churn_days
        if recency == 0:
            base = Fraction(0)
        elif recency <= active:
            base = Fraction(recency, 2 * active)
        else:
            base = Fraction(1, 2) + Fraction(recency - active, 2 * (churn - active))
        overdue = Fraction(15, 100) if self.complaint_overdue else 0
        detractor = Fraction(10, 100) if self.recent_detractor else 0
        return 1 - (1 - base) * (1 - overdue) * (1 - detractor)

    @property
    def satisfaction(self) -> Fraction | None:
        known = []
        if self.facts.nps is not None:
            known.append(Fraction(self.facts.nps, 10))
        if self.facts.csat_mean is not None:
            known.append((Fraction(self.facts.csat_mean) - 1) / 4)
        return sum(known) / len(known) if known else None

    @property
    def service(self) -> Fraction:
        if self.facts.open_complaints == 0:
            return Fraction(1)
        return Fraction(0) if self.complaint_overdue else Fraction(1, 2)

    @property
    def _known_health(self) -> list[tuple[Fraction, Fraction]]:
        """Weight and value of each part that is known."""
        parts = (
            (Fraction(35, 100), 1 - self.churn_risk if self.facts.kept_orders > 0 else None),
            (Fraction(25, 100), self.satisfaction),
            (Fraction(20, 100), self.engagement),
            (Fraction(20, 100), self.service),
        )
        return [(weight, part) for weight, part in parts if part is not None]

    @property
    def health(self) -> Fraction:
        return 100 * sum(weight * part for weight, part in self._known_health) / self.health_coverage

    @property
    def health_coverage(self) -> Fraction:
        return sum(weight for weight, _ in self._known_health)

    @property
    def behavior(self) -> str:
        facts = self.facts
        lately = self.within(facts.occasion_days, 180)
        before = self.within(facts.occasion_days, 360) - lately
        speaks_for_us = self.within(facts.brand_days, 365) >= 2 or facts.converted_referrals > 0 or self.promoter
        if self.r >= 2 and self.m >= 4 and speaks_for_us:
            return "AMBASSADOR"
        if self.r >= 2 and self.f == 5:
            return "HIGH_FREQUENCY"
        if self.r >= 4 and 2 <= self.f <= 4 and (lately > before or self.engagement >= Fraction(1, 2)):
            return "GROWTH_POTENTIAL"
        return "OCCASIONAL"


# ------------------------------------------------------------------------------------------------ how it is printed


def printed_facts(facts: Facts, exponent: int) -> dict[str, object]:
    """The facts by GraphQL path, as the API prints them; exponent is the reporting currency's (JPY 0, EUR 2, KWD 3)."""
    average = None
    if facts.converted_kept_orders:
        average = money(half_away(Fraction(facts.net_minor, facts.converted_kept_orders)), exponent)
    return {
        "facts.keptOrders": facts.kept_orders,
        "facts.occasions": facts.occasions,
        "facts.firstPurchaseOn": iso(facts.first_day),
        "facts.lastPurchaseOn": iso(facts.last_day),
        "facts.unconvertedOrders": facts.unconverted_orders,
        "facts.gross.amount": money(facts.gross_minor, exponent),
        "facts.refunded.amount": money(facts.refunded_minor, exponent),
        "facts.net.amount": money(facts.net_minor, exponent),
        "facts.averageOrderValue.amount": average,
        "facts.touchpoints": facts.touchpoints,
        "facts.lastTouchpointAt": instant_text(facts.last_touchpoint_at),
        "facts.inboundLast90Days": facts.inbound_last_90,
        "facts.nps": facts.nps,
        "facts.csat": None if facts.csat_mean is None else rounded(facts.csat_mean, 2),
        "facts.openComplaints": facts.open_complaints,
        "facts.committed": facts.committed,
        "facts.contactable": facts.contactable,
    }


def half_away(value: Fraction) -> int:
    """The nearest whole number, a half going away from zero."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def rounded(value: Fraction, decimals: int) -> float:
    return half_away(value * 10**decimals) / 10**decimals


def money(minor: int, exponent: int) -> str:
    return f"{Decimal(minor).scaleb(-exponent):f}"


def plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def instant_text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def local_day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def age(day: date, today: date) -> int:
    """Whole days, never less than 0: what still lies ahead is as good as today."""
    return max(0, (today - day).days)


def within(days: Iterable[date], window: int, today: date) -> int:
    """How many of the latest six are at most so many days old."""
    return sum(age(day, today) <= window for day in latest_six(days))


def latest_six(days: Iterable[date]) -> list[date]:
    return sorted(days)[-6:]


# ------------------------------------------------------------------------------------------------ histories at random

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
