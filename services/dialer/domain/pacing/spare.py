"""The chance that one more answered person would find nobody: the distribution of operators to spare at the horizon.

Operators to spare when a line placed now would be answered: those idle, plus those who finish by then, minus the people
waiting and the lines answered by then. Each operator and line is a coin of its own: the sum is Poisson-binomial.
"""

from collections.abc import Sequence
from math import erf, hypot, sqrt

Coins = Sequence[tuple[float, int]]
"""Chances, and how many lines have each: lines of one age are alike."""

# Up to so many coins the sum is convolved exactly (tens of microseconds); above it three moments are close enough.
EXACT_COINS = 30
# A coin below this changes no decision; leaving it out keeps the exact sum small when many old lines still ring.
NEGLIGIBLE = 0.002
_SQRT_2 = sqrt(2.0)


class Spare:
    """The number of operators to spare at the horizon, as a distribution that lines can be added to."""

    __slots__ = ("_floor", "_mass", "_mean", "_skew", "_variance")

    def __init__(self, certain: int, finishing: Sequence[float], answering: Coins, doubt: float = 0.0) -> None:
        """*certain* is idle less waiting; the others are chances to finish and to be answered by the horizon.

        *doubt* is the variance that all chances of a kind bring in together, being estimates. It counts in large
        pools only: in small ones the coins' own noise is far larger.
        """
        self._mass: list[float] | None = None
        self._floor = certain
        self._variance, self._skew = doubt, 0.0
        coming, going = sum(finishing), 0.0
        lines = 0
        for chance, count in answering:
            one = chance * (1.0 - chance)
            lines += count
            going += count * chance
            self._variance += count * one
            self._skew -= count * one * (1.0 - 2.0 * chance)
        self._mean = certain + coming - going
        if len(finishing) + lines <= EXACT_COINS:
            mass = [1.0]
            for chance in finishing:
                mass = _toss(mass, chance)
            for chance, count in answering:
                for _ in range(count):
                    mass = _toss(mass, 1.0 - chance)
            self._mass = mass
            self._floor -= lines
            return
        squares = hypot(*finishing) ** 2
        # The sum of the cubes as it would be if all were alike: they are small, and it is the fastest to come by.
        cubes = squares * squares / coming if coming > 0.0 else 0.0
        self._variance += coming - squares
        self._skew += coming - 3.0 * squares + 2.0 * cubes

    @property
    def mean(self) -> float:
        """Expected operators to spare; negative when more answers than operators are on their way."""
        return self._mean

    def add_lines(self, lines: int, chance: float, doubt: float = 0.0) -> None:
        """Take in more lines, each answered by the horizon with this chance, and what they add to the doubt."""
        self._mean -= lines * chance
        if self._mass is None:
            one = chance * (1.0 - chance)
            self._variance += lines * one + doubt
            self._skew -= lines * one * (1.0 - 2.0 * chance)
        else:
            self._mass = self._mass_with(lines, chance)
            self._floor -= lines

    def chance_none(self, lines: int = 0, chance: float = 0.0, doubt: float = 0.0) -> float:
        """Return the chance that no operator is to spare: that one more answered person would wait in vain.

        *lines* more, as `add_lines` takes them in, are thought of for the moment.
        """
        if self._mass is not None:
            floor = self._floor - lines
            return min(1.0, sum(self._mass_with(lines, chance)[: 1 - floor])) if floor <= 0 else 0.0
        one = chance * (1.0 - chance)
        deviation = sqrt(max(self._variance + lines * one + doubt, 1e-9))
        z = (0.5 - self._mean + lines * chance) / deviation
        # A poor list's answers are skewed, and the tail is what the decision hangs on. The correction is bounded so
        # that one more idle operator can never make the chance look higher.
        skew = self._skew - lines * one * (1.0 - 2.0 * chance)
        bend = min(0.15, max(-0.15, skew / (6.0 * deviation**3)))
        return 0.5 * (1.0 + erf((z - bend * (min(z * z, 9.0) - 1.0)) / _SQRT_2))

    def _mass_with(self, lines: int, chance: float) -> list[float]:
        mass = self._mass or [1.0]
        for _ in range(lines):
            mass = _toss(mass, 1.0 - chance)
        return mass


def _toss(mass: list[float], chance: float) -> list[float]:
    """Return the distribution of a count after one more coin that adds one with this chance."""
    stay = 1.0 - chance
    return [fewer * stay + more * chance for fewer, more in zip((*mass, 0.0), (0.0, *mass), strict=True)]
