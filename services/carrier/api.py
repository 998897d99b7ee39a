"""The thin shell: ARI under `/ari` over HTTP and WebSocket, and what tests need beside it.

    /ari/...                  see `ari.py`; GET /ari/events?app=A is the WebSocket
    GET    /status            counts
    GET    /ledger?from=BYTE  the ledger as JSON lines, from a byte that a former answer's Ledger-End named
    POST   /faults            exactly these faults are in force now; GET shows them, DELETE ends them
    POST   /people/{e164}     programs an outcome of a coming ring; DELETE drops what is programmed

aiohttp's low-level server does: the paths are routed by `ari.py`, and each layer less is a fifth of a request's time.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.carrier import ari
from services.carrier.ari import BODY_LIMIT, Answer, Request
from services.carrier.causes import SIP_CODES
from services.carrier.faults import Faults
from services.carrier.ledger import Ledger
from services.carrier.people import Outcome, Programmed
from services.carrier.sockets import Ear, split_path
from services.carrier.switch import RefusedError, Switch

REQUEST_LIMIT = 1_000
"""Requests by HTTP in hand at once; more are refused, so that a hanging carrier stays small. A socket has one."""

_CHUNK = 1 << 18
Seconds = Annotated[float, Field(ge=0.0, le=86_400.0)]


class ProgrammedPart(BaseModel):
    """What POST /people takes: the outcome of the next ring that is not programmed yet, and how it goes, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    setup_s: Seconds | None = None
    ring_s: Seconds | None = None
    talk_s: Seconds | None = None
    patience_s: Seconds | None = None
    sip: int | None = None
    amd: Annotated[str, Field(pattern="^(HUMAN|MACHINE|NOTSURE)$")] | None = None

    def to_domain(self) -> Programmed:
        """Return the wish; a code of SIP must be one that refuses."""
        if self.sip is not None and (self.sip not in SIP_CODES or self.outcome in _NEVER_REFUSE):
            raise RefusedError(422, f"sip: expected one of {sorted(SIP_CODES)}, with an outcome that refuses")
        return Programmed(**self.model_dump())


_E164 = re.compile(r"\+?[0-9]{1,20}", re.ASCII)
_NEVER_REFUSE = (Outcome.ANSWER, Outcome.MACHINE, Outcome.NO_ANSWER, Outcome.SILENT)


