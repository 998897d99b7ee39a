"""Telling the other services, and telling partners."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.events.envelope import Event
from services.notifier.domain.partners import Routing
from services.notifier.domain.public_events import public_event
from services.notifier.ports import Tx
from services.runtime.ids import NewId

Fact = tuple[UUID, Event, datetime]
"""An event with its id and the time at which it was announced."""


async def announce(tx: Tx, events: Sequence[Event], now: datetime, new_id: NewId) -> None:
    """Announce the notifier's own facts, and tell partners in the same transaction and under the same ids."""
    facts = [(new_id(), event) for event in events]
    await tx.append_facts(facts, now)
    await tell_partners(tx, [(fact_id, event, now) for fact_id, event in facts], now)


async def tell_partners(tx: Tx, facts: Sequence[Fact], now: datetime) -> int:
    """Plan one delivery per public fact and endpoint that is told of it; repeats plan nothing. Return how many.

    Endpoints are read in the same transaction, so a subscription that was just made or dropped counts at once.
    """
    shown = [public for fact_id, event, at in facts if (public := public_event(event, fact_id, at)) is not None]
    if not shown:
        return 0
    routing = Routing(await tx.partners.targets())
    pairs = [(event.id, target) for event in shown for target in routing.targets(event)]
    if pairs:
        told = {event_id for event_id, _ in pairs}
        await tx.deliveries.add([event for event in shown if event.id in told], pairs, now)
    return len(pairs)
