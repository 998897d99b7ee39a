"""Campaigns: made as drafts, changed under a version, launched only when nothing is missing."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.dialer.domain.campaigns import (
    Campaign,
    CampaignState,
    Command,
    Missing,
    Plan,
    missing_for_launch,
    next_state,
)
from services.dialer.ports import Edit, MarketingStore
from services.events.dialer import CampaignChanged
from services.runtime.errors import ConflictError, FieldProblem, RejectedError

_CHANGES = {"launch": "launched", "pause": "paused", "resume": "resumed", "stop": "stopped", "finish": "finished"}

MayEverCall = Callable[[Plan, Collection[str], datetime], bool]
"""Tells whether a plan has an hour that is legal in one of these countries at least."""


@dataclass(frozen=True, slots=True)
class CampaignEdit:
    """What may be changed of a campaign; None leaves a field as it is."""

    name: str | None = None
    pool_id: UUID | None = None
    script_id: UUID | None = None
    script_version: int | None = None
    audience_id: UUID | None = None
    plan: Plan | None = None


def announced(campaign: Campaign, change: str, now: datetime, by: UUID | None) -> CampaignChanged:
    """Return the fact of a change; *campaign* already has its next version."""
    return CampaignChanged.model_validate(
        {
            "campaign_id": campaign.id,
            "sequence": campaign.version,
            "name": campaign.name,
            "state": campaign.state.value,
            "change": change,
            "audience_id": campaign.audience_id,
            "purpose": campaign.plan.purpose,
            "at": now,
            "by": by,
        }
    )


async def create(store: MarketingStore, campaign: Campaign, by: UUID | None) -> Campaign:
    """Keep a new draft."""
    await store.insert_campaign(campaign, by, (announced(campaign, "created", campaign.created_at, by),))
    return campaign


async def edit(
    store: MarketingStore,
    campaign_id: UUID,
    version: int,
    wish: CampaignEdit,
    now: datetime,
    by: UUID | None,
    may_ever_call: MayEverCall,
) -> Campaign:
    """Change a campaign, running or not; one that ended stays as it is.

    Of a plan only what the wish states is changed. One that was launched must stay fit for a launch.
    """

    async def change(before: Campaign) -> Edit:
        if before.state in (CampaignState.FINISHED, CampaignState.STOPPED):
            raise ConflictError(f"The campaign is {before.state.value}; make a new one instead.")
        script_id = wish.script_id or before.script_id
        script_version = wish.script_version or (None if wish.script_id else before.script_version)
        if script_id is not None and script_version is None:
            script_version = (await store.load_script_version(script_id, None)).version
        after = replace(
            before,
            name=wish.name or before.name,
            pool_id=wish.pool_id or before.pool_id,
            script_id=script_id,
            script_version=script_version,
            audience_id=wish.audience_id or before.audience_id,
            plan=before.plan if wish.plan is None else changed_plan(before.plan, wish.plan),
            version=before.version + 1,
        )
        if before.state is not CampaignState.DRAFT:
            await check_launch(
                store,
                after,
                may_ever_call,
                now,
                "The campaign was launched, so it cannot be left without what it needs.",
            )
        return Edit("edited", after, (announced(after, "edited", now, by),))

    return await store.edit_campaign(campaign_id, version, change, now, by)


def changed_plan(plan: Plan, wish: Plan) -> Plan:
    """Return *plan* with the fields that *wish* was given."""
    return plan.model_copy(update={name: getattr(wish, name) for name in wish.model_fields_set})


async def command(
    store: MarketingStore,
    campaign_id: UUID,
    version: int | None,
    order: Command,
    now: datetime,
    by: UUID | None,
    may_ever_call: MayEverCall,
) -> Campaign:
    """Launch, pause, resume, stop or finish; a launch names everything that is missing at once."""
    return await store.edit_campaign(campaign_id, version, _ordered(store, order, now, by, may_ever_call), now, by)


def _ordered(
    store: MarketingStore, order: Command, now: datetime, by: UUID | None, may_ever_call: MayEverCall
) -> Callable[[Campaign], Awaitable[Edit]]:
    async def change(before: Campaign) -> Edit:
        state = next_state(before.state, order)
        if state is None:
            raise ConflictError(f"A campaign that is {before.state.value} cannot be told to {order}.")
        if order == "launch":
            await check_launch(store, before, may_ever_call, now)
        ended = state in (CampaignState.FINISHED, CampaignState.STOPPED)
        after = replace(
            before,
            state=state,
            version=before.version + 1,
            launched_at=before.launched_at or (now if order == "launch" else None),
            ended_at=now if ended else None,
        )
        return Edit(_CHANGES[order], after, (announced(after, _CHANGES[order], now, by),))

    return change


async def check_launch(
    store: MarketingStore,
    campaign: Campaign,
    may_ever_call: MayEverCall,
    now: datetime,
    refusal: str = "The campaign cannot be launched yet.",
) -> None:
    """Raise `RejectedError`, with *refusal* and naming everything the campaign lacks."""
    missing = await list_missing(store, campaign, may_ever_call, now)
    if missing:
        problems = tuple(FieldProblem(one.field, one.problem) for one in missing)
        raise RejectedError(refusal, fields=problems)


async def list_missing(
    store: MarketingStore, campaign: Campaign, may_ever_call: MayEverCall, now: datetime
) -> Sequence[Missing]:
    """Return everything that the campaign lacks for a launch."""
    countries = {trunk["id"]: trunk["countries"] for trunk in await store.list_trunks()}
    everywhere = sorted({country for allowed in countries.values() for country in allowed})
    return missing_for_launch(
        campaign,
        trunk_known=campaign.plan.trunk in countries,
        legal_hours_left=may_ever_call(campaign.plan, countries.get(campaign.plan.trunk, everywhere), now),
    )
