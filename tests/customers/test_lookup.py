"""Who is meant: one answer for one customer, and the same no for everyone else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from app.customers import actions
from app.customers.lookup import find, find_many
from app.platform.access import Org
from app.platform.ids import EPOCH, PublicId, key_of, new_id
from app.platform.refusals import Problem, Refused
from tests.conftest import Begin
from tests.customers.acting import create, ref, refused


def test_lookups_find_the_one_live_customer(begin: Begin) -> None:
    with begin() as work:
        ana = create(work, email="Ana@x.com", phone="+33612345678", external_refs=[ref("é")])
        bo = create(work, phone="+33612345678")
        key = key_of(ana, "cus")
        for lookup in ({"id": ana}, {"email": " Ana@X.COM"}, {"external_ref": ref(" e\u0301 ")}):
            assert find(work, lookup).id == key  # type: ignore[arg-type]
            assert find_many(work, [(lookup, ())]) == [key]  # type: ignore[list-item]
        assert refused(find, work, {"phone": "+33 612345678"}, "customer") == [("AMBIGUOUS", ("customer",), None)]
        actions.archive_customer(work, {"customer": {"id": bo}})
        assert find(work, {"phone": "+33612345678"}).id == key
        assert find(work, {"id": bo}).id == key_of(bo, "cus")


def test_what_cannot_be_found_is_told_alike(begin: Begin, new_org: Callable[..., Org]) -> None:
    with begin(org=new_org("Other")) as work:
        foreign = create(work, email="o@x.com", external_refs=[ref("9")])
    with begin() as work:
        ana = create(work)
        key = key_of(ana, "cus")
        assert key
        lookups: list[Any] = [
            {"id": foreign},
            {"id": str(PublicId("cus", new_id()))},
            {"id": str(PublicId("cus", key, EPOCH + timedelta(days=1)))},
            {"id": ana.replace("cus", "tou")},
            {"id": ana.upper()},
            {"id": ""},
            {"id": "cus_\x00\ud800"},
            {"email": "o@x.com"},
            {"email": "\x00\ud800@"},
            {"phone": "\x00+33"},
            {"external_ref": ref("9")},
            {"external_ref": ref("\x00", "\ud800")},
        ]
        problems: list[Any] = []
        for lookup in lookups:
            with pytest.raises(Refused) as caught:
                find(work, lookup, "customer")
            problems.extend(caught.value.problems)
        problems += find_many(work, [(lookup, ("customer",)) for lookup in lookups])
        assert {problem.code.value for problem in problems} == {"NOT_FOUND"}
        assert len(set(problems)) == 1


def test_many_lookups_take_few_statements(begin: Begin) -> None:
    with begin() as work:
        made = [create(work, external_refs=[ref(str(n))], email=f"a{n % 4}@x.com") for n in range(5)]
        keys = [key_of(customer, "cus") for customer in made]
        lookups: list[Any] = [({"external_ref": ref(str(n))}, ()) for n in range(1200)]
        lookups += [
            ({"id": made[1]}, ()),
            ({"email": "a3@x.com"}, ("b",)),
            ({"email": "a0@x.com"}, ("c",)),
        ]
        found = find_many(work, lookups)
        assert found[:5] == keys
        assert all(isinstance(answer, Problem) for answer in found[5:1200])
        assert found[1200:1202] == [keys[1], keys[3]]
        last = found[1202]
        assert isinstance(last, Problem)
        assert (last.code.value, last.path) == ("AMBIGUOUS", ("c",))


# PostgreSQL's planner follows the statistics of the moment; SQLite's could not know the index at all.
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_reference_is_looked_up_by_its_index(begin: Begin) -> None:
    asked: list[str] = []
    with begin() as work:
        event.listen(work.session.get_bind(), "before_cursor_execute", lambda *given: asked.append(given[2]))
        refused(find, work, {"external_ref": ref("1")})
        given = work.org.id.hex, "", "", work.org.id.hex, 2, 0
        plan = work.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1]}", given)
        assert "uq_customer_refs_live" in str(plan.all())
