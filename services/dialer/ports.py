"""What the use cases and workers need from the outside: a store, a carrier, a live line to operators."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.gate.facts import CampaignCounts, DoNotCallList, Scrub
from services.dialer.domain.leads import Lead, Person, Phone, Stream
from services.dialer.domain.obstacles import DoneCount, HeldCount, TrunkUse
from services.dialer.domain.operators import Operator
from services.dialer.domain.pacing import Mode
from services.dialer.domain.responses import Response
from services.dialer.domain.scripts import Script
from services.events.envelope import Event
from services.runtime import postgres
from services.runtime.phone import E164
from services.runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Fence:
    """Who writes: the owner of a pool in one epoch; a later owner's epoch refuses the write."""

    pool_id: UUID
    epoch: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A pool held by this instance; *database_at* is the database's time when it was granted or renewed."""

    fence: Fence
    database_at: datetime


@dataclass(frozen=True, slots=True)
class PersonSuppressed:
    """A person said never again: they and their numbers are suppressed in the same transaction."""

    contact_id: UUID
    number_digests: tuple[str, ...]
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One atomic transition: all of it is stored, with its facts, or none of it.

    Each row is stored only if the stored version is one less than the given one. With *dial* the attempt's person,
    number, campaign and trunk are checked once more under lock: nobody who said no, nothing that was stopped.
    """

    attempt: Attempt | None = None
    operator: Operator | None = None
    lead: Lead | None = None
    response: Response | None = None
    suppressed: PersonSuppressed | None = None
    facts: tuple[Event, ...] = ()
    fence: Fence | None = None
    dial: bool = False

    @property
    def contacts(self) -> frozenset[UUID]:
        """The people whom it is about; one as a rule."""
        about = (self.attempt, self.lead, self.response, self.suppressed)
        return frozenset(row.contact_id for row in about if row is not None)


@dataclass(frozen=True, slots=True)
class Committed:
    """The change is stored; *at* is the database's time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was stored; *reason* says why, and the rows as they stand now allow to decide again."""

    reason: str
    attempt: Attempt | None = None
    operator: Operator | None = None
    lead: Lead | None = None


@dataclass(frozen=True, slots=True)
class CapNow:
    """A cap to check under lock: at most *maximum* attempts at the person that rang, or still may, in a span.

    A rolling span is as long as *lasting*; a calendar one goes from *begins_at* to *ends_at*. *number*, *subject* and
    *campaign_id* say which attempts count, None for all; those that ended in *but_not* never do.
    """

    maximum: int
    lasting: timedelta | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    number: str | None = None
    subject: str | None = None
    campaign_id: UUID | None = None
    but_not: frozenset[str] = frozenset()

    def since(self, now: datetime) -> datetime:
        """Return the instant after which attempts count."""
        if self.lasting is not None:
            return now - self.lasting
        return now if self.begins_at is None else self.begins_at

    def frees_at(self, at: datetime) -> datetime | None:
        """Return when the attempt reserved *at* no longer counts."""
        return self.ends_at if self.lasting is None else at + self.lasting


@dataclass(frozen=True, slots=True)
class Reservation:
    """A wish to call: the attempt to insert, the lead it takes, and the caps to check under lock."""

    attempt: Attempt
    lead: Lead
    caps: tuple[CapNow, ...]
    fence: Fence


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reservation was not made. *until* is when it is worth trying again, None for the next round."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool and its limits, seconds."""

    id: UUID
    name: str
    wrap_up_limit_s: int
    lost_grace_s: int
    offer_limit_s: int
    shadow_mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class DiaryEntry:
    """One decision of pacing by campaign: lines placed, why, and what the shadow policy would have placed."""

    at: datetime
    dial: dict[str, int]
    explain: dict[str, str]
    shadow: dict[str, int]


