"""Who may do what in the CRM."""

from uuid import UUID

from services.crm.ports import Tx
from services.runtime.errors import ForbiddenError
from services.runtime.identity import Principal, Role

PREFIX = "/api/crm"

MANAGERS = frozenset({Role.ADMIN, Role.MARKETING})
"""Who makes and edits."""

READERS = MANAGERS | {Role.SUPERVISOR, Role.AUDITOR}
"""Who reads everything."""

HANDLERS = READERS | {Role.OPERATOR}
"""Who reads a person; an operator only one of those on the line."""


async def check_may_read(tx: Tx, principal: Principal, contact_id: UUID) -> None:
    """Raise `ForbiddenError` for an operator who never had the person on the line."""
    if principal.roles & READERS:
        return
    if not await tx.contacts.handled_by(contact_id, principal.user_id):
        raise ForbiddenError("You may read the people you speak with; you never had this one on the line.")
