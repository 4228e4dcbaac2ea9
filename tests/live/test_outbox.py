"""What is committed is told: all of it, once, to whom it belongs, and in order for each customer."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import uvloop
from sqlalchemy import Engine, select, text

from app.customers.lookup import lock
from app.customers.tables import Customer
from app.platform import outbox
from app.platform.access import Org
from app.platform.database import connect
from app.platform.ids import key_of
from app.platform.live import LONGEST_LINE, POLL_SECONDS, Live, Stopping, Subscriber, TooSlow
from app.platform.outbox import AT_ONCE
from app.platform.work import operator, work
from tests.conftest import NOW, Begin
from tests.customers.acting import create

WRITERS, EACH = 6, 40
Open = Callable[..., Any]


@pytest.fixture
async def live(engine: Engine, database_url: str) -> AsyncIterator[Live]:
    made = Live(engine, database_url)
    yield made
    await made.close()


@pytest.fixture
def people(begin: Begin) -> list[UUID]:
    with begin() as unit:
        return [_key(create(unit, name)) for name in ("Ana", "Bo", "Cy", "Di")]


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[Engine]:
    """Another process, as far as this one can tell."""
    made = connect(database_url)
    yield made
    made.dispose()


@asynccontextmanager
async def listening(live: Live, org: Org, ids: Any = None) -> AsyncIterator[Subscriber]:
    subscriber = await live.subscribe(org.id, ids)
    yield subscriber
    live.unsubscribe(subscriber)


async def heard(subscriber: Subscriber, count: int, seconds: float = 20) -> list[tuple[UUID, str]]:
    """So many changes, and none too many."""
    found = []
    until = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        change = await subscriber.next(0.5)
        if change is not None:
            found.append((change.customer_id, change.event))
    assert await subscriber.next(0.3) is None
    return found


def say(engine: Engine, org: Org, *told: tuple[UUID, str]) -> None:
    with work(engine, operator(org), NOW) as unit:
        for customer, event in told:
            unit.announce(event, "it", customers=[customer])


async def test_nothing_is_missed_and_each_customer_is_told_in_order(
    live: Live, engine: Engine, org: Org, people: list[UUID]
) -> None:
    """Many write about few: each numbers what it says while it has the customer."""
    said: Counter[UUID] = Counter()

    def write(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(EACH):
            customer = dice.choice(people)
            with work(engine, operator(org), NOW) as unit:
                # On PostgreSQL it has its number from here on, and waits for the customer afterwards.
                unit.announce("tested.before", "it")
                time.sleep(dice.random() * 0.01)
                lock(unit, [customer])
                said[customer] += 1
                unit.announce(f"tested.{said[customer]}", "it", customers=[customer])
                if dice.random() < 0.3:
                    time.sleep(dice.random() * 0.03)

    async with listening(live, org) as subscriber:
        threads = [threading.Thread(target=write, args=(seed,)) for seed in range(WRITERS)]
        for thread in threads:
            thread.start()
        found = await heard(subscriber, WRITERS * EACH, 60)
        for thread in threads:
            thread.join()
    for customer in people:
        mine = [event for told, event in found if told == customer]
        assert mine == [f"tested.{n}" for n in range(1, said[customer] + 1)]


async def test_what_is_undone_is_not_told(live: Live, engine: Engine, org: Org, people: list[UUID]) -> None:
    async with listening(live, org) as subscriber:
        with suppress(KeyError), work(engine, operator(org), NOW) as unit:
            unit.announce("tested.undone", *map(str, people), customers=people)
            raise KeyError
        say(engine, org, (people[0], "tested.done"))
        assert await heard(subscriber, 1) == [(people[0], "tested.done")]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_nobody_waits_for_a_long_transaction(live: Live, engine: Engine, org: Org, people: list[UUID]) -> None:
    """Nor is anything of it missed, though it began before what is told already."""
    async with listening(live, org) as subscriber:
        with work(engine, operator(org), NOW) as unit:
            unit.announce("tested.long", "it", customers=[people[0]])
            say(engine, org, (people[1], "tested.short"))
            assert await heard(subscriber, 1) == [(people[1], "tested.short")]
        assert await heard(subscriber, 1) == [(people[0], "tested.long")]


async def test_each_hears_of_his_organisation_and_customers_alone(
    live: Live, engine: Engine, org: Org, new_org: Callable[..., Org], people: list[UUID]
) -> None:
    other = new_org()
    with work(engine, operator(other), NOW) as unit:
        theirs = _key(create(unit, "Eve"))
    async with (
        listening(live, org) as all_of_mine,
        listening(live, org, {people[2], theirs}) as some,
        listening(live, org, frozenset()) as none,
        listening(live, other) as all_of_theirs,
    ):
        say(engine, org, *((each, "tested.mine") for each in people))
        say(engine, other, (theirs, "tested.theirs"))
        assert await heard(all_of_mine, 4) == [(each, "tested.mine") for each in people]
        assert await heard(some, 1) == [(people[2], "tested.mine")]
        assert await heard(all_of_theirs, 1) == [(theirs, "tested.theirs")]
        assert await heard(none, 0) == []


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_the_database_alone_keeps_organisations_apart(
    live: Live,
    engine: Engine,
    org: Org,
    new_org: Callable[..., Org],
    people: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the reader's own test taken away."""
    open_to_all = replace(outbox._NEW, text=outbox._NEW.text.replace("org_id = $1", "$1::uuid IS NOT NULL"))
    assert open_to_all != outbox._NEW
    monkeypatch.setattr(outbox, "_NEW", open_to_all)
    other = new_org()
    async with listening(live, org) as mine, listening(live, other) as theirs:
        say(engine, other, (people[1], "tested.theirs"))
        say(engine, org, (people[0], "tested.mine"))
        assert await heard(mine, 1) == [(people[0], "tested.mine")]
        assert await heard(theirs, 1) == [(people[1], "tested.theirs")]


