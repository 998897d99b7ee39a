"""How much happened in some seeds: a run in which little went wrong proves little."""

from collections import Counter

from services.dialer.domain.attempts import Outcome
from tests.dialer.simulation.world import World

LEAST_PER_SEED = {
    "rings": 8.0,
    "conversations": 2.0,
    "kills": 1.5,
    "hanging lines": 1.0,
    "garblings": 3.0,
    "lost lines": 0.5,
    "refusals": 3.0,
    "clock jumps": 2.0,
    "dispositions": 1.5,
}


def again(seed: int) -> str:
    """Return the command that runs one seed alone."""
    return f".venv/bin/python -m tests.dialer.simulation --first {seed} --seeds 1"


class Tally:
    """Counts over seeds."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.seeds = 0
        self.counts: Counter[str] = Counter()

    def add(self, world: World) -> None:
        """Count what happened in one seed."""
        self.seeds += 1
        outcomes = [attempt.outcome for attempt in world.db.attempts.values()]
        self.counts.update(
            {
                "rings": sum(line["event"] == "ring" for line in world.ledger),
                "conversations": sum(line["event"] == "meet" for line in world.ledger),
                "kills": world.told.kills,
                "hanging lines": world.told.hangs,
                "garblings": world.told.faults,
                "lost lines": world.told.lost_lines,
                "refusals": len(world.told.refusals) + len(world.told.said_no),
                "clock jumps": len(world.told.clocks),
                "dispositions": len(world.told.dispositions),
                "calls that ended unknown": outcomes.count(Outcome.UNKNOWN),
                "reservations withdrawn": outcomes.count(Outcome.CANCELLED),
            }
        )

    def too_few(self) -> list[str]:
        """Return what happened too rarely to prove anything; a handful of seeds need not show everything."""
        if self.seeds < 10:
            return []
        least = {what: per_seed * self.seeds for what, per_seed in LEAST_PER_SEED.items()}
        return [f"only {self.counts[what]} {what}" for what, n in least.items() if self.counts[what] < n]

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.seeds} seeds: " + ", ".join(f"{n} {what}" for what, n in self.counts.items())
