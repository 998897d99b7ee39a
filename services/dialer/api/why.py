"""Why is nobody being called? The answer for one campaign, for those who may read it, and for the status page."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.dialer.api.campaigns import READERS
from services.dialer.domain.campaigns import CampaignState
from services.dialer.domain.obstacles import STEP, Filter, Obstacle, Why
from services.dialer.usecases.obstacles import Explaining
from services.runtime.clock import Clock
from services.runtime.counted import Counted
from services.runtime.errors import NotFoundError
from services.runtime.http import PUBLIC, Routes

FRESH_S = 2.0
REMEMBERED = 50
"""Campaigns whose answer is kept for the next who asks; those asked about least recently are forgotten."""


class ObstacleView(BaseModel):
    """One filter: how many leads it holds back now, when the first of them come free, and how many come then."""

    model_config = ConfigDict(from_attributes=True)

    filter: Filter
    leads: int
    text: str
    rule: str | None
    until: datetime | None
    frees: int
    estimated: bool


class DoneView(BaseModel):
    """Leads that are finished, by result; *ruled_out_by* is the rule that ended them without a call."""

    model_config = ConfigDict(from_attributes=True)

    result: str | None
    ruled_out_by: str | None
    leads: int


class PointView(BaseModel):
    """Leads whose time has come by an instant, and how many of them may be called at it."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    due: int
    callable: int


class WhyView(BaseModel):
    """Why nobody, or not everybody, is being called; `docs/why.md` says exactly what each figure counts."""

    campaign_id: UUID
    name: str | None
    state: CampaignState
    at: datetime
    answer: str
    waiting: int
    busy: int
    finished: int
    due: int = Field(description="Leads whose time has come.")
    callable: int = Field(description="Those of them that nothing about themselves holds back.")
    estimated: bool = Field(description="Whether some figures come from a sample.")
    obstacles: list[ObstacleView]
    next_change: ObstacleView | None
    done: list[DoneView]
    pacing: str | None = Field(description="What pacing said of its last decision.")
    step_minutes: int
    chart: list[PointView]


class Answers:
    """The answers of the last seconds, so that many who look at one campaign cost no more than one."""

    def __init__(self, explaining: Explaining, clock: Clock) -> None:
        """Know none."""
        self._explaining = explaining
        self._clock = clock
        self._kept: dict[UUID, Counted[Why]] = {}

    async def of(self, campaign_id: UUID) -> Why:
        """Return the answer for a campaign; raises `NotFoundError`."""
        kept = self._kept[campaign_id] = self._kept.pop(campaign_id, None) or self._counted(campaign_id)
        if len(self._kept) > REMEMBERED:
            del self._kept[next(iter(self._kept))]
        try:
            return await kept.get()
        except NotFoundError:
            self._kept.pop(campaign_id, None)
            raise

    def _counted(self, campaign_id: UUID) -> Counted[Why]:
        async def count() -> Why:
            return await self._explaining.why(campaign_id, self._clock.now())

        return Counted(count, self._clock, every_s=FRESH_S)


def why_routes(answers: Answers, *, with_names: bool) -> Routes:
    """Return the routes of the question; the open one tells campaigns' names only *with_names*."""
    routes = Routes(prefix="/api/dialer", tag="campaigns")

    @routes.get("/campaigns/{campaign_id}/why", roles=READERS, summary="Why nobody, or not everybody, is being called")
    async def get_why(campaign_id: UUID) -> WhyView:
        return view(await answers.of(campaign_id), named=True)

    @routes.get("/status/why/{campaign_id}", roles=PUBLIC, summary="The same in figures, for the status page")
    async def get_status_why(campaign_id: UUID) -> WhyView:
        """For campaigns that run or pause; nothing about a person."""
        why = await answers.of(campaign_id)
        if why.campaign.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
            raise NotFoundError("There is no such campaign.")
        return view(why, named=with_names)

    return routes


def view(why: Why, *, named: bool) -> WhyView:
    """Return the answer as it is sent."""
    change = why.next_change
    return WhyView(
        campaign_id=why.campaign.id,
        name=why.campaign.name if named else None,
        state=why.campaign.state,
        at=why.at,
        answer=why.answer,
        waiting=why.waiting,
        busy=why.busy,
        finished=why.finished,
        due=why.due,
        callable=why.callable,
        estimated=why.estimated,
        obstacles=[_obstacle(one) for one in why.obstacles],
        next_change=_obstacle(change) if change is not None else None,
        done=[DoneView.model_validate(one) for one in why.done],
        pacing=why.pacing,
        step_minutes=int(STEP.total_seconds()) // 60,
        chart=[PointView.model_validate(one) for one in why.chart],
    )


def _obstacle(one: Obstacle) -> ObstacleView:
    return ObstacleView.model_validate(one)
