"""What was read as of an instant is read so ever after, whoever wrote just then, and to whatever process."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from threading import Event as ThreadEvent
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from anyio.to_thread import run_sync
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import DBAPIError

from app.loyalty import finality
from app.loyalty.books import Books
from app.loyalty.finality import RECENT, Finality, PointsFinality
from app.loyalty.tables import LoyaltyAccount, LoyaltyProgram, LoyaltyTerms, PointsEntry
from app.platform.access import Org
from app.platform.away import away
from app.platform.database import instant_text
from app.platform.ids import key_of, new_id
from app.platform.work import operator, work
from app.query import fetch
from schema import mutation
from tests.api.acting import Shop, by, line
from tests.client import Client, application
from tests.conftest import Begin
from tests.house import FULL
from tests.loyalty import acting
from tests.loyalty.sending import answered, customer_of, new_customer, new_member, new_program

Do = Callable[[str, Any], Awaitable[Any]]
SECONDS = 6 if FULL else 1.5
MEMBERS = 6
AS_THEN = """query($asOf: DateTime!) {
  loyaltyPrograms { trialBalance(asOf: $asOf) { account points } }
  loyaltyAccounts(first: 50, asOf: $asOf) { totalCount nodes { liveId number status level { name }
    balance { available pending reserved debt lifetimeEarned } entries(first: 100) { totalCount nodes {
      id kind recordedAt } } }
  } }"""
BELOW = "query($asOf: DateTime!) { loyaltyPrograms { trialBalance(asOf: $asOf) { account points } } }"


async def _act(do: Do, dice: Random, member: Any, other: Any, buyer: Any) -> None:
    """One of all that moves points, and what undoes a part of it."""
    what = dice.choice(("earn", "hold", "spend", "buy", "adjust", "transfer"))
    if what == "earn":
        await do("pointsEarn", {"account": member, "points": 5, "reason": "Review"})
    elif what == "hold":
        held = await do("pointsReserve", {"account": member, "points": 3})
        given = {"reservationId": held["reservation"]["id"]}
        await (do("reservationCapture", given | {"points": 2}) if dice.randrange(2) else do("reservationVoid", given))
    elif what == "spend":
        spent = await do("pointsRedeem", {"account": member, "spend": {"points": 4}})
        await do("redemptionReverse", {"redemptionId": spent["redemption"]["id"], "points": 2})
    elif what == "buy":
        bought = {"customer": buyer, "currency": "EUR", "lines": [line("7")]}
        purchase = by((await do("purchaseRecord", bought))["purchase"]["id"])
        await do("purchaseRefund", {"purchase": purchase, "amount": {"amount": "3", "currency": "EUR"}})
    elif what == "adjust":
        await do("pointsAdjust", {"account": member, "points": dice.choice((-2, 2)), "reason": "Counted"})
    else:
        await do("pointsTransfer", {"from": member, "to": other, "points": 2})


async def test_what_was_read_as_of_an_instant_is_read_so_ever_after(shop: Shop) -> None:
    shop = shop.renewed(None)
    app = application(shop.house.url)
    other = Client(app, shop.key, None)
    level = {"name": "Gold", "rank": 1, "qualifyPoints": 40, "retainPoints": 10, "multiplier": "1", "benefits": []}
    program = await new_program(shop, levels=[level])
    members = [await new_member(shop, program, points=1000) for _ in range(MEMBERS)]
    buyers = [await customer_of(shop, member) for member in members]
    numbers, ends = count(), asyncio.get_running_loop().time() + SECONDS
    writer = Shop(shop.house, shop.org, shop.key, None)
    writer.http = other.http

    async def done(by_whom: Shop, field: str, given: Any) -> Any:
        answer = await answered(by_whom, field, given, f"it-{next(numbers)}")
        assert "errors" not in answer, answer["errors"]
        assert answer["data"][field]["userErrors"] == []
        return answer["data"][field]

    async def write(n: int) -> None:
        by_whom, dice = (shop, writer)[n % 2], Random(n)
        while asyncio.get_running_loop().time() < ends:
            place = dice.randrange(MEMBERS)
            other = by(members[place - 1])
            await _act(partial(done, by_whom), dice, by(members[place]), other, by(buyers[place]))
            if dice.randrange(30) == 0:
                opened = {"programId": program, "customer": by(await new_customer(by_whom))}
                account = by((await done(by_whom, "loyaltyAccountOpen", opened))["account"]["id"])
                await done(by_whom, "pointsEarn", {"account": account, "points": 5, "reason": "Review"})
                await done(by_whom, "loyaltyAccountClose", {"account": account})
                terms = {"levels": [level | {"qualifyPoints": 40 + next(numbers)}]}
                await done(by_whom, "loyaltyProgramUpdate", {"id": program, "set": terms})

    async def read(n: int) -> list[tuple[str, str, Any]]:
        asks, text = (shop, other)[n % 2], (AS_THEN, AS_THEN, BELOW)[n]
        found = []
        while asyncio.get_running_loop().time() < ends:
            instant = instant_text(datetime.now(UTC))
            found.append((text, instant, await asks.ask(text, asOf=instant)))
        return found

    writes = [asyncio.create_task(write(n)) for n in range(8)]
    read_then = [each for some in await asyncio.gather(*(read(n) for n in range(3))) for each in some]
    await asyncio.gather(*writes)
    # Something was written between them, on however slow a machine.
    assert len({str(said) for *_, said in read_then}) > 1
    # Spread over the whole time, and no more than can be asked again at once.
    some = read_then[:: max(1, len(read_then) // 150)]
    changed = [instant for text, instant, said in some if await shop.ask(text, asOf=instant) != said]
    assert changed == [], f"{len(changed)} of {len(some)}"
    await other.http.aclose()
    async with app.router.lifespan_context(app):
        pass


def _member(begin: Begin, now: datetime) -> str:
    with begin(now=now - timedelta(hours=1)) as at_work:
        account = acting.member(at_work, acting.program(at_work))
        acting.earn(at_work, account, 100)
    return account


def _last(begin: Begin, account: str) -> datetime:
    e = PointsEntry
    with begin() as at_work:
        mine = e.org_id == at_work.org.id, e.account_id == key_of(account, "acc")
        found: datetime = at_work.session.scalars(select(e.at).where(*mine).order_by(e.place.desc())).first()
        return found


def test_who_writes_is_waited_for_and_who_comes_later_takes_effect_behind(
    engine: Engine, org: Org, begin: Begin
) -> None:
    came = datetime.now(UTC)
    account, books = _member(begin, came), Finality(engine)
    with work(engine, operator(org), came) as early:
        acting.redeem(early, account, 10)
        instant = datetime.now(UTC)
        settling = Thread(target=books.settle, args=(org.id, instant))
        settling.start()
        settling.join(0.2)
        assert settling.is_alive()
        assert not books.holds(org.id, instant)
    settling.join(9)
    assert not settling.is_alive()
    assert books.holds(org.id, instant)
    assert _last(begin, account) == came
    # His request came before, and he has only now begun to write.
    with work(engine, operator(org), came) as late:
        acting.redeem(late, account, 10)
        program = acting.program(late)
        opened = acting.member(late, program)
    behind = _last(begin, account)
    assert instant < behind <= datetime.now(UTC) + timedelta(microseconds=1)
    a, t = LoyaltyAccount, LoyaltyTerms
    with begin() as at_work:
        mine = a.org_id == org.id, a.id == key_of(opened, "acc")
        assert at_work.session.scalars(select(a.opened_at).where(*mine)).one() == behind
        mine = t.org_id == org.id, t.program_id == key_of(program, "lpr")
        assert at_work.session.scalars(select(t.at).where(*mine)).one() == behind
        p = LoyaltyProgram
        mine = p.org_id == org.id, p.id == key_of(program, "lpr")
        assert at_work.session.scalars(select(p.created_at).where(*mine)).one() == behind
    # Another process knows of it.
    Finality(engine).settle(org.id, behind)
    with work(engine, operator(org), came) as later_still:
        acting.redeem(later_still, account, 10)
    assert _last(begin, account) > behind


def test_only_the_last_minutes_are_settled_and_a_clock_far_from_them_stays(
    engine: Engine, org: Org, begin: Begin
) -> None:
    now, books = datetime.now(UTC), Finality(engine)
    assert books.holds(org.id, now - RECENT - timedelta(seconds=1))
    assert books.holds(org.id, now + timedelta(hours=1))
    assert not books.holds(org.id, now - RECENT / 2)
    assert not books.holds(new_id(), now)
    account = _member(begin, now - timedelta(days=300))
    books.settle(org.id, now)
    at = now - timedelta(days=200)
    with work(engine, operator(org), at) as then:
        acting.redeem(then, account, 10)
    assert _last(begin, account) == at


def test_who_does_not_end_is_not_waited_for_for_ever(
    engine: Engine, org: Org, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.dialect.name == "sqlite":
        # Its one writer is waited for by everyone alike.
        return
    monkeypatch.setattr(finality, "LOCK_SECONDS", 0.1)
    now = datetime.now(UTC)
    account, books = _member(begin, now), Finality(engine)
    with work(engine, operator(org), now) as writing:
        Books(writing).open([key_of(account, "acc") or new_id()])
        with pytest.raises(TimeoutError):
            books.settle(org.id, now)
        # Nobody who writes is held up by that.
        with work(engine, operator(org), now) as another:
            acting.program(another)
    assert not books.holds(org.id, now)


@asynccontextmanager
async def somebody_writes(shop: Shop, member: str) -> AsyncIterator[None]:
    """And does not end until this does."""
    began, ends = ThreadEvent(), ThreadEvent()

    def writing() -> None:
        with work(shop.house.engine, operator(shop.org), datetime.now(UTC)) as at_work:
            acting.redeem(at_work, member, 1)
            began.set()
            ends.wait(20)

    thread = Thread(target=writing)
    thread.start()
    await run_sync(began.wait)
    try:
        yield
    finally:
        ends.set()
        await run_sync(thread.join)


async def test_a_reading_that_cannot_be_settled_is_a_typed_error(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LOCK_SECONDS", 0.3)
    shop = shop.renewed(None)
    member, now = await new_member(shop, await new_program(shop), points=10), datetime.now(UTC)
    async with somebody_writes(shop, member):
        instant = instant_text(datetime.now(UTC))
        for _ in range(2):
            assert await shop.refused(BELOW, asOf=instant) == ["TIMEOUT"]
        # What was read long since, or is of no books, or is read as it is now, need not be settled.
        await shop.ask(BELOW, asOf=instant_text(now - 2 * RECENT))
        await shop.ask("query($asOf: DateTime!) { customers(first: 1, asOf: $asOf) { nodes { name } } }", asOf=instant)
        await shop.ask(BELOW.replace("$asOf: DateTime!", "$asOf: DateTime"), asOf=None)
    instant = instant_text(datetime.now(UTC))
    assert await shop.ask(BELOW, asOf=instant) == await shop.ask(BELOW, asOf=instant)


async def test_however_many_wait_one_settles(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, asked = shop.renewed(None), list[datetime]()
    member = await new_member(shop, await new_program(shop), points=10)
    settle = Finality.settle

    def counted(self: Finality, org_id: UUID, instant: datetime) -> None:
        asked.append(instant)
        settle(self, org_id, instant)

    monkeypatch.setattr(Finality, "settle", counted)
    async with somebody_writes(shop, member):
        reading = [asyncio.create_task(shop.post(BELOW, {"asOf": instant_text(datetime.now(UTC))})) for _ in range(30)]
        monkeypatch.setattr(fetch, "LOCK_SECONDS", 0.2)
        # They give up, and leave it to go on; others wait for the same.
        for _ in range(3):
            assert await shop.refused(BELOW, asOf=instant_text(datetime.now(UTC))) == ["TIMEOUT"]
        assert len(asked) == 1
        monkeypatch.undo()
    assert ["data" in answer for answer in await asyncio.gather(*reading)] == [True] * 30


async def test_a_change_of_terms_shows_what_it_changed_to(shop: Shop) -> None:
    shop = shop.renewed(None)
    level = {"name": "Gold", "rank": 1, "qualifyPoints": 40, "retainPoints": 10, "multiplier": "1", "benefits": []}
    program = await new_program(shop, levels=[level])
    with work(shop.house.engine, operator(shop.org), datetime.now(UTC)) as at_work:
        # Of a server whose clock is ahead.
        row = {"org_id": shop.org.id, "until": datetime.now(UTC) + RECENT / 2}
        at_work.session.execute(insert(PointsFinality), row)
    given = {"id": program, "set": {"levels": [level | {"name": "Platinum"}]}}
    changed = await shop.do("loyaltyProgramUpdate", given, "program { version levels { name } }")
    assert changed["program"] == {"version": 2, "levels": [{"name": "Platinum"}]}
    read = await shop.ask("{ loyaltyPrograms { version levels { name } } }")
    assert read["loyaltyPrograms"] == [changed["program"]]


def test_a_clock_that_was_wrong_is_not_believed(engine: Engine, org: Org, begin: Begin) -> None:
    now = datetime.now(UTC)
    account = _member(begin, now - timedelta(minutes=1))
    with begin(now=now) as at_work:
        wrong = {"org_id": org.id, "until": now + timedelta(days=1)}
        at_work.session.execute(insert(PointsFinality), wrong)
    books, instant = Finality(engine), datetime.now(UTC)
    books.settle(org.id, instant)
    with work(engine, operator(org), now) as late:
        acting.redeem(late, account, 10)
    assert instant < _last(begin, account) < instant + RECENT


async def test_a_command_that_came_long_ago_is_not_begun(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    member = await new_member(shop, await new_program(shop), points=10)
    before = shop.rows()
    monkeypatch.setattr(mutation, "LATEST_SECONDS", -1.0)
    for field, given in (
        ("pointsRedeem", {"account": by(member), "spend": {"points": 1}}),
        ("pointsAdjust", {"account": by(member), "points": 1, "reason": "Counted"}),
        ("customerCreate", {"name": "Ana"}),
    ):
        answer = await answered(shop, field, given, f"late-{field}")
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
    assert shop.rows() == before
    monkeypatch.undo()
    spent = {"account": by(member), "spend": {"points": 1}}
    redeemed = await answered(shop, "pointsRedeem", spent, "late-pointsRedeem")
    assert redeemed["data"]["pointsRedeem"]["userErrors"] == []


def test_what_a_server_has_begun_that_stands_still_is_undone(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        # Its lock is a file's, and nobody takes that from who stands still.
        return
    with engine.connect() as connection:
        connection.exec_driver_sql("SET idle_in_transaction_session_timeout = '50ms'")
        connection.commit()
        connection.exec_driver_sql("SELECT 1")
        time.sleep(0.5)
        with pytest.raises(DBAPIError) as ended:
            connection.exec_driver_sql("SELECT 1")
        assert away(ended.value)
        connection.invalidate()
    with engine.connect() as connection:
        stood = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
        isolation = connection.exec_driver_sql("SHOW default_transaction_isolation").scalar()
    assert (stood, isolation) == ("2min", "read committed")
