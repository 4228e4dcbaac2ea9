"""How PostgreSQL is asked over connections of our own: many questions to a connection, each answered by itself."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from app.platform.database import connect
from app.platform.piped import opened
from app.query.line import STATEMENTS_KEPT
from app.query.on_postgresql import ONE_TRIP, SETTINGS, PostgreSQL
from app.query.statement import Prepared
from tests.conftest import _drop, _migrated
from tests.databases import new_postgres_database

MINE, THEIRS = UUID(int=1), UUID(int=2)
WHOSE = "current_setting('app.org_id')"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    url = new_postgres_database(_migrated("postgresql"))
    yield url
    _drop(url)


def asking(statement: str, *names: str) -> Prepared:
    """A statement that took but a moment of late."""
    return Prepared(statement, {name: lambda value: value for name in names}, took=0.1)


ECHO = asking(f"SELECT $1::text || ' ' || {WHOSE}", "said")
FAILS = asking("SELECT (1 / $1::bigint)::text", "number")
SLEEPS = asking("SELECT 'slept' FROM pg_sleep($1::float)", "seconds")


def driven(url: str, work: Any, most: int = 3) -> Any:
    async def go() -> Any:
        driver = PostgreSQL(url, most)
        try:
            return await work(driver)
        finally:
            await driver.close()

    return asyncio.run(go())


@pytest.mark.parametrize(("more", "most"), [("", "15000"), ("&tcp_user_timeout=60000", "60000")])
def test_a_host_that_goes_without_a_word_is_noticed(url: str, more: str, most: str) -> None:
    """By the kernel, which is told how long to wait; what the address says of it stands."""
    address = url + ("&" if "?" in url else "?") + more.removeprefix("&")

    async def ours() -> dict[str, str]:
        driver = await opened(address, SETTINGS)
        async with driver:
            return dict(driver.info.get_parameters())

    engine = connect(address)
    with engine.connect() as connection:
        theirs = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr] # it is there
    engine.dispose()
    for said in (asyncio.run(ours()), theirs):
        assert (said["tcp_user_timeout"], said["keepalives_idle"], said["connect_timeout"]) == (most, "10", "5")


def test_no_address_makes_an_instant_another(url: str) -> None:
    """Its other settings stand; but what is told as UTC is UTC."""
    address = f"{url}{'&' if '?' in url else '?'}options=-c%20timezone%3DAsia/Shanghai%20-c%20geqo%3Doff"
    asked = "SELECT current_setting('timezone') || ' ' || current_setting('geqo')"

    async def work(driver: PostgreSQL) -> Any:
        return await driver.run(asking(asked), {"org": MINE})

    assert driven(address, work) == b"UTC off"
    engine = connect(address)
    with engine.connect() as connection:
        assert connection.scalar(text(asked)) == "UTC off"
    engine.dispose()


def test_each_of_many_at_once_gets_its_own_answer_as_its_own_organisation(url: str) -> None:
    given = [(f"word {n}", (MINE, THEIRS, UUID(int=3 + n % 9))[n % 3]) for n in range(600)]

    async def work(driver: PostgreSQL) -> Any:
        return await asyncio.gather(*(driver.run(ECHO, {"said": said, "org": org}) for said, org in given))

    assert driven(url, work) == [f"{said} {org}".encode() for said, org in given]


def test_what_is_asked_in_one_turn_travels_together(url: str) -> None:
    async def work(driver: PostgreSQL) -> Any:
        await driver.run(ECHO, {"said": "first", "org": MINE})
        for n in range(5):
            await asyncio.gather(*(driver.run(ECHO, {"said": f"{n}", "org": MINE}) for _ in range(ONE_TRIP)))
        few = sum(driver.in_use().values())
        await asyncio.gather(*(driver.run(ECHO, {"said": "more", "org": MINE}) for _ in range(ONE_TRIP + 1)))
        return few, sum(driver.in_use().values())

    assert driven(url, work) == (1, 2)


def test_who_travels_with_one_that_fails_is_answered(url: str) -> None:
    """They are asked again, and each that fails does so alone."""

    async def work(driver: PostgreSQL) -> Any:
        await driver.run(ECHO, {"said": "first", "org": MINE})
        asked = [
            driver.run(FAILS, {"number": 0, "org": MINE})
            if n in (1, 4)
            else driver.run(ECHO, {"said": f"{n}", "org": MINE})
            for n in range(ONE_TRIP)
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = driven(url, work)
    assert [type(each).__name__ for each in found] == [
        "DivisionByZero" if n in (1, 4) else "bytes" for n in range(ONE_TRIP)
    ]
    assert [each for each in found if isinstance(each, bytes)] == [
        f"{n} {MINE}".encode() for n in range(ONE_TRIP) if n not in (1, 4)
    ]


def test_what_fails_fails_alone(url: str) -> None:
    async def work(driver: PostgreSQL) -> Any:
        asked = []
        for n in range(200):
            org = (MINE, THEIRS)[n // 7 % 2]
            asked.append(driver.run(FAILS, {"number": str(n % 3), "org": org}))
            asked.append(driver.run(ECHO, {"said": str(n), "org": org}))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = driven(url, work)
    for n in range(200):
        divided, echoed = found[2 * n], found[2 * n + 1]
        if n % 3:
            assert divided == str(1 // (n % 3)).encode()
        else:
            assert isinstance(divided, psycopg.errors.DivisionByZero)
        assert echoed == f"{n} {(MINE, THEIRS)[n // 7 % 2]}".encode()


def test_more_statements_than_are_kept(url: str) -> None:
    many = [asking(f"SELECT '{n}' || $1::text", "said") for n in range(3 * STATEMENTS_KEPT)]

    async def work(driver: PostgreSQL) -> Any:
        first = await asyncio.gather(*(driver.run(each, {"said": "!", "org": MINE}) for each in many))
        kept = asking("SELECT count(*)::text FROM pg_prepared_statements")
        return first, await driver.run(kept, {"org": MINE})

    answers, kept = driven(url, work, most=1)
    assert answers == [f"{n}!".encode() for n in range(3 * STATEMENTS_KEPT)]
    assert int(kept) <= STATEMENTS_KEPT


def test_what_is_prepared_can_be_forgotten_by_the_server(url: str) -> None:
    async def work(driver: PostgreSQL) -> Any:
        await driver.run(ECHO, {"said": "first", "org": MINE})
        line = driver._pool._lines[0]  # type: ignore[union-attr]
        line._names[FAILS] = b"nowhere"
        return await driver.run(FAILS, {"number": "1", "org": MINE})

    assert driven(url, work, most=1) == b"1"


@pytest.mark.parametrize("under_way", [0, 40])
def test_a_connection_that_is_cut_is_asked_again_on_another(url: str, under_way: int) -> None:
    name = SETTINGS["application_name"]
    cut = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'")

    async def work(driver: PostgreSQL) -> Any:
        await asyncio.gather(*(driver.run(ECHO, {"said": "first", "org": MINE}) for _ in range(5)))
        slept = Prepared(SLEEPS.text, SLEEPS.binders, took=0.1)
        asked = [asyncio.create_task(driver.run(slept, {"seconds": "0.02", "org": MINE})) for _ in range(under_way)]
        await asyncio.sleep(0.03)
        engine = connect(url)
        with engine.connect() as other:
            other.execute(cut)
        engine.dispose()
        later = await asyncio.gather(*(driver.run(ECHO, {"said": "later", "org": THEIRS}) for _ in range(20)))
        return await asyncio.gather(*asked), later

    slept, later = driven(url, work)
    assert slept == [b"slept"] * under_way
    assert later == [f"later {THEIRS}".encode()] * 20


def test_nobody_waits_behind_one_that_is_long(url: str) -> None:
    unknown = Prepared(SLEEPS.text, SLEEPS.binders)

    async def work(driver: PostgreSQL) -> Any:
        loop = asyncio.get_running_loop()
        await driver.run(ECHO, {"said": "first", "org": MINE})
        long = [asyncio.create_task(driver.run(unknown, {"seconds": "0.5", "org": MINE})) for _ in range(6)]
        await asyncio.sleep(0.1)
        began = loop.time()
        await asyncio.gather(*(driver.run(ECHO, {"said": "quick", "org": MINE}) for _ in range(50)))
        took = loop.time() - began
        return took, await asyncio.gather(*long)

    took, long = driven(url, work, most=5)
    assert long == [b"slept"] * 6
    # Three of them have connections of their own, two each half a second long.
    assert took < 0.4


def test_whoever_asks_no_more_leaves_the_others_their_answers(url: str) -> None:
    async def work(driver: PostgreSQL) -> Any:
        asked = [asyncio.create_task(driver.run(ECHO, {"said": str(n), "org": MINE})) for n in range(90)]
        await asyncio.sleep(0)
        for each in asked[::3]:
            each.cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = driven(url, work)
    for n, each in enumerate(found):
        assert each == f"{n} {MINE}".encode() or (n % 3 == 0 and isinstance(each, asyncio.CancelledError))


def test_what_is_large_arrives_whole_both_ways(url: str) -> None:
    long = "ü" * 3_000_000

    async def work(driver: PostgreSQL) -> Any:
        return await asyncio.gather(*(driver.run(ECHO, {"said": long, "org": MINE}) for _ in range(5)))

    assert driven(url, work, most=2) == [f"{long} {MINE}".encode()] * 5


def test_one_that_takes_too_long_is_told_as_such(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "statement_timeout", "500ms")

    async def work(driver: PostgreSQL) -> Any:
        with pytest.raises(psycopg.errors.QueryCanceled):
            await driver.run(Prepared(SLEEPS.text, SLEEPS.binders), {"seconds": "60", "org": MINE})
        return await driver.run(ECHO, {"said": "on", "org": MINE})

    assert driven(url, work, most=1) == f"on {MINE}".encode()


def test_failures_leave_no_plan_behind(url: str) -> None:
    kept = asking("SELECT count(*)::text FROM pg_prepared_statements")

    async def work(driver: PostgreSQL) -> Any:
        for _ in range(30):
            with pytest.raises(psycopg.errors.DivisionByZero):
                await driver.run(FAILS, {"number": "0", "org": MINE})
        return await driver.run(FAILS, {"number": "1", "org": MINE}), await driver.run(kept, {"org": MINE})

    assert driven(url, work, most=1) == (b"1", b"2")


def test_long_ones_that_nobody_waits_for_are_still_counted(url: str) -> None:
    async def work(driver: PostgreSQL) -> Any:
        for _ in range(10):
            slept = Prepared(SLEEPS.text, SLEEPS.binders)
            asked = asyncio.create_task(driver.run(slept, {"seconds": "0.5", "org": MINE}))
            await asyncio.sleep(0.03)
            asked.cancel()
        busy = driver.in_use()["busy"]
        return busy, await driver.run(ECHO, {"said": "on", "org": MINE})

    busy, answer = driven(url, work, most=8)
    assert 1 <= busy <= 3
    assert answer == f"on {MINE}".encode()


def test_a_pool_outlives_the_loop_that_made_it(url: str) -> None:
    driver = PostgreSQL(url, 2)

    async def ask() -> bytes | None:
        return await driver.run(ECHO, {"said": "on", "org": MINE})

    for _ in range(3):
        assert asyncio.run(ask()) == f"on {MINE}".encode()
    asyncio.run(driver.close())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uuid", MINE),
        ("bigint", -(2**63)),
        ("numeric", Decimal("12.340")),
        ("boolean", True),
        ("boolean", False),
        ("text", "NULL {\"a\\b\", 'c'} 王"),
        ("text", ""),
        ("timestamptz", datetime(2026, 2, 28, 23, 59, 59, 123456, UTC)),
    ],
)
def test_what_is_given_arrives_as_it_is(url: str, kind: str, value: Any) -> None:
    """PostgreSQL's driver, which is another's, says whether they are the same; one by one, in lists, and none."""
    given = {"org": MINE, "one": value, "none": None, "many": [value, None, value]}
    said = asking(
        f"SELECT $1::{kind}::text || '|' || ($2::{kind} IS NULL)::text || '|' || $3::{kind}[]::text",
        "one",
        "none",
        "many",
    )
    found = driven(url, lambda driver: driver.run(said, given))
    engine = connect(url)
    with engine.connect() as other:
        cursor = other.connection.driver_connection.cursor()  # type: ignore[union-attr]
        cursor.execute(f"SELECT %s::{kind}::text || '|true|' || %s::{kind}[]::text", [value, [value, None, value]])
        [expected] = cursor.fetchone()
    engine.dispose()
    assert found == expected.encode()
