"""ARI, as far as Galw uses it: the same client speaks to Asterisk and to the simulated carrier.

Events come over one WebSocket per application; whatever is missed while it is away is looked up after the reconnect.
Requests that are answered at once go over it, too (`asking.py`); those that may wait, and all while there is none, by
HTTP. Every request is bounded in time; `dial` is sent once and its answer, when lost, is never asked for again.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from services.dialer.asking import REQUEST_LIMIT_S, Asking
from services.dialer.ports import ChannelEvent, ChannelView, Ring, RingsRead
from services.runtime.errors import NotFoundError, RejectedError, UnavailableError
from services.runtime.phone import E164

LEDGER_BYTES = 1 << 20
"""How much of the carrier's ledger is read at once."""

CONNECTIONS = 64
"""Requests in flight at once: Asterisk serves a hundred sessions by default."""


class AriCarrier:
    """Fits `Carrier`, for one pool: its requests go over the socket that its events come by."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, technology: str = "SIM") -> None:
        """Speak to ARI at *url* (without `/ari`); *technology* is `SIM` or `PJSIP`."""
        self._session = session
        self._base = url.rstrip("/")
        self._url = f"{self._base}/ari"
        self._technology = technology
        self._asking: Asking | None = None

    async def events(self, app: str) -> AsyncIterator[ChannelEvent]:
        """Connect under *app* and yield what happens, first `connected`; ends when the connection is gone or taken."""
        params = {"app": app, "subscribeAll": "false"}
        try:
            async with self._session.ws_connect(f"{self._url}/events", params=params, heartbeat=5) as socket:
                yield ChannelEvent("connected")
                # Nothing is read from the socket before, while whoever listens looks at what there is.
                with self._asked_over(socket) as asking:
                    async for message in socket:
                        if message.type is not aiohttp.WSMsgType.TEXT:
                            break
                        body = orjson.loads(message.data)
                        kind = body.get("type")
                        if kind == "RESTResponse":
                            asking.hear(body)
                        elif kind == "ApplicationReplaced":
                            return
                        elif (event := event_from(body)) is not None:
                            yield replace(event, at=_said_at(body))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(f"The carrier is away ({type(error).__name__}).") from error

    @contextmanager
    def _asked_over(self, socket: aiohttp.ClientWebSocketResponse) -> Generator[Asking]:
        asking = self._asking = Asking(socket)
        try:
            yield asking
        finally:
            if self._asking is asking:  # and not that of a connection which has taken the application over
                self._asking = None
            asking.end()

    async def create_call(self, app: str, channel_id: str, number: str, trunk: str, caller_id: str, ttl_s: int) -> None:
        """Make a channel to a person that rings nobody yet and lives *ttl_s* seconds at most."""
        await self._create(app, channel_id, f"{self._technology}/{number}@{trunk}", caller_id, ttl_s)

    async def create_leg(self, app: str, channel_id: str, operator_id: UUID, ttl_s: int) -> None:
        """Make a channel to an operator's phone; `dial` raises it."""
        await self._create(app, channel_id, f"{self._technology}/operator-{operator_id}", "", ttl_s)

    async def _create(self, app: str, channel_id: str, endpoint: str, caller_id: str, ttl_s: int) -> None:
        body = {
            "endpoint": endpoint,
            "app": app,
            "channelId": channel_id,
            "callerId": caller_id,
            "variables": {"TIMEOUT(absolute)": str(ttl_s)},
        }
        try:
            await self._ask("POST", "/channels/create", body)
        except RejectedError:
            # A 409 can be false on a kept-alive connection: only the channel itself tells whether the id is taken.
            await self._request("GET", f"/channels/{channel_id}")
            raise

    async def dial(self, channel_id: str, timeout_s: int) -> None:
        """Ring the channel's endpoint, once."""
        await self._ask("POST", f"/channels/{channel_id}/dial?timeout={timeout_s}")

    async def hang_up(self, channel_id: str) -> None:
        """End a channel; one that is gone already is no error."""
        await self._gone_is_fine("DELETE", f"/channels/{channel_id}")

    async def list_channels(self, app: str) -> list[ChannelView]:
        """Return the channels of *app* that exist."""
        application = await self._request("GET", f"/applications/{app}", missing={})
        own = set(application.get("channel_ids", ()))
        channels = await self._request("GET", "/channels")
        return [
            ChannelView(channel["id"], channel["state"], is_machine(channel))
            for channel in channels
            if channel["id"] in own
        ]

    async def join(self, bridge_id: str, channel_ids: Sequence[str]) -> None:
        """Put channels into a bridge, making it when there is none; repeating is harmless."""
        await self._ask("POST", f"/bridges/{bridge_id}?type=mixing")
        try:
            # By HTTP: it waits for a message that plays on a channel, and everybody behind it would wait, too.
            await self._request("POST", f"/bridges/{bridge_id}/addChannel?channel={','.join(channel_ids)}")
        except RejectedError as error:
            # A channel that is gone is a 400 here, one that is just leaving a 409 or 422; 404 is the bridge.
            raise NotFoundError("One of the channels is gone.") from error

    async def part(self, bridge_id: str) -> None:
        """Dissolve a bridge; one that is gone already is no error."""
        await self._gone_is_fine("DELETE", f"/bridges/{bridge_id}")

    async def play(self, channel_id: str, media: str) -> None:
        """Start playing *media* to a channel."""
        await self._request("POST", f"/channels/{channel_id}/play?media={media}")

    async def hold(self, channel_id: str, held: bool) -> None:
        """Put a channel on hold, with music, or take it back."""
        for what in ("hold", "moh"):
            await self._request("POST" if held else "DELETE", f"/channels/{channel_id}/{what}")

    async def read_rings(self, position: int) -> RingsRead | None:
        """Return the rings after *position* of the ledger, as many as fit; None when this carrier keeps no ledger."""
        try:
            async with (
                asyncio.timeout(REQUEST_LIMIT_S),
                self._session.get(f"{self._base}/ledger", params={"from": str(position)}) as answer,
            ):
                if answer.status == 404:
                    return None
                if answer.status == 400 and position > 0:
                    return RingsRead((), 0, 0)  # shorter than what was read: another ledger, to read from its start
                answer.raise_for_status()
                content = b""
                while len(content) < LEDGER_BYTES and (more := await answer.content.read(LEDGER_BYTES - len(content))):
                    content += more
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(f"The carrier's ledger is away ({type(error).__name__}).") from error
        whole = content[: content.rfind(b"\n") + 1]
        return RingsRead(tuple(rings_in(whole)), position, position + len(whole))

    async def _gone_is_fine(self, method: str, path: str) -> None:
        try:
            await self._ask(method, path)
        except NotFoundError:
            return

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Request what is answered at once, over the event socket if there is one."""
        if self._asking is None:
            return await self._request(method, path, body)
        return _content_of(*await self._asking.ask(method, path, body))

    async def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing: Any = None
    ) -> Any:
        try:
            async with (
                asyncio.timeout(REQUEST_LIMIT_S),
                self._session.request(method, self._url + path, json=body) as response,
            ):
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(f"The carrier does not answer ({type(error).__name__}).") from error
        if response.status == 404 and missing is not None:
            return missing
        return _content_of(response.status, content)


def _content_of(status: int, content: bytes | str) -> Any:
    """Return what an answer holds; raise what a refusal means."""
    if status == 404:
        raise NotFoundError("The carrier knows no such channel.")
    if status >= 500:
        raise UnavailableError(f"The carrier failed with {status}.")
    if status >= 400:
        raise RejectedError(f"The carrier refused with {status}.")
    return orjson.loads(content) if content else None


def _said_at(body: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(body.get("timestamp")))
    except ValueError:
        return None


def event_from(body: Mapping[str, Any]) -> ChannelEvent | None:
    """Return what an ARI event says, None for those that say nothing new."""
    channel: Mapping[str, Any] = body.get("channel") or {}
    channel_id = str(channel.get("id", ""))
    match body.get("type"):
        case "StasisStart":
            return ChannelEvent("started", channel_id)
        case "ChannelStateChange" if channel.get("state") == "Ringing":
            return ChannelEvent("ringing", channel_id)
        case "ChannelStateChange" if channel.get("state") == "Up":
            return ChannelEvent("up", channel_id, machine=is_machine(channel))
        case "ChannelDestroyed":
            return ChannelEvent(
                "destroyed", channel_id, cause=int(body.get("cause", 0)), tech_cause=body.get("tech_cause")
            )
        case "PlaybackFinished":
            target = str((body.get("playback") or {}).get("target_uri", ""))
            return ChannelEvent("played", target.removeprefix("channel:"))
        case _:
            return None


def rings_in(lines: bytes) -> Iterator[Ring]:
    """Yield the rings of people that *lines* of a ledger tell; an operator's own leg is none."""
    for line in lines.splitlines():
        if b'"event":"ring"' not in line:
            continue  # most lines are others: they need not be parsed
        said = orjson.loads(line)
        try:
            yield Ring(UUID(said["channel_id"]), E164(said["number"]), datetime.fromisoformat(said["at"]))
        except ValueError:
            continue


def is_machine(channel: Mapping[str, Any]) -> bool:
    """Tell whether ARI's channel carries the verdict that a machine answered."""
    variables: Mapping[str, Any] = channel.get("channelvars") or {}
    return variables.get("AMDSTATUS") == "MACHINE"
