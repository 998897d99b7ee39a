"""Responses over HTTP, and their export."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.crm.api.access import MANAGERS, PREFIX, READERS
from services.crm.api.models import ResponseView
from services.crm.ports import ResponseSearch, Store
from services.crm.usecases.exports import export_responses
from services.runtime.errors import NotFoundError
from services.runtime.http import Cursor, Input, Page, PageQuery, Routes, Stream
from services.runtime.http.instant import Instant
from services.runtime.identity import Role


class ExportQuery(Input):
    """Which responses are exported."""

    campaign_id: UUID | None = None
    contact_id: UUID | None = None
    since: Instant | None = Field(None, description="From this instant on.")
    until: Instant | None = Field(None, description="Before this instant.")

    def search(self) -> ResponseSearch:
        """Return the search."""
        return ResponseSearch(self.campaign_id, self.contact_id, self.since, self.until)


class ResponseQuery(PageQuery, ExportQuery):
    """Which responses are listed."""


def response_routes(store: Store) -> Routes:
    """Return the routes of responses."""
    routes = Routes(prefix=PREFIX, tag="responses")
    by_time = Cursor(tuple[datetime, UUID])

    @routes.get("/responses", roles=READERS, summary="List responses, the oldest first")
    async def list_responses(query: ResponseQuery) -> Page[ResponseView]:
        async with store.transaction() as tx:
            found = await tx.responses.page(query.search(), by_time.decode(query.cursor), query.limit)
        more = by_time.encode((found[-1].at, found[-1].attempt_id)) if len(found) == query.limit else None
        return Page(items=[ResponseView.of(one) for one in found], next_cursor=more)

    @routes.get("/responses/export", roles=MANAGERS | {Role.AUDITOR}, summary="Export responses as CSV")
    async def get_responses_export(query: ExportQuery) -> Stream:
        return Stream(export_responses(store, query.search()), "text/csv; charset=utf-8", filename="responses.csv")

    @routes.get("/responses/{attempt_id}/revisions", roles=READERS, summary="Read how a response was revised")
    async def get_revisions(attempt_id: UUID) -> Page[ResponseView]:
        async with store.transaction() as tx:
            found = await tx.responses.revisions(attempt_id)
        if not found:
            raise NotFoundError("There is no response to this attempt.")
        return Page(items=[ResponseView.of(one) for one in found])

    return routes
