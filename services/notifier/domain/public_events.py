"""The catalogue of public events: which facts partners may hear, and exactly what is sent.

The body is that of Standard Webhooks, `{type, timestamp, data}`. Data names people by id only: what a person said in
free text, and who of the staff was there, stays inside.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from services.events import crm, dialer, notifier
from services.events.envelope import Event

TEST_TYPE = "galw.test"
"""The type of the event that a partner sends to himself; nobody can subscribe to it."""


@dataclass(frozen=True, slots=True)
class PublicType:
    """One event type that partners may subscribe to; *fields* is what they are sent of it."""

    event: type[Event]
    summary: str
    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """The type as it stands in subscriptions and bodies."""
        return self.event.type


_CALL = ("attempt_id", "campaign_id", "contact_id")
_MESSAGE = ("message_id", "request_id", "campaign_id", "contact_id", "channel", "template", "state", "reason", "at")

_TYPES = (
    PublicType(
        dialer.CampaignChanged,
        "A campaign was created, launched, paused, resumed, edited, finished or stopped.",
        ("campaign_id", "sequence", "name", "state", "change", "purpose", "at"),
    ),
    PublicType(dialer.CallAnswered, "A person picked up.", (*_CALL, "answered_at")),
    PublicType(
        dialer.CallEnded,
        "An attempt to call somebody ended.",
        (*_CALL, "number_of_attempt", "outcome", "dialed_at", "answered_at", "connected_at", "ended_at", "talk_s"),
    ),
    PublicType(
        dialer.LeadFinished,
        "A person will not be called again in this campaign.",
        ("lead_id", "campaign_id", "contact_id", "result", "attempts", "at"),
    ),
    PublicType(
        dialer.ResponseRecorded,
        "What a person answered; a later revision replaces an earlier one. Free text is not sent.",
        (*_CALL, "revision", "script_id", "script_version", "language", "disposition", "answers", "at"),
    ),
    PublicType(dialer.PersonRefused, "A person asked never to be called again.", (*_CALL, "at")),
    PublicType(crm.ContactChanged, "A contact was created or edited.", ("contact_id", "sequence", "created")),
    PublicType(crm.ContactErased, "A person's data were erased; erase yours.", ("contact_id", "sequence")),
    PublicType(
        crm.ConsentChanged,
        "A person gave or withdrew consent.",
        ("contact_id", "sequence", "change", "kind", "channel", "purpose", "at"),
    ),
    PublicType(notifier.MessageDelivered, "What became of a message to a person.", _MESSAGE),
    PublicType(
        notifier.OptOutReceived,
        "A person wrote that no more messages are wanted.",
        ("inbound_id", "contact_id", "channel", "scope", "at"),
    ),
    PublicType(notifier.ReplyReceived, "A person answered a message.", ("inbound_id", "contact_id", "channel", "at")),
)

PUBLIC_TYPES: dict[str, PublicType] = {one.name: one for one in _TYPES}


@dataclass(frozen=True, slots=True)
class PublicEvent:
    """An event as partners get it; *payload* are the very bytes that are stored, signed and sent."""

    id: UUID
    type: str
    occurred_at: datetime
    campaign_id: UUID | None
    payload: bytes


def public_event(event: Event, event_id: UUID, occurred_at: datetime) -> PublicEvent | None:
    """Return what partners may hear of *event*, None when it is none of their business."""
    kind = PUBLIC_TYPES.get(event.type)
    if kind is None or not isinstance(event, kind.event):
        return None
    shown = event.model_dump(mode="json", include=set(kind.fields))
    if "answers" in shown:
        shown["answers"] = [_shown_answer(answer) for answer in shown["answers"]]
    campaign_id: UUID | None = getattr(event, "campaign_id", None)
    return PublicEvent(event_id, event.type, occurred_at, campaign_id, body(event.type, occurred_at, shown))


def own_test_event(event_id: UUID, now: datetime) -> PublicEvent:
    """Return an event that says nothing, for a partner to try an endpoint with."""
    payload = body(TEST_TYPE, now, {"message": "This is a test. No person and no campaign is concerned."})
    return PublicEvent(event_id, TEST_TYPE, now, None, payload)


def body(event_type: str, timestamp: datetime, shown: dict[str, Any]) -> bytes:
    """Return the JSON of Standard Webhooks: type, timestamp (ISO 8601, UTC), data."""
    at = timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": event_type, "timestamp": at, "data": shown})


def _shown_answer(answer: dict[str, Any]) -> dict[str, Any]:
    kept = {"question_id": answer["question_id"], "kind": answer["kind"]}
    # People say names, numbers and illnesses in free text: partners learn that there was an answer, not which.
    return kept if answer["kind"] == "text" else {**kept, "value": answer["value"]}


def data_schema(kind: PublicType) -> dict[str, Any]:
    """Return the JSON Schema of `data` for *kind*, made from the wire contract."""
    whole = kind.event.model_json_schema(mode="serialization")
    properties = {name: whole["properties"][name] for name in kind.fields}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(kind.fields)}
    if "answers" in properties:
        answer: dict[str, Any] = {"question_id": {"type": "string"}, "kind": {"type": "string"}, "value": {}}
        items = {"type": "object", "properties": answer, "required": ["question_id", "kind"]}
        properties["answers"] = {"type": "array", "items": items}
    return schema
