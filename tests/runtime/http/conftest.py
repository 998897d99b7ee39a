"""A small real application and its client."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.runtime.clock import SystemClock
from services.runtime.http import Limits, Routes, build_app
from services.runtime.identity import Role
from services.runtime.postgres import Pool, create_pool, migrate
from tests.fakes.verifier import PlainVerifier

Client = TestClient[web.Request, web.Application]
Serve = Callable[..., Awaitable[Client]]


@pytest.fixture
async def pool(database_url: str) -> AsyncGenerator[Pool]:
    await migrate(database_url, "crm", ["services.runtime"])
    made = await create_pool(database_url, "crm")
    yield made
    await made.close()


@pytest.fixture
async def serve() -> AsyncGenerator[Serve]:
    """Serves routes on a free port until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(routes: Routes, *, pool: Pool | None = None, limits: Limits | None = None) -> Client:
            app = build_app("crm", [routes], verifier=PlainVerifier(), clock=SystemClock(), pool=pool, limits=limits)
            client: Client = TestClient(TestServer(app))
            await stack.enter_async_context(client)
            return client

        yield start


def bearer(role: Role, user_id: UUID | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}:{user_id or UUID(int=7)}"}


async def parts(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def fresh_user() -> UUID:
    return uuid4()
