"""Run seeds: `python -m tests.dialer.simulation --seeds 2000 --first 0`; stops at the first that breaks a rule.

Exit codes: 0 every rule held, 1 one was broken (its own command is printed), 2 too little happened to mean anything.
"""

import argparse
import logging
import sys

import structlog

from tests.dialer.simulation.tally import Tally, again
from tests.dialer.simulation.world import simulate


def main() -> int:
    """Run and say what happened."""
    parser = argparse.ArgumentParser("python -m tests.dialer.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    tally = Tally()
    for seed in range(asked.first, asked.first + asked.seeds):
        world = simulate(seed)
        broken = world.broken_rules()
        tally.add(world)
        if broken:
            sys.stdout.write(f"seed {seed} ({world.campaign.plan.mode}): {broken[0]}\n")
            sys.stdout.write("".join(f"  {sentence}\n" for sentence in broken[1:10]))
            sys.stdout.write(f"again with: {again(seed)}\n")
            return 1
    sys.stdout.write(f"{tally}\n")
    too_few = tally.too_few()
    sys.stdout.write("".join(f"  {sentence}\n" for sentence in too_few))
    return 2 if too_few else 0


if __name__ == "__main__":
    sys.exit(main())
