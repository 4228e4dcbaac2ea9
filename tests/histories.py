"""The oracle's histories lived through in real organisations, event by event or by the batch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from app.customers import actions as customers
from app.platform.database import analyze
from app.platform.days import midnight
from app.platform.work import Work
from app.purchases import actions as purchases
from app.touchpoints import actions as touchpoints
from tests.conftest import NOW
from tests.house import AHEAD, FOREIGN, LATER, Shop
from tests.oracle.generator import random_history
from tests.oracle.history import History, Order, Touch, Word

MANY = 15


# ------------------------------------------------------------------------------------------------ what is told


def histories(seed: int, count: int, zone: ZoneInfo) -> list[History]:
    rng = Random(seed)
    return [possible(random_history(rng, NOW, zone, AHEAD)) for _ in range(count)]


def possible(history: History) -> History:
    """With a need for tailored orders to fit."""
    tailored = [order for order in history.orders if order.tailored]
    if not tailored or any(touch.kind == "NEED" for touch in history.touches):
        return history
    need = Touch("need", "NEED", "STORE", "INBOUND", min(order.at for order in tailored))
    return replace(history, touches=[*history.touches, need])


def up_to(history: History, instant: datetime) -> History:
    """What of it had happened by then. What was taken back never was; the rest is as it stands today."""
    orders = [
        replace(order, refunds=[refund for refund in order.refunds if refund.at <= instant])
        for order in history.orders
        if order.at <= instant and not order.voided
    ]
    gone = {touch.id for touch in history.touches if touch.at > instant or touch.retracted}
    touches = [
        replace(
            touch,
            resolved_at=touch.resolved_at if touch.resolved_at and touch.resolved_at <= instant else None,
            reply_to=None if touch.reply_to in gone else touch.reply_to,
        )
        for touch in history.touches
        if touch.id not in gone
    ]
    words = [word for word in history.words if word.at <= instant]
    return replace(history, orders=orders, touches=touches, words=words)


def instants_of(history: History) -> list[datetime]:
    """When something happened."""
    found = {event.at for event in (*history.orders, *history.touches, *history.words)}
    found |= {refund.at for order in history.orders for refund in order.refunds}
    return sorted(found | {touch.resolved_at for touch in history.touches if touch.resolved_at})


def notable_instants(told: Sequence[History], zone: ZoneInfo, rng: Random, count: int) -> list[datetime]:
    """Instants to ask about: now, both sides of midnights, on an event, just before it, and between two."""
    events = sorted({at for history in told for at in instants_of(history) if at < LATER})
    found = [NOW]
    for n in range(count - 1):
        place = rng.randrange(len(events) - 1)
        day = events[place].astimezone(zone).date()
        found.append(
            (
                midnight(day, zone),
                midnight(day, zone) - timedelta(microseconds=1),
                events[place],
                events[place] - timedelta(microseconds=1),
                events[place] + (events[place + 1] - events[place]) / 2,
            )[n % 5]
        )
    return found


# ------------------------------------------------------------------------------------------------ how it is recorded


def names(count: int) -> list[str]:
    return [f"{number:04}" for number in range(count)]


def enter(shop: Shop, told: Sequence[History], now: datetime = LATER) -> dict[str, str]:
    """New customers without any event, named by their place; their ids, which rise with it."""
    with shop.working(now) as at_work:
        found = {}
        for name, history in zip(names(len(told)), told, strict=True):
            answer = customers.create_customer(at_work, {"name": name, "suppressed": history.suppressed})
            found[name] = str(answer["customer"])
            if history.terminated_on:
                end: Any = {"customer": {"id": found[name]}, "terminated_on": history.terminated_on}
                customers.terminate_customer(at_work, end)
    return found


@dataclass
class Scribe:
    """Records what happened to one customer, through the actions."""

    work: Work
    customer: str
    currency: str
    ref: str
    channel_of: Callable[[int], str] = field(default=lambda _: "STORE")

    def name(self, event: str) -> Any:
        return {"external_ref": {"system": "told", "value": f"{self.ref}/{event}"}}

    def touch_row(self, touch: Touch) -> Any:
        row: Any = {
            "customer": {"id": self.customer},
            "kind": touch.kind,
            "channel": touch.channel,
            "direction": touch.direction,
            "occurred_at": touch.at,
            **self.name(touch.id),
        }
        if touch.kind == "SURVEY":
            row |= {"nps": touch.nps, "csat": touch.csat}
            row |= {"relative_quality": touch.quality, "relative_price": touch.price}
        return row | ({"in_reply_to": self.name(touch.reply_to)} if touch.reply_to else {})

    def order_row(self, order: Order, need: str | None) -> Any:
        total = self._amount(order.gross_minor)
        row: Any = {
            "customer": {"id": self.customer},
            "purchased_at": order.at,
            "currency": self._currency(order),
            "lines": [{"name": "Tea", "quantity": Decimal(1), "price": {"total": total}}],
            **self.name(order.id),
        }
        return row | ({"tailored_to": self.name(need)} if order.tailored and need else {})

    def refund(self, order: Order, number: int) -> None:
        refund = order.refunds[number]
        amount: Any = {"amount": self._amount(refund.minor), "currency": self._currency(order)}
        given: Any = {"purchase": self.name(order.id), "amount": amount, "refunded_at": refund.at}
        purchases.refund_purchase(self.work, given | self.name(f"{order.id}/{number}"))

    def void(self, order: Order) -> None:
        purchases.void_purchase(self.work, {"purchase": self.name(order.id), "reason": "Typed twice."})

    def resolve(self, touch: Touch) -> None:
        given: Any = {"touchpoint": self.name(touch.id), "resolved_at": touch.resolved_at}
        touchpoints.resolve_complaint(self.work, given)

    def retract(self, touch: Touch) -> None:
        touchpoints.retract_touchpoint(self.work, {"touchpoint": self.name(touch.id), "reason": "Another's."})

    def say(self, word: Word) -> None:
        said = {"purpose": word.purpose, "channel": word.channel, "state": word.state, "at": word.at}
        customers.record_consent(self.work, {"customer": {"id": self.customer}, **said})  # type: ignore[typeddict-item]

    def _amount(self, minor: int) -> Decimal:
        return Decimal(minor).scaleb(-self.work.org.exponent)

    def _currency(self, order: Order) -> str:
        if order.reporting_minor == order.gross_minor:
            return self.currency
        return FOREIGN[self.currency][order.reporting_minor is None]


def need_of(history: History) -> str | None:
    return next((touch.id for touch in history.touches if touch.kind == "NEED"), None)


def write(shop: Shop, told: Sequence[History], now: datetime = LATER) -> dict[str, str]:
    """Customers with all that happened to them, by the batch where there are batches."""
    ids = enter(shop, told, now)
    with shop.working(now) as at_work:
        scribes = [Scribe(at_work, ids[name], shop.org.currency, f"{name}/{shop.org.id}") for name in ids]
        pairs = list(zip(scribes, told, strict=True))
        touches = [scribe.touch_row(touch) for scribe, history in pairs for touch in history.touches]
        orders = [scribe.order_row(order, need_of(history)) for scribe, history in pairs for order in history.orders]
        for record, rows in ((touchpoints.record_touchpoints, touches), (purchases.record_purchases, orders)):
            answer = record(at_work, {"rows": rows, "on_error": "REJECT_ALL"}, limit=None)  # type: ignore[operator]
            assert answer["recorded"] == len(rows), [row for row in answer["rows"] if row["user_errors"]][:3]
        for scribe, history in pairs:
            for _, step in _afterwards(scribe, history):
                step()
            for word in history.words:
                scribe.say(word)
    if len(told) > MANY:
        # As whoever brings in many does: a plan that was made of empty tables is kept, and takes seconds of full ones.
        analyze(shop.engine)
    return ids


Event = tuple[str, Callable[[], Any]]


def _afterwards(scribe: Scribe, history: History) -> Iterator[Event]:
    """What follows on an event that is recorded, each with the event's id."""
    for order in history.orders:
        for number in range(len(order.refunds)):
            yield order.id, lambda order=order, number=number: scribe.refund(order, number)  # type: ignore[misc]
        if order.voided:
            yield order.id, lambda order=order: scribe.void(order)  # type: ignore[misc]
    for touch in history.touches:
        if touch.resolved_at:
            yield touch.id, lambda touch=touch: scribe.resolve(touch)  # type: ignore[misc]
    for touch in history.touches:
        if touch.retracted:
            yield touch.id, lambda touch=touch: scribe.retract(touch)  # type: ignore[misc]


