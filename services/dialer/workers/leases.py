"""Who owns which pool: takes free pools, renews what it holds, hands over when another instance has fewer.

A lease lives four seconds by the database's clock and is renewed every second. A dead owner's pools are free when its
lease runs out; a deploy releases them one by one, so that the next owner takes each within half a second.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import structlog

from services.dialer import metrics
from services.dialer.ports import Fence, Lease, PoolStore, PoolView
from services.dialer.workers.pool import PoolOwner
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError

log = structlog.get_logger()

ROUND_S = 0.5
RENEW_EVERY_S = 1.0
LOSE_AFTER_S = 4.0
"""Without a renewal for this long the pool is somebody else's; the owner is ended at the latest then."""

HOLD_BACK_S = 3.0
"""How long an instance leaves a pool alone that it has just handed over."""


class LeaseStore(PoolStore, Protocol):
    """The store with what the keeper of leases needs besides."""

    async def list_leases(self) -> list[tuple[UUID, UUID | None, str, bool]]:
        """Return every pool with its owner, the owner's address and whether it is held now."""
        ...

    async def beat(self, instance_id: UUID, address: str) -> dict[UUID, str]:
        """Note that this instance is alive and return all that are, with their addresses."""
        ...


MakeOwner = Callable[[PoolView, Fence], PoolOwner]


class _Held:
    def __init__(self, owner: PoolOwner, task: "asyncio.Task[None]", renewed_at: float) -> None:
        self.owner = owner
        self.task = task
        self.renewed_at = renewed_at


class LeaseKeeper:
    """Keeps this instance's pools; every owner runs in the keeper's task group."""

    def __init__(self, instance_id: UUID, address: str, store: LeaseStore, make_owner: MakeOwner, clock: Clock) -> None:
        """Keep the parts; `run` starts it."""
        self.instance_id = instance_id
        self.address = address
        self._store = store
        self._make_owner = make_owner
        self._clock = clock
        self._held: dict[UUID, _Held] = {}
        self._not_before: dict[UUID, float] = {}
        self.instances: dict[UUID, str] = {}
        self.owners_of: dict[UUID, tuple[UUID | None, str]] = {}

    @property
    def owners(self) -> dict[UUID, PoolOwner]:
        """The pools owned here."""
        return {pool_id: held.owner for pool_id, held in self._held.items()}

    async def run(self) -> None:
        """Keep leases for ever; when cancelled, hand every pool over."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._round(tasks)
                    await self._clock.sleep(ROUND_S)
        finally:
            for held in self._held.values():
                held.owner.drain()
                with suppress(UnavailableError):
                    await self._store.release_lease(held.owner.fence, self.instance_id)

    async def _round(self, tasks: asyncio.TaskGroup) -> None:
        try:
            self.instances = await self._store.beat(self.instance_id, self.address)
            for pool_id in list(self._held):
                await self._renew(pool_id)
            leases = await self._store.list_leases()
            self.owners_of = {pool_id: (owner, address) for pool_id, owner, address, held in leases if held}
            await self._take([pool_id for pool_id, _, _, held in leases if not held], len(leases), tasks)
            await self._share(leases)
        except UnavailableError as error:
            log.warning("leases.unavailable", error=error.message)
        for pool_id, held in list(self._held.items()):
            if held.task.done():
                await self._lose(pool_id, "its owner failed")
            elif self._clock.monotonic() - held.renewed_at > LOSE_AFTER_S:
                await self._lose(pool_id, "the lease was not renewed in time")

    async def _renew(self, pool_id: UUID) -> None:
        held = self._held[pool_id]
        began = self._clock.monotonic()
        if began - held.renewed_at < RENEW_EVERY_S - ROUND_S / 2:
            return
        lease = await self._store.renew_lease(held.owner.fence, self.instance_id)
        if lease is None:
            await self._lose(pool_id, "another instance took it")
            return
        held.renewed_at = began
        held.owner.renewed(lease.database_at, began)

    async def _take(self, free: list[UUID], pools: int, tasks: asyncio.TaskGroup) -> None:
        """Take free pools up to a fair share; the last instance alive takes all."""
        share = math.ceil(pools / max(1, len(self.instances)))
        for pool_id in free:
            if len(self._held) >= share and len(self.instances) > 1:
                return
            began = self._clock.monotonic()
            if pool_id in self._held or began < self._not_before.get(pool_id, 0.0):
                continue
            lease = await self._store.acquire_lease(pool_id, self.instance_id, self.address)
            if lease is not None:
                await self._start(lease, began, tasks)

    async def _start(self, lease: Lease, began: float, tasks: asyncio.TaskGroup) -> None:
        view = await self._store.load_pool(lease.fence.pool_id)
        owner = self._make_owner(view, lease.fence)
        owner.renewed(lease.database_at, began)
        log.info("pool.taken", pool_id=str(view.pool.id), epoch=lease.fence.epoch)
        self._held[view.pool.id] = _Held(owner, tasks.create_task(_owned(owner)), began)

    async def _share(self, leases: list[tuple[UUID, UUID | None, str, bool]]) -> None:
        """Hand one pool over when another instance has two fewer."""
        counts = dict.fromkeys(self.instances, 0)
        for _, owner, _, held in leases:
            if held and owner is not None and owner in counts:
                counts[owner] += 1
        fewest = min(counts.values(), default=0)
        if len(self._held) - fewest < 2:
            return
        pool_id = max(self._held)
        held = self._held[pool_id]
        await self._lose(pool_id, "handed over")
        await self._store.release_lease(held.owner.fence, self.instance_id)
        self._not_before[pool_id] = self._clock.monotonic() + HOLD_BACK_S

    async def _lose(self, pool_id: UUID, reason: str) -> None:
        held = self._held.pop(pool_id)
        held.owner.drain()
        held.task.cancel()
        log.warning("pool.lost", pool_id=str(pool_id), epoch=held.owner.fence.epoch, reason=reason)
        with suppress(asyncio.CancelledError):
            await held.task


async def _owned(owner: PoolOwner) -> None:
    """Run an owner; its own failure costs its pool, not the others: the lease runs out and the pool is taken anew."""
    try:
        await owner.run()
    except Exception:
        metrics.POOL_FAILURES.inc()
        log.exception("pool.failed", pool_id=str(owner.pool.id))
