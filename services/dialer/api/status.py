"""The dialer in figures, open to everybody: counts and reasons, nothing about a person, no names."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.dialer.api.campaigns import NEWEST, Progress, progress_of
from services.dialer.domain.campaigns import CampaignState
from services.dialer.ports import MarketingStore
from services.runtime.clock import Clock
from services.runtime.counted import Counted
from services.runtime.http import PUBLIC, Routes

Owners = Callable[[], list[dict[str, Any]]]
"""The pools owned by this instance, with their last pacing decision."""

COUNTED_EVERY_S = 5.0
"""Leads are counted at most this often, however many ask: the route is open, and a campaign may have a million."""

FRESH_S = 0.5
"""Calls and operators are counted at most this often."""

SHOWN = 20
"""Running campaigns with their progress, at most."""


class RunningProgress(Progress):
    """Where a running campaign stands."""

    campaign_id: UUID
    name: str | None
    pool_id: UUID
    mode: str


class Status(BaseModel):
    """The dialer in figures; *outcomes* are those of the last five minutes."""

    ringing: int
    waiting: int
    talking: int
    campaigns_running: int
    operators: dict[str, int]
    outcomes: dict[str, int]
    pools: list[dict[str, Any]]
    progress: list[RunningProgress]
    demo: bool = Field(description="Whether this is the standalone mode with its demo.")


def status_routes(store: MarketingStore, owners: Owners, clock: Clock, *, with_names: bool, demo: bool) -> Routes:
    """Return the route of the figures; campaigns are named only *with_names*."""
    routes = Routes(prefix="/api/dialer", tag="status")

    async def count() -> list[RunningProgress]:
        now = clock.now()
        campaigns = await store.list_campaigns(NEWEST, 100)
        running = [one for one in campaigns if one.state is CampaignState.RUNNING][:SHOWN]
        found: list[RunningProgress] = []
        for campaign in running:
            since = campaign.launched_at or campaign.created_at
            leads, outcomes = await store.load_progress(campaign.id, now, since - timedelta(seconds=1))
            found.append(
                RunningProgress(
                    campaign_id=campaign.id,
                    name=campaign.name if with_names else None,
                    pool_id=campaign.pool_id,
                    mode=campaign.plan.mode.value,
                    **progress_of(leads, outcomes).model_dump(),
                )
            )
        return found

    progress = Counted(count, clock, every_s=COUNTED_EVERY_S)
    figures = Counted(store.load_status, clock, every_s=FRESH_S)

    @routes.get("/status", roles=PUBLIC, summary="The dialer in figures, without anything about a person")
    async def get_status() -> Status:
        return Status(**await figures.get(), pools=owners(), progress=await progress.get(), demo=demo)

    return routes
