"""The timeline takes what the contract promises, tells a repeat from a clash, and its facts say what its events do."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from app.customers import facts
from app.customers.facts import facts as fact_table
from app.platform.days import day_number
from app.platform.ids import key_of
from app.platform.work import Work
from app.touchpoints import actions
from app.touchpoints.tables import Touchpoint
from tests.conftest import NOW, Begin
from tests.customers.acting import create, events_of, ref, refused, rows_in, told
from tests.customers.test_races import at_once


def said(customer: str, **given: Any) -> Any:
    return {"customer": {"id": customer}, "kind": "MESSAGE", "channel": "EMAIL", "direction": "INBOUND", **given}


def record(work: Work, customer: str, **given: Any) -> str:
    answer = actions.record_touchpoint(work, said(customer, **given))
    assert answer["outcome"] == "RECORDED"
    return str(answer["touchpoint"])


def many(work: Work, *rows: Any, on_error: str = "REJECT_ALL", **more: Any) -> Any:
    return actions.record_touchpoints(work, {"rows": list(rows), "on_error": on_error}, **more)


def read(work: Work, touchpoint: str) -> Touchpoint:
    mine = Touchpoint.org_id == work.org.id, Touchpoint.id == key_of(touchpoint, "tou")
    return work.session.scalars(select(Touchpoint).where(*mine)).one()


def facts_of(work: Work, customer: str) -> dict[str, Any]:
    assert facts.verify(work) == {}
    table = fact_table.table
    mine = table.c.org_id == work.org.id, table.c.customer_id == key_of(customer, "cus")
    return dict(work.session.execute(select(table).where(*mine)).one()._mapping)


def test_a_contact_is_kept_as_it_was_said(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        at = NOW - timedelta(days=3)
        touchpoint = record(
            work, customer, kind="SURVEY", occurred_at=at, subject=" Cafe\u0301 ", nps=9, csat=5, sentiment=-0.25,
            relative_quality=Decimal("1.10"), relative_price=Decimal("0.000001"), attributes={"b": 1, "a": "x"},
        )  # fmt: skip
        kept = read(work, touchpoint)
        assert (kept.subject, kept.occurred_at, kept.recorded_at) == ("Café", at, NOW)
        assert (kept.nps, kept.csat, kept.sentiment_e6, kept.quality_e6, kept.price_e6) == (
            9,
            5,
            -250_000,
            1_100_000,
            1,
        )
        assert kept.attributes == '{"a":"x","b":1}'
        assert facts_of(work, customer) | {"touchpoints": 1, "nps": 9, "quality_e6": 1_100_000} == facts_of(
            work, customer
        )
        assert events_of(work, touchpoint) == ["touchpoint.recorded"]


def test_the_day_is_the_organisations(begin: Begin, new_org: Callable[..., Any]) -> None:
    with begin(org=new_org(time_zone="Asia/Shanghai")) as work:
        evening = datetime(2026, 6, 1, 16, 30, tzinfo=UTC)
        touchpoint = record(work, create(work), occurred_at=evening)
        assert read(work, touchpoint).local_day == day_number(date(2026, 6, 2))


def test_all_that_is_wrong_is_told_at_once(begin: Begin) -> None:
    with begin() as work:
        given = said(
            "cus_nobody", kind="CALL", occurred_at=NOW + timedelta(minutes=6), subject="x" * 201, body="x" * 10_001,
            nps=11, csat=0, sentiment=1.1, relative_price=Decimal("NaN"), external_ref=ref(" "), attributes=[1],
            channel="PIGEON", in_reply_to={"id": "tou_none"},
        )  # fmt: skip
        assert {(code, *path) for code, path, _ in refused(actions.record_touchpoint, work, given)} == {
            ("NOT_FOUND", "customer"), ("OUT_OF_RANGE", "occurred_at"), ("TOO_LONG", "subject"), ("TOO_LONG", "body"),
            ("INVALID", "nps"), ("OUT_OF_RANGE", "nps"), ("INVALID", "csat"), ("OUT_OF_RANGE", "csat"),
            ("OUT_OF_RANGE", "sentiment"), ("INVALID", "relative_price"), ("REQUIRED", "external_ref", "value"),
            ("INVALID", "attributes"), ("INVALID", "channel"), ("NOT_FOUND", "in_reply_to"),
        }  # fmt: skip
        assert rows_in(work, Touchpoint) == 0


@pytest.mark.parametrize(
    ("ratio", "code"),
    [("0", "OUT_OF_RANGE"), ("-1", "OUT_OF_RANGE"), ("1000000.000001", "OUT_OF_RANGE"), ("1.0000001", "INVALID"),
     ("Infinity", "INVALID"), ("1E-999999", "INVALID"), ("1.00000000000000000000000000000000000001", "INVALID")],
)  # fmt: skip
def test_a_ratio_is_above_zero_with_six_decimals(begin: Begin, ratio: str, code: str) -> None:
    with begin() as work:
        given = said(create(work), kind="SURVEY", relative_quality=Decimal(ratio))
        assert refused(actions.record_touchpoint, work, given) == [(code, ("relative_quality",), None)]


def test_a_repeat_is_told_from_a_clash(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        first = record(work, customer, external_ref=ref("1"), body="hello")
    with begin(now=NOW + timedelta(hours=1)) as work:
        again = said(customer, external_ref=ref(" 1 "), body=" hello ", subject=None)
        assert actions.record_touchpoint(work, again) == {"touchpoint": first, "outcome": "ALREADY_RECORDED"}
        other = said(customer, external_ref=ref("1"), body="hello", occurred_at=NOW)
        assert refused(actions.record_touchpoint, work, other) == [("TAKEN", ("external_ref",), first)]
        assert rows_in(work, Touchpoint) == 1
        assert facts_of(work, customer)["touchpoints"] == 1


def test_one_bad_row_stops_the_batch_or_only_itself(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        rows = [said(customer), said(customer, nps=3), said("cus_nobody")]
        stopped = many(work, *rows)
        assert [row["outcome"] for row in stopped["rows"]] == ["NOT_ATTEMPTED", "REFUSED", "REFUSED"]
        assert [told(row) for row in stopped["rows"]] == [
            [], [("INVALID", ["rows", 1, "nps"])], [("NOT_FOUND", ["rows", 2, "customer"])],
        ]  # fmt: skip
        counts = {"recorded": 0, "already_recorded": 0, "refused": 2, "not_attempted": 1, "abort": True}
        assert {name: value for name, value in stopped.items() if name != "rows"} == counts
        assert rows_in(work, Touchpoint) == 0
        done = many(work, *rows, on_error="REJECT_ROW")
        assert [done[name] for name in ("recorded", "refused", "not_attempted")] == [1, 2, 0]
        assert "abort" not in done
        assert facts_of(work, customer)["touchpoints"] == 1


def test_rows_of_a_batch_behave_as_if_sent_one_after_the_other(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        asked = said(customer, external_ref=ref("1"), direction="OUTBOUND")
        replied = said(customer, in_reply_to={"external_ref": ref("1")}, external_ref=ref("2"))
        rows = [asked, replied, asked, said(customer, external_ref=ref("1"), body="other")]
        done = many(work, *rows, on_error="REJECT_ROW")
        first, reply, again, clash = done["rows"]
        assert [row["outcome"] for row in done["rows"]] == ["RECORDED", "RECORDED", "ALREADY_RECORDED", "REFUSED"]
        assert again["touchpoint"] == first["touchpoint"]
        assert [error["node"] for error in clash["user_errors"]] == [first["touchpoint"]]
        assert read(work, reply["touchpoint"]).in_reply_to == key_of(first["touchpoint"], "tou")
        assert facts_of(work, customer)["dialogue_1"] is not None
        assert [row["outcome"] for row in many(work, asked, replied)["rows"]] == ["ALREADY_RECORDED"] * 2


def test_nothing_of_a_stopped_batch_is_named(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        stopped = many(work, said(customer, external_ref=ref("1")), said(customer, external_ref=ref("1"), body="other"))
        assert [error["node"] for row in stopped["rows"] for error in row["user_errors"]] == [None]
        assert [row["touchpoint"] for row in stopped["rows"]] == [None, None]


def test_a_batch_has_two_hundred_rows_unless_told_otherwise(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        assert refused(many, work, *[said(customer)] * 201) == [("TOO_MANY", ("rows",), None)]
        assert many(work, *[said(customer)] * 201, limit=None)["recorded"] == 201
        assert many(work)["rows"] == []
        assert facts_of(work, customer)["touchpoints"] == 201


def test_a_reply_stays_with_its_customer(begin: Begin, new_org: Callable[..., Any]) -> None:
    with begin() as work:
        ana, bo = create(work), create(work, "Bo")
        asked = record(work, ana, direction="OUTBOUND")
        assert refused(actions.record_touchpoint, work, said(bo, in_reply_to={"id": asked})) == [
            ("INVALID", ("in_reply_to",), None)
        ]
        record(work, ana, in_reply_to={"id": asked})
        assert facts_of(work, ana)["dialogue_1"] is not None
    with begin(org=new_org("Other")) as work:
        given = said(create(work), in_reply_to={"id": asked})
        assert refused(actions.record_touchpoint, work, given) == [("NOT_FOUND", ("in_reply_to",), None)]


def test_what_was_retracted_had_never_been(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        before = facts_of(work, customer)
        asked = record(work, customer, direction="OUTBOUND", external_ref=ref("1"))
        reply = record(work, customer, in_reply_to={"id": asked})
        assert refused(actions.retract_touchpoint, work, {"touchpoint": {"id": asked}, "reason": " "}) == [
            ("REQUIRED", ("reason",), None)
        ]
        gone: Any = {"touchpoint": {"external_ref": ref("1")}, "reason": "twice"}
        assert actions.retract_touchpoint(work, gone) == {"touchpoint": asked, "customer": customer}
        assert facts_of(work, customer)["dialogue_1"] is None
        assert events_of(work, asked) == ["touchpoint.recorded", "touchpoint.retracted"]
        assert refused(actions.retract_touchpoint, work, gone) == [("NOT_FOUND", ("touchpoint",), None)]
        gone = {"touchpoint": {"id": asked}, "reason": "twice"}
        assert refused(actions.retract_touchpoint, work, gone) == [("WRONG_STATE", ("touchpoint",), None)]
        late = said(customer, in_reply_to={"id": asked})
        assert refused(actions.record_touchpoint, work, late) == [("NOT_FOUND", ("in_reply_to",), None)]
        assert record(work, customer, external_ref=ref("1"), body="new") != asked
        actions.retract_touchpoint(work, {"touchpoint": {"id": reply}, "reason": "too"})
        assert facts_of(work, customer)["touchpoints"] == before["touchpoints"] + 1


def test_a_complaint_is_resolved_once(begin: Begin) -> None:
    with begin() as work:
        customer = create(work)
        at = NOW - timedelta(days=2)
        complaint = record(work, customer, kind="COMPLAINT", occurred_at=at)
        assert facts_of(work, customer)["open_complaints"] == 1

        def resolve(touchpoint: str, **given: Any) -> Any:
            return actions.resolve_complaint(work, {"touchpoint": {"id": touchpoint}, **given})  # type: ignore[typeddict-item]

        assert refused(resolve, record(work, customer)) == [("WRONG_STATE", ("touchpoint",), None)]
        for wrong in (at - timedelta(seconds=1), NOW + timedelta(minutes=6)):
            assert refused(resolve, complaint, resolved_at=wrong) == [("OUT_OF_RANGE", ("resolved_at",), None)]
        assert resolve(complaint, resolution="Replaced.") == {"touchpoint": complaint}
        assert (read(work, complaint).resolved_at, read(work, complaint).resolution) == (NOW, "Replaced.")
        assert facts_of(work, customer)["open_complaints"] == 0
        assert refused(resolve, complaint) == [("WRONG_STATE", ("touchpoint",), None)]
        assert events_of(work, complaint) == ["touchpoint.recorded", "complaint.resolved"]


def test_look_ups_that_can_name_nothing_find_nothing(begin: Begin) -> None:
    with begin() as work:
        for lookup in ({"id": "cus_" + "0" * 32}, {"external_ref": ref("a\x00")}, {"external_ref": ref("\ud800")}, {}):
            given: Any = {"touchpoint": lookup, "reason": "x"}
            assert refused(actions.retract_touchpoint, work, given) == [("NOT_FOUND", ("touchpoint",), None)]


def test_of_two_that_take_one_reference_one_is_told(begin: Begin) -> None:
    with begin() as work:
        customers = [create(work) for _ in range(4)]

    def act(customer: str) -> Callable[[], Any]:
        def record_one() -> Any:
            with begin() as work:
                return many(work, said(customer, external_ref=ref("1")), said(customer), on_error="REJECT_ROW")

        return record_one

    answers = at_once(*map(act, customers))
    assert sorted(answer["recorded"] for answer in answers) == [1, 1, 1, 2]
    with begin() as work:
        refs = select(func.count(Touchpoint.ref_value)).where(Touchpoint.org_id == work.org.id)
        assert work.session.scalars(refs).one() == 1
        assert facts.verify(work) == {}
