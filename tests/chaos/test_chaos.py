"""The kill loop: short on embedded parts in `make test`, longer on real peers in `make verify TESTS=tests/chaos`.

A run by hand: `python -m tests.chaos.loop --seed 1 --minutes 2 --broker kafka --postgres pg15`.
"""

import os
from pathlib import Path

import pytest

from tests.chaos.loop import run


async def _hold(folder: Path, *, seed: int, seconds: float, broker: str, postgres: str) -> None:
    report = await run(folder, seed=seed, seconds=seconds, broker=broker, postgres=postgres)
    assert not report.broken, f"{report}\n" + "\n".join(report.broken)
    assert not report.too_few(), f"{report}\n" + "\n".join(report.too_few())
    print(report)  # noqa: T201 - shown by pytest -s


@pytest.mark.system
@pytest.mark.skipif(os.environ.get("GALW_TEST_BROKER") == "kafka", reason="the longer run below is the one on Kafka")
@pytest.mark.timeout(600)
async def test_nothing_rings_twice_and_nothing_is_lost_when_every_part_is_killed(scratch: Path) -> None:
    await _hold(scratch, seed=1, seconds=30, broker="embedded", postgres="embedded")


@pytest.mark.kafka
@pytest.mark.timeout(900)
async def test_nor_on_apache_kafka_and_postgresql_15(scratch: Path) -> None:
    await _hold(scratch, seed=2, seconds=75, broker="kafka", postgres="pg15")
