"""What the owner of a pool keeps in mind, and the acts that several of its parts share."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ParamSpec, Protocol
from uuid import UUID

import structlog

from services.dialer.domain import leads as lead_rules
from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import Campaign, CampaignState
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator
from services.dialer.ports import (
    Carrier,
    Change,
    Committed,
    Conflict,
    Fence,
    Live,
    Pool,
    PoolCounts,
    PoolStore,
    Safety,
)
from services.dialer.usecases import announcements, views
from services.dialer.usecases.gatekeeper import Gatekeeper
from services.dialer.usecases.offers import lead_given_back
from services.dialer.workers.calls import LiveCall
from services.dialer.workers.commits import GroupCommit
from services.dialer.workers.floor import FloorBook
from services.dialer.workers.spacing import TrunkSpacing
from services.runtime.clock import Clock
from services.runtime.errors import NotFoundError, RejectedError, UnavailableError
from services.runtime.ids import NewId

log = structlog.get_logger()
P = ParamSpec("P")

CONSENT_VIEW_LIMIT = timedelta(seconds=5)
"""A view of consents older than this places no new call."""

LEASE_LIMIT_S = 3.0
"""The owner stops dialing this long after its last renewal began; the lease itself lives a second longer."""


class OperatorHeard(Protocol):
    """Reacts to an operator's newer row; *before* is the one known until now."""

    async def __call__(self, before: Operator | None, after: Operator) -> None:
        """Do what follows from the change."""
        ...