class Api:
    """Serves one switch; `handle` is the handler for aiohttp's `web.Server`."""

    def __init__(
        self, switch: Switch, ledger: Ledger, now: Callable[[], datetime], description: dict[str, Any]
    ) -> None:
        """Serve *switch* and *ledger*; *description* (seed, speed, profile) is shown with the status."""
        self._switch = switch
        self._ledger = ledger
        self._now = now
        self._description = description
        self._ears: set[Ear] = set()
        self._in_hand = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        parts = split_path(path)
        if "Origin" in request.headers:
            # No browser has business here, and a web page must not ring simulated people behind its reader's back.
            return _response(Answer(403, {"message": "The carrier does not serve web pages"}))
        asked = Request(request.method, parts, dict(parse_qsl(query)) if query else {})
        if parts[0] != "ari":
            return await self._control(request, asked)
        if self._in_hand >= REQUEST_LIMIT:
            return _response(Answer(503, {"message": "Too many requests in hand"}))
        self._in_hand += 1
        try:
            return await self._ari(request, asked._replace(parts=parts[1:] or [""]))
        finally:
            self._in_hand -= 1

    def close(self) -> None:
        """Cut every WebSocket off."""
        for ear in self._ears:
            ear.cut()

    async def _ari(self, request: web.BaseRequest, asked: Request) -> web.StreamResponse:
        if request.body_exists:
            asked = asked._replace(body=await request.read())
        if self._switch.signals.outage == "refuse":
            return _cut_off(request)
        await self._outage_over()
        if asked.parts == ["events"]:
            return await self._listen(request, asked)
        answered = await self._answer(asked)
        return _cut_off(request) if self._switch.signals.loses_answer() else _response(answered)

    def _answer(self, asked: Request) -> Awaitable[Answer]:
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer) -> None:
            if not answered.done():  # done already when whoever waited was cancelled
                answered.set_result(answer)

        ari.answer(self._switch, asked, self._now(), reply)
        return answered

    async def _answer_on_socket(self, asked: Request) -> Answer | None:
        """Carry out a request; None when a fault loses the answer, which no broken connection tells of here."""
        answered = await self._answer(asked)
        return None if self._switch.signals.loses_answer() else answered

    async def _outage_over(self) -> None:
        signals = self._switch.signals
        while signals.outage == "hang":
            over = asyncio.Event()
            signals.when_over(over.set)
            await over.wait()

    async def _listen(self, request: web.BaseRequest, asked: Request) -> web.StreamResponse:
        apps = [app for app in asked.query.get("app", "").split(",") if app]
        if not apps:
            return _response(Answer(400, {"message": "Missing parameter app"}))
        assert request.transport is not None, "a request in hand has a connection"
        socket = web.WebSocketResponse(autoping=False, max_msg_size=BODY_LIMIT * 2)
        await socket.prepare(request)
        ear = Ear(socket, request.transport)
        self._ears.add(ear)
        connection = self._switch.connect(apps, ear.receive)
        self._in_hand -= 1  # A listener stays; what is bounded is requests in hand.
        try:
            await ear.serve(self._answer_on_socket, self._outage_over)
        finally:
            self._in_hand += 1
            self._switch.disconnect(connection)
            self._ears.discard(ear)
        return socket

    async def _control(self, request: web.BaseRequest, asked: Request) -> web.StreamResponse:
        try:
            if asked.method == "GET" and asked.parts == ["ledger"]:
                return await self._send_ledger(request, asked.query.get("from", "0"))
            return _response(self._carry_out(asked._replace(body=await request.read())))
        except RefusedError as refusal:
            return _response(Answer(refusal.status, {"message": refusal.message}))
        except ValidationError as error:
            problems = [{"field": ".".join(map(str, e["loc"])), "problem": e["msg"]} for e in error.errors()]
            return _response(Answer(422, {"message": "The body is not what was expected", "fields": problems}))

    def _carry_out(self, asked: Request) -> Answer:
        match asked.method, asked.parts:
            case "GET", ["status"]:
                return Answer(200, self._description | self._switch.status())
            case (("GET" | "POST" | "DELETE"), ["faults"]):
                return self._faults(asked.method, asked.body)
            case (("POST" | "DELETE"), ["people", number]):
                return self._people(asked.method, number, asked.body)
            case _:
                raise RefusedError(404, "No such path; there are /ari, /status, /ledger, /faults and /people")

    def _faults(self, method: str, body: bytes) -> Answer:
        signals = self._switch.signals
        if method != "GET":
            signals.inject(Faults.model_validate_json(body) if method == "POST" else Faults())
            if signals.outage == "refuse":
                self.close()
        return Answer(200, signals.faults.model_dump())

    def _people(self, method: str, number: str, body: bytes) -> Answer:
        people = self._switch.people
        if not _E164.fullmatch(number):
            raise RefusedError(422, "The path ends in a number such as +441632960000")
        if method == "DELETE":
            people.forget(number)
            return Answer(204)
        if not people.program(number, ProgrammedPart.model_validate_json(body).to_domain()):
            raise RefusedError(429, "Too many outcomes are programmed; let some be rung first")
        return Answer(204)

    async def _send_ledger(self, request: web.BaseRequest, first: str) -> web.StreamResponse:
        end = self._ledger.size
        if not first.isdecimal() or len(first) > 15 or int(first) > end:
            raise RefusedError(400, f"from: expected a byte from 0 to {end}")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Ledger-End": str(end)})
        response.content_length = end - int(first)
        await response.prepare(request)
        for start in range(int(first), end, _CHUNK):
            await response.write(self._ledger.read(start, min(_CHUNK, end - start)))
        await response.write_eof()
        return response


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status)
    return web.Response(status=answer.status, body=orjson.dumps(answer.body), content_type="application/json")


def _cut_off(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
