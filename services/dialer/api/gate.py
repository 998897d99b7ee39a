"""The gate over HTTP: ask it, see and change the packs in force, decide again what was decided."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, RootModel

from services.dialer.domain.gate import FactError, Pack, decide, parse_facts
from services.dialer.domain.gate.words import differences, page
from services.dialer.ports import PackStore, PoolStore
from services.dialer.usecases import packs as use
from services.dialer.usecases import replays
from services.dialer.usecases.packs import PackShelf, Parse
from services.runtime.errors import FieldProblem, NotFoundError, RejectedError
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Routes
from services.runtime.http.instant import Instant
from services.runtime.identity.principal import Role

_READ = {Role.MARKETING, Role.ADMIN, Role.SUPERVISOR, Role.AUDITOR}
_CHANGE = {Role.ADMIN}


class FactsBody(RootModel[dict[str, Any]]):
    """Facts as `galw gate explain --facts` takes them; docs/gate.md names each."""


class DecisionView(BaseModel):
    """The gate's answer."""

    decision: str
    until: str | None
    allowed_modes: list[str]
    rules: list[dict[str, str]]
    zones: list[str]
    jurisdictions: list[str]
    packs: dict[str, str]
    min_ring_s: int
    connect_within_ms: int | None
    drafts: list[str]


class PackView(BaseModel):
    """A pack in force; *shipped* says whether it came with Galw."""

    id: str
    version: str
    title: str
    status: str
    jurisdictions: list[str]
    rules: int
    shipped: bool


class PackPage(PackView):
    """A pack as a page to read."""

    text: str


class PackText(Input):
    """A rule pack in YAML."""

    text: str = Field(min_length=1, max_length=200_000)


class PutView(PackView):
    """A pack now in force, and in words what it changes."""

    changes: list[str]


class PackChangeView(BaseModel):
    """Who put which version in force in place of which, when."""

    number: int
    id: str
    before: str | None
    after: str | None
    at: datetime
    by: UUID | None


class Comparison(PackText):
    """A pack to compare with the one in force, and a campaign on whose waiting leads it would act."""

    campaign_id: UUID | None = None


class ComparisonView(BaseModel):
    """What a pack would change: in words, and how many of a campaign's waiting leads are answered otherwise."""

    changes: list[str]
    asked: int
    touched: int
    more: bool


class CampaignPack(PackView):
    """A pack that a campaign relies on, for so many of the waiting leads looked at."""

    leads: int


class ReplayView(BaseModel):
    """An attempt's decision as it was stored, and as it is taken again from the stored facts and versions."""

    attempt_id: UUID
    agrees: bool
    stored: dict[str, Any]
    again: dict[str, Any]


class ReplayWish(Input):
    """Which stored decisions to take again; with a pack's text as if it had been in force, else under what is now."""

    since: Instant
    before: Instant | None = None
    campaign_id: UUID | None = None
    text: str | None = Field(None, max_length=200_000)


class DifferencesView(BaseModel):
    """What would have differed: how many of how many, through which rules, and the first few."""

    asked: int
    differ: int
    skipped: int
    by_rule: dict[str, int]
    examples: list[dict[str, Any]]


