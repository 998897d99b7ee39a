"""Loading what a caller names by its id, or saying that there is none."""

from uuid import UUID

from services.crm.domain.contacts import Contact
from services.crm.ports import Audience, Import, Tx
from services.runtime.errors import NotFoundError


class ContactNotFoundError(NotFoundError):
    """There is no such contact, or it was erased."""

    code = "contact-not-found"


async def load_contact(tx: Tx, contact_id: UUID, *, lock: bool = False) -> Contact:
    """Return the contact; raise `ContactNotFoundError` when it is unknown or erased."""
    contact = await tx.contacts.find(contact_id, lock=lock)
    if contact is None:
        raise ContactNotFoundError("There is no such contact.")
    if contact.erased_at is not None:
        raise ContactNotFoundError(f"This contact was erased on {contact.erased_at:%Y-%m-%d}.")
    return contact


class AudienceNotFoundError(NotFoundError):
    """There is no such audience."""

    code = "audience-not-found"


async def load_audience(tx: Tx, audience_id: UUID, *, lock: bool = False) -> Audience:
    """Return the audience or raise `AudienceNotFoundError`."""
    if (audience := await tx.audiences.find(audience_id, lock=lock)) is None:
        raise AudienceNotFoundError("There is no such audience.")
    return audience


class ImportNotFoundError(NotFoundError):
    """There is no such import."""

    code = "import-not-found"


async def load_import(tx: Tx, import_id: UUID) -> Import:
    """Return the import or raise `ImportNotFoundError`."""
    if (found := await tx.imports.find(import_id)) is None:
        raise ImportNotFoundError("There is no such import.")
    return found