@dataclass(frozen=True, slots=True)
class PoolView:
    """What an owner keeps in mind of its pool, read in one go."""

    pool: Pool
    campaigns: tuple[Campaign, ...]
    operators: tuple[Operator, ...]
    silent_instances: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Safety:
    """What may forbid dialing as a whole, or slows it: the view of consents, the stops in force, the trunks' limits."""

    consents_at: datetime | None
    stopped_all: bool = False
    stopped_campaigns: frozenset[UUID] = frozenset()
    stopped_trunks: frozenset[str] = frozenset()
    spacing_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """How far apart two dials on a trunk must be, by the trunk's calls per second."""


@dataclass(frozen=True, slots=True)
class GateHistory:
    """What the gate must know beyond the lead: of the person, of the number on lists, and of the campaign's record."""

    suppressed: bool
    consents: tuple[dict[str, Any], ...] = ()
    attempts: tuple[dict[str, Any], ...] = ()
    refused_at: datetime | None = None
    scrubs: Mapping[DoNotCallList, Scrub] = field(default_factory=dict[DoNotCallList, Scrub])
    record: CampaignCounts = field(default_factory=CampaignCounts)


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as it is stored, with its lead, its campaign and what was recorded during it so far."""

    attempt: Attempt
    lead: Lead
    campaign: Campaign
    response: Response | None = None


class CallStore(Protocol):
    """What is read and written around one call, by its owner and by an operator's commands on any instance."""

    async def load_attempt(self, attempt_id: UUID) -> Attempt:
        """Return an attempt; raises `NotFoundError`."""
        ...

    async def load_lead(self, lead_id: UUID) -> Lead:
        """Return a lead; raises `NotFoundError`."""
        ...

    async def load_call(self, attempt_id: UUID) -> StoredCall:
        """Return a call with all that is about it; raises `NotFoundError`."""
        ...

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        """Return a campaign in any state; raises `NotFoundError`."""
        ...

    async def load_script(self, script_id: UUID, version: int) -> Script:
        """Return one version of a script; raises `NotFoundError`."""
        ...

    async def commit(self, changes: Sequence[Change]) -> list[Committed | Conflict]:
        """Store independent changes in one transaction, each wholly or not at all; answers in order."""
        ...


class PoolStore(CallStore, Protocol):
    """What the owner of a pool reads and writes; PostgreSQL, or memory in a simulation."""

    async def acquire_lease(self, pool_id: UUID, owner: UUID, address: str) -> Lease | None:
        """Take a pool whose lease has run out, in a new epoch; None when somebody holds it."""
        ...

    async def renew_lease(self, fence: Fence, owner: UUID) -> Lease | None:
        """Prolong the lease by its time to live; None when it is lost."""
        ...

    async def release_lease(self, fence: Fence, owner: UUID) -> None:
        """Give the pool back at once."""
        ...

    async def load_pool(self, pool_id: UUID) -> PoolView:
        """Return the pool with its running and paused campaigns and its operators who are not offline."""
        ...

    async def load_operators(self, operator_ids: Sequence[UUID]) -> list[Operator]:
        """Return these operators, whatever their state; unknown ids are left out."""
        ...

    async def load_live_attempts(self, pool_id: UUID) -> list[Attempt]:
        """Return the pool's attempts that have not ended."""
        ...

    async def list_due_leads(self, campaign_id: UUID, stream: Stream, now: datetime, limit: int) -> list[Lead]:
        """Return the next leads of a queue that may be worked on now, by priority, then by time."""
        ...

    async def load_history(self, leads: Sequence[Lead], since: datetime, now: datetime) -> list[GateHistory]:
        """Return what the gate must know of each lead at *now*, in order; of attempts, those after *since*."""
        ...

    async def load_safety(self) -> Safety:
        """Return what may forbid dialing as a whole."""
        ...

    async def load_pacing(self, pool_id: UUID) -> dict[str, Any] | None:
        """Return what pacing learned under the last owner."""
        ...

    async def save_pacing(self, fence: Fence, state: Mapping[str, Any], diary: Sequence[DiaryEntry]) -> None:
        """Store what pacing learned and new entries of its diary, unless the fence no longer holds."""
        ...

    async def reserve(self, reservations: Sequence[Reservation]) -> list[Attempt | Refusal]:
        """Insert attempts under lock, each with every cap, limit and suppression checked; answers in order."""
        ...


