"""Applying a batch: effects, inbox, failures and positions in one transaction.

First everything together, handler by handler. When that fails by anything but an outage, the same records again one by
one behind savepoints, so that the one key that fails is parked and all others go on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Literal

import asyncpg
import structlog

from services.events.topics import Topic
from services.runtime import metrics
from services.runtime.consumer import failures
from services.runtime.consumer.decode import Item
from services.runtime.consumer.handlers import Handlers, Received
from services.runtime.errors import ConflictError, NotFoundError, RejectedError, UnavailableError
from services.runtime.postgres import Connection, is_outage
from services.runtime.sql import load_sql
from services.runtime.tracing import batch_span

SQL = load_sql("services.runtime")
_LOG = structlog.get_logger(__name__)

INBOX_MARGIN = timedelta(days=2)
"""How much longer than its topic's retention an event is remembered: nothing that old can be told again."""

_OURS = (
    asyncpg.QueryCanceledError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
"""Of what may pass by itself, that which one record can cause again and again: such a key is parked and retried."""

Result = Literal["applied", "skipped", "dead", "parked"]


@dataclass(slots=True)
class Outcome:
    """What became of a batch; *repeated* had their effect before."""

    applied: int = 0
    repeated: int = 0
    dead: list[tuple[Item, str]] = field(default_factory=list[tuple[Item, str]])
    parked: list[tuple[Item, str]] = field(default_factory=list[tuple[Item, str]])


class HandlerFailedError(Exception):
    """A handler failed on a batch by our own fault; the records must be tried one by one."""


class Applier:
    """Applies decoded records for one service."""

    def __init__(self, service: str, handlers: Handlers, topics: Iterable[Topic], limit: int) -> None:
        """Prepare for *topics*; *limit* failures of one topic are kept at most."""
        self.service = service
        self._handlers = handlers
        self._kept = {topic.name: topic.retention + INBOX_MARGIN for topic in topics}
        self._limit = limit

    async def apply(self, conn: Connection, items: Sequence[Item], now: datetime, *, one_by_one: bool) -> Outcome:
        """Apply *items* inside the caller's transaction, which must be rolled back when this raises.

        Raises `HandlerFailedError` when they should be applied *one_by_one*, `UnavailableError` for an outage and
        `FailureLimitError` when a topic would have too many failures.
        """
        outcome = Outcome(dead=[(item, item.dead) for item in items if item.dead is not None])
        events = [item for item in items if item.event and not self._is_watermark(item)]
        news = await self._remember(conn, events, now.date())
        outcome.repeated = len(events) - len(news)
        parked = await failures.parked_among(conn, news)
        waiting = [item for item in news if (item.record.topic, item.key) in parked]
        outcome.parked = [(item, "waits for earlier records of its key") for item in waiting]
        ready = [item for item in news if (item.record.topic, item.key) not in parked]
        if one_by_one:
            await self._apply_each(conn, ready, outcome)
        else:
            await self._apply_together(conn, ready, outcome)
        await self._keep(conn, outcome, now)
        return outcome

    async def retry(self, conn: Connection, item: Item) -> tuple[Result, str]:
        """Apply one record behind a savepoint; return what became of it and why."""
        assert item.event is not None
        try:
            async with conn.transaction():
                await self._handlers.apply(conn, [item.event])
        except RejectedError as error:
            return "dead", failures.reason_of(error)
        except (NotFoundError, ConflictError) as error:
            _LOG.info("consumer.skipped", event_id=str(item.id), type=item.event.envelope.type, reason=error.code)
            return "skipped", failures.reason_of(error)
        except UnavailableError:
            raise
        except _OURS as error:
            return "parked", failures.reason_of(error)
        except Exception as error:
            if is_outage(error, conn):
                raise
            # Our own bug: this key is parked, the others flow on.
            _LOG.exception("consumer.failed", event_id=str(item.id), type=item.event.envelope.type)
            return "parked", failures.reason_of(error)
        return "applied", ""

    def _is_watermark(self, item: Item) -> bool:
        return item.event is not None and self._handlers.is_watermark(item.event.envelope.type)

    async def _remember(self, conn: Connection, items: Sequence[Item], today: date) -> list[Item]:
        """Return the first of each id that was not in the inbox; all are from now on."""
        if not items:
            return []
        rows = await conn.fetch(
            SQL["inbox_remember"],
            [item.id for item in items],
            [today + self._kept[item.record.topic] for item in items],
        )
        unseen = {row["id"] for row in rows}
        news: list[Item] = []
        for item in items:
            if item.id in unseen:
                unseen.discard(item.id)
                news.append(item)
        return news

    async def _apply_together(self, conn: Connection, items: Sequence[Item], outcome: Outcome) -> None:
        for events in waves(items):
            envelopes = [event.envelope for event in events]
            try:
                with batch_span(envelopes[0].topic, self.service, (e.traceparent for e in envelopes)):
                    await self._handlers.apply(conn, events)
            except UnavailableError:
                raise
            except Exception as error:
                if is_outage(error, conn) and not isinstance(error, _OURS):
                    raise
                raise HandlerFailedError from error
            outcome.applied += len(events)

    async def _apply_each(self, conn: Connection, items: Sequence[Item], outcome: Outcome) -> None:
        stuck: set[tuple[str, bytes]] = set()
        for item in items:
            key = (item.record.topic, item.key)
            if key in stuck:
                outcome.parked.append((item, "waits for earlier records of its key"))
                continue
            result, reason = await self.retry(conn, item)
            if result == "dead":
                outcome.dead.append((item, reason))
            elif result == "parked":
                stuck.add(key)
                outcome.parked.append((item, reason))
            else:
                outcome.applied += 1

    async def _keep(self, conn: Connection, outcome: Outcome, now: datetime) -> None:
        if not outcome.dead and not outcome.parked:
            return
        for topic, letters in groupby(sorted(outcome.dead, key=_topic), key=_topic):
            metrics.DEAD_LETTERS.labels(self.service, topic).inc(await failures.bury(conn, list(letters)))
        await failures.park(conn, outcome.parked, failures.next_retry(0, now))
        topics = {item.record.topic for item, _ in (*outcome.dead, *outcome.parked)}
        await failures.check_limit(conn, sorted(topics), self._limit)


def waves(items: Sequence[Item]) -> list[list[Received[Any]]]:
    """Group events of one type, as few groups as keeping the order of every key allows.

    An event joins the first group of its type that does not come before the last group of its key.
    """
    groups: list[list[Received[Any]]] = []
    last: dict[tuple[str, bytes], int] = {}
    for item in items:
        assert item.event is not None
        key = (item.record.topic, item.key)
        type_name = item.event.envelope.type
        for index in range(last.get(key, 0), len(groups)):
            if groups[index][0].envelope.type == type_name:
                groups[index].append(item.event)
                break
        else:
            index = len(groups)
            groups.append([item.event])
        last[key] = index
    return groups


def _topic(letter: tuple[Item, str]) -> str:
    return letter[0].record.topic
