"""One live call: the straight story of an attempt, from the reservation to its one outcome.

    create a channel → wait until it started → commit *reserved → dialing* → dial once, within a second → follow

Whatever the carrier says is put to the domain, stored, and only then acted upon. When the store says that somebody
else was first, the call decides again on what is stored. What needs no deed of ours is noted first, and stored with the
next change: that it rings, and that somebody picked up whom an operator is about to take. Whoever adopts the call asks
the carrier, which says it again.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from services.dialer import metrics
from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator
from services.dialer.domain.responses import Response
from services.dialer.ports import Carrier, Change, ChannelEvent, Committed, Conflict, Fence, PoolStore
from services.dialer.usecases import announcements
from services.dialer.usecases.gatekeeper import Verdict
from services.dialer.usecases.wrapup import close_lost
from services.events.dialer import ResponseRecorded
from services.events.envelope import Event
from services.runtime.clock import Clock
from services.runtime.errors import NotFoundError, RejectedError, UnavailableError

log = structlog.get_logger()

START_LIMIT_S = 5.0
"""How long a channel may take to start before the attempt is given up; nothing has rung by then."""

DIAL_WITHIN_S = 1.0
"""The dial follows its commit within this many monotonic seconds, or the channel is hung up."""

SILENCE_AFTER_RING_S = 10.0
"""How long after the ring limit the carrier's word is awaited before the channel is looked up."""

MESSAGE_LIMIT_S = 15.0
"""How long the recorded message to an abandoned person may play."""

LOOK_EVERY_S = 30.0
"""A call that says nothing for this long is looked up at the carrier."""

REOFFER_LIMIT = timedelta(seconds=30)
"""How long a person whose operator was lost is offered to others."""

TTL_S = 4 * 3600
"""The absolute life of a channel, so that no orphan lives for ever."""

DECIDE_AGAIN = 8
"""Conflicts in a row after which something is wrong beyond a race."""


class Desk(Protocol):
    """What a call needs of the pool it belongs to."""

    fence: Fence
    app: str
    clock: Clock
    carrier: Carrier
    store: PoolStore

    def now(self) -> datetime:
        """Return the later of host and database time."""
        ...

    def may_dial(self) -> bool:
        """Return whether dialing is allowed at all, now."""
        ...

    async def space_commit(self, trunk: str) -> None:
        """Return when a dial on *trunk* may be committed."""
        ...

    async def space_dial(self, trunk: str) -> None:
        """Return when a committed dial on *trunk* may be sent."""
        ...

    def campaign(self, campaign_id: UUID) -> Campaign | None:
        """Return a campaign of the pool."""
        ...

    def operator_on(self, attempt_id: UUID) -> Operator | None:
        """Return the operator who has this call."""
        ...

    async def commit(self, change: Change, *, urgent: bool = False) -> Committed | Conflict:
        """Store a change through the group commit; *urgent* is one that a person on the line waits for."""
        ...

    def keep(self, *, operator: Operator | None = None) -> None:
        """Take over a row that was stored, or found newer than ours."""
        ...

    def still_allowed(self, call: "LiveCall") -> lead_rules.Lead | None:
        """Return None when the gate still allows the call at this instant, else the lead put off or finished."""
        ...

    def answered(self, call: "LiveCall") -> None:
        """Look for an operator for an answered call."""
        ...


