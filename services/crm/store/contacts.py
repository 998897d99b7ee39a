"""Contacts, their numbers and the attribute catalogue in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.crm.domain.attributes import Attribute, AttributeKind, Catalogue
from services.crm.domain.contacts import (
    Address,
    Contact,
    ContactDraft,
    ContactId,
    Number,
    NumberKind,
    Relationship,
    fingerprint,
)
from services.crm.ports import ContactSearch, PhoneDigest
from services.crm.store.statements import SQL
from services.runtime.errors import ConflictError
from services.runtime.outbox import forget
from services.runtime.phone import E164
from services.runtime.postgres import Connection


class PgContacts:
    """`ports.Contacts` over one connection."""

    def __init__(self, conn: Connection, digest: PhoneDigest) -> None:
        """Work on *conn*; *digest* is stored beside each number."""
        self._conn = conn
        self._digest = digest

    async def find(self, contact_id: UUID, *, lock: bool = False) -> Contact | None:
        """Return the contact, locked on wish."""
        row = await self._conn.fetchrow(SQL["contact_lock" if lock else "contact_find"], contact_id)
        return contact_from_row(row) if row else None

    async def lock_alike(self, drafts: Sequence[ContactDraft]) -> list[Contact]:
        """Return, locked, what a draft may mean."""
        external_ids = [draft.external_id for draft in drafts if draft.external_id is not None]
        fingerprints = [fingerprint(draft.name or "", draft.numbers) for draft in drafts]
        rows = await self._conn.fetch(SQL["contacts_lock_alike"], external_ids, fingerprints)
        return [contact_from_row(row) for row in rows]

    async def save(self, contacts: Sequence[Contact]) -> None:
        """Write contacts with their numbers, and note them as due for enrolment."""
        if not contacts:
            return
        try:
            await self._conn.execute(SQL["contacts_save"], *_columns(contacts))
        except asyncpg.UniqueViolationError as error:
            raise _known(error) from error
        ids = [contact.id for contact in contacts]
        await self._conn.execute(SQL["contact_numbers_drop"], ids)
        numbers = [(contact.id, place, one) for contact in contacts for place, one in enumerate(contact.numbers, 1)]
        await self._conn.execute(
            SQL["contact_numbers_add"],
            [contact_id for contact_id, _, _ in numbers],
            [place for _, place, _ in numbers],
            [one.e164 for _, _, one in numbers],
            [one.kind for _, _, one in numbers],
            [self._digest(one.e164) for _, _, one in numbers],
        )
        await self._conn.execute(SQL["enrolment_due_add"], ids)

    async def search(self, search: ContactSearch, after: UUID | None, limit: int) -> list[Contact]:
        """Return contacts that fit."""
        prefix = None if search.name_prefix is None else _like(search.name_prefix.lower()) + "%"
        rows = await self._conn.fetch(SQL["contacts_search"], search.number, search.external_id, prefix, after, limit)
        return [contact_from_row(row) for row in rows]

    async def names(self, contact_ids: Sequence[UUID]) -> dict[UUID, tuple[str | None, str]]:
        """Return external ids and names."""
        rows = await self._conn.fetch(SQL["contacts_names"], list(contact_ids))
        return {row["id"]: (row["external_id"], row["name"]) for row in rows}

    async def catalogue(self) -> Catalogue:
        """Return the catalogue by name."""
        return {
            row["name"]: Attribute(row["name"], AttributeKind(row["kind"]), row["label"], tuple(row["choices"]))
            for row in await self._conn.fetch(SQL["attributes_list"])
        }

    async def add_attribute(self, attribute: Attribute, now: datetime) -> None:
        """Add a catalogue entry."""
        values = (attribute.name, attribute.kind, attribute.label, list(attribute.choices), now)
        try:
            await self._conn.execute(SQL["attribute_add"], *values)
        except asyncpg.UniqueViolationError as error:
            raise ConflictError(f"There is an attribute {attribute.name} already; kinds never change.") from error

    async def forget(self, contact_id: UUID) -> None:
        """Blank notes and free texts, and what the runtime keeps of events about the person."""
        await self._conn.execute(SQL["responses_forget"], contact_id)
        await forget(self._conn, contact_id)

    async def handled_by(self, contact_id: UUID, operator_id: UUID) -> bool:
        """Tell whether the operator had the person on the line."""
        return bool(await self._conn.fetchval(SQL["contact_handled"], contact_id, operator_id))


def contact_from_row(row: asyncpg.Record) -> Contact:
    """Return the contact in *row*."""
    return Contact(
        id=ContactId(row["id"]),
        sequence=row["sequence"],
        numbers=tuple(
            Number(E164(e164), NumberKind(kind))
            for e164, kind in zip(row["numbers"] or (), row["kinds"] or (), strict=True)
        ),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        external_id=row["external_id"],
        name=row["name"],
        language=row["language"],
        address=Address(row["country"], row["region"], row["postal_code"], row["time_zone"]),
        email=row["email"],
        relationship=Relationship(row["relationship"]),
        relationship_since=row["relationship_since"],
        attributes=row["attributes"],
        erased_at=row["erased_at"],
    )


def _columns(contacts: Sequence[Contact]) -> list[list[object]]:
    rows = [
        (
            one.id,
            one.external_id,
            one.name,
            one.language,
            one.address.country,
            one.address.region,
            one.address.postal_code,
            one.address.time_zone,
            one.email,
            one.relationship,
            one.relationship_since,
            one.attributes,
            one.sequence,
            None if one.erased_at else fingerprint(one.name, one.numbers),
            one.created_at,
            one.changed_at,
            one.erased_at,
        )
        for one in contacts
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _known(error: asyncpg.UniqueViolationError) -> ConflictError:
    if error.constraint_name == "contacts_external_id":
        return ConflictError("Another contact has this external id; edit that one or choose another id.")
    if error.constraint_name == "contacts_fingerprint_alone":
        return ConflictError(
            "There is a contact with this name and these numbers already; give an external id to tell them apart."
        )
    return ConflictError("The contact is there already.")


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
