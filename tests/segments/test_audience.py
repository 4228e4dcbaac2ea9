"""A campaign's audience may name segments: they are read when it is asked for, in the transaction that launches."""

from typing import Any

import orjson
import pytest

from app.platform.refusals import BadInput, Problems
from app.segments import actions
from schema.audience import audience_of
from tests.conftest import Begin


def test_a_stored_audience_finds_who_belongs_now(begin: Begin) -> None:
    def said(where: Any) -> Any:
        return audience_of(work, orjson.dumps(where).decode())

    with begin() as work:
        given: Any = {"name": "Tea", "where": '{"suppressed":{"eq":false}}'}
        key = actions.create_segment(work, given, Problems())["segment"]
        named = {"segment": {"in": [key]}}
        found = said(named)
        assert "audience_segment_in_0_suppressed_eq" in found.values
        changed: Any = {"id": key, "set": {"where": '{"kind":{"eq":"COMPANY"}}'}}
        actions.update_segment(work, changed, Problems())
        assert "audience_segment_in_0_kind_eq" in said(named).values
        with pytest.raises(BadInput):
            said({"segment": {"in": None}})


@pytest.mark.parametrize("operator", ["in", "notIn"])
def test_one_that_names_what_is_not_there_is_refused(begin: Begin, operator: str) -> None:
    # Without a word it would find whom the segment was to leave out.
    with begin() as work:
        given: Any = {"name": "Tea", "where": '{"suppressed":{"eq":false}}'}
        key = actions.create_segment(work, given, Problems())["segment"]
        audience_of(work, orjson.dumps({"segment": {operator: [key]}}).decode())
        actions.delete_segment(work, {"id": key})
        for missing in (key, "seg_" + "0" * 32, "cus_" + "1" * 32, ""):
            with pytest.raises(BadInput, match="a segment that is not there"):
                audience_of(work, orjson.dumps({"segment": {operator: [missing]}}).decode())
