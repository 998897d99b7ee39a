"""After a restore over HTTP: who was called since the database was saved, and the decision about them."""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel, Field

from services.runtime.http import Call, Input, Routes
from services.runtime.identity.principal import Role

_READ = {Role.SUPERVISOR, Role.ADMIN, Role.MARKETING, Role.AUDITOR}


class Deciding(Protocol):
    """What the routes need of the store."""

    async def restored(self) -> dict[str, Any]:
        """Return what nobody has decided about yet."""
        ...

    async def release(self, campaign_id: UUID | None, by: UUID | None) -> int:
        """Let those who are held back go on."""
        ...


class HeldLeads(BaseModel):
    """How many leads of a campaign are held back."""

    campaign_id: UUID
    name: str
    leads: int


class Restored(BaseModel):
    """Calls that the carrier made and this database does not know, and the leads held back for them."""

    calls: int
    first_at: datetime | None
    last_at: datetime | None
    campaigns: list[HeldLeads]


class Release(Input):
    """Whom to let go on: the leads of one campaign, or all, and whoever is enrolled later."""

    campaign_id: UUID | None = Field(None, description="Without it: all campaigns.")


class Released(BaseModel):
    """How many leads go on."""

    leads: int


def restored_routes(store: Deciding) -> Routes:
    """Return the routes of what comes after a restore."""
    routes = Routes(prefix="/api/dialer/restored", tag="restored")

    @routes.get("", roles=_READ, summary="Who was called after this database was saved, and is held back")
    async def get_restored() -> Restored:
        return Restored(**await store.restored())

    @routes.post("/release", roles={Role.ADMIN, Role.SUPERVISOR}, summary="Let those who are held back go on")
    async def post_release(call: Call, body: Release) -> Released:
        return Released(leads=await store.release(body.campaign_id, call.principal.user_id))

    return routes
