"""Simulated operators: they see what the live WebSocket shows and do what the operators' API offers, nothing else."""

import asyncio
import random
from datetime import timedelta
from typing import Any, cast

import aiohttp
import orjson
import structlog

from services.runtime.clock import Clock
from services.runtime.errors import ConflictError, GalwError
from services.standalone.demo.client import SignedIn
from services.standalone.demo.conversation import answers, closing_s, opening_s, verdict

_LOG = structlog.get_logger(__name__)

_ME = "/api/dialer/operators/me"
_LIVE = "/api/dialer/live"
_PAUSE_S = 1.0
_TOKEN_EVERY_S = 240.0
_CALLS_BEFORE_BREAK = (12, 25)
_BREAK_S = (15.0, 40.0)

State = dict[str, Any]


class _MovedOnError(Exception):
    """The state changed while something was being done in it: look again."""


class _ShiftOverError(Exception):
    """The operator was sent home and is offline."""


class SimulatedOperator:
    """One operator, at work from `start` to `send_home`."""

    def __init__(
        self, me: SignedIn, session: aiohttp.ClientSession, clock: Clock, rng: random.Random, *, pace: float = 1.0
    ) -> None:
        """Work as *me*, *pace* times faster than life; the *session* carries the live line, the caller's own."""
        self._me = me
        self._session = session
        self._clock = clock
        self._rng = rng
        self._pace = pace
        self._on = asyncio.Event()
        self._state: State = {}
        self._changed = asyncio.Event()
        self._script: State | None = None
        self._asked_all = False
        self._until_break = rng.randint(*_CALLS_BEFORE_BREAK)

    @property
    def at_work(self) -> bool:
        """Whether they are meant to work; who was sent home still ends the call they are in."""
        return self._on.is_set()

    def start(self) -> None:
        """Begin the shift; a repeat changes nothing."""
        self._on.set()
        self._changed.set()

    def send_home(self) -> None:
        """End the shift once the present call is over; a repeat changes nothing."""
        self._on.clear()
        self._changed.set()

    async def run(self) -> None:
        """Work whenever it is their shift, and connect again whenever the line is lost, if only to end the shift."""
        working = False
        while True:
            if not working:
                await self._on.wait()
            working = True
            try:
                await self._session_at_work()
            except* _ShiftOverError:
                working = False
                _LOG.info("simulated_operator.went_home")
            except* (aiohttp.ClientError, GalwError, OSError) as errors:
                _LOG.info("simulated_operator.reconnects", reason=type(errors.exceptions[0]).__name__)
            await asyncio.sleep(_PAUSE_S)

    async def _session_at_work(self) -> None:
        headers = {"Authorization": f"Bearer {await self._me.token()}"}
        async with self._session.ws_connect(f"{self._me.url}{_LIVE}", headers=headers, heartbeat=20) as line:
            self._state = {}
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(line))
                group.create_task(self._work())
                group.create_task(self._renew(line))

    async def _hear(self, line: aiohttp.ClientWebSocketResponse) -> None:
        async for message in line:
            if message.type is aiohttp.WSMsgType.TEXT:
                body = orjson.loads(message.data)["body"]
                if isinstance(body, dict) and "version" in body:
                    self._see(cast("State", body))
        raise ConnectionError("the live line was closed")

    async def _renew(self, line: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await asyncio.sleep(_TOKEN_EVERY_S)
            await line.send_str(orjson.dumps({"access_token": await self._me.token()}).decode())

    def _see(self, state: State) -> None:
        if state["version"] >= self._state.get("version", 0):
            self._state = state
            self._changed.set()

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            if self._state:
                try:
                    await self._act()
                except ConflictError as error:
                    # The screen was behind; the problem carries the present state.
                    self._see(error.present if isinstance(error.present, dict) else await self._me.get(_ME))
                    await asyncio.sleep(0.2)
                    continue
                except _MovedOnError:
                    continue
            await self._changed.wait()

    async def _act(self) -> None:
        state = self._state["state"]
        if not self.at_work and state not in ("talking", "wrap_up"):
            if state == "offline":
                raise _ShiftOverError
            await self._command("offline")
            return
        match state:
            case "offline" | "lost":
                await self._wait(self._rng.uniform(0.3, 1.5))
                await self._command("ready")
            case "paused":
                await self._wait(self._rng.uniform(*_BREAK_S) if self._state["reason"] == "break" else 2.0)
                await self._command("ready")
            case "reserved" if self._state["offer_lead_id"]:
                await self._wait(self._rng.uniform(2.0, 4.0))
                await self._command("offer/accept")
            case "talking":
                await self._talk(self._state["call"]["call_id"])
            case "wrap_up":
                await self._wrap_up(self._state["call"]["call_id"])
            case _:
                return

    async def _talk(self, call_id: str) -> None:
        """Greet, ask, write down each answer as it is heard, say goodbye."""
        self._script, self._asked_all = None, False
        path = f"/api/dialer/calls/{call_id}"
        script = self._script = await self._me.get(f"{path}/script")
        await self._wait(opening_s(self._rng))
        for spoken in answers(script["script"], self._clock.now().date(), self._rng):
            await self._wait(spoken.after_s)
            await self._me.request(
                "PUT",
                f"{path}/answers/{spoken.question_id}",
                {"value": spoken.value, "version": self._state["version"]},
            )
        self._asked_all = True
        await self._wait(closing_s(self._rng))
        self._see(await self._me.request("POST", f"{path}/hang-up", {"version": self._state["version"]}))

    async def _wrap_up(self, call_id: str) -> None:
        path = f"/api/dialer/calls/{call_id}"
        script = self._script or await self._me.get(f"{path}/script")
        closing = verdict(script["script"], asked_all=self._asked_all, rng=self._rng)
        await self._wait(closing.after_s)
        await self._perhaps_plan_break()
        body: State = {"version": self._state["version"], "disposition": closing.disposition, "note": closing.note}
        if closing.call_back_in is not None:
            body["call_back_at"] = (self._clock.now() + closing.call_back_in + timedelta(seconds=1)).isoformat()
        self._see(await self._me.request("POST", f"{path}/disposition", body))
        self._script = None

    async def _perhaps_plan_break(self) -> None:
        self._until_break -= 1
        if self._until_break == 0:
            self._until_break = self._rng.randint(*_CALLS_BEFORE_BREAK)
            await self._command("pause", reason="break")

    async def _command(self, name: str, **more: str) -> None:
        body = {"version": self._state["version"], **more}
        self._see(await self._me.request("POST", f"{_ME}/{name}", body))

    async def _wait(self, seconds: float) -> None:
        """Wait as people do, unless the state moves on meanwhile: then whatever was begun in it is dropped."""
        before, call = self._state["state"], self._state["call"]
        deadline = self._clock.monotonic() + seconds / self._pace
        while (left := deadline - self._clock.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError:
                return
            same_call = (call or {}).get("call_id") == (self._state["call"] or {}).get("call_id")
            if self._state["state"] != before or not same_call:
                raise _MovedOnError
