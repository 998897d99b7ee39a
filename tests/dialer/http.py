"""The dialer's HTTP API, asked as a person of a role."""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.operators import Operator
from services.runtime.identity import Role
from tests.crm.conftest import bearer

Client = TestClient[web.Request, web.Application]
MARKETING, SUPERVISOR, ADMIN = bearer(Role.MARKETING), bearer(Role.SUPERVISOR), bearer(Role.ADMIN)


class Poked:
    """What the owners of pools were told."""

    def __init__(self) -> None:
        self.told: list[tuple[Operator | None, Attempt | None]] = []
        self.woken = 0

    async def poke(self, operator: Operator | None, attempt: Attempt | None) -> None:
        self.told.append((operator, attempt))

    async def wake(self) -> None:
        self.woken += 1


async def ask(
    client: Client,
    method: str,
    path: str,
    body: Any = None,
    status: int = 200,
    *,
    as_: dict[str, str] = MARKETING,
    **more: str,
) -> Any:
    headers = {**as_, **{name.replace("_", "-"): value for name, value in more.items()}}
    async with client.request(method, f"/api/dialer{path}", json=body, headers=headers) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json() if reply.status != 204 else None


async def post(client: Client, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
    return await ask(client, "POST", path, body, status, **more)


async def get(client: Client, path: str, status: int = 200, **more: Any) -> Any:
    return await ask(client, "GET", path, None, status, **more)


def fields(problem: dict[str, Any]) -> set[str]:
    return {one["field"] for one in problem.get("fields", [])}
