"""An operator's state, held on the server: what they do, what the dialer does to them, and when a gap is classified.

Every change grows *version*, which a client sends with each command; a command for an older version is refused with the
present state, so that a click on a stale screen does nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class OperatorState(StrEnum):
    """What an operator is doing."""

    OFFLINE = "offline"
    READY = "ready"
    RESERVED = "reserved"
    TALKING = "talking"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"
    LOST = "lost"


ACCEPTED = "accepted"
"""The reason of a reserved operator who wants the previewed lead dialed."""

PAUSE_REASONS = ("break", "meal", "training", "coaching", "meeting", "technical", "rest", "other")
"""Reasons an operator can pause for; pay and adherence read them."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator as the dialer knows them.

    *next_state* is what they asked to be once the present call is dispositioned. *disconnected_at* is when their live
    connection went, if it is away now.
    """

    id: UUID
    name: str
    pool_id: UUID
    state: OperatorState
    since: datetime
    version: int
    skills: frozenset[str] = frozenset()
    reason: str | None = None
    attempt_id: UUID | None = None
    offer_lead_id: UUID | None = None
    next_state: OperatorState | None = None
    next_reason: str | None = None
    ready_in_at: datetime | None = None
    instance_id: UUID | None = None
    disconnected_at: datetime | None = None

    @property
    def assignable(self) -> bool:
        """Whether an answered call may be put to them now."""
        return self.state is OperatorState.READY and self.disconnected_at is None


@dataclass(frozen=True, slots=True)
class MakeReady:
    """They want calls."""


@dataclass(frozen=True, slots=True)
class Pause:
    """They want no calls for a while; during a call it takes effect after its disposition."""

    reason: str


@dataclass(frozen=True, slots=True)
class GoOffline:
    """They end their session; during a call it takes effect after its disposition."""


@dataclass(frozen=True, slots=True)
class ReadyIn:
    """They expect to be ready at an instant; pacing counts on it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Offer:
    """The dialer shows them a lead to preview."""

    lead_id: UUID


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    """They want the previewed lead dialed."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """An attempt is theirs before it rings: a previewed lead they accepted, or a callback only they may take."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class OfferGone:
    """They skipped the preview, or its time is over (then *timed_out*: they get nothing until they say so)."""

    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """The dialer puts an answered call to them."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class CallOver:
    """Their call ended; *spoke* tells whether there is something to wrap up."""

    attempt_id: UUID
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class Dispositioned:
    """They said how the call went, or the wrap-up limit said it for them."""

    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class Disconnected:
    """Their live connection went; the word of an instance that no longer holds it (*instance_id*) does not count."""

    instance_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """Their live connection came (back) on *instance_id*."""

    instance_id: UUID


@dataclass(frozen=True, slots=True)
class GraceOver:
    """They stayed away longer than the grace time."""


Signal = (
    MakeReady
    | Pause
    | GoOffline
    | ReadyIn
    | Offer
    | OfferAccepted
    | Reserve
    | OfferGone
    | Take
    | CallOver
    | Dispositioned
    | Disconnected
    | Connected
    | GraceOver
)

_S = OperatorState
_FREE = (_S.OFFLINE, _S.READY, _S.PAUSED, _S.LOST)
_ON_CALL = (_S.TALKING, _S.WRAP_UP)


def decide(operator: Operator, signal: Signal, now: datetime) -> Operator | None:
    """Return the operator after *signal*; the same object when nothing changes, None when the state forbids it."""
    match signal:
        case MakeReady():
            return _wish(operator, _S.READY, None, now)
        case Pause(reason):
            return _wish(operator, _S.PAUSED, reason, now)
        case GoOffline():
            return _wish(operator, _S.OFFLINE, None, now)
        case ReadyIn(at):
            return (
                replace(operator, ready_in_at=at, version=operator.version + 1) if operator.state in _ON_CALL else None
            )
        case Connected(instance_id):
            return _connected(operator, instance_id, now)
        case Disconnected(instance_id):
            moved = instance_id is not None and operator.instance_id != instance_id
            gone = operator.disconnected_at is not None or operator.state is _S.OFFLINE or moved
            return operator if gone else replace(operator, disconnected_at=now, version=operator.version + 1)
        case GraceOver():
            return _grace_over(operator, now)
        case _:
            return _decide_work(operator, signal, now)


def _decide_work(
    operator: Operator,
    signal: Offer | OfferAccepted | Reserve | OfferGone | Take | CallOver | Dispositioned,
    now: datetime,
) -> Operator | None:
    match signal:
        case Offer(lead_id):
            return _to(operator, _S.RESERVED, now, offer_lead_id=lead_id) if operator.assignable else None
        case OfferAccepted():
            if operator.state is not _S.RESERVED or operator.offer_lead_id is None:
                return None
            return _to(operator, _S.RESERVED, now, reason=ACCEPTED)
        case Reserve(attempt_id):
            accepted = operator.state is _S.RESERVED and operator.reason == ACCEPTED
            if not (operator.assignable or accepted):
                return None
            return _to(operator, _S.RESERVED, now, attempt_id=attempt_id, offer_lead_id=None)
        case OfferGone(timed_out):
            if operator.state is not _S.RESERVED or operator.offer_lead_id is None:
                return operator
            if timed_out:
                return _to(operator, _S.PAUSED, now, reason="not_responding", offer_lead_id=None)
            return _settle(replace(operator, offer_lead_id=None), now)
        case Take(attempt_id):
            previewed = operator.state is _S.RESERVED and operator.attempt_id == attempt_id
            if not (operator.assignable or previewed):
                return None
            return _to(operator, _S.TALKING, now, attempt_id=attempt_id)
        case CallOver(attempt_id, spoke):
            if operator.attempt_id != attempt_id or operator.state in (_S.WRAP_UP, _S.LOST):
                return operator
            if spoke and operator.state is _S.TALKING:
                return _to(operator, _S.WRAP_UP, now, attempt_id=attempt_id)
            return _settle(operator, now)
        case Dispositioned(attempt_id):
            if operator.attempt_id != attempt_id or operator.state is not _S.WRAP_UP:
                return None
            return _settle(operator, now)


def _wish(operator: Operator, wish: OperatorState, reason: str | None, now: datetime) -> Operator | None:
    """Do what the operator asked for: at once when free, else once the call is dispositioned."""
    if operator.state in _FREE or (operator.state is _S.RESERVED and operator.attempt_id is None):
        if operator.state is wish and operator.reason == reason:
            return operator
        return _to(operator, wish, now, reason=reason, offer_lead_id=None)
    if operator.next_state is wish and operator.next_reason == reason:
        return operator
    return replace(operator, next_state=wish, next_reason=reason, version=operator.version + 1)


def _connected(operator: Operator, instance_id: UUID, now: datetime) -> Operator:
    if operator.state is _S.LOST:
        back = _to(operator, _S.PAUSED, now, reason="technical")
        return replace(back, instance_id=instance_id, disconnected_at=None)
    if operator.disconnected_at is None and operator.instance_id == instance_id:
        return operator
    return replace(operator, instance_id=instance_id, disconnected_at=None, version=operator.version + 1)


def _grace_over(operator: Operator, now: datetime) -> Operator:
    if operator.disconnected_at is None or operator.state in (_S.LOST, _S.OFFLINE):
        return operator
    if operator.state is _S.TALKING:
        return _to(operator, _S.LOST, now, reason="connection_lost")
    if operator.state is _S.WRAP_UP:
        return operator  # The wrap-up limit ends it, so that the call is dispositioned either way.
    return _to(operator, _S.OFFLINE, now, reason="connection_lost", offer_lead_id=None)


def _settle(operator: Operator, now: datetime) -> Operator:
    """Let the operator be what they asked to be after the call, by default ready."""
    state = operator.next_state or _S.READY
    if state is _S.READY and operator.disconnected_at is not None:
        return _to(operator, _S.OFFLINE, now, reason="connection_lost")
    return _to(operator, state, now, reason=operator.next_reason)


def _to(operator: Operator, state: OperatorState, now: datetime, **changes: Any) -> Operator:
    kept = {"reason": None, "attempt_id": None, "next_state": None, "next_reason": None, "ready_in_at": None}
    if state in (_S.TALKING, _S.WRAP_UP, _S.RESERVED):
        del kept["next_state"], kept["next_reason"]
    return replace(operator, **(kept | {"state": state, "since": now, "version": operator.version + 1} | changes))
