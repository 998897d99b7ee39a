"""Contacts: made, edited, erased."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.crm.domain.attributes import MAX_ATTRIBUTES, Attribute, check_attribute
from services.crm.domain.consents import Change, Channel, ConsentLine
from services.crm.domain.contacts import Contact, ContactDraft, ContactId, erase, merge, new_contact
from services.crm.ports import Entry, Store, Tx
from services.crm.usecases.consents import append_line
from services.crm.usecases.lookups import ContactNotFoundError, load_contact
from services.events.crm import ContactChanged, ContactErased, LeadWithdrawn
from services.runtime.errors import ConflictError, PreconditionError


async def create_contact(store: Store, contact_id: UUID, draft: ContactDraft, now: datetime) -> Contact:
    """Write a new contact; `ConflictError` when its external id, or its name with its numbers, is known."""
    async with store.transaction() as tx:
        contact = new_contact(ContactId(contact_id), draft, now)
        await save_contacts(tx, created=[contact], updated=[], now=now)
        return contact


async def edit_contact(store: Store, contact_id: UUID, expected: int, draft: ContactDraft, now: datetime) -> Contact:
    """Change what *draft* states; *expected* is the sequence the editor has seen."""
    async with store.transaction() as tx:
        contact = await load_contact(tx, contact_id, lock=True)
        if contact.sequence != expected:
            raise PreconditionError(f"The contact was changed meanwhile: it is at version {contact.sequence}.")
        edited = merge(contact, draft, now)
        if edited is not contact:
            await save_contacts(tx, created=[], updated=[edited], now=now)
        return edited


async def save_contacts(tx: Tx, *, created: Sequence[Contact], updated: Sequence[Contact], now: datetime) -> None:
    """Write contacts, which are new or locked, and announce each."""
    await tx.contacts.save([*created, *updated])
    new = {contact.id for contact in created}
    await tx.announce(
        [
            ContactChanged(contact_id=one.id, sequence=one.sequence, created=one.id in new, external_id=one.external_id)
            for one in (*created, *updated)
        ],
        now,
    )


async def erase_contact(store: Store, contact_id: UUID, by: UUID, now: datetime) -> None:
    """Forget who the person is; a repeat changes nothing.

    What stays: the ledger, which names nobody, and the digests of the numbers, so that the person is not called again
    when the next file brings them back.
    """
    async with store.transaction() as tx:
        contact = await tx.contacts.find(contact_id, lock=True)
        if contact is None:
            raise ContactNotFoundError("There is no such contact.")
        if contact.erased_at is not None:
            return
        # Forgetting comes before the news of it, and the ledger before the numbers go, whose digests it takes.
        await tx.contacts.forget(contact_id)
        line = ConsentLine(0, Change.WITHDRAWN, Channel.ALL, None, now, "erasure", by=by)
        await append_line(tx, contact_id, line, now)
        campaigns = await tx.audiences.withdraw(contact_id, now)
        erased = erase(contact, now)
        await tx.contacts.save([erased])
        await tx.responses.note([Entry(contact_id, now, contact_id, "contact.erased", {"by": str(by)})])
        withdrawn = [
            LeadWithdrawn(campaign_id=campaign_id, contact_id=contact_id, reason="erased") for campaign_id in campaigns
        ]
        await tx.announce([*withdrawn, ContactErased(contact_id=contact_id, sequence=erased.sequence)], now)


async def add_attribute(store: Store, attribute: Attribute, now: datetime) -> Attribute:
    """Add an entry to the attribute catalogue; the same entry again changes nothing."""
    check_attribute(attribute)
    async with store.transaction() as tx:
        catalogue = await tx.contacts.catalogue()
        if (known := catalogue.get(attribute.name)) is not None:
            if known == attribute:
                return known
            raise ConflictError(f"There is an attribute {attribute.name} already, of the kind {known.kind}.")
        if len(catalogue) >= MAX_ATTRIBUTES:
            raise ConflictError(f"There are {MAX_ATTRIBUTES} attributes already, which is the most a contact may have.")
        await tx.contacts.add_attribute(attribute, now)
        return attribute
