"""Enrolment on a real PostgreSQL: everybody who fits joins once, whoever said no never does."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.crm.domain.attributes import Attribute, AttributeKind
from services.crm.domain.consents import Change, Channel, ConsentKind, ConsentLine
from services.crm.domain.contacts import ContactDraft, ContactId, Number, Relationship, new_contact
from services.crm.ports import PhoneDigest, Store, Tx
from services.crm.store import PgStore
from services.crm.usecases import enrolment
from services.crm.usecases.consents import expire_suppressions, record_consent, record_for_number
from services.crm.usecases.contacts import add_attribute, edit_contact, erase_contact, save_contacts
from services.crm.usecases.enrolment import create_audience, edit_audience, enrol_due, walk_once
from services.crm.usecases.hearing import keep_campaigns
from services.events.crm import ContactErased, LeadEnrolled, LeadWithdrawn
from services.events.dialer import CampaignChanged
from services.runtime.ids import new_id
from services.runtime.phone import E164
from services.runtime.postgres import Pool
from tests.crm.conftest import Make, MovedClock, announced

pytestmark = pytest.mark.pg

BY = UUID(int=7)
CAMPAIGN = UUID(int=99)
BRITISH = {"field": "country", "op": "eq", "value": "GB"}


async def launch(
    store: Store, clock: MovedClock, raw: Any = BRITISH, *, sequence: int = 2, state: Any = "running", **said: Any
) -> UUID:
    audience_id = said.pop("audience_id", None) or new_id()
    if "audience" not in said:
        async with store.transaction() as tx:
            known = await tx.audiences.find(audience_id)
        if known is None:
            await create_audience(store, audience_id, f"An audience {audience_id}", raw, BY, clock.now())
    event = CampaignChanged(
        campaign_id=said.pop("campaign_id", CAMPAIGN),
        sequence=sequence,
        name="Spring",
        state=state,
        change="launched",
        audience_id=audience_id,
        purpose=said.pop("purpose", "marketing"),
        at=clock.now(),
    )
    async with store.transaction() as tx:
        await keep_campaigns(tx, [event])
    return audience_id


async def settle(store: Store, digest: PhoneDigest, clock: MovedClock) -> None:
    while await walk_once(store, digest, clock.now()) or await enrol_due(store, digest, clock.now()):
        pass


async def leads(pool: Pool) -> list[LeadEnrolled]:
    return [one for one in await announced(pool) if isinstance(one, LeadEnrolled)]


async def test_an_enrolment_says_everything_the_dialer_needs(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    await add_attribute(store, Attribute("balance", AttributeKind.NUMBER), clock.now())
    one = await make(
        1, 2, name="Siân", country="GB", region="Wales", postal_code="LL23 7AA", time_zone="Europe/London",
        language="cy", email="sian@example.org", relationship=Relationship.CUSTOMER,
        relationship_since=date(2025, 3, 1), attributes={"balance": 12.5},
    )  # fmt: skip
    await make(3, country="IE")
    yes = ConsentLine(
        0, Change.GIVEN, Channel.ALL, None, clock.now() - timedelta(days=9), "form", ConsentKind.WRITTEN, True
    )
    await record_consent(store, one.id, yes, clock)
    await launch(store, clock)
    await settle(store, digest, clock)
    [lead] = await leads(pool)
    assert (lead.campaign_id, lead.contact_id, lead.name, lead.language) == (CAMPAIGN, one.id, "Siân", "cy")
    assert [phone.e164 for phone in lead.phones] == ["+441632960001", "+441632960002"]
    assert (lead.address.country, lead.address.region, lead.address.time_zone) == ("GB", "Wales", "Europe/London")
    assert (lead.relationship, lead.relationship_since) == ("customer", date(2025, 3, 1))
    assert (lead.attributes, lead.email) == ({"balance": 12.5}, "sian@example.org")
    assert [(c.channel, c.kind, c.purpose, c.outside_hours, c.withdrawn_at) for c in lead.consents] == [
        (channel, "written", "marketing", True, None) for channel in ("voice", "sms", "email")
    ]


class CutOffError(Exception):
    """The process ended."""


class CutStore:
    """Fails at the commit of the given transaction."""

    def __init__(self, store: PgStore, at: int) -> None:
        self._store, self._left = store, at

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        self._left -= 1
        async with self._store.transaction() as tx:
            yield tx
            if self._left < 0:
                raise CutOffError


async def test_a_walk_that_is_cut_off_anywhere_enrols_everybody_once(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "CHUNK", 3)
    people = [(await make(n, country="GB")).id for n in range(10)]
    cut = 0
    while True:
        campaign_id = UUID(int=1000 + cut)
        await launch(store, clock, campaign_id=campaign_id)
        try:
            await settle(CutStore(store, cut), digest, clock)
        except CutOffError:
            await settle(store, digest, clock)
        else:
            break
        finally:
            cut += 1
    assert cut > 6
    for number in range(cut):
        mine = [one.contact_id for one in await leads(pool) if one.campaign_id == UUID(int=1000 + number)]
        assert sorted(mine) == sorted(people), number


async def test_people_who_match_later_join_while_the_campaign_runs(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    await launch(store, clock)
    abroad = await make(1, country="IE")
    await settle(store, digest, clock)
    assert await leads(pool) == []
    home = await make(2, country="GB")
    await edit_contact(store, abroad.id, abroad.sequence, ContactDraft(numbers=(), country="GB"), clock.now())
    await settle(store, digest, clock)
    assert {one.contact_id for one in await leads(pool)} == {abroad.id, home.id}
    edited = ContactDraft(numbers=(Number(E164("+441632960009")),))
    await edit_contact(store, home.id, home.sequence, edited, clock.now())
    await settle(store, digest, clock)
    assert len(await leads(pool)) == 2
    await launch(store, clock, sequence=3, state="finished")
    await make(3, country="GB")
    await settle(store, digest, clock)
    assert len(await leads(pool)) == 2


async def test_somebody_who_is_written_while_the_walk_passes_is_not_missed(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    """The contact commits after the walk has passed its place, so only the list of changes can find it."""
    early = new_contact(ContactId(new_id()), ContactDraft((Number(E164("+441632960001")),), country="GB"), clock.now())
    late = await make(2, country="GB")
    await launch(store, clock)
    async with store.transaction() as tx:
        await save_contacts(tx, created=[early], updated=[], now=clock.now())
        await settle(store, digest, clock)
        assert [one.contact_id for one in await leads(pool)] == [late.id]
    await settle(store, digest, clock)
    assert {one.contact_id for one in await leads(pool)} == {late.id, early.id}


async def test_an_older_event_does_not_wake_a_finished_campaign(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    await make(1, country="GB")
    audience_id = await launch(store, clock, sequence=5, state="stopped")
    await launch(store, clock, sequence=4, audience_id=audience_id)
    await settle(store, digest, clock)
    assert await leads(pool) == []


async def test_an_edited_audience_is_walked_again(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    await make(1, country="GB")
    irish = await make(2, country="IE")
    audience_id = await launch(store, clock)
    await settle(store, digest, clock)
    wider = {"any": [BRITISH, {"field": "country", "op": "eq", "value": "IE"}]}
    await edit_audience(store, audience_id, 1, "Wider", wider, BY, clock.now())
    await settle(store, digest, clock)
    found = [one.contact_id for one in await leads(pool)]
    assert len(found) == 2
    assert found[1] == irish.id


def no(clock: MovedClock, channel: Channel = Channel.ALL, purpose: str | None = None, **said: Any) -> ConsentLine:
    return ConsentLine(0, Change.WITHDRAWN, channel, purpose, clock.now(), "letter", **said)


async def test_whoever_said_no_is_not_enrolled(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    refusing = await make(1, country="GB")
    await record_consent(store, refusing.id, no(clock), clock)
    same_number = await make(1, name="Flatmate", country="GB")
    one_of_two = await make(1, 2, country="GB")
    other_purpose = await make(3, country="GB")
    await record_consent(store, other_purpose.id, no(clock, purpose="service"), clock)
    other_channel = await make(4, country="GB")
    await record_consent(store, other_channel.id, no(clock, Channel.SMS), clock)
    by_list = await make(5, country="GB")
    await record_for_number(store, E164("+441632960005"), no(clock, Channel.VOICE), digest, clock)
    for_a_time = await make(6, country="GB")
    await record_consent(store, for_a_time.id, no(clock, expires_at=clock.now() + timedelta(days=1)), clock)
    await launch(store, clock)
    await settle(store, digest, clock)
    phones = {one.contact_id: [phone.e164 for phone in one.phones] for one in await leads(pool)}
    assert phones == {
        one_of_two.id: ["+441632960002"],
        other_purpose.id: ["+441632960003"],
        other_channel.id: ["+441632960004"],
    }
    assert not {refusing.id, same_number.id, by_list.id, for_a_time.id} & set(phones)


async def test_a_new_number_does_not_undo_the_no_of_a_person(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    one = await make(1, country="GB")
    await record_consent(store, one.id, no(clock), clock)
    edited = ContactDraft(numbers=(Number(E164("+441632960002")),))
    await edit_contact(store, one.id, one.sequence, edited, clock.now())
    await launch(store, clock)
    await settle(store, digest, clock)
    assert await leads(pool) == []


async def test_a_newer_yes_lets_a_person_join(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    one = await make(1, country="GB")
    await record_consent(store, one.id, no(clock), clock)
    await launch(store, clock)
    await settle(store, digest, clock)
    assert await leads(pool) == []
    clock.at += timedelta(days=1)
    yes = ConsentLine(0, Change.GIVEN, Channel.ALL, None, clock.now(), "form")
    await record_consent(store, one.id, yes, clock)
    await settle(store, digest, clock)
    assert [lead.contact_id for lead in await leads(pool)] == [one.id]


async def test_when_a_no_for_a_time_is_over_the_person_joins(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    one = await make(1, country="GB")
    await record_consent(store, one.id, no(clock, expires_at=clock.now() + timedelta(days=1)), clock)
    await launch(store, clock)
    await settle(store, digest, clock)
    for wait, joined in ((timedelta(hours=23), []), (timedelta(hours=1), [one.id])):
        clock.at += wait
        await expire_suppressions(store, clock.now())
        await settle(store, digest, clock)
        assert [lead.contact_id for lead in await leads(pool)] == joined


async def test_erasure_forgets_who_it_was_and_stays_silent_when_the_next_file_brings_them_back(
    store: PgStore, pool: Pool, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    one = await make(1, name="Siân", country="GB", external_id="C1")
    await launch(store, clock)
    await settle(store, digest, clock)
    await erase_contact(store, one.id, BY, clock.now())
    await erase_contact(store, one.id, BY, clock.now())
    events = await announced(pool)
    assert [event.campaign_id for event in events if isinstance(event, LeadWithdrawn)] == [CAMPAIGN]
    assert [event.sequence for event in events if isinstance(event, ContactErased)] == [2]
    for table in ("contacts", "contact_numbers", "timeline", "outbox", "consents", "suppressions"):
        text = str([tuple(row.values()) for row in await pool.fetch(f"SELECT * FROM {table}")])
        for secret in ("Siân", "960001", "'C1'"):
            assert secret not in text, table
    again = await make(1, name="Siân", country="GB", external_id="C1")
    await settle(store, digest, clock)
    assert again.id not in {lead.contact_id for lead in await leads(pool)}


async def test_enrolling_beside_editing_and_refusing_never_deadlocks(
    store: PgStore, clock: MovedClock, digest: PhoneDigest, make: Make
) -> None:
    people = [await make(n, country="GB") for n in range(20)]
    await launch(store, clock)

    async def refuse() -> None:
        for one in people:
            await record_consent(store, one.id, no(clock), clock)

    async def edit() -> None:
        for one in reversed(people):
            await edit_contact(store, one.id, 1, ContactDraft(numbers=(), name="X"), clock.now())

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for work in (refuse(), edit(), settle(store, digest, clock), settle(store, digest, clock)):
            group.create_task(work)
