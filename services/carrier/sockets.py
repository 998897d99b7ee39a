"""One ARI WebSocket: events out, and REST requests in and answers out (`RESTRequest`, served one after the other)."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import WSMsgType, web

from services.carrier.apps import Event
from services.carrier.ari import Answer, Request

EVENT_LIMIT = 20_000
"""Events, of some 600 bytes, that may wait for a slow reader; then the socket is cut, as Asterisk cuts it."""

AnswerRequest = Callable[[Request], Awaitable[Answer | None]]
"""Carries out a request; the answer is None when it gets lost."""

WaitOutage = Callable[[], Awaitable[None]]


class Ear:
    """The writing end of a socket; `receive` never waits."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        """Write to *socket* as soon as `serve` runs."""
        self._socket = socket
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()

    def receive(self, event: Event) -> None:
        """Queue one event; a reader that is too far behind is cut off."""
        self._queue(event)

    def cut(self) -> None:
        """Break the connection without a word."""
        self._transport.abort()

    async def serve(self, answer: AnswerRequest, outage: WaitOutage) -> None:
        """Write events and answer requests until the client is gone."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._run_writer())
                await self._run_reader(answer, outage)
                writer.cancel()

    def _queue(self, message: dict[str, Any]) -> None:
        if len(self._waiting) >= EVENT_LIMIT:
            self.cut()
            return
        self._waiting.append(orjson.dumps(message))
        self._wake.set()

    async def _run_writer(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._socket.send_frame(self._waiting.popleft(), WSMsgType.TEXT)

    async def _run_reader(self, answer: AnswerRequest, outage: WaitOutage) -> None:
        async for message in self._socket:
            await outage()
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is WSMsgType.TEXT and (asked := _parse_rest(message.data)) is not None:
                request, envelope = asked
                answered = await answer(request)
                if answered is not None:
                    self._queue(envelope | _to_wire(answered))


def _parse_rest(text: str) -> tuple[Request, dict[str, Any]] | None:
    """Return the request in a message and the head of its answer; None for anything else, which Asterisk ignores."""
    try:
        asked = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(asked, dict) or asked.get("type") != "RESTRequest":
        return None
    uri, body = str(asked.get("uri", "")), asked.get("message_body") or ""
    path, _, query = uri.partition("?")
    request = Request(str(asked.get("method", "")), split_path(path.removeprefix("/ari")), dict(parse_qsl(query)))
    if isinstance(body, str):
        request = request._replace(body=body.encode())
    envelope = {key: asked[key] for key in ("transaction_id", "request_id") if key in asked}
    return request, {"type": "RESTResponse", **envelope, "uri": uri}


def _to_wire(answer: Answer) -> dict[str, Any]:
    wire: dict[str, Any] = {"status_code": answer.status, "reason_phrase": "OK" if answer.status < 300 else "Refused"}
    if answer.body is not None:
        wire |= {"content_type": "application/json", "message_body": orjson.dumps(answer.body).decode()}
    return wire


def split_path(path: str) -> list[str]:
    """Return the decoded parts of *path*; a plus sign stays one."""
    parts = path.strip("/").split("/")
    return [unquote(part) for part in parts] if "%" in path else parts
