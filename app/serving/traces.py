"""OpenTelemetry traces, where OTEL_EXPORTER_OTLP_ENDPOINT says where they go: a span for each operation, and below it
one for each of its questions. They are made once it is over; nothing is done for them while it runs but to look at the
clock.
"""

from collections.abc import Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any

from app.platform.records import Record, wall
from app.platform.refusals import OperatorError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
CLOSE_SECONDS = 2.0
_BILLION = 1_000_000_000


class Traces:
    """Makes spans of what is over."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._trace = provider, trace
        self._tracer = provider.get_tracer("guanxi")
        self._parent = TraceContextTextMapPropagator()

    def take(self, records: Sequence[Record]) -> None:
        for each in records:
            self._span(each)

    def _span(self, record: Record) -> None:
        kinds, (kind, name) = self._trace.SpanKind, record.asked
        context = self._parent.extract({"traceparent": record.parent}) if record.parent else None
        # As OpenTelemetry names them; the document itself is not told.
        said: dict[str, Any] = {
            "graphql.operation.type": kind,
            "graphql.operation.name": name,
            "graphql.document.hash": record.document,
            "guanxi.request_id": record.request_id,
            "guanxi.transport": record.transport,
            "guanxi.lane": record.lane,
            "guanxi.cost": record.cost,
            "guanxi.statements": record.statements,
            "http.response.status_code": record.status,
        }
        title = " ".join(filter(None, (kind, name))) or "GraphQL"
        span = self._tracer.start_span(title, context, kinds.SERVER, said, start_time=_nanoseconds(record.began))
        if record.codes:
            span.set_attribute("error.type", ",".join(record.codes))
            span.set_status(self._trace.StatusCode.ERROR)
        below = self._trace.set_span_in_context(span)
        for start_at, end_at in record.spans or ():
            child = self._tracer.start_span("statement", below, kinds.CLIENT, start_time=_nanoseconds(start_at))
            child.end(_nanoseconds(end_at))
        span.end(_nanoseconds(record.ended))

    def close(self) -> None:
        """Send what waits; who collects it and does not answer keeps nobody from ending."""
        sending = Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)


def traces(environment: Mapping[str, str]) -> Traces | None:
    """As the environment configures them; None when it does not. Raises OperatorError when they cannot be made."""
    if not any(environment.get(name) for name in _ENDPOINTS) or environment.get("OTEL_SDK_DISABLED") == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise OperatorError(f"{_ENDPOINTS[0]} is set, but traces are an extra: install guanxi[otel].") from None
    name = environment.get("OTEL_SERVICE_NAME") or "guanxi"
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


def _nanoseconds(at: float) -> int:
    return int(wall(at) * _BILLION)
