"""Who is at the other end: how one ring of one number goes, decided in advance.

Pure: `plan_ring` is a function of the seed, the number, how often it was rung before, and the odds in force (which the
profile takes from the number's prefix and the hour), so that a run can be repeated whatever order calls are placed in.
Seconds are those of a simulated person; the switch divides them by its speed.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from struct import Struct


class Outcome(StrEnum):
    """How a ring goes, seen from the person's side; *silent* is a trunk that answers nothing at all."""

    ANSWER = "answer"
    MACHINE = "machine"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    INVALID = "invalid"
    NETWORK = "network"
    CONGESTION = "congestion"
    SILENT = "silent"


SIP_OF = {
    Outcome.BUSY: 486,
    Outcome.REJECTED: 603,
    Outcome.INVALID: 404,
    Outcome.NETWORK: 500,
    Outcome.CONGESTION: 503,
}
"""What the far end answers when it refuses; a programmed outcome may name another code."""

PROGRAMMED_LIMIT = 10_000
"""How many programmed outcomes may wait: tests need a handful, and the memory is theirs to fill."""

RING_SHAPES = 10
"""The greatest shape of the ring time's gamma distribution, for each step takes one draw."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take, in seconds.

    The ring time of those who pick up is gamma distributed with a whole *ring_shape* (0: always the mean), the talk
    time log-normal (a *talk_sigma* of 0: always the median), patience the minimum plus an exponential.
    """

    setup_s: float = 1.2
    ring_mean_s: float = 10.0
    ring_shape: int = 6
    ring_limit_s: float = 60.0
    talk_median_s: float = 75.0
    talk_sigma: float = 0.6
    patience_min_s: float = 2.5
    patience_mean_s: float = 6.0
    hold_patience_s: float = 90.0
    machine_s: float = 22.0
    message_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How often answering machine detection errs: a person taken for a machine, a machine missed, no verdict."""

    false_machine: float = 0.02
    missed_machine: float = 0.12
    not_sure: float = 0.02


@dataclass(frozen=True, slots=True)
class Odds:
    """The chance of each outcome, in order, as (upper bound, outcome) with the rest unanswered; and the times."""

    bounds: tuple[tuple[float, Outcome], ...]
    times: Times
    verdicts: Verdicts | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How one ring will go. *sip* refuses; *amd* is what a detector would say: HUMAN, MACHINE, NOTSURE, or nothing."""

    outcome: Outcome
    nth: int
    setup_s: float
    ring_s: float
    talk_s: float
    patience_s: float
    hold_patience_s: float
    message_s: float
    sip: int | None = None
    amd: str | None = None


@dataclass(frozen=True, slots=True)
class Programmed:
    """A test's wish for the next ring of a number; what is None stays as nature has it."""

    outcome: Outcome
    setup_s: float | None = None
    ring_s: float | None = None
    talk_s: float | None = None
    patience_s: float | None = None
    sip: int | None = None
    amd: str | None = None


_DRAWS = Struct("<16I")
_SCALE = 2.0**-32


def plan_ring(seed: int, number: str, nth: int, odds: Odds, wish: Programmed | None = None) -> Plan:
    """Return how ring *nth* (from 1) of *number* goes; the same arguments give the same plan, on every machine."""
    digest = blake2b(f"{seed}|{number}|{nth}".encode(), digest_size=64).digest()
    draws = [(draw + 0.5) * _SCALE for draw in _DRAWS.unpack(digest)]  # strictly between 0 and 1
    outcome = wish.outcome if wish else _pick(odds, draws[0])
    times = odds.times
    plan = Plan(
        outcome,
        nth,
        times.setup_s,
        _ring_s(outcome, times, draws),
        times.machine_s if outcome is Outcome.MACHINE else _talk_s(times, draws[2], draws[3]),
        times.patience_min_s - times.patience_mean_s * math.log(draws[4]),
        times.hold_patience_s,
        times.message_s,
        SIP_OF.get(outcome),
        _amd(outcome, odds.verdicts, draws[1]),
    )
    return _granted(plan, wish) if wish else plan


