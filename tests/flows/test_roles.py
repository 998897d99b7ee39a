"""Every route of every service lets in its roles and nobody else, and nothing answers that is not a route."""

from uuid import UUID

import asyncpg
import pytest

from services.runtime.http import PUBLIC
from services.runtime.identity import Role
from services.runtime.ids import new_id
from tests.flows.house import house
from tests.peers import RunningBroker
from tests.runtime.http.role_matrix import wrongly_answered

pytestmark = [pytest.mark.pg, pytest.mark.broker, pytest.mark.timeout(600)]

# Who is not signed in may know that Galw runs and how to sign in; everything else is said here on purpose.
OPEN = {
    ("POST", "/api/identity/sign-in"),
    ("POST", "/api/identity/refresh"),
    ("POST", "/api/identity/sign-out"),
    ("GET", "/api/identity/jwks"),
}


async def test_every_route_by_every_role_and_signed_out(database_url: str, broker: RunningBroker) -> None:
    async with house(database_url, broker.bootstrap) as home:
        routes = home.routes
        assert len(routes) > 60
        # The walk asks for things with the id 1; the operator who walks once had that person on the line.
        conn = await asyncpg.connect(database_url)
        await conn.execute("INSERT INTO crm.handlings VALUES ($1, $2, $3)", new_id(), UUID(int=1), home.user_id)
        await conn.close()
        headers = {role: await home.signed(role) for role in Role}
        assert await wrongly_answered(home.session, routes, lambda role: headers[role]) == []
        open_routes = {(route.method, route.path) for route in routes if route.roles == PUBLIC}
        assert open_routes >= OPEN
        for method, path in open_routes - OPEN:
            # What else is open is a page of figures or guarded by a secret of its own, and never changes anything.
            assert method == "GET" or "internal" in path, (method, path)
