"""From a lead that the gate allows to a call that runs: the reservation, its refusal, and the end of the call."""

from datetime import timedelta
from typing import NamedTuple

from services.dialer import metrics
from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator
from services.dialer.ports import CapNow, Change, Refusal, Reservation
from services.dialer.usecases import announcements
from services.dialer.workers.board import Board
from services.dialer.workers.calls import LiveCall
from services.dialer.workers.hopper import Candidate

ABOUT_NOBODY = frozenset({"version", "fenced", "trunk busy", "stopped", "spend cap"})
"""Refusals that say nothing about the person: the lead stays where it is."""

REFUSED_FOR = timedelta(minutes=1)


OF_THE_TRUNK = frozenset({"trunk busy", "spend cap"})
"""Refusals that any other lead would get as well, until a line ends or a slot comes."""


class Reserved(NamedTuple):
    """What came of some reservations: whether any call started, and whether the trunk held any back."""

    started: bool
    held_up: bool


class Reserving:
    """Reserves attempts and starts their calls."""

    def __init__(self, board: Board) -> None:
        """Reserve for the pool of *board*."""
        self._board = board

    async def reserve(
        self, campaign: Campaign, candidates: list[Candidate], operator: Operator | None = None
    ) -> Reserved:
        """Reserve and start what the store lets through."""
        board = self._board
        reservations = [self._reservation(campaign, c, operator) for c in candidates]
        if not reservations:
            return Reserved(started=False, held_up=False)
        answers = await board.store.reserve(reservations)
        started = [
            LiveCall(board, answer, reservation.lead, candidate.verdict)
            for reservation, candidate, answer in zip(reservations, candidates, answers, strict=True)
            if isinstance(answer, Attempt)
        ]
        board.counts.reserved += len(started)
        board.calls.update((call.attempt.id, call) for call in started)
        for call in started:
            # From here on each call has its own story; whatever else fails, none is left without one.
            await board.quietly(self._promise, call.attempt)
            board.spawn(self._run_call(call))
        for candidate, answer in zip(candidates, answers, strict=True):
            if isinstance(answer, Refusal):
                await self._put_off(candidate.lead, answer)
        held_up = any(isinstance(answer, Refusal) and answer.reason in OF_THE_TRUNK for answer in answers)
        return Reserved(bool(started), held_up)

    async def _promise(self, attempt: Attempt) -> None:
        """Keep the operator free whom a preview or a personal callback is for."""
        board = self._board
        operator = board.operators.get(attempt.wanted_operator) if attempt.wanted_operator is not None else None
        if operator is None:
            return
        reserved = operator_rules.decide(operator, operator_rules.Reserve(attempt.id), board.now())
        if reserved is not None:
            await board.store_operator(operator, reserved)

    async def _run_call(self, call: LiveCall) -> None:
        board = self._board
        try:
            await call.place()
        finally:
            board.calls.pop(call.attempt.id, None)
            outcome = call.attempt.outcome
            if outcome is not None:
                board.counts.outcomes[outcome.value] = board.counts.outcomes.get(outcome.value, 0) + 1
                metrics.note_outcome(outcome)
                board.book.ended(call, board.now())
            board.wake_placing.set()

    def _reservation(self, campaign: Campaign, candidate: Candidate, operator: Operator | None) -> Reservation:
        board = self._board
        lead, now, plan = candidate.lead, board.now(), campaign.plan
        n = lead.attempts + 1
        attempt = Attempt(
            id=board.new_id(),
            lead_id=lead.id,
            campaign_id=campaign.id,
            pool_id=board.pool.id,
            contact_id=lead.contact_id,
            phone=lead.phone.e164,
            number_digest=lead.phone.digest,
            n=n,
            mode=plan.mode.value,
            trunk=plan.trunk,
            caller_id=plan.caller_ids[n % len(plan.caller_ids)],
            state=AttemptState.RESERVED,
            version=1,
            epoch=board.fence.epoch,
            decision=candidate.verdict.stored,
            ring_timeout_s=max(plan.ring_timeout_s, candidate.verdict.min_ring_s),
            reserved_at=now,
            dial_slot_at=now,
            wanted_operator=operator.id if operator is not None else lead.callback_operator,
            script_id=campaign.script_id,
            script_version=campaign.script_version,
        )
        taken = lead_rules.hold(lead, attempts=n)
        caps = tuple(CapNow(cap.maximum, lasting=cap.window) for cap in plan.caps)
        return Reservation(attempt, taken, caps + candidate.verdict.caps, board.fence)

    async def _put_off(self, lead: Lead, refusal: Refusal) -> None:
        if refusal.reason in ABOUT_NOBODY:
            return
        board, now = self._board, self._board.now()
        if refusal.reason == "suppressed":
            after = lead_rules.finish(lead, "refused", refusal.reason)
        else:
            after = lead_rules.defer(lead, refusal.until or now + REFUSED_FOR, refusal.reason)
        await board.commit(Change(lead=after, fence=board.fence, facts=announcements.of_lead(after, now)))
