"""An event loop on virtual time: when nothing is ready, time jumps to the next timer. One seed, one run."""

import asyncio
import itertools
import selectors
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class _Jump(selectors.SelectSelector):
    """Waits by moving the loop's time instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Report what is ready, and let *timeout* pass at once when nothing is."""
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen again: a task waits for something nobody does")
        if not ready and timeout:
            self.passed_s += timeout
        return ready


class _NumberedTask(asyncio.Task[Any]):
    """A task that hashes by its number: sets of tasks are then walked in the same order in every run."""

    numbers = itertools.count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_NumberedTask.numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


def _numbered(loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> _NumberedTask:
    return _NumberedTask(work, loop=loop, **kwargs)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose `time` is virtual."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        _NumberedTask.numbers = itertools.count()
        self.set_task_factory(_numbered)

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        # The clock's resolution is added to timers; a hair more makes sure that a due timer is due.
        return self._jump.passed_s


class VirtualClock:
    """Fits `Clock` on a virtual loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.wrong_by = timedelta(0)

    def now(self) -> datetime:
        """Return the virtual instant, wrong by as much as this clock is at present."""
        return START + timedelta(seconds=self._loop.time()) + self.wrong_by

    def monotonic(self) -> float:
        """Return the virtual seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the virtual loop."""
        await asyncio.sleep(max(0.0, seconds))