class LiveCall:
    """An attempt that this instance owns and follows."""

    def __init__(self, desk: Desk, attempt: Attempt, lead: Lead, verdict: Verdict | None = None) -> None:
        """Follow *attempt*; *verdict* is what the gate said when the lead was selected, None for an adopted call."""
        self.desk = desk
        self.attempt = attempt
        self._stored_attempt = attempt
        self._notes: list[tuple[attempt_rules.Signal, datetime]] = []
        self.lead = lead
        self.verdict = verdict
        self.connecting = False
        self.taking: UUID | None = None
        self.reoffered_at: datetime | None = None
        self.lock = asyncio.Lock()
        self._events: asyncio.Queue[ChannelEvent] = asyncio.Queue(64)  # a call has under twenty signals in its life
        self._gone = False

    @property
    def channel(self) -> str:
        """The channel's id, which is the attempt's."""
        return str(self.attempt.id)

    @property
    def bridge(self) -> str:
        """The id of the bridge with the operator."""
        return f"bridge-{self.attempt.id}"

    @property
    def waiting(self) -> bool:
        """Whether a person is on the line and no operator yet."""
        attempt = self.attempt
        idle = attempt.state is AttemptState.ANSWERED and not attempt.hangup_requested
        return idle and not attempt.machine and not self.connecting

    def hear(self, event: ChannelEvent) -> None:
        """Take in what the carrier says; beyond the bound it is looked up again, so nothing is lost by dropping."""
        if not self._events.full():
            self._events.put_nowait(event)

    async def place(self) -> None:
        """Run a fresh reservation to its end."""
        if await self._started() and await self._begun():
            await self.follow()

    async def _started(self) -> bool:
        desk, attempt = self.desk, self.attempt
        try:
            await desk.carrier.create_call(
                desk.app, self.channel, attempt.phone, attempt.trunk, attempt.caller_id, TTL_S
            )
            event = await self._next(START_LIMIT_S)
        except (UnavailableError, NotFoundError) as error:
            log.warning("call.create_failed", attempt_id=self.channel, error=error.message)
            event = None
        except RejectedError as error:
            # The carrier will not have this call at all: that uses up a try, or it would be asked for ever.
            log.warning("call.refused_by_carrier", attempt_id=self.channel, error=error.message)
            await self._give_up(self._planned(Outcome.NETWORK))
            return False
        if event is not None and event.kind == "started":
            return True
        await self._give_up()
        return False

    async def _begun(self) -> bool:
        """Commit *reserved → dialing*, then dial once; False when nothing was dialed and the call is over."""
        desk = self.desk
        wait = (self.attempt.dial_slot_at - desk.now()).total_seconds()
        if wait > 0:
            await desk.clock.sleep(wait)
        await desk.space_commit(self.attempt.trunk)
        put_off = desk.still_allowed(self) if desk.may_dial() else lead_rules.release(self.lead, desk.now())
        if put_off is not None:
            await self._give_up(put_off)
            return False
        async with self.lock:
            began = desk.clock.monotonic()
            after = attempt_rules.decide(self.attempt, attempt_rules.DialBegun(), desk.now())
            answer = await self._stored(Change(attempt=after, fence=desk.fence, dial=True))
            if isinstance(answer, Committed):
                self._keep_attempt(after)
        if isinstance(answer, Conflict):
            log.info("call.not_dialed", attempt_id=self.channel, reason=answer.reason)
            self._refresh(answer)
            if self.attempt.state is AttemptState.DIALING:
                # It was stored, its answer was lost with the database: too late to dial, so the channel goes.
                await self._hang_up()
                return True
            await self._give_up(lead_rules.finish(self.lead, "refused") if answer.reason == "suppressed" else None)
            return False
        return await self._dial(began)

    async def _dial(self, began: float) -> bool:
        desk = self.desk
        await desk.space_dial(self.attempt.trunk)
        if desk.clock.monotonic() - began > DIAL_WITHIN_S:
            await self._hang_up()
            return True
        metrics.ORIGINATE.observe(max(0.0, (desk.now() - self.attempt.reserved_at).total_seconds()))
        try:
            await desk.carrier.dial(self.channel, self.attempt.ring_timeout_s)
        except NotFoundError:
            await self.apply(attempt_rules.Vanished())
            return False
        except RejectedError as error:
            log.warning("call.dial_refused", attempt_id=self.channel, error=error.message)
            await self._hang_up()
        except UnavailableError:
            # Nobody knows whether it was sent. It is never sent again: the channel's own story decides.
            log.warning("call.dial_unanswered", attempt_id=self.channel)
        return True

    async def follow(self) -> None:
        """Put every signal to the domain until the attempt has ended."""
        while self.attempt.alive:
            event = await self._next(self._patience_s())
            if event is None:
                await self._silence()
            else:
                await self._take(event)
        if self.attempt.connected_at is not None:
            await self._part()

    async def _part(self) -> None:
        """Dissolve the bridge with the operator: their leg stays up, and nobody is left in it with somebody else."""
        try:
            await self.desk.carrier.part(self.bridge)
        except (UnavailableError, RejectedError):
            log.warning("call.bridge_left", attempt_id=self.channel)

    async def _take(self, event: ChannelEvent) -> None:
        match event.kind:
            case "ringing":
                await self._note(attempt_rules.RingingSeen())
            case "up":
                await self._note(attempt_rules.PickedUp(event.machine))
                if self.waiting:
                    self.desk.answered(self)
                if not self.connecting:
                    await self.apply(None)
                if self.attempt.machine:
                    await self._hang_up()
            case "played":
                await self._hang_up()
            case "destroyed":
                self._gone = True
                await self.apply(attempt_rules.Destroyed(event.cause, event.tech_cause))
            case "started" | "connected":
                pass

    def _patience_s(self) -> float:
        attempt = self.attempt
        now = self.desk.now()
        match attempt.state:
            case AttemptState.DIALING | AttemptState.RINGING:
                since = attempt.dialed_at or attempt.reserved_at
                limit = since + timedelta(seconds=attempt.ring_timeout_s + SILENCE_AFTER_RING_S)
                return max(0.05, (limit - now).total_seconds())
            case AttemptState.ANSWERED if not attempt.hangup_requested and not attempt.machine:
                return max(0.05, (self._answer_deadline() - now).total_seconds())
            case AttemptState.ANSWERED:
                return MESSAGE_LIMIT_S
            case _:
                return LOOK_EVERY_S

    def _answer_deadline(self) -> datetime:
        # A person whose operator was lost waits on music, longer than one who just said hello.
        if self.reoffered_at is not None:
            return self.reoffered_at + REOFFER_LIMIT
        return (self.attempt.answered_at or self.desk.now()) + attempt_rules.ANSWER_WAIT_LIMIT

    async def _silence(self) -> None:
        attempt = self.attempt
        if attempt.state is AttemptState.ANSWERED and not attempt.hangup_requested and not attempt.machine:
            if not self.connecting and self.desk.now() >= self._answer_deadline():
                await self._abandon()
            return
        await self.look()

    async def _abandon(self) -> None:
        """Nobody took the person in time: say so with the recorded message, then end the call."""
        await self.apply(attempt_rules.WaitedTooLong())
        campaign = self.desk.campaign(self.attempt.campaign_id)
        if not self.attempt.alive:
            return
        if campaign is None:
            await self._hang_up()
            return
        try:
            await self.desk.carrier.play(self.channel, campaign.plan.abandonment_message)
        except (UnavailableError, NotFoundError, RejectedError):
            await self._hang_up()

    async def look(self) -> None:
        """Ask the carrier what became of a silent channel."""
        try:
            channels = {c.id: c for c in await self.desk.carrier.list_channels(self.desk.app)}
        except (UnavailableError, RejectedError):
            return
        channel = channels.get(self.channel)
        if channel is None:
            await self.apply(attempt_rules.Vanished())
        elif self.attempt.state in (AttemptState.DIALING, AttemptState.RINGING):
            if channel.state == "Up":
                await self._take(ChannelEvent("up", self.channel, machine=channel.machine))
            else:
                await self._hang_up()
        elif self.attempt.hangup_requested or self.attempt.machine:
            await self._hang_up()

    async def operator_lost(self, operator: Operator) -> None:
        """Take the call from an operator who stayed away too long and offer the person to another."""
        async with self.lock:
            now = self.desk.now()
            after = attempt_rules.decide(self.attempt, attempt_rules.OperatorLost(), now)
            lost = operator_rules.decide(operator, operator_rules.GraceOver(), now)
            if after is self.attempt or lost is None or lost is operator:
                return
            facts = announcements.of_operator(operator, lost)
            answer = await self._stored(Change(attempt=after, operator=lost, facts=facts, fence=self.desk.fence))
            if isinstance(answer, Conflict):
                self._refresh(answer)
                return
            self._keep_attempt(after)
            self.reoffered_at = now
            self.desk.keep(operator=lost)
        # Only their screen may be gone: whoever sits at the phone hears nothing of this person any more.
        await self._part()
        self.hear(ChannelEvent("connected"))  # wakes the story, which now waits for another operator
        self.desk.answered(self)

    async def connect(self, operator: Operator) -> bool:
        """Put the waiting person and *operator* together; False when either is not free any more."""
        if await self._connected(operator):
            return True
        await self.apply(None)
        return False

    async def _connected(self, operator: Operator) -> bool:
        async with self.lock:
            now = self.desk.now()
            after = attempt_rules.decide(self.attempt, attempt_rules.OperatorTook(operator.id), now)
            taken = operator_rules.decide(operator, operator_rules.Take(self.attempt.id), now)
            if after is self.attempt or taken is None:
                return False
            facts = (
                *announcements.of_attempt(self._stored_attempt, after),
                *announcements.of_operator(operator, taken),
            )
            change = Change(attempt=after, operator=taken, facts=facts, fence=self.desk.fence)
            answer = await self._stored(change, urgent=True)
            if isinstance(answer, Conflict):
                self._refresh(answer)
                return False
            self._keep_attempt(after)
            self.reoffered_at = None
            self.desk.keep(operator=taken)
        return True

    async def request_hangup(self) -> None:
        """End the call from our side; the carrier's word ends the attempt."""
        await self.apply(attempt_rules.HangupRequested())
        await self._hang_up()

    async def _hang_up(self) -> None:
        try:
            await self.desk.carrier.hang_up(self.channel)
        except (UnavailableError, RejectedError):
            log.warning("call.hangup_unanswered", attempt_id=self.channel)

    async def _give_up(self, lead: Lead | None = None) -> None:
        """End an attempt that rang nobody; *lead* is what becomes of its lead, by default a short wait."""
        await self._hang_up()
        await self.apply(attempt_rules.Withdrawn(), lead=lead)

    def take_over(self, attempt: Attempt) -> None:
        """Take over the row as somebody else stored it, with what was noted since."""
        self._stored_attempt = self.attempt = attempt
        for signal, at in self._notes:
            self.attempt = replace(attempt_rules.decide(self.attempt, signal, at), version=attempt.version)

    async def _note(self, signal: attempt_rules.Signal) -> None:
        """Keep in mind what the carrier says; the next change stores it."""
        async with self.lock:
            self._notes.append((signal, self.desk.now()))
            self.take_over(self._stored_attempt)

    async def apply(self, signal: attempt_rules.Signal | None, *, lead: Lead | None = None) -> None:
        """Decide, store, keep; decides again on what is stored when somebody else was first.

        Without a *signal* it stores what was noted.
        """
        async with self.lock:
            for _ in range(DECIDE_AGAIN):
                after = self._decided(signal)
                if after is None:
                    return
                change = await self._consequences(after, lead)
                answer = await self._stored(change)
                if isinstance(answer, Committed):
                    self._keep(change)
                    return
                if answer.reason == "fenced":
                    return
                self._refresh(answer)
                lead = None if lead is None else answer.lead and lead_rules.release(answer.lead, self.desk.now())
            log.error("call.conflicts", attempt_id=self.channel, signal=type(signal).__name__)

    def _decided(self, signal: attempt_rules.Signal | None) -> Attempt | None:
        """Return the row to store, None when there is nothing new in it."""
        if signal is not None:
            after = attempt_rules.decide(self.attempt, signal, self.desk.now())
            return None if after is self.attempt else after
        stored = self._stored_attempt
        return None if self.attempt == stored else replace(self.attempt, version=stored.version + 1)

    async def _stored(self, change: Change, *, urgent: bool = False) -> Committed | Conflict:
        """Store, waiting out a database that is away: a call's story is never dropped for that."""
        while True:
            try:
                return await self.desk.commit(change, urgent=urgent)
            except UnavailableError as error:
                await self.desk.clock.sleep(error.retry_after_s)

    async def _consequences(self, after: Attempt, lead: Lead | None) -> Change:
        """Return the attempt's new row with what it means for its operator, its lead and everybody else."""
        facts: tuple[Event, ...] = announcements.of_attempt(self._stored_attempt, after)
        now = self.desk.now()
        if after.alive:
            return Change(attempt=after, fence=self.desk.fence, facts=facts)
        operator = self.desk.operator_on(after.id)
        released = operator
        if operator is not None:
            over = operator_rules.CallOver(after.id, spoke=after.connected_at is not None)
            released = operator_rules.decide(operator, over, now) or operator
            facts += announcements.of_operator(operator, released)
        next_lead = lead or self._lead_after(after)
        facts += announcements.of_lead(next_lead, now) if next_lead is not None else ()
        left_over = await self._left_over(after)
        return Change(
            attempt=after,
            operator=released if released is not operator else None,
            lead=next_lead,
            response=left_over[0] if left_over is not None else None,
            facts=facts + (left_over[1:] if left_over is not None else ()),
            fence=self.desk.fence,
        )

    def _lead_after(self, after: Attempt) -> Lead | None:
        if after.outcome is Outcome.ANSWERED:
            # The operator's disposition decides; when the operator was lost for good, nobody is left to give one.
            return lead_rules.finish(self.lead, "reached") if self.attempt.state is AttemptState.ANSWERED else None
        return self._planned(after.outcome) if after.outcome is not None else None

    def _planned(self, outcome: Outcome) -> Lead | None:
        campaign = self.desk.campaign(self.attempt.campaign_id)
        if campaign is None:
            return None
        return lead_rules.plan_after(self.lead, outcome, campaign.plan.cadence, self.desk.now())

    async def _left_over(self, after: Attempt) -> tuple[Response, ResponseRecorded] | None:
        """Return what was recorded with an operator who was lost for good: nobody is left to close it."""
        if after.outcome is not Outcome.ANSWERED or self.attempt.state is not AttemptState.ANSWERED:
            return None
        while True:
            try:
                return await close_lost(self.desk.store, after, self.desk.now())
            except UnavailableError as error:
                await self.desk.clock.sleep(error.retry_after_s)

    def _keep_attempt(self, stored: Attempt) -> None:
        self._notes.clear()
        self._stored_attempt = self.attempt = stored

    def _keep(self, change: Change) -> None:
        if change.attempt is not None:
            self._keep_attempt(change.attempt)
        self.lead = change.lead or self.lead
        if change.operator is not None:
            self.desk.keep(operator=change.operator)

    def _refresh(self, conflict: Conflict) -> None:
        if conflict.attempt is not None:
            self.take_over(conflict.attempt)
        self.lead = conflict.lead or self.lead
        if conflict.operator is not None:
            self.desk.keep(operator=conflict.operator)

    async def _next(self, limit_s: float) -> ChannelEvent | None:
        """Return the next thing the carrier says, or None after *limit_s* of silence."""
        if not self._events.empty():
            return self._events.get_nowait()
        try:
            async with asyncio.timeout(limit_s):
                return await self._events.get()
        except TimeoutError:
            return None
