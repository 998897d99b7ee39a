"""The chance that one more answered person would find nobody: the distribution of operators to spare at the horizon.

Operators to spare when a line placed now would be answered: those idle, plus those who finish by then, minus the people
waiting and the lines answered by then. Each operator and line is a coin of its own: the sum is Poisson-binomial.
"""

from collections.abc import Sequence
from math import erf, sqrt

Coins = Sequence[tuple[float, int]]
"""Chances, and how many lines have each: lines of one age are alike."""

# Up to so many coins the sum is convolved exactly (tens of microseconds); above it three moments are close enough.
EXACT_COINS = 30
_SQRT_2 = sqrt(2.0)


class Spare:
    """The number of operators to spare at the horizon, as a distribution that lines can be added to."""

    __slots__ = ("_floor", "_mass", "_mean", "_skew", "_variance")

    def __init__(self, mean: float, variance: float, skew: float) -> None:
        """Describe many coins by their sum's mean, variance and third central moment."""
        self._mass: list[float] | None = None
        self._floor = 0
        self._mean, self._variance, self._skew = mean, variance, skew

    @classmethod
    def exact(cls, certain: int, finishing: Sequence[float], answering: Coins) -> "Spare":
        """Toss few coins: *certain* is idle less waiting, the others finish and are answered by the horizon."""
        mass = [1.0]
        mean = certain + sum(finishing)
        for chance in finishing:
            mass = _toss(mass, chance)
        lines = 0
        for chance, count in answering:
            lines += count
            mean -= count * chance
            for _ in range(count):
                mass = _toss(mass, 1.0 - chance)
        spare = cls(mean, 0.0, 0.0)
        spare._mass, spare._floor = mass, certain - lines
        return spare

    @classmethod
    def of(cls, certain: int, finishing: Sequence[float], answering: Coins) -> "Spare":
        """Return the distribution, whichever way suits so many coins."""
        if len(finishing) + sum([count for _, count in answering]) <= EXACT_COINS:
            return cls.exact(certain, finishing, answering)
        ones = [(-1.0, chance, count) for chance, count in answering] + [(1.0, chance, 1) for chance in finishing]
        return cls(
            certain + sum([sign * chance * count for sign, chance, count in ones]),
            sum([count * chance * (1.0 - chance) for _, chance, count in ones]),
            sum([sign * count * chance * (1.0 - chance) * (1.0 - 2.0 * chance) for sign, chance, count in ones]),
        )

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
        more = lines * chance * (1.0 - chance)
        variance = self._variance + more + doubt
        if variance < 1e-9:
            variance = 1e-9
        deviation = sqrt(variance)
        z = (0.5 - self._mean + lines * chance) / deviation
        # A poor list's answers are skewed, and the tail is what the decision hangs on. The correction is bounded so
        # that one more idle operator can never make the chance look higher.
        bend = (self._skew - more * (1.0 - 2.0 * chance)) / (6.0 * deviation * variance)
        bend = 0.15 if bend > 0.15 else -0.15 if bend < -0.15 else bend  # comparing is faster than min and max
        square = z * z
        return 0.5 * (1.0 + erf((z - bend * ((square if square < 9.0 else 9.0) - 1.0)) / _SQRT_2))

    def _mass_with(self, lines: int, chance: float) -> list[float]:
        mass = self._mass or [1.0]
        for _ in range(lines):
            mass = _toss(mass, 1.0 - chance)
        return mass


def _toss(mass: list[float], chance: float) -> list[float]:
    """Return the distribution of a count after one more coin that adds one with this chance."""
    stay = 1.0 - chance
    return [fewer * stay + more * chance for fewer, more in zip((*mass, 0.0), (0.0, *mass), strict=True)]