def gate_routes(shelf: PackShelf, store: PackStore, pools: PoolStore, parse: Parse) -> Routes:
    """Return the routes of the gate."""
    routes = Routes(prefix="/api/dialer", tag="gate")
    before = Cursor(int)

    @routes.post("/gate/explain", roles=_READ, summary="Ask whether a call may be made, and which rules say so")
    async def post_explain(body: FactsBody) -> DecisionView:
        try:
            facts, at = parse_facts(body.root, shelf.packs.places)
        except FactError as error:
            raise _wrong(error) from error
        if facts.organisation_packs:
            raise _wrong(FactError("organisation_packs", "none here: the organisation's packs in force apply anyway"))
        return DecisionView(**decide(facts, shelf.packs, at).to_json())

    @routes.get("/packs", roles=_READ, summary="List the rule packs in force")
    async def list_packs() -> Page[PackView]:
        return Page(items=[PackView(**_view(pack, shelf)) for pack in shelf.packs.in_force], next_cursor=None)

    @routes.get("/packs/changes", roles=_READ, summary="Who put which pack in force, newest first")
    async def list_changes(query: PageQuery) -> Page[PackChangeView]:
        found = await store.list_changes(before.decode(query.cursor) or 2**62, query.limit)
        more = before.encode(found[-1].number) if len(found) == query.limit else None
        items = [PackChangeView.model_validate(one, from_attributes=True) for one in found]
        return Page(items=items, next_cursor=more)

    @routes.get("/packs/{pack_id}", roles=_READ, summary="Read a rule pack as a page")
    async def get_pack(pack_id: str) -> PackPage:
        pack = shelf.find(pack_id)
        if pack is None:
            raise NotFoundError("No such pack is in force.")
        return PackPage(**_view(pack, shelf), text="\n".join(page(pack)))

    @routes.post("/packs", roles=_CHANGE, status=201, summary="Put a rule pack in force, on every instance")
    async def post_pack(call: Call, body: PackText) -> PutView:
        pack, changes = await use.put_pack(shelf, store, body.text, call.now, call.principal.user_id)
        return PutView(**_view(pack, shelf), changes=changes)

    @routes.delete("/packs/{pack_id}", roles=_CHANGE, summary="Retire a pack of the organisation")
    async def delete_pack(call: Call, pack_id: str) -> None:
        await use.retire_pack(shelf, store, pack_id, call.now, call.principal.user_id)

    @routes.post("/packs/compare", roles=_READ, summary="What a pack would change, and for how many of a campaign")
    async def post_comparison(call: Call, body: Comparison) -> ComparisonView:
        pack, packs = await shelf.fitting(body.text)
        old = shelf.find(pack.id)
        changes = [f"{pack.id} {pack.version} is new."] if old is None else list(differences(old, pack))
        touched = replays.Touched()
        if body.campaign_id is not None:
            campaign = await pools.load_campaign(body.campaign_id)
            touched = await replays.count_touched(store, pools, campaign, shelf.packs, packs, call.now)
        return ComparisonView(changes=changes, asked=touched.asked, touched=touched.touched, more=touched.more)

    @routes.get("/campaigns/{campaign_id}/packs", roles=_READ, summary="The packs a campaign relies on, drafts too")
    async def list_campaign_packs(call: Call, campaign_id: UUID) -> Page[CampaignPack]:
        campaign = await pools.load_campaign(campaign_id)
        found = await replays.packs_of(store, pools, campaign, shelf.packs, call.now)
        return Page(items=[CampaignPack(**_view(pack, shelf), leads=n) for pack, n in found], next_cursor=None)

    @routes.get("/attempts/{attempt_id}/replay", roles=_READ, summary="Decide again about an attempt; both must agree")
    async def get_replay(attempt_id: UUID) -> ReplayView:
        found = await replays.replay_attempt(store, shelf.packs.places, parse, attempt_id)
        return ReplayView(attempt_id=found.attempt_id, agrees=found.agrees, stored=found.stored, again=found.again)

    @routes.post("/gate/replay", roles=_READ, summary="What would have differed under other packs")
    async def post_replay(call: Call, body: ReplayWish) -> DifferencesView:
        packs = shelf.packs if body.text is None else (await shelf.fitting(body.text))[1]
        found = await replays.replay_since(store, packs, body.since, body.before or call.now, body.campaign_id)
        return DifferencesView(
            asked=found.asked,
            differ=found.differ,
            skipped=found.skipped,
            by_rule=dict(found.by_rule.most_common()),
            examples=found.examples,
        )

    return routes


def _wrong(error: FactError) -> RejectedError:
    problem = FieldProblem(error.field, f"expected {error.expected}")
    return RejectedError("A fact is wrong or unknown.", fields=(problem,))


def _view(pack: Pack, shelf: PackShelf) -> dict[str, Any]:
    return {
        "id": pack.id,
        "version": pack.version,
        "title": pack.title,
        "status": pack.status,
        "jurisdictions": list(pack.jurisdictions),
        "rules": len(pack.rules),
        "shipped": shelf.shipped.packs.get(pack.id) is pack,
    }
