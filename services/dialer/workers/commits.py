"""Group commit: whatever became due while the last batch was being stored goes into the next one.

A transaction per transition tops out near 500 calls a second on two cores; batches reach many times that. Nothing
waits for company: the first change goes at once, and only what arrives meanwhile is stored together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.runtime.errors import GalwError, RejectedError, UnavailableError

T = TypeVar("T")
R = TypeVar("R")

MAX_BATCH = 256
"""Changes in one transaction: enough to amortise it, few enough to keep locks short."""

MAX_QUEUED = 20_000
"""Changes waiting while the database is away: two per live call at ten thousand calls."""


class GroupCommit(Generic[T, R]):
    """Answers each submitted item from the batch it was stored with."""

    def __init__(self, store: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        """Keep the function that stores a batch and answers in order."""
        self._store = store
        self._queue: asyncio.Queue[tuple[T, asyncio.Future[R]]] = asyncio.Queue(MAX_QUEUED)

    async def submit(self, item: T) -> R:
        """Return what became of *item*; raises what the batch raised."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        await self._queue.put((item, future))
        return await future

    async def run(self) -> None:
        """Store batches for ever."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._store_batch(batch)

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
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _refuse(batch: list[tuple[T, asyncio.Future[R]]], error: GalwError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