async def test_what_another_process_commits_is_heard(
    live: Live, elsewhere: Engine, org: Org, people: list[UUID]
) -> None:
    async with listening(live, org) as subscriber:
        for number in range(3):
            say(elsewhere, org, (people[0], f"tested.{number}"))
            assert await heard(subscriber, 1, 3) == [(people[0], f"tested.{number}")]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_servers_tell_each_other(
    live: Live,
    elsewhere: Engine,
    database_url: str,
    org: Org,
    people: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a look every now and then."""
    monkeypatch.setattr("app.platform.live.POLL_SECONDS", 60)
    other = Live(elsewhere, database_url)
    other.start()
    try:
        async with listening(live, org) as subscriber:
            say(elsewhere, org, (people[0], "tested.there"))
            assert await heard(subscriber, 1, 5) == [(people[0], "tested.there")]
    finally:
        await other.close()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_lost_connection_loses_nothing(live: Live, engine: Engine, org: Org, people: list[UUID]) -> None:
    cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'guanxi-outbox'")
    async with listening(live, org) as subscriber:
        say(engine, org, (people[0], "tested.before"))
        assert await heard(subscriber, 1) == [(people[0], "tested.before")]
        with engine.connect() as connection:
            connection.execute(cut)
            say(engine, org, (people[0], "tested.meanwhile"))
        say(engine, org, (people[0], "tested.after"))
        assert [event for _, event in await heard(subscriber, 2)] == ["tested.meanwhile", "tested.after"]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_who_was_cut_off_hears_of_others_again(
    new_loop: Any, engine: Engine, database_url: str, org: Org, people: list[UUID]
) -> None:
    """Not only because it looks every now and then."""
    mine = "FROM pg_stat_activity WHERE application_name = 'guanxi-outbox' AND datname = current_database()"

    async def go() -> None:
        live = Live(engine, database_url)
        async with listening(live, org) as subscriber:
            with engine.connect() as connection:
                connection.execute(text(f"SELECT pg_terminate_backend(pid) {mine}"))
            say(engine, org, (people[0], "tested.before"))
            assert await heard(subscriber, 1) == [(people[0], "tested.before")]
            await asyncio.sleep(2 * POLL_SECONDS)
            with engine.connect() as connection:
                assert connection.execute(text(f"SELECT count(*) {mine} AND query LIKE 'LISTEN%'")).scalar() == 1
        await live.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(go())


async def test_much_at_once_is_no_fault_of_who_reads(live: Live, engine: Engine, org: Org, people: list[UUID]) -> None:
    many = [(people[n % 4], f"tested.{n}") for n in range(AT_ONCE + 2 * LONGEST_LINE)]
    async with listening(live, org) as subscriber:
        say(engine, org, *many)
        assert await heard(subscriber, len(many)) == many


async def test_who_does_not_read_is_dropped_and_nobody_else(
    live: Live, engine: Engine, org: Org, people: list[UUID]
) -> None:
    dropped = asyncio.Event()
    idle = await live.subscribe(org.id, None, dropped.set)
    many = [(people[0], f"tested.{n}") for n in range(2 * LONGEST_LINE)]
    async with listening(live, org) as subscriber:
        say(engine, org, *many)
        assert await heard(subscriber, len(many)) == many
    assert dropped.is_set()
    with pytest.raises(TooSlow):
        await idle.next(0)
    live.unsubscribe(idle)


async def test_nothing_is_left_of_who_went(live: Live, org: Org) -> None:
    before = asyncio.all_tasks()
    live.start()
    async with listening(live, org):
        assert live.subscribers == 1
    await asyncio.sleep(0.1)
    assert live.subscribers == 0
    # Its own, which tells others of commits.
    assert len(asyncio.all_tasks() - before) == 1
    await live.close()
    assert asyncio.all_tasks() <= before


async def test_who_listens_is_sent_away_when_it_stops(live: Live, org: Org) -> None:
    subscriber = await live.subscribe(org.id)
    waiting = asyncio.create_task(subscriber.next(10))
    await asyncio.sleep(0)
    live.stop()
    with pytest.raises(Stopping):
        await waiting
    with pytest.raises(Stopping):
        await live.subscribe(org.id)
    live.unsubscribe(subscriber)


async def test_what_the_trail_said_before_is_left_as_it_stands(live: Live, begin: Begin, org: Org) -> None:
    """Who subscribes hears what comes, not what was."""
    with begin() as unit:
        create(unit, "Ana")
        assert unit.session.scalars(select(Customer.id).where(Customer.org_id == org.id)).one()
    async with listening(live, org) as subscriber:
        assert await heard(subscriber, 0) == []


def _key(public: str) -> UUID:
    found = key_of(public, "cus")
    assert found is not None
    return found
