"""A trunk's dials are spread also when a stall made all their slots pass at once."""

import asyncio

from services.dialer.workers.spacing import Spacing
from tests.dialer.simulation.loop import VirtualClock, VirtualLoop


def test_dials_that_are_due_at_once_go_one_by_one_and_nobody_waits_after_a_pause() -> None:
    loop = VirtualLoop()
    clock, gone = VirtualClock(loop), list[float]()

    async def dial(spacing: Spacing) -> None:
        await spacing.wait(0.25)
        gone.append(clock.monotonic())

    async def run() -> None:
        spacing = Spacing(clock)
        await asyncio.gather(*(dial(spacing) for _ in range(4)))
        await clock.sleep(10)
        await asyncio.gather(dial(spacing), dial(spacing))

    loop.run_until_complete(run())
    loop.close()
    assert gone == [0.0, 0.25, 0.5, 0.75, 10.75, 11.0]
