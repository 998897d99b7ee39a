"""Nobody is let in by accident, and the walk that says so for every service would notice."""

from aiohttp import web

from services.runtime.http import ANY_ROLE, CALLER, PUBLIC, Routes
from services.runtime.identity import Role
from tests.runtime.http.conftest import Serve, bearer
from tests.runtime.http.role_matrix import wrongly_answered
from tests.runtime.http.test_requests import bike_routes


async def test_every_route_lets_in_its_roles_and_nobody_else(serve: Serve) -> None:
    routes = bike_routes()
    assert await wrongly_answered(await serve(routes), routes.all, bearer) == []


async def test_the_walk_notices_a_route_that_is_too_open(serve: Serve) -> None:
    served, meant = Routes("/api/crm", "bikes"), Routes("/api/crm", "bikes")
    for routes, roles in ((served, {Role.MARKETING, Role.OPERATOR}), (meant, {Role.MARKETING, Role.PARTNER})):

        @routes.get("/bikes", roles=roles, summary="List")
        async def list_bikes() -> None: ...

    found = await wrongly_answered(await serve(served), meant.all, bearer)
    assert found == ["GET /api/crm/bikes as operator: 204", "GET /api/crm/bikes as partner: 403"]


async def test_a_token_that_does_not_count_is_refused(serve: Serve) -> None:
    client = await serve(bike_routes())
    for header in ("", "Bearer", "Bearer nobody", "Basic marketing", "Bearer \u00e9"):
        async with client.get("/api/crm/bikes", headers={"Authorization": header}) as answer:
            assert answer.status == 401, header
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="galw"'


async def test_a_raw_route_has_roles_too(serve: Serve) -> None:
    routes = Routes("/api/crm", "pages")

    async def get_page(request: web.Request) -> web.Response:
        return web.Response(text=request[CALLER].name)

    async def get_open(request: web.Request) -> web.Response:
        return web.Response(text=str(CALLER in request))

    routes.raw("GET", "/page", get_page, roles=ANY_ROLE, summary="A page")
    routes.raw("GET", "/open", get_open, roles=PUBLIC, summary="An open page")
    client = await serve(routes)
    assert await wrongly_answered(client, routes.all, bearer) == []
    async with client.get("/api/crm/page", headers=bearer(Role.AUDITOR)) as answer:
        assert await answer.text() == "A auditor"
    async with client.get("/api/crm/open", headers=bearer(Role.AUDITOR)) as answer:
        assert await answer.text() == "False"
