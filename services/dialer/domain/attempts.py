"""One attempt to reach one person on one number: its states, signals and the one outcome it ends in.

An attempt's id is its call's id and its channel's id. `decide` is total: every signal is legal in every state, a
repeated or late one changes nothing, and *ended* is final: any order, repetition or loss of signals ends a call once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

ANSWER_WAIT_LIMIT = timedelta(seconds=2)
"""How long an answered person may wait for an operator before the call counts as abandoned."""


class AttemptState(StrEnum):
    """Where an attempt stands; *reserved* has rung nobody, *dialing* may have."""

    RESERVED = "reserved"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    CONNECTED = "connected"
    ENDED = "ended"


class Outcome(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    MACHINE = "machine"
    INVALID = "invalid"
    REJECTED = "rejected"
    NETWORK = "network"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def rang(self) -> bool:
        """Whether the person's phone rang, or may have: such an attempt uses up caps and retries."""
        return self is not Outcome.CANCELLED


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of the ledger of calls."""

    id: UUID
    lead_id: UUID
    campaign_id: UUID
    pool_id: UUID
    contact_id: UUID
    phone: str
    number_digest: str
    n: int
    mode: str
    trunk: str
    caller_id: str
    state: AttemptState
    version: int
    epoch: int
    decision: Mapping[str, Any]
    ring_timeout_s: int
    reserved_at: datetime
    dial_slot_at: datetime
    operator_id: UUID | None = None
    wanted_operator: UUID | None = None
    script_id: UUID | None = None
    script_version: int | None = None
    outcome: Outcome | None = None
    cause: int | None = None
    machine: bool = False
    abandoned: bool = False
    held: bool = False
    hangup_requested: bool = False
    dialed_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    connected_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def alive(self) -> bool:
        """Whether it may still ring or talk."""
        return self.state is not AttemptState.ENDED


@dataclass(frozen=True, slots=True)
class DialBegun:
    """The compare-and-set before the one dial was committed."""


@dataclass(frozen=True, slots=True)
class RingingSeen:
    """The carrier says the phone rings."""


@dataclass(frozen=True, slots=True)
class PickedUp:
    """The carrier says the call is up; *machine* is its verdict on who answered."""

    machine: bool = False


@dataclass(frozen=True, slots=True)
class OperatorTook:
    """An operator's leg and the customer share a bridge."""

    operator_id: UUID


@dataclass(frozen=True, slots=True)
class OperatorLost:
    """The operator's connection went and the grace time is over; the customer waits for another."""


@dataclass(frozen=True, slots=True)
class WaitedTooLong:
    """Nobody took the answered call within the limit."""


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The operator put the customer on hold, or took them back."""

    held: bool


@dataclass(frozen=True, slots=True)
class HangupRequested:
    """Somebody on our side wants the call to end; the carrier's word ends it."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The carrier says the channel is gone: the only signal that tells an outcome."""

    cause: int
    tech_cause: int | None = None


@dataclass(frozen=True, slots=True)
class Vanished:
    """The attempt has no channel, or one that may or may not have been dialed: nobody can know."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The attempt was given up before anything was dialed."""


Signal = (
    DialBegun
    | RingingSeen
    | PickedUp
    | OperatorTook
    | OperatorLost
    | WaitedTooLong
    | HoldChanged
    | HangupRequested
    | Destroyed
    | Vanished
    | Withdrawn
)


