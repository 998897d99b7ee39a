"""From the owner's view of its pool to the snapshot that pacing decides on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.dialer.domain import pacing
from services.dialer.domain.attempts import AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.workers.calls import LiveCall

MAX_EVENTS = 10_000
"""Events between two decisions; more only come when nobody decided for minutes, and then the newest tell enough."""

_STATES = {
    OperatorState.READY: pacing.OperatorState.READY,
    OperatorState.RESERVED: pacing.OperatorState.TALKING,
    OperatorState.TALKING: pacing.OperatorState.TALKING,
    OperatorState.WRAP_UP: pacing.OperatorState.WRAPUP,
}
_KINDS = {
    Outcome.NO_ANSWER: pacing.EventKind.NO_ANSWER,
    Outcome.BUSY: pacing.EventKind.BUSY,
    Outcome.MACHINE: pacing.EventKind.MACHINE,
    Outcome.INVALID: pacing.EventKind.INVALID,
    Outcome.REJECTED: pacing.EventKind.FAILED,
    Outcome.NETWORK: pacing.EventKind.FAILED,
    Outcome.UNKNOWN: pacing.EventKind.FAILED,
}


class FloorBook:
    """Collects what happened since the last decision."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._events: list[pacing.Event] = []
        self._talked: dict[UUID, tuple[UUID, float]] = {}

    def floor(
        self,
        now: datetime,
        campaigns: Iterable[Campaign],
        operators: Mapping[UUID, Operator],
        calls: Mapping[UUID, LiveCall],
        silent: frozenset[UUID],
        caps: Iterable[pacing.Cap],
        dry: Collection[UUID] = (),
        before: Mapping[pacing.Cap, tuple[float, float]] | None = None,
    ) -> pacing.Floor:
        """Return the pool as it stands, with the events since the last time; *dry* campaigns have nobody to call.

        *before* is what the windows of new *caps* have counted already.
        """
        running = list(campaigns)
        events, self._events = tuple(self._events[-MAX_EVENTS:]), []
        return pacing.Floor(
            now=now.timestamp(),
            operators=tuple(_operator(o, running, silent, now) for o in operators.values()),
            campaigns=tuple(_campaign(c, calls, dry=c.id in dry) for c in running),
            caps=tuple(caps),
            events=events,
            before=before or {},
        )

    def answered(self, call: LiveCall) -> None:
        """Note that a person picked up."""
        attempt = call.attempt
        if attempt.answered_at is not None and attempt.dialed_at is not None:
            ring_s = (attempt.answered_at - attempt.dialed_at).total_seconds()
            self._add(attempt.answered_at, attempt.campaign_id, pacing.EventKind.ANSWERED, ring_s=ring_s)

    def connected(self, call: LiveCall, now: datetime) -> None:
        """Note that a waiting person met an operator."""
        waited_s = (now - (call.attempt.answered_at or now)).total_seconds()
        self._add(now, call.attempt.campaign_id, pacing.EventKind.CONNECTED, waited_s=waited_s)

    def ended(self, call: LiveCall, now: datetime) -> None:
        """Note how an attempt ended."""
        attempt = call.attempt
        if attempt.outcome is Outcome.ABANDONED:
            waited_s = (now - (attempt.answered_at or now)).total_seconds()
            self._add(now, attempt.campaign_id, pacing.EventKind.ABANDONED, waited_s=waited_s)
        elif (
            attempt.outcome is Outcome.ANSWERED and attempt.connected_at is not None and attempt.operator_id is not None
        ):
            talk_s = (now - attempt.connected_at).total_seconds()
            self._talked[attempt.operator_id] = (attempt.campaign_id, talk_s)
        elif attempt.outcome is not None and attempt.outcome in _KINDS:
            ring_s = (now - (attempt.dialed_at or now)).total_seconds()
            self._add(now, attempt.campaign_id, _KINDS[attempt.outcome], ring_s=ring_s)

    def handled(self, wrapped: Operator, now: datetime) -> None:
        """Note that an operator finished a call; *wrapped* is their row while wrapping it up."""
        talked = self._talked.pop(wrapped.id, None)
        if talked is None:
            return
        campaign_id, talk_s = talked
        self._add(
            now,
            campaign_id,
            pacing.EventKind.HANDLED,
            talk_s=talk_s,
            wrapup_s=(now - wrapped.since).total_seconds(),
            operator=str(wrapped.id),
        )

    def _add(
        self,
        at: datetime,
        campaign_id: UUID,
        kind: pacing.EventKind,
        *,
        ring_s: float = 0.0,
        waited_s: float = 0.0,
        talk_s: float = 0.0,
        wrapup_s: float = 0.0,
        operator: str = "",
    ) -> None:
        event = pacing.Event(at.timestamp(), str(campaign_id), kind, ring_s, waited_s, talk_s, wrapup_s, operator)
        self._events.append(event)
        if len(self._events) > 2 * MAX_EVENTS:
            del self._events[:MAX_EVENTS]


def _operator(operator: Operator, running: list[Campaign], silent: frozenset[UUID], now: datetime) -> pacing.Operator:
    away = operator.disconnected_at is not None or operator.instance_id is None or operator.instance_id in silent
    state = pacing.OperatorState.PAUSED if away else _STATES.get(operator.state, pacing.OperatorState.PAUSED)
    if operator.next_state in (OperatorState.PAUSED, OperatorState.OFFLINE):
        state = pacing.OperatorState.PAUSED  # They leave after this call, so no line may count on them.
    ready_in = (operator.ready_in_at - now).total_seconds() if operator.ready_in_at is not None else None
    able = tuple(str(c.id) for c in running if c.plan.skill is None or c.plan.skill in operator.skills)
    return pacing.Operator(str(operator.id), state, operator.since.timestamp(), ready_in, able)


def _campaign(campaign: Campaign, calls: Mapping[UUID, LiveCall], *, dry: bool) -> pacing.Campaign:
    own = [c for c in calls.values() if c.attempt.campaign_id == campaign.id]
    early = (AttemptState.RESERVED, AttemptState.DIALING, AttemptState.RINGING)
    ringing = tuple((c.attempt.dialed_at or c.attempt.reserved_at).timestamp() for c in own if c.attempt.state in early)
    waiting = tuple(c.attempt.answered_at.timestamp() for c in own if c.attempt.answered_at is not None and c.waiting)
    made = pacing.Campaign(
        str(campaign.id),
        mode=campaign.plan.mode,
        priority=float(campaign.plan.priority),
        max_lines=campaign.plan.max_lines,
        ringing=ringing,
        waiting=waiting,
        ratio=campaign.plan.ratio,
    )
    return replace(made, leads_left=0) if dry else made
