"""The chance that one more answered person would find nobody: the distribution of operators to spare at the horizon.

Operators to spare when a line placed now would be answered: those idle, plus those who finish by then, minus the people
waiting and the lines answered by then. Each operator and line is a coin of its own: the sum is Poisson-binomial.
"""

from collections.abc import Sequence
from math import erf, sqrt
from operator import mul

# Up to so many coins the sum is convolved exactly (tens of microseconds); above it three moments are close enough.
EXACT_COINS = 30
# A coin below this changes no decision; leaving it out keeps the exact sum small when many old lines still ring.
NEGLIGIBLE = 0.002
_SQRT_2 = sqrt(2.0)


class Spare:
    """The number of operators to spare at the horizon, as a distribution that lines can be added to."""

    __slots__ = ("_floor", "_mass", "_mean", "_skew", "_variance")

    def __init__(
        self, certain: int, finishing: Sequence[float], answering: Sequence[float], doubt: float = 0.0
    ) -> None:
        """*certain* is idle less waiting; the others are chances to finish and to be answered by the horizon.

        *doubt* is the variance that all chances of a kind bring in together, being estimates. It counts in large
        pools only: in small ones the coins' own noise is far larger.
        """
        self._mass: list[float] | None = None
        self._floor = certain
        coming, going = sum(finishing), sum(answering)
        self._mean = certain + coming - going
        if len(finishing) + len(answering) <= EXACT_COINS:
            mass = [1.0]
            for chance in finishing:
                mass = _toss(mass, chance)
            for chance in answering:
                mass = _toss(mass, 1.0 - chance)
            self._mass = mass
            self._floor -= len(answering)
            self._variance = self._skew = 0.0
            return
        finishing_2 = list(map(mul, finishing, finishing))
        answering_2 = list(map(mul, answering, answering))
        squares, minus_squares = sum(finishing_2), sum(answering_2)
        cubes = sum(map(mul, finishing_2, finishing))
        minus_cubes = sum(map(mul, answering_2, answering))
        self._variance = doubt + coming - squares + going - minus_squares
        self._skew = coming - 3.0 * squares + 2.0 * cubes - (going - 3.0 * minus_squares + 2.0 * minus_cubes)

    @property
    def mean(self) -> float:
        """Expected operators to spare; negative when more answers than operators are on their way."""
        return self._mean

    def add_line(self, chance: float, doubt: float = 0.0) -> None:
        """Take in one more line that is answered by the horizon with this chance, and what it adds to the doubt."""
        self._mean -= chance
        if self._mass is None:
            self._variance += chance * (1.0 - chance) + doubt
            self._skew -= chance * (1.0 - chance) * (1.0 - 2.0 * chance)
        else:
            self._mass = _toss(self._mass, 1.0 - chance)
            self._floor -= 1

    def chance_none(self) -> float:
        """Return the chance that no operator is to spare: that one more answered person would wait in vain."""
        if self._mass is not None:
            return min(1.0, sum(self._mass[: 1 - self._floor])) if self._floor <= 0 else 0.0
        deviation = sqrt(max(self._variance, 1e-9))
        z = (0.5 - self._mean) / deviation
        # A poor list's answers are skewed, and the tail is what the decision hangs on. The correction is bounded so
        # that one more idle operator can never make the chance look higher.
        bend = min(0.15, max(-0.15, self._skew / (6.0 * deviation**3)))
        return 0.5 * (1.0 + erf((z - bend * (min(z * z, 9.0) - 1.0)) / _SQRT_2))


def _toss(mass: list[float], chance: float) -> list[float]:
    """Return the distribution of a count after one more coin that adds one with this chance."""
    stay = 1.0 - chance
    tossed = [part * stay for part in mass]
    tossed.append(0.0)
    for index, part in enumerate(mass, 1):
        tossed[index] += part * chance
    return tossed
