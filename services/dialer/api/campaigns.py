"""Campaigns over HTTP: drafts, launches, changes while running, progress."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.campaigns import Campaign, CampaignState, Command, Plan
from services.dialer.ports import MarketingStore
from services.dialer.usecases import campaigns as use
from services.dialer.usecases.forecasting import (
    CHECK_TIMEOUT_S,
    TIMEOUT_S,
    LaunchForecast,
    check_before_launch,
    forecast_launch,
)
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes, rejected
from services.runtime.http.instant import Instant
from services.runtime.identity.principal import Role

_EDIT = {Role.MARKETING, Role.ADMIN}
READERS = frozenset({Role.MARKETING, Role.ADMIN, Role.SUPERVISOR, Role.AUDITOR})
"""Who reads campaigns."""

NEWEST = UUID(int=2**128 - 1)
"""Before it in a list, newest first, stands everything."""
_USUAL_POOL = "main"


class NewCampaign(Input):
    """A campaign to be; without a pool it joins the one named `main`."""

    name: str = Field(min_length=1, max_length=200)
    pool_id: UUID | None = None
    script_id: UUID | None = None
    script_version: int | None = Field(None, ge=1, le=1_000_000)
    audience_id: UUID | None = None
    plan: Plan = Plan()


class CampaignPatch(Input):
    """What to change; fields left out stay as they are, also those of the plan."""

    name: str | None = Field(None, min_length=1, max_length=200)
    pool_id: UUID | None = None
    script_id: UUID | None = None
    script_version: int | None = Field(None, ge=1, le=1_000_000)
    audience_id: UUID | None = None
    plan: Plan | None = None


class CampaignView(BaseModel):
    """A campaign; `version` is its ETag."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    state: CampaignState
    pool_id: UUID
    script_id: UUID | None
    script_version: int | None
    audience_id: UUID | None
    plan: Plan
    version: int
    created_at: datetime
    launched_at: datetime | None
    ended_at: datetime | None


class ChangeView(BaseModel):
    """Who changed what, when."""

    version: int
    change: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    at: datetime
    by: UUID | None


class Held(BaseModel):
    """Leads that wait, by what holds them back."""

    held_by: str
    leads: int
    next_at: datetime | None


class Progress(BaseModel):
    """Where a campaign stands: leads by state and result, what holds them back, attempts by outcome since launch."""

    leads: dict[str, int]
    results: dict[str, int]
    held: list[Held]
    outcomes: dict[str, int]
    talk_s: float


class ForecastQuery(Input):
    """With how many operators and when; *leads* are those waiting unless given."""

    operators: int = Field(ge=1, le=1000)
    launch_at: Instant | None = None
    leads: int | None = Field(None, ge=0, le=10_000_000)


class ForecastView(BaseModel):
    """What a launch would bring: the end of calling give or take, shares from 0 to 1, and a sentence."""

    model_config = ConfigDict(from_attributes=True)

    launch_at: datetime
    operators: int
    lines: int
    finished_at: datetime
    plus_minus: timedelta
    occupancy: float
    abandoned: float
    rests_on_lines: int
    sentence: str


class MissingView(BaseModel):
    """One thing that stands in the way of a launch, and what to do about it."""

    model_config = ConfigDict(from_attributes=True)

    field: str
    problem: str


class LaunchCheckQuery(Input):
    """*Operators* are those of the campaign's pool unless given, *leads* those waiting."""

    operators: int | None = Field(None, ge=1, le=1000)
    launch_at: Instant | None = None
    leads: int | None = Field(None, ge=0, le=10_000_000)


class LaunchCheckView(BaseModel):
    """Whether a launch would be accepted, what is missing, and the forecast, or why there is none."""

    ready: bool
    missing: list[MissingView]
    forecast: ForecastView | None
    no_forecast: str | None


