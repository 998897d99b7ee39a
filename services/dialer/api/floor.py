"""The floor over HTTP: pools, operators, trunks and the emergency stop."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Mode
from services.dialer.ports import MarketingStore, Pool
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes, rejected
from services.runtime.identity.principal import Role

_RUN = {Role.SUPERVISOR, Role.ADMIN}
_READ = {Role.SUPERVISOR, Role.ADMIN, Role.MARKETING, Role.AUDITOR}

Wake = Callable[[], Awaitable[None]]
"""Tells every pool owner, on every instance, to look again."""


class NewPool(Input):
    """A set of operators and the campaigns that share them."""

    name: str = Field(min_length=1, max_length=100)
    wrap_up_limit_s: int = Field(60, ge=0, le=3600)
    lost_grace_s: int = Field(10, ge=1, le=120)
    offer_limit_s: int = Field(60, ge=5, le=3600)
    shadow_mode: Mode | None = Field(
        None, description="A pacing mode that is asked beside the real one, and not obeyed."
    )


class PoolView(BaseModel):
    """A pool and its limits."""

    id: UUID
    name: str
    wrap_up_limit_s: int
    lost_grace_s: int
    offer_limit_s: int
    shadow_mode: Mode | None


class PacingDecision(BaseModel):
    """What pacing decided at one instant, by campaign: lines placed, why, and what the shadow would have placed."""

    at: datetime
    dial: dict[str, int]
    explain: dict[str, str]
    shadow: dict[str, int]


class DecisionQuery(Input):
    """How far back, and how many."""

    minutes: int = Field(60, ge=1, le=60)
    limit: int = Field(100, ge=1, le=1000)


class Assignment(Input):
    """Which pool an operator works in, with which skills."""

    pool_id: UUID
    skills: list[str] = Field([], max_length=50)


class OperatorListed(BaseModel):
    """An operator as a supervisor sees them."""

    id: UUID
    name: str
    pool_id: UUID
    skills: list[str]
    state: OperatorState
    reason: str | None
    since: datetime
    call_id: UUID | None


class TrunkBody(Input):
    """A trunk's limits; money in millionths of the account's currency."""

    calls_per_second: Decimal = Field(gt=0, le=1000)
    channels: int = Field(ge=1, le=100_000)
    countries: list[Annotated[str, Field(pattern="^[A-Z]{2}$")]] = Field(
        min_length=1, max_length=250, description="Countries it may call, ISO 3166 alpha-2; no others."
    )
    cost_per_attempt_micros: int = Field(0, ge=0, le=10**12)
    spend_cap_micros: int | None = Field(None, ge=0, le=10**15, description="At most so much a day.")


class TrunkView(TrunkBody):
    """A trunk with its live channels and what it spent today."""

    id: str
    live: int
    spent_micros: int


class StopBody(Input):
    """What to stop: everything, one campaign (its id) or one trunk (its name)."""

    scope: Literal["all", "campaign", "trunk"]
    target: str = Field("", max_length=100)
    reason: str = Field("", max_length=500)


class StopView(BaseModel):
    """A stop in force."""

    scope: str
    target: str
    at: datetime
    by: UUID | None
    reason: str


class StopChange(StopView):
    """A stop that was put in force or lifted."""

    change: Literal["stopped", "lifted"]


def floor_routes(store: MarketingStore, wake: Wake) -> Routes:
    """Return the routes of the floor."""
    routes = Routes(prefix="/api/dialer", tag="floor")
    after = Cursor(tuple[str, UUID])
    before_seq = Cursor(int)

    @routes.post("/pools", roles=_RUN, status=201, idempotent=True, summary="Make a pool")
    async def post_pool(call: Call, body: NewPool) -> Reply[PoolView]:
        pool = Pool(call.new_id, **body.model_dump())
        await store.insert_pool(pool)
        return Reply(_pool(pool))

    @routes.put("/pools/{pool_id}", roles=_RUN, summary="Change a pool's name and limits")
    async def put_pool(pool_id: UUID, body: NewPool) -> PoolView:
        pool = Pool(pool_id, **body.model_dump())
        await store.update_pool(pool)
        await wake()
        return _pool(pool)

    @routes.get("/pools/{pool_id}/decisions", roles=_READ, summary="What pacing decided in the last hour, and why")
    async def list_decisions(call: Call, pool_id: UUID, query: DecisionQuery) -> Page[PacingDecision]:
        since = call.now - timedelta(minutes=query.minutes)
        found = await store.list_decisions(pool_id, since, query.limit)
        return Page(items=[PacingDecision(**asdict(one)) for one in found])

    @routes.get("/pools", roles=_READ, summary="List pools")
    async def list_pools() -> Page[PoolView]:
        return Page(items=[_pool(pool) for pool in await store.list_pools()])

    @routes.get("/operators", roles=_READ, summary="List operators with their state")
    async def list_operators(query: PageQuery) -> Page[OperatorListed]:
        found = await store.list_operators(after.decode(query.cursor) or ("", UUID(int=0)), query.limit)
        more = after.encode((found[-1].name, found[-1].id)) if len(found) == query.limit else None
        return Page(items=[_operator(one) for one in found], next_cursor=more)

    @routes.put("/operators/{operator_id}/assignment", roles=_RUN, summary="Put an operator into a pool")
    async def put_assignment(operator_id: UUID, body: Assignment) -> OperatorListed:
        return _operator(await store.assign_operator(operator_id, body.pool_id, body.skills))

    @routes.put("/trunks/{trunk_id}", roles={Role.ADMIN}, summary="Set a trunk's limits")
    async def put_trunk(trunk_id: str, body: TrunkBody) -> None:
        if not 1 <= len(trunk_id) <= 60:
            raise rejected("trunk_id", "expected a name of 1 to 60 characters")
        await store.save_trunk({"id": trunk_id, **body.model_dump()})

    @routes.get("/trunks", roles=_READ, summary="List trunks")
    async def list_trunks() -> Page[TrunkView]:
        found = await store.list_trunks()
        fields = TrunkView.model_fields
        return Page(items=[TrunkView(**{name: one[name] for name in fields}) for one in found])

    @routes.get("/stops", roles=_READ, summary="List the emergency stops in force")
    async def list_stops() -> Page[StopView]:
        return Page(items=[StopView(**one) for one in await store.list_stops()])

    @routes.get("/stops/changes", roles=_READ, summary="Who stopped or lifted what, when and why, newest first")
    async def list_stop_changes(query: PageQuery) -> Page[StopChange]:
        found = await store.list_stop_changes(before_seq.decode(query.cursor) or 2**63 - 1, query.limit)
        more = before_seq.encode(found[-1]["seq"]) if len(found) == query.limit else None
        return Page(items=[StopChange(**one) for one in found], next_cursor=more)

    @routes.post("/stops", roles={*_RUN, Role.MARKETING}, summary="Stop dialing at once: all, a campaign or a trunk")
    async def post_stop(call: Call, body: StopBody) -> Page[StopView]:
        target = _target(body)
        await store.stop(body.scope, target, call.now, call.principal.user_id, body.reason)
        await wake()
        return Page(items=[StopView(**one) for one in await store.list_stops()])

    @routes.post("/stops/lift", roles=_RUN, summary="Lift an emergency stop")
    async def post_lift(call: Call, body: StopBody) -> Page[StopView]:
        await store.lift(body.scope, _target(body), call.now, call.principal.user_id, body.reason)
        await wake()
        return Page(items=[StopView(**one) for one in await store.list_stops()])

    return routes


def _target(body: StopBody) -> str:
    if body.scope == "all":
        return ""
    if not body.target:
        raise rejected("target", f"name the {body.scope} to stop")
    if body.scope == "campaign":
        try:
            return str(UUID(body.target))
        except ValueError as error:
            raise rejected("target", "expected the campaign's id") from error
    return body.target


def _pool(pool: Pool) -> PoolView:
    return PoolView(**{name: getattr(pool, name) for name in PoolView.model_fields})


def _operator(operator: Operator) -> OperatorListed:
    return OperatorListed(
        id=operator.id,
        name=operator.name,
        pool_id=operator.pool_id,
        skills=sorted(operator.skills),
        state=operator.state,
        reason=operator.reason,
        since=operator.since,
        call_id=operator.attempt_id,
    )
