"""Imports: a contact file received block by block, then read row by row, resumable after every batch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.crm.domain.attributes import Catalogue, DateFormat
from services.crm.domain.imports import ImportState, Layout, Reading, plan_layout, read_row
from services.crm.domain.people import plan_upserts
from services.crm.domain.records import SAMPLE, FileFormat, Record, RecordReader, detect, text_decoder
from services.crm.ports import Import, ImportStep, Store
from services.crm.usecases.contacts import save_contacts
from services.crm.usecases.lookups import load_import
from services.runtime.clock import Clock
from services.runtime.errors import RejectedError
from services.runtime.ids import NewId

BATCH = 1000
"""Rows per transaction: what a crash repeats, and how long an import holds locks (about a tenth of a second)."""

BLOCK = 1024 * 1024
"""Bytes of the file per row of the table it waits in."""

CLAIM = timedelta(seconds=5)
"""How long a silent worker keeps an import; each batch, some tenths of a second, renews it, and one that was only slow
cannot write any more."""

MAX_CLAIMS = 5
"""Workers that may fall over the same rows before the import is given up."""

UPLOAD_PATIENCE = timedelta(hours=6)
"""After which an upload without an end was cut off."""

PROBLEMS_KEPT = timedelta(days=30)
"""How long rows that were not taken can be fetched; they quote personal data."""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """How the sender wants a file to be read."""

    filename: str
    mapping: dict[str, str] = field(default_factory=dict[str, str])
    default_region: str | None = None
    date_format: DateFormat = DateFormat.ISO


async def receive_file(
    store: Store, import_id: UUID, order: ImportOrder, chunks: AsyncIterator[bytes], by: UUID, clock: Clock
) -> Import:
    """Take a file in bounded memory and return the waiting import.

    What is no contact file is refused by its beginning, before anything is written (`RejectedError`).
    """
    sample, complete = await _sample(chunks)
    found = detect(sample, complete=complete)
    async with store.transaction() as tx:
        plan_layout(
            found,
            order.mapping,
            await tx.contacts.catalogue(),
            default_region=order.default_region,
            date_format=order.date_format,
        )
        await tx.imports.add(_started(import_id, order, found, by, clock.now()))
    size = await _spool(store, import_id, found, sample, chunks)
    async with store.transaction() as tx:
        await tx.imports.received(import_id, size)
        return await load_import(tx, import_id)


async def _sample(chunks: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    gathered = b""
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= SAMPLE:
            return gathered, False
    return gathered, True


def _started(import_id: UUID, order: ImportOrder, found: FileFormat, by: UUID, now: datetime) -> Import:
    return Import(
        id=import_id,
        state=ImportState.RECEIVING,
        filename=order.filename,
        found=found,
        mapping=order.mapping,
        default_region=order.default_region,
        date_format=order.date_format,
        size_bytes=0,
        last_row=0,
        position_bytes=0,
        created=0,
        updated=0,
        unchanged=0,
        rejected=0,
        failure=None,
        started_by=by,
        created_at=now,
        finished_at=None,
    )


async def _spool(store: Store, import_id: UUID, found: FileFormat, sample: bytes, chunks: AsyncIterator[bytes]) -> int:
    """Write the file as UTF-8 into the table it waits in, block by block; return its size there."""
    decoder = text_decoder(found.encoding)
    begin, waiting = 0, decoder.decode(sample).encode()
    async for chunk in chunks:
        waiting += decoder.decode(chunk).encode()
        while len(waiting) >= BLOCK:
            await _write_block(store, import_id, begin, waiting[:BLOCK])
            begin, waiting = begin + BLOCK, waiting[BLOCK:]
    waiting += decoder.decode(b"", final=True).encode()
    if waiting:
        await _write_block(store, import_id, begin, waiting)
    return begin + len(waiting)


async def _write_block(store: Store, import_id: UUID, begin: int, body: bytes) -> None:
    async with store.transaction() as tx:
        await tx.imports.add_block(import_id, begin, body)


async def import_next(store: Store, clock: Clock, new_id: NewId) -> bool:
    """Read the oldest waiting import to its end; False when none waits.

    Each batch commits its contacts together with the resume point, so another worker goes on after a crash where this
    one stopped, and no row counts twice.
    """
    claim, now = new_id(), clock.now()
    async with store.transaction() as tx:
        claimed = await tx.imports.claim_next(claim, now, now + CLAIM)
        catalogue = await tx.contacts.catalogue()
    if claimed is None:
        return False
    failure = await _read(store, claimed, claim, catalogue, clock, new_id)
    async with store.transaction() as tx:
        await tx.imports.finish(claimed.id, claim, clock.now(), failure)
    return True


async def _read(
    store: Store, claimed: Import, claim: UUID, catalogue: Catalogue, clock: Clock, new_id: NewId
) -> str | None:
    """Read to the end; return why that is impossible, if it is."""
    if claimed.claims > MAX_CLAIMS:
        return f"{MAX_CLAIMS} attempts to read on after row {claimed.last_row} have failed; the log says why."
    try:
        layout = plan_layout(
            claimed.found,
            claimed.mapping,
            catalogue,
            default_region=claimed.default_region,
            date_format=claimed.date_format,
        )
    except RejectedError as error:
        return error.message
    async for records in _batches(store, claimed):
        # Parsing numbers takes most of the time; in a thread it does not hold up calls and requests of this process.
        readings = await asyncio.to_thread(_read_rows, layout, records)
        await _save_batch(store, claimed.id, claim, records[-1], readings, clock, new_id)
    return None


def _read_rows(layout: Layout, records: Sequence[Record]) -> list[Reading]:
    return [read_row(layout, record) for record in records]


async def _batches(store: Store, claimed: Import) -> AsyncIterator[list[Record]]:
    """Yield batches of the records after the resume point; the header is none."""
    reader = RecordReader(claimed.found.delimiter, row=claimed.last_row, offset=claimed.position_bytes)
    position, waiting, header_seen = claimed.position_bytes, list[Record](), claimed.position_bytes > 0
    while True:
        async with store.transaction() as tx:
            block = await tx.imports.block(claimed.id, position)
        position += len(block)
        for record in reader.read(block) if block else reader.finish():
            if header_seen:
                waiting.append(record)
            header_seen = True
            if len(waiting) == BATCH:
                yield waiting
                waiting = []
        if not block:
            break
    if waiting:
        yield waiting


async def _save_batch(
    store: Store,
    import_id: UUID,
    claim: UUID,
    last: Record,
    readings: Sequence[Reading],
    clock: Clock,
    new_id: NewId,
) -> None:
    now = clock.now()
    drafts = [reading.draft for reading in readings if reading.draft is not None]
    async with store.transaction() as tx:
        upserts = plan_upserts(drafts, await tx.contacts.lock_alike(drafts), now, new_id)
        await save_contacts(tx, created=upserts.created, updated=upserts.updated, now=now)
        step = ImportStep(
            last_row=last.row,
            position_bytes=last.end,
            created=upserts.created_rows,
            updated=upserts.updated_rows,
            unchanged=upserts.unchanged_rows,
            rejected=len(readings) - len(drafts),
            problems=tuple(problem for reading in readings for problem in reading.problems),
        )
        await tx.imports.advance(import_id, claim, step, now + CLAIM)


async def expire_imports(store: Store, clock: Clock) -> int:
    """Drop uploads that were cut off and problems that nobody fetched; return how many uploads that were."""
    now = clock.now()
    async with store.transaction() as tx:
        return await tx.imports.expire(now - UPLOAD_PATIENCE, now - PROBLEMS_KEPT, now)
