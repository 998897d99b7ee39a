"""What only a real PostgreSQL can prove: statements fit the schema, and instances that act at once share limits."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.dialer.domain import attempts as rules
from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import CampaignState
from services.dialer.domain.leads import LeadState, Person, Phone
from services.dialer.domain.responses import Response
from services.dialer.ports import CapNow, Change, Committed, Conflict, ConsentLine, NewLead, Refusal
from services.dialer.store import DialerStore, news
from services.dialer.store.batch import commit_batch
from services.dialer.store.commit import SQL, commit_changes
from services.dialer.usecases import announcements
from services.events.topics import PARTITIONS
from services.runtime import postgres
from services.runtime.clock import SystemClock
from services.runtime.ids import new_id
from services.runtime.postgres import Connection, Pool, create_pool
from tests.dialer.stages import NOW, PgStage, Scene, running, set_scene
from tests.dialer.test_store_contract import ended

pytestmark = pytest.mark.pg


@pytest.fixture
async def scene(pg_stage: PgStage) -> Scene:
    return await set_scene(pg_stage)


async def test_one_statement_stores_what_judging_lets_through_and_nothing_else(scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    await scene.stage.add_trunk(channels=1000)
    stored = kept_out = 0
    for seed in range(60):
        rng = random.Random(seed)
        changes = await random_batch(scene, rng)
        async with undone(scene.stage.pool) as conn:
            at = await commit_batch(conn, changes, new_id=new_id)
            at_once = await everything(conn)
        async with undone(scene.stage.pool) as conn:
            before = await everything(conn)
            answers = await commit_changes(conn, changes, new_id=new_id)
            judged = await everything(conn)
        fits = all(isinstance(answer, Committed) for answer in answers)
        assert (at is not None) is fits, (seed, answers)
        assert at_once == (judged if fits else before), seed
        stored, kept_out = stored + fits, kept_out + (not fits)
        await scene.stage.lift()
        await scene.stage.set_state(scene.campaign.id, CampaignState.RUNNING)
    assert stored > 10
    assert kept_out > 10


async def random_batch(scene: Scene, rng: random.Random) -> list[Change]:
    """Return changes of calls on their way, most as they should be, and let something be in their way or not."""
    stories = [await story(scene, rng) for _ in range(rng.randint(1, 4))]
    taken, said = stories[-1][2], stories[-1][3]
    attempt, operator = taken.attempt, taken.operator
    assert attempt is not None
    assert operator is not None
    match rng.randint(0, 12):
        case 0:
            await scene.stage.suppress(person=attempt.contact_id)
        case 1:
            await scene.stage.suppress(number=attempt.number_digest)
        case 2:
            scopes = [("all", ""), ("campaign", str(attempt.campaign_id)), ("trunk", "main")]
            await scene.stage.stop(*rng.choice(scopes))
        case 3:
            await scene.halt()
        case 4:
            await scene.store.commit([Change(operator=replace(operator, reason="moved"))])
        case 5:
            await scene.store.commit([said])
        case _:
            pass
    changes: list[Change] = []
    for one in stories:
        if rng.random() < 0.1:
            one.pop(rng.randrange(3))
        changes += one[: rng.randint(1, 5)]
    return changes


async def story(scene: Scene, rng: random.Random) -> list[Change]:
    """Return the five changes of a call that is taken and answered; now and then the pool has another owner by then."""
    lead = await scene.lead(rng.randint(1000, 9_999_999))
    attempt, operator = await scene.reserved(lead), await scene.operator()
    fence = replace(scene.fence, epoch=scene.fence.epoch - (rng.random() < 0.1))
    dialing = rules.decide(attempt, rules.DialBegun(), NOW)
    up = rules.decide(dialing, rules.PickedUp(), NOW)
    joined = rules.decide(up, rules.OperatorTook(operator.id), NOW)
    taken = operator_rules.decide(operator, operator_rules.Take(attempt.id), NOW)
    assert taken is not None
    who = (attempt.id, lead.campaign_id, lead.contact_id, operator.id)
    return [
        Change(attempt=dialing, fence=fence, dial=True, facts=announcements.of_attempt(attempt, dialing)),
        Change(attempt=up, fence=fence),
        Change(attempt=joined, operator=taken, fence=fence, facts=announcements.of_operator(operator, taken)),
        Change(response=Response(*who, uuid4(), 1, "en", NOW, revision=1, answers={"q": "yes"})),
        Change(lead=lead_rules.finish(await scene.store.load_lead(lead.id), "reached")),
    ]


@asynccontextmanager
async def undone(pool: Pool) -> AsyncGenerator[Connection]:
    """Yield a connection in a transaction that is rolled back."""
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            yield conn
        finally:
            await transaction.rollback()


async def everything(conn: Connection) -> list[str]:
    """Return all rows that a batch may write, but for the ids, numbers and times that are new each time."""
    return [
        text
        for table in ("attempts", "operators", "leads", "responses", "answered_hours", "outbox")
        for text in await conn.fetchval(
            f"SELECT coalesce(array_agg(row::text ORDER BY row::text), '{{}}') FROM ("
            f" SELECT to_jsonb(t) - CASE '{table}' WHEN 'outbox' THEN '{{id, seq, time}}'::text[] ELSE '{{}}' END"
            f" AS row FROM {table} AS t) AS rows"
        )
    ]


async def test_every_statement_fits_the_schema_and_says_what_it_returns(pool: Pool) -> None:
    async with pool.acquire() as conn:
        for name, text in SQL.items():
            first = text.partition("\n")[0]
            assert first.startswith("-- "), name
            assert first.endswith("."), name
            await conn.prepare(text)


# -- instances that act at once


async def both(scene: Scene, url: str) -> tuple[DialerStore, DialerStore]:
    """Return the store twice, as two instances have it."""
    other = await create_pool(url, "dialer")
    assert isinstance(scene.stage, PgStage)
    return scene.stage.dialer, DialerStore(other, new_id, asyncio.Event())


async def test_two_instances_never_use_more_channels_than_a_trunk_has(scene: Scene, dialer_url: str) -> None:
    await scene.stage.add_trunk(channels=10)
    wishes = [[scene.wish(await scene.lead()) for _ in range(8)] for _ in range(4)]
    stores = [*await both(scene, dialer_url), *await both(scene, dialer_url)]
    answers = await asyncio.gather(*(s.reserve(batch) for s, batch in zip(stores, wishes, strict=True)))
    made = [a for batch in answers for a in batch if isinstance(a, Attempt)]
    assert len(made) == 10
    assert len({a.dial_slot_at for a in made}) == 10


async def test_two_instances_never_spend_more_than_the_cap(scene: Scene, dialer_url: str) -> None:
    await scene.stage.add_trunk(cost_per_attempt_micros=10, spend_cap_micros=90)
    wishes = [[scene.wish(await scene.lead()) for _ in range(6)] for _ in range(2)]
    stores = await both(scene, dialer_url)
    answers = await asyncio.gather(*(s.reserve(batch) for s, batch in zip(stores, wishes, strict=True)))
    assert sum(isinstance(a, Attempt) for batch in answers for a in batch) == 9


async def test_two_campaigns_that_want_the_same_people_at_once_ring_each_once(scene: Scene, dialer_url: str) -> None:
    other = await running(scene.stage, scene.pool)
    people = [uuid4() for _ in range(10)]
    mine = [
        scene.wish(await scene.lead(n, contact_id=p), caps=(CapNow(1, lasting=timedelta(minutes=1)),))
        for n, p in enumerate(people)
    ]
    theirs = [
        scene.wish(
            await scene.lead(n, contact_id=p, campaign_id=other.id), caps=(CapNow(1, lasting=timedelta(minutes=1)),)
        )
        for n, p in reversed(list(enumerate(people)))
    ]
    stores = await both(scene, dialer_url)
    answers = await asyncio.gather(stores[0].reserve(mine), stores[1].reserve(theirs))
    made = [a for batch in answers for a in batch if isinstance(a, Attempt)]
    assert sorted(a.contact_id for a in made) == sorted(people)


async def test_a_refusal_and_a_dial_at_once_come_in_one_order(scene: Scene, dialer_url: str) -> None:
    """Whoever is first holds the person's row: after the refusal's commit no dial is stored any more."""
    stores = await both(scene, dialer_url)
    for _ in range(10):
        attempt = await scene.reserved()
        line = withdrawal(attempt.contact_id, attempt.number_digest)
        dialing = rules.decide(attempt, rules.DialBegun(), NOW)
        _, [answer] = await asyncio.gather(
            hear(stores[0], scene, [line]), stores[1].commit([Change(attempt=dialing, fence=scene.fence, dial=True)])
        )
        stored = await scene.store.load_attempt(attempt.id)
        assert isinstance(answer, Committed) == (stored.dialed_at is not None)
        [after] = await scene.store.commit([Change(attempt=rules.decide(stored, rules.DialBegun(), NOW), dial=True)])
        assert isinstance(after, Conflict)


async def test_scripts_written_at_once_get_different_versions(scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    store, script_id = scene.stage.campaigns, scene.campaign.script_id
    assert script_id is not None
    script = await scene.store.load_script(script_id, 1)
    written = await asyncio.gather(
        *(store.save_script(script_id, "S", script, NOW, None, first=False) for _ in range(4)), return_exceptions=True
    )
    numbers = [one for one in written if isinstance(one, int)]
    assert numbers
    assert len(set(numbers)) == len(numbers)
    assert {type(one).__name__ for one in written} <= {"int", "ConflictError"}


# -- news of the CRM


async def hear(store: object, scene: Scene, lines: Sequence[ConsentLine]) -> None:
    del store
    assert isinstance(scene.stage, PgStage)
    async with postgres.transaction(scene.stage.pool) as conn:
        await news.keep_consents(conn, lines)


def withdrawal(person: UUID, *digests: str, at: datetime = NOW, channel: str = "all") -> ConsentLine:
    return ConsentLine(person, 1, False, "express", channel, None, at, False, digests)


def grant(person: UUID, *digests: str, at: datetime, purpose: str = "marketing") -> ConsentLine:
    return ConsentLine(person, 2, True, "written", "voice", purpose, at, False, digests)


async def suppressed(scene: Scene, lead: lead_rules.Lead) -> bool:
    return (await scene.store.load_history([lead], NOW - timedelta(days=1), NOW))[0].suppressed


async def test_a_withdrawal_silences_person_and_numbers_until_a_later_consent(scene: Scene) -> None:
    lead = await scene.lead()
    sharing = await scene.lead(phones=lead.phones)
    await hear(None, scene, [withdrawal(lead.contact_id, lead.phone.digest)])
    assert [await suppressed(scene, one) for one in (lead, sharing)] == [True, True]
    await hear(None, scene, [grant(lead.contact_id, lead.phone.digest, at=NOW - timedelta(days=1))])
    assert [await suppressed(scene, one) for one in (lead, sharing)] == [True, True]
    await hear(None, scene, [grant(lead.contact_id, lead.phone.digest, at=NOW + timedelta(days=1))])
    assert [await suppressed(scene, one) for one in (lead, sharing)] == [False, False]


async def test_a_withdrawal_of_another_channel_or_one_purpose_is_no_refusal_of_calls(scene: Scene) -> None:
    lead = await scene.lead()
    given = grant(lead.contact_id, at=NOW - timedelta(days=2))
    await hear(None, scene, [given, withdrawal(lead.contact_id, lead.phone.digest, channel="sms")])
    assert not await suppressed(scene, lead)
    one_purpose = ConsentLine(lead.contact_id, 3, False, "express", "voice", "marketing", NOW, False, ())
    await hear(None, scene, [one_purpose])
    [history] = await scene.store.load_history([lead], NOW - timedelta(days=1), NOW)
    assert not history.suppressed
    assert [(row["purpose"], row["withdrawn_at"]) for row in history.consents] == [("marketing", NOW)]


async def test_who_is_enrolled_twice_is_a_lead_once_and_one_without_a_number_is_invalid(scene: Scene) -> None:
    person, none = new_lead(scene, "+441632960001"), new_lead(scene, "+449098790001", refused="premium rate")
    assert isinstance(scene.stage, PgStage)
    for expected in (2, 0):
        async with postgres.transaction(scene.stage.pool) as conn:
            assert await news.enrol_leads(conn, [person, none], NOW) == expected
    assert (await scene.store.load_lead(person.id)).state is LeadState.WAITING
    refused = await scene.store.load_lead(none.id)
    assert (refused.state, refused.result) == (LeadState.FINISHED, "invalid")


async def test_who_leaves_a_campaign_during_a_call_is_marked_and_not_called_again(scene: Scene) -> None:
    waiting, attempt = await scene.lead(), await scene.reserved()
    busy = await scene.store.load_lead(attempt.lead_id)
    assert isinstance(scene.stage, PgStage)
    async with postgres.transaction(scene.stage.pool) as conn:
        await news.withdraw_leads(conn, [(lead.campaign_id, lead.contact_id) for lead in (waiting, busy)])
    assert (await scene.store.load_lead(waiting.id)).state is LeadState.FINISHED
    marked = await scene.store.load_lead(busy.id)
    assert (marked.state, marked.result, marked.version) == (LeadState.BUSY, "withdrawn", busy.version + 1)
    assert lead_rules.release(marked, NOW).state is LeadState.FINISHED


async def test_erasure_during_a_call_reaches_its_number_when_it_ends(scene: Scene) -> None:
    attempt, waiting = await scene.reserved(), await scene.lead()
    assert isinstance(scene.stage, PgStage)
    async with postgres.transaction(scene.stage.pool) as conn:
        await news.erase_people(conn, [attempt.contact_id, waiting.contact_id], NOW)
    blank = await scene.store.load_lead(waiting.id)
    assert (blank.state, blank.phones, blank.person) == (LeadState.FINISHED, (), Person())
    assert (await scene.store.load_attempt(attempt.id)).phone != ""
    await ended(scene, attempt)
    kept = await scene.store.load_attempt(attempt.id)
    assert (kept.phone, dict(kept.decision)) == ("", {})
    marked = await scene.store.load_lead(attempt.lead_id)
    assert lead_rules.call_back(marked, NOW, None).state is LeadState.FINISHED
    assert await scene.store.reserve(
        [
            scene.wish(
                await scene.lead(contact_id=waiting.contact_id, campaign_id=(await running(scene.stage, scene.pool)).id)
            )
        ]
    ) == [Refusal("suppressed")]


async def test_the_view_of_consents_is_as_fresh_as_its_oldest_shard_and_never_from_the_future(scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    pool, now = scene.stage.pool, SystemClock().now()
    await news.keep_watermarks(pool, [(shard, now) for shard in range(PARTITIONS - 1)])
    assert (await scene.store.load_safety()).consents_at is None
    later = now + timedelta(hours=1)
    await news.keep_watermarks(pool, [(PARTITIONS - 1, later)])
    assert (await scene.store.load_safety()).consents_at == now
    await news.keep_watermarks(pool, [(shard, later) for shard in range(PARTITIONS) for _ in range(2)])
    fresh = (await scene.store.load_safety()).consents_at
    assert fresh is not None
    assert now <= fresh <= SystemClock().now()
    await news.keep_watermarks(pool, [(0, now - timedelta(hours=1))])
    assert (await scene.store.load_safety()).consents_at == fresh


def new_lead(scene: Scene, number: str, refused: str | None = None) -> NewLead:
    phone = Phone(number, f"digest {number}", "mobile", "GB", refused)
    usable = 0 if refused is None else None
    return NewLead(uuid4(), scene.campaign.id, uuid4(), Person("P"), (phone,), usable, 0)


async def test_instances_that_were_silent_for_a_day_are_dropped(scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    here, silent, gone = new_id(), new_id(), new_id()
    for instance, hours in ((here, 30), (silent, 20), (gone, 30)):
        await scene.stage.pool.execute(
            "INSERT INTO dialers VALUES ($1, '', clock_timestamp() - $2 * interval '1 hour')", instance, hours
        )
    await scene.store.beat(here, "http://here")
    left = {row["id"] for row in await scene.stage.pool.fetch("SELECT id FROM dialers")}
    assert left == {here, silent}
