"""One simulated process of the dialer: it may die between any two effects, and then does nothing more."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any


class DiedError(BaseException):
    """The process was killed: not an Exception, so that no code of it gets a last word."""


class Lifeline:
    """Counts the steps of a process and ends it at the one it is doomed at; adds a random delay to each."""

    def __init__(self, rng: random.Random) -> None:
        """Live for ever until doomed."""
        self._rng = rng
        self.steps = 0
        self.doomed_at: int | None = None
        self.dead = asyncio.Event()
        self._cut_off_until = 0.0

    def doom(self, within: int) -> None:
        """Die at one of the next *within* steps."""
        self.doomed_at = self.steps + self._rng.randint(1, within)

    def cut_off(self, for_s: float) -> None:
        """Let the line to the database hang: what is asked and what is answered stays under way for so long."""
        self._cut_off_until = asyncio.get_running_loop().time() + for_s

    async def pass_line(self) -> None:
        """Be under way to the database or back."""
        late_s = self._cut_off_until - asyncio.get_running_loop().time()
        if late_s > 0:
            await asyncio.sleep(late_s)
        await self.step()

    async def step(self) -> None:
        """Stand before or after one effect: a short time passes, or the process ends here."""
        if not self.dead.is_set():
            self.steps += 1
            if self.doomed_at is not None and self.steps >= self.doomed_at:
                self.dead.set()
        if self.dead.is_set():
            raise DiedError
        if self._rng.random() < 0.5:
            await asyncio.sleep(self._rng.choice((0.001, 0.005, 0.03)))
        if self.dead.is_set():
            raise DiedError


class Mortal:
    """A store whose every call is a step before and after: the effect may be done and its answer lost."""

    def __init__(self, store: object, life: Lifeline) -> None:
        """Stand between an instance and *store*."""
        self._store = store
        self._life = life

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return the store's method with its two steps."""
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._life.pass_line()
            answer = await method(*args, **kwargs)
            await self._life.pass_line()
            return answer

        return call
