"""A lead: one person in one campaign, and what follows each attempt to reach them.

A campaign's *cadence* is a list of steps: calls with a retry rule per outcome, then perhaps a message. `plan_after`
answers what the lead does next; it never forgets how often each outcome was met, so a maximum holds across restarts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.dialer.domain.attempts import Outcome


class LeadState(StrEnum):
    """Whether a lead waits for its next step, is being worked on, or is done."""

    WAITING = "waiting"
    BUSY = "busy"
    FINISHED = "finished"


class Stream(IntEnum):
    """The queue a waiting lead stands in; each has its share of the lines, so that none starves another."""

    CALLBACK = 0
    FRESH = 1
    RETRY = 2
    MESSAGE = 3


Result = Literal["reached", "not_reached", "refused", "invalid", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Phone:
    """A number to try; *digest* is how services speak of it."""

    e164: str
    digest: str
    kind: Literal["mobile", "landline", "unknown"] = "unknown"
    country: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What the dialer keeps of a person for one campaign."""

    name: str = ""
    language: str | None = None
    email: str | None = None
    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    time_zone: str | None = None
    address_verified_on: date | None = None
    relationship: str = "none"
    relationship_since: date | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Lead:
    """One person in one campaign.

    A busy lead whose *result* is `withdrawn` is one whose person left the campaign meanwhile: it never waits again.
    """

    id: UUID
    campaign_id: UUID
    contact_id: UUID
    state: LeadState
    person: Person
    phones: tuple[Phone, ...]
    priority: int
    stream: Stream
    next_at: datetime
    version: int
    result: Result | None = None
    held_by: str | None = None
    step: int = 0
    phone_index: int = 0
    attempts: int = 0
    """Attempts reserved so far, those that rang nobody included; it numbers the next one."""
    tries: Mapping[str, int] = field(default_factory=dict[str, int])
    callback_operator: UUID | None = None

    @property
    def phone(self) -> Phone:
        """The number to try next."""
        return self.phones[min(self.phone_index, len(self.phones) - 1)]


Wait = Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=90))]
"""How long a cadence waits between two of its contacts."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """After one kind of outcome: when to try again, how often at the most, and whether on the next number."""

    delay: Wait
    maximum: Annotated[int, Field(ge=0, le=100)]
    alternate_number: bool = False


@dataclass(frozen=True, slots=True)
class CallStep:
    """Call until somebody is reached or the rules are used up."""

    retries: Mapping[Outcome, RetryRule]
    max_attempts: Annotated[int, Field(ge=1, le=100)]
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class MessageStep:
    """Send one message to whoever was not reached, *after* the previous step ended."""

    channel: Literal["sms", "email"]
    template: str
    after: Wait = timedelta(0)
    kind: Literal["message"] = "message"


Step = CallStep | MessageStep
Cadence = tuple[Step, ...]


def plan_after(lead: Lead, outcome: Outcome, cadence: Cadence, now: datetime) -> Lead:
    """Return the lead after an attempt ended in *outcome*.

    *answered* leaves it busy: the operator's disposition decides. *cancelled* rang nobody and counts for nothing.
    *unknown* may have rung and is never redialled by itself: the calls of this step are over.
    """
    if outcome is Outcome.ANSWERED:
        return _change(lead, state=LeadState.BUSY)
    if outcome is Outcome.CANCELLED:
        return _waiting(lead, next_at=now + timedelta(seconds=5))
    tries = {**lead.tries, outcome.value: lead.tries.get(outcome.value, 0) + 1}
    lead = replace(lead, tries=tries)
    step = step_of(cadence, lead)
    if not isinstance(step, CallStep) or outcome is Outcome.UNKNOWN:
        return plan_next_step(lead, cadence, now)
    rule = step.retries.get(outcome)
    used_up = sum(tries.values()) >= step.max_attempts
    if rule is None or tries[outcome.value] > rule.maximum or used_up:
        another = _next_phone(lead) if outcome is Outcome.INVALID else None
        if another is not None and not used_up:
            return _wait(lead, now, phone_index=another)
        return plan_next_step(lead, cadence, now)
    index = _next_phone(lead, wrap=True) if rule.alternate_number else lead.phone_index
    return _wait(lead, now + rule.delay, phone_index=index or 0)


def plan_next_step(lead: Lead, cadence: Cadence, now: datetime) -> Lead:
    """Return the lead on the cadence's next step, or finished when there is none.

    Each step of calls counts its own tries, so that calls after a message are not used up by those before it.
    """
    lead = replace(lead, step=lead.step + 1)
    match step_of(cadence, lead):
        case None:
            return finish(lead, "invalid" if _all_invalid(lead) else "not_reached")
        case MessageStep(after=after):
            return _waiting(lead, stream=Stream.MESSAGE, next_at=now + after, held_by="message")
        case CallStep():
            return _wait(lead, now, tries={})


def step_of(cadence: Cadence, lead: Lead) -> Step | None:
    """Return the step that the lead stands on; None when the campaign was given a cadence too short for that."""
    return cadence[lead.step] if lead.step < len(cadence) else None


def finish(lead: Lead, result: Result, ruled_out_by: str | None = None) -> Lead:
    """Return the lead as done; nothing calls it again in this campaign. *ruled_out_by* is the rule that said never."""
    return _change(lead, state=LeadState.FINISHED, result=result, callback_operator=None, held_by=ruled_out_by)


def call_back(lead: Lead, at: datetime, operator: UUID | None) -> Lead:
    """Return the lead waiting for a callback at an agreed instant, by *operator* or by anyone."""
    return _waiting(lead, stream=Stream.CALLBACK, next_at=at, callback_operator=operator, held_by="callback")


def defer(lead: Lead, until: datetime, held_by: str) -> Lead:
    """Return the lead waiting until the gate allows it; *held_by* names the rule that holds it back."""
    return _waiting(lead, next_at=until, held_by=held_by)


def release(lead: Lead, now: datetime) -> Lead:
    """Return a lead that an operator skipped or the dialer gave up before dialing, waiting again."""
    return _waiting(lead, next_at=now + timedelta(seconds=60), held_by="skipped")


def hold(lead: Lead, *, attempts: int | None = None) -> Lead:
    """Return the lead taken out of its queue while it is previewed, called or wrapped up."""
    counted = lead.attempts if attempts is None else attempts
    return _change(lead, state=LeadState.BUSY, held_by=None, attempts=counted)


def _wait(lead: Lead, at: datetime, **changes: Any) -> Lead:
    return _waiting(lead, stream=Stream.RETRY, next_at=at, held_by="retry_delay", **changes)


def _waiting(lead: Lead, **changes: Any) -> Lead:
    """Return the lead back in a queue, or done when the person left the campaign or was erased while it was busy."""
    if lead.result == "withdrawn" or not lead.phones:
        return finish(lead, "withdrawn")
    return _change(lead, state=LeadState.WAITING, **changes)


def _next_phone(lead: Lead, *, wrap: bool = False) -> int | None:
    usable = [i for i, phone in enumerate(lead.phones) if phone.refused is None]
    later = [i for i in usable if i > lead.phone_index]
    if later:
        return later[0]
    return usable[0] if wrap and usable else None


def _all_invalid(lead: Lead) -> bool:
    return bool(lead.tries) and set(lead.tries) <= {Outcome.INVALID.value}


def _change(lead: Lead, **changes: Any) -> Lead:
    return replace(lead, version=lead.version + 1, **changes)
