"""A campaign's audience may name segments: they are read when it is asked for, in the transaction that launches."""

from typing import Any

import orjson
import pytest

from app.platform.refusals import BadInput, Problems
from app.query.question import AnyOf
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
        actions.delete_segment(work, {"id": key})
        nobody = said(named)
        assert nobody.where == said({"segment": {"in": ["seg_" + "0" * 32]}}).where
        assert AnyOf(()) in nobody.where.tests
        with pytest.raises(BadInput):
            said({"segment": {"in": None}})
