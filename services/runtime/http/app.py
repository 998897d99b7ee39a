"""The aiohttp application of a service: routes, probes, documents, and one translation of errors."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import orjson
import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, get_tracer
from prometheus_client import Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from services.runtime.clock import Clock
from services.runtime.errors import GalwError
from services.runtime.health import Check, not_ready
from services.runtime.http.dispatch import REQUEST_ID, Dispatcher, Limits
from services.runtime.http.docs_page import DOCS_POLICY, docs_page
from services.runtime.http.idempotency import IdempotencyStore
from services.runtime.http.openapi import openapi_document
from services.runtime.http.problems import RequestError, problem_response
from services.runtime.http.routes import Route, Routes
from services.runtime.identity.principal import Verifier
from services.runtime.ids import new_id
from services.runtime.postgres import Pool

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
"""Opened before the first request, closed after the last."""

_LOG = structlog.get_logger(__name__)
_TRACER = get_tracer("galw")
_SECONDS = Histogram(
    "http_request_seconds", "Time from request to answer.", ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)  # fmt: skip
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = ("/livez", "/readyz", "/startupz", "/metrics")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""No CORS header is ever sent: a page of another origin cannot read an answer."""


@dataclass(frozen=True, slots=True)
class Api:
    """What one service serves; `combine` mounts several on one port."""

    name: str
    routes: tuple[Route, ...]
    dispatcher: Dispatcher
    clock: Clock
    readiness: tuple[Check, ...]
    lifespan: Lifespan | None
    on_shutdown: tuple[Callable[[], Awaitable[None]], ...]


_APIS = web.AppKey("apis", tuple[Api, ...])


def build_app(
    name: str,
    routes: Sequence[Routes],
    *,
    verifier: Verifier,
    clock: Clock,
    pool: Pool | None = None,
    readiness: Sequence[Check] = (),
    lifespan: Lifespan | None = None,
    on_shutdown: Sequence[Callable[[], Awaitable[None]]] = (),
    limits: Limits | None = None,
) -> web.Application:
    """Return the application of the service *name*.

    It serves *routes*, `/api/<name>/openapi.json`, `/api/<name>/docs`, `/livez`, `/readyz`, `/startupz` and `/metrics`.
    *pool* keeps the answers of idempotent routes and must see a schema that the runtime's migrations made.
    *on_shutdown* is awaited when the server stops, before it waits for open connections: who holds some closes them.
    """
    every = tuple(route for group in routes for route in group.all)
    store = IdempotencyStore(pool, clock) if pool is not None else None
    if store is None and any(route.idempotent for route in every):
        raise TypeError(f"{name} has idempotent routes, so it needs a pool to keep their answers in")
    dispatcher = Dispatcher(verifier, clock, limits or Limits(), store)
    return _application((Api(name, every, dispatcher, clock, tuple(readiness), lifespan, tuple(on_shutdown)),))


def combine(apps: Sequence[web.Application]) -> web.Application:
    """Return one application that serves all of *apps*, which `build_app` made and nobody runs, on one port."""
    return _application(tuple(api for app in apps for api in app[_APIS]))


def routes_of(app: web.Application) -> list[Route]:
    """Return every route of an application that `build_app` made, for tests that walk them."""
    return [route for api in app[_APIS] for route in api.routes]


def _application(apis: tuple[Api, ...]) -> web.Application:
    app = web.Application(middlewares=[_around(apis[0].clock)], client_max_size=0)
    app[_APIS] = apis
    for api in apis:
        _mount(app, api)
    _mount_probes(app, [check for api in apis for check in api.readiness])
    return app


def _mount(app: web.Application, api: Api) -> None:
    for route in api.routes:
        answer = api.dispatcher.answer_raw if route.raw else api.dispatcher.answer
        # Whoever may GET may ask by HEAD whether it is there; what is raw may be a stream without an end.
        methods = ("GET", "HEAD") if route.method == "GET" and not route.raw else (route.method,)
        for method in methods:
            app.router.add_route(method, route.path, partial(answer, route))
    document = orjson.dumps(openapi_document(api.name, api.routes))
    page = docs_page(document)

    async def get_openapi(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    async def get_docs(_: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": DOCS_POLICY}
        return web.Response(text=page, content_type="text/html", headers=headers)

    app.router.add_get(f"/api/{api.name}/openapi.json", get_openapi)
    app.router.add_get(f"/api/{api.name}/docs", get_docs)

    async def shut_down(_: web.Application) -> None:
        for close in api.on_shutdown:
            await close()

    app.on_shutdown.append(shut_down)
    lifespan = api.lifespan
    if lifespan is not None:

        async def run_lifespan(_: web.Application) -> AsyncGenerator[None]:
            async with lifespan():
                yield

        app.cleanup_ctx.append(run_lifespan)


def _mount_probes(app: web.Application, readiness: Sequence[Check]) -> None:
    async def get_livez(_: web.Request) -> web.Response:
        # Answering at all is the proof: an outage of a dependency must not restart a service.
        return web.json_response({"status": "ok"})

    async def get_readyz(_: web.Request) -> web.Response:
        waiting = await not_ready(readiness)
        reasons = [{"name": one.name, "detail": one.detail} for one in waiting]
        status = {"status": "not ready" if waiting else "ok", "waiting_for": reasons}
        return web.json_response(status, status=503 if waiting else 200)

    async def get_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    for path, handler in zip(_PROBES, (get_livez, get_readyz, get_readyz, get_metrics), strict=True):
        app.router.add_get(path, handler)


def _around(clock: Clock) -> Middleware:
    """Return the one middleware: correlation id, span, errors, security headers, metric and log line."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        started = clock.monotonic()
        name = f"{request.method} {route}"
        parent = extract(request.headers)
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            _TRACER.start_as_current_span(name, context=parent, kind=SpanKind.SERVER) as span,
        ):
            response = await _answered(request, handler, request_id)
            span.set_attribute("http.response.status_code", response.status)
            seconds = clock.monotonic() - started
            if response.status != 101:  # a WebSocket lasts for hours and says nothing about how fast answers are
                _SECONDS.labels(request.method, route, response.status).observe(seconds)
            if route not in _PROBES:
                _LOG.info("http.handled", route=name, status=response.status, duration_ms=round(seconds * 1000, 1))
        return response

    return around


async def _answered(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    response: web.StreamResponse
    try:
        response = await handler(request)
    except (GalwError, web.HTTPException) as error:
        response = problem_response(error, request_id)
    except (HttpProcessingError, web.RequestPayloadError):
        refusal = RequestError(400, "malformed", "The body does not follow HTTP's own rules.")
        response = problem_response(refusal, request_id)
    except ConnectionError:
        if request.transport is not None:
            raise
        return web.Response(status=499, reason="Client gone")  # nobody reads it; the log line tells
    except Exception as error:  # noqa: BLE001 - the one place that turns our bugs into an answer
        _LOG.exception("http.failed", error=type(error).__name__)
        response = problem_response(error, request_id)
    if not response.prepared:
        for header, value in {**_SECURITY_HEADERS, "X-Request-Id": request_id}.items():
            response.headers.setdefault(header, value)
    return response
