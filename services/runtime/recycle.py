"""The planned recycling of the embedded broker, which never trims its log: emptied on purpose, with nothing to repeat.

The supervisor, which owns the broker and sees its memory, wants a recycle from time to time. Each service then stops
sending, waits until every fact it sent is confirmed and nothing new is in the log, and says so; when all have, the
supervisor restarts the broker. The new logs raise the epochs, and sending goes on under them. Facts are written to the
outbox all the while. The embedded broker belongs to one machine with one process per service, so holding the relay of
this process holds the service.
"""

import asyncio
from typing import Any

import aiohttp
import structlog

from services.runtime.clock import Clock
from services.runtime.consumer import Consumer
from services.runtime.epoch import Epochs
from services.runtime.errors import UnavailableError
from services.runtime.outbox import OutboxRelay

_LOG = structlog.get_logger(__name__)

_ASK_S = 5.0
_HELD_S = 20.0
"""The longest a recycle may hold sending: when the broker is not empty by then, life goes on and it is tried later."""

_AGAIN_S = 60.0
"""How long sending goes on after a recycle that was given up, before the next try may hold it again."""

_QUIET_S = 0.3


class Recycle:
    """Prepares this service for a recycle whenever the supervisor wants one.

    `GET {control_url}/broker` answers `{"recycle": true}` when one is wanted; `POST {control_url}/recycle-broker` with
    `{"service": name}` says that this service is quiet. The supervisor restarts the broker when all of them are.
    """

    def __init__(
        self, service: str, control_url: str, relay: OutboxRelay, consumer: Consumer, epochs: Epochs, clock: Clock
    ) -> None:
        """Prepare; `run` asks the supervisor at *control_url*."""
        self.service = service
        self._url = control_url.rstrip("/")
        self._relay = relay
        self._consumer = consumer
        self._epochs = epochs
        self._clock = clock

    async def run(self) -> None:
        """Ask for ever whether a recycle is wanted, and take part in it."""
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._clock.sleep(_ASK_S)
                try:
                    wanted = (await self._ask(session, "GET", "/broker")).get("recycle")
                    if wanted and not await self._take_part(session):
                        await self._clock.sleep(_AGAIN_S)
                except (aiohttp.ClientError, TimeoutError, UnavailableError) as error:
                    _LOG.debug("recycle.unavailable", reason=type(error).__name__)

    async def quiesce(self) -> None:
        """Stop sending and return when all that was sent is confirmed and the log holds nothing new for us."""
        await self._relay.hold()
        while await self._relay.outstanding() or self._consumer.idle_for_s() < _QUIET_S:
            await self._clock.sleep(0.1)

    async def _take_part(self, session: aiohttp.ClientSession) -> bool:
        before = self._epochs.generation
        try:
            async with asyncio.timeout(_HELD_S):
                await self.quiesce()
                await self._ask(session, "POST", "/recycle-broker", {"service": self.service})
                while self._epochs.generation == before:
                    await self._clock.sleep(0.1)
        except TimeoutError:
            _LOG.warning("recycle.given_up", reason="not everything was confirmed, or the broker stayed, for too long")
            return False
        else:
            _LOG.info("recycle.done")
            return True
        finally:
            self._relay.release()

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, body: dict[str, str] | None = None
    ) -> dict[str, Any]:
        async with session.request(method, self._url + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.content_type == "application/json" else {}
