"""A batch answers for every row by index; with REJECT_ALL one bad row undoes the rest, with REJECT_ROW only itself."""

from typing import Any

import pytest

from tests.api.acting import Shop, buy, by, codes, contact, line, new_customer, ref, unknown

NOTE = {"kind": "NOTE", "channel": "PHONE", "direction": "INBOUND"}


async def batch(shop: Shop, kind: str) -> tuple[str, str, list[Any], list[tuple[str, list[tuple[str, str]]]]]:
    """The field, what its rows show, rows of every outcome, and the outcomes with their errors."""
    ana, bo = await new_customer(shop, "Ana", externalRefs=[ref("ana")]), await new_customer(shop, "Bo")
    if kind == "customers":
        rows = [
            {"externalRef": ref("new"), "set": {"name": "New"}},
            {"externalRef": ref("ana"), "set": {"city": "Rome"}},
            {"externalRef": ref("ana"), "set": {"city": "Rome"}},
            {"externalRef": ref("bad"), "set": {"email": "x"}},
            {"externalRef": ref("ana"), "set": {"externalRefs": [ref("new", "web")]}, "expectedVersion": 9},
            {"externalRef": ref("other"), "set": {"name": "Other"}},
        ]
        errors = [("INVALID", "set.email"), ("REQUIRED", "set.name")]
        stale = [("STALE_VERSION", "expectedVersion")]
        outcomes = [("CREATED", []), ("UPDATED", []), ("UNCHANGED", []), ("REFUSED", errors), ("REFUSED", stale)]
        return "customersUpsert", "customer", rows, [*outcomes, ("CREATED", [])]
    if kind == "touchpoints":
        await contact(shop, ana, externalRef=ref("old"), subject="Old")
        common = NOTE | {"customer": by(ana)}
        # With a kind and direction as `contact` gives them, so that it is the same contact again.
        old = {**common, "externalRef": ref("old"), "subject": "Old"}
        rows = [
            {**common, "externalRef": ref("new")},
            old,
            {**common, "externalRef": ref("new")},
            {**common, "inReplyTo": {"externalRef": ref("new")}},
            {**common, "customer": by(unknown("cus")), "nps": 3},
            {**old, "subject": "New"},
            {**common, "customer": by(bo), "inReplyTo": {"externalRef": ref("new")}},
        ]
        first, again = ("RECORDED", []), ("ALREADY_RECORDED", [])
        errors = [
            [("INVALID", "nps"), ("NOT_FOUND", "customer")],
            [("TAKEN", "externalRef")],
            [("INVALID", "inReplyTo")],
        ]
        return (
            "touchpointsRecord",
            "touchpoint",
            rows,
            [first, again, again, first, *(("REFUSED", each) for each in errors)],
        )
    await buy(shop, ana, "5.00", externalRef=ref("old"))
    common = {"customer": by(ana), "currency": "EUR", "lines": [line("5.00")]}
    rows = [
        {**common, "externalRef": ref("new")},
        {**common, "externalRef": ref("old")},
        {**common, "externalRef": ref("new")},
        {**common, "externalRef": ref("bad"), "lines": []},
        {**common, "externalRef": ref("new"), "customer": by(bo)},
        {**common, "externalRef": ref("other"), "customer": by(bo)},
    ]
    outcomes = [
        ("RECORDED", []),
        ("ALREADY_RECORDED", []),
        ("ALREADY_RECORDED", []),
        ("REFUSED", [("REQUIRED", "lines")]),
    ]
    return "purchasesRecord", "purchase", rows, [*outcomes, ("REFUSED", [("TAKEN", "externalRef")]), ("RECORDED", [])]


COUNTS = {
    "customers": ["created", "updated", "unchanged", "refused", "notAttempted"],
    "touchpoints": ["recorded", "alreadyRecorded", "refused", "notAttempted"],
    "purchases": ["recorded", "alreadyRecorded", "refused", "notAttempted"],
}


@pytest.mark.parametrize("kind", COUNTS)
async def test_with_reject_row_only_the_bad_rows_are_left_out(shop: Shop, kind: str) -> None:
    field, thing, rows, outcomes = await batch(shop, kind)
    payload = await shop.done(field, {"rows": rows, "onError": "REJECT_ROW"})
    check(payload, outcomes, COUNTS[kind])
    for row, (outcome, _) in zip(payload["rows"], outcomes, strict=True):
        assert (row[thing] is None) is (outcome == "REFUSED")
    assert not shop.wrong_facts()


@pytest.mark.parametrize("kind", COUNTS)
async def test_with_reject_all_one_bad_row_undoes_the_rest(shop: Shop, kind: str) -> None:
    field, thing, rows, outcomes = await batch(shop, kind)
    before = shop.rows()
    payload = await shop.done(field, {"rows": rows})
    outcomes = [(outcome if outcome == "REFUSED" else "NOT_ATTEMPTED", errors) for outcome, errors in outcomes]
    check(payload, outcomes, COUNTS[kind])
    assert all(row[thing] is None for row in payload["rows"])
    assert shop.rows() == before
    # What would only have been made by the batch itself stands in nobody's way.
    existing = [error["existing"] for row in payload["rows"] for error in row["userErrors"] if "existing" in error]
    assert all(each is not None for each in existing)


@pytest.mark.parametrize("kind", COUNTS)
async def test_an_empty_batch_does_nothing(shop: Shop, kind: str) -> None:
    field = "customersUpsert" if kind == "customers" else f"{kind}Record"
    before = shop.rows()
    payload = await shop.done(field, {"rows": []})
    check(payload, [], COUNTS[kind])
    assert shop.rows() == before


async def test_all_200_rows_are_done_and_can_be_selected(shop: Shop) -> None:
    rows = [{"externalRef": ref(f"r{n}"), "set": {"name": f"N{n}"}} for n in range(200)]
    payload = await shop.done("customersUpsert", {"rows": rows})
    assert payload["created"] == 200
    assert [row["customer"]["name"] for row in payload["rows"]] == [f"N{n}" for n in range(200)]
    common = {"currency": "EUR", "lines": [line()], "purchasedAt": "2026-06-15T10:00:00Z"}
    bought = [
        {**common, "customer": {"externalRef": ref(f"r{n % 40}")}, "externalRef": ref(f"p{n}")} for n in range(200)
    ]
    payload = await shop.done("purchasesRecord", {"rows": bought})
    assert payload["recorded"] == 200
    assert {row["purchase"]["customer"]["facts"]["keptOrders"] for row in payload["rows"]} == {5}
    again = await shop.done("purchasesRecord", {"rows": bought})
    assert (again["recorded"], again["alreadyRecorded"]) == (0, 200)
    assert [row["purchase"] for row in again["rows"]] == [row["purchase"] for row in payload["rows"]]
    assert not shop.wrong_facts()


def check(payload: Any, outcomes: list[tuple[str, list[tuple[str, str]]]], counts: list[str]) -> None:
    assert [row["index"] for row in payload["rows"]] == list(range(len(outcomes)))
    told = [(row["outcome"], codes(row["userErrors"])) for row in payload["rows"]]
    assert told == [
        (outcome, sorted((code, f"input.rows.{index}.{path}") for code, path in errors))
        for index, (outcome, errors) in enumerate(outcomes)
    ]
    assert sum(payload[count] for count in counts) == len(outcomes)
    for count in counts:
        name = "".join(f"_{letter}" if letter.isupper() else letter for letter in count).upper()
        assert payload[count] == sum(outcome == name for outcome, _ in outcomes), count
