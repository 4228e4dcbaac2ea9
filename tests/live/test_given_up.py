"""Who gives up in the midst of reading what changed leaves nothing behind for who reads next."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import Engine

from app.platform import outbox
from app.platform.access import Org
from app.platform.ids import key_of
from app.platform.outbox import Outbox, outbox_of
from app.platform.work import operator, work
from tests.conftest import NOW
from tests.customers.acting import create

ROUNDS = 60


def opened(url: str) -> Outbox:
    return outbox_of(url, lambda _: None)


async def gives_up(box: Outbox, org: Org, place: outbox.Place, seconds: float) -> None:
    asked = asyncio.create_task(box.after(org.id, place))
    await asyncio.sleep(seconds)
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked


async def test_the_next_one_gets_his_own_answer(database_url: str, engine: Engine, new_org: Callable[..., Org]) -> None:
    mine, theirs = new_org(), new_org()
    box = opened(database_url)
    began = {org.id: await box.now(org.id) for org in (mine, theirs)}
    for org in (mine, theirs):
        with work(engine, operator(org), NOW) as unit:
            made = [key_of(create(unit, name), "cus") for name in ("Ana", "Bo")]
        if org is mine:
            of_mine = made
    expected, _ = await box.after(mine.id, began[mine.id])
    assert [each.customer_id for each in expected] == of_mine
    for number in range(ROUNDS):
        await gives_up(box, theirs, began[theirs.id], number * 0.00005)
        assert (await box.after(mine.id, began[mine.id]))[0] == expected
    await box.close()


async def test_who_gives_up_while_it_is_opened_leaves_no_connection(database_url: str, org: Org) -> None:
    """Python warns of one that nobody closed, and a warning fails a test."""
    first = opened(database_url)
    place = await first.now(org.id)
    for number in range(ROUNDS):
        box = opened(database_url)
        await gives_up(box, org, place, number * 0.0005)
        await box.close()
        del box
    await first.close()
    gc.collect()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_who_gives_up_does_not_make_others_deaf(database_url: str, org: Org) -> None:
    heard: list[UUID | None] = []
    box, elsewhere = outbox_of(database_url, heard.append), opened(database_url)
    place = await box.now(org.id)
    await gives_up(box, org, place, 0.0)
    await elsewhere.tell([org.id])
    await asyncio.sleep(0.3)
    assert heard == [org.id]
    await box.close()
    await elsewhere.close()
