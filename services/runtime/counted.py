"""Figures that cost to count: counted for many readers at once, and for a small share of the time at most."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from services.runtime.clock import Clock

T = TypeVar("T")

SHARE = 20
"""Counting takes one part in so many of the time at most, however many ask …"""

OLDEST_S = 30.0
"""… unless it is so slow that figures would be older than this."""


class Counted(Generic[T]):
    """Answers with what *count* found last, and counts anew when that is old: open routes may use it."""

    def __init__(self, count: Callable[[], Awaitable[T]], clock: Clock, *, every_s: float) -> None:
        """Count at most every *every_s* seconds, more seldom when counting takes long."""
        self._count = count
        self._clock = clock
        self._every_s = every_s
        self._known: tuple[T, float] | None = None
        self._counting = asyncio.Lock()

    async def get(self) -> T:
        """Return figures that are fresh enough; who asks while they are being counted waits for that count."""
        async with self._counting:
            began = self._clock.monotonic()
            if self._known is not None and began < self._known[1]:
                return self._known[0]
            found = await self._count()
            ended = self._clock.monotonic()
            self._known = found, ended + max(self._every_s, min(OLDEST_S, (ended - began) * SHARE))
            return found
