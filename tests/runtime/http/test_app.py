"""Probes, several services on one port, and what of a request is left in logs and metrics."""

import structlog
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from multidict import CIMultiDict

from services.runtime.clock import SystemClock
from services.runtime.health import Health
from services.runtime.http import PUBLIC, Limits, Routes, build_app, client_address, combine, routes_of
from services.runtime.http.dispatch import asked_host
from tests.fakes.verifier import PlainVerifier
from tests.runtime.http.conftest import Serve
from tests.runtime.http.test_requests import MARKETING, bike_routes


class Part:
    def __init__(self, name: str, ready: bool) -> None:
        self.name = name
        self.ready = ready

    async def health(self) -> Health:
        return Health(self.name, self.ready, f"{self.name} is away.")


def open_routes(service: str) -> Routes:
    routes = Routes(f"/api/{service}", service)

    @routes.get("/hello", roles=PUBLIC, summary="Greet")
    async def get_hello() -> None: ...

    return routes


async def test_several_services_share_one_port_and_one_readiness() -> None:
    store, broker = Part("store", ready=True), Part("broker", ready=False)
    apps = [
        build_app(name, [open_routes(name)], verifier=PlainVerifier(), clock=SystemClock(), readiness=[part])
        for name, part in (("crm", store), ("dialer", broker))
    ]
    combined = combine(apps)
    assert [route.path for route in routes_of(combined)] == ["/api/crm/hello", "/api/dialer/hello"]
    async with TestClient(TestServer(combined)) as client:
        for path in ("/api/crm/hello", "/api/dialer/hello", "/api/crm/openapi.json", "/api/dialer/docs", "/livez"):
            async with client.get(path) as answer:
                assert answer.status in (200, 204), path
        async with client.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["waiting_for"] == [{"name": "broker", "detail": "broker is away."}]
        broker.ready = True
        async with client.get("/readyz") as answer:
            assert answer.status == 200


async def test_metrics_count_by_route_not_by_address(serve: Serve) -> None:
    client = await serve(bike_routes())
    async with client.get("/api/crm/bikes/0190b6a0-0000-7000-8000-000000000001", headers=MARKETING):
        pass
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'http_request_seconds_count{method="GET",route="/api/crm/bikes/{bike_id}",status="200"}' in text
    assert "0190b6a0" not in text


async def test_a_log_line_holds_no_query_and_no_token(serve: Serve) -> None:
    client = await serve(bike_routes())
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        async with client.get("/api/crm/bikes?cursor=%2B441632960001", headers={**MARKETING, "X-Request-Id": "r1"}):
            pass
    (line,) = [one for one in lines if one["event"] == "http.handled"]
    assert line["route"] == "GET /api/crm/bikes"
    assert line["request_id"] == "r1"
    assert "441632960001" not in str(lines)


async def test_a_request_id_that_could_forge_a_log_line_is_replaced(serve: Serve) -> None:
    client = await serve(bike_routes())
    async with client.get("/livez", headers={"X-Request-Id": "a b"}) as answer:
        assert len(answer.headers["X-Request-Id"]) == 36


async def test_only_trusted_proxies_say_who_the_client_is() -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7"})
    assert client_address(request, 0) == "unknown"
    assert client_address(request, 1) == "192.0.2.7"
    assert client_address(request, 3) == "unknown"
    assert Limits().trusted_proxies == 0


async def test_only_trusted_proxies_say_what_was_asked_for() -> None:
    direct = make_mocked_request("GET", "/", headers={"Host": "Localhost:8080"})
    assert asked_host(direct, 0) == asked_host(direct, 1) == "localhost"
    headers = {"Host": "127.0.0.1:1", "X-Forwarded-Host": "galw.example", "X-Forwarded-For": "192.0.2.7"}
    forwarded = make_mocked_request("GET", "/", headers=headers)
    assert asked_host(forwarded, 0) == ""
    assert asked_host(forwarded, 1) == "galw.example"
    twice = CIMultiDict([("X-Forwarded-Host", "localhost"), ("X-Forwarded-Host", "galw.example")])
    assert asked_host(make_mocked_request("GET", "/", headers=twice), 1) == ""
    unknown = {"Host": "127.0.0.1:1", "X-Forwarded-Host": "", "X-Forwarded-For": "127.0.0.1"}
    assert asked_host(make_mocked_request("GET", "/", headers=unknown), 1) == ""
    assert asked_host(make_mocked_request("GET", "/", headers={"Host": "[::1"}), 0) == ""
