"""Every family of boundaries holds through GraphQL by real events too, and from their very instants on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from tests.conftest import BACKENDS
from tests.histories import write
from tests.house import Shop, house
from tests.oracle.facts import Facts, printed_facts
from tests.oracle.given import SHANGHAI, TODAY, ago
from tests.oracle.history import History, Order, Refund, Touch, Word
from tests.reading import JUDGED, default_policy, differences, expected, leaf, read_all, selection

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
backends = pytest.mark.parametrize("backend", BACKENDS)


def at(days: int, time: str = "10:00") -> datetime:
    """So many days ago, in Shanghai; NOON is eight in the evening there."""
    hour, _, minute = time.partition(":")
    day = datetime(TODAY.year, TODAY.month, TODAY.day, int(hour), int(minute), tzinfo=SHANGHAI)
    return (day - timedelta(days=days)).astimezone(UTC)


class Life:
    """A history in the making, an event a word."""

    def __init__(self, **known: Any) -> None:
        self.history = History(**known)

    def bought(self, days: int, gross: int = 100_00, time: str = "10:00", **more: Any) -> "Life":
        orders = self.history.orders
        orders.append(Order(f"pur-{len(orders)}", at(days, time), gross, more.pop("reporting", gross), **more))
        return self

    def refunded(self, days: int, minor: int, time: str = "12:00") -> "Life":
        self.history.orders[-1].refunds.append(Refund(at(days, time), minor))
        return self

    def had(self, kind: str, days: int, direction: str = "INBOUND", time: str = "10:00", **more: Any) -> "Life":
        touches = self.history.touches
        touches.append(Touch(f"tou-{len(touches)}", kind, "EMAIL", direction, at(days, time), **more))
        return self

    def said(self, state: str, days: int, channel: str = "EMAIL", purpose: str = "MARKETING") -> "Life":
        words = self.history.words
        words.append(Word(f"con-{len(words)}", purpose, channel, state, at(days)))
        return self


def bought_often(last: int = 0, span: int = 180, **known: Any) -> Life:
    life = Life(**known)
    for days in (last + span, last + 2, last + 1, last):
        life.bought(days)
    return life


def close(inbound: int = 1, need: int = 1, dialogues: tuple[int, ...] = (1, 1, 1)) -> Life:
    life = Life().bought(1).bought(0).had("MESSAGE", inbound).had("NEED", need, "OUTBOUND")
    for days in dialogues:
        life.had("CALL", days, "OUTBOUND")
    return life


def surveys(*answers: int | None, csat: int | None = None) -> Life:
    life = Life().bought(0)
    for answer in answers:
        life.had("SURVEY", 3, nps=answer, csat=csat)
    return life


LIVED: list[tuple[Life, dict[str, Any]]] = [
    # Stages, by days and by hours: the day is Shanghai's.
    (Life(), {"lifecycle.stage": "PROSPECT", "relationship.tier": None, "value.score": None}),
    (Life().bought(90, time="0:00"), {"lifecycle.stage": "NEW", "lifecycle.tenureDays": 90}),
    (Life().bought(91, time="23:59"), {"lifecycle.stage": "ACTIVE", "lifecycle.tenureDays": 91}),
    (Life().bought(365, time="0:00"), {"lifecycle.stage": "ACTIVE", "value.churnRisk": 1.0, "value.rfm.recency": 2}),
    (Life().bought(366, time="23:59"), {"lifecycle.stage": "CHURNED", "value.rfm.recency": 1}),
    (bought_often(), {"lifecycle.stage": "LOYAL", "lifecycle.phase": "MATURITY", "value.rfm.frequency": 3}),
    (bought_often(span=179), {"lifecycle.stage": "ACTIVE"}),
    (bought_often(180), {"lifecycle.phase": "MATURITY"}),
    (bought_often(181), {"lifecycle.phase": "DECLINE", "lifecycle.nextAction": "PREVENT_TERMINATION"}),
    (Life(terminated_on=TODAY), {"lifecycle.stage": "CHURNED", "lifecycle.nextAction": "WIN_BACK"}),
    (Life(terminated_on=ago(-1)), {"lifecycle.stage": "PROSPECT"}),
    (Life(terminated_on=ago(5)).bought(5), {"lifecycle.stage": "CHURNED", "value.churnRisk": 1.0}),
    (Life(terminated_on=ago(6)).bought(5), {"lifecycle.stage": "NEW"}),
    # Refunds: a whole one takes the occasion away, from its instant on; a part does not.
    (Life().bought(5).refunded(0, 100_00, "19:59"), {"facts.keptOrders": 0, "lifecycle.stage": "PROSPECT"}),
    (Life().bought(5).refunded(0, 99_99), {"facts.keptOrders": 1, "facts.net.amount": "0.01"}),
    (
        Life().bought(5, 3, reporting=1).refunded(4, 1).refunded(3, 1),
        {"facts.refunded.amount": "0.01", "facts.net.amount": "0.00", "facts.keptOrders": 1},
    ),
    (Life().bought(5, 0), {"facts.keptOrders": 1, "facts.averageOrderValue.amount": "0.00"}),
    (Life().bought(5, voided=True), {"facts.keptOrders": 0, "facts.gross.amount": "0.00"}),
    (
        Life().bought(5, reporting=None),
        {
            "facts.unconvertedOrders": 1,
            "facts.averageOrderValue": None,
            "value.rfm.monetary": 1,
            "value.rfm.recency": 5,
        },
    ),
    (
        Life().bought(5, 100_00).bought(5, 100_01),
        {"facts.occasions": 1, "facts.keptOrders": 2, "facts.averageOrderValue.amount": "100.01"},
    ),
    (Life().bought(6, time="23:59").bought(5, time="0:00"), {"facts.occasions": 2}),
    # Tiers: the windows' last days, and committed instead of in contact.
    (close(), {"relationship.tier": "CUSTOMER"}),
    (close(inbound=365, need=365), {"relationship.tier": "CUSTOMER"}),
    (close(inbound=366), {"relationship.tier": "BUYER"}),
    (close(inbound=366).had("QUOTE_ACCEPTED", 700, "OUTBOUND"), {"relationship.tier": "CUSTOMER"}),
    (close().had("CO_CREATION", 730), {"relationship.tier": "CLIENT"}),
    (close(dialogues=(365, 365, 365)).had("REFERRAL", 730), {"relationship.tier": "CLIENT"}),
    (close(dialogues=(366, 365, 365)).had("CO_CREATION", 0), {"relationship.tier": "CUSTOMER"}),
    (close(need=366).had("CO_CREATION", 0), {"relationship.tier": "CUSTOMER"}),
    (close().had("CO_CREATION", 731), {"relationship.tier": "CUSTOMER"}),
    (close().bought(0, tailored=True), {"relationship.tier": "CLIENT"}),
    (close().bought(0, 1_00, tailored=True).refunded(0, 1_00), {"relationship.tier": "CUSTOMER"}),
    (close().had("CO_CREATION", 730).had("CO_CREATION", 730), {"relationship.tier": "PARTNER"}),
    (close().had("CO_CREATION", 730).had("CO_CREATION", 731), {"relationship.tier": "CLIENT"}),
    (
        close().had("CO_CREATION", 1).had("CO_CREATION", 1).had("SURVEY", 180, nps=6),
        {"relationship.tier": "CLIENT", "lifecycle.phase": "DECLINE"},
    ),
    (
        close().had("CO_CREATION", 1).had("CO_CREATION", 1).had("SURVEY", 181, nps=6),
        {"relationship.tier": "PARTNER", "lifecycle.phase": "SIGNING"},
    ),
    # Complaints.
    (
        Life().bought(0).had("COMPLAINT", 14),
        {"lifecycle.phase": "SIGNING", "lifecycle.nextAction": "RESOLVE_COMPLAINT"},
    ),
    (Life().bought(0).had("COMPLAINT", 15), {"lifecycle.phase": "DECLINE", "value.churnRisk": 0.15}),
    (
        Life().bought(0).had("COMPLAINT", 15, resolved_at=NOON),
        {"lifecycle.phase": "SIGNING", "facts.openComplaints": 0},
    ),
    # Answers: the latest has the last word, one without an answer none.
    (surveys(6, 9), {"facts.nps": 9, "value.score": 33.3333}),
    (surveys(9, 6), {"facts.nps": 6, "value.score": 23.3333, "lifecycle.nextAction": "RECOVER_DISSATISFIED"}),
    (surveys(7, None), {"facts.nps": 7, "value.health": 79.1667, "value.healthCoverage": 1.0}),
    (surveys(None), {"facts.nps": None, "value.health": 77.7778, "value.healthCoverage": 0.75}),
    # The six latest, and the days of windows.
    (Life().bought(0).had("MESSAGE", 90), {"facts.inboundLast90Days": 1, "value.score": 26.6667}),
    (Life().bought(0).had("MESSAGE", 91), {"facts.inboundLast90Days": 0, "value.score": 25.0}),
    # Words.
    (Life().said("GRANTED", 2).said("WITHDRAWN", 1), {"facts.contactable": False}),
    (Life().said("WITHDRAWN", 1).said("GRANTED", 2, "SMS"), {"facts.contactable": True}),
    (Life().said("GRANTED", 2, purpose="SERVICE"), {"facts.contactable": False}),
    (Life(suppressed=True).said("GRANTED", 2), {"facts.contactable": False}),
    (Life(terminated_on=ago(9)).said("GRANTED", 20).had("MESSAGE", 10), {"lifecycle.deliverable": False}),
    (Life(terminated_on=ago(9)).said("GRANTED", 20).had("MESSAGE", 9, time="0:00"), {"lifecycle.deliverable": True}),
    # What it is worth to them.
    (
        Life().had("SURVEY", 3, quality=Decimal("1.15"), price=Decimal("0.9")).had("SURVEY", 1, quality=Decimal(9)),
        {"value.perceived.ratio": 1.2778, "value.perceived.answeredOn": "2026-06-28"},
    ),
]


@cache
def lived(backend: str) -> Shop:
    found = house(backend).shop("Asia/Shanghai")
    write(found, [life.history for life, _ in LIVED])
    return found


def paths() -> list[str]:
    return sorted({path for _, says in LIVED for path in says} - {"facts.averageOrderValue"} | {*JUDGED})


@backends
def test_every_family_of_boundaries_holds_by_real_events(backend: str) -> None:
    rows = read_all(lived(backend), selection([*paths(), "facts.averageOrderValue.amount"]), NOON)
    for place, (row, (_, says)) in enumerate(zip(rows, LIVED, strict=True)):
        assert {path: leaf(row, path) for path in says} == says, place


@backends
def test_what_happens_holds_from_its_very_instant_on(backend: str) -> None:
    here = lived(backend)
    lives = [life.history for life, _ in LIVED]
    instants = {refund.at for life in lives for order in life.orders for refund in order.refunds}
    instants |= {word.at for life in lives for word in life.words} | {NOON, at(90, "0:00"), at(15), at(0)}
    every = list(printed_facts(Facts(), 2)) + list(JUDGED)
    for instant in sorted({moment - tick for moment in instants for tick in (timedelta(0), MICROSECOND)}):
        rows = read_all(here, selection(every), as_of=instant)
        for row, life in zip(rows, lives, strict=True):
            got = {path: leaf(row, path) for path in every}
            assert differences(got, expected(life, instant, here, default_policy(2))) == {}, (instant, life)
