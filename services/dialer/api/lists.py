"""Do-not-call lists over HTTP: bring what was found, see what was brought."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.dialer.domain.gate.facts import DoNotCallList
from services.dialer.ports import ScrubStore
from services.dialer.usecases import scrubs as use
from services.dialer.usecases.packs import PackShelf
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Routes
from services.runtime.identity.principal import Role
from services.runtime.phone import E164

_READ = {Role.MARKETING, Role.ADMIN, Role.SUPERVISOR, Role.AUDITOR}
_BRING = {Role.MARKETING, Role.ADMIN}
MOST = 5_000


class Compared(Input):
    """A number that was looked up in a list, and whether it stands there."""

    number: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{4,14}$", description="In E.164 form.")]
    listed: bool


class Scrubbed(Input):
    """Numbers that were compared with one version of a list."""

    version_on: date = Field(description="The day of the list's version, not of the comparison.")
    numbers: list[Compared] = Field(min_length=1, max_length=MOST)


class ScrubImportView(BaseModel):
    """One import: *older* numbers were known by a newer version already and stay as they are."""

    number: int
    list: DoNotCallList
    version_on: date
    numbers: int
    listed: int
    older: int
    at: datetime
    by: UUID | None


class ScrubTaken(ScrubImportView):
    """What was kept; *leads* had waited for this list and are asked about again at once."""

    leads: int


def list_routes(shelf: PackShelf, store: ScrubStore, digest: use.Digest) -> Routes:
    """Return the routes of do-not-call lists."""
    routes = Routes(prefix="/api/dialer/lists", tag="gate")
    before = Cursor(int)

    @routes.get("/imports", roles=_READ, summary="What was brought from do-not-call lists, newest first")
    async def list_imports(query: PageQuery) -> Page[ScrubImportView]:
        found = await store.list_imports(before.decode(query.cursor) or 2**62, query.limit)
        more = before.encode(found[-1].number) if len(found) == query.limit else None
        items = [ScrubImportView.model_validate(one, from_attributes=True) for one in found]
        return Page(items=items, next_cursor=more)

    @routes.post("/{name}/scrubs", roles=_BRING, status=201, summary="Bring which numbers a do-not-call list names")
    async def post_scrub(call: Call, name: str, body: Scrubbed) -> ScrubTaken:
        kept, leads = await use.import_scrub(
            store,
            shelf.packs,
            digest,
            use.find_list(name),
            body.version_on,
            [(E164(one.number), one.listed) for one in body.numbers],
            call.now,
            call.principal.user_id,
        )
        return ScrubTaken(**asdict(kept), leads=leads)

    return routes
