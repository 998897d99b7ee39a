"""The hopper: the next leads of a campaign, each judged by the gate, callbacks first, fresh and retried ones in
turn."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.dialer.domain import leads as lead_rules
from services.dialer.domain.campaigns import SEVERAL_LINES, Campaign, one_by_one
from services.dialer.domain.caps import AbandonmentLimit
from services.dialer.domain.gate.facts import CampaignCounts
from services.dialer.domain.leads import Lead, MessageStep, Stream
from services.dialer.domain.operators import Operator
from services.dialer.ports import Change, Fence, PoolStore
from services.dialer.usecases import announcements
from services.dialer.usecases.gatekeeper import Gatekeeper, Verdict

FETCH = 200
"""Leads read ahead per queue: a few seconds of a large pool's appetite."""

REFETCH = timedelta(milliseconds=500)
"""A queue that gave all it had is asked again no sooner, so that an idle campaign costs two queries a second."""

OWN_OPERATOR_WAIT = timedelta(minutes=10)
"""A callback promised by one operator is taken by anyone once it is this late."""

HISTORY = timedelta(days=400)
"""How far back attempts matter to the gate at most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lead that may be called now, with the gate's verdict."""

    lead: Lead
    verdict: Verdict


@dataclass(slots=True)
class _Queue:
    leads: deque[Lead] = field(default_factory=deque[Lead])
    asked_at: datetime | None = None
    """When it last gave all it had; None while it has more."""

    look: int = 0
    """In which look at the queues it was read last."""


@dataclass(slots=True)
class _Judged:
    """Leads that may be called now, and those for whom an operator must be waiting before the phone rings."""

    allowed: list[Candidate] = field(default_factory=list[Candidate])
    restricted: list[Lead] = field(default_factory=list[Lead])


