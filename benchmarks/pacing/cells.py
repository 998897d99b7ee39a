"""What is measured: settings by team size, the shipped scenarios, and other rules beside ours."""

from dataclasses import dataclass
from functools import partial

from services.dialer.domain.pacing import Pacer
from services.simulator import baselines
from services.simulator.files import load_scenario, shipped
from services.simulator.scenario import SETTINGS, Scenario, setting
from services.simulator.study import MakePolicy

LEARNING_S = 1200.0
SIZES = (2, 5, 10, 20, 50, 100)

# Occupancy of perfect knowledge ("best") by setting and size, in percent: what ours is to reach or pass.
BEST = {
    "A": {5: 79.6, 10: 83.5, 20: 87.9, 50: 92.8, 100: 95.5},
    "B": {5: 87.0, 10: 89.0, 20: 92.0, 50: 95.0, 100: 96.0},
    "C": {5: 73.0, 10: 81.0, 20: 87.0, 50: 92.0, 100: 95.0},
    "D": {5: 70.0, 10: 77.0, 20: 84.0, 50: 91.0, 100: 95.0},
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario under one rule; *target* is the occupancy to reach in percent, where one is known."""

    name: str
    policy: str = "galw"
    target: float | None = None

    def scenario(self) -> Scenario:
        """Return the scenario, with the twenty minutes of learning left out of the occupancy."""
        letter, size = self.name[:1], self.name[1:]
        if letter in SETTINGS and size.isdigit():
            return setting(letter, int(size), warmup_s=LEARNING_S)
        return load_scenario(self.name)

    def make(self) -> MakePolicy:
        """Return what makes a fresh policy for each day."""
        rule, _, level = self.policy.partition(":")
        match rule:
            case "galw":
                return Pacer
            case "progressive":
                return baselines.Progressive
            case "ratio":
                return partial(baselines.FixedRatio, float(level))
            case "predict1pi":
                return baselines.Predict1PI
            case "impact":
                return baselines.Impact
            case "best":
                return partial(baselines.Best, self.scenario().campaigns[0])
            case _:
                return partial(baselines.ViciDial, baselines.Adapt(rule), float(level or 3.0))


def sizes() -> list[Cell]:
    """Return settings A to D by team size."""
    return [Cell(f"{letter}{size}", "galw", BEST[letter].get(size)) for letter in SETTINGS for size in SIZES]


def scenarios() -> list[Cell]:
    """Return the scenarios that come with the product."""
    return [Cell(name) for name in shipped()]


def rules() -> list[Cell]:
    """Return the other rules on setting A with ten operators; levels found by hindsight stand behind the colon."""
    names = (
        "progressive",
        "ratio:1.15",
        "average:1.2",
        "hard_limit:1.2",
        "tapered:1.2",
        "predict1pi",
        "impact",
        "best",
    )
    return [Cell("A10", name) for name in names]


def reduced() -> list[Cell]:
    """Return the few that `make verify` runs."""
    names = ("A2", "A5", "A10", "A20", "C10", "D10", "answer-halves", "faulty-carrier")
    return [cell for cell in sizes() + scenarios() if cell.name in names]
