"""Two dialers, a carrier and operators in memory: they crash at random steps, and the rules hold in every seed.

`GALW_SIMULATION_SEEDS=2000 make test` runs more. A failing seed names the command that runs it alone.
"""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from tests.dialer.simulation.world import simulate

SEEDS = int(os.environ.get("GALW_SIMULATION_SEEDS", "200"))
FIRST = int(os.environ.get("GALW_SIMULATION_FIRST", "0"))
CHUNK = 10


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Keep thousands of expected warnings out of the output."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_the_rules_hold_whatever_crashes(first: int) -> None:
    rings = met = kills = 0
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        world = simulate(seed)
        broken = world.broken_rules()
        command = f"GALW_SIMULATION_FIRST={seed} GALW_SIMULATION_SEEDS=1 .venv/bin/pytest tests/dialer/simulation"
        assert not broken, f"seed {seed} ({world.campaign.plan.mode}): {broken[:5]}; again with: {command}"
        rings += sum(line["event"] == "ring" for line in world.ledger)
        met += sum(line["event"] == "meet" for line in world.ledger)
        kills += world.told.kills
    if SEEDS >= CHUNK:
        assert rings > 100, f"only {rings} rings: the run proves nothing"
        assert met > 30, f"only {met} conversations: the run proves nothing"
        assert kills > 20, f"only {kills} kills: the run proves nothing"


def test_one_seed_is_one_run() -> None:
    assert simulate(7).ledger == simulate(7).ledger