class Hopper:
    """Hands out leads of one campaign; what the gate holds back is put off in the store at once."""

    def __init__(self, campaign_id: UUID, store: PoolStore, gatekeeper: Gatekeeper, fence: Fence) -> None:
        """Start empty."""
        self._campaign_id = campaign_id
        self._store = store
        self._gatekeeper = gatekeeper
        self._fence = fence
        self._queues: Mapping[Stream, _Queue] = {stream: _Queue() for stream in Stream}
        self._owed_fresh = 0.0
        self._look = 0
        # Until they are reserved, the store still shows the leads that are being handed out as waiting.
        self._out: set[UUID] = set()
        self.held: dict[str, int] = {}
        self.one_by_one = False
        """Whether all that was left at the last look may be called with an operator waiting, and not otherwise."""
        self.limits: set[AbandonmentLimit] = set()
        """What the laws that the campaign's people live under say about abandoned calls."""
        self.zone: str | None = None
        """Where the first of them lives: where the campaign's own day begins and ends."""
        self.record: tuple[CampaignCounts, datetime] | None = None
        """What the ledger says of the campaign's answered and abandoned calls, and when it was read."""

    async def take(
        self, campaign: Campaign, count: int, now: datetime, free: Mapping[UUID, Operator]
    ) -> list[Candidate]:
        """Return at most *count* leads that may be called now; *free* are the operators who could take a callback."""
        found: list[Candidate] = []
        self._look += 1
        self._out.clear()
        looked = restricted = 0
        while len(found) < count and looked < count + FETCH:
            leads = await self._next(campaign, count - len(found), now, free)
            if not leads:
                break
            looked += len(leads)
            judged = await self._judge(campaign, leads, now)
            found += judged.allowed
            restricted += len(judged.restricted)
            for lead in judged.restricted:
                self._queues[lead.stream].leads.append(lead)
            if judged.restricted and not judged.allowed:
                break
        self.one_by_one = restricted > 0 and not found
        return found

    async def take_messages(self, campaign: Campaign, now: datetime) -> list[Candidate]:
        """Return the leads whose next step is a message that may go out now."""
        self._look += 1
        queue = await self._filled(Stream.MESSAGE, now)
        by_channel: dict[str, list[Lead]] = {}
        while queue.leads:
            lead = queue.leads.popleft()
            step = lead_rules.step_of(campaign.plan.cadence, lead)
            by_channel.setdefault(step.channel if isinstance(step, MessageStep) else "sms", []).append(lead)
        found: list[Candidate] = []
        for channel, leads in by_channel.items():
            found += (await self._judge(campaign, leads, now, channel)).allowed
        return found

    async def _next(self, campaign: Campaign, count: int, now: datetime, free: Mapping[UUID, Operator]) -> list[Lead]:
        callbacks = await self._callbacks(count, now, free)
        fresh, retries = await self._filled(Stream.FRESH, now), await self._filled(Stream.RETRY, now)
        chosen = callbacks
        while len(chosen) < count and (fresh.leads or retries.leads):
            self._owed_fresh += campaign.plan.fresh_share
            take_fresh = self._owed_fresh >= 1 if fresh.leads and retries.leads else bool(fresh.leads)
            if self._owed_fresh >= 1:
                self._owed_fresh -= 1
            chosen.append((fresh if take_fresh else retries).leads.popleft())
        self._out.update(lead.id for lead in chosen)
        return chosen

    async def _callbacks(self, count: int, now: datetime, free: Mapping[UUID, Operator]) -> list[Lead]:
        # Callbacks whose operator is away stay; they must not keep later ones from being seen.
        queue = await self._filled(Stream.CALLBACK, now, anew=True)
        chosen: list[Lead] = []
        kept: deque[Lead] = deque()
        while queue.leads:
            lead = queue.leads.popleft()
            own = lead.callback_operator
            takeable = own is None or own in free or now - lead.next_at > OWN_OPERATOR_WAIT
            (chosen if takeable and len(chosen) < count else kept).append(lead)
        queue.leads.extend(kept)
        return chosen

    async def _filled(self, stream: Stream, now: datetime, *, anew: bool = False) -> _Queue:
        queue = self._queues[stream]
        due = queue.asked_at is None or now - queue.asked_at >= REFETCH or now < queue.asked_at
        # Nobody is reserved within a look: a queue read twice in one would give the same leads.
        if due and queue.look < self._look and (anew or not queue.leads):
            queue.look = self._look
            due_now = await self._store.list_due_leads(self._campaign_id, stream, now, FETCH)
            queue.leads = deque(lead for lead in due_now if lead.id not in self._out)
            # One that gave as many as were asked for has more: it is asked as soon as these are used up.
            queue.asked_at = now if anew or len(due_now) < FETCH else None
        return queue

    def _note(self, verdict: Verdict) -> None:
        self.limits.update(verdict.limits)
        self.zone = self.zone or verdict.zone

    async def _judge(self, campaign: Campaign, leads: list[Lead], now: datetime, channel: str = "voice") -> _Judged:
        histories = await self._store.load_history(leads, now - HISTORY, now)
        if histories:
            self.record = histories[0].record, now
        judged = _Judged()
        put_off: list[Change] = []
        for lead, history in zip(leads, histories, strict=True):
            verdict = self._gatekeeper.judge(campaign, lead, history, now, channel=channel)
            if verdict.allowed:
                self._note(verdict)
                judged.allowed.append(Candidate(lead, verdict))
                continue
            if channel == "voice" and campaign.plan.mode in SEVERAL_LINES:
                # What forbids several lines at once may allow one: the lead waits for that, never for more.
                verdict = self._gatekeeper.judge(one_by_one(campaign), lead, history, now)
                if verdict.allowed:
                    self._note(verdict)
                    judged.restricted.append(lead)
                    continue
            held = verdict.held_by or "gate"
            self.held[held] = self.held.get(held, 0) + 1
            if verdict.until is not None:
                after = lead_rules.defer(lead, verdict.until, held)
            else:
                after = lead_rules.finish(lead, "refused" if history.suppressed else "not_reached", held)
            put_off.append(Change(lead=after, fence=self._fence, facts=announcements.of_lead(after, now)))
        if put_off:
            await self._store.commit(put_off)
        return judged
