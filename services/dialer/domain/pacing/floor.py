"""What pacing sees and says: the snapshot of one pool, the events since the last one, and the decision.

Instants are seconds on the caller's own clock, which starts anywhere; durations are seconds. Snapshots of a hundred
operators arrive many times a second, so the values that come in hundreds are named tuples and plain floats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

DAY_S = 86_400.0


class Mode(StrEnum):
    """How a campaign places its lines; it may change from one snapshot to the next."""

    PREVIEW = "preview"
    PROGRESSIVE = "progressive"
    RATIO = "ratio"
    PREDICTIVE = "predictive"
    AGENTLESS = "agentless"


class OperatorState(StrEnum):
    """What an operator is doing, as far as pacing must know."""

    READY = "ready"
    TALKING = "talking"
    WRAPUP = "wrapup"
    PAUSED = "paused"


class EventKind(StrEnum):
    """What happened to a line, an answered person or a conversation."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    MACHINE = "machine"
    INVALID = "invalid"
    FAILED = "failed"
    CONNECTED = "connected"
    ABANDONED = "abandoned"
    HANDLED = "handled"


class WindowKind(StrEnum):
    """Over which answers a cap is counted: the last *n* seconds, or aligned spans of *n* seconds."""

    ROLLING = "rolling"
    DAY = "day"
    BLOCK = "block"


class Window(NamedTuple):
    """A cap's own span; a day or block without an *anchor* begins at the first snapshot."""

    kind: WindowKind = WindowKind.DAY
    seconds: float = DAY_S
    anchor: float | None = None


class Cap(NamedTuple):
    """At most *rate* of the answers of these campaigns together may wait longer than *wait_s* for an operator.

    *false_machine_share* is the part of machine verdicts that were people (the British rule counts them as abandoned).
    """

    campaigns: tuple[str, ...]
    rate: float = 0.03
    wait_s: float = 2.0
    window: Window = Window()
    false_machine_share: float = 0.0


class Operator(NamedTuple):
    """One operator; *ready_in* is the operator's own promise, seconds from the snapshot's *now*."""

    id: str
    state: OperatorState
    since: float
    ready_in: float | None = None
    campaigns: tuple[str, ...] = ()


class Event(NamedTuple):
    """One thing that happened since the last snapshot; the durations that do not apply are zero."""

    at: float
    campaign: str
    kind: EventKind
    ring_s: float = 0.0
    waited_s: float = 0.0
    talk_s: float = 0.0
    wrapup_s: float = 0.0
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign of the pool with its live lines.

    *ringing* and *waiting* are the instants at which lines started to ring and people answered. *priority* is a weight:
    a campaign with 2 gets twice the answers of one with 1 while both have leads. *window_left_s* is how long its
    calling window stays open (urgency); None means not known. *ratio* is used in the mode of that name only.
    """

    id: str
    mode: Mode = Mode.PREDICTIVE
    priority: float = 1.0
    leads_left: int = 1_000_000
    max_lines: int = 400
    ringing: tuple[float, ...] = ()
    waiting: tuple[float, ...] = ()
    ratio: float = 1.5
    window_left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Floor:
    """Everything pacing may know about one pool at one instant.

    *before* is what the windows of caps that are told for the first time have counted already: answered, abandoned.
    """

    now: float
    operators: tuple[Operator, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    caps: tuple[Cap, ...] = ()
    events: tuple[Event, ...] = ()
    before: Mapping[Cap, tuple[float, float]] = field(default_factory=dict[Cap, tuple[float, float]])


@dataclass(frozen=True, slots=True)
class Decision:
    """How many lines to place now, per campaign, and why.

    *dial* holds every campaign of the snapshot, in preview mode as leads to show. *explain* says it in a sentence,
    *numbers* in figures for the status page. Ask again on every signal, and after *next_decision_in_s* at the latest.
    """

    dial: Mapping[str, int]
    explain: Mapping[str, str] = field(default_factory=dict[str, str])
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    next_decision_in_s: float = 0.5


class Policy(Protocol):
    """Whatever turns snapshots into decisions: the engine, a shadow of it, or a baseline in the simulator."""

    def decide(self, floor: Floor) -> Decision:
        """Take in the snapshot's events and answer it; the same history always gives the same answer."""
        ...
