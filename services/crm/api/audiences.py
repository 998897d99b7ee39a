"""Audiences and the enrolment of campaigns over HTTP."""

from uuid import UUID

from services.crm.api.access import MANAGERS, PREFIX, READERS
from services.crm.api.models import AudienceInput, AudienceView, CountView, EnrolmentView, FilterInput
from services.crm.domain.audiences import parse_filter
from services.crm.ports import Store
from services.crm.usecases.enrolment import create_audience, edit_audience
from services.crm.usecases.lookups import load_audience
from services.runtime.errors import NotFoundError
from services.runtime.http import Call, Cursor, Page, PageQuery, Reply, Routes


def audience_routes(store: Store) -> Routes:
    """Return the routes of audiences."""
    routes = Routes(prefix=PREFIX, tag="audiences")
    by_id = Cursor(UUID)

    @routes.post("/audiences", roles=MANAGERS, status=201, idempotent=True, summary="Make an audience")
    async def post_audience(call: Call, body: AudienceInput) -> Reply[AudienceView]:
        made = await create_audience(store, call.new_id, body.name, body.filter, call.principal.user_id, call.now)
        return Reply(AudienceView.of(made), etag=made.version, location=f"{PREFIX}/audiences/{made.id}")

    @routes.get("/audiences", roles=READERS, summary="List audiences")
    async def list_audiences(query: PageQuery) -> Page[AudienceView]:
        async with store.transaction() as tx:
            found = await tx.audiences.page(by_id.decode(query.cursor), query.limit)
        more = by_id.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[AudienceView.of(one) for one in found], next_cursor=more)

    @routes.post("/audiences/preview", roles=READERS, status=200, summary="Count who fits a filter")
    async def post_audience_preview(body: FilterInput) -> CountView:
        async with store.transaction() as tx:
            audience = parse_filter(body.filter, await tx.contacts.catalogue())
            return CountView(count=await tx.audiences.count(audience))

    @routes.get("/audiences/{audience_id}", roles=READERS, summary="Read an audience")
    async def get_audience(audience_id: UUID) -> Reply[AudienceView]:
        async with store.transaction() as tx:
            found = await load_audience(tx, audience_id)
        return Reply(AudienceView.of(found), etag=found.version)

    @routes.get("/audiences/{audience_id}/count", roles=READERS, summary="Count who is in an audience now")
    async def get_audience_count(audience_id: UUID) -> CountView:
        async with store.transaction() as tx:
            found = await load_audience(tx, audience_id)
            audience = parse_filter(found.filter, await tx.contacts.catalogue())
            return CountView(count=await tx.audiences.count(audience))

    @routes.put("/audiences/{audience_id}", roles=MANAGERS, if_match=True, summary="Edit an audience")
    async def put_audience(call: Call, audience_id: UUID, body: AudienceInput) -> Reply[AudienceView]:
        by, now = call.principal.user_id, call.now
        edited = await edit_audience(store, audience_id, call.expected_version(), body.name, body.filter, by, now)
        return Reply(AudienceView.of(edited), etag=edited.version)

    @routes.get("/campaigns/{campaign_id}/enrolment", roles=READERS, summary="See how far an enrolment is")
    async def get_enrolment(campaign_id: UUID) -> EnrolmentView:
        async with store.transaction() as tx:
            campaign = await tx.audiences.campaign(campaign_id)
            if campaign is None:
                raise NotFoundError("The CRM has not heard of this campaign.")
            enrolled = await tx.audiences.enrolled(campaign_id)
        return EnrolmentView(
            campaign_id=campaign_id,
            state=campaign.state,
            enrolled=enrolled,
            complete=campaign.walked_at is not None,
        )

    return routes
