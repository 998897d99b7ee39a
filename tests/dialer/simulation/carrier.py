"""The simulated carrier's own switch in memory, behind the dialer's carrier port, with delays and crash points."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from services.carrier.apps import Connection
from services.carrier.switch import RefusedError, Switch
from services.dialer.gateways import event_from, is_machine
from services.dialer.ports import ChannelEvent, ChannelView
from services.runtime.errors import NotFoundError, RejectedError, UnavailableError
from tests.dialer.simulation.instance import Lifeline

T = TypeVar("T")


class MemoryCarrier:
    """Fits `Carrier`."""

    def __init__(self, switch: Switch, life: Lifeline, note_dial: Callable[[str], None]) -> None:
        """Drive *switch* as long as the instance of *life* lives; *note_dial* hears of each dial that gets through."""
        self._switch = switch
        self._note_dial = note_dial
        self._life = life
        self.connections: list[Connection] = []
        self._lines: list[asyncio.Queue[dict[str, Any]]] = []

    async def events(self, app: str) -> AsyncIterator[ChannelEvent]:
        """Connect and yield what happens."""
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await self._life.step()
        if self._switch.signals.outage == "refuse":
            raise UnavailableError("The carrier is away.")
        connection = self._switch.connect([app], heard.put_nowait)
        self.connections.append(connection)
        self._lines.append(heard)
        try:
            yield ChannelEvent("connected")
            while True:
                body = await heard.get()
                if body.get("type") == "cut":
                    raise UnavailableError("The carrier is away.")
                if body.get("type") == "ApplicationReplaced":
                    return
                event = event_from(body)
                if event is not None:
                    yield event
        finally:
            self._lines.remove(heard)
            self._switch.disconnect(connection)

    def cut(self) -> None:
        """Break the connections that listen."""
        for line in self._lines:
            line.put_nowait({"type": "cut"})

    async def create_call(self, app: str, channel_id: str, number: str, trunk: str, caller_id: str, ttl_s: int) -> None:
        """Make a channel to a person."""
        await self._create(app, channel_id, f"SIM/{number}@{trunk}", caller_id, ttl_s)

    async def create_leg(self, app: str, channel_id: str, operator_id: UUID, ttl_s: int) -> None:
        """Make a channel to an operator."""
        await self._create(app, channel_id, f"SIM/operator-{operator_id}", "", ttl_s)

    async def _create(self, app: str, channel_id: str, endpoint: str, caller_id: str, ttl_s: int) -> None:
        variables = {"TIMEOUT(absolute)": str(ttl_s)}
        await self._do(
            lambda: self._switch.create(endpoint, app, channel_id=channel_id, caller_id=caller_id, variables=variables)
        )

    async def dial(self, channel_id: str, timeout_s: int) -> None:
        """Ring, once."""

        def do() -> None:
            self._switch.dial(channel_id, timeout_s)
            self._note_dial(channel_id)

        await self._do(do)

    async def hang_up(self, channel_id: str) -> None:
        """End a channel."""
        try:
            await self._do(lambda: self._switch.hang_up(channel_id))
        except NotFoundError:
            return

    async def list_channels(self, app: str) -> list[ChannelView]:
        """Return the channels of *app*."""
        channels = await self._do(lambda: [c for c in self._switch.channels.values() if c.app == app])
        return [ChannelView(c.id, c.state, is_machine(c.to_wire())) for c in channels]

    async def join(self, bridge_id: str, channel_ids: Sequence[str]) -> None:
        """Put channels into a bridge."""

        def do() -> None:
            self._switch.create_bridge(bridge_id)
            self._switch.add_channels(bridge_id, channel_ids)

        try:
            await self._do(do)
        except RejectedError as error:
            raise NotFoundError("One of the channels is gone.") from error

    async def part(self, bridge_id: str) -> None:
        """Dissolve a bridge."""
        try:
            await self._do(lambda: self._switch.destroy_bridge(bridge_id))
        except NotFoundError:
            return

    async def play(self, channel_id: str, media: str) -> None:
        """Play a message."""
        await self._do(lambda: self._switch.play(channel_id, media))

    async def hold(self, channel_id: str, held: bool) -> None:
        """Hold, or take back."""
        await self._do(lambda: self._switch.hold(channel_id, held))

    async def _do(self, effect: Callable[[], T]) -> T:
        await self._life.step()
        if self._switch.signals.outage == "refuse":
            raise UnavailableError("The carrier is away.")
        try:
            done = effect()
        except RefusedError as error:
            if error.status == 404:
                raise NotFoundError(error.message) from error
            raise (RejectedError if error.status < 500 else UnavailableError)(error.message) from error
        await self._life.step()
        if self._switch.signals.loses_answer():
            raise UnavailableError("The carrier does not answer.")
        return done
