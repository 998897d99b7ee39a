"""Every route of the CRM lets in its roles and nobody else."""

from uuid import UUID

import pytest

from services.crm.app import crm_routes
from services.crm.ports import Handling, PhoneDigest
from services.crm.store import PgStore
from services.runtime.http import PUBLIC
from tests.crm.conftest import Client, bearer
from tests.runtime.http.role_matrix import wrongly_answered

pytestmark = pytest.mark.pg


async def test_every_route_lets_in_its_roles_and_nobody_else(
    client: Client, store: PgStore, digest: PhoneDigest
) -> None:
    # The walk asks for things with the id 1; the operator who walks once had that person on the line.
    async with store.transaction() as tx:
        await tx.responses.note_handlings([Handling(UUID(int=2), UUID(int=1), UUID(int=7))])
    routes = [route for group in crm_routes(store, digest) for route in group.all]
    assert len(routes) > 20
    assert all(route.roles != PUBLIC for route in routes)
    assert await wrongly_answered(client, routes, bearer) == []
