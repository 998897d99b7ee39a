"""Operators of a shift: they talk as long as people do, wrap up in a few seconds, and keep their tokens young."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from benchmarks.lifecycles.operators import Operators

_TOKENS_EVERY_S = 240.0

Tokens = Callable[[], Awaitable[dict[UUID, str]]]


class Floor(Operators):
    """Everybody who works in the shift."""

    def __init__(self, url: str, session: aiohttp.ClientSession, answers: dict[str, str], wrap_up_s: float) -> None:
        """Work at *url*."""
        super().__init__(url, session, answers)
        self._wrap_up_s = wrap_up_s
        self._headers: dict[UUID, dict[str, str]] = {}
        self._lines: dict[UUID, aiohttp.ClientWebSocketResponse] = {}

    async def work_as(self, who: UUID, token: str) -> None:
        """Be one operator until cancelled."""
        headers = self._headers[who] = {"Authorization": f"Bearer {token}"}
        seen = 0
        async with (
            self.session.ws_connect(f"{self.url}/api/dialer/live", headers=headers, heartbeat=20) as line,
            asyncio.TaskGroup() as hands,
        ):
            self._lines[who] = line
            async for message in line:
                body = orjson.loads(message.data)["body"]
                if isinstance(body, dict) and body.get("version", 0) > seen:
                    seen = body["version"]
                    hands.create_task(self._do(body, headers))
            raise ConnectionError(f"the live line was closed with {line.close_code}")

    async def _do(self, state: dict[str, Any], headers: dict[str, str]) -> None:
        if state["state"] == "wrap_up":
            await asyncio.sleep(self._wrap_up_s)
        await self.act(state, headers)

    async def renew(self, tokens: Tokens) -> None:
        """Give everybody a new token before the old one has run out, for ever."""
        while True:
            await asyncio.sleep(_TOKENS_EVERY_S)
            for who, token in (await tokens()).items():
                self._headers[who]["Authorization"] = f"Bearer {token}"
                await self._lines[who].send_str(orjson.dumps({"access_token": token}).decode())
