"""A span for each operation and each of its statements, without a word of what was asked."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import Engine

from app.platform.access import Org, create_key
from app.platform.work import transaction
from app.serving.traces import Traces, traces
from tests.client import Client, application
from tests.conftest import NOW

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SEARCHED = 'query Known { customers(where: { name: { eq: "Kanaria" } }) { nodes { name } } }'
WRONG = 'mutation Wrong { customerCreate(input: { nom: "Kanaria" }) { customer { id } } }'


async def test_an_operation_is_a_span(
    database_url: str, engine: Engine, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("app.main.traces", lambda _: Traces(provider))
    with transaction(engine) as session:
        key = create_key(session, org.id, ["read", "write"], NOW)
    app = application(database_url)
    client = Client(app, key, None)
    async with app.router.lifespan_context(app), client.http:
        await client.post(SEARCHED, traceparent=f"00-{TRACE}-{PARENT}-01")
        await client.post(WRONG)
    spans = kept.get_finished_spans()
    known, wrong = [span for span in spans if span.name != "statement"]
    assert known.name == "query Known"
    assert known.parent is not None
    assert (f"{known.context.trace_id:032x}", f"{known.parent.span_id:016x}") == (TRACE, PARENT)
    assert known.attributes is not None
    assert known.attributes["guanxi.lane"] == "sql"
    assert known.attributes["guanxi.cost"] != 0
    below = [span for span in spans if span.parent and span.parent.span_id == known.context.span_id]
    assert {span.name for span in below} == {"statement"}
    for span in below:
        assert span.start_time is not None
        assert known.start_time is not None
        assert span.start_time >= known.start_time - 1_000_000
    assert wrong.status.status_code.name == "ERROR"
    assert "Kanaria" not in "".join(span.to_json() for span in spans)


def test_nothing_is_traced_unless_it_is_said_where_to() -> None:
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert traces({}) is None
    assert traces({**there, "OTEL_SDK_DISABLED": "true"}) is None
    configured = traces(there)
    assert configured is not None
    configured.close()
