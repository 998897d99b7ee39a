"""Webhooks from the fact to the partner's server, on a real PostgreSQL, with everything that goes wrong on the way."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from services.events.crm import ContactChanged
from services.events.dialer import CallEnded
from services.events.envelope import Event
from services.notifier.domain.partners import Target
from services.notifier.domain.public_events import own_test_event
from services.notifier.domain.retries import Delivered
from services.notifier.domain.sealing import Seal
from services.notifier.domain.signatures import Scheme
from services.notifier.ports import Answer, Attempted, AttemptResult, DueDelivery, WebhookSender
from services.notifier.usecases.announcing import tell_partners
from services.notifier.usecases.deliveries import (
    attempt,
    forget_old_webhooks,
    record_attempts,
    replay_delivery,
    replay_failed,
    send_test,
)
from services.notifier.usecases.partners import Draft, edit_endpoint, rotate_secret
from services.notifier.workers.deliveries import DeliveryLimits
from services.runtime.errors import ConflictError, NotFoundError
from services.runtime.ids import new_id
from tests.notifier.conftest import POLICY, SEAL, House, noon, until
from tests.notifier.receivers import receiving, slow, status

pytestmark = pytest.mark.pg

MINUTE = timedelta(minutes=1)


def ended(campaign_id: UUID | None = None) -> CallEnded:
    return CallEnded(
        attempt_id=new_id(),
        campaign_id=campaign_id or new_id(),
        contact_id=new_id(),
        number_of_attempt=1,
        outcome="answered",
        ended_at=noon(),
    )


async def claim(house: House, *, limit: int = 100, lease: timedelta = MINUTE) -> tuple[UUID, list[DueDelivery]]:
    token, now = new_id(), house.clock.now()
    async with house.store.transaction() as tx:
        return token, await tx.deliveries.claim(now, now + lease, token, {}, 20, limit)


async def test_a_fact_arrives_signed_so_that_the_reference_library_accepts_it(house: House) -> None:
    async with receiving() as partner, house.sending():
        endpoint = await house.endpoint(partner.url, "dialer.call.*")
        fact = ended()
        (event_id,) = await house.tell(fact)
        await until(lambda: bool(partner.got))
        (body,) = partner.verify(await house.secret(endpoint.id))
        assert isinstance(body, dict)
        assert body["type"] == "dialer.call.ended"
        assert body["data"]["attempt_id"] == str(fact.attempt_id)
        assert partner.ids == [str(event_id)]
        assert partner.got[0].headers["content-type"] == "application/json"

        async def settled() -> bool:
            return await house.state(endpoint, event_id) == "delivered"

        await until(settled)


async def test_a_repeated_fact_is_told_once(house: House) -> None:
    endpoint = await house.endpoint("http://127.0.0.1:9999/x")
    fact, fact_id = ended(), new_id()
    for _ in range(3):
        async with house.store.transaction() as tx:
            await tell_partners(tx, [(fact_id, fact, noon())], house.clock.now())
    assert await house.states() == {"pending": 1}
    assert await house.state(endpoint, fact_id) == "pending"


async def test_nothing_is_stored_that_nobody_subscribed_to(house: House) -> None:
    await house.endpoint("http://127.0.0.1:9999/x", "crm.*")
    await house.tell(ended())
    assert await house.states() == {}
    assert await house.pool.fetchval("SELECT count(*) FROM webhook_events") == 0


async def test_a_partner_of_one_campaign_is_told_of_nothing_else(house: House) -> None:
    mine, other = new_id(), new_id()
    partner_id = await house.partner("Limited", frozenset({mine}))
    endpoint = await house.endpoint("http://127.0.0.1:9999/x", "*", partner_id=partner_id)
    told, untold, person = await house.tell(
        ended(mine), ended(other), ContactChanged(contact_id=new_id(), sequence=1, created=True)
    )
    assert await house.state(endpoint, told) == "pending"
    assert await house.states() == {"pending": 1}
    assert untold != person


async def test_a_failure_is_tried_again_by_schedule_until_it_works(house: House) -> None:
    async with receiving(status(500)) as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        (event_id,) = await house.tell(ended())
        for attempts in range(1, 4):
            await until(lambda wanted=attempts: len(partner.got) == wanted)
            await asyncio.sleep(0.1)
            assert len(partner.got) == attempts  # not before its time
            house.clock.shift += timedelta(hours=3)
        partner.behave = None
        house.clock.shift += timedelta(hours=3)

        async def settled() -> bool:
            return await house.state(endpoint, event_id) == "delivered"

        await until(settled)
        assert set(partner.ids) == {str(event_id)}
        assert len({one.headers["webhook-timestamp"] for one in partner.got}) >= 4
        async with house.store.transaction() as tx:
            log = await tx.deliveries.attempts(endpoint.id, event_id, 50)
        assert [one.status for one in log][:3] == [500, 500, 500]
        assert log[-1].status == 200
        assert log[0].response_body == b"status 500"
        assert log[0].request_headers["webhook-id"] == str(event_id)
        assert (await house.now_endpoint(endpoint.id)).failures == 0


async def test_after_ten_attempts_it_is_exhausted_until_somebody_replays_it(house: House) -> None:
    async with receiving(status(500)) as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        (event_id,) = await house.tell(ended())
        for attempts in range(1, 10):

            async def written(wanted: int = attempts) -> bool:
                return await house.pool.fetchval("SELECT attempts FROM deliveries") == wanted

            await until(written)
            due = await house.pool.fetchval("SELECT next_attempt_at FROM deliveries")
            house.clock.shift += due - house.clock.now()

        async def exhausted() -> bool:
            return await house.state(endpoint, event_id) == "exhausted"

        await until(exhausted)
        house.clock.shift += timedelta(days=1)
        await asyncio.sleep(0.1)
        assert len(partner.got) == 10
        partner.behave = None
        assert (await house.now_endpoint(endpoint.id)).enabled  # ten failures in four days disable nobody
        await replay_delivery(house.store, None, endpoint.id, event_id, house.clock.now())
        await until(lambda: len(partner.got) == 11)
        assert partner.ids[-1] == str(event_id)


@pytest.mark.parametrize(("hint", "least_s", "most_s"), [("600", 598, 602), ("1", 58, 62), ("86400", 3598, 3602)])
async def test_429_with_retry_after_waits_as_asked_within_bounds(
    house: House, hint: str, least_s: float, most_s: float
) -> None:
    async with receiving(status(429, Retry_After=hint)) as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        (event_id,) = await house.tell(ended())

        async def tried() -> bool:
            async with house.store.transaction() as tx:
                found = await tx.deliveries.find(endpoint.id, event_id)
            return found is not None and found[0].attempts == 1

        await until(tried)
        due = await house.pool.fetchval("SELECT next_attempt_at FROM deliveries")
        assert least_s <= (due - house.clock.now()).total_seconds() <= most_s


async def test_a_slow_partner_holds_nobody_up(house: House) -> None:
    limits = DeliveryLimits(in_hand=30, per_endpoint=20, poll_s=0.02)
    async with receiving(slow(30)) as sloth, receiving() as quick, house.sending(timeout_s=30, limits=limits):
        await house.endpoint(sloth.url)
        await house.endpoint(quick.url)
        await house.tell(*(ended() for _ in range(300)))
        await until(lambda: len(quick.got) == 300, 20)
        assert 1 <= len(sloth.got) <= 20


async def test_a_failing_endpoint_is_tried_with_one_delivery_at_a_time(house: House) -> None:
    async with receiving(status(500)) as partner:
        endpoint = await house.endpoint(partner.url)
        await house.tell(*(ended() for _ in range(10)))
        async with house.store.transaction() as tx:
            await tx.deliveries.note_failures({endpoint.id: (1, house.clock.now())})
        _, claimed = await claim(house)
        assert len(claimed) == 1


async def test_shares_are_taken_in_turn_when_there_is_too_little_room(house: House) -> None:
    first = await house.endpoint("http://127.0.0.1:9999/1")
    await house.tell(*(ended() for _ in range(50)))
    second = await house.endpoint("http://127.0.0.1:9999/2")
    await house.tell(*(ended() for _ in range(5)))
    _, claimed = await claim(house, limit=10)
    assert Counter(one.endpoint_id for one in claimed) == {first.id: 5, second.id: 5}


async def test_a_crash_between_claim_and_result_sends_it_again_after_the_lease(house: House) -> None:
    async with receiving() as partner:
        endpoint = await house.endpoint(partner.url)
        (event_id,) = await house.tell(ended())
        _, claimed = await claim(house)
        assert [one.event_id for one in claimed] == [event_id]
        async with house.sending():  # the one who claimed is gone
            await asyncio.sleep(0.2)
            assert partner.got == []
            house.clock.shift += 2 * MINUTE
            await until(lambda: len(partner.got) == 1)
        assert partner.verify(await house.secret(endpoint.id))


async def test_a_result_that_comes_after_the_lease_changes_nothing_but_the_log(house: House) -> None:
    async with receiving(status(500)) as partner, house.sending() as (loop,):
        endpoint = await house.endpoint(partner.url)
        (event_id,) = await house.tell(ended())
        await until(lambda: len(partner.got) == 1 and loop.in_hand == 0)
        house.clock.shift += MINUTE
        late_claim, late = await claim(house, lease=-MINUTE)  # a lease that has ended already
        _, fresh = await claim(house)
        assert [one.event_id for one in fresh] == [one.event_id for one in late] == [event_id]
        now = house.clock.now()
        answer = Answer(AttemptResult(status=200))
        result = Attempted(new_id(), late[0], late_claim, now, now, {}, answer, Delivered())
        await record_attempts(house.store, [result], now)
        assert await house.state(endpoint, event_id) == "pending"
        assert await house.pool.fetchval("SELECT count(*) FROM delivery_attempts") == 2


async def test_two_instances_share_the_work_without_sending_twice(house: House) -> None:
    async with receiving() as partner:
        for _ in range(4):
            await house.endpoint(partner.url)
        await house.tell(*(ended() for _ in range(100)))
        async with house.sending(loops=2):

            async def all_delivered() -> bool:
                return await house.states() == {"delivered": 400}

            await until(all_delivered, 20)
        assert sorted(Counter(partner.ids).values()) == [4] * 100


async def test_410_disables_the_endpoint_and_holds_what_waits(house: House) -> None:
    async with receiving(status(410)) as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        (first,) = await house.tell(ended())

        async def disabled() -> bool:
            return not (await house.now_endpoint(endpoint.id)).enabled

        await until(disabled)
        assert await house.state(endpoint, first) == "exhausted"
        assert (await house.now_endpoint(endpoint.id)).disabled_reason == "It answered 410 Gone."
        (second,) = await house.tell(ended())
        assert await house.state(endpoint, second) == "held"
        await asyncio.sleep(0.1)
        assert len(partner.got) == 1

        with pytest.raises(ConflictError):
            await replay_failed(house.store, None, endpoint.id, noon() - timedelta(days=999), house.clock.now())
        present = await house.now_endpoint(endpoint.id)
        draft = Draft(present.url, "", present.subscriptions, True)
        partner.behave = None
        await edit_endpoint(house.store, None, endpoint.id, draft, present.version, POLICY, house.clock.now())
        await asyncio.sleep(0.1)
        assert len(partner.got) == 1  # enabling alone floods nobody
        since = house.clock.now() - timedelta(hours=1)
        assert await replay_failed(house.store, None, endpoint.id, since, house.clock.now()) == 2
        await until(lambda: len(partner.got) == 3)
        assert set(partner.ids) == {str(first), str(second)}


async def test_five_days_of_failure_disable_the_endpoint(house: House) -> None:
    async with receiving(status(503)) as partner, house.sending() as (loop,):
        endpoint = present = await house.endpoint(partner.url)
        for day in range(7):
            await house.tell(ended(), ended())
            await until(lambda: loop.in_hand == 0)
            await asyncio.sleep(0.1)
            await until(lambda: loop.in_hand == 0)
            present = await house.now_endpoint(endpoint.id)
            assert present.enabled or day >= 5
            house.clock.shift += timedelta(days=1)
        assert not present.enabled
        assert present.disabled_reason is not None
        assert "has failed since" in present.disabled_reason


async def test_one_success_forgives_every_failure(house: House) -> None:
    async with receiving(status(500)) as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        await house.tell(ended())

        async def failing() -> bool:
            return (await house.now_endpoint(endpoint.id)).failures == 1

        await until(failing)
        partner.behave = None
        await house.tell(ended())

        async def healthy() -> bool:
            return (await house.now_endpoint(endpoint.id)).failing_since is None

        await until(healthy)


async def test_a_rotation_signs_with_both_secrets_for_its_grace_and_then_with_one(house: House) -> None:
    async with receiving() as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        old = await house.secret(endpoint.id)
        day = timedelta(hours=24)
        await rotate_secret(house.store, None, endpoint.id, Scheme.HMAC, day, house.secrets, house.clock.now())
        new = await house.secret(endpoint.id)
        assert new != old
        await house.tell(ended())
        await until(lambda: len(partner.got) == 1)
        partner.verify(old)
        partner.verify(new)
        house.clock.shift += timedelta(hours=25)
        await house.tell(ended())
        await until(lambda: len(partner.got) == 2)
        assert len(partner.got[1].headers["webhook-signature"].split()) == 1


async def test_a_secret_that_does_not_open_is_a_failure_that_says_why(house: House) -> None:
    endpoint = await house.endpoint("http://127.0.0.1:9999/x")
    (event_id,) = await house.tell(ended())
    token, (due,) = await claim(house)

    class Unused(WebhookSender):
        async def post(self, url: str, headers: dict[str, str], payload: bytes) -> Answer:
            raise AssertionError("nothing may be sent unsigned")

    result = await attempt(due, token, Seal(b"x" * 32), Unused(), house.clock, new_id, 0.0)
    await record_attempts(house.store, [result], house.clock.now())
    async with house.store.transaction() as tx:
        (line,) = await tx.deliveries.attempts(endpoint.id, event_id, 10)
    assert line.failure == "secret"
    assert "GALW_SECRET_KEY" in line.detail


async def test_secrets_are_not_in_the_database_as_they_are(house: House) -> None:
    endpoint = await house.endpoint("http://127.0.0.1:9999/x")
    async with house.store.transaction() as tx:
        (sealed,) = await tx.partners.secrets(endpoint.id, house.clock.now())
    material = SEAL.open(sealed.sealed, endpoint.id)
    assert len(material) == 32
    assert material not in sealed.sealed


async def test_a_test_event_goes_to_one_endpoint_whatever_it_subscribed_to(house: House) -> None:
    async with receiving() as partner, house.sending():
        endpoint = await house.endpoint(partner.url, "crm.*")
        await house.endpoint(partner.url, "*")
        await send_test(house.store, None, endpoint.id, new_id(), house.clock.now())
        await until(lambda: len(partner.got) == 1)
        await asyncio.sleep(0.1)
        assert len(partner.got) == 1
        (body,) = partner.verify(await house.secret(endpoint.id))
        assert isinstance(body, dict)
        assert body["type"] == "galw.test"


async def test_another_partners_endpoint_is_not_found(house: House) -> None:
    endpoint = await house.endpoint("http://127.0.0.1:9999/x")
    (event_id,) = await house.tell(ended())
    stranger, now = await house.partner("Stranger"), house.clock.now()
    with pytest.raises(NotFoundError):
        await replay_delivery(house.store, stranger, endpoint.id, event_id, now)
    with pytest.raises(NotFoundError):
        await send_test(house.store, stranger, endpoint.id, new_id(), now)
    with pytest.raises(NotFoundError):
        await replay_failed(house.store, stranger, endpoint.id, now, now)


async def test_a_removed_endpoint_is_told_nothing_more(house: House) -> None:
    async with receiving() as partner, house.sending():
        endpoint = await house.endpoint(partner.url)
        async with house.store.transaction() as tx:
            await tx.partners.remove_endpoint(endpoint.id, house.clock.now())
        await house.tell(ended())
        await asyncio.sleep(0.1)
        assert partner.got == []
        assert await house.states() == {}


async def test_old_webhooks_are_forgotten_with_their_log(house: House) -> None:
    async with receiving() as partner, house.sending() as (loop,):
        await house.endpoint(partner.url)
        await house.tell(ended())
        await until(lambda: len(partner.got) == 1 and loop.in_hand == 0)
        house.clock.shift += timedelta(days=31)
        (fresh,) = await house.tell(ended())
        await until(lambda: len(partner.got) == 2 and loop.in_hand == 0)
        assert not await forget_old_webhooks(house.store, timedelta(days=30), house.clock.now(), 100)
        assert await house.pool.fetch("SELECT event_id FROM delivery_attempts") == [(fresh,)]
        assert await house.pool.fetch("SELECT id FROM webhook_events") == [(fresh,)]


async def test_postgres_going_away_loses_nothing(house: House) -> None:
    async with receiving() as partner, house.sending() as (loop,):
        await house.endpoint(partner.url)
        await house.tell(*(ended() for _ in range(50)))
        for _ in range(5):
            await asyncio.sleep(0.02)
            await house.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        async def all_delivered() -> bool:
            return await house.states() == {"delivered": 50}

        await until(all_delivered, 20)
        assert len(set(partner.ids)) == 50
        await until(lambda: loop.in_hand == 0)


async def test_figures_count_what_is_due_and_what_was_delivered(house: House) -> None:
    await house.endpoint("http://127.0.0.1:9999/x")
    await house.tell(*(ended() for _ in range(3)))
    async with house.store.transaction() as tx:
        figures = await tx.deliveries.figures(house.clock.now() + MINUTE)
    assert (figures.due, figures.waiting, figures.delivered_per_minute) == (3, 0, 0)
    assert 59 < figures.lag_s < 62


async def test_an_event_and_its_deliveries_are_stored_together_or_not_at_all(house: House) -> None:
    endpoint = await house.endpoint("http://127.0.0.1:9999/x")
    events: list[Event] = [ended()]
    with pytest.raises(RuntimeError):
        async with house.store.transaction() as tx:
            shown = own_test_event(new_id(), noon())
            await tx.deliveries.add([shown], [(shown.id, Target(endpoint.id, (), None, True))], noon())
            raise RuntimeError("a crash before the commit")
    assert await house.states() == {}
    await house.tell(*events)
    assert await house.states() == {"pending": 1}
