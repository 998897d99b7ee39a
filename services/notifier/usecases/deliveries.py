"""Sending webhooks: claim, sign, POST, write down; and sending again what somebody asks for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from services.notifier.domain.partners import Target, must_disable
from services.notifier.domain.public_events import own_test_event
from services.notifier.domain.retries import AttemptResult, Delivered, Failure, Gone, judge
from services.notifier.domain.sealing import Seal, UnsealError
from services.notifier.domain.signatures import Secret, signed_headers
from services.notifier.ports import Answer, Attempted, DueDelivery, Store, Tx, WebhookSender
from services.notifier.usecases.partners import own_endpoint
from services.runtime.clock import Clock
from services.runtime.errors import ConflictError, NotFoundError
from services.runtime.ids import NewId

_LOG = structlog.get_logger(__name__)

REPLAY_LIMIT = 10_000
"""Deliveries that one replay makes due; a larger backlog is replayed in several calls, so none locks for long."""

USER_AGENT = "Galw-Webhooks/1"


async def attempt(
    delivery: DueDelivery, claim: UUID, seal: Seal, sender: WebhookSender, clock: Clock, new_id: NewId, jitter: float
) -> Attempted:
    """Send *delivery* once and return what follows; a crash before that is written makes it due again."""
    started_at = clock.now()
    headers: dict[str, str] = {}
    try:
        headers = _headers(delivery, seal, started_at)
    except UnsealError as error:
        answer = Answer(AttemptResult(failure=Failure.SECRET), error.message)
    else:
        answer = await sender.post(delivery.url, headers, delivery.payload)
    ended_at = clock.now()
    verdict = judge(answer.result, delivery.attempts + 1, ended_at, jitter)
    return Attempted(new_id(), delivery, claim, started_at, ended_at, headers, answer, verdict)


def _headers(delivery: DueDelivery, seal: Seal, at: datetime) -> dict[str, str]:
    secrets = [Secret(scheme, seal.open(sealed, delivery.endpoint_id)) for scheme, sealed in delivery.secrets]
    signed = signed_headers(secrets, delivery.event_id, at, delivery.payload)
    return {"content-type": "application/json", "user-agent": USER_AGENT, **signed}


async def record_attempts(store: Store, attempts: Sequence[Attempted], now: datetime) -> None:
    """Write *attempts* down, and disable the endpoints that said goodbye or have failed for too long."""
    async with store.transaction() as tx:
        await tx.deliveries.record(attempts)
        await _note_health(tx, attempts, now)
        for endpoint_id in {one.delivery.endpoint_id for one in attempts if isinstance(one.verdict, Gone)}:
            await _disable(tx, endpoint_id, "It answered 410 Gone.", now)


async def _note_health(tx: Tx, attempts: Sequence[Attempted], now: datetime) -> None:
    took: set[UUID] = set()
    failed: dict[UUID, tuple[int, datetime]] = {}
    for one in sorted(attempts, key=lambda one: one.ended_at):
        endpoint_id = one.delivery.endpoint_id
        if isinstance(one.verdict, Delivered):
            took.add(endpoint_id)
            failed.pop(endpoint_id, None)
        else:
            count, first_at = failed.get(endpoint_id, (0, one.ended_at))
            failed[endpoint_id] = (count + 1, first_at)
    if took:
        await tx.deliveries.note_success(took)
    if failed:
        for health in await tx.deliveries.note_failures(dict(sorted(failed.items()))):
            if must_disable(health.failing_since, health.failures, now):
                await _disable(tx, health.endpoint_id, f"It has failed since {health.failing_since:%Y-%m-%d}.", now)


async def _disable(tx: Tx, endpoint_id: UUID, reason: str, now: datetime) -> None:
    if await tx.partners.disable_endpoint(endpoint_id, reason, now):
        held = await tx.deliveries.hold(endpoint_id)
        _LOG.warning("endpoint.disabled", endpoint_id=str(endpoint_id), reason=reason, held=held)


async def send_test(store: Store, only: UUID | None, endpoint_id: UUID, event_id: UUID, now: datetime) -> UUID:
    """Plan a test event for one endpoint, whatever it subscribed to; return the event's id."""
    async with store.transaction() as tx:
        endpoint = await own_endpoint(tx, only, endpoint_id)
        if not endpoint.enabled:
            raise ConflictError("The endpoint is disabled; enable it first.")
        target = Target(endpoint.id, endpoint.subscriptions, None, endpoint.enabled)
        await tx.deliveries.add([own_test_event(event_id, now)], [(event_id, target)], now)
    return event_id


async def replay_delivery(store: Store, only: UUID | None, endpoint_id: UUID, event_id: UUID, now: datetime) -> None:
    """Send one delivery again, under the same id, with a retry schedule of its own."""
    async with store.transaction() as tx:
        await _check_enabled(tx, only, endpoint_id)
        if not await tx.deliveries.replay(endpoint_id, event_id, now):
            raise NotFoundError(f"Event {event_id} was never meant for this endpoint, or is past its retention.")


async def replay_failed(store: Store, only: UUID | None, endpoint_id: UUID, since: datetime, now: datetime) -> int:
    """Send again what failed for good, or was held while the endpoint was disabled; return how many."""
    async with store.transaction() as tx:
        await _check_enabled(tx, only, endpoint_id)
        return await tx.deliveries.replay_failed(endpoint_id, since, now, REPLAY_LIMIT)


async def _check_enabled(tx: Tx, only: UUID | None, endpoint_id: UUID) -> None:
    endpoint = await own_endpoint(tx, only, endpoint_id, lock=True)
    if not endpoint.enabled:
        raise ConflictError("The endpoint is disabled; enable it first, then replay.")


async def forget_old_webhooks(store: Store, kept_for: timedelta, now: datetime, limit: int) -> bool:
    """Delete events past their retention with their log; tell whether more may wait."""
    async with store.transaction() as tx:
        return await tx.deliveries.forget(now - kept_for, now, limit) >= limit
