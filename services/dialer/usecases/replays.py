"""Decisions taken again: under the versions that were in force then, under other packs, and for leads still waiting."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from services.dialer.domain import gate
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.gate import Decision, FactError, Pack, Packs, Places
from services.dialer.domain.gate.replay import MissingVersionError, replay
from services.dialer.domain.leads import MessageStep
from services.dialer.ports import Decided, PackStore, PoolStore
from services.dialer.usecases.packgate import facts_of
from services.dialer.usecases.packs import Parse
from services.runtime.errors import ConflictError, NotFoundError

PAGE = 1_000
FIRST = UUID(int=0)
LIMIT = 100_000
"""Leads or decisions looked at in one request; on two cores that takes about ten seconds."""
SHOWN = 20
_HISTORY = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Replayed:
    """An attempt's decision, then and again; they agree, or the gate itself has changed."""

    attempt_id: UUID
    stored: dict[str, Any]
    again: dict[str, Any]

    @property
    def agrees(self) -> bool:
        """Whether both are the same in every field."""
        return self.stored == self.again


@dataclass(slots=True)
class WouldDiffer:
    """What other packs would have said: how many of *asked* differ, which rules say so, and the first few."""

    asked: int = 0
    differ: int = 0
    skipped: int = 0
    """Attempts of people who were erased, and those decided before facts were stored."""
    by_rule: Counter[str] = field(default_factory=Counter[str])
    examples: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(slots=True)
class Touched:
    """How many of a campaign's waiting leads *asked* about are answered otherwise."""

    asked: int = 0
    touched: int = 0
    more: bool = False


async def replay_attempt(store: PackStore, places: Places, parse: Parse, attempt_id: UUID) -> Replayed:
    """Decide an attempt again from its stored facts, under exactly the pack versions that its decision names.

    Raises `NotFoundError` without a stored decision, `ConflictError` when a version was never kept.
    """
    decided = await store.load_decided(attempt_id)
    stored, facts = decided.stored.get("decision"), decided.stored.get("facts")
    if not stored or not facts:
        raise NotFoundError("No decision is stored with this attempt; it goes when a person is erased.")
    versions: dict[str, str] = stored["packs"]
    kept = await store.list_kept((name, version) for name, version in versions.items() if name != "numbers")
    library = [parse(text.body, f"{text.id} {text.version}") for text in kept]
    tables = [places]
    if versions["numbers"] != places.version and (body := await store.load_numbers(versions["numbers"])):
        tables.append(Places(orjson.loads(body)))
    try:
        again = replay(facts, versions, library, tables)
    except (MissingVersionError, FactError) as error:
        raise ConflictError(f"It cannot be decided again: {error}") from error
    return Replayed(attempt_id, stored, again.to_json())


async def replay_since(
    store: PackStore, packs: Packs, since: datetime, before: datetime, campaign_id: UUID | None
) -> WouldDiffer:
    """Decide the attempts reserved from *since* on again under *packs*, and say what would have differed."""
    result = WouldDiffer()
    after = (since - timedelta(microseconds=1), FIRST)
    while result.asked + result.skipped < LIMIT:
        found = await store.list_decided(after, before, campaign_id, PAGE)
        for one in found:
            _compare(one, packs, result)
        if len(found) < PAGE:
            break
        after = (found[-1].at, found[-1].attempt_id)
    return result


def _compare(decided: Decided, packs: Packs, result: WouldDiffer) -> None:
    stored = decided.stored.get("decision")
    try:
        facts, at = gate.parse_facts(decided.stored.get("facts"), packs.places)
    except FactError:
        result.skipped += 1
        return
    result.asked += 1
    again = gate.decide(replace(facts, organisation_packs=()), packs, at)
    was = Decision.from_json(stored) if stored else again
    if (was.decision, was.until) == (again.decision, again.until):
        return
    result.differ += 1
    says = {rule.id: rule.says for rule in was.rules}
    because = [rule.id for rule in again.rules if rule.says != says.get(rule.id, "allow")]
    result.by_rule.update(because)
    if len(result.examples) < SHOWN:
        result.examples.append(
            {
                "attempt_id": str(decided.attempt_id),
                "was": was.decision,
                "would_be": again.decision,
                "until": again.to_json()["until"],
                "rules": because,
            }
        )


async def count_touched(
    store: PackStore, pools: PoolStore, campaign: Campaign, before: Packs, after: Packs, now: datetime
) -> Touched:
    """Count the campaign's waiting leads that *after* answers otherwise than *before*."""
    result = Touched()

    def compare(facts: gate.Facts) -> None:
        result.asked += 1
        one, other = gate.check(facts, before, now), gate.check(facts, after, now)
        result.touched += (one.decision, one.until) != (other.decision, other.until)

    result.more = await _each_waiting(store, pools, campaign, now, compare, LIMIT)
    return result


async def packs_of(
    store: PackStore, pools: PoolStore, campaign: Campaign, packs: Packs, now: datetime, limit: int = 2_000
) -> list[tuple[Pack, int]]:
    """Return the packs that the campaign's waiting leads rely on, and for how many of the first *limit* of them."""
    counted: Counter[str] = Counter()
    await _each_waiting(store, pools, campaign, now, lambda facts: counted.update(gate.packs_for(facts, packs)), limit)
    return [(pack, counted[pack.id]) for pack in packs.in_force if counted[pack.id]]


async def _each_waiting(
    store: PackStore,
    pools: PoolStore,
    campaign: Campaign,
    now: datetime,
    look: Callable[[gate.Facts], None],
    limit: int,
) -> bool:
    """Look at the facts of the campaign's waiting leads; return whether there are more than *limit*."""
    after, seen = FIRST, 0
    while leads := await store.list_waiting(campaign.id, after, min(PAGE, limit - seen + 1)):
        histories = await pools.load_history(leads, now - _HISTORY, now)
        for lead, history in zip(leads, histories, strict=True):
            if seen >= limit:
                return True
            seen += 1
            step = campaign.plan.cadence[min(lead.step, len(campaign.plan.cadence) - 1)]
            look(facts_of(campaign, lead, history, step.channel if isinstance(step, MessageStep) else "voice"))
        after = leads[-1].id
    return False
