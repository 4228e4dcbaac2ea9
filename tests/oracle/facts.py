"""What a history amounts to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.oracle.days import latest_six, local_day, within
from tests.oracle.history import History, Order, Touch, Word
from tests.oracle.printing import half_away, instant_text, iso, money, rounded


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
