"""What placing does when the trunk takes nobody more: the campaign rests, and lets others have the lines."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.operators import OperatorState
from services.dialer.domain.pacing import Pacer
from services.dialer.gateways import AriCarrier
from services.dialer.ports import Fence, Pool, Refusal, Reservation, Safety
from services.dialer.workers.board import Board
from services.dialer.workers.hopper import REFETCH
from services.dialer.workers.offers import Offers
from services.dialer.workers.pacing import PacingDesk
from services.dialer.workers.placing import Placing
from services.dialer.workers.reserving import Reserving
from services.runtime.ids import new_id
from tests.dialer.samples import operator
from tests.dialer.test_board import Screens
from tests.dialer.test_hopper import waiting
from tests.fakes.dialer_store import LeaseRow, MemoryDatabase, MemoryDialerStore
from tests.fakes.gate import OneRuleGate

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class SleepingClock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class CountingStore(MemoryDialerStore):
    """Counts how many reservations were asked for; there is no trunk that could take any."""

    asked = 0

    async def reserve(self, reservations: Sequence[Reservation]) -> list[Attempt | Refusal]:
        self.asked += len(reservations)
        answers = await super().reserve(reservations)
        assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {"trunk busy"}
        return answers


async def test_a_trunk_that_takes_nobody_is_not_asked_with_every_signal() -> None:
    clock, pool = SleepingClock(), Pool(uuid4(), "main", 60, 10, 60)
    database = MemoryDatabase(now=clock.now)
    database.pools[pool.id], database.leases[pool.id] = pool, LeaseRow(epoch=1)
    plan = Plan(purpose="informational", caller_ids=("+441632960100",))
    campaign = Campaign(uuid4(), "News", CampaignState.RUNNING, pool.id, plan, 1, NOON, launched_at=NOON)
    database.campaigns[campaign.id] = campaign
    for lead in (waiting(campaign.id, number) for number in range(300)):
        database.leads[lead.id] = lead
    store = CountingStore(database)
    board = Board(
        pool=pool,
        fence=Fence(pool.id, 1),
        store=store,
        carrier=AriCarrier(None, ""),  # pyright: ignore[reportArgumentType] - no call is placed
        live=Screens(),
        gatekeeper=OneRuleGate(),
        clock=clock,
        new_id=new_id,
    )
    board.synced, board.safety = True, Safety(consents_at=NOON)
    board.show_campaigns([campaign])
    for number in range(3):
        board.keep(operator=operator(OperatorState.READY, pool_id=pool.id, instance_id=uuid4(), version=number + 1))
    reserving = Reserving(board)
    placing = Placing(board, PacingDesk(board.fence, store, Pacer, clock), reserving, Offers(board, reserving))

    async def signal_until(end: datetime) -> None:
        while clock.at < end:
            board.wake_placing.set()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(placing.run())
        await signal_until(NOON + REFETCH - timedelta(milliseconds=50))
        assert store.asked == 3
        await signal_until(NOON + REFETCH + timedelta(milliseconds=150))
        assert store.asked == 6
        running.cancel()
