"""Why is nobody being called? Gathers what the store counts and what the gate says of a sample."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.dialer.domain import obstacles
from services.dialer.domain.campaigns import SEVERAL_LINES, Campaign, one_by_one
from services.dialer.domain.gate import Packs
from services.dialer.domain.gate.engine import Verdict, check
from services.dialer.domain.gate.packs import (
    Barred,
    CapAttempts,
    CoolDown,
    Effect,
    LimitAbandonment,
    NeedConsent,
    NeedScrub,
    OpenHours,
)
from services.dialer.domain.leads import Lead
from services.dialer.domain.obstacles import STEPS, Filter, NameRule, Sampled, Standing, Why
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.ports import GateHistory, ObstacleStore, PoolView, Safety
from services.dialer.usecases.packgate import facts_of

SAMPLE = 150
"""Leads judged of those due now, and as many of those due within a day: figures from it are right within some 8 %."""

HISTORY = timedelta(days=400)

AskOwner = Callable[[UUID], Awaitable[str | None]]
"""Returns what the owner of a pool says holds back every call of it; None when nothing does or nobody answers."""


class GateOutlook(Protocol):
    """The gate, asked about other instants than now."""

    def judge_ahead(
        self, campaign: Campaign, lead: Lead, history: GateHistory, steps: Sequence[datetime]
    ) -> tuple[Verdict, tuple[bool, ...]]:
        """Return what holds at the first of *steps*, and at which of them the lead may be called."""
        ...

    def names(self) -> NameRule:
        """Return what each rule is about, by its id."""
        ...


class PackOutlook:
    """Fits `GateOutlook`; *packs* answers with the packs in force at the moment of asking."""

    def __init__(self, packs: Callable[[], Packs]) -> None:
        """Ask *packs* anew each time, so that a new version is in force at once."""
        self._packs = packs
        self._named: tuple[Packs, NameRule] | None = None

    def judge_ahead(
        self, campaign: Campaign, lead: Lead, history: GateHistory, steps: Sequence[datetime]
    ) -> tuple[Verdict, tuple[bool, ...]]:
        """Return what holds at the first of *steps*, and at which of them the lead may be called.

        Where a rule asks for an operator before each call, a campaign with several lines goes one by one: that counts.
        """
        packs = self._packs()
        facts = [facts_of(campaign, lead, history, "voice")]
        if campaign.plan.mode in SEVERAL_LINES:
            facts.append(facts_of(one_by_one(campaign), lead, history, "voice"))
        first: Verdict | None = None
        allowed = [False] * len(steps)
        closed_until: datetime | None = None
        for index, at in enumerate(steps):
            if closed_until is not None and at < closed_until:
                continue
            verdict = _first_allowing([check(one, packs, at) for one in facts])
            first = first or verdict
            allowed[index] = verdict.decision == "allow"
            if verdict.decision == "deny":
                break
            closed_until = verdict.until
        return first or Verdict("allow"), tuple(allowed)

    def names(self) -> NameRule:
        """Return what each rule is about, by its id."""
        packs = self._packs()
        if self._named is None or self._named[0] is not packs:
            rules = (rule for pack in packs.all_packs() for rule in pack.rules)
            self._named = packs, {**{r.id: (_filter_of(r.effect), r.text) for r in rules}, **obstacles.OWN_NAMES}
        return self._named[1]


def _first_allowing(verdicts: Sequence[Verdict]) -> Verdict:
    return next((one for one in verdicts if one.decision == "allow"), verdicts[-1])


def _filter_of(effect: Effect) -> Filter:
    match effect:
        case OpenHours():
            return Filter.WINDOW
        case CapAttempts() | CoolDown():
            return Filter.CAP
        case NeedConsent():
            return Filter.CONSENT
        case NeedScrub():
            return Filter.LIST
        case Barred() | LimitAbandonment():
            return Filter.RULE
        case _:
            return Filter.RULE


@dataclass(frozen=True, slots=True)
class Explaining:
    """Answers the question for one campaign at a time."""

    store: ObstacleStore
    gate: GateOutlook
    ask_owner: AskOwner

    async def why(self, campaign_id: UUID, now: datetime) -> Why:
        """Return what holds back the campaign's leads now; raises `NotFoundError`."""
        campaign = await self.store.load_campaign(campaign_id)
        steps = obstacles.steps_from(now)
        held = await self.store.count_held(campaign_id, now, steps)
        done = await self.store.count_done(campaign_id)
        standing = await self._standing(campaign)
        counts = {
            "now": sum(one.leads for one in held if one.step == 0 and not one.message),
            "later": sum(one.leads for one in held if 0 < one.step <= STEPS and not one.message),
        }
        samples = await self._sample(campaign, now, steps, counts)
        return obstacles.explain(campaign, now, held, done, samples, standing, self.gate.names())

    async def _sample(
        self, campaign: Campaign, now: datetime, steps: Sequence[datetime], counts: Mapping[str, int]
    ) -> list[Sampled]:
        ever = datetime.min.replace(tzinfo=now.tzinfo)
        of_now = await self.store.sample_leads(campaign.id, ever, now, among=counts["now"], limit=SAMPLE)
        later = await self.store.sample_leads(campaign.id, now, steps[-1], among=counts["later"], limit=SAMPLE)
        leads = [*of_now, *later]
        histories = await self.store.load_history(leads, now - HISTORY, now) if leads else []
        found: list[Sampled] = []
        for lead, history in zip(leads, histories, strict=True):
            step = next((k for k, at in enumerate(steps) if lead.next_at <= at), STEPS)
            verdict, allowed = self.gate.judge_ahead(campaign, lead, history, steps[step:])
            held_by = None if verdict.decision == "allow" else verdict.held_by or "gate"
            found.append(Sampled(step, held_by, verdict.until, (*([False] * step), *allowed)))
            # Judging a lead for a day takes a millisecond; calls must not wait for hundreds of them.
            await asyncio.sleep(0)
        return found

    async def _standing(self, campaign: Campaign) -> Standing:
        footing = await self.store.load_footing(campaign.id)
        pool = await self.store.load_pool(campaign.pool_id)
        safety = await self.store.load_safety()
        return Standing(
            owned=footing.owned,
            stopped=_stopped(campaign, safety),
            consents_at=safety.consents_at,
            trunk=footing.trunk,
            lines=footing.lines,
            operators=_by_state(pool),
            ready=sum(_able(one, campaign, pool) and one.assignable for one in pool.operators),
            soon=sum(_able(one, campaign, pool) and one.state in _SOON for one in pool.operators),
            pacing=footing.pacing,
            held_back_by=await self.ask_owner(campaign.pool_id),
        )


_SOON = (OperatorState.RESERVED, OperatorState.TALKING, OperatorState.WRAP_UP)


def _stopped(campaign: Campaign, safety: Safety) -> str | None:
    if safety.stopped_all:
        return "everything"
    if campaign.id in safety.stopped_campaigns:
        return "this campaign"
    return f"trunk {campaign.plan.trunk}" if campaign.plan.trunk in safety.stopped_trunks else None


def _by_state(pool: PoolView) -> dict[str, int]:
    counts: dict[str, int] = {}
    for operator in pool.operators:
        counts[operator.state.value] = counts.get(operator.state.value, 0) + 1
    return counts


def _able(operator: Operator, campaign: Campaign, pool: PoolView) -> bool:
    reachable = operator.instance_id is not None and operator.instance_id not in pool.silent_instances
    return reachable and (campaign.plan.skill is None or campaign.plan.skill in operator.skills)
