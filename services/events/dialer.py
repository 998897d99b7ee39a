"""What the dialer announces."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from services.events.envelope import Event, Wire
from services.events.topics import DIALER_CALLS, DIALER_CAMPAIGNS, DIALER_OPERATORS, DIALER_RESPONSES, Topic

Outcome = Literal[
    "answered",
    "abandoned",
    "no_answer",
    "busy",
    "machine",
    "invalid",
    "rejected",
    "network",
    "cancelled",
    "unknown",
]
"""How an attempt ended. `answered`: an operator spoke with the person. `unknown`: nobody can know whether it rang."""


class CampaignChanged(Event):
    """A campaign was launched, paused, resumed, changed, finished or stopped; *sequence* grows per campaign."""

    topic: ClassVar[Topic] = DIALER_CAMPAIGNS
    type: ClassVar[str] = "dialer.campaign.changed"

    campaign_id: UUID
    sequence: int
    name: str
    state: Literal["draft", "running", "paused", "finished", "stopped"]
    change: Literal["created", "launched", "paused", "resumed", "edited", "finished", "stopped"]
    audience_id: UUID | None = None
    purpose: str = "informational"
    at: datetime
    by: UUID | None = None

    def key(self) -> UUID:
        """Order by the campaign."""
        return self.campaign_id


class PackChanged(Event):
    """A version of a rule pack is in force in place of another; None as *in_force* means that the pack is gone."""

    topic: ClassVar[Topic] = DIALER_CAMPAIGNS
    type: ClassVar[str] = "dialer.pack.changed"

    pack_id: str
    in_force: str | None
    replaces: str | None
    at: datetime
    by: UUID | None = None

    def key(self) -> UUID:
        """Order by the pack."""
        return uuid5(NAMESPACE_URL, f"galw:pack:{self.pack_id}")


class CallAnswered(Event):
    """A person picked up; an operator may or may not have been found yet."""

    topic: ClassVar[Topic] = DIALER_CALLS
    type: ClassVar[str] = "dialer.call.answered"

    attempt_id: UUID
    campaign_id: UUID
    contact_id: UUID
    answered_at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class CallEnded(Event):
    """An attempt reached its one outcome."""

    topic: ClassVar[Topic] = DIALER_CALLS
    type: ClassVar[str] = "dialer.call.ended"

    attempt_id: UUID
    campaign_id: UUID
    contact_id: UUID
    number_of_attempt: int
    outcome: Outcome
    cause: int | None = None
    operator_id: UUID | None = None
    dialed_at: datetime | None = None
    answered_at: datetime | None = None
    connected_at: datetime | None = None
    ended_at: datetime
    talk_s: float = 0.0
    wait_s: float | None = None

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class LeadFinished(Event):
    """A lead will not be called again in this campaign."""

    topic: ClassVar[Topic] = DIALER_CALLS
    type: ClassVar[str] = "dialer.lead.finished"

    lead_id: UUID
    campaign_id: UUID
    contact_id: UUID
    result: Literal["reached", "not_reached", "refused", "invalid", "withdrawn"]
    attempts: int
    at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class RecordedAnswer(Wire):
    """One answer to one question of one script version."""

    question_id: str
    kind: Literal["choice", "several", "number", "date", "text", "scale"]
    question: str
    value: Any


class ResponseRecorded(Event):
    """What a person answered, with the operator's disposition; a later *revision* replaces an earlier one."""

    topic: ClassVar[Topic] = DIALER_RESPONSES
    type: ClassVar[str] = "dialer.response.recorded"

    attempt_id: UUID
    revision: int = 1
    campaign_id: UUID
    contact_id: UUID
    operator_id: UUID
    script_id: UUID
    script_version: int
    language: str
    disposition: str
    answers: tuple[RecordedAnswer, ...] = ()
    note: str = ""
    at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class PersonRefused(Event):
    """A person told an operator never to call again; the dialer already suppressed person and number."""

    topic: ClassVar[Topic] = DIALER_RESPONSES
    type: ClassVar[str] = "dialer.person.refused"

    attempt_id: UUID
    campaign_id: UUID
    contact_id: UUID
    operator_id: UUID | None = None
    at: datetime

    def key(self) -> UUID:
        """Order by the person."""
        return self.contact_id


class OperatorStateChanged(Event):
    """An operator's state, for reports and pay; *sequence* grows per operator."""

    topic: ClassVar[Topic] = DIALER_OPERATORS
    type: ClassVar[str] = "dialer.operator.state_changed"

    operator_id: UUID
    sequence: int
    state: Literal["offline", "ready", "reserved", "talking", "wrap_up", "paused", "lost"]
    reason: str | None = None
    attempt_id: UUID | None = None
    at: datetime

    def key(self) -> UUID:
        """Order by the operator."""
        return self.operator_id
