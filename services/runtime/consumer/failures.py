"""Where records go that cannot be applied: dead letters for ever, parked keys until their cause is mended."""

import base64
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from services.runtime.bus import Record
from services.runtime.consumer.decode import Item
from services.runtime.errors import GalwError
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime")

_FIRST_RETRY = timedelta(seconds=1)
_LAST_RETRY = timedelta(minutes=10)


class FailureLimitError(Exception):
    """A topic has too many dead letters and parked keys; nothing of the batch was kept."""

    def __init__(self, topic: str, failures: int, limit: int) -> None:
        """Name the topic and the figures."""
        super().__init__(f"{topic} has {failures} dead letters and parked keys, the limit is {limit}")
        self.topic = topic


def next_retry(attempts: int, now: datetime) -> datetime:
    """Return when a parked key is tried again, after *attempts* failures; spread, so that keys do not come together."""
    delay = min(_FIRST_RETRY * 2 ** min(attempts, 16), _LAST_RETRY)
    return now + delay * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


def reason_of(error: BaseException) -> str:
    """Return why a record failed: the sentence of an error of ours, else only its type, for values may be personal."""
    return f"{error.code}: {error.message}" if isinstance(error, GalwError) else f"bug: {type(error).__qualname__}"


async def bury(conn: Connection, letters: Sequence[tuple[Item, str]]) -> int:
    """Keep *letters* with their reasons; return how many were not there before."""
    if not letters:
        return 0
    columns = zip(*(_columns(item.id, item.record, item.record.key) for item, _ in letters), strict=True)
    return await conn.fetchval(
        SQL["dead_letters_append"], *(list(column) for column in columns), [reason for _, reason in letters]
    )


async def park(conn: Connection, items: Sequence[tuple[Item, str]], due_at: datetime) -> None:
    """Put *items* behind what is already parked of their keys; the first of a key is tried again at *due_at*."""
    if not items:
        return
    columns = zip(*(_columns(item.id, item.record, item.key) for item, _ in items), strict=True)
    await conn.execute(
        SQL["parked_append"],
        *(list(column) for column in columns),
        [reason for _, reason in items],
        [due_at for _ in items],
    )


async def parked_among(conn: Connection, items: Sequence[Item]) -> set[tuple[str, bytes]]:
    """Return which keys of *items* are parked."""
    if not items:
        return set()
    rows = await conn.fetch(SQL["parked_keys"], [item.record.topic for item in items], [item.key for item in items])
    return {(row["topic"], row["key"]) for row in rows}


async def check_limit(conn: Connection, topics: Sequence[str], limit: int) -> None:
    """Raise `FailureLimitError` when one of *topics* has more failures than *limit*."""
    for row in await conn.fetch(SQL["failures_count"], list(topics)):
        if row["failures"] > limit:
            raise FailureLimitError(row["topic"], row["failures"], limit)


def to_record(row: Any) -> Record:
    """Return the record of a stored row, as it was read."""
    return Record(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        key=row["key"],
        value=row["value"],
        headers=tuple((name, base64.b64decode(value)) for name, value in row["headers"]),
        produced_at=row["produced_at"],
    )


def _columns(identity: object, record: Record, key: bytes | None) -> tuple[object, ...]:
    # Header values are bytes that need not be text, so JSON holds them in base64. It goes as text, since the driver
    # takes a list in a list for an array of one dimension more, and an empty one for nothing.
    headers = orjson.dumps([[name, base64.b64encode(value or b"").decode()] for name, value in record.headers]).decode()
    value = record.value if record.value is not None else b""
    return identity, record.topic, record.partition, record.offset, record.produced_at, key, value, headers
