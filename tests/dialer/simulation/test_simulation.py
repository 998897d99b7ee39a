"""Two dialers, a carrier and operators in memory: they crash at random steps, and the rules hold in every seed.

`GALW_SIMULATION_SEEDS=2000 make test` runs more, `python -m tests.dialer.simulation --seeds 2000` does so by itself. A
failing seed names the command that runs it alone. What the rules are, and which planted bugs they found, stands in
docs/simulation.md.
"""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from tests.dialer.simulation.tally import Tally, again
from tests.dialer.simulation.world import simulate

SEEDS = int(os.environ.get("GALW_SIMULATION_SEEDS", "200"))
CHUNK = 10


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Keep thousands of expected warnings out of the output."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


# `make check` runs the first seeds, `make test` all.
CHUNKS = [pytest.param(n, marks=[pytest.mark.long] if n else []) for n in range(0, SEEDS, CHUNK)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", CHUNKS)
def test_every_crash_point_between_two_effects_leaves_a_state_that_the_next_start_resolves(first: int) -> None:
    tally = Tally()
    for seed in range(first, min(first + CHUNK, SEEDS)):
        world = simulate(seed)
        broken = world.broken_rules()
        assert not broken, f"seed {seed} ({world.campaign.plan.mode}): {broken[:5]}; again with: {again(seed)}"
        tally.add(world)
    assert not tally.too_few(), f"{tally}: the run proves nothing"


def test_one_seed_is_one_run() -> None:
    assert simulate(7).ledger == simulate(7).ledger
