"""What a service does with the events it hears: event type → handler of a batch."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from services.events.catalogue import BY_TYPE
from services.events.envelope import Envelope, Event
from services.events.topics import TOPICS, Topic
from services.runtime.postgres import Connection

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """One event with its envelope and the place where it stood in the log."""

    event: E
    envelope: Envelope
    topic: str
    partition: int
    offset: int
    produced_at: datetime


BatchHandler = Callable[[Connection, Sequence[Received[E]]], Awaitable[None]]
"""Applies events of one type, in order per key, inside the transaction that also remembers them."""

WatermarkHandler = Callable[[Sequence[Received[E]]], Awaitable[None]]
"""Hears, after the commit, that everything before each watermark of its partition has been applied."""


class Handlers:
    """The handlers of one service; what it hears follows from what is registered."""

    def __init__(self) -> None:
        """Start with none."""
        self._batch: dict[str, BatchHandler[Any]] = {}
        self._watermark: dict[str, WatermarkHandler[Any]] = {}
        self._types: dict[str, type[Event]] = {}

    def on(self, event: type[E]) -> Callable[[BatchHandler[E]], BatchHandler[E]]:
        """Register the decorated coroutine for *event*; a second registration is a mistake.

        It gets every event once in effect, even after crashes and repeats, and in order per key. It may raise
        `RejectedError` (dead letter), `NotFoundError` or `ConflictError` (skipped), `UnavailableError` (tried again
        later, everything waits); anything else parks the key while others go on. After a failure the batch is
        replayed event by event, so what it does must be undone by a rollback.
        """

        def register(handler: BatchHandler[E]) -> BatchHandler[E]:
            self._claim(event)
            self._batch[event.type_name()] = handler
            return handler

        return register

    def on_watermark(self, event: type[E]) -> Callable[[WatermarkHandler[E]], WatermarkHandler[E]]:
        """Register the decorated coroutine for watermarks of type *event*.

        It is called outside any transaction, after everything that stood before the watermark has been committed.
        Watermarks are not remembered in the inbox: a repeat is called again.
        """

        def register(handler: WatermarkHandler[E]) -> WatermarkHandler[E]:
            self._claim(event)
            self._watermark[event.type_name()] = handler
            return handler

        return register

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Return the topics that must be read to hear every registered event."""
        names = {event.topic.name for event in self._types.values()}
        return tuple(topic for topic in TOPICS if topic.name in names)

    def hears(self, type_name: str) -> bool:
        """Tell whether *type_name* (with its version) has a handler."""
        return type_name in self._types

    def is_watermark(self, type_name: str) -> bool:
        """Tell whether *type_name* is registered as a watermark."""
        return type_name in self._watermark

    async def apply(self, conn: Connection, batch: Sequence[Received[Any]]) -> None:
        """Hand *batch*, all of one type, to its handler."""
        await self._batch[batch[0].envelope.type](conn, batch)

    async def announce(self, events: Iterable[Received[Any]]) -> None:
        """Hand the watermarks among *events* to their handlers, those of one type together."""
        by_type: dict[str, list[Received[Any]]] = {}
        for event in events:
            if self.is_watermark(event.envelope.type):
                by_type.setdefault(event.envelope.type, []).append(event)
        for type_name, watermarks in by_type.items():
            await self._watermark[type_name](watermarks)

    def _claim(self, event: type[Event]) -> None:
        name = event.type_name()
        if name in self._types:
            raise ValueError(f"{name} already has a handler")
        if BY_TYPE.get(event.type, {}).get(event.version) is not event:
            raise ValueError(f"{name} is not in services.events.catalogue")
        self._types[name] = event
