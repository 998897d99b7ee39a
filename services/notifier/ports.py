"""What the use cases need of the world: one transaction over the notifier's tables, and the ways out of the house."""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from services.events.envelope import Event
from services.notifier.domain.messages import Message, MessageState, Postponed, Settled
from services.notifier.domain.partners import Endpoint, Partner, Target
from services.notifier.domain.public_events import PublicEvent
from services.notifier.domain.recipients import ConsentLine, MessageChannel
from services.notifier.domain.retries import AttemptResult, Verdict
from services.notifier.domain.signatures import Scheme
from services.notifier.domain.templates import Rendered, Template

DeliveryState = Literal["pending", "delivered", "exhausted", "held"]


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is stored; *expires_at* None is the current one."""

    id: UUID
    endpoint_id: UUID
    scheme: Scheme
    sealed: bytes
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that this process has claimed and must send before the lease ends."""

    event_id: UUID
    endpoint_id: UUID
    url: str
    attempts: int
    payload: bytes
    secrets: tuple[tuple[Scheme, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one POST; *body* is the first 16 KiB."""

    result: AttemptResult
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt that ended, to be written down with what follows from it."""

    id: UUID
    delivery: DueDelivery
    claim: UUID
    started_at: datetime
    ended_at: datetime
    request_headers: dict[str, str]
    answer: Answer
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery for those who look at the log."""

    event_id: UUID
    endpoint_id: UUID
    event_type: str
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    settled_at: datetime | None
    last_status: int | None
    last_failure: str | None


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One line of the log: what was sent and what came back."""

    started_at: datetime
    duration_ms: int
    url: str
    request_headers: dict[str, str]
    status: int | None
    failure: str | None
    detail: str
    response_headers: dict[str, str]
    response_body: bytes


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint fares after a batch of attempts."""

    endpoint_id: UUID
    failing_since: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class WebhookFigures:
    """Counts of deliveries and endpoints, for the status page."""

    due: int
    waiting: int
    lag_s: float
    delivered_per_minute: int
    exhausted_per_minute: int
    disabled_endpoints: int


@dataclass(frozen=True, slots=True)
class MessageFigures:
    """Counts of messages, for the status page."""

    due: int
    lag_s: float
    settled_per_minute: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message for those who look at the outbox."""

    message: Message
    state: MessageState
    reason: str
    template_version: int | None
    subject: str
    body: str
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages are looked for; everything given must fit."""

    contact_id: UUID | None = None
    campaign_id: UUID | None = None
    state: MessageState | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """What a person wrote, and what was made of it."""

    id: UUID
    provider_id: str | None
    channel: MessageChannel
    address_digest: str | None
    contact_ids: tuple[UUID, ...]
    text: str
    meaning: Literal["opt_out", "help", "reply"]
    keyword: str | None
    received_at: datetime
    answer_id: UUID | None = None


class Partners(Protocol):
    """Partners, their endpoints and secrets. What belongs to nobody or was removed is not found."""

    async def add(self, partner: Partner) -> None:
        """Write a new partner; `ConflictError` when the name or the id is taken."""
        ...

    async def find(self, partner_id: UUID) -> Partner | None:
        """Return the partner."""
        ...

    async def page(self, only: UUID | None, after: UUID | None, limit: int) -> list[Partner]:
        """Return partners in the order of their ids; *only* limits them to one."""
        ...

    async def save(self, partner: Partner, expected_version: int) -> None:
        """Write a changed partner; `PreconditionError` when somebody else was faster."""
        ...

    async def add_endpoint(self, endpoint: Endpoint) -> None:
        """Write a new endpoint; `ConflictError` when the id is taken."""
        ...

    async def find_endpoint(self, endpoint_id: UUID, *, lock: bool = False) -> Endpoint | None:
        """Return the endpoint; with *lock* it stays as it is until the end of the transaction."""
        ...

    async def list_endpoints(self, partner_id: UUID) -> list[Endpoint]:
        """Return the partner's endpoints, oldest first."""
        ...

    async def save_endpoint(self, endpoint: Endpoint) -> None:
        """Write an endpoint that `find_endpoint` has locked."""
        ...

    async def disable_endpoint(self, endpoint_id: UUID, reason: str, now: datetime) -> bool:
        """Disable the endpoint; tell whether it was enabled until now."""
        ...

    async def remove_endpoint(self, endpoint_id: UUID, now: datetime) -> None:
        """Take the endpoint out of sight; its log remains until the retention."""
        ...

    async def targets(self) -> list[Target]:
        """Return what planning must know about every endpoint, disabled ones included."""
        ...

    async def add_secret(self, secret: SealedSecret) -> None:
        """Write the new current secret; the one before must have been retired."""
        ...

    async def retire_secret(self, endpoint_id: UUID, expires_at: datetime) -> None:
        """Let the current secret sign along until *expires_at*."""
        ...

    async def secrets(self, endpoint_id: UUID, now: datetime) -> list[SealedSecret]:
        """Return the secrets that sign now, the current one first."""
        ...


class Deliveries(Protocol):
    """Public events and what was sent of them to whom."""

    async def add(self, events: Sequence[PublicEvent], pairs: Sequence[tuple[UUID, Target]], now: datetime) -> None:
        """Store *events* and one delivery per pair of event id and target; what is there already stays."""
        ...

    async def claim(
        self, now: datetime, lease_ends_at: datetime, claim: UUID, busy: dict[UUID, int], per_endpoint: int, limit: int
    ) -> list[DueDelivery]:
        """Take due deliveries, each endpoint's share in turn, until the lease ends.

        *busy* are those in hand per endpoint; with them no endpoint gets more than *per_endpoint*, a failing one 1.
        """
        ...

    async def record(self, attempts: Sequence[Attempted]) -> None:
        """Write down attempts and what follows for their deliveries; a delivery claimed anew since is left alone."""
        ...

    async def note_success(self, endpoint_ids: Collection[UUID]) -> None:
        """Clear the failures of endpoints that took a delivery."""
        ...

    async def note_failures(self, failures: dict[UUID, tuple[int, datetime]]) -> list[Health]:
        """Add failures (how many, the first when) per endpoint and return how each fares."""
        ...

    async def hold(self, endpoint_id: UUID) -> int:
        """Hold what waits for a disabled endpoint; return how many."""
        ...

    async def page(
        self, endpoint_id: UUID, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> list[DeliveryView]:
        """Return deliveries, the newest event first."""
        ...

    async def find(self, endpoint_id: UUID, event_id: UUID) -> tuple[DeliveryView, bytes] | None:
        """Return one delivery and its payload."""
        ...

    async def attempts(self, endpoint_id: UUID, event_id: UUID, limit: int) -> list[AttemptView]:
        """Return the last attempts, oldest first."""
        ...

    async def counts(self, endpoint_ids: Sequence[UUID], since: datetime) -> dict[UUID, dict[str, int]]:
        """Return deliveries by endpoint and state, of events stored since then."""
        ...

    async def replay(self, endpoint_id: UUID, event_id: UUID, now: datetime) -> bool:
        """Make one delivery due again, whatever became of it; tell whether there is one."""
        ...

    async def replay_failed(self, endpoint_id: UUID, since: datetime, now: datetime, limit: int) -> int:
        """Make exhausted and held deliveries of events stored since then due again, oldest first; return how many."""
        ...

    async def figures(self, now: datetime) -> WebhookFigures:
        """Return the counts of this moment."""
        ...

    async def forget(self, stored_before: datetime, now: datetime, limit: int) -> int:
        """Delete old events with all that hangs on them, and secrets that expired; return how many events."""
        ...


class Messages(Protocol):
    """Messages to people, and what people wrote."""

    async def lock_people(self, contact_ids: Collection[UUID]) -> None:
        """Lock the rows of these people, in the order of their ids, until the end of the transaction."""
        ...

    async def add(self, messages: Sequence[Message]) -> set[UUID]:
        """Write new messages and return their ids; a request that is there already is left alone."""
        ...

    async def claim(self, now: datetime, lease_ends_at: datetime, claim: UUID, limit: int) -> list[Message]:
        """Take due messages, the longest due first, until the lease ends."""
        ...

    async def settle(self, settled: Sequence[Settled], claim: UUID, now: datetime) -> set[UUID]:
        """Write what became of messages; return the ids of those that were still ours to settle."""
        ...

    async def postpone(self, postponed: Sequence[Postponed], claim: UUID) -> None:
        """Give messages back until later."""
        ...

    async def page(self, chosen: MessageFilter, before: UUID | None, limit: int) -> list[MessageView]:
        """Return messages, the newest first."""
        ...

    async def find(self, message_id: UUID) -> MessageView | None:
        """Return one message."""
        ...

    async def find_requested(self, request_id: UUID) -> MessageView | None:
        """Return the message that a request led to."""
        ...

    async def people_at(self, address_digest: str) -> list[UUID]:
        """Return everybody who was ever sent a message to the address, the last first."""
        ...

    async def last_to(self, contact_id: UUID, channel: MessageChannel) -> Message | None:
        """Return the last message to the person, to know address and language."""
        ...

    async def last_language(self, contact_id: UUID) -> str | None:
        """Return the language that the last message to the person named, if any did."""
        ...

    async def add_inbound(self, inbound: Inbound) -> None:
        """Write what a person wrote; `ConflictError` when the provider's id is there already."""
        ...

    async def find_inbound(self, provider_id: str) -> Inbound | None:
        """Return what was made of the provider's message."""
        ...

    async def inbound_page(self, before: UUID | None, limit: int) -> list[Inbound]:
        """Return what people wrote, the newest first."""
        ...

    async def blank(self, before: datetime, limit: int) -> int:
        """Empty address, text and variables of settled messages, and what people wrote, older than *before*."""
        ...

    async def forget(self, contact_id: UUID) -> None:
        """Empty everything personal about somebody who was erased, in outbox, dead letters and parked records too."""
        ...

    async def figures(self, now: datetime) -> MessageFigures:
        """Return the counts of this moment."""
        ...


class Consents(Protocol):
    """Who said no, as far as messages need to know."""

    async def save(self, lines: Sequence[ConsentLine]) -> None:
        """Keep each line unless a later one about the same scope is there."""
        ...

    async def lines(self, subjects: Collection[str]) -> dict[str, list[ConsentLine]]:
        """Return the lines of each subject that has any."""
        ...


class Templates(Protocol):
    """Templates and their versions."""

    async def add(self, template: Template) -> None:
        """Write a version; `PreconditionError` when it is there already."""
        ...

    async def find(self, name: str, version: int | None = None) -> Template | None:
        """Return a version, by default the latest."""
        ...

    async def latest(self, names: Collection[str]) -> dict[str, Template]:
        """Return the latest version of each that exists."""
        ...

    async def page(self, after: str | None, limit: int) -> list[Template]:
        """Return the latest versions in the order of their names."""
        ...


class Tx(Protocol):
    """One open transaction; everything it did is kept or dropped together."""

    @property
    def partners(self) -> Partners:
        """Partners, endpoints, secrets."""
        ...

    @property
    def deliveries(self) -> Deliveries:
        """Public events and their deliveries."""
        ...

    @property
    def messages(self) -> Messages:
        """Messages to and from people."""
        ...

    @property
    def consents(self) -> Consents:
        """Who said no."""
        ...

    @property
    def templates(self) -> Templates:
        """Templates."""
        ...

    async def append_facts(self, facts: Sequence[tuple[UUID, Event]], now: datetime) -> None:
        """Announce facts under these ids when the transaction commits; the people concerned are locked."""
        ...


class Store(Protocol):
    """The notifier's tables."""

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """Open a transaction that commits on leaving; `UnavailableError` when trying again may help."""
        ...


class WebhookSender(Protocol):
    """POSTs to partners; it never follows a redirect and never dials an address that the policy refuses."""

    async def post(self, url: str, headers: dict[str, str], payload: bytes) -> Answer:
        """Return what came of it, within the time limit; every failure is an answer, none is raised."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A gateway took a message: *delivered* when it knows that it arrived, else a receipt may follow."""

    delivered: bool
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """A gateway will never take this message."""

    reason: str


class MessageGateway(Protocol):
    """Sends one message; the message's id is the idempotency key towards the provider."""

    async def send(self, message: Message, rendered: Rendered) -> Sent | NotSent:
        """Send it; raise `UnavailableError` when trying again later may help."""
        ...


@dataclass(frozen=True, slots=True)
class Wait:
    """A message must not go out now, but may at *until*."""

    until: datetime
    reason: str


class SendGate(Protocol):
    """Decides when a message may go out: quiet hours, windows, caps. Consent is checked besides, always."""

    def decide(self, message: Message, now: datetime) -> Wait | None:
        """Return until when to wait, None when it may go now."""
        ...


class RandomBytes(Protocol):
    """Randomness fit for secrets."""

    def __call__(self, count: int, /) -> bytes:
        """Return *count* fresh bytes."""
        ...
