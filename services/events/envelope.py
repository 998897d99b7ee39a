"""The base of every wire event and its CloudEvents envelope.

`Event` is what use cases make; `Envelope` is what travels. The type string ends in the version
(`dialer.call.ended.v1`), so a consumer can tell an unknown type (skipped, counted, replayable) from an unknown version
of a known type (dead letter).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.events.topics import Topic


class Wire(BaseModel):
    """A frozen value on the wire; unknown fields are ignored, so that a producer may add one first."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64")


class Event(Wire):
    """One fact or request; subclasses state where it travels and under which name."""

    topic: ClassVar[Topic]
    type: ClassVar[str]
    version: ClassVar[int] = 1

    def key(self) -> UUID:
        """Return the id that orders this event: the contact wherever a person is concerned, else the aggregate."""
        raise TypeError(f"{type(self).__name__} states no key")

    @classmethod
    def type_name(cls) -> str:
        """Return the CloudEvents type with its version."""
        return f"{cls.type}.v{cls.version}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with its identity, as written to the outbox and read from Kafka."""

    id: UUID
    source: str
    type: str
    time: datetime
    key: UUID
    topic: str
    payload: bytes
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event, *, id: UUID, source: str, time: datetime, traceparent: str | None = None) -> Self:  # noqa: A002
        """Wrap *event* made by the service *source* at *time*."""
        return cls(
            id=id,
            source=source,
            type=event.type_name(),
            time=time,
            key=event.key(),
            topic=event.topic.name,
            payload=event.model_dump_json().encode(),
            traceparent=traceparent,
        )
