"""Whatever happens to a customer names that customer; what happens to nobody in particular names nobody."""

from typing import Any

import pytest
from sqlalchemy import select

from app.customers import actions as customers
from app.platform.audit import AuditEntry
from app.platform.ids import key_of
from app.platform.work import Work
from app.touchpoints import actions as touchpoints
from schema.policies import EVENTS
from tests.conftest import NOW, Begin
from tests.customers.acting import create, update
from tests.loyalty import acting as loyalty
from tests.purchases import acting as purchases

NOBODYS = {"policy", "segment", "loyalty_program", "reward", "campaign"}


@pytest.fixture
def trail(begin: Begin) -> Any:
    """One of each thing that can happen: the entries of the trail, and the two customers."""
    with begin() as work:
        ana, bo = create(work), create(work, "Bo")
        _profile(work, ana)
        _contacts(work, ana)
        order = purchases.buy(work, ana, purchases.line("20.00"))
        purchases.refund(work, order, "5.00")
        purchases.void(work, order)
        _points(work, ana, bo)
        entries = work.session.scalars(select(AuditEntry).where(AuditEntry.org_id == work.org.id)).all()
        return entries, key_of(ana, "cus"), key_of(bo, "cus")


def _profile(work: Work, ana: str) -> None:
    mine: Any = {"customer": {"id": ana}, "expected_version": None}
    update(work, ana, name="Anna")
    customers.terminate_customer(work, {**mine, "terminated_on": NOW.date(), "reason": None})
    customers.reinstate_customer(work, mine)
    customers.archive_customer(work, {**mine, "reason": None})
    customers.restore_customer(work, {"id": ana})
    word: Any = {"customer": {"id": ana}, "purpose": "MARKETING", "channel": "EMAIL", "state": "GRANTED"}
    customers.record_consent(work, word)


def _contacts(work: Work, ana: str) -> None:
    said: Any = {"customer": {"id": ana}, "kind": "COMPLAINT", "channel": "PHONE", "direction": "INBOUND"}
    complaint: Any = {"id": touchpoints.record_touchpoint(work, said)["touchpoint"]}
    touchpoints.resolve_complaint(work, {"touchpoint": complaint})
    touchpoints.retract_touchpoint(work, {"touchpoint": complaint, "reason": "typed twice"})


def _points(work: Work, ana: str, bo: str) -> None:
    program = loyalty.program(work)
    account, other = (loyalty.member(work, program, each) for each in (ana, bo))
    loyalty.earn(work, account, 500)
    loyalty.reverse(work, loyalty.redeem(work, account, 10), 10)
    loyalty.capture(work, loyalty.reserve(work, account, 10), 5)
    loyalty.void(work, loyalty.reserve(work, account, 10))
    loyalty.adjust(work, account, 7)
    loyalty.transfer(work, account, other, 20)
    loyalty.close(work, account)


def test_each_event_names_whom_it_concerns(trail: Any) -> None:
    entries, ana, bo = trail
    words = {entry.event.partition(".")[0] for entry in entries}
    assert words <= NOBODYS | {*EVENTS}
    # Nothing that is told to somebody is left out above.
    assert {*EVENTS} <= words
    for word in words - NOBODYS:
        mine = [entry for entry in entries if entry.event.startswith(f"{word}.")]
        # Of several subjects the first names the customer: one event is one hint.
        assert {entry.customer_id for entry in mine} - {None} <= {ana, bo}
        for event in {entry.event for entry in mine}:
            assert [entry for entry in mine if entry.event == event and entry.customer_id], event
    assert all(entry.customer_id is None for entry in entries if entry.event.partition(".")[0] in NOBODYS)
    moved = [entry.customer_id for entry in entries if entry.event == "points.transferred"]
    assert sorted(moved, key=str) == sorted((ana, bo), key=str)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("points.redeemed", "red"),
        ("redemption.reversed", "red"),
        ("points.reserved", "res"),
        ("reservation.captured", "res"),
        ("reservation.voided", "res"),
    ],
)
def test_an_entry_says_what_of_an_account_was_made_or_changed(trail: Any, event: str, kind: str) -> None:
    entries = [entry for entry in trail[0] if entry.event == event]
    assert entries
    for entry in entries:
        assert entry.subject.startswith("acc_")
        assert entry.detail.startswith(f"{kind}_")
