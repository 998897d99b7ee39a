"""`kill -9` in the middle of an import, on real processes, with Kafka away all the time."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from services.runtime.postgres import create_pool
from services.standalone.children import free_port
from tests.crm.test_service import SECRET, make_account, token_of
from tests.runtime.waiting import until

pytestmark = [pytest.mark.pg, pytest.mark.system, pytest.mark.timeout(150)]

ROWS = 30_000
KILLS = 3


@asynccontextmanager
async def process(database_url: str, port: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run the CRM as a process of its own; it is killed at the end, whatever happened."""
    env = {
        **os.environ,
        "GALW_DATABASE_URL": database_url,
        "GALW_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "GALW_HTTP_PORT": str(port),
        "GALW_PHONE_KEY": "a phone key for tests",
        "GALW_SECRET_KEY": SECRET,
    }
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.crm", env=env, stdout=quiet, stderr=quiet
    )
    try:
        await until(lambda: _answers(port), 30)
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
        await child.wait()


async def _answers(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/livez") as reply:
            return reply.status == 200
    except aiohttp.ClientError:
        return False


async def test_an_import_survives_kills_and_an_absent_broker(database_url: str) -> None:
    rng = random.Random(20261123)
    raw = "phone,name\n" + "".join(f"07{400 + n % 500}{n:06},Person {n}\n" for n in range(ROWS)) + "bad,Nobody\n"
    await make_account(database_url)
    port, kills = free_port(), 0
    url = f"http://127.0.0.1:{port}"
    async with process(database_url, port):
        headers = {**await token_of(url), "Content-Type": "text/csv"}
        query = {"default_region": "GB"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{url}/api/crm/imports", params=query, data=raw.encode()) as reply,
        ):
            assert reply.status == 202, await reply.text()
    async with await create_pool(database_url, "crm") as pool:

        async def present() -> Any:
            return await pool.fetchrow("SELECT state, last_row, created, unchanged, rejected FROM imports")

        while kills < KILLS:
            before = (await present())["last_row"]
            async with process(database_url, port):

                async def moved(far: int = before + rng.randrange(1, ROWS // 6)) -> bool:
                    return (await present())["last_row"] >= far

                await until(moved, 40)
            kills += 1
            assert (await present())["state"] == "running", "the file is too short to be killed in the middle of it"
        async with process(database_url, port):

            async def done() -> bool:
                return (await present())["state"] == "done"

            await until(done, 60)
        assert tuple((await present()).values()) == ("done", ROWS + 2, ROWS, 0, 1)
        assert await pool.fetchval("SELECT count(*) FROM contacts") == ROWS
        assert await pool.fetchval("SELECT count(*) FROM contact_numbers") == ROWS
        assert await pool.fetchval("SELECT count(*) FROM import_problems") == 1
        assert await pool.fetchval("SELECT count(DISTINCT key) FROM outbox") == ROWS
        assert await pool.fetchval("SELECT count(*) FROM outbox") == ROWS