class DeskStore(CallStore, Protocol):
    """What an operator's commands read besides."""

    async def load_desk(self, operator_id: UUID) -> tuple[Operator, StoredCall | None]:
        """Return an operator with the call on their screen; raises `NotFoundError`."""
        ...

    async def load_operator(self, operator_id: UUID) -> Operator:
        """Return an operator; raises `NotFoundError`."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel as the carrier has it: `Down`, `Ringing` or `Up`."""

    id: str
    state: str
    machine: bool = False


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """Something the carrier says about a channel, or (with an empty id) about the connection itself."""

    kind: Literal["started", "ringing", "up", "destroyed", "played", "connected"]
    channel_id: str = ""
    machine: bool = False
    cause: int = 0
    tech_cause: int | None = None
    at: datetime | None = None
    """When it was said, by the carrier's own clock; None for what we say ourselves."""


class Carrier(Protocol):
    """The telephony port: Asterisk over ARI, or the simulated carrier that speaks the same.

    Methods raise `UnavailableError` when the carrier is away and `NotFoundError` when a channel is gone. `dial` is sent
    once; whoever does not get its answer looks at the channel and never sends it again.
    """

    def events(self, app: str) -> AsyncIterator[ChannelEvent]:
        """Connect under *app* and yield what happens, first `connected`; ends when the connection is gone or taken."""
        ...

    async def create_call(self, app: str, channel_id: str, number: str, trunk: str, caller_id: str, ttl_s: int) -> None:
        """Make a channel to a person that rings nobody yet and lives *ttl_s* seconds at most."""
        ...

    async def create_leg(self, app: str, channel_id: str, operator_id: UUID, ttl_s: int) -> None:
        """Make a channel to an operator's phone; `dial` raises it."""
        ...

    async def dial(self, channel_id: str, timeout_s: int) -> None:
        """Ring the channel's endpoint, once."""
        ...

    async def hang_up(self, channel_id: str) -> None:
        """End a channel; one that is gone already is no error."""
        ...

    async def list_channels(self, app: str) -> list[ChannelView]:
        """Return the channels of *app* that exist."""
        ...

    async def join(self, bridge_id: str, channel_ids: Sequence[str]) -> None:
        """Put channels into a bridge, making it when there is none; repeating is harmless."""
        ...

    async def part(self, bridge_id: str) -> None:
        """Dissolve a bridge; one that is gone already is no error."""
        ...

    async def play(self, channel_id: str, media: str) -> None:
        """Start playing *media* to a channel."""
        ...

    async def hold(self, channel_id: str, held: bool) -> None:
        """Put a channel on hold, with music, or take it back."""
        ...


@dataclass(frozen=True, slots=True)
class Ring:
    """A person's phone rang, by the carrier's own account."""

    id: UUID
    number: E164
    at: datetime


