"""From bytes to events: what a record is, decided without touching anything.

Whatever cannot be an event of ours is told apart here: our own markers and what older logs left are passed over, an
unknown type is skipped and counted (a later version may have it told again), an unknown version of a known type, a
foreign source on our own topics and anything undecodable become dead letters with a reason that quotes no values.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from pydantic import ValidationError

from services.events.catalogue import BY_TYPE
from services.events.envelope import Envelope
from services.events.topics import Topic
from services.runtime.bus import Record
from services.runtime.consumer.handlers import Handlers, Received
from services.runtime.epoch import EPOCH_HEADER, MARKER_TYPE

_FOREIGN_IDS = UUID("6f7f6a3e-3f0b-5c39-9c11-0d7a2f3b6c55")
_TYPE = re.compile(r"(?P<name>[a-z0-9_.]{1,100})\.v(?P<version>\d{1,4})")

Passed = Literal["stale", "marker", "unknown_type", "unheard"]


@dataclass(frozen=True, slots=True)
class Item:
    """A record with what it means: an event, a reason why it is a dead letter, or why it is passed over."""

    record: Record
    id: UUID
    event: Received[Any] | None = None
    dead: str | None = None
    passed: Passed | None = None

    @property
    def key(self) -> bytes:
        """Return what orders the record: its event's key, whatever the producer wrote beside it."""
        return str(self.event.envelope.key).encode() if self.event else self.record.key or self.id.bytes


def epoch_of(record: Record) -> int | None:
    """Return the epoch under which one of us sent *record*, or None for a record from outside."""
    return _integer(record.header(EPOCH_HEADER))


def chain_of(record: Record) -> tuple[str, int, int] | None:
    """Return source, publication and the one before it, or None for a record that is no fact of an outbox."""
    source = record.header("ce_source")
    publication, previous = _integer(record.header("galw_publication")), _integer(record.header("galw_previous"))
    if source is None or publication is None or previous is None:
        return None
    return source, publication, previous


def decode(record: Record, topic: Topic, handlers: Handlers, epoch: int) -> Item:
    """Tell what *record*, read from *topic* under *epoch*, is; never raises."""
    sent_under = epoch_of(record)
    identity = _identity(record, sent_under)
    type_name = record.header("ce_type")
    if type_name == MARKER_TYPE:
        return Item(record, identity, passed="marker")
    if sent_under is not None and sent_under < epoch:
        return Item(record, identity, passed="stale")
    if reason := _refusal(record, topic, type_name):
        return Item(record, identity, dead=reason)
    match = _TYPE.fullmatch(type_name or "")
    versions = BY_TYPE.get(match["name"]) if match else None
    if match is None or versions is None:
        return Item(record, identity, passed="unknown_type")
    model = versions.get(int(match["version"]))
    if model is None or type_name is None:
        return Item(record, identity, dead=f"unknown version {match['version']} of {match['name']}")
    if model.topic.name != topic.name:
        return Item(record, identity, dead=f"{type_name} does not belong on {topic.name}")
    if not handlers.hears(type_name):
        return Item(record, identity, passed="unheard")
    try:
        event = model.model_validate_json(record.value or b"")
    except ValidationError as error:
        return Item(record, identity, dead=_explain(error))
    envelope = Envelope(
        id=identity,
        source=record.header("ce_source") or "",
        type=type_name,
        time=_instant(record.header("ce_time")) or record.produced_at,
        key=event.key(),
        topic=record.topic,
        payload=record.value or b"",
        traceparent=record.header("traceparent"),
    )
    received = Received(event, envelope, record.topic, record.partition, record.offset, record.produced_at)
    return Item(record, identity, event=received)


def _refusal(record: Record, topic: Topic, type_name: str | None) -> str | None:
    source = record.header("ce_source")
    if type_name is None:
        return "no header ce_type: not a CloudEvent in binary mode"
    if record.header("ce_id") is None:
        return "no header ce_id: without an identity a repeat could not be told from news"
    if not topic.external and source != topic.owner:
        return f"a record of a foreign source on {topic.name}, where only {topic.owner} speaks"
    return None


def _identity(record: Record, sent_under: int | None) -> UUID:
    """Return the id under which a record is remembered; strangers cannot take the id of one of our own events."""
    ce_id, source = record.header("ce_id"), record.header("ce_source")
    if ce_id is None:
        return uuid5(
            _FOREIGN_IDS, f"{record.topic}/{record.partition}/{record.offset}/{record.produced_at.isoformat()}"
        )
    if sent_under is not None:
        try:
            return UUID(ce_id)
        except ValueError:
            pass
    return uuid5(_FOREIGN_IDS, f"{source}\0{ce_id}")


def _explain(error: ValidationError) -> str:
    """Return what is wrong, field by field; the values themselves may be personal and stay out."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    parts = [f"{'.'.join(str(step) for step in d['loc']) or 'value'}: {d['msg']}" for d in details[:10]]
    return "undecodable: " + "; ".join(parts)


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None


def _instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
