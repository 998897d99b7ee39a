"""Exports: what came back, as tables for people's spreadsheets, streamed page by page."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from services.crm.domain.tables import csv_line
from services.crm.ports import Response, ResponseSearch, Store

PAGE = 500
"""Rows per transaction: the memory an export takes, however long it is."""

_COLUMNS = (
    "at", "attempt_id", "revision", "campaign_id", "contact_id", "external_id", "name", "operator_id", "script_id",
    "script_version", "language", "disposition", "note",
)  # fmt: skip


async def export_responses(store: Store, search: ResponseSearch) -> AsyncIterator[bytes]:
    """Yield the latest revision of each response as CSV, a column per question; the oldest first."""
    async with store.transaction() as tx:
        questions = await tx.responses.questions(search)
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    yield ("\ufeff" + csv_line([*_COLUMNS, *(f"answer {question}" for question in questions)])).encode()
    after = None
    while True:
        async with store.transaction() as tx:
            page = await tx.responses.page(search, after, PAGE)
            names = await tx.contacts.names([one.contact_id for one in page])
        if page:
            yield "".join(csv_line(_cells(one, names, questions)) for one in page).encode()
            after = (page[-1].at, page[-1].attempt_id)
        if len(page) < PAGE:
            return


async def export_problems(store: Store, import_id: UUID) -> AsyncIterator[bytes]:
    """Yield the rows of an import that were not taken, or not wholly, as CSV."""
    yield ("\ufeff" + csv_line(["row", "field", "value", "reason"])).encode()
    after = (0, 0)
    while True:
        async with store.transaction() as tx:
            page = await tx.imports.problems(import_id, after, PAGE)
        if page:
            yield "".join(csv_line([one.row, one.field, one.value, one.reason]) for _, one in page).encode()
            position, last = page[-1]
            after = (last.row, position)
        if len(page) < PAGE:
            return


def _cells(one: Response, names: dict[UUID, tuple[str | None, str]], questions: Sequence[str]) -> list[object]:
    answers = {answer["question_id"]: answer["value"] for answer in one.answers}
    external_id, name = names.get(one.contact_id, (None, ""))
    return [
        one.at, one.attempt_id, one.revision, one.campaign_id, one.contact_id, external_id, name, one.operator_id,
        one.script_id, one.script_version, one.language, one.disposition, one.note,
        *(answers.get(question) for question in questions),
    ]  # fmt: skip