def decide(attempt: Attempt, signal: Signal, now: datetime) -> Attempt:
    """Return what *signal* makes of *attempt*; the same object when it changes nothing."""
    state = attempt.state
    match signal:
        case _ if state is AttemptState.ENDED:
            return attempt
        case DialBegun():
            return _move(attempt, AttemptState.DIALING, dialed_at=now) if state is AttemptState.RESERVED else attempt
        case RingingSeen():
            return _move(attempt, AttemptState.RINGING, ringing_at=now) if state is AttemptState.DIALING else attempt
        case PickedUp(machine):
            if state not in (AttemptState.DIALING, AttemptState.RINGING):
                return attempt
            return _move(attempt, AttemptState.ANSWERED, answered_at=now, machine=machine)
        case OperatorTook(operator_id):
            # Who waited too long hears the recorded message and is not put through any more.
            if state is not AttemptState.ANSWERED or attempt.machine or attempt.hangup_requested:
                return attempt
            first = attempt.connected_at or now
            return _move(attempt, AttemptState.CONNECTED, operator_id=operator_id, connected_at=first)
        case OperatorLost():
            return _move(attempt, AttemptState.ANSWERED, held=False) if state is AttemptState.CONNECTED else attempt
        case WaitedTooLong():
            if state is not AttemptState.ANSWERED or attempt.abandoned or attempt.machine:
                return attempt
            # Whoever spoke with an operator before was not abandoned, even when that operator was lost.
            return _change(attempt, abandoned=attempt.connected_at is None, hangup_requested=True)
        case HoldChanged(held):
            same = state is not AttemptState.CONNECTED or attempt.held == held
            return attempt if same else _change(attempt, held=held)
        case HangupRequested():
            return attempt if attempt.hangup_requested else _change(attempt, hangup_requested=True)
        case Destroyed(cause, tech_cause):
            return _end(attempt, outcome_of(attempt, cause, tech_cause), now, cause)
        case Vanished():
            return _end(attempt, _vanished_outcome(attempt), now, None)
        case Withdrawn():
            return _end(attempt, Outcome.CANCELLED, now, None) if state is AttemptState.RESERVED else attempt


def outcome_of(attempt: Attempt, cause: int, tech_cause: int | None) -> Outcome:
    """Return the outcome that a destroyed channel tells, from its Q.850 *cause* and the attempt's history."""
    if attempt.state is AttemptState.RESERVED:
        return Outcome.CANCELLED
    if attempt.connected_at is not None:
        return Outcome.ANSWERED
    if attempt.state is AttemptState.ANSWERED:
        # A person who met nobody was abandoned, also when they hung up before our limit: the strict reading.
        return Outcome.MACHINE if attempt.machine else Outcome.ABANDONED
    if cause == _NO_ANSWER and attempt.ringing_at is None and tech_cause == _TEMPORARILY_UNAVAILABLE:
        return Outcome.NETWORK  # Nothing came back after the INVITE: a fault of the trunk, not of the person.
    return _BY_CAUSE.get(cause, Outcome.UNKNOWN)


_NO_ANSWER = 19
_TEMPORARILY_UNAVAILABLE = 480
_BY_CAUSE = {
    1: Outcome.INVALID,
    16: Outcome.NO_ANSWER,
    17: Outcome.BUSY,
    18: Outcome.NO_ANSWER,
    19: Outcome.NO_ANSWER,
    21: Outcome.REJECTED,
    22: Outcome.INVALID,
    27: Outcome.NETWORK,
    28: Outcome.INVALID,
    34: Outcome.NETWORK,
    38: Outcome.NETWORK,
    58: Outcome.NETWORK,
    102: Outcome.NETWORK,
    127: Outcome.NO_ANSWER,
}


def _vanished_outcome(attempt: Attempt) -> Outcome:
    if attempt.state is AttemptState.RESERVED:
        return Outcome.CANCELLED
    return Outcome.ANSWERED if attempt.connected_at is not None else Outcome.UNKNOWN


def _move(attempt: Attempt, state: AttemptState, **changes: Any) -> Attempt:
    return _change(attempt, state=state, **changes)


def _change(attempt: Attempt, **changes: Any) -> Attempt:
    return replace(attempt, version=attempt.version + 1, **changes)


def _end(attempt: Attempt, outcome: Outcome, now: datetime, cause: int | None) -> Attempt:
    return _change(attempt, state=AttemptState.ENDED, outcome=outcome, cause=cause, ended_at=now)
