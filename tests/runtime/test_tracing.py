"""A trace goes from the request through the outbox to whoever hears the fact."""

from collections.abc import AsyncGenerator, Sequence

import pytest
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.events.crm import ContactChanged
from services.runtime.clock import SystemClock
from services.runtime.consumer import Handlers, Received
from services.runtime.http import PUBLIC, Routes, build_app
from services.runtime.ids import new_id
from services.runtime.kafka import KafkaBus
from services.runtime.postgres import Connection
from services.runtime.tracing import batch_span, current_traceparent, span
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases, RunningBroker
from tests.runtime.stage import Actor, changed, prepare, record_effects, stage
from tests.runtime.waiting import until

EXPORTER = InMemorySpanExporter()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What this process traced; OpenTelemetry takes one provider per process and never lets go of it."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    return EXPORTER


@pytest.fixture
async def url(databases: Databases) -> AsyncGenerator[str]:
    made = await databases.create(prepare)
    yield made
    await databases.drop(made)


def contact_routes(crm: Actor) -> Routes:
    routes = Routes(prefix="/api/crm", tag="contacts")

    @routes.post("/contacts", roles=PUBLIC, summary="Make a contact")
    async def post_contact() -> None:
        await crm.announce(changed(new_id(), 0))

    return routes


def named(spans: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [one for one in spans if one.name == name]


@pytest.mark.pg
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["memory", pytest.param("real", marks=pytest.mark.broker)])
async def test_one_trace_goes_from_the_request_through_the_outbox_to_the_consumer(
    kind: str, url: str, spans: InMemorySpanExporter, request: pytest.FixtureRequest
) -> None:
    memory = MemoryBroker()
    broker: RunningBroker | None = request.getfixturevalue("broker") if kind == "real" else None
    heard: list[str | None] = []
    handlers = Handlers()

    @handlers.on(ContactChanged)
    async def on_changed(conn: Connection, events: Sequence[Received[ContactChanged]]) -> None:
        heard.append(current_traceparent())  # what a fact announced here would carry on
        await record_effects(conn, events)

    async with stage(url, lambda name: KafkaBus(broker.bootstrap, name) if broker else MemoryBus(memory)) as start:
        await start("notifier", handlers)
        crm = await start("crm")
        app = build_app("crm", [contact_routes(crm)], verifier=PlainVerifier(), clock=SystemClock())
        async with TestClient(TestServer(app)) as client:
            given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            async with client.post("/api/crm/contacts", headers={"traceparent": given}) as answer:
                assert answer.status == 204
            await until(lambda: bool(heard), 60)
    (asked,) = named(spans.get_finished_spans(), "POST /api/crm/contacts")
    (processed,) = named(spans.get_finished_spans(), "process crm.contacts.v1")
    assert asked.context is not None
    assert processed.context is not None
    assert f"{asked.context.trace_id:032x}" == given.split("-")[1]
    assert processed.context.trace_id == asked.context.trace_id
    assert processed.parent is not None
    assert processed.parent.span_id == asked.context.span_id
    assert heard[0] is not None
    assert heard[0].split("-")[1] == given.split("-")[1]


def test_a_batch_of_several_causes_names_them_all_and_belongs_to_none(spans: InMemorySpanExporter) -> None:
    causes: list[str | None] = [None]
    for _ in range(3):
        with span("cause"):
            causes += [current_traceparent()] * 2
    with batch_span("crm.contacts.v1", "notifier", causes):
        pass
    (processed,) = named(spans.get_finished_spans(), "process crm.contacts.v1")
    assert processed.parent is None
    assert len(processed.links) == 3