@dataclass(frozen=True, slots=True)
class RingsRead:
    """Some of the carrier's ledger, from byte *begin* to *end*; begin is 0 when the ledger has begun anew."""

    rings: tuple[Ring, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class FoundRings:
    """How many rings have no attempt here, and how many leads are held back for them."""

    calls: int
    leads: int


class CarrierLedger(Protocol):
    """The carrier's own account of what rang."""

    async def read_rings(self, position: int) -> RingsRead | None:
        """Return the rings after *position*, as many as fit; None when this carrier keeps no ledger."""
        ...


class RingStore(Protocol):
    """What is kept of the carrier's account."""

    async def ledger_position(self) -> int:
        """Return how far the ledger was read."""
        ...

    async def keep_rings(self, rings: Sequence[Ring], begin: int, end: int) -> FoundRings:
        """Hold back whoever rang without an attempt of ours, and note that the ledger was read on."""
        ...


class Live(Protocol):
    """The line to a signed-in person's screen; at most once, a resume reads the rest."""

    async def push(self, user_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """Send *body* to every screen of *user_id*, wherever it is connected."""
        ...


@dataclass(slots=True)
class PoolCounts:
    """What an owner has done since it took the pool, for metrics and the status page."""

    reserved: int = 0
    dialed: int = 0
    answered: int = 0
    abandoned: int = 0
    outcomes: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class NewLead:
    """A person to add to a campaign; *phone_index* is the first number that may be called, None when none may."""

    id: UUID
    campaign_id: UUID
    contact_id: UUID
    person: Person
    phones: tuple[Phone, ...]
    phone_index: int | None
    priority: int
    consents: tuple["ConsentLine", ...] = ()


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """A line of the consent ledger as the dialer keeps it; one that came with an enrolment has a negative sequence."""

    contact_id: UUID
    sequence: int
    given: bool
    kind: str
    channel: str
    purpose: str | None
    at: datetime
    outside_hours: bool
    number_digests: tuple[str, ...]

    @property
    def refuses_voice(self) -> bool:
        """Whether it ends every call, whatever the purpose."""
        return not self.given and self.purpose is None and self.channel in ("voice", "all")

    @property
    def allows_voice(self) -> bool:
        """Whether it may lift an earlier refusal."""
        return self.given and self.channel in ("voice", "all")


@dataclass(frozen=True, slots=True)
class StoredScript:
    """One version of a script with its name."""

    id: UUID
    version: int
    name: str
    script: Script
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a campaign: what it is called, the new row, and what others hear."""

    change: str
    after: Campaign
    facts: tuple[Event, ...]


class MarketingStore(Protocol):
    """What marketing and supervisors read and write; every method is one transaction."""

    async def save_script(
        self, script_id: UUID, name: str, script: Script, now: datetime, by: UUID | None, *, first: bool
    ) -> int:
        """Keep a new version of a script and return its number; *first* makes a new script."""
        ...

    async def load_script_version(self, script_id: UUID, version: int | None) -> StoredScript:
        """Return one version of a script, the newest by default."""
        ...

    async def list_scripts(self, after: tuple[str, UUID], limit: int) -> list[tuple[UUID, int, str, datetime]]:
        """Return the newest versions by name, after a name and id."""
        ...

    async def insert_campaign(self, campaign: Campaign, by: UUID | None, facts: tuple[Event, ...]) -> None:
        """Keep a new draft; raises `NotFoundError` when its pool or script does not exist."""
        ...

    async def edit_campaign(
        self,
        campaign_id: UUID,
        expected_version: int | None,
        edit: Callable[[Campaign], Awaitable[Edit]],
        now: datetime,
        by: UUID | None,
    ) -> Campaign:
        """Change a campaign under lock as *edit* says; raises `PreconditionError` when its version is another."""
        ...

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        """Return a campaign."""
        ...

    async def list_campaigns(self, before: UUID, limit: int) -> list[Campaign]:
        """Return campaigns, newest first, made before *before*."""
        ...

    async def list_changes(self, campaign_id: UUID, before: int, limit: int) -> list[dict[str, Any]]:
        """Return who changed what, newest first."""
        ...

    async def load_progress(self, campaign_id: UUID, now: datetime, since: datetime) -> tuple[list[Any], list[Any]]:
        """Return how leads stand and how attempts since *since* ended, as rows of counts."""
        ...

    async def list_attempts(self, campaign_id: UUID, before: UUID, limit: int) -> list[Any]:
        """Return a campaign's attempts, newest first."""
        ...

    async def insert_pool(self, pool: Pool) -> None:
        """Make a pool that an instance takes at once."""
        ...

    async def update_pool(self, pool: Pool) -> None:
        """Change a pool's name and limits; raises `NotFoundError`."""
        ...

    async def list_decisions(self, pool_id: UUID, since: datetime, limit: int) -> list[DiaryEntry]:
        """Return what pacing decided since an instant, the newest first."""
        ...

    async def list_pools(self) -> list[Pool]:
        """Return every pool."""
        ...

    async def enrol_operator(self, operator_id: UUID, name: str, default_pool: str, now: datetime) -> Operator:
        """Return an operator's row, made in the default pool when they come for the first time."""
        ...

    async def assign_operator(self, operator_id: UUID, pool_id: UUID, skills: Sequence[str]) -> Operator:
        """Move an operator to a pool and set their skills; only while they are offline, unless the pool stays."""
        ...

    async def list_operators(self, after: tuple[str, UUID], limit: int) -> list[Operator]:
        """Return operators by name."""
        ...

    async def save_trunk(self, trunk: dict[str, Any]) -> None:
        """Set a trunk's limits."""
        ...

    async def list_trunks(self) -> list[dict[str, Any]]:
        """Return every trunk with its live channels."""
        ...

    async def stop(self, scope: str, target: str, now: datetime, by: UUID | None, reason: str) -> None:
        """Put an emergency stop in force."""
        ...

    async def lift(self, scope: str, target: str, now: datetime, by: UUID | None, reason: str) -> None:
        """Lift an emergency stop."""
        ...

    async def list_stop_changes(self, before: int, limit: int) -> list[dict[str, Any]]:
        """Return who stopped or lifted what, newest first."""
        ...

    async def list_stops(self) -> list[dict[str, Any]]:
        """Return the stops in force."""
        ...

    async def load_status(self) -> dict[str, Any]:
        """Return the dialer in figures."""
        ...


@dataclass(frozen=True, slots=True)
class Footing:
    """What a campaign's calls depend on besides its leads, as far as the store knows."""

    owned: bool
    lines: int
    trunk: TrunkUse | None
    pacing: str | None


class ObstacleStore(Protocol):
    """What explains why leads are not being called; reads only."""

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        """Return a campaign in any state; raises `NotFoundError`."""
        ...

    async def load_pool(self, pool_id: UUID) -> PoolView:
        """Return the pool with its operators who are not offline."""
        ...

    async def load_safety(self) -> Safety:
        """Return what may forbid dialing as a whole."""
        ...

    async def load_history(self, leads: Sequence[Lead], since: datetime, now: datetime) -> list[GateHistory]:
        """Return what the gate must know of each lead at *now*, in order; of attempts, those after *since*."""
        ...

    async def load_footing(self, campaign_id: UUID) -> Footing:
        """Return lease, lines, trunk and the last decision of pacing; raises `NotFoundError`."""
        ...

    async def count_held(self, campaign_id: UUID, now: datetime, steps: Sequence[datetime]) -> list[HeldCount]:
        """Return the waiting leads by what holds them and the first of *steps* at which their time has come."""
        ...

    async def count_done(self, campaign_id: UUID) -> list[DoneCount]:
        """Return the leads that do not wait."""
        ...

    async def sample_leads(
        self, campaign_id: UUID, after: datetime, until: datetime, *, among: int, limit: int
    ) -> list[Lead]:
        """Return leads that wait for a call in (*after*, *until*], drawn by lot from about *among* of them."""
        ...


@dataclass(frozen=True, slots=True)
class ScrubImport:
    """One import of a do-not-call list's answers; *older* ones were known by a newer version and were not kept."""

    number: int
    list: DoNotCallList
    version_on: date
    numbers: int
    listed: int
    older: int
    at: datetime
    by: UUID | None


class ScrubStore(Protocol):
    """What is known of numbers on do-not-call lists; every method is one transaction."""

    async def save(
        self, name: DoNotCallList, version_on: date, listed: Mapping[str, bool], now: datetime, by: UUID | None
    ) -> ScrubImport:
        """Keep whether numbers, by digest, stand on a version of a list, and who said so."""
        ...

    async def list_imports(self, before: int, limit: int) -> Sequence[ScrubImport]:
        """Return what was imported, newest first."""
        ...

    async def ask_again(self, rules: Collection[str], now: datetime, limit: int) -> int:
        """Let leads that one of *rules* has put off be due at once, at most *limit* of them; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class KeptPack:
    """The text of one version of a rule pack; *shipped* with Galw, or the organisation's own."""

    id: str
    version: str
    body: str
    shipped: bool


@dataclass(frozen=True, slots=True)
class PackChange:
    """Who put which version in force in place of which, when; None as *after* is a pack that is gone."""

    number: int
    id: str
    before: str | None
    after: str | None
    at: datetime
    by: UUID | None


@dataclass(frozen=True, slots=True)
class Decided:
    """An attempt with the gate's decision and the facts it rests on, as stored; empty once the person is erased."""

    attempt_id: UUID
    campaign_id: UUID
    at: datetime
    stored: Mapping[str, Any]


class PackStore(Protocol):
    """Where packs, their versions and the decisions that rest on them are kept."""

    async def keep_shipped(self, packs: Sequence[KeptPack], numbers: tuple[str, bytes], now: datetime) -> list[str]:
        """Keep what ships; return the packs whose version is kept already with another text."""
        ...

    async def list_in_force(self) -> tuple[int, list[KeptPack]]:
        """Return the number of the newest change, and the organisation's packs in force after it or a later one."""
        ...

    async def newest_change(self) -> int:
        """Return the number of the newest change."""
        ...

    async def put(self, pack: KeptPack, before: str | None, now: datetime, by: UUID | None, fact: Event) -> int:
        """Keep *pack*, put it in force in place of version *before*, announce it; return the change's number."""
        ...

    async def retire(self, pack_id: str, after: str | None, now: datetime, by: UUID | None, fact: Event) -> int:
        """Take the organisation's pack out of force, *after* (what ships) takes its place; announce it."""
        ...

    async def list_kept(self, versions: Iterable[tuple[str, str]]) -> list[KeptPack]:
        """Return packs by id and version; those never kept are left out."""
        ...

    async def load_numbers(self, version: str) -> bytes | None:
        """Return a number table by its version, None when it was never in force."""
        ...

    async def list_changes(self, before: int, limit: int) -> list[PackChange]:
        """Return what was put in force or retired, newest first."""
        ...

    async def load_decided(self, attempt_id: UUID) -> Decided:
        """Return an attempt's stored decision; raises `NotFoundError`."""
        ...

    async def list_decided(
        self, after: tuple[datetime, UUID], before: datetime, campaign_id: UUID | None, limit: int
    ) -> list[Decided]:
        """Return stored decisions, oldest first, after an attempt's instant and id."""
        ...

    async def list_waiting(self, campaign_id: UUID, after: UUID, limit: int) -> list[Lead]:
        """Return a campaign's waiting leads after an id."""
        ...


class NewsStore(Protocol):
    """What is kept of the CRM's news, inside the consumer's transaction."""

    async def enrol_leads(self, conn: Connection, leads: Sequence[NewLead], now: datetime) -> int:
        """Add people to campaigns and return how many are new."""
        ...

    async def withdraw_leads(self, conn: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> None:
        """Finish the waiting leads of these (campaign, contact) pairs."""
        ...

    async def keep_consents(self, conn: Connection, lines: Sequence[ConsentLine]) -> None:
        """Keep lines of the ledger, in order; refusals suppress people and numbers, later grants lift them."""
        ...

    async def erase_people(self, conn: Connection, contact_ids: Sequence[UUID], now: datetime) -> None:
        """Forget people: their leads are blanked, their refusal stays."""
        ...

    async def keep_watermarks(self, pool: postgres.Pool, watermarks: Sequence[tuple[int, datetime]]) -> None:
        """Note of each shard up to when the view of its consents is complete."""
        ...
