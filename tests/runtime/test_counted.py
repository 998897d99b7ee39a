"""Figures for many readers are counted once."""

import asyncio
from datetime import timedelta

import pytest

from services.runtime.counted import OLDEST_S, SHARE, Counted
from tests.runtime.identity.conftest import MovedClock


class Counting:
    """Counts how often it was asked, and how many asked at once; each count takes *takes_s*."""

    def __init__(self, clock: MovedClock, takes_s: float = 0.0) -> None:
        self.clock, self.takes_s, self.times, self.at_once = clock, takes_s, 0, 0

    async def __call__(self) -> int:
        self.times += 1
        self.at_once += 1
        assert self.at_once == 1
        await asyncio.sleep(0)
        self.clock.move(timedelta(seconds=self.takes_s))
        self.at_once -= 1
        return self.times


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


async def test_many_who_ask_at_once_are_answered_by_one_count(clock: MovedClock) -> None:
    count = Counting(clock)
    counted = Counted(count, clock, every_s=2.0)
    assert await asyncio.gather(*(counted.get() for _ in range(50))) == [1] * 50
    clock.move(timedelta(seconds=1.9))
    assert await counted.get() == 1
    clock.move(timedelta(seconds=0.2))
    assert await counted.get() == 2


@pytest.mark.parametrize(("takes_s", "kept_s"), [(0.5, 0.5 * SHARE), (60.0, OLDEST_S)])
async def test_a_slow_count_is_kept_longer_but_not_for_ever(clock: MovedClock, takes_s: float, kept_s: float) -> None:
    counted = Counted(Counting(clock, takes_s), clock, every_s=1.0)
    await counted.get()
    clock.move(timedelta(seconds=kept_s - 0.1))
    assert await counted.get() == 1
    clock.move(timedelta(seconds=0.2))
    assert await counted.get() == 2


async def test_a_count_that_fails_is_tried_again_by_the_next_who_asks(clock: MovedClock) -> None:
    answers = iter([OSError("away"), 7])

    async def count() -> int:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    counted = Counted(count, clock, every_s=1.0)
    with pytest.raises(OSError, match="away"):
        await counted.get()
    assert await counted.get() == 7