def _pick(odds: Odds, draw: float) -> Outcome:
    for bound, outcome in odds.bounds:
        if draw < bound:
            return outcome
    return Outcome.NO_ANSWER


def _ring_s(outcome: Outcome, times: Times, draws: list[float]) -> float:
    match outcome:
        case Outcome.ANSWER | Outcome.MACHINE | Outcome.REJECTED:
            if times.ring_shape == 0:
                return times.ring_mean_s
            product = math.prod(draws[6 : 6 + times.ring_shape])
            return -math.log(product) * times.ring_mean_s / times.ring_shape
        case Outcome.NO_ANSWER | Outcome.SILENT:
            return times.ring_limit_s
        case _:
            return 0.0  # refused before any phone rings


def _talk_s(times: Times, one: float, other: float) -> float:
    if times.talk_sigma == 0.0:
        return times.talk_median_s
    normal = math.sqrt(-2.0 * math.log(one)) * math.cos(2.0 * math.pi * other)
    return times.talk_median_s * math.exp(times.talk_sigma * normal)


def _amd(outcome: Outcome, verdicts: Verdicts | None, draw: float) -> str | None:
    if verdicts is None or outcome not in (Outcome.ANSWER, Outcome.MACHINE):
        return None
    if draw < verdicts.not_sure:
        return "NOTSURE"
    machine = outcome is Outcome.MACHINE
    wrong = verdicts.missed_machine if machine else verdicts.false_machine
    return "MACHINE" if machine is not (draw < verdicts.not_sure + wrong) else "HUMAN"


def _granted(plan: Plan, wish: Programmed) -> Plan:
    return replace(
        plan,
        setup_s=plan.setup_s if wish.setup_s is None else wish.setup_s,
        ring_s=plan.ring_s if wish.ring_s is None else wish.ring_s,
        talk_s=plan.talk_s if wish.talk_s is None else wish.talk_s,
        patience_s=plan.patience_s if wish.patience_s is None else wish.patience_s,
        sip=plan.sip if wish.sip is None else wish.sip,
        amd=plan.amd if wish.amd is None else wish.amd,
    )


class People:
    """Everybody who can be rung: counts each number's rings and keeps what tests have programmed."""

    def __init__(self, seed: int, odds_of: Callable[[str, datetime], Odds]) -> None:
        """Start with nobody rung; *odds_of* tells a number's odds at an instant."""
        self.seed = seed
        self._odds_of = odds_of
        # One entry for each number ever rung: a repeatable n-th ring is worth some 100 bytes a number.
        self._rings: dict[str, int] = {}
        self._wishes: dict[str, deque[Programmed]] = {}
        self._wished = 0

    def remember_ring(self, number: str) -> None:
        """Count a ring of an earlier life, read from the ledger."""
        self._rings[number] = self._rings.get(number, 0) + 1

    def next_plan(self, number: str, at: datetime) -> Plan:
        """Return how the ring of *number* that begins now goes, and count it."""
        self.remember_ring(number)
        return plan_ring(self.seed, number, self._rings[number], self._odds_of(number, at), self._next_wish(number))

    def program(self, number: str, wish: Programmed) -> bool:
        """Queue *wish* for a later ring of *number*, first in first out; False when too many wait."""
        if self._wished >= PROGRAMMED_LIMIT:
            return False
        self._wishes.setdefault(number, deque()).append(wish)
        self._wished += 1
        return True

    def forget(self, number: str) -> None:
        """Drop what was programmed for *number*."""
        self._wished -= len(self._wishes.pop(number, ()))

    def _next_wish(self, number: str) -> Programmed | None:
        wishes = self._wishes.get(number)
        if wishes is None:
            return None
        wish = wishes.popleft()
        self._wished -= 1
        if not wishes:
            del self._wishes[number]
        return wish