class Board:
    """The pool as its owner sees it; fits `calls.Desk`."""

    def __init__(
        self,
        *,
        pool: Pool,
        fence: Fence,
        store: PoolStore,
        carrier: Carrier,
        live: Live,
        gatekeeper: Gatekeeper,
        clock: Clock,
        new_id: NewId,
        false_machine_share: float = 0.0,
    ) -> None:
        """Begin with an empty view; nothing is dialed before it is filled."""
        self.false_machine_share = false_machine_share
        self.pool = pool
        self.fence = fence
        self.app = f"galw-{pool.id}"
        self.store = store
        self.carrier = carrier
        self.gatekeeper = gatekeeper
        self.clock = clock
        self.new_id = new_id
        self.counts = PoolCounts()
        self.book = FloorBook()
        self.campaigns: dict[UUID, Campaign] = {}
        self._ended: dict[UUID, Campaign] = {}
        self.operators: dict[UUID, Operator] = {}
        self._operator_by_call: dict[UUID, UUID] = {}
        # The call an operator is on, or wraps up: it is shown until they are done with it, and outlives *calls*.
        self._last_calls: dict[UUID, LiveCall] = {}
        self.silent: frozenset[UUID] = frozenset()
        self.calls: dict[UUID, LiveCall] = {}
        self.safety: Safety | None = None
        self._spacings: dict[str, TrunkSpacing] = {}
        self.draining = False
        self.synced = False
        self.wake_placing = asyncio.Event()
        self.wake_matching = asyncio.Event()
        self.on_operator: OperatorHeard | None = None
        self.on_answered: Callable[[], None] = self.wake_matching.set
        self.commits: GroupCommit[Change, Committed | Conflict] = GroupCommit(store.commit, clock)
        # Somebody has said hello: that does not queue behind what nobody waits for.
        self.urgent: GroupCommit[Change, Committed | Conflict] = GroupCommit(store.commit, clock)
        self._live = live
        self._database_at: tuple[datetime, float] | None = None
        self._valid_until = clock.monotonic() + LEASE_LIMIT_S
        self._tasks: asyncio.TaskGroup | None = None

    # -- time and permission

    def now(self) -> datetime:
        """Return the later of host and database time; a host clock that jumps back does not take it along."""
        host = self.clock.now()
        if self._database_at is None:
            return host
        at, seen_at = self._database_at
        return max(host, at + timedelta(seconds=self.clock.monotonic() - seen_at))

    def renewed(self, database_at: datetime, began: float) -> None:
        """Note that the lease was renewed by a call that began at monotonic *began*."""
        self._database_at = (database_at, self.clock.monotonic())
        self._valid_until = began + LEASE_LIMIT_S

    def may_dial(self) -> bool:
        """Return whether dialing is allowed at all: lease, carrier, a fresh view of consents, no stop."""
        return self.why_not_dialing() is None

    def why_not_dialing(self) -> str | None:
        """Return the reason that holds back every call of the pool, or None."""
        if not self.synced and not self.draining and self._leased():
            return "the carrier is away"
        return self.why_silent()

    def _leased(self) -> bool:
        return self.clock.monotonic() < self._valid_until

    def why_silent(self) -> str | None:
        """Return the reason that holds back every call and every message of the pool, or None."""
        safety = self.safety
        if self.draining:
            return "handing over"
        if not self._leased():
            return "the lease of the pool is not confirmed"
        if safety is None or safety.consents_at is None:
            return "no view of consents yet"
        if safety.stopped_all:
            return "emergency stop"
        if self.now() - safety.consents_at > CONSENT_VIEW_LIMIT:
            return "the view of consents is older than five seconds"
        return None

    async def space_commit(self, trunk: str) -> None:
        """Return when a dial on *trunk* may be committed, so that no two are closer than its calls per second allow."""
        await self._spacing(trunk).commits.wait(self._apart_s(trunk))

    async def space_dial(self, trunk: str) -> None:
        """Return when a committed dial on *trunk* may be sent."""
        await self._spacing(trunk).dials.wait(self._apart_s(trunk))

    def _spacing(self, trunk: str) -> TrunkSpacing:
        return self._spacings.setdefault(trunk, TrunkSpacing(self.clock))

    def _apart_s(self, trunk: str) -> float:
        return self.safety.spacing_s.get(trunk, 0.0) if self.safety is not None else 0.0

    # -- campaigns

    def campaign(self, campaign_id: UUID) -> Campaign | None:
        """Return a campaign of the pool that runs or pauses, or one that ended or left while its calls went on."""
        return self.campaigns.get(campaign_id) or self._ended.get(campaign_id)

    def show_campaigns(self, present: Iterable[Campaign]) -> None:
        """Take in the campaigns that run or pause now; those that still have calls are remembered."""
        before = {**self._ended, **self.campaigns}
        self.campaigns = {campaign.id: campaign for campaign in present}
        needed = {call.attempt.campaign_id for call in self.calls.values()} - self.campaigns.keys()
        self._ended = {campaign_id: before[campaign_id] for campaign_id in needed if campaign_id in before}

    def remember_campaign(self, campaign: Campaign) -> None:
        """Keep a campaign that neither runs nor pauses for a call of it that was adopted."""
        self._ended[campaign.id] = campaign

    def running(self, campaign: Campaign) -> bool:
        """Return whether *campaign* runs and no stop is on it or its trunk."""
        safety = self.safety
        if campaign.state is not CampaignState.RUNNING or safety is None:
            return False
        return campaign.id not in safety.stopped_campaigns and campaign.plan.trunk not in safety.stopped_trunks

    def running_campaigns(self) -> list[Campaign]:
        """Return the campaigns that may place calls."""
        return [c for c in self.campaigns.values() if self.running(c)]

    def stopped(self, attempt: Attempt) -> bool:
        """Return whether an emergency stop covers *attempt*."""
        safety = self.safety
        return safety is not None and (
            safety.stopped_all
            or attempt.campaign_id in safety.stopped_campaigns
            or attempt.trunk in safety.stopped_trunks
        )

    def still_allowed(self, call: LiveCall) -> Lead | None:
        """Return None when the gate still allows the call at this instant, else the lead put off or finished."""
        campaign = self.campaigns.get(call.attempt.campaign_id)
        if campaign is None or not self.running(campaign):
            return lead_rules.release(call.lead, self.now())
        verdict = self.gatekeeper.judge_again(call.verdict, self.now()) if call.verdict is not None else None
        if verdict is None:
            return lead_rules.release(call.lead, self.now())
        if verdict.allowed:
            return None
        if verdict.until is not None:
            return lead_rules.defer(call.lead, verdict.until, verdict.held_by or "gate")
        return lead_rules.finish(call.lead, "not_reached", verdict.held_by)

    # -- operators

    def operator_on(self, attempt_id: UUID) -> Operator | None:
        """Return the operator who has this call."""
        operator_id = self._operator_by_call.get(attempt_id)
        return self.operators.get(operator_id) if operator_id is not None else None

    def free(self) -> dict[UUID, Operator]:
        """Return the operators who can take a call now."""
        taking = {c.taking for c in self.calls.values() if c.taking is not None}
        return {
            o.id: o for o in self.operators.values() if o.assignable and o.id not in taking and not self.out_of_reach(o)
        }

    def out_of_reach(self, operator: Operator) -> bool:
        """Return whether no living instance holds the operator's line."""
        return operator.instance_id is None or operator.instance_id in self.silent

    def keep(self, *, operator: Operator | None = None) -> None:
        """Take over an operator's newer row and react to it."""
        if operator is None:
            return
        known = self.operators.get(operator.id)
        if known is not None and known.version >= operator.version:
            return
        self._note(known, operator)
        if self.on_operator is not None:
            self.spawn(self.on_operator(known, operator))

    def forget(self, operator_id: UUID) -> None:
        """Drop an operator who went offline."""
        gone = self.operators.pop(operator_id, None)
        self._last_calls.pop(operator_id, None)
        if gone is not None and gone.attempt_id is not None:
            self._operator_by_call.pop(gone.attempt_id, None)

    def _note(self, known: Operator | None, operator: Operator) -> None:
        self.operators[operator.id] = operator
        if known is not None and known.attempt_id is not None and known.attempt_id != operator.attempt_id:
            self._operator_by_call.pop(known.attempt_id, None)
            self._last_calls.pop(operator.id, None)
        if operator.attempt_id is not None:
            self._operator_by_call[operator.attempt_id] = operator.id
            call = self.calls.get(operator.attempt_id)
            if call is not None:
                self._last_calls[operator.id] = call

    async def store_operator(self, before: Operator, after: Operator, lead: Lead | None = None) -> None:
        """Store an operator's new state with what it announces and the lead it gives back."""
        facts = announcements.of_operator(before, after)
        lead = lead or await lead_given_back(self.store, before, after, self.now())
        await self.commit_operator(Change(operator=after, lead=lead, facts=facts, fence=self.fence))

    async def commit_operator(self, change: Change) -> None:
        """Store a change of an operator and keep the row that stands now; an outage leaves it to the next look."""
        try:
            answer = await self.commit(change)
        except UnavailableError:
            return
        self.keep(operator=change.operator if isinstance(answer, Committed) else answer.operator)

    async def push(self, operator_id: UUID) -> None:
        """Show an operator their state on their screen."""
        operator = self.operators.get(operator_id)
        if operator is None:
            return
        attempt, lead = await self._call_of(operator)
        await self.quietly(self._live.push, operator_id, "operator", views.operator_body(operator, attempt, lead))

    async def _call_of(self, operator: Operator) -> tuple[Attempt | None, Lead | None]:
        """Return the call an operator has on the screen, also one that has ended and is wrapped up."""
        if operator.attempt_id is None:
            return None, None
        call = self._last_calls.get(operator.id)
        if call is not None and call.attempt.id == operator.attempt_id:
            return call.attempt, call.lead
        try:
            stored = await self.store.load_call(operator.attempt_id)
            return stored.attempt, stored.lead
        except (UnavailableError, NotFoundError):
            return None, None  # the screen reads it again when it acts

    # -- calls

    def answered(self, call: LiveCall) -> None:
        """Look for an operator for an answered call, at once."""
        self.counts.answered += 1
        self.book.answered(call)
        self.on_answered()
        self.wake_placing.set()

    async def commit(self, change: Change, *, urgent: bool = False) -> Committed | Conflict:
        """Store a change through the group commit; *urgent* is one that a person on the line waits for."""
        return await (self.urgent if urgent else self.commits).submit(change)

    # -- tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work* beside the others until the owner ends."""
        if self._tasks is None:
            work.close()  # Not running yet: the first refresh finds the same thing.
            return
        self._tasks.create_task(work)

    async def run(self, *parts: Coroutine[Any, Any, None]) -> None:
        """Run all *parts* and whatever is spawned, until cancelled or one of them fails."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for part in parts:
                    tasks.create_task(part)
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    async def quietly(self, work: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do *work* whose failure a later look makes good."""
        try:
            await work(*args, **kwargs)
        except (UnavailableError, NotFoundError, RejectedError) as error:
            log.warning("pool.put_off", pool_id=str(self.pool.id), error=error.message)


def able(operator: Operator, campaign: Campaign | None) -> bool:
    """Tell whether *operator* has the skill that *campaign* asks for."""
    skill = campaign.plan.skill if campaign is not None else None
    return skill is None or skill in operator.skills


async def woken(event: asyncio.Event, within_s: float) -> None:
    """Wait until *event* is set, at most *within_s* seconds, and clear it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    event.clear()
