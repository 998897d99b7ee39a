"""Imports of contact files over HTTP."""

from uuid import UUID

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from services.crm.api.access import MANAGERS, PREFIX, READERS
from services.crm.api.models import ImportView
from services.crm.domain.attributes import DateFormat
from services.crm.ports import Store
from services.crm.usecases.exports import export_problems
from services.crm.usecases.imports import ImportOrder, receive_file
from services.crm.usecases.lookups import load_import
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes, Stream, Upload, rejected

_FILES = ("text/csv", "text/plain", "application/octet-stream")
_MAPPING = TypeAdapter(dict[str, str])


class ImportQuery(Input):
    """How the file is to be read."""

    filename: str = Field("contacts.csv", min_length=1, max_length=200)
    mapping: str | None = Field(
        None,
        max_length=20_000,
        description='JSON from column to field, such as {"Tel. 1": "phone"}; columns left out go by their names.',
    )
    default_region: str | None = Field(None, max_length=2, description="Country (ISO 3166) of national numbers.")
    date_format: DateFormat = DateFormat.ISO

    def order(self) -> ImportOrder:
        """Return the order; `RejectedError` when the mapping is no JSON object of texts."""
        try:
            mapping = _MAPPING.validate_python(orjson.loads(self.mapping)) if self.mapping else {}
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise rejected("mapping", 'expected a JSON object of texts, such as {"Tel. 1": "phone"}') from error
        return ImportOrder(self.filename, mapping, self.default_region, self.date_format)


def import_routes(store: Store) -> Routes:
    """Return the routes of imports."""
    routes = Routes(prefix=PREFIX, tag="imports")
    by_id = Cursor(UUID)

    @routes.post("/imports", roles=MANAGERS, accepts=_FILES, status=202, summary="Import a contact file")
    async def post_import(call: Call, query: ImportQuery, upload: Upload) -> Reply[ImportView]:
        order, by = query.order(), call.principal.user_id
        started = await receive_file(store, call.new_id, order, upload.chunks, by, call.clock)
        return Reply(ImportView.of(started), location=f"{PREFIX}/imports/{started.id}")

    @routes.get("/imports", roles=READERS, summary="List imports, the newest first")
    async def list_imports(query: PageQuery) -> Page[ImportView]:
        async with store.transaction() as tx:
            found = await tx.imports.page(by_id.decode(query.cursor), query.limit)
        more = by_id.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[ImportView.of(one) for one in found], next_cursor=more)

    @routes.get("/imports/{import_id}", roles=READERS, summary="See how far an import is")
    async def get_import(import_id: UUID) -> ImportView:
        async with store.transaction() as tx:
            return ImportView.of(await load_import(tx, import_id))

    @routes.get("/imports/{import_id}/errors", roles=MANAGERS, summary="Fetch the rows that were not taken, as CSV")
    async def get_import_errors(import_id: UUID) -> Stream:
        async with store.transaction() as tx:
            found = await load_import(tx, import_id)
        name = found.filename.rsplit(".", 1)[0] + "-errors.csv"
        return Stream(export_problems(store, import_id), "text/csv; charset=utf-8", filename=name)

    return routes
