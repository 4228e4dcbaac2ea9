"""What is written together is kept together, told after its commit, and is the same as what is written alone."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import uvloop
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError

from app.customers.tables import customer_facts
from app.loyalty.tables import LoyaltyAccount
from app.platform.access import Org
from app.platform.audit import AuditEntry
from app.platform.away import Away
from app.platform.foreseen import Foreseen, Unforeseen
from app.platform.ids import key_of, new_id
from app.platform.piped import Failed, Piped
from app.platform.refusals import Refused
from app.platform.work import Work, operator, work
from app.platform.writer import WRITERS, Writer, writer_of
from app.platform.writing import _SETTINGS, OnPostgreSQL
from app.purchases.tables import Purchase, PurchaseLine
from app.segments.shipped import SHIPPED
from app.touchpoints.tables import Touchpoint
from tests.conftest import NOW, Begin
from tests.customers.acting import create, ref, rows_in
from tests.platform.acting import Commits, Do, at_once, contact, failing_commits, looking, on_postgresql, order

MANY, TIMES = 12, 40


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Commits:
    return Commits(monkeypatch)


@pytest.fixture
def customers(begin: Begin) -> list[str]:
    with begin() as work:
        return [create(work, f"N{n}") for n in range(MANY)]


def test_one_commit_holds_what_has_gathered(
    engine: Engine, org: Org, begin: Begin, customers: list[str], commits: Commits
) -> None:
    answers = at_once(engine, org, [contact(each) for each in customers], commits)
    assert [answer["outcome"] for answer in answers] == ["RECORDED"] * MANY
    assert commits.count <= 2
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == MANY


def test_who_is_alone_does_not_wait(engine: Engine, org: Org, begin: Begin, customers: list[str]) -> None:
    for each in customers[:3]:
        [answer] = at_once(engine, org, [contact(each)])
        assert answer["outcome"] == "RECORDED"
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 3


def test_one_that_is_refused_or_fails_is_undone_alone(
    engine: Engine, org: Org, begin: Begin, customers: list[str], commits: Commits
) -> None:
    def half(work: Work) -> Any:
        contact(customers[0])(work)
        raise ZeroDivisionError

    def refused(work: Work) -> Any:
        if not isinstance(work, Foreseen):
            contact(customers[1])(work)
        return contact("cus_" + "0" * 32)(work)

    acts = [contact(each) for each in customers[2:]]
    answers = at_once(engine, org, [acts[0], refused, *acts[1:]], commits)
    assert [type(answer) for answer in answers] == [dict, Refused, *[dict] * (len(acts) - 1)]
    looked = at_once(engine, org, [half, contact(customers[0])], in_memory=False)
    assert [type(answer) for answer in looked] == [ZeroDivisionError, dict]
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == len(acts) + 1


def test_a_commit_that_fails_fails_all_that_it_holds(
    engine: Engine, org: Org, begin: Begin, customers: list[str], commits: Commits
) -> None:
    with failing_commits(engine, commits):
        answers = at_once(engine, org, [contact(each) for each in customers], commits)
    assert [type(answer) for answer in answers] == [Failed if on_postgresql(engine) else OperationalError] * MANY
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 0
    assert all(
        answer["outcome"] == "RECORDED" for answer in at_once(engine, org, [contact(each) for each in customers])
    )
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == MANY


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("failure", [OSError(), ValueError(), TimeoutError(), Failed("23505"), MemoryError()])
def test_of_what_may_be_committed_nobody_is_told_that_it_is_not(
    engine: Engine,
    org: Org,
    begin: Begin,
    customers: list[str],
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
) -> None:
    commit = OnPostgreSQL.commit

    async def then_fails(writing: OnPostgreSQL) -> None:
        await commit(writing)
        raise failure

    monkeypatch.setattr(OnPostgreSQL, "commit", then_fails)
    answers = at_once(engine, org, [contact(each) for each in customers])
    assert [isinstance(each, Away) and each.unknown for each in answers] == [True] * MANY
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == MANY


def test_what_rests_on_another_comes_after_it(
    engine: Engine, org: Org, begin: Begin, customers: list[str], commits: Commits
) -> None:
    one = [contact(customers[0], external_ref=ref("1")) for _ in range(4)]
    clash = [contact(customers[0], external_ref=ref("1"), subject="Other")]
    same = [contact(customers[1]) for _ in range(4)]
    answers = at_once(engine, org, [*one, *clash, *same], commits)
    assert Counter(answer["outcome"] for answer in answers[:4]) == {"RECORDED": 1, "ALREADY_RECORDED": 3}
    assert len({answer["touchpoint"] for answer in answers[:4]}) == 1
    assert [problem.code.value for problem in answers[4].problems] == ["TAKEN"]
    assert [answer["outcome"] for answer in answers[5:]] == ["RECORDED"] * 4
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 5


def test_a_reference_is_used_in_its_own_system_alone(
    engine: Engine, org: Org, begin: Begin, customers: list[str]
) -> None:
    """One system's name and another's number are a pair that says nothing of those asked for."""
    at_once(engine, org, [contact(customers[0], external_ref=ref("2", "shop"))])
    writer = writer_of(engine)
    before = Counter(writer.groups)
    acts = [contact(customers[1], external_ref=ref("1", "shop")), contact(customers[2], external_ref=ref("2", "web"))]
    assert [answer["outcome"] for answer in at_once(engine, org, acts)] == ["RECORDED"] * 2
    assert writer.groups - before == {2: 1}
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 3


def test_whoever_takes_long_does_not_hold_the_others(
    engine: Engine, org: Org, begin: Begin, customers: list[str], commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite, where all go through one writer: a group ends with the first that takes its time."""
    monkeypatch.setattr("app.platform.writer.LONGEST_SECONDS", 0)
    done: Counter[str] = Counter()

    def looked(customer: str) -> Do:
        def act(work: Work) -> Any:
            # The session is asked for: this one is not foreseen.
            answer = {**contact(customer)(work), "again": bool(work.session)}
            done[customer] += 1
            return answer

        return act

    nobody = [contact("cus_" + f"{n:032}") for n in range(3)]
    acts = [act for n in range(4) for act in (looked(customers[n]), contact(customers[n + 4]), *nobody[n : n + 1])]
    answers = at_once(engine, org, acts, commits)
    assert Counter(type(answer) for answer in answers) == {dict: 8, Refused: 3}
    assert len({answer["touchpoint"] for answer in answers if isinstance(answer, dict)}) == 8
    assert done == dict.fromkeys(customers[:4], 1)
    assert engine.dialect.name == "postgresql" or commits.count >= 7
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == 8


