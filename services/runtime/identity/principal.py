"""Who calls: the roles, the signed-in person, and what a service needs to learn it from a token."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from services.runtime.errors import GalwError


class Role(StrEnum):
    """What a person may do; every route lists the roles it lets in, and no role implies another."""

    ADMIN = "admin"
    MARKETING = "marketing"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    PARTNER = "partner"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person, as the access token states it; at most ten minutes older than the account."""

    user_id: UUID
    roles: frozenset[Role]
    name: str
    partner_id: UUID | None = None
    team_ids: frozenset[UUID] = field(default_factory=frozenset[UUID])


class SignedOutError(GalwError):
    """No token, or one that does not count: HTTP 401."""

    code = "signed-out"


class Verifier(Protocol):
    """Turns an access token into the person it was given to, without asking anybody per request."""

    async def verify(self, token: str) -> Principal:
        """Return whose *token* it is; raise `SignedOutError` (bad or expired) or `UnavailableError` (no keys)."""
        ...
