"""The port to Kafka: atomic batches to one partition, readers that are told where to read, topics that we make.

There are no consumer groups (docs/decisions/0002): who reads what, and from where, stands in PostgreSQL. Whatever goes
wrong with the broker is an `UnavailableError`; callers try again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written."""

    key: bytes
    value: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    produced_at: datetime

    def header(self, name: str) -> str | None:
        """Return the last header called *name* as text, or None; bytes that are no text are replaced."""
        for key, value in reversed(self.headers):
            if key == name:
                return value.decode(errors="replace")
        return None


class Reader(Protocol):
    """Reads the partitions it was given, each in order from where it was told."""

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read exactly these partitions from now on, each from the given offset."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Go on reading an assigned *partition* at *offset*."""
        ...

    async def poll(self, max_records: int) -> list[Record]:
        """Return up to *max_records*, each partition in order; an empty list after a short wait without any."""
        ...

    def wait(self, wait_ms: int) -> None:
        """Let polls wait up to *wait_ms* for news from now on."""
        ...

    def lag(self) -> int:
        """Return how many records of the assigned partitions are not read yet, as far as the broker told."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class Bus(Protocol):
    """What the messaging of a service needs of a broker."""

    volatile: bool
    """The broker forgets everything when it restarts and makes topics that somebody merely asks about."""

    async def publish(self, partition: Partition, records: Sequence[Outgoing]) -> int:
        """Write *records* as one batch, all or none, and return the offset of the first.

        After an `UnavailableError` they may have been written all the same. Callers never write a second batch to a
        partition before the first is resolved: that is what keeps the order.
        """
        ...

    async def topics(self) -> Mapping[str, int]:
        """Return the topics that exist, with their numbers of partitions."""
        ...

    async def create_topic(self, name: str, partitions: int, config: Mapping[str, str]) -> bool:
        """Make a topic; False when there is one of that name."""
        ...

    async def delete_topic(self, name: str) -> None:
        """Delete a topic with its log; no error when there is none. `topics` may name it a moment longer."""
        ...

    def reader(self, wait_ms: int) -> Reader:
        """Return a reader whose polls wait up to *wait_ms* for news."""
        ...

    async def close(self) -> None:
        """Close what was opened."""
        ...
