"""The owner of a pool: adopts what runs, places lines as pacing says, and puts people and operators together.

One owner per pool and epoch. It keeps campaigns, operators and live calls in mind, writes through the group commit, and
is fenced by its epoch: once the lease is lost nothing it writes is stored, and its own clock stops it dialing before.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.campaigns import Campaign, CampaignState
from services.dialer.domain.leads import Lead, MessageStep
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Decision, Mode, Policy
from services.dialer.ports import (
    Carrier,
    Change,
    ChannelEvent,
    ChannelView,
    Committed,
    Conflict,
    Fence,
    Live,
    Pool,
    PoolCounts,
    PoolStore,
    Refusal,
    Reservation,
    Safety,
)
from services.dialer.usecases import announcements, views
from services.dialer.usecases.gatekeeper import Gatekeeper
from services.dialer.usecases.offers import lead_given_back
from services.dialer.usecases.wrapup import close_unfinished
from services.dialer.workers.calls import LiveCall
from services.dialer.workers.commits import GroupCommit
from services.dialer.workers.floor import FloorBook
from services.dialer.workers.hopper import Candidate, Hopper
from services.runtime.clock import Clock
from services.runtime.errors import NotFoundError, UnavailableError
from services.runtime.ids import NewId

log = structlog.get_logger()

LIMITS_EVERY_S = 0.25
REFRESH_EVERY_S = 1.0
CONSENT_VIEW_LIMIT = timedelta(seconds=5)
"""A view of consents older than this places no new call."""

LEASE_LIMIT_S = 3.0
"""The owner stops dialing this long after its last renewal began; the lease itself lives a second longer."""

RECONNECT_S = 0.5
LEG_PREFIX = "leg-"
LEG_TTL_S = 24 * 3600


class PoolOwner:
    """Runs one pool until its lease is lost or handed over."""

    def __init__(
        self,
        *,
        pool: Pool,
        fence: Fence,
        store: PoolStore,
        carrier: Carrier,
        live: Live,
        gatekeeper: Gatekeeper,
        pacer: Policy,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        """Take the pool's parts; `run` starts it."""
        self.pool = pool
        self.fence = fence
        self.app = f"galw-{pool.id}"
        self.store = store
        self.carrier = carrier
        self.clock = clock
        self.counts = PoolCounts()
        self.decision: Decision | None = None
        self.draining = False
        self._live = live
        self._gatekeeper = gatekeeper
        self._pacer = pacer
        self._new_id = new_id
        self._commits: GroupCommit[Change, Committed | Conflict] = GroupCommit(store.commit)
        self._campaigns: dict[UUID, Campaign] = {}
        self._operators: dict[UUID, Operator] = {}
        self._silent: frozenset[UUID] = frozenset()
        self.calls: dict[UUID, LiveCall] = {}
        self._hoppers: dict[UUID, Hopper] = {}
        self._legs: set[str] = set()
        self._book = FloorBook()
        self._safety: Safety | None = None
        self._skew = timedelta(0)
        self._valid_until = clock.monotonic() + LEASE_LIMIT_S
        self._synced = False
        self._wake_placing = asyncio.Event()
        self._wake_matching = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    # -- the desk that calls lean on

    def now(self) -> datetime:
        """Return the later of host and database time."""
        return self.clock.now() + self._skew

    def may_dial(self) -> bool:
        """Return whether dialing is allowed at all: lease, carrier, a fresh view of consents, no stop."""
        return self.why_not_dialing() is None

    def why_not_dialing(self) -> str | None:
        """Return the reason that holds back every call of the pool, or None."""
        safety = self._safety
        if self.draining:
            return "handing over"
        if self.clock.monotonic() >= self._valid_until:
            return "the lease of the pool is not confirmed"
        if not self._synced:
            return "the carrier is away"
        if safety is None or safety.consents_at is None:
            return "no view of consents yet"
        if safety.stopped_all:
            return "emergency stop"
        if self.now() - safety.consents_at > CONSENT_VIEW_LIMIT:
            return "the view of consents is older than five seconds"
        return None

    def campaign(self, campaign_id: UUID) -> Campaign | None:
        """Return a campaign of the pool that runs or pauses."""
        return self._campaigns.get(campaign_id)

    def operator_on(self, attempt_id: UUID) -> Operator | None:
        """Return the operator who has this call."""
        return next((o for o in self._operators.values() if o.attempt_id == attempt_id), None)

    async def commit(self, change: Change) -> Committed | Conflict:
        """Store a change through the group commit."""
        return await self._commits.submit(change)

    def keep(self, *, operator: Operator | None = None) -> None:
        """Take over an operator's newer row and react to it."""
        if operator is None:
            return
        known = self._operators.get(operator.id)
        if known is not None and known.version >= operator.version:
            return
        self._operators[operator.id] = operator
        self._spawn(self._react(known, operator))

    def still_allowed(self, call: LiveCall) -> Lead | None:
        """Return None when the gate still allows the call at this instant, else the lead put off or finished."""
        campaign = self._campaigns.get(call.attempt.campaign_id)
        if campaign is None or not self._running(campaign):
            return lead_rules.release(call.lead, self.now())
        verdict = self._gatekeeper.judge_again(call.verdict, self.now()) if call.verdict is not None else None
        if verdict is None:
            return lead_rules.release(call.lead, self.now())
        if verdict.allowed:
            return None
        if verdict.until is not None:
            return lead_rules.defer(call.lead, verdict.until, verdict.held_by or "gate")
        return lead_rules.finish(call.lead, "not_reached")

    def answered(self, call: LiveCall) -> None:
        """Look for an operator for an answered call, at once."""
        self.counts.answered += 1
        self._book.answered(call)
        self._wake_matching.set()
        self._wake_placing.set()

    # -- life

    async def run(self) -> None:
        """Own the pool until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._commits.run())
            await self._refresh()
            tasks.create_task(self._run_carrier())
            tasks.create_task(self._run_matching())
            tasks.create_task(self._run_placing())
            tasks.create_task(self._run_limits())
            tasks.create_task(self._run_refresh())
            tasks.create_task(self._run_messages())
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def renewed(self, database_at: datetime, began: float) -> None:
        """Note that the lease was renewed by a call that began at monotonic *began*."""
        self._skew = max(timedelta(0), database_at - self.clock.now())
        self._valid_until = began + LEASE_LIMIT_S

    def hear_operator(self, operator: Operator) -> None:
        """Take in what an API committed about an operator."""
        self.keep(operator=operator)

    def hear_attempt(self, attempt: Attempt) -> None:
        """Take in what an API committed about a call: hold, or hang up."""
        call = self.calls.get(attempt.id)
        if call is None or attempt.version <= call.attempt.version:
            return
        before, call.attempt = call.attempt, attempt
        if attempt.hangup_requested and not before.hangup_requested:
            self._spawn(call.request_hangup())
        if attempt.held != before.held:
            self._spawn(self._quietly(self.carrier.hold(call.channel, attempt.held)))

    def wake(self) -> None:
        """Look again at campaigns, operators and stops: somebody changed something."""
        self._spawn(self._refresh())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()  # Not running yet: the first refresh finds the same thing.
            return
        self._tasks.create_task(work)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (UnavailableError, NotFoundError) as error:
            log.warning("carrier.refused", error=error.message)

    # -- the carrier

    async def _run_carrier(self) -> None:
        while True:
            try:
                async for event in self.carrier.events(self.app):
                    if event.kind == "connected":
                        await self._adopt()
                        self._synced = True
                        self._wake_placing.set()
                    else:
                        self._hear(event)
            except UnavailableError as error:
                log.warning("carrier.away", error=error.message, pool_id=str(self.pool.id))
            self._synced = False
            await self.clock.sleep(RECONNECT_S)

    def _hear(self, event: ChannelEvent) -> None:
        if event.channel_id.startswith(LEG_PREFIX):
            if event.kind == "destroyed":
                self._legs.discard(event.channel_id)
            return
        try:
            call = self.calls.get(UUID(event.channel_id))
        except ValueError:
            return
        if call is not None:
            call.hear(event)

    async def _adopt(self) -> None:
        """Match what the store says with what the carrier has, after a start and after every gap.

        Reserved attempts rang nobody and are withdrawn. Dialing ones are adopted when they ring or talk; when their
        channel is still down, nobody can know whether the dial was sent: they end unknown. Whoever adopts never dials.
        """
        channels = {c.id: c for c in await self.carrier.list_channels(self.app)}
        self._legs = {c.id for c in channels.values() if c.id.startswith(LEG_PREFIX) and c.state == "Up"}
        attempts = await self.store.load_live_attempts(self.pool.id)
        for attempt in attempts:
            channel = channels.pop(str(attempt.id), None)
            known = self.calls.get(attempt.id)
            if known is not None:
                if channel is None and attempt.state is not AttemptState.RESERVED:
                    known.hear(ChannelEvent("connected"))
                continue
            lead = await self.store.load_lead(attempt.lead_id)
            call = LiveCall(self, attempt, lead)
            self.calls[attempt.id] = call
            self._spawn(self._resume(call, channel))
        for orphan in channels.values():
            if not orphan.id.startswith(LEG_PREFIX) and not self._ours(orphan.id):
                self._spawn(self._quietly(self.carrier.hang_up(orphan.id)))

    def _ours(self, channel_id: str) -> bool:
        try:
            return UUID(channel_id) in self.calls
        except ValueError:
            return False

    async def _resume(self, call: LiveCall, channel: ChannelView | None) -> None:
        try:
            await self._resume_story(call, channel)
        finally:
            self.calls.pop(call.attempt.id, None)
            self._wake_placing.set()

    async def _resume_story(self, call: LiveCall, channel: ChannelView | None) -> None:
        state = call.attempt.state
        if state is AttemptState.RESERVED:
            if channel is not None:
                await self._quietly(self.carrier.hang_up(channel.id))
            await call.apply(attempt_rules.Withdrawn())
        elif channel is None or channel.state == "Down":
            if channel is not None:
                await self._quietly(self.carrier.hang_up(channel.id))
            await call.apply(attempt_rules.Vanished())
        else:
            log.info("call.adopted", attempt_id=call.channel, state=state.value, channel=channel.state)
            if channel.state == "Ringing":
                call.hear(ChannelEvent("ringing", call.channel))
            elif state in (AttemptState.DIALING, AttemptState.RINGING):
                call.hear(ChannelEvent("up", call.channel, machine=channel.machine))
            elif call.waiting:
                self._wake_matching.set()
            if call.attempt.hangup_requested:
                await call.request_hangup()
            await call.follow()

    # -- people and operators

    async def _run_matching(self) -> None:
        while True:
            await self._wake_matching.wait()
            self._wake_matching.clear()
            for call in sorted((c for c in self.calls.values() if c.waiting), key=_answered_at):
                operator = self._choose(call)
                if operator is not None:
                    call.connecting = True
                    self._spawn(self._connect(call, operator))

    def _choose(self, call: LiveCall) -> Operator | None:
        """Return the operator the call is promised to, else the longest-ready one with the campaign's skill."""
        promised = self.operator_on(call.attempt.id)
        if promised is not None and promised.state is OperatorState.RESERVED:
            return promised
        campaign = self._campaigns.get(call.attempt.campaign_id)
        skill = campaign.plan.skill if campaign is not None else None
        free = [o for o in self._free().values() if skill is None or skill in o.skills]
        return min(free, key=lambda o: (o.since, o.id), default=None)

    def _free(self) -> dict[UUID, Operator]:
        taking = {c.taking for c in self.calls.values() if c.taking is not None}
        return {
            o.id: o for o in self._operators.values() if o.assignable and o.id not in taking and not self._silent_one(o)
        }

    def _silent_one(self, operator: Operator) -> bool:
        return operator.instance_id is None or operator.instance_id in self._silent

    async def _connect(self, call: LiveCall, operator: Operator) -> None:
        call.taking = operator.id
        try:
            connected = await call.connect(operator)
        finally:
            call.connecting, call.taking = False, None
        if not connected:
            if call.waiting:
                self._wake_matching.set()
            return
        self._book.connected(call, self.now())
        await self._push(operator.id)
        await self._join(call, operator)

    async def _join(self, call: LiveCall, operator: Operator) -> None:
        leg = f"{LEG_PREFIX}{operator.id}"
        for attempt in range(3):
            try:
                if leg not in self._legs:
                    await self._raise_leg(leg)
                await self.carrier.join(call.bridge, (call.channel, leg))
                return
            except NotFoundError:
                self._legs.discard(leg)
                if not call.attempt.alive:
                    return
                log.warning("operator.leg_missing", operator_id=str(operator.id), attempt=attempt)
            except UnavailableError:
                await self.clock.sleep(0.1)
        held = self._operators.get(operator.id)
        if held is not None and call.attempt.alive:
            gone = operator_rules.decide(held, operator_rules.Disconnected(), self.now())
            await call.operator_lost(gone or held)

    async def _raise_leg(self, leg: str) -> None:
        """Keep one telephony leg up for an operator's whole session, so that a customer is joined in milliseconds."""
        await self.carrier.create_leg(self.app, leg, UUID(leg.removeprefix(LEG_PREFIX)), LEG_TTL_S)
        await self.carrier.dial(leg, 10)
        self._legs.add(leg)

    async def _react(self, before: Operator | None, after: Operator) -> None:
        leg = f"{LEG_PREFIX}{after.id}"
        if after.state is OperatorState.OFFLINE:
            self._operators.pop(after.id, None)
            if leg in self._legs:
                self._legs.discard(leg)
                await self._quietly(self.carrier.hang_up(leg))
        elif leg not in self._legs and after.assignable and self._synced:
            await self._quietly(self._raise_leg(leg))
        if before is not None and before.state is OperatorState.WRAP_UP and after.state is not OperatorState.WRAP_UP:
            self._book.handled(before, self.now())
        if after.assignable:
            self._wake_matching.set()
        if after.state is OperatorState.RESERVED and after.reason == operator_rules.ACCEPTED:
            await self._dial_offer(after)
        await self._push(after.id)
        self._wake_placing.set()

    async def _push(self, operator_id: UUID) -> None:
        operator = self._operators.get(operator_id)
        if operator is None:
            return
        call = self.calls.get(operator.attempt_id) if operator.attempt_id is not None else None
        body = views.operator_body(operator, call.attempt if call else None, call.lead if call else None)
        await self._quietly(self._live.push(operator_id, "operator", body))

    # -- limits

    async def _run_limits(self) -> None:
        while True:
            await self.clock.sleep(LIMITS_EVERY_S)
            now = self.now()
            for operator in list(self._operators.values()):
                await self._enforce(operator, now)

    async def _enforce(self, operator: Operator, now: datetime) -> None:
        waited = now - operator.since
        if operator.state is OperatorState.WRAP_UP and waited > timedelta(seconds=self.pool.wrap_up_limit_s):
            await self._close(operator, now)
        elif operator.offer_lead_id is not None and waited > timedelta(seconds=self.pool.offer_limit_s):
            await self._withdraw_offer(operator, timed_out=True)
        elif (
            operator.disconnected_at is None and self._silent_one(operator) and operator.state is not OperatorState.LOST
        ):
            gone = operator_rules.decide(operator, operator_rules.Disconnected(), now)
            if gone is not None and gone is not operator:
                await self._store_operator(operator, gone)
        elif self._away_too_long(operator, now):
            await self._lose(operator, now)

    def _away_too_long(self, operator: Operator, now: datetime) -> bool:
        gone_at = operator.disconnected_at
        return gone_at is not None and now - gone_at > timedelta(seconds=self.pool.lost_grace_s)

    async def _lose(self, operator: Operator, now: datetime) -> None:
        call = self.calls.get(operator.attempt_id) if operator.attempt_id is not None else None
        if operator.state is OperatorState.TALKING and call is not None:
            await call.operator_lost(operator)
            return
        gone = operator_rules.decide(operator, operator_rules.GraceOver(), now)
        if gone is not None and gone is not operator:
            await self._store_operator(operator, gone)

    async def _close(self, operator: Operator, now: datetime) -> None:
        """End a wrap-up that took too long; what was recorded stays."""
        attempt_id = operator.attempt_id
        if attempt_id is None:
            return
        change = await close_unfinished(self.store, operator, attempt_id, now, self.fence)
        await self._commit_operator(change)

    async def _store_operator(self, before: Operator, after: Operator, lead: Lead | None = None) -> None:
        facts = announcements.of_operator(before, after)
        lead = lead or await lead_given_back(self.store, before, after, self.now())
        await self._commit_operator(Change(operator=after, lead=lead, facts=facts, fence=self.fence))

    async def _commit_operator(self, change: Change) -> None:
        try:
            answer = await self.commit(change)
        except UnavailableError:
            return
        operator = change.operator if isinstance(answer, Committed) else answer.operator
        self.keep(operator=operator)

    # -- placing

    async def _run_placing(self) -> None:
        while True:
            wait = await self._place() if self.may_dial() else 0.25
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake_placing.wait()
            self._wake_placing.clear()

    async def _place(self) -> float:
        """Place what pacing asks for; return when to ask again, in seconds."""
        now = self.now()
        floor = self._book.floor(now, self._running_campaigns(), self._operators, self.calls, self._silent)
        decision = self.decision = self._pacer.decide(floor)
        try:
            for campaign_key, count in decision.dial.items():
                campaign = self._campaigns.get(UUID(campaign_key))
                if count > 0 and campaign is not None and self._running(campaign):
                    await self._place_campaign(campaign, count)
        except UnavailableError:
            return 0.5
        return decision.next_decision_in_s

    async def _place_campaign(self, campaign: Campaign, count: int) -> None:
        free = self._free()
        hopper = self._hopper(campaign.id)
        candidates = await hopper.take(campaign, count, self.now(), free)
        if campaign.plan.mode is Mode.PREVIEW:
            await self._offer(candidates, free)
            return
        await self._reserve(campaign, candidates)

    def _hopper(self, campaign_id: UUID) -> Hopper:
        hopper = self._hoppers.get(campaign_id)
        if hopper is None:
            hopper = self._hoppers[campaign_id] = Hopper(campaign_id, self.store, self._gatekeeper, self.fence)
        return hopper

    async def _reserve(self, campaign: Campaign, candidates: list[Candidate], operator: Operator | None = None) -> bool:
        reservations = [self._reservation(campaign, c, operator) for c in candidates]
        if not reservations:
            return False
        answers = await self.store.reserve(reservations)
        self.counts.reserved += sum(isinstance(a, Attempt) for a in answers)
        for reservation, candidate, answer in zip(reservations, candidates, answers, strict=True):
            if isinstance(answer, Refusal):
                await self._put_off(candidate.lead, answer)
                continue
            call = LiveCall(self, answer, reservation.lead, candidate.verdict)
            self.calls[answer.id] = call
            await self._promise(answer)
            self._spawn(self._run_call(call))
        return any(isinstance(a, Attempt) for a in answers)

    async def _promise(self, attempt: Attempt) -> None:
        """Keep the operator free whom a preview or a personal callback is for."""
        operator = self._operators.get(attempt.wanted_operator) if attempt.wanted_operator is not None else None
        if operator is None:
            return
        reserved = operator_rules.decide(operator, operator_rules.Reserve(attempt.id), self.now())
        if reserved is not None:
            await self._store_operator(operator, reserved)

    async def _run_call(self, call: LiveCall) -> None:
        try:
            await call.place()
        finally:
            self.calls.pop(call.attempt.id, None)
            outcome = call.attempt.outcome
            if outcome is not None:
                self.counts.outcomes[outcome.value] = self.counts.outcomes.get(outcome.value, 0) + 1
                self._book.ended(call, self.now())
            self._wake_placing.set()

    def _reservation(self, campaign: Campaign, candidate: Candidate, operator: Operator | None) -> Reservation:
        lead, now, plan = candidate.lead, self.now(), campaign.plan
        n = lead.attempts + 1
        attempt = Attempt(
            id=self._new_id(),
            lead_id=lead.id,
            campaign_id=campaign.id,
            pool_id=self.pool.id,
            contact_id=lead.contact_id,
            phone=lead.phone.e164,
            number_digest=lead.phone.digest,
            n=n,
            mode=plan.mode.value,
            trunk=plan.trunk,
            caller_id=plan.caller_ids[n % len(plan.caller_ids)],
            state=AttemptState.RESERVED,
            version=1,
            epoch=self.fence.epoch,
            decision=candidate.verdict.stored,
            ring_timeout_s=max(plan.ring_timeout_s, candidate.verdict.min_ring_s),
            reserved_at=now,
            dial_slot_at=now,
            wanted_operator=operator.id if operator is not None else lead.callback_operator,
        )
        taken = lead_rules.hold(lead, attempts=n)
        caps = tuple((cap.maximum, cap.window.total_seconds()) for cap in plan.caps)
        return Reservation(attempt, taken, caps, self.fence)

    async def _put_off(self, lead: Lead, refusal: Refusal) -> None:
        now = self.now()
        if refusal.reason in ("version", "fenced", "trunk busy", "stopped", "spend cap"):
            return  # The lead stays where it is: nothing about the person stands in the way.
        if refusal.reason == "suppressed":
            after = lead_rules.finish(lead, "refused")
        else:
            after = lead_rules.defer(lead, refusal.until or now + timedelta(minutes=1), refusal.reason)
        await self.commit(Change(lead=after, fence=self.fence, facts=announcements.of_lead(after, now)))

    # -- preview

    async def _offer(self, candidates: list[Candidate], free: dict[UUID, Operator]) -> None:
        ready = sorted(free.values(), key=lambda o: (o.since, o.id))
        for candidate, operator in zip(candidates, ready, strict=False):
            offered = operator_rules.decide(operator, operator_rules.Offer(candidate.lead.id), self.now())
            if offered is not None:
                await self._store_operator(operator, offered, lead_rules.hold(candidate.lead))

    async def _withdraw_offer(self, operator: Operator, *, timed_out: bool) -> None:
        after = operator_rules.decide(operator, operator_rules.OfferGone(timed_out), self.now())
        if after is not None and after is not operator:
            await self._store_operator(operator, after)

    async def _dial_offer(self, operator: Operator) -> None:
        """Dial the previewed lead an operator accepted; the call is theirs before it rings."""
        lead_id = operator.offer_lead_id
        if lead_id is None:
            return
        lead = await self.store.load_lead(lead_id)
        campaign = self._campaigns.get(lead.campaign_id)
        if campaign is None or not self.may_dial():
            await self._withdraw_offer(operator, timed_out=False)
            return
        history = (await self.store.load_history([lead], self.now() - timedelta(days=400)))[0]
        verdict = self._gatekeeper.judge(campaign, lead, history, self.now())
        taken = verdict.allowed and await self._reserve(campaign, [Candidate(lead, verdict)], operator)
        if not taken:
            await self._withdraw_offer(operator, timed_out=False)

    # -- messages

    async def _run_messages(self) -> None:
        """Send the cadence's message to those who were not reached; no operator is needed for that."""
        while True:
            await self.clock.sleep(1.0)
            for campaign in self._running_campaigns():
                try:
                    for candidate in await self._hopper(campaign.id).take_messages(campaign, self.now()):
                        await self._send_message(campaign, candidate.lead)
                except UnavailableError:
                    break

    async def _send_message(self, campaign: Campaign, lead: Lead) -> None:
        step, now = campaign.plan.cadence[lead.step], self.now()
        request = announcements.message_requested(campaign, lead, step) if isinstance(step, MessageStep) else None
        after = lead_rules.plan_next_step(lead, campaign.plan.cadence, now)
        facts = announcements.of_lead(after, now) + (() if request is None else (request,))
        await self.commit(Change(lead=after, facts=facts, fence=self.fence))

    # -- what others changed

    async def _run_refresh(self) -> None:
        while True:
            await self.clock.sleep(REFRESH_EVERY_S)
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            view = await self.store.load_pool(self.pool.id)
            self._safety = await self.store.load_safety()
        except UnavailableError:
            return
        self.pool, self._silent = view.pool, view.silent_instances
        self._campaigns = {c.id: c for c in view.campaigns}
        for operator in view.operators:
            self.keep(operator=operator)
        await self._stop_calls_of_stopped()
        self._wake_placing.set()

    async def _stop_calls_of_stopped(self) -> None:
        """Let an emergency stop end what has not been answered yet; conversations go on."""
        for call in list(self.calls.values()):
            early = call.attempt.state in (AttemptState.RESERVED, AttemptState.DIALING, AttemptState.RINGING)
            if early and self._stopped(call.attempt) and not call.attempt.hangup_requested:
                self._spawn(call.request_hangup())

    def _stopped(self, attempt: Attempt) -> bool:
        safety = self._safety
        if safety is None:
            return False
        return (
            safety.stopped_all
            or attempt.campaign_id in safety.stopped_campaigns
            or attempt.trunk in safety.stopped_trunks
        )

    def _running(self, campaign: Campaign) -> bool:
        safety = self._safety
        if campaign.state is not CampaignState.RUNNING or safety is None:
            return False
        return campaign.id not in safety.stopped_campaigns and campaign.plan.trunk not in safety.stopped_trunks

    def _running_campaigns(self) -> list[Campaign]:
        return [c for c in self._campaigns.values() if self._running(c)]


def _answered_at(call: LiveCall) -> tuple[datetime, UUID]:
    return (call.attempt.answered_at or call.attempt.reserved_at, call.attempt.id)


MakePacer = Callable[[UUID], Policy]
"""Makes the pacing policy of a pool."""
