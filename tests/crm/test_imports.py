"""Imports on a real PostgreSQL: nothing twice, nothing lost, whatever falls over in the middle."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from services.crm.domain.contacts import Contact
from services.crm.domain.imports import ImportState
from services.crm.ports import ContactSearch, Import, Store, Tx
from services.crm.store import PgStore
from services.crm.usecases import imports
from services.crm.usecases.exports import export_problems
from services.crm.usecases.imports import ImportOrder, expire_imports, import_next, receive_file
from services.events.crm import ContactChanged
from services.runtime.errors import ConflictError, RejectedError, UnavailableError
from services.runtime.ids import new_id
from services.runtime.postgres import Pool
from tests.crm.conftest import MovedClock, announced

pytestmark = pytest.mark.pg

BY = UUID(int=7)
ORDER = ImportOrder("people.csv", default_region="GB")


class PowerCutError(BaseException):
    """The process ends here; nothing after it happens, as with `kill -9`."""


class FallingStore:
    """A store that dies at the given transaction: before it begins, or after it has committed."""

    def __init__(self, store: PgStore, at: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise PowerCutError
        async with self._store.transaction() as tx:
            yield tx
        if self._left < 0:
            raise PowerCutError


async def pieces(raw: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for begin in range(0, len(raw), size):
        yield raw[begin : begin + size]


def rows(count: int, first: int = 0) -> bytes:
    lines = [f"C{n},Person {n},01632 96{n:04}\n" for n in range(first, first + count)]
    return ("id,name,phone\n" + "".join(lines)).encode()


async def receive(store: Store, clock: MovedClock, raw: bytes, order: ImportOrder = ORDER) -> UUID:
    started = await receive_file(store, new_id(), order, pieces(raw), BY, clock)
    assert started.state is ImportState.WAITING
    return started.id


async def state_of(store: Store, import_id: UUID) -> Import:
    async with store.transaction() as tx:
        found = await tx.imports.find(import_id)
    assert found is not None
    return found


async def read_all(store: Store, clock: MovedClock) -> None:
    while await import_next(store, clock, new_id):
        pass


async def everybody(store: Store) -> list[Contact]:
    async with store.transaction() as tx:
        return await tx.contacts.search(ContactSearch(), None, 100_000)


async def problems_of(store: Store, import_id: UUID) -> list[str]:
    lines = b"".join([chunk async for chunk in export_problems(store, import_id)]).decode("utf-8-sig").splitlines()
    assert lines[0] == "row,field,value,reason"
    return lines[1:]


async def test_a_file_becomes_contacts_and_its_bad_rows_a_file_of_errors(
    store: PgStore, pool: Pool, clock: MovedClock
) -> None:
    raw = rows(5) + b"C9,Bad,12\nC10,too,many,fields\nC11,Formula,=1+1\n" + b'"C12","a,b","01632 961234"\n'
    import_id = await receive(store, clock, raw)
    await read_all(store, clock)
    done = await state_of(store, import_id)
    assert (done.state, done.created, done.updated, done.unchanged, done.rejected) == ("done", 6, 0, 0, 3)
    assert done.last_row == 10
    people = await everybody(store)
    assert [one.external_id for one in people] == ["C0", "C1", "C2", "C3", "C4", "C12"]
    assert people[5].name == "a,b"
    found = await problems_of(store, import_id)
    assert [line.split(",")[0] for line in found] == ["7", "8", "9"]
    assert "'=1+1" in found[2]
    assert len(await announced(pool, ContactChanged)) == 6
    assert await pool.fetchval("SELECT count(*) FROM import_blocks") == 0


async def test_the_same_file_twice_makes_nobody_twice(store: PgStore, pool: Pool, clock: MovedClock) -> None:
    without_ids = b"name,phone,phone 2\nAnn,01632960001,01632960002\nBob,01632960001,\n"
    for raw in (rows(1500), without_ids):
        await receive(store, clock, raw)
        await read_all(store, clock)
        before = len(await announced(pool, ContactChanged))
        again = await receive(store, clock, raw)
        await read_all(store, clock)
        done = await state_of(store, again)
        assert (done.created, done.updated, done.rejected) == (0, 0, 0)
        assert done.unchanged == raw.count(b"\n") - 1
        assert len(await announced(pool, ContactChanged)) == before
    assert len(await everybody(store)) == 1502


async def test_an_edited_file_updates_what_changed(store: PgStore, clock: MovedClock) -> None:
    await receive(store, clock, rows(3))
    await read_all(store, clock)
    import_id = await receive(store, clock, rows(3).replace(b"Person 1", b"Renamed"))
    await read_all(store, clock)
    done = await state_of(store, import_id)
    assert (done.created, done.updated, done.unchanged) == (0, 1, 2)
    assert [one.name for one in await everybody(store)] == ["Person 0", "Renamed", "Person 2"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_between_any_two_transactions_loses_and_doubles_nothing(
    store: PgStore, pool: Pool, clock: MovedClock, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    monkeypatch.setattr(imports, "BATCH", 4)
    monkeypatch.setattr(imports, "BLOCK", 100)
    raw = rows(10) + b"C0,Changed,01632960000\nbad\n" + rows(3, 10).partition(b"\n")[2]
    crashes, cut = 0, 0
    while True:
        import_id = await receive(store, clock, raw.replace(b"C", f"R{cut}-".encode()))
        falling = FallingStore(store, cut, after=after)
        try:
            await read_all(falling, clock)
        except PowerCutError:
            crashes += 1
            clock.at += timedelta(minutes=1)
            await read_all(store, clock)
        else:
            break
        finally:
            cut += 1
        done = await state_of(store, import_id)
        assert (done.state, done.created, done.updated, done.rejected, done.last_row) == ("done", 13, 1, 1, 16)
        assert len(await problems_of(store, import_id)) == 1
        mine = [one for one in await everybody(store) if (one.external_id or "").startswith(f"R{cut - 1}-")]
        assert len(mine) == 13
        assert await pool.fetchval("SELECT count(*) FROM import_blocks") == 0
        assert cut < 100
    assert crashes > 8


async def test_a_worker_that_was_thought_dead_cannot_write_any_more(
    store: PgStore, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 2)
    import_id = await receive(store, clock, rows(6))
    overtaken = asyncio.Event()

    class SlowStore:
        """Lets another worker take over before the third transaction."""

        def __init__(self) -> None:
            self.count = 0

        @asynccontextmanager
        async def transaction(self) -> AsyncGenerator[Tx]:
            self.count += 1
            if self.count == 3:
                clock.at += timedelta(minutes=1)
                await read_all(store, clock)
                overtaken.set()
            async with store.transaction() as tx:
                yield tx

    with pytest.raises(ConflictError, match="took over"):
        await import_next(SlowStore(), clock, new_id)
    assert overtaken.is_set()
    done = await state_of(store, import_id)
    assert (done.state, done.created, len(await everybody(store))) == ("done", 6, 6)


async def test_rows_that_always_end_their_worker_fail_the_import(store: PgStore, clock: MovedClock) -> None:
    import_id = await receive(store, clock, rows(3))
    for _ in range(imports.MAX_CLAIMS):
        with pytest.raises(PowerCutError):
            await import_next(FallingStore(store, 1, after=False), clock, new_id)
        clock.at += timedelta(minutes=1)
    await read_all(store, clock)
    done = await state_of(store, import_id)
    assert done.state == "failed"
    assert "attempts to read on after row 0" in (done.failure or "")


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"a,b\n1,2\n", b"phone\x00\n"])
async def test_what_is_no_contact_file_leaves_no_trace(
    store: PgStore, pool: Pool, clock: MovedClock, raw: bytes
) -> None:
    with pytest.raises(RejectedError, match="Nothing was imported"):
        await receive_file(store, new_id(), ORDER, pieces(raw), BY, clock)
    assert await pool.fetchval("SELECT count(*) FROM imports") == 0


async def test_a_file_in_utf16_arrives_as_it_was_meant(store: PgStore, clock: MovedClock) -> None:
    text = "name;phone\r\nSiân Ŵyn;01632960001\r\n"
    await receive(store, clock, text.encode("utf-16"))
    await read_all(store, clock)
    assert [one.name for one in await everybody(store)] == ["Siân Ŵyn"]


async def test_an_upload_that_was_cut_off_is_forgotten(store: PgStore, pool: Pool, clock: MovedClock) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield rows(20_000)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await receive_file(store, new_id(), ORDER, cut(), BY, clock)
    await read_all(store, clock)
    assert await everybody(store) == []
    clock.at += imports.UPLOAD_PATIENCE + timedelta(seconds=1)
    assert await expire_imports(store, clock) == 1
    assert await pool.fetchval("SELECT state FROM imports") == "failed"
    assert await pool.fetchval("SELECT count(*) FROM import_blocks") == 0


async def test_problems_are_kept_for_a_month(store: PgStore, clock: MovedClock) -> None:
    import_id = await receive(store, clock, b"phone\nbad\n")
    await read_all(store, clock)
    for wait, kept in ((imports.PROBLEMS_KEPT, 1), (timedelta(seconds=1), 0)):
        clock.at += wait
        await expire_imports(store, clock)
        assert len(await problems_of(store, import_id)) == kept


async def test_two_workers_on_two_files_of_the_same_people_make_nobody_twice(
    store: PgStore, pool: Pool, clock: MovedClock
) -> None:
    raw = b"name,phone\n" + b"".join(f"P{n},01632 96{n:04}\n".encode() for n in range(300))
    await receive(store, clock, raw)
    await receive(store, clock, raw)

    async def work() -> None:
        with suppress(ConflictError, UnavailableError):  # one of the two may lose a lock; its file waits for the next
            while await import_next(store, clock, new_id):
                pass

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        group.create_task(work())
    clock.at += timedelta(minutes=1)
    await work()
    assert len(await everybody(store)) == 300
    states = await pool.fetch("SELECT state, created + unchanged AS counted FROM imports")
    assert [tuple(cast("Sequence[Any]", row.values())) for row in states] == [("done", 300), ("done", 300)]
