from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from services.events.notifier import ReplyReceived
from services.runtime import postgres
from services.runtime.errors import RejectedError, UnavailableError
from services.runtime.ids import new_id
from services.runtime.outbox import MAX_PAYLOAD_BYTES, OutboxSignal, append, shard_of, to_payload
from services.runtime.postgres import Migration, create_pool, migrate, transaction
from services.runtime.sql import load_sql

pytestmark = pytest.mark.pg

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUNTIME = ("services.runtime",)


def found(*migrations: Migration) -> Callable[[Sequence[str]], list[Migration]]:
    def load(_: Sequence[str]) -> list[Migration]:
        return list(migrations)

    return load


def reply(contact: UUID) -> ReplyReceived:
    return ReplyReceived(inbound_id=new_id(), contact_id=contact, channel="sms", at=NOW)


async def test_migrating_twice_changes_nothing(database_url: str) -> None:
    first = await migrate(database_url, "crm", RUNTIME)
    assert first[0] == "runtime/0001_messaging"
    assert await migrate(database_url, "crm", RUNTIME) == []
    assert await migrate(database_url, "dialer", RUNTIME) == first


async def test_a_changed_migration_is_refused(database_url: str) -> None:
    await migrate(database_url, "crm", RUNTIME)
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE crm.migrations SET checksum = 'other' WHERE name = 'runtime/0001_messaging'")
    await connection.close()
    with pytest.raises(RejectedError, match="runtime/0001_messaging was changed after it had been applied"):
        await migrate(database_url, "crm", RUNTIME)


async def test_a_newer_database_is_refused(database_url: str) -> None:
    await migrate(database_url, "crm", RUNTIME)
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO crm.migrations (name, checksum) VALUES ('crm/0999_later', 'x')")
    await connection.close()
    with pytest.raises(RejectedError, match="made by a newer Galw"):
        await migrate(database_url, "crm", RUNTIME)


async def test_post_migrations_wait_for_the_new_code(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        Migration("x/0001_call", "CREATE TABLE call (id int)"),
        Migration("x/0002_pre_note", "ALTER TABLE call ADD note text"),
        Migration("x/0003_post_old", "ALTER TABLE call DROP COLUMN id"),
    ]
    monkeypatch.setattr(postgres, "load_migrations", found(*files))
    assert await migrate(database_url, "x", ("x",), phase="pre") == ["x/0001_call", "x/0002_pre_note"]
    assert await migrate(database_url, "x", ("x",), phase="post") == ["x/0003_post_old"]


async def test_a_failing_migration_leaves_nothing_behind(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration("x/0001_call", "CREATE TABLE call (id int); SELECT 1/0")
    monkeypatch.setattr(postgres, "load_migrations", found(broken))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url, "x", ("x",))
    mended = Migration("x/0001_call", "CREATE TABLE call (id int)")
    monkeypatch.setattr(postgres, "load_migrations", found(mended))
    assert await migrate(database_url, "x", ("x",)) == ["x/0001_call"]


async def test_every_statement_of_the_runtime_prepares(database_url: str) -> None:
    await migrate(database_url, "crm", RUNTIME)
    statements = load_sql("services.runtime")
    assert statements
    async with await create_pool(database_url, "crm") as pool, pool.acquire() as connection:
        for name, text in statements.items():
            assert text.startswith("-- Returns "), f"{name}.sql must say first what it returns"
            await connection.prepare(text)


async def test_json_and_time_come_back_as_they_went(database_url: str) -> None:
    await migrate(database_url, "crm", RUNTIME)
    async with await create_pool(database_url, "crm") as pool:
        row = await pool.fetchrow("SELECT $1::jsonb AS body, $2::timestamptz AS at", {"a": [1, "é"]}, NOW)
        assert row is not None
        assert row["body"] == {"a": [1, "é"]}
        assert row["at"] == NOW
        assert row["at"].tzinfo is not None


async def test_a_server_that_is_away_is_told_as_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        await create_pool(f"postgresql:///x?host={tmp_path}", "crm")


async def test_facts_commit_with_their_transaction_and_wake_the_relay(database_url: str) -> None:
    await migrate(database_url, "crm", RUNTIME)
    wake = OutboxSignal()
    contacts = [new_id() for _ in range(3)]
    async with await create_pool(database_url, "crm") as pool:
        with pytest.raises(ZeroDivisionError):
            async with transaction(pool, wake) as conn:
                await append(conn, "crm", [reply(contacts[0])], now=NOW, new_id=new_id)
                raise ZeroDivisionError
        assert not wake.is_set()
        async with transaction(pool, wake) as conn:
            await append(conn, "crm", [reply(c) for c in contacts], now=NOW, new_id=new_id)
        assert wake.is_set()
        rows = await pool.fetch("SELECT * FROM outbox ORDER BY seq")
    assert [row["key"] for row in rows] == contacts
    assert [row["shard"] for row in rows] == [shard_of(c) for c in contacts]
    assert rows[0]["type"] == "notifier.reply.received.v1"


def test_a_payload_that_no_broker_takes_is_refused_when_written() -> None:
    from services.events.notifier import MessageRequested

    huge = MessageRequested(
        request_id=new_id(), contact_id=new_id(), channel="sms", to="+441632960000", template="x" * MAX_PAYLOAD_BYTES
    )
    with pytest.raises(RejectedError, match="too large to announce"):
        to_payload(huge)


async def test_a_connection_that_dies_in_the_middle_is_an_outage_and_no_bug_of_ours(database_url: str) -> None:
    async with await create_pool(database_url, "public") as pool, await create_pool(database_url, "public") as other:
        with pytest.raises(UnavailableError):
            async with transaction(pool) as connection:
                pid = await connection.fetchval("SELECT pg_backend_pid()")
                await other.execute("SELECT pg_terminate_backend($1)", pid)
                await connection.execute("SELECT pg_sleep(5)")
        async with transaction(pool) as connection:
            assert await connection.fetchval("SELECT 1") == 1
