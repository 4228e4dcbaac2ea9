"""Several writers at once: none loses, and none is told of a broken constraint."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

from sqlalchemy import select

from app.customers.tables import Customer
from app.platform.refusals import Refused
from tests.conftest import Begin
from tests.customers.acting import create, many, read, ref, row, rows_in, update


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    answers: list[Any] = [None] * len(acts)
    start = Barrier(len(acts))

    def run(n: int) -> None:
        start.wait()
        try:
            answers[n] = acts[n]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            answers[n] = error

    threads = [Thread(target=run, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_two_that_create_one_reference_one_is_told_taken(begin: Begin) -> None:
    def act() -> str:
        with begin() as work:
            return create(work, external_refs=[ref("1")])

    answers = at_once(*[act] * 4)
    made = [answer for answer in answers if isinstance(answer, str)]
    assert len(made) == 1
    refusals = [answer for answer in answers if not isinstance(answer, str)]
    assert all(isinstance(answer, Refused) for answer in refusals)
    assert {(p.code.value, p.node) for answer in refusals for p in answer.problems} == {("TAKEN", made[0])}


def test_of_many_upserts_at_once_one_creates(begin: Begin) -> None:
    def act(n: int) -> Callable[[], Any]:
        def upsert_some() -> Any:
            with begin() as work:
                # In another order each time: none may wait for each other.
                order = range(20) if n % 2 else reversed(range(20))
                return many(work, *(row(str(value), name="A", city=f"C{n}") for value in order))

        return upsert_some

    answers = at_once(*(act(n) for n in range(6)))
    assert sorted(answer["created"] for answer in answers) == [0, 0, 0, 0, 0, 20]
    assert [answer["updated"] for answer in answers if not answer["created"]] == [20] * 5
    with begin() as work:
        assert rows_in(work, Customer) == 20
        assert set(work.session.scalars(select(Customer.version).where(Customer.org_id == work.org.id))) == {6}


def test_no_update_is_lost(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)

    def act(n: int) -> Callable[[], Any]:
        def set_one() -> None:
            with begin() as work:
                update(work, customer, attributes={str(n): n})

        return set_one

    assert at_once(*(act(n) for n in range(6))) == [None] * 6
    with begin() as work:
        kept = read(work, customer)
        assert (kept.version, kept.attributes) == (7, '{"0":0,"1":1,"2":2,"3":3,"4":4,"5":5}')
