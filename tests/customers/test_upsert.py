"""Rows that create or set: one, a batch, an importer's many."""

import pytest

from app.customers import actions
from app.customers.facts import facts
from app.customers.lookup import find
from app.customers.tables import Customer
from app.platform.ids import PublicId, key_of
from tests.conftest import Begin
from tests.customers.acting import create, events_of, many, read, ref, refs_of, refused, row, rows_in, told, upsert

ALL = ("REJECT_ALL", "REJECT_ROW")


def test_an_upsert_says_what_it_did(begin: Begin) -> None:
    with begin() as work:
        assert refused(upsert, work, "1", city="Lyon") == [("REQUIRED", ("set", "name"), None)]
        assert refused(upsert, work, "1", name="A", expected_version=1) == [("NOT_FOUND", ("external_ref",), None)]
        assert upsert(work, "1", name="Ana") == "CREATED"
        assert upsert(work, "1", name="Ana") == "UNCHANGED"
        assert upsert(work, "1", city="Lyon") == "UPDATED"
        assert upsert(work, "1") == "UNCHANGED"
        customer = str(PublicId("cus", find(work, {"external_ref": ref("1")}).id))
        assert events_of(work, customer) == ["customer.created", "customer.updated"]
        assert refused(upsert, work, "1", expected_version=1) == [("STALE_VERSION", ("expected_version",), customer)]
        assert upsert(work, "1", external_refs=None) == "UNCHANGED"
        assert refs_of(work, customer) == {"shop": "1"}


def test_an_upsert_keeps_the_reference_that_it_goes_by(begin: Begin) -> None:
    with begin() as work:
        given = {"name": "A", "external_refs": [ref("2")], "external_refs_remove": [ref("1")]}
        assert refused(upsert, work, "1", **given) == [
            ("INVALID", ("set", "external_refs_remove"), None),
            ("INVALID", ("set", "external_refs", 0), None),
        ]
        assert upsert(work, "1", name="A", external_refs=[ref("1"), ref("x", "erp")]) == "CREATED"


def test_a_batch_is_as_if_sent_one_after_the_other(begin: Begin) -> None:
    with begin() as work:
        answer = many(
            work,
            row("1", name="Ana", external_refs=[ref("x", "erp")]),
            row("1", city="Lyon"),
            row("1", city="Lyon", expected_version=2),
            {"external_ref": ref("x", "erp"), "set": {"city": None}},
            row("1", external_refs=[ref("y", "erp")]),
            {"external_ref": ref("x", "erp"), "set": {"name": "Bo"}},
            row("2", name="Cy"),
        )
        outcomes = [answer["outcome"] for answer in answer["rows"]]
        assert outcomes == ["CREATED", "UPDATED", "UNCHANGED", "UPDATED", "UPDATED", "CREATED", "CREATED"]
        customers = [answer["customer"] for answer in answer["rows"]]
        assert len(set(customers)) == 3
        assert len(set(customers[:5])) == 1
        kept = read(work, customers[0])
        assert (kept.version, kept.city) == (4, None)
        assert refs_of(work, customers[0]) == {"shop": "1", "erp": "y"}
        assert refs_of(work, customers[5]) == {"erp": "x"}
        assert events_of(work, customers[0]) == ["customer.created"] + 3 * ["customer.updated"]
        assert rows_in(work, Customer) == rows_in(work, facts.table.c) == 3


@pytest.mark.parametrize("on_error", ALL)
def test_a_refused_row_is_told_by_its_index(begin: Begin, on_error: str) -> None:
    with begin() as work:
        taken = create(work, external_refs=[ref("t", "erp")])
    with begin() as work:
        answer = many(
            work,
            row("1", name="Ana", external_refs=[ref("new", "erp")]),
            row("1", name="", email="?"),
            row("2", name="Bo", external_refs=[ref("t", "erp")]),
            row("3", name="Cy", external_refs=[ref("new", "erp")]),
            {"external_ref": ref("", ""), "set": {}},
            row("4", name="Di"),
            on_error=on_error,
        )
        assert [row["index"] for row in answer["rows"]] == list(range(6))
        assert told(answer["rows"][1]) == [
            ("REQUIRED", ["rows", 1, "set", "name"]),
            ("INVALID", ["rows", 1, "set", "email"]),
        ]
        assert told(answer["rows"][2]) == [("TAKEN", ["rows", 2, "set", "external_refs", 0])]
        assert answer["rows"][2]["user_errors"][0]["node"] == taken
        node = answer["rows"][3]["user_errors"][0]["node"]
        counts = {key: answer[key] for key in ("created", "updated", "unchanged", "refused", "not_attempted")}
        assert sum(counts.values()) == 6
        if on_error == "REJECT_ALL":
            assert (counts["refused"], counts["not_attempted"], answer["abort"]) == (4, 2, True)
            assert {row["customer"] for row in answer["rows"]} == {None}
            assert node is None  # that customer will never be
            assert rows_in(work, Customer) == 1
        else:
            assert (counts["refused"], counts["created"], "abort" in answer) == (4, 2, False)
            assert node == answer["rows"][0]["customer"]
            assert rows_in(work, Customer) == rows_in(work, facts.table.c) == 3


def test_a_batch_has_at_most_200_rows(begin: Begin) -> None:
    with begin() as work:
        assert refused(many, work, *(row(str(n), name="A") for n in range(201))) == [("TOO_MANY", ("rows",), None)]
        assert many(work, *(row(str(n), name="A") for n in range(200)))["created"] == 200
        assert many(work)["rows"] == []


def test_importers_create_who_is_missing(begin: Begin) -> None:
    with begin() as work:
        ana = create(work, external_refs=[ref("7")])
        found = actions.create_by_refs(work, "shop", [str(n) for n in range(2500)] + [" 7 "])
        assert len(found) == 2501
        assert found["7"] == found[" 7 "] == key_of(ana, "cus")
        assert rows_in(work, Customer) == rows_in(work, facts.table.c) == 2500
        assert find(work, {"external_ref": ref("2499")}).name == "2499"
        assert actions.create_by_refs(work, "shop", ["7", "2499"]) == {"7": found["7"], "2499": found["2499"]}
        assert refused(actions.create_by_refs, work, "shop", ["1", ""]) == [("REQUIRED", ("values", 1, "value"), None)]
