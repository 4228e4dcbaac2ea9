"""What happens to a customer's profile, on both databases."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from app.customers import actions
from app.customers.facts import facts, verify
from app.customers.lookup import find
from app.customers.tables import Consent, Customer, CustomerRef, CustomerToken
from app.platform.audit import AuditEntry
from app.platform.days import day_number
from app.platform.ids import PublicId
from tests.conftest import NOW, Begin
from tests.customers.acting import create, events_of, read, ref, refs_of, refused, rows_in, tokens_of, update, upsert


def test_a_customer_is_created_whole(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, " Ana ", email="Ana@X.com", external_refs=[ref("1")], attributes={"b": 1, "a": None})
        kept = read(work, customer)
        assert (kept.name, kept.email, kept.kind, kept.version) == ("Ana", "Ana@x.com", "PERSON", 1)
        assert (kept.created_at, kept.updated_at, kept.archived_at) == (NOW, NOW, None)
        assert (kept.attributes, kept.suppressed) == ('{"b":1}', False)
        assert refs_of(work, customer) == {"shop": "1"}
        assert {"ana", "ana@x.com", "1"} <= tokens_of(work, customer)
        assert events_of(work, customer) == ["customer.created"]
        assert rows_in(work, facts.table.c) == 1
        assert verify(work) == {}


def test_what_is_refused_leaves_nothing(begin: Begin) -> None:
    with begin() as work:
        first = create(work, external_refs=[ref("1"), ref("2", "erp")])
        tables = (Customer, CustomerRef, CustomerToken, AuditEntry, facts.table.c)
        before = [rows_in(work, table) for table in tables]
        told = refused(create, work, "x" * 201, email="?", external_refs=[ref("1"), ref("9", "crm"), ref("2", "erp")])
        assert told == [
            ("TOO_LONG", ("name",), None),
            ("INVALID", ("email",), None),
            ("TAKEN", ("external_refs", 0), first),
            ("TAKEN", ("external_refs", 2), first),
        ]
        assert [rows_in(work, table) for table in tables] == before


def test_an_update_sets_what_is_given_and_keeps_the_rest(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, email="a@x.com", city="Lyon", attributes={"a": 1, "b": {"c": 2}, "z": 0})
    with begin(now=NOW + timedelta(hours=1)) as work:
        update(work, customer, name="Bo", city=None, attributes={"b": {"d": 3}, "z": None})
        kept = read(work, customer)
        assert (kept.name, kept.email, kept.city, kept.city_folded) == ("Bo", "a@x.com", None, None)
        assert kept.attributes == '{"a":1,"b":{"d":3}}'
        assert (kept.version, kept.created_at, kept.updated_at) == (2, NOW, NOW + timedelta(hours=1))
        assert "bo" in tokens_of(work, customer)
        assert "ana" not in tokens_of(work, customer)
        update(work, customer, attributes=None)
        assert read(work, customer).attributes == "{}"


def test_a_change_of_nothing_makes_no_version(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, "Zoé", attributes={"a": [1]}, external_refs=[ref("1")])
        update(work, customer)
        update(work, customer, name=" Zoe\u0301 ", attributes={"a": [1], "b": None}, external_refs=[ref("1")])
        assert read(work, customer).version == 1
        assert events_of(work, customer) == ["customer.created"]
        update(work, customer, attributes={"a": [True]})  # which Python thinks equal to 1
        assert read(work, customer).version == 2


def test_attributes_stay_within_bounds_when_they_are_merged(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, attributes={"a": "x" * 9000})
        assert refused(update, work, customer, attributes={"b": "x" * 9000}) == [
            ("TOO_LONG", ("set", "attributes"), None)
        ]
        update(work, customer, attributes={"a": None, "b": "x" * 9000})


def test_references_are_added_replaced_and_removed(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, external_refs=[ref("1"), ref("x", "erp")])
        update(work, customer, external_refs=[ref("2"), ref("y", "crm")], external_refs_remove=[ref("x", "erp")])
        assert refs_of(work, customer) == {"shop": "2", "crm": "y"}
        update(work, customer, external_refs_remove=[ref("1"), ref("never")])
        assert read(work, customer).version == 2
        other = create(work, external_refs=[ref("1")])  # which is free again
        assert refused(update, work, customer, external_refs=[ref("1")]) == [
            ("TAKEN", ("set", "external_refs", 0), other)
        ]
        update(work, customer, external_refs=None)
        assert refs_of(work, customer) == {}


def test_a_customer_has_at_most_fifty_references(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, external_refs=[ref("1", f"s{n}") for n in range(50)])
        assert refused(update, work, customer, external_refs=[ref("2", "s1"), ref("1", "s50")]) == [
            ("TOO_MANY", ("set", "external_refs", 1), None)
        ]


def test_a_stale_version_is_refused_with_all_else(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        update(work, customer, 1, name="Bo")
        assert refused(update, work, customer, 1, name="") == [
            ("REQUIRED", ("set", "name"), None),
            ("STALE_VERSION", ("expected_version",), customer),
        ]
        for act in (actions.archive_customer, actions.reinstate_customer):
            given = {"customer": {"id": customer}, "expected_version": 1}
            assert ("STALE_VERSION", ("expected_version",), customer) in refused(act, work, given)


def test_archiving_frees_the_references_and_keeps_the_rest(begin: Begin) -> None:
    with begin() as work:
        customer = create(work, external_refs=[ref("1")])
        assert actions.archive_customer(work, {"customer": {"external_ref": ref("1")}}) == {"customer": customer}
        kept = read(work, customer)
        assert (kept.archived_at, kept.version) == (NOW, 2)
        assert "ana" in tokens_of(work, customer)
        assert refused(find, work, {"external_ref": ref("1")})[0][0] == "NOT_FOUND"
        by_id: Any = {"customer": {"id": customer}}
        archived = [("ARCHIVED", ("customer",), None)]
        assert refused(actions.archive_customer, work, by_id) == archived
        assert refused(update, work, customer, name="Bo") == archived
        assert refused(actions.terminate_customer, work, {**by_id, "terminated_on": date(2026, 1, 1)}) == archived
        assert refused(actions.reinstate_customer, work, by_id) == archived
        assert upsert(work, "1", name="New") == "CREATED"
        other = str(PublicId("cus", find(work, {"external_ref": ref("1")}).id))
        assert refused(actions.restore_customer, work, {"id": customer}) == [("TAKEN", ("id",), other)]
        actions.archive_customer(work, {"customer": {"id": other}})
        assert actions.restore_customer(work, {"id": customer, "expected_version": 2}) == {"customer": customer}
        assert find(work, {"external_ref": ref("1")}).version == 3
        assert refused(actions.restore_customer, work, {"id": customer}) == [("WRONG_STATE", ("id",), None)]
        assert events_of(work, customer) == ["customer.created", "customer.archived", "customer.restored"]


def test_a_relationship_ends_and_is_taken_up_again(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        by_id: Any = {"customer": {"id": customer}}
        assert refused(actions.reinstate_customer, work, by_id) == [("WRONG_STATE", ("customer",), None)]
        for day, version in ((date(2026, 6, 1), 2), (date(2027, 6, 1), 3), (date(2027, 6, 1), 3)):
            end: Any = {**by_id, "terminated_on": day, "reason": " moved "}
            actions.terminate_customer(work, end)
            kept = read(work, customer)
            assert (kept.terminated_day, kept.termination_reason) == (day_number(day), "moved")
            assert kept.version == version
        assert refused(
            actions.terminate_customer, work, {**by_id, "terminated_on": date(9999, 1, 1), "reason": "\x00"}
        ) == [("INVALID", ("reason",), None), ("OUT_OF_RANGE", ("terminated_on",), None)]
        actions.reinstate_customer(work, by_id)
        kept = read(work, customer)
        assert (kept.terminated_day, kept.termination_reason, kept.version) == (None, None, 4)
        assert events_of(work, customer)[1:] == ["customer.terminated", "customer.terminated", "customer.reinstated"]


def test_words_on_consent_are_kept_and_folded(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        actions.archive_customer(work, {"customer": {"id": customer}})  # who may still withdraw

        def say(state: str, **more: Any) -> Any:
            word = {"customer": {"id": customer}, "purpose": "MARKETING", "channel": "EMAIL", "state": state, **more}
            return actions.record_consent(work, word)  # type: ignore[arg-type]

        def granted() -> int:
            stored = select(facts.table.c.marketing_granted).where(facts.table.c.org_id == work.org.id)
            return int(work.session.execute(stored).scalar_one())

        answer = say("GRANTED", source=" form ", policy_text="v1")
        assert answer["customer"] == customer
        assert events_of(work, answer["consent"]) == ["consent.recorded"]
        assert granted() == 1
        say("WITHDRAWN", at=NOW - timedelta(days=9))  # an older word, told late
        assert granted() == 1
        say("WITHDRAWN", at=NOW + timedelta(minutes=5))
        assert granted() == 0
        for _ in range(2):
            say("GRANTED", at=NOW + timedelta(minutes=5))
        assert granted() == 1
        assert verify(work) == {}
        assert rows_in(work, Consent) == 5
        assert read(work, customer).version == 2
        told = refused(say, "MAYBE", at=NOW + timedelta(minutes=6), source="\x00", policy_text="x" * 10_001)
        assert {(code, path[0]) for code, path, _ in told} == {
            ("INVALID", "state"),
            ("OUT_OF_RANGE", "at"),
            ("INVALID", "source"),
            ("TOO_LONG", "policy_text"),
        }