def one_by_one(scribe: Scribe, history: History, rng: Random) -> Iterator[Callable[[], Any]]:
    """All that happened, each event by itself and in any order in which it can be told."""
    waiting = _events(scribe, history)
    done: set[str | None] = set()
    while waiting:
        chosen = rng.choice([each for each in waiting if each[1] <= done])
        waiting.remove(chosen)
        done.add(chosen[0])
        yield chosen[2]


def _events(scribe: Scribe, history: History) -> list[tuple[str, set[str | None], Callable[[], Any]]]:
    """Each event with its id, what must have been told before it, and how it is told."""
    found: list[tuple[str, set[str | None], Callable[[], Any]]] = []
    need, work = need_of(history), scribe.work
    # Of two surveys or words at one instant the one recorded later holds.
    last: dict[str, str] = {}
    for touch in history.touches:
        after: set[str | None] = {touch.reply_to, last.get(touch.kind) if touch.kind == "SURVEY" else None}
        last[touch.kind] = touch.id
        found.append((touch.id, after, partial(touchpoints.record_touchpoint, work, scribe.touch_row(touch))))
    for order in history.orders:
        row = scribe.order_row(order, need)
        found.append((order.id, {need if order.tailored else None}, partial(purchases.record_purchase, work, row)))
    for before, word in zip([None, *history.words], history.words, strict=False):
        found.append((word.id, {before and before.id}, partial(scribe.say, word)))
    links: set[str | None] = {touch.id for touch in history.touches if touch.reply_to}
    links |= {order.id for order in history.orders if order.tailored}
    taken_out = {touch.id for touch in history.touches if touch.retracted}
    for number, (key, step) in enumerate(_afterwards(scribe, history)):
        # What is answered can be taken out only afterwards, as a complaint that is to be resolved.
        earlier: set[str | None] = {f"{key}!{n}" for n in range(number)} & {each[0] for each in found}
        found.append((f"{key}!{number}", {key} | (links | earlier if key in taken_out else set()), step))
    return [(key, after - {None}, step) for key, after, step in found]
