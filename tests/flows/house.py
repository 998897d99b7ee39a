"""The three services in one process and on one port, on a PostgreSQL and a broker of their own, with staff."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp

from services.crm import app as crm
from services.crm.settings import CrmSettings
from services.dialer import app as dialer
from services.dialer.settings import DialerSettings
from services.notifier import app as notifier
from services.notifier.settings import NotifierSettings
from services.runtime.clock import SystemClock
from services.runtime.http import Route, combine, routes_of
from services.runtime.identity import Role
from services.runtime.identity.identity import Identity, open_identity
from services.runtime.identity.principal import Principal
from services.runtime.identity.tokens import sign_access_token
from services.runtime.ids import new_id
from services.runtime.service import Service, Stopping, run_service

SECRET = "a secret for tests that is long enough"
PASSWORD = "correct horse battery staple 9"
CLOCK = SystemClock()


class House:
    """Everything that runs, and whoever asks it."""

    def __init__(self, identity: Identity, services: list[Service], url: str, session: aiohttp.ClientSession) -> None:
        self.identity = identity
        self.services = services
        self.url = url
        self.session = session
        self.user_id = new_id()

    @property
    def routes(self) -> list[Route]:
        """Every route of every service."""
        return [route for service in self.services for route in routes_of(service.app)]

    async def signed(self, *roles: Role, user_id: UUID | None = None) -> dict[str, str]:
        """Return the headers of somebody with exactly these *roles*."""
        partner = new_id() if Role.PARTNER in roles else None
        who = Principal(user_id or self.user_id, frozenset(roles), "Mari Llwyd", partner)
        token = await sign_access_token(self.identity.keys, who, new_id(), CLOCK.now())
        return {"Authorization": f"Bearer {token}"}

    async def ask(
        self, method: str, path: str, roles: Iterable[Role] = (Role.MARKETING,), *, body: Any = None, **options: Any
    ) -> Any:
        """Return the JSON of an answer that must be a success."""
        headers = await self.signed(*roles) | options.pop("headers", {})
        async with self.session.request(method, path, json=body, headers=headers, **options) as answer:
            assert answer.status < 400, await answer.text()
            return await answer.json() if answer.content_type == "application/json" else await answer.text()


@asynccontextmanager
async def house(database_url: str, bootstrap: str) -> AsyncGenerator[House]:
    """Build and run the services until the block ends."""
    given = {
        "database_url": database_url,
        "kafka_bootstrap": bootstrap,
        "http_port": 0,
        "phone_key": "a phone key for tests",
        "secret_key": SECRET,
        "database_pool_size": 5,
        "carrier_url": "http://127.0.0.1:1",
        "webhook_allowed_networks": "127.0.0.0/8",
    }
    identity = await open_identity(database_url, SECRET, CLOCK, listens_on="127.0.0.1")
    services = [
        await dialer.build(DialerSettings.model_validate(given), CLOCK, identity.verifier),
        await crm.build(CrmSettings.model_validate(given), CLOCK, new_id, identity),
        await notifier.build(NotifierSettings.model_validate(given), CLOCK, identity.verifier),
    ]
    stopping = Stopping()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(
                run_service(
                    services,
                    app=combine([service.app for service in services]),
                    host="127.0.0.1",
                    port=0,
                    stopping=stopping,
                    on_listening=lambda host, port: listening.set_result(f"http://{host}:{port}"),
                )
            )
            url = await listening
            async with aiohttp.ClientSession(url) as session:
                yield House(identity, services, url, session)
            stopping.ask()
    finally:
        await identity.close()
