"""Who may do what in the notifier."""

from uuid import UUID

from services.runtime.errors import ForbiddenError
from services.runtime.identity import Principal, Role

PREFIX = "/api/notifier"

MANAGERS = frozenset({Role.ADMIN, Role.MARKETING})
"""Who makes partners, templates and messages."""

READERS = MANAGERS | {Role.SUPERVISOR, Role.AUDITOR}
"""Who reads everything but secrets."""

OWNERS = MANAGERS | {Role.PARTNER}
"""Who keeps endpoints; a partner only his own."""

VIEWERS = READERS | {Role.PARTNER}
"""Who reads endpoints and their log; a partner only his own."""

ANSWERERS = MANAGERS | {Role.SUPERVISOR, Role.OPERATOR}
"""Who may report what a person wrote; a wrong report can only silence us."""


def only_of(principal: Principal) -> UUID | None:
    """Return the partner *principal* is limited to, None for staff; raise `ForbiddenError` for a partner of none."""
    if principal.roles & READERS:
        return None
    if principal.partner_id is None:
        raise ForbiddenError("Your account belongs to no partner; ask an administrator to name one.")
    return principal.partner_id
