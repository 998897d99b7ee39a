"""HTTP: typed handlers with their roles, OpenAPI 3.1, problem details, idempotency, cursors, versions and limits.

A service makes its routes by functions of their dependencies and mounts them in its composition root:

    class NewContact(Input):
        name: str = Field(min_length=1, max_length=200)

    class ContactView(BaseModel):
        id: UUID
        name: str
        version: int

    class ContactQuery(PageQuery):
        name: str | None = None

    def contact_routes(contacts: Contacts) -> Routes:
        routes = Routes(prefix="/api/crm", tag="contacts")
        after = Cursor(tuple[str, UUID])

        @routes.post("/contacts", roles={Role.MARKETING}, status=201, idempotent=True, summary="Make a contact")
        async def post_contact(call: Call, body: NewContact) -> Reply[ContactView]:
            made = await contacts.create(call.new_id, body.name)  # new_id: a repeat of a cut-off request collides
            return Reply(made, etag=made.version, location=f"/api/crm/contacts/{made.id}")

        @routes.get("/contacts", roles={Role.MARKETING, Role.AUDITOR}, summary="List contacts")
        async def list_contacts(query: ContactQuery) -> Page[ContactView]:
            found = await contacts.list(after.decode(query.cursor), query.limit)
            return Page(items=found, next_cursor=after.encode((found[-1].name, found[-1].id)) if found else None)

        @routes.patch("/contacts/{contact_id}", roles={Role.MARKETING}, if_match=True, summary="Edit a contact")
        async def patch_contact(call: Call, contact_id: UUID, body: NewContact) -> Reply[ContactView]:
            edited = await contacts.rename(contact_id, body.name, expected_version=call.expected_version())
            return Reply(edited, etag=edited.version)

        @routes.post("/imports", roles={Role.MARKETING}, accepts=("text/csv",), status=202, summary="Import a file")
        async def post_import(call: Call, upload: Upload) -> ImportView: ...

        @routes.get("/contacts.csv", roles={Role.MARKETING}, summary="Export contacts")
        async def export_contacts() -> Stream:
            return Stream(contacts.as_csv(), "text/csv; charset=utf-8", filename="contacts.csv")

        return routes

    app = build_app("crm", [contact_routes(contacts)], verifier=verifier, clock=clock, pool=pool, readiness=checks)

What a handler gets follows from the names and types of its parameters: `call: Call`, `body`, `query`, one `Upload`, and
everything else from the path. What it gives follows from its return type: a model, `Reply`, `Page`, `Stream`, or None
(204). Errors are raised, never returned: `services.runtime.errors` has the kinds, this package their statuses. JSON is
read strictly ("3" is no integer), unknown fields are refused at every depth, and neither NUL characters nor integers
beyond 2**53 get in; bounds that a column needs (32 bits, lengths) belong to the model.
"""

from services.runtime.http.app import build_app, combine, routes_of
from services.runtime.http.call import Call, Input, Page, PageQuery, Reply, Stream, Upload
from services.runtime.http.cursor import Cursor
from services.runtime.http.dispatch import CALLER, Dispatcher, Limits, client_address
from services.runtime.http.problems import Problem, RequestError, rejected
from services.runtime.http.routes import ANY_ROLE, PUBLIC, Route, Routes

__all__ = [
    "ANY_ROLE",
    "CALLER",
    "PUBLIC",
    "Call",
    "Cursor",
    "Dispatcher",
    "Input",
    "Limits",
    "Page",
    "PageQuery",
    "Problem",
    "Reply",
    "RequestError",
    "Route",
    "Routes",
    "Stream",
    "Upload",
    "build_app",
    "client_address",
    "combine",
    "rejected",
    "routes_of",
]
