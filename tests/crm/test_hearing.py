"""What other services tell, through the real handlers into real tables; a repeat changes nothing."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from services.crm.consumers import handlers
from services.crm.ports import ResponseSearch
from services.crm.store import PgStore
from services.crm.usecases.consents import STREAMS, standing_of, watermark
from services.crm.usecases.contacts import erase_contact
from services.events.crm import ConsentChanged
from services.events.dialer import (
    CallAnswered,
    CallEnded,
    CampaignChanged,
    LeadFinished,
    OperatorStateChanged,
    PersonRefused,
    RecordedAnswer,
    ResponseRecorded,
)
from services.events.envelope import Envelope, Event
from services.events.notifier import MessageDelivered, NumberOptOutReceived, OptOutReceived, ReplyReceived
from services.runtime.consumer import Received
from services.runtime.outbox import shard_of
from services.runtime.postgres import Pool, transaction
from tests.crm.conftest import START, Make, MovedClock, announced

pytestmark = pytest.mark.pg

CAMPAIGN, OPERATOR, ATTEMPT, STRANGER = (UUID(int=n) for n in (11, 12, 13, 14))


async def hear(store: PgStore, pool: Pool, clock: MovedClock, *events: Event) -> None:
    heard = handlers(store.on, clock)
    batch: Sequence[Received[Event]] = [
        Received(one, Envelope.of(one, id=uuid5(CAMPAIGN, one.model_dump_json()), source="dialer", time=START),
                 one.topic.name, 0, place, START)
        for place, one in enumerate(events)
    ]  # fmt: skip
    async with transaction(pool) as conn:
        await heard.apply(conn, batch)


def response(contact_id: UUID, revision: int = 1, minutes: int = 0, **said: object) -> ResponseRecorded:
    answers = (
        RecordedAnswer(question_id="q1", kind="choice", question="Happy?", value="yes"),
        RecordedAnswer(question_id="q2", kind="text", question="Why?", value="=my secret"),
        RecordedAnswer(question_id="q3", kind="several", question="Which?", value=["a", "b"]),
    )
    return ResponseRecorded(
        attempt_id=ATTEMPT,
        revision=revision,
        campaign_id=CAMPAIGN,
        contact_id=contact_id,
        operator_id=OPERATOR,
        script_id=UUID(int=20),
        script_version=3,
        language="cy",
        disposition="sold",
        answers=answers,
        note="a private note",
        at=START + timedelta(minutes=minutes),
    ).model_copy(update=said)


async def test_the_last_revision_counts_and_every_one_is_kept(store: PgStore, pool: Pool, clock: MovedClock) -> None:
    first, second = response(STRANGER), response(STRANGER, 2, 5, disposition="not sold")
    for batch in ([first], [second], [first, second], [second]):
        await hear(store, pool, clock, *batch)
    async with store.transaction() as tx:
        [found] = await tx.responses.page(ResponseSearch(campaign_id=CAMPAIGN), None, 10)
        assert (found.revision, found.disposition, found.script_version) == (2, "not sold", 3)
        assert [one.revision for one in await tx.responses.revisions(ATTEMPT)] == [1, 2]
        assert len(await tx.responses.timeline(STRANGER, None, 10)) == 2
        assert await tx.contacts.handled_by(STRANGER, OPERATOR)
        assert not await tx.contacts.handled_by(STRANGER, CAMPAIGN)


async def test_everything_that_happens_stands_on_the_timeline_once(
    store: PgStore, pool: Pool, clock: MovedClock
) -> None:
    at = START
    events: list[Event] = [
        CallEnded(attempt_id=ATTEMPT, campaign_id=CAMPAIGN, contact_id=STRANGER, number_of_attempt=1,
                  outcome="no_answer", ended_at=at),
        MessageDelivered(message_id=UUID(int=30), request_id=UUID(int=31), contact_id=STRANGER, channel="sms",
                         template="missed", state="sent", at=at + timedelta(minutes=1)),
        MessageDelivered(message_id=UUID(int=30), request_id=UUID(int=31), contact_id=STRANGER, channel="sms",
                         template="missed", state="delivered", at=at + timedelta(minutes=2)),
        ReplyReceived(inbound_id=UUID(int=32), contact_id=STRANGER, channel="sms", at=at + timedelta(minutes=3)),
        response(STRANGER, minutes=4),
        LeadFinished(lead_id=UUID(int=33), campaign_id=CAMPAIGN, contact_id=STRANGER, result="reached", attempts=2,
                     at=at + timedelta(minutes=5)),
    ]  # fmt: skip
    for one in (*events, *events):
        await hear(store, pool, clock, one)
    async with store.transaction() as tx:
        newest = await tx.responses.timeline(STRANGER, None, 4)
        rest = await tx.responses.timeline(STRANGER, (newest[-1].at, newest[-1].id), 4)
    assert [one.kind for one in (*newest, *rest)] == [
        "campaign.finished", "response.recorded", "message.replied", "message.delivered", "message.sent", "call.ended",
    ]  # fmt: skip


async def test_an_operator_on_the_line_handles_the_person_before_the_call_has_ended(
    store: PgStore, pool: Pool, clock: MovedClock
) -> None:
    answered = CallAnswered(attempt_id=ATTEMPT, campaign_id=CAMPAIGN, contact_id=STRANGER, answered_at=START)
    talking = OperatorStateChanged(operator_id=OPERATOR, sequence=1, state="talking", attempt_id=ATTEMPT, at=START)
    ready = OperatorStateChanged(operator_id=OPERATOR, sequence=2, state="ready", at=START)
    await hear(store, pool, clock, talking)
    await hear(store, pool, clock, answered)
    await hear(store, pool, clock, ready)
    async with store.transaction() as tx:
        assert await tx.contacts.handled_by(STRANGER, OPERATOR)


async def test_a_refusal_on_the_phone_forbids_everything_and_is_announced_with_the_numbers(
    store: PgStore, pool: Pool, clock: MovedClock, make: Make
) -> None:
    one = await make(1, 2)
    refused = PersonRefused(attempt_id=ATTEMPT, campaign_id=CAMPAIGN, contact_id=one.id, operator_id=OPERATOR, at=START)
    unknown = refused.model_copy(update={"contact_id": STRANGER})
    await hear(store, pool, clock, refused, unknown)
    events = {event.key(): event for event in await announced(pool, ConsentChanged)}
    known = events[one.id]
    assert isinstance(known, ConsentChanged)
    assert (known.change, known.channel, known.purpose, known.sequence) == ("withdrawn", "all", None, 1)
    assert len(known.number_digests) == 2
    assert set(events) == {one.id, STRANGER}
    async with store.transaction() as tx:
        lines, standing = await standing_of(tx, one.id)
    assert (lines[0].source, lines[0].by) == (f"call {ATTEMPT}", OPERATOR)
    assert [(no.channel, no.purpose) for no in standing.suppressions] == [("all", None)]


@pytest.mark.parametrize(("scope", "channel"), [("all", "all"), ("channel", "sms")])
async def test_stop_forbids_what_it_means(
    store: PgStore, pool: Pool, clock: MovedClock, make: Make, scope: str, channel: str
) -> None:
    one = await make(1)
    stop = OptOutReceived(inbound_id=ATTEMPT, contact_id=one.id, channel="sms", keyword="STOP", at=START)
    await hear(store, pool, clock, stop.model_copy(update={"scope": scope}))
    [event] = await announced(pool, ConsentChanged)
    assert isinstance(event, ConsentChanged)
    assert (event.channel, event.source) == (channel, "sms STOP")


async def test_a_stop_from_a_number_nobody_was_written_to_at_forbids_the_number(
    store: PgStore, pool: Pool, clock: MovedClock, make: Make
) -> None:
    one = await make(1)
    async with store.transaction() as tx:
        [digest] = await tx.ledger.digests(one.id)
    stop = NumberOptOutReceived(inbound_id=ATTEMPT, number_digest=digest, channel="sms", keyword="STOP", at=START)
    await hear(store, pool, clock, stop)
    [event] = await announced(pool, ConsentChanged)
    assert isinstance(event, ConsentChanged)
    assert (event.change, event.channel, event.source) == ("withdrawn", "all", "sms STOP")
    assert event.number_digests == (digest,)


async def test_erasure_blanks_notes_and_free_texts_and_keeps_what_was_chosen(
    store: PgStore, pool: Pool, clock: MovedClock, make: Make
) -> None:
    one = await make(1)
    await hear(store, pool, clock, response(one.id))
    await erase_contact(store, one.id, OPERATOR, clock.now())
    async with store.transaction() as tx:
        [found] = await tx.responses.revisions(ATTEMPT)
    assert found.note == ""
    assert [answer["value"] for answer in found.answers] == ["yes", None, ["a", "b"]]


async def test_campaigns_are_known_by_their_latest_event(store: PgStore, pool: Pool, clock: MovedClock) -> None:
    def event(sequence: int, state: str) -> CampaignChanged:
        launched = CampaignChanged(
            campaign_id=CAMPAIGN, sequence=sequence, name="Spring", state="running", change="launched", at=START
        )
        return launched.model_copy(update={"state": state})

    await hear(store, pool, clock, event(2, "running"), event(4, "finished"), event(3, "paused"))
    async with store.transaction() as tx:
        campaign = await tx.audiences.campaign(CAMPAIGN)
    assert campaign is not None
    assert (campaign.sequence, campaign.state) == (4, "finished")


def test_each_watermark_travels_in_its_own_shard() -> None:
    made = [watermark(shard, START) for shard in range(len(STREAMS))]
    assert [one.shard for one in made] == [shard_of(one.key()) for one in made] == list(range(8))
