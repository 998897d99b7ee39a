"""Scripts over HTTP: every change is a new version."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from services.dialer.domain.scripts import Script
from services.dialer.ports import MarketingStore, StoredScript
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes
from services.runtime.identity.principal import Role

_EDIT = {Role.MARKETING, Role.ADMIN}
_READ = {Role.MARKETING, Role.ADMIN, Role.SUPERVISOR, Role.OPERATOR, Role.AUDITOR}


class ScriptBody(Input):
    """A script under a name."""

    name: str = Field(min_length=1, max_length=200)
    script: Script


class ScriptView(BaseModel):
    """One version of a script."""

    id: UUID
    version: int
    name: str
    script: Script
    created_at: datetime


class ScriptListed(BaseModel):
    """The newest version of a script, without its words."""

    id: UUID
    version: int
    name: str
    created_at: datetime


class VersionQuery(Input):
    """Which version; the newest when left out."""

    version: int | None = Field(None, ge=1, le=1_000_000)


def script_routes(store: MarketingStore) -> Routes:
    """Return the routes of scripts."""
    routes = Routes(prefix="/api/dialer", tag="scripts")
    after = Cursor(tuple[str, UUID])

    @routes.post("/scripts", roles=_EDIT, status=201, idempotent=True, summary="Write a script")
    async def post_script(call: Call, body: ScriptBody) -> Reply[ScriptView]:
        await store.save_script(call.new_id, body.name, body.script, call.now, call.principal.user_id, first=True)
        stored = await store.load_script_version(call.new_id, 1)
        return Reply(_view(stored), location=f"/api/dialer/scripts/{call.new_id}")

    @routes.put("/scripts/{script_id}", roles=_EDIT, summary="Write a new version of a script")
    async def put_script(call: Call, script_id: UUID, body: ScriptBody) -> Reply[ScriptView]:
        by = call.principal.user_id
        version = await store.save_script(script_id, body.name, body.script, call.now, by, first=False)
        return Reply(_view(await store.load_script_version(script_id, version)))

    @routes.get("/scripts", roles=_READ, summary="List scripts by name")
    async def list_scripts(query: PageQuery) -> Page[ScriptListed]:
        found = await store.list_scripts(after.decode(query.cursor) or ("", UUID(int=0)), query.limit)
        items = [ScriptListed(id=i, version=v, name=n, created_at=at) for i, v, n, at in found]
        more = after.encode((items[-1].name, items[-1].id)) if len(items) == query.limit else None
        return Page(items=items, next_cursor=more)

    @routes.get("/scripts/{script_id}", roles=_READ, summary="Read a script")
    async def get_script(script_id: UUID, query: VersionQuery) -> ScriptView:
        return _view(await store.load_script_version(script_id, query.version))

    return routes


def _view(stored: StoredScript) -> ScriptView:
    return ScriptView(**{name: getattr(stored, name) for name in ScriptView.model_fields})