class AttemptView(BaseModel):
    """One attempt with the gate's decision; the number is not shown, nor the address."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    contact_id: UUID
    n: int
    mode: str
    state: str
    outcome: str | None
    operator_id: UUID | None
    reserved_at: datetime
    dialed_at: datetime | None
    answered_at: datetime | None
    connected_at: datetime | None
    ended_at: datetime | None
    decision: dict[str, Any]


def campaign_routes(store: MarketingStore, may_ever_call: use.MayEverCall) -> Routes:
    """Return the routes of campaigns."""
    routes = Routes(prefix="/api/dialer", tag="campaigns")
    before_id, before_version = Cursor(UUID), Cursor(int)

    @routes.post("/campaigns", roles=_EDIT, status=201, idempotent=True, summary="Draft a campaign")
    async def post_campaign(call: Call, body: NewCampaign) -> Reply[CampaignView]:
        draft = Campaign(
            id=call.new_id,
            name=body.name,
            state=CampaignState.DRAFT,
            pool_id=body.pool_id or await _usual_pool(store),
            plan=body.plan,
            version=1,
            created_at=call.now,
            script_id=body.script_id,
            script_version=await _script_version(store, body),
            audience_id=body.audience_id,
        )
        made = await use.create(store, draft, call.principal.user_id)
        return Reply(_view(made), etag=made.version, location=f"/api/dialer/campaigns/{made.id}")

    @routes.get("/campaigns", roles=READERS, summary="List campaigns, newest first")
    async def list_campaigns(query: PageQuery) -> Page[CampaignView]:
        found = await store.list_campaigns(before_id.decode(query.cursor) or NEWEST, query.limit)
        more = before_id.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[_view(one) for one in found], next_cursor=more)

    @routes.get("/campaigns/{campaign_id}", roles=READERS, summary="Read a campaign")
    async def get_campaign(campaign_id: UUID) -> Reply[CampaignView]:
        campaign = await store.load_campaign(campaign_id)
        return Reply(_view(campaign), etag=campaign.version)

    @routes.patch("/campaigns/{campaign_id}", roles=_EDIT, if_match=True, summary="Change a campaign, running or not")
    async def patch_campaign(call: Call, campaign_id: UUID, body: CampaignPatch) -> Reply[CampaignView]:
        wish = use.CampaignEdit(
            body.name, body.pool_id, body.script_id, body.script_version, body.audience_id, body.plan
        )
        by = call.principal.user_id
        edited = await use.edit(store, campaign_id, call.expected_version(), wish, call.now, by, may_ever_call)
        return Reply(_view(edited), etag=edited.version)

    @routes.post(
        "/campaigns/{campaign_id}/{order}", roles=_EDIT, summary="Launch, pause, resume, stop or finish a campaign"
    )
    async def post_order(
        call: Call, campaign_id: UUID, order: Literal["launch", "pause", "resume", "stop", "finish"]
    ) -> Reply[CampaignView]:
        version = call.expected_version() if call.if_match is not None else None
        command: Command = order
        done = await use.command(store, campaign_id, version, command, call.now, call.principal.user_id, may_ever_call)
        return Reply(_view(done), etag=done.version)

    @routes.get("/campaigns/{campaign_id}/changes", roles=READERS, summary="Who changed what, when")
    async def list_changes(campaign_id: UUID, query: PageQuery) -> Page[ChangeView]:
        last = before_version.decode(query.cursor) or 2**31 - 1
        found = await store.list_changes(campaign_id, last, query.limit)
        more = before_version.encode(found[-1]["version"]) if len(found) == query.limit else None
        return Page(items=[ChangeView(**one) for one in found], next_cursor=more)

    @routes.get("/campaigns/{campaign_id}/progress", roles=READERS, summary="Where a campaign stands")
    async def get_progress(call: Call, campaign_id: UUID) -> Progress:
        campaign = await store.load_campaign(campaign_id)
        since = campaign.launched_at or campaign.created_at
        leads, outcomes = await store.load_progress(campaign_id, call.now, since - timedelta(seconds=1))
        return progress_of(leads, outcomes)

    @routes.get(
        "/campaigns/{campaign_id}/forecast",
        roles=READERS,
        summary="What a launch would bring (takes seconds)",
        timeout_s=2 * TIMEOUT_S,
    )
    async def get_forecast(call: Call, campaign_id: UUID, query: ForecastQuery) -> ForecastView:
        at = query.launch_at or call.now
        return _forecast(await forecast_launch(store, campaign_id, query.operators, at, query.leads))

    @routes.get(
        "/campaigns/{campaign_id}/launch-check",
        roles=READERS,
        timeout_s=2 * CHECK_TIMEOUT_S,
        summary="What is missing for a launch, and what it would bring (takes seconds)",
    )
    async def get_launch_check(call: Call, campaign_id: UUID, query: LaunchCheckQuery) -> LaunchCheckView:
        at = query.launch_at or call.now
        found = await check_before_launch(store, may_ever_call, campaign_id, query.operators, at, query.leads)
        return LaunchCheckView(
            ready=not found.missing,
            missing=[MissingView.model_validate(one) for one in found.missing],
            forecast=_forecast(found.forecast) if found.forecast else None,
            no_forecast=found.no_forecast,
        )

    @routes.get("/campaigns/{campaign_id}/attempts", roles=READERS, summary="A campaign's attempts, newest first")
    async def list_attempts(campaign_id: UUID, query: PageQuery) -> Page[AttemptView]:
        found = await store.list_attempts(campaign_id, before_id.decode(query.cursor) or NEWEST, query.limit)
        more = before_id.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[_attempt(one) for one in found], next_cursor=more)

    return routes


async def _usual_pool(store: MarketingStore) -> UUID:
    """Return the pool of a campaign that names none: the one named main, or the only one there is."""
    pools = await store.list_pools()
    if not pools:
        raise rejected("pool_id", f"there is no pool yet; make one with `galw pools create {_USUAL_POOL}`")
    usual = next((pool for pool in pools if pool.name == _USUAL_POOL), pools[0] if len(pools) == 1 else None)
    if usual is None:
        names = ", ".join(sorted(pool.name for pool in pools))
        raise rejected("pool_id", f"name the pool, for none is named {_USUAL_POOL!r}; there are {names}")
    return usual.id


async def _script_version(store: MarketingStore, body: NewCampaign) -> int | None:
    if body.script_id is None or body.script_version is not None:
        return body.script_version
    return (await store.load_script_version(body.script_id, None)).version


def _view(campaign: Campaign) -> CampaignView:
    return CampaignView.model_validate(campaign)


def _forecast(found: LaunchForecast) -> ForecastView:
    return ForecastView(**asdict(found), sentence=found.sentence())


def _attempt(attempt: Attempt) -> AttemptView:
    # The facts beside the decision name the number.
    return AttemptView.model_validate(replace(attempt, decision=attempt.decision.get("decision", {})))


def progress_of(leads: list[Any], outcomes: list[Any]) -> Progress:
    """Return the counts that the store's rows add up to."""
    states: dict[str, int] = {}
    results: dict[str, int] = {}
    held: dict[str, Held] = {}
    for row in leads:
        states[row["state"]] = states.get(row["state"], 0) + row["leads"]
        if row["result"] is not None:
            results[row["result"]] = results.get(row["result"], 0) + row["leads"]
        if row["state"] == "waiting":
            name = "nothing" if row["due"] else row["held_by"] or "nothing"
            before = held.get(name)
            instants = [at for at in (row["next_at"], before.next_at if before else None) if at is not None]
            count = row["leads"] + (before.leads if before else 0)
            held[name] = Held(held_by=name, leads=count, next_at=min(instants, default=None))
    return Progress(
        leads=states,
        results=results,
        held=sorted(held.values(), key=lambda one: -one.leads),
        outcomes={row["outcome"]: row["attempts"] for row in outcomes},
        talk_s=sum(row["talk_s"] for row in outcomes),
    )
