"""Group commit: whatever became due while the last batches were being stored goes into the next one.

A transaction per transition tops out near 500 calls a second on two cores; batches reach many times that. The first
change after a pause goes at once; under load a batch waits a few milliseconds for what is just about to come. Two
batches are on their way at a time, as if two instances stored them: one is being judged here while PostgreSQL works on
the other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from prometheus_client import Counter

from services.runtime.clock import Clock
from services.runtime.errors import GalwError, RejectedError, UnavailableError

T = TypeVar("T")
R = TypeVar("R")

GATHER_S = 0.004
"""How long a batch that follows another one waits for company; five transitions of a call wait so."""

PAUSE_S = 0.02
"""After so long without a change the next one goes at once."""

AT_ONCE = 2
"""Batches on their way: a change waits for half of one on average, not for the whole of the one before."""

MAX_BATCH = 256
"""Changes in one transaction: enough to amortise it, few enough to keep locks short."""

COMMITS = Counter("dialer_commits_total", "Transactions of the group commit.")
CHANGES = Counter("dialer_commit_changes_total", "Changes stored by the group commit; how many share a transaction.")

MAX_QUEUED = 20_000
"""Changes waiting while the database is away: two per live call at ten thousand calls."""


class GroupCommit(Generic[T, R]):
    """Answers each submitted item from the batch it was stored with."""

    def __init__(self, store: Callable[[Sequence[T]], Awaitable[Sequence[R]]], clock: Clock) -> None:
        """Keep the function that stores a batch and answers in order."""
        self._store = store
        self._clock = clock
        self._ended = False
        self._stored_at = -PAUSE_S
        self._queue: asyncio.Queue[tuple[T, asyncio.Future[R]]] = asyncio.Queue(MAX_QUEUED)

    async def submit(self, item: T) -> R:
        """Return what became of *item*; raises what the batch raised, `UnavailableError` after the end of `run`."""
        if self._ended:
            raise UnavailableError("This instance is stopping.")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        await self._queue.put((item, future))
        return await future

    async def run(self) -> None:
        """Store batches until cancelled; what waits then is refused, so that nobody waits for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._run_batches())
        finally:
            self._ended = True
            while not self._queue.empty():
                _refuse([self._queue.get_nowait()], UnavailableError("This instance is stopping."))

    async def _run_batches(self) -> None:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        try:
            while True:
                batch = [await self._queue.get()]
                if self._clock.monotonic() - self._stored_at < PAUSE_S:
                    await self._clock.sleep(GATHER_S)
                while len(batch) < MAX_BATCH and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                await self._store_batch(batch)
                self._stored_at = self._clock.monotonic()
        finally:
            _refuse(batch, UnavailableError("This instance is stopping."))

    async def _store_batch(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._store([item for item, _ in batch])
        except RejectedError as error:
            if len(batch) > 1:  # One that can never be stored must not take the others with it.
                for one in batch:
                    await self._store_batch([one])
                return
            _refuse(batch, error)
            return
        except UnavailableError as error:
            _refuse(batch, error)
            return
        COMMITS.inc()
        CHANGES.inc(len(batch))
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _refuse(batch: list[tuple[T, asyncio.Future[R]]], error: GalwError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
