"""Whoever reads a book has what fell due posted first, and what he is told is as if that had been done long ago."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine

from app.loyalty.posting import post_due
from app.platform.access import Org
from app.platform.database import instant_text
from app.platform.work import operator, work
from tests.conftest import NOW, Begin
from tests.loyalty import acting as a
from tests.loyalty.conftest import Desk
from tests.loyalty.life import DAY
from tests.loyalty.test_reads import lived

BOOKS = """query($asOf: DateTime) { customers(first: 9, asOf: $asOf) { nodes { loyaltyAccounts(first: 3) { nodes {
  liveId balance { available pending reserved debt }
  entries(first: 100) { totalCount nodes { kind debit credit points effectiveOn recordedAt
    balance { available pending reserved debt } } } } } } } }"""


@pytest.mark.parametrize("seed", range(2))
async def test_what_has_fallen_due_is_an_entry_whoever_reads_it_first(
    desk: Desk, begin: Begin, engine: Engine, org: Org, seed: int
) -> None:
    rng = Random(seed)
    lived(begin, rng)
    now = NOW + timedelta(days=90)
    instants = [NOW + timedelta(days=rng.randint(-19, 90), seconds=rng.randint(0, 86_399)) for _ in range(4)]
    instants = sorted(at for at in instants if at < now)
    # An earlier one, read later, and a few at once.
    read = [desk.read(BOOKS, now=now, asOf=instant_text(at)) for at in (*instants[1:], *instants)]
    first = (await asyncio.gather(*read))[-len(instants) :]
    last = await desk.read(BOOKS, now=now)
    assert post_due(engine, org, lambda: now) <= len(_accounts(last))
    assert [await desk.read(BOOKS, now=now, asOf=instant_text(at)) for at in instants] == first
    assert await desk.read(BOOKS, now=now) == last
    fell_due = {"ACTIVATE", "EXPIRE", "VOID"}
    assert fell_due & {entry["kind"] for account in _accounts(last) for entry in account["entries"]["nodes"]}
    for account in [account for said in (*first, last) for account in _accounts(said)]:
        book = account["entries"]
        assert book["totalCount"] == len(book["nodes"])
        assert max((entry["recordedAt"] for entry in book["nodes"]), default="") <= instant_text(now)
        if book["nodes"]:
            assert book["nodes"][0]["balance"] == account["balance"]


def _accounts(said: Any) -> list[Any]:
    return [account for customer in said["customers"]["nodes"] for account in customer["loyaltyAccounts"]["nodes"]]


ENTRIES = "query($id: ID!) { loyaltyAccount(by: {id: $id}) { entries(first: 9) { nodes { kind recordedAt } } } }"


def _member(begin: Begin, *lasts: date) -> str:
    """One with as many lots, of which each is gone on such a day."""
    with begin(now=NOW - 10 * DAY) as work:
        account = a.member(work, a.program(work))
        for last in lasts:
            a.earn(work, account, 5, expires_on=last)
    return account


async def test_the_next_page_is_that_of_the_first_ones_clock(desk: Desk, begin: Begin) -> None:
    with begin(now=NOW - 10 * DAY) as work:
        program = a.program(work)
        for n in range(9):
            account = a.member(work, program)
            a.earn(work, account, 5, expires_on=(NOW - 2 * DAY).date())
            a.earn(work, account, 100 + n, expires_on=(NOW + DAY).date())
    order = "orderBy: [{field: BALANCE_AVAILABLE, direction: DESC}]"
    page = f"""query($after: String) {{ loyaltyAccounts(first: 2, after: $after, {order}) {{
      nodes {{ balance {{ available }} entries(first: 5) {{ totalCount }} }} pageInfo {{ endCursor }} }} }}"""
    first = (await desk.read(page))["loyaltyAccounts"]
    # Meanwhile the others expire too.
    later = NOW + 2 * DAY
    second = (await desk.read(page, now=later, after=first["pageInfo"]["endCursor"]))["loyaltyAccounts"]
    assert [node["balance"]["available"] for node in (*first["nodes"], *second["nodes"])] == [108, 107, 106, 105]
    assert {node["entries"]["totalCount"] for node in (*first["nodes"], *second["nodes"])} == {3}


@asynccontextmanager
async def _in_use(engine: Engine, org: Org, account: str) -> AsyncIterator[None]:
    """Somebody else is in the middle of something with it."""
    begun, ended = Event(), Event()

    def hold() -> None:
        with work(engine, operator(org), NOW - 9 * DAY) as held:
            a.earn(held, account, 1)
            begun.set()
            ended.wait(10)

    other = Thread(target=hold)
    other.start()
    try:
        await asyncio.to_thread(begun.wait)
        yield
    finally:
        ended.set()
        await asyncio.to_thread(other.join)


async def test_a_book_that_another_has_in_use_is_read_once_he_is_done(
    desk: Desk, begin: Begin, engine: Engine, org: Org
) -> None:
    account = _member(begin, (NOW - 2 * DAY).date())
    async with _in_use(engine, org, account):
        reading = [asyncio.create_task(desk.read(ENTRIES, id=account)) for _ in range(60)]
        await asyncio.sleep(0.3)
        # Nobody else waits with them: a document that is new is looked through in a thread.
        async with asyncio.timeout(5):
            await desk.post("{ viewer { organization { name timeZone } } }")
        assert not any(each.done() for each in reading)
    for said in await asyncio.gather(*reading):
        kinds = [entry["kind"] for entry in said["loyaltyAccount"]["entries"]["nodes"]]
        assert sorted(kinds) == ["EARN", "EARN", "EXPIRE"]


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_one_who_never_lets_go_is_not_waited_for_for_ever(
    desk: Desk, begin: Begin, engine: Engine, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.query.fetch._PAUSES", (0, 0.01))
    account = _member(begin, (NOW - 2 * DAY).date())
    async with _in_use(engine, org, account):
        [error] = (await desk.post(ENTRIES, {"id": account}))["errors"]
        assert error["extensions"]["code"] == "TIMEOUT"


async def test_what_is_posted_for_a_day_of_the_past_is_recorded_now(desk: Desk, begin: Begin) -> None:
    account = _member(begin, (NOW - 8 * DAY).date(), (NOW - 2 * DAY).date())
    ask = ENTRIES.replace("$id: ID!", "$id: ID!, $asOf: DateTime").replace("{id: $id}", "{id: $id}, asOf: $asOf")
    said = await desk.read(ask, id=account, asOf=instant_text(NOW - 5 * DAY))
    [expired, *_] = said["loyaltyAccount"]["entries"]["nodes"]
    assert expired == {"kind": "EXPIRE", "recordedAt": instant_text(NOW)}
    said = await desk.read(ENTRIES, id=account)
    assert [entry["kind"] for entry in said["loyaltyAccount"]["entries"]["nodes"]] == [
        "EXPIRE",
        "EXPIRE",
        "EARN",
        "EARN",
    ]
