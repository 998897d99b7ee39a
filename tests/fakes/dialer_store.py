"""The dialer's store in memory: the same answers as PostgreSQL, held to it by one contract suite."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from services.dialer.domain.attempts import Attempt, Outcome
from services.dialer.domain.campaigns import Campaign, CampaignState
from services.dialer.domain.gate.facts import CampaignCounts, Counts, CountWindow
from services.dialer.domain.leads import Lead, LeadState, Stream
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.responses import Response
from services.dialer.domain.scripts import Script
from services.dialer.ports import (
    Change,
    Committed,
    Conflict,
    DiaryEntry,
    Fence,
    GateHistory,
    Lease,
    Pool,
    PoolView,
    Refusal,
    Reservation,
    Safety,
    StoredCall,
)
from services.dialer.store.commit import Present, judge_changes
from services.dialer.store.reserve import Ground, TrunkUse, judge_reservations
from services.events.envelope import Event
from services.runtime.errors import NotFoundError

_Row = TypeVar("_Row")
_Key = TypeVar("_Key")

LEASE_S = timedelta(seconds=4)
SILENT_AFTER = timedelta(seconds=5)


@dataclass(slots=True)
class LeaseRow:
    """Who holds a pool."""

    owner: UUID | None = None
    address: str = ""
    epoch: int = 0
    expires_at: datetime | None = None


@dataclass(slots=True)
class MemoryDatabase:
    """Everything the dialer stores, shared by the instances of a test."""

    now: Callable[[], datetime]
    pools: dict[UUID, Pool] = field(default_factory=dict[UUID, Pool])
    leases: dict[UUID, LeaseRow] = field(default_factory=dict[UUID, LeaseRow])
    instances: dict[UUID, tuple[str, datetime]] = field(default_factory=dict[UUID, tuple[str, datetime]])
    campaigns: dict[UUID, Campaign] = field(default_factory=dict[UUID, Campaign])
    scripts: dict[tuple[UUID, int], Script] = field(default_factory=dict[tuple[UUID, int], Script])
    leads: dict[UUID, Lead] = field(default_factory=dict[UUID, Lead])
    attempts: dict[UUID, Attempt] = field(default_factory=dict[UUID, Attempt])
    operators: dict[UUID, Operator] = field(default_factory=dict[UUID, Operator])
    responses: dict[UUID, Response] = field(default_factory=dict[UUID, Response])
    suppressed: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])
    numbers: dict[str, datetime] = field(default_factory=dict[str, datetime])
    stops: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    trunks: dict[str, TrunkUse] = field(default_factory=dict[str, TrunkUse])
    facts: list[Event] = field(default_factory=list[Event])
    pacing: dict[UUID, dict[str, Any]] = field(default_factory=dict[UUID, dict[str, Any]])
    diary: list[DiaryEntry] = field(default_factory=list[DiaryEntry])
    consents_at: datetime | None = None


class MemoryDialerStore:
    """Fits `LeaseStore` and `DeskStore`."""

    def __init__(self, database: MemoryDatabase) -> None:
        """Read and write *database*; every method is atomic, because none of them waits."""
        self.db = database

    async def acquire_lease(self, pool_id: UUID, owner: UUID, address: str) -> Lease | None:
        """Take a pool whose lease has run out."""
        row, now = self.db.leases[pool_id], self.db.now()
        if row.expires_at is not None and row.expires_at >= now:
            return None
        row.owner, row.address, row.epoch, row.expires_at = owner, address, row.epoch + 1, now + LEASE_S
        return Lease(Fence(pool_id, row.epoch), now)

    async def renew_lease(self, fence: Fence, owner: UUID) -> Lease | None:
        """Prolong the lease."""
        row, now = self.db.leases[fence.pool_id], self.db.now()
        if (row.owner, row.epoch) != (owner, fence.epoch):
            return None
        row.expires_at = now + LEASE_S
        return Lease(fence, now)

    async def release_lease(self, fence: Fence, owner: UUID) -> None:
        """Give the pool back."""
        row = self.db.leases[fence.pool_id]
        if (row.owner, row.epoch) == (owner, fence.epoch):
            row.owner, row.expires_at = None, None

    async def list_leases(self) -> list[tuple[UUID, UUID | None, str, bool]]:
        """Return every pool with its owner."""
        now = self.db.now()
        return [
            (pool_id, row.owner, row.address, row.expires_at is not None and row.expires_at > now)
            for pool_id, row in sorted(self.db.leases.items())
        ]

    async def beat(self, instance_id: UUID, address: str) -> dict[UUID, str]:
        """Note that an instance is alive."""
        now = self.db.now()
        self.db.instances[instance_id] = (address, now)
        return {i: a for i, (a, seen) in sorted(self.db.instances.items()) if now - seen < SILENT_AFTER}

    async def load_pool(self, pool_id: UUID) -> PoolView:
        """Return the pool."""
        live = (CampaignState.RUNNING, CampaignState.PAUSED)
        operators = [o for o in _sorted(self.db.operators) if o.pool_id == pool_id]
        alive = {i for i, (_, seen) in self.db.instances.items() if self.db.now() - seen < SILENT_AFTER}
        present = tuple(o for o in operators if o.state is not OperatorState.OFFLINE)
        return PoolView(
            self.db.pools[pool_id],
            tuple(c for c in _sorted(self.db.campaigns) if c.pool_id == pool_id and c.state in live),
            present,
            frozenset(o.instance_id for o in present if o.instance_id is not None and o.instance_id not in alive),
        )

    async def load_operators(self, operator_ids: Sequence[UUID]) -> list[Operator]:
        """Return these operators."""
        return [self.db.operators[i] for i in sorted(operator_ids) if i in self.db.operators]

    async def load_operator(self, operator_id: UUID) -> Operator:
        """Return an operator."""
        return _one(self.db.operators, operator_id)

    async def load_live_attempts(self, pool_id: UUID) -> list[Attempt]:
        """Return the pool's attempts that have not ended."""
        return [a for a in _sorted(self.db.attempts) if a.pool_id == pool_id and a.alive]

    async def load_attempt(self, attempt_id: UUID) -> Attempt:
        """Return an attempt."""
        return _one(self.db.attempts, attempt_id)

    async def load_lead(self, lead_id: UUID) -> Lead:
        """Return a lead."""
        return _one(self.db.leads, lead_id)

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        """Return a campaign."""
        return _one(self.db.campaigns, campaign_id)

    async def load_script(self, script_id: UUID, version: int) -> Script:
        """Return a script."""
        return _one(self.db.scripts, (script_id, version))

    async def load_call(self, attempt_id: UUID) -> StoredCall:
        """Return a call with all that is about it."""
        attempt = _one(self.db.attempts, attempt_id)
        return StoredCall(
            attempt,
            _one(self.db.leads, attempt.lead_id),
            _one(self.db.campaigns, attempt.campaign_id),
            self.db.responses.get(attempt_id),
        )

    async def load_desk(self, operator_id: UUID) -> tuple[Operator, StoredCall | None]:
        """Return an operator with the call on their screen."""
        operator = _one(self.db.operators, operator_id)
        return operator, await self.load_call(operator.attempt_id) if operator.attempt_id is not None else None

    async def list_due_leads(self, campaign_id: UUID, stream: Stream, now: datetime, limit: int) -> list[Lead]:
        """Return the next leads of a queue."""
        due = [
            lead
            for lead in self.db.leads.values()
            if (lead.campaign_id, lead.stream, lead.state) == (campaign_id, stream, LeadState.WAITING)
            and lead.next_at <= now
        ]
        return sorted(due, key=lambda lead: (-lead.priority, lead.next_at, lead.id))[:limit]

    async def load_history(self, leads: Sequence[Lead], since: datetime, now: datetime) -> list[GateHistory]:
        """Return what the gate must know."""
        return [
            GateHistory(
                suppressed=lead.contact_id in self.db.suppressed or lead.phone.digest in self.db.numbers,
                attempts=tuple(self._past(attempt) for attempt in self._rung(lead.contact_id, since)),
                refused_at=self.db.suppressed.get(lead.contact_id),
                record=self._record(lead.campaign_id, now),
            )
            for lead in leads
        ]

    def _record(self, campaign_id: UUID, now: datetime) -> CampaignCounts:
        launched = self.db.campaigns[campaign_id].launched_at
        starts: dict[CountWindow, datetime | None] = {
            "day": now.astimezone(ZoneInfo("Europe/London")).replace(hour=0, minute=0, second=0, microsecond=0),
            "month": now.astimezone(ZoneInfo("America/Toronto")).replace(
                day=1, hour=0, minute=0, second=0, microsecond=0
            ),
            "block": None if launched is None else now - (now - launched) % timedelta(days=30),
        }
        return CampaignCounts(launched, windows={name: self._counts(campaign_id, at) for name, at in starts.items()})

    def _counts(self, campaign_id: UUID, since: datetime | None) -> Counts:
        outcomes = [
            a.outcome
            for a in self.db.attempts.values()
            if a.campaign_id == campaign_id and since is not None and a.answered_at is not None
            if a.outcome in (Outcome.ANSWERED, Outcome.ABANDONED)
            and a.answered_at >= since.replace(minute=0, second=0, microsecond=0)
        ]
        return Counts(len(outcomes), outcomes.count(Outcome.ABANDONED))

    def _rung(self, contact_id: UUID, since: datetime) -> list[Attempt]:
        own = [a for a in self.db.attempts.values() if a.contact_id == contact_id and a.reserved_at > since]
        return sorted((a for a in own if a.outcome is not Outcome.CANCELLED), key=lambda a: a.reserved_at)

    def _past(self, attempt: Attempt) -> dict[str, object]:
        return {
            "contact_id": attempt.contact_id,
            "phone": attempt.phone,
            "campaign_id": attempt.campaign_id,
            "mode": attempt.mode,
            "outcome": attempt.outcome.value if attempt.outcome is not None else None,
            "connected_at": attempt.connected_at,
            "at": attempt.dialed_at or attempt.reserved_at,
            "subject": self.db.campaigns[attempt.campaign_id].plan.subject,
        }

    async def load_safety(self) -> Safety:
        """Return what may forbid dialing."""
        return Safety(
            consents_at=self.db.consents_at,
            stopped_all=("all", "") in self.db.stops,
            stopped_campaigns=frozenset(UUID(target) for scope, target in self.db.stops if scope == "campaign"),
            stopped_trunks=frozenset(target for scope, target in self.db.stops if scope == "trunk"),
            spacing_s={name: trunk.interval.total_seconds() for name, trunk in self.db.trunks.items()},
        )

    async def load_pacing(self, pool_id: UUID) -> dict[str, Any] | None:
        """Return what pacing learned."""
        return self.db.pacing.get(pool_id)

    async def save_pacing(self, fence: Fence, state: Mapping[str, Any], diary: Sequence[DiaryEntry]) -> None:
        """Store what pacing learned, unless the fence no longer holds."""
        if self.db.leases[fence.pool_id].epoch == fence.epoch:
            self.db.pacing[fence.pool_id] = dict(state)
            self.db.diary.extend(diary)

    async def reserve(self, reservations: Sequence[Reservation]) -> list[Attempt | Refusal]:
        """Insert attempts under every limit."""
        now = max(r.attempt.reserved_at for r in reservations)
        live = [a for a in self.db.attempts.values() if a.alive]
        trunks = {
            name: replace(trunk, live=sum(a.trunk == name for a in live)) for name, trunk in self.db.trunks.items()
        }
        ground = Ground(
            epochs={pool_id: row.epoch for pool_id, row in self.db.leases.items()},
            suppressed=frozenset(self.db.suppressed),
            numbers=frozenset(self.db.numbers),
            leads=dict(self.db.leads),
            trunks=trunks,
            stops=frozenset(self.db.stops),
            campaigns={c.id: c.state.value for c in self.db.campaigns.values()},
            capped=self._capped(reservations, now),
        )
        answers = judge_reservations(reservations, ground, now)
        taken = {a.contact_id for a in live} | {a.number_digest for a in live}
        kept: list[Attempt | Refusal] = []
        for reservation, answer in zip(reservations, answers, strict=True):
            if isinstance(answer, Attempt) and {answer.contact_id, answer.number_digest} & taken:
                kept.append(Refusal("live call"))
                continue
            if isinstance(answer, Attempt):
                self.db.attempts[answer.id] = answer
                self.db.leads[reservation.lead.id] = reservation.lead
            kept.append(answer)
        if any(isinstance(answer, Attempt) for answer in answers):
            self.db.trunks.update(ground.trunks)
        return kept

    def _capped(self, reservations: Sequence[Reservation], now: datetime) -> dict[int, Refusal]:
        capped: dict[int, Refusal] = {}
        for index, reservation in enumerate(reservations):
            for cap in reservation.caps:
                rung = [
                    a
                    for a in self._rung(reservation.attempt.contact_id, cap.since(now))
                    if (a.outcome is None or a.outcome.value not in cap.but_not)
                    and cap.number in (None, a.phone)
                    and (cap.subject is None or self.db.campaigns[a.campaign_id].plan.subject in ("", cap.subject))
                    and cap.campaign_id in (None, a.campaign_id)
                ]
                if len(rung) < cap.maximum:
                    continue
                until = cap.frees_at(rung[-cap.maximum].reserved_at)
                other = capped.get(index)
                if other is None or (until is not None and other.until is not None and until > other.until):
                    capped[index] = Refusal("cap", until=until)
        return capped

    async def commit(self, changes: Sequence[Change]) -> list[Committed | Conflict]:
        """Store changes, each wholly or not at all."""
        db = self.db
        present = Present(
            suppressed=set(db.suppressed),
            numbers=set(db.numbers),
            attempts=dict(db.attempts),
            operators=dict(db.operators),
            leads=dict(db.leads),
            revisions={i: r.revision for i, r in db.responses.items()},
            epochs={pool_id: row.epoch for pool_id, row in db.leases.items()},
            stops=set(db.stops),
            campaigns={c.id: c.state.value for c in db.campaigns.values()},
        )
        answers = judge_changes(changes, present, db.now())
        db.attempts, db.operators, db.leads = present.attempts, present.operators, present.leads
        for change, answer in zip(changes, answers, strict=True):
            if isinstance(answer, Committed):
                self._keep(change)
        return answers

    def _keep(self, change: Change) -> None:
        if change.response is not None:
            self.db.responses[change.response.attempt_id] = change.response
        if change.suppressed is not None:
            self.db.suppressed.setdefault(change.suppressed.contact_id, change.suppressed.at)
            for digest in change.suppressed.number_digests:
                self.db.numbers.setdefault(digest, change.suppressed.at)
        self.db.facts.extend(change.facts)


def _sorted(rows: dict[UUID, _Row]) -> list[_Row]:
    return [rows[key] for key in sorted(rows)]


def _one(rows: dict[_Key, _Row], key: _Key) -> _Row:
    if key not in rows:
        raise NotFoundError("There is no such row.")
    return rows[key]
