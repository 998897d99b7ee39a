"""What each connected user was told last: a bounded ring per user that is the send queue and the memory at once."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import orjson
from pydantic import BaseModel

from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.identity.principal import Principal

Body = BaseModel | Mapping[str, Any] | Sequence[Any] | orjson.Fragment | float | None


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """Bounds per user and per instance."""

    # Minutes of a busy operator; whoever was away for longer gets a snapshot, which is cheaper than a long replay.
    ring_messages: int = 256
    ring_characters: int = 128 * 1024
    users: int = 20_000
    heartbeat_s: float = 15.0
    sign_in_s: float = 5.0
    send_s: float = 10.0
    kept_s: float = 300.0
    """How long the ring of somebody who left is kept."""


CLOCKS_APART = 3_600_000 * 1024
"""An hour in a line's numbers: a number further ahead than that is no number of ours."""


class Presence(Protocol):
    """Hears who is connected to this instance; a connection that takes over from another is not told."""

    async def arrived(self, principal: Principal) -> None:
        """Somebody connected."""
        ...

    async def left(self, principal: Principal) -> None:
        """Somebody's connection is gone, and no other took over."""
        ...


class Receiver(Protocol):
    """The connection that drains a line."""

    @property
    def principal(self) -> Principal:
        """Whose it is."""
        ...

    def wake(self) -> None:
        """Say that there is something to send; never waits."""
        ...

    async def shut(self, code: int, reason: str) -> None:
        """Close it, within a second."""
        ...


@dataclass(slots=True, eq=False)
class Line:
    """The last messages to one user; a receiver that falls off the end of the ring is too slow."""

    first: int
    """Number of the oldest message in the ring."""
    ring: deque[str] = field(default_factory=deque[str])
    characters: int = 0
    stamp: tuple[int, int] = (-1, -1)
    receiver: Receiver | None = None
    left_at: float = 0.0

    @property
    def last(self) -> int:
        """Number of the newest message, of which there may be none yet."""
        return self.first + len(self.ring) - 1

    def append(self, message: str, limits: LiveLimits) -> None:
        """Add the newest message and forget the oldest ones beyond the limits; the newest always stays."""
        self.ring.append(message)
        self.characters += len(message)
        while len(self.ring) > 1 and (
            len(self.ring) > limits.ring_messages or self.characters > limits.ring_characters
        ):
            self.characters -= len(self.ring.popleft())
            self.first += 1

    def can_resume(self, since: int) -> bool:
        """Tell whether everything after message *since* is still here."""
        return self.first - 1 <= since <= self.last

    def after(self, sent: int) -> str | None:
        """Return the message that follows *sent*, None when there is none yet or it has left the ring."""
        index = sent + 1 - self.first
        return self.ring[index] if 0 <= index < len(self.ring) else None


class LiveHub:
    """The lines of the users connected to this instance; made for one event loop."""

    def __init__(self, clock: Clock, *, limits: LiveLimits | None = None, presence: Presence | None = None) -> None:
        """Start with nobody connected."""
        self.limits = limits or LiveLimits()
        self._clock = clock
        self._presence = presence
        self._lines: dict[UUID, Line] = {}
        self._swept_at = clock.monotonic()

    def publish(self, user_id: UUID, kind: str, body: Body, *, stamp: tuple[int, int] | None = None) -> int | None:
        """Send a message and return its number; None when the user has no line here or the message is overtaken.

        Never waits. *stamp* is (epoch, sequence) of whoever decides about this user: a message whose stamp is not above
        the last one comes from an earlier owner or was overtaken on the way, and is dropped.
        """
        line = self._lines.get(user_id)
        if line is None or (stamp is not None and stamp <= line.stamp):
            return None
        if stamp is not None:
            line.stamp = stamp
        line.append(to_message(line.last + 1, kind, body), self.limits)
        if line.receiver is not None:
            line.receiver.wake()
        return line.last

    def publish_to_all(self, user_ids: Iterable[UUID], kind: str, body: Body) -> None:
        """Send the same to many, encoded once; those without a line here are skipped."""
        encoded = orjson.Fragment(orjson.dumps(body, default=_jsonable))
        for user_id in user_ids:
            self.publish(user_id, kind, encoded)

    def is_connected(self, user_id: UUID) -> bool:
        """Tell whether the user's connection is to this instance now; a line without one only remembers."""
        line = self._lines.get(user_id)
        return line is not None and line.receiver is not None

    def connected(self) -> list[UUID]:
        """Return who is connected to this instance now."""
        return [user_id for user_id, line in self._lines.items() if line.receiver is not None]

    async def close(self) -> None:
        """Send everybody away, as the service stops; they come back to another instance and resume or begin anew."""
        receivers = [line.receiver for line in self._lines.values() if line.receiver is not None]
        async with asyncio.TaskGroup() as group:
            for receiver in receivers:
                group.create_task(receiver.shut(1001, "The service is stopping; connect again."))

    async def attach(self, receiver: Receiver) -> tuple[Line, Receiver | None]:
        """Make *receiver* the one of its user; return the line and whom it takes over from, who is to be shut."""
        user_id = receiver.principal.user_id
        line = self._lines.get(user_id) or self._new_line(user_id)
        previous, line.receiver = line.receiver, receiver
        if previous is None and self._presence is not None:
            try:
                await self._presence.arrived(receiver.principal)
            except BaseException:
                line.receiver = None
                raise
        return line, previous

    async def detach(self, line: Line, receiver: Receiver) -> None:
        """Let go of *receiver*, unless another has taken over already."""
        if line.receiver is not receiver:
            return
        line.receiver = None
        line.left_at = self._clock.monotonic()
        if self._presence is not None:
            await self._presence.left(receiver.principal)

    def _new_line(self, user_id: UUID) -> Line:
        self._sweep()
        if len(self._lines) >= self.limits.users:
            raise UnavailableError("Too many people are connected to this instance.", retry_after_s=5)
        # Numbers begin at the time in 1/1024 ms, so they grow over restarts and from one instance to the next, and a
        # number of another line is never taken for one of this. They stay below 2**53 until the year 2248.
        line = self._lines[user_id] = Line(self._number_of_now())
        return line

    def renumber(self, line: Line, since: int) -> None:
        """Let a line begin anew above *since*, when the client has heard more elsewhere than this line ever told.

        So the numbers one client sees only grow, also when it comes back to an instance that still remembers it.
        """
        if not line.last < since <= self._number_of_now() + CLOCKS_APART:
            return
        line.first = max(self._number_of_now(), since + 1)
        line.ring.clear()
        line.characters = 0

    def _number_of_now(self) -> int:
        return int(self._clock.now().timestamp() * 1000) * 1024 + 1

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        if now - self._swept_at < self.limits.kept_s / 10:
            return
        self._swept_at = now
        lines = list(self._lines.items())
        for user_id, line in lines:
            if line.receiver is None and now - line.left_at > self.limits.kept_s:
                del self._lines[user_id]


def to_message(seq: int, kind: str, body: Body) -> str:
    """Return one message as it is sent."""
    return orjson.dumps({"seq": seq, "kind": kind, "body": body}, default=_jsonable).decode()


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | frozenset | set):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
