"""OpenTelemetry: traces that cross the outbox, exported only when `OTEL_EXPORTER_OTLP_ENDPOINT` is set."""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

_TRACER = trace.get_tracer("galw")

MAX_LINKS = 100
"""Links kept on a batch's span: more would cost more than they tell."""


def configure_tracing(service: str, exporter: SpanExporter | None = None) -> None:
    """Send this process's spans to *exporter* or to the endpoint in the environment; without either do nothing."""
    if exporter is None:
        if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
            return
        # Imported here: the exporter costs a third of a second of start-up that most installations need not pay.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def current_traceparent() -> str | None:
    """Return the W3C `traceparent` of the span being worked in, or None when nothing is traced."""
    if not trace.get_current_span().get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, *, parent: str | None = None, attributes: dict[str, str | int] | None = None) -> Generator[None]:
    """Work in a span called *name*, a child of the *parent* traceparent where one is given."""
    context = extract({"traceparent": parent}) if parent else None
    with _TRACER.start_as_current_span(name, context=context, attributes=attributes):
        yield


@contextmanager
def batch_span(topic: str, service: str, traceparents: Iterable[str | None]) -> Generator[None]:
    """Work in the span of one batch of records: a child of the span that announced them all, else linked to each."""
    parents = list(dict.fromkeys(parent for parent in traceparents if parent))
    contexts = [found for parent in parents[:MAX_LINKS] if (found := _context(parent)).is_valid]
    # One cause makes one trace; a batch of many causes belongs to none of them, so it only names them.
    context = trace.set_span_in_context(trace.NonRecordingSpan(contexts[0])) if len(contexts) == 1 else None
    links = [trace.Link(one) for one in contexts] if context is None else []
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.consumer.group.name": service,
    }
    with _TRACER.start_as_current_span(f"process {topic}", context=context, links=links, attributes=attributes):
        yield


def _context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(extract({"traceparent": traceparent})).get_span_context()
