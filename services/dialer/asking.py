"""ARI's REST over the WebSocket that events come by: a third of what a request by HTTP costs.

The carrier answers the requests of one socket one after the other, so only what it answers at once belongs here.
"""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any

import aiohttp
import orjson

from services.runtime.errors import UnavailableError

REQUEST_LIMIT_S = 5.0


class Asking:
    """Requests over one event socket; whoever reads the socket hands the answers to `hear`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Ask over *socket*."""
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[tuple[int, str]]] = {}

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """Return the status and the content of the answer; raise UnavailableError when none comes."""
        number = str(next(self._numbers))
        asked: dict[str, Any] = {"type": "RESTRequest", "request_id": number, "method": method, "uri": path[1:]}
        if body is not None:
            asked |= {"content_type": "application/json", "message_body": orjson.dumps(body).decode()}
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S):
                await self._socket.send_frame(orjson.dumps(asked), aiohttp.WSMsgType.TEXT)
                return await answered
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(f"The carrier does not answer ({type(error).__name__}).") from error
        finally:
            del self._waiting[number]
            if answered.done() and not answered.cancelled():
                answered.exception()  # looked at, also when the socket broke before the request had left

    def hear(self, answer: Mapping[str, Any]) -> None:
        """Give an answer to whoever waits for it, if somebody still does."""
        answered = self._waiting.get(str(answer.get("request_id")))
        if answered is not None and not answered.done():
            answered.set_result((int(answer["status_code"]), str(answer.get("message_body") or "")))

    def end(self) -> None:
        """Tell everybody who waits that the socket is gone."""
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(ConnectionError("the event socket is gone"))
