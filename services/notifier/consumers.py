"""What the notifier hears: requests for messages, consents, and every public fact, for the partners."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from services.events import crm, dialer, notifier
from services.events.envelope import Event
from services.notifier.domain.recipients import ConsentLine, person_subject
from services.notifier.ports import Tx
from services.notifier.usecases.announcing import tell_partners
from services.notifier.usecases.messages import accept_requests
from services.runtime.clock import Clock
from services.runtime.consumer import Handlers, Received
from services.runtime.ids import NewId
from services.runtime.postgres import Connection

E = TypeVar("E", bound=Event)

TOLD: tuple[type[Event], ...] = (
    dialer.CampaignChanged,
    dialer.CallAnswered,
    dialer.CallEnded,
    dialer.LeadFinished,
    dialer.ResponseRecorded,
    dialer.PersonRefused,
    crm.ContactChanged,
)
"""Others' facts that concern the notifier only because partners may want to know; its own it tells as it announces."""


def handlers(tx_on: Callable[[Connection], Tx], phone_key: bytes, clock: Clock, new_id: NewId) -> Handlers:
    """Return the notifier's handlers; *tx_on* sees its tables through the consumer's transaction."""
    heard = Handlers()

    async def tell(conn: Connection, batch: Sequence[Received[E]]) -> None:
        facts = [(one.envelope.id, one.event, one.envelope.time) for one in batch]
        await tell_partners(tx_on(conn), facts, clock.now())

    for event in TOLD:
        heard.on(event)(tell)

    @heard.on(notifier.MessageRequested)
    async def on_message_requested(conn: Connection, batch: Sequence[Received[notifier.MessageRequested]]) -> None:
        await accept_requests(tx_on(conn), [one.event for one in batch], phone_key, clock.now(), new_id)

    @heard.on(crm.ConsentChanged)
    async def on_consent_changed(conn: Connection, batch: Sequence[Received[crm.ConsentChanged]]) -> None:
        await tx_on(conn).consents.save([line for one in batch for line in consent_lines(one.event)])
        await tell(conn, batch)

    @heard.on(crm.ContactErased)
    async def on_contact_erased(conn: Connection, batch: Sequence[Received[crm.ContactErased]]) -> None:
        for one in batch:
            await tx_on(conn).messages.forget(one.event.contact_id)
        await tell(conn, batch)

    return heard


def consent_lines(event: crm.ConsentChanged) -> list[ConsentLine]:
    """Return what *event* says about the person and about each of the person's numbers."""
    subjects = [person_subject(event.contact_id), *event.number_digests]
    withdrawn = event.change == "withdrawn"
    return [ConsentLine(subject, event.channel, event.purpose or "", withdrawn, event.at) for subject in subjects]
