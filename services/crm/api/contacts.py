"""Contacts, their timeline and the attribute catalogue over HTTP."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.crm.api.access import HANDLERS, MANAGERS, PREFIX, READERS, check_may_read
from services.crm.api.models import AttributeBody, ContactInput, ContactView, EntryView, NewContact
from services.crm.ports import ContactSearch, Store
from services.crm.usecases.contacts import add_attribute, create_contact, edit_contact, erase_contact
from services.crm.usecases.lookups import load_contact
from services.runtime.http import Call, Cursor, Page, PageQuery, Reply, Routes
from services.runtime.identity import Role
from services.runtime.phone import parse_phone


class ContactQuery(PageQuery):
    """What contacts are looked for."""

    number: str | None = Field(None, max_length=60, description="Whole, with its country code or `region`.")
    region: str | None = Field(None, max_length=2, description="Country (ISO 3166) of a national number.")
    external_id: str | None = Field(None, max_length=500)
    name: str | None = Field(None, max_length=200, description="How the name begins, capitals or not.")


def contact_routes(store: Store) -> Routes:
    """Return the routes of contacts."""
    routes = Routes(prefix=PREFIX, tag="contacts")
    by_id = Cursor(UUID)
    by_time = Cursor(tuple[datetime, UUID])

    @routes.post("/contacts", roles=MANAGERS, status=201, idempotent=True, summary="Make a contact")
    async def post_contact(call: Call, body: NewContact) -> Reply[ContactView]:
        async with store.transaction() as tx:
            draft = body.draft(await tx.contacts.catalogue())
        made = await create_contact(store, call.new_id, draft, call.now)
        return Reply(ContactView.of(made), etag=made.sequence, location=f"{PREFIX}/contacts/{made.id}")

    @routes.get("/contacts", roles=READERS, summary="Search contacts")
    async def list_contacts(query: ContactQuery) -> Page[ContactView]:
        number = None if query.number is None else parse_phone(query.number, query.region)
        search = ContactSearch(number, query.external_id, query.name)
        async with store.transaction() as tx:
            found = await tx.contacts.search(search, by_id.decode(query.cursor), query.limit)
        more = by_id.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[ContactView.of(one) for one in found], next_cursor=more)

    @routes.get("/contacts/{contact_id}", roles=HANDLERS, summary="Read a contact")
    async def get_contact(call: Call, contact_id: UUID) -> Reply[ContactView]:
        async with store.transaction() as tx:
            await check_may_read(tx, call.principal, contact_id)
            found = await load_contact(tx, contact_id)
        return Reply(ContactView.of(found), etag=found.sequence)

    @routes.patch("/contacts/{contact_id}", roles=MANAGERS, if_match=True, summary="Edit a contact")
    async def patch_contact(call: Call, contact_id: UUID, body: ContactInput) -> Reply[ContactView]:
        async with store.transaction() as tx:
            draft = body.draft(await tx.contacts.catalogue())
        edited = await edit_contact(store, contact_id, call.expected_version(), draft, call.now)
        return Reply(ContactView.of(edited), etag=edited.sequence)

    @routes.delete("/contacts/{contact_id}", roles={Role.ADMIN}, summary="Erase a person for good")
    async def delete_contact(call: Call, contact_id: UUID) -> None:
        await erase_contact(store, contact_id, call.principal.user_id, call.now)

    @routes.get("/contacts/{contact_id}/timeline", roles=HANDLERS, summary="Read what happened to a person")
    async def get_timeline(call: Call, contact_id: UUID, query: PageQuery) -> Page[EntryView]:
        async with store.transaction() as tx:
            await check_may_read(tx, call.principal, contact_id)
            found = await tx.responses.timeline(contact_id, by_time.decode(query.cursor), query.limit)
        more = by_time.encode((found[-1].at, found[-1].id)) if len(found) == query.limit else None
        return Page(items=[EntryView.of(one) for one in found], next_cursor=more)

    @routes.get("/attributes", roles=HANDLERS, summary="Read the attribute catalogue")
    async def list_attributes() -> Page[AttributeBody]:
        async with store.transaction() as tx:
            catalogue = await tx.contacts.catalogue()
        return Page(items=[AttributeBody.of(one) for one in catalogue.values()])

    @routes.post("/attributes", roles=MANAGERS, status=201, summary="Add to the attribute catalogue")
    async def post_attribute(call: Call, body: AttributeBody) -> AttributeBody:
        return AttributeBody.of(await add_attribute(store, body.attribute(), call.now))

    return routes