def test_together_is_as_alone(engine: Engine, org: Org, begin: Begin, customers: list[str]) -> None:
    """Half of the customers are written in groups, half one after the other; late events among them."""

    def life(customer: str) -> list[Do]:
        days = [timedelta(days=n) for n in (5, 3, 9, 1, 1)]
        return [
            contact(customer, occurred_at=NOW - days[0], kind="SURVEY", nps=9, subject=" Caf\u0065\u0301 "),
            order(customer, "12.50", purchased_at=NOW - days[1]),
            contact(customer, occurred_at=NOW - days[2], kind="NEED", attributes={"b": 1, "a": [None, "\u2028"]}),
            contact(customer, occurred_at=NOW - days[3], kind="COMPLAINT", body='"\\\'"', sentiment=-0.25),
            order(customer, "7.00", purchased_at=NOW - days[4], promotional=True),
        ]

    half = MANY // 2
    for acts in zip(*(life(each) for each in customers[:half]), strict=True):
        at_once(engine, org, list(acts))
    for acts in zip(*(life(each) for each in customers[half:]), strict=True):
        at_once(engine, org, list(acts), in_memory=False)
    with looking(begin) as work:

        def told(table: Any, *left_out: str) -> Counter[Any]:
            kept = [column for column in table.c if column.name not in ("id", "org_id", *left_out)]
            rows = work.session.execute(select(*kept).where(table.c.org_id == work.org.id))
            return Counter(map(repr, rows))

        for table in (Touchpoint, Purchase, PurchaseLine):
            assert set(told(table.__table__, "customer_id", "purchase_id", "content_hash").values()) == {MANY}, table
        assert list(told(customer_facts, "customer_id").values()) == [MANY]
        # The first policy, the segments that ship, the customers, their orders and their contacts.
        trail = told(AuditEntry.__table__, "subject", "customer_id", "xact", "place")
        assert sorted(trail.values()) == [1, len(SHIPPED), MANY, 2 * MANY, 3 * MANY]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_organisations_do_not_wait_for_each_other(
    engine: Engine,
    org: Org,
    new_org: Callable[..., Org],
    customers: list[str],
    commits: Commits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One group of each is under way; what else it asks for gathers meanwhile."""
    other = new_org()
    with work(engine, operator(other), NOW) as at_work:
        theirs = create(at_work, "Eve")
    waits = OnPostgreSQL.commit

    async def commit(writing: OnPostgreSQL) -> None:
        if writing.org_id == other.id:
            await commits.unheld(writing)
        else:
            await waits(writing)

    monkeypatch.setattr(OnPostgreSQL, "commit", commit)
    writer = writer_of(engine)
    before = sum(writer.groups.values())

    async def ask() -> None:
        mine = [
            asyncio.ensure_future(writer.write(operator(org), NOW, contact(each), in_memory=True)) for each in customers
        ]
        await asyncio.sleep(0.2)
        for _ in range(3):
            await asyncio.wait_for(writer.write(operator(other), NOW, contact(theirs), in_memory=True), 10)
        assert not any(each.done() for each in mine)
        late = asyncio.ensure_future(writer.write(operator(org), NOW, contact(customers[0]), in_memory=True))
        await asyncio.sleep(0.2)
        commits.all_asked.set()
        await asyncio.gather(*mine, late)

    asyncio.run(ask())
    assert sum(writer.groups.values()) - before == 3 + 2


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_undone_leaves_the_connection_in_its_organisation(
    engine: Engine, org: Org, new_org: Callable[..., Org], customers: list[str], first: bool
) -> None:
    """The first group of an organisation on a connection, with one in it that does not hold."""
    if not first:
        assert at_once(engine, org, [contact(customers[0])])[0]["outcome"] == "RECORDED"
    other = new_org()
    with work(engine, operator(other), NOW) as at_work:
        theirs = [create(at_work, f"E{n}") for n in range(MANY)]
    writer = writer_of(engine)
    before = Counter(writer.groups)
    answers = at_once(engine, other, [contact(theirs[0]), contact("cus_" + "0" * 32), contact(theirs[1])])
    assert [type(each) for each in answers] == [dict, Refused, dict]
    at_once(engine, other, [contact(each) for each in theirs])
    # None of those that hold was done by itself.
    assert writer.groups - before == {3: 1, MANY: 1}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_organisations_that_ask_at_once_do_not_wait_for_each_other(
    engine: Engine, new_org: Callable[..., Org], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when all writers end at once, what is asked for next is written too."""
    orgs = [new_org(f"Shop {n}") for n in range(WRITERS)]
    theirs = []
    for each in orgs:
        with work(engine, operator(each), NOW) as at_work:
            theirs.append(create(at_work, "Eve"))
    writer, on_loop = writer_of(engine), OnPostgreSQL.commit

    async def ask() -> None:
        together, waiting = asyncio.Event(), 0

        async def commit(writing: OnPostgreSQL) -> None:
            nonlocal waiting
            await on_loop(writing)
            waiting += 1
            if waiting == WRITERS:
                together.set()
            await together.wait()

        monkeypatch.setattr(OnPostgreSQL, "commit", commit)

        async def twice(org: Org, customer: str) -> None:
            for _ in range(2):
                await writer.write(operator(org), NOW, contact(customer), in_memory=True)

        async with asyncio.timeout(20):
            await asyncio.gather(*map(twice, orgs, theirs))

    asyncio.run(ask())


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_nobody_waits_for_a_connection_that_is_ended(
    engine: Engine, org: Org, begin: Begin, customers: list[str], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """While what was sent to it is not read: the socket has an error then, and last words that are read first. Of one
    that had ended before, all is written by another."""
    writer = writer_of(engine)
    ended = text(
        "SELECT pg_terminate_backend(pid, :patience) FROM pg_stat_activity"
        " WHERE application_name = 'guanxi-writer' AND datname = current_database()"
    )
    unknown = 0

    async def ask() -> None:
        nonlocal unknown
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as administrator:
            for number in range(TIMES):
                waited = number % 2
                administrator.execute(ended, {"patience": 5000 * waited})
                asked = [writer.write(operator(org), NOW, contact(each), in_memory=True) for each in customers]
                async with asyncio.timeout(20):
                    answers = await asyncio.gather(*asked, return_exceptions=True)
                failed = [each for each in answers if not isinstance(each, dict)]
                assert not failed or not waited
                assert all(isinstance(each, Away) and each.unknown for each in failed)
                unknown += len(failed)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(ask())
    with looking(begin) as work:
        assert TIMES * MANY - unknown <= rows_in(work, Touchpoint) <= TIMES * MANY


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_connection_that_is_silent_is_asked_nothing_more(
    engine: Engine, org: Org, begin: Begin, customers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it answers late is not taken for the answers to something else; whether it did it nobody knows."""
    monkeypatch.setattr("app.platform.piped._SILENT_SECONDS", 0.5)
    monkeypatch.setitem(_SETTINGS, "lock_timeout", "0")
    said: list[str] = []
    say = Piped.say

    def note(piped: Piped, text: str) -> Any:
        said.append(text)
        return say(piped, text)

    monkeypatch.setattr(Piped, "say", note)
    held = customer_facts.c.org_id == org.id, customer_facts.c.customer_id == key_of(customers[0], "cus")

    async def ask() -> None:
        with begin() as at_work:
            at_work.session.execute(select(customer_facts.c.customer_id).where(*held).with_for_update())
            asked = [
                asyncio.ensure_future(writer_of(engine).write(operator(org), NOW, contact(each), in_memory=True))
                for each in customers
            ]
            answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(each, Away) and each.unknown for each in answers] == [True] * MANY

    asyncio.run(ask())
    assert "ROLLBACK" not in said
    assert all(each["outcome"] == "RECORDED" for each in at_once(engine, org, [contact(each) for each in customers]))
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) in (MANY, 2 * MANY)


def test_what_is_foreseen_looks_at_nothing(engine: Engine, org: Org, customers: list[str]) -> None:
    work = Foreseen(operator(org), NOW)
    assert contact(customers[0], external_ref=ref("1"))(work)["outcome"] == "RECORDED"
    assert [type(step).__name__ for step in work.steps] == ["There", "Unused", "Rows", "Folding", "Rows"]


def test_it_ends_with_what_was_asked_for(engine: Engine, org: Org, begin: Begin, customers: list[str]) -> None:
    at_once(engine, org, [contact(each) for each in customers])
    writer: Writer = writer_of(engine)
    engine.dispose()
    assert writer_of(engine) is not writer
    assert at_once(engine, org, [contact(customers[0])])[0]["outcome"] == "RECORDED"
    with looking(begin) as work:
        assert rows_in(work, Touchpoint) == MANY + 1


def test_a_row_that_is_changed_twice_in_other_columns_is_not_foreseen(org: Org) -> None:
    foreseen, row = Foreseen(operator(org), NOW), {"id": new_id(), "available": 1}
    for available in (1, 2):
        foreseen.update(LoyaltyAccount, [{**row, "available": available}])
    with pytest.raises(Unforeseen):
        foreseen.update(LoyaltyAccount, [{**row, "version": 2}])
