"""The planned restart of the embedded broker while a campaign runs: calls go on and nothing is lost.

The real standalone mode with its demo, told to restart the broker at every look instead of after many hours.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from services.carrier.judge import judge
from services.carrier.ledger import parse_lines
from services.runtime.clock import SystemClock
from services.standalone.children import free_port
from tests.runtime.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

RECYCLES = 3
RESPONSES = 4


class Brokers:
    """The brokers a supervisor has had so far, with the instant at which each was first seen."""

    def __init__(self, supervisor: int) -> None:
        self._supervisor = supervisor
        self.seen: dict[int, datetime] = {}

    def look(self) -> int:
        """Return how many there were."""
        children = Path(f"/proc/{self._supervisor}/task/{self._supervisor}/children").read_text().split()
        for pid in map(int, children):
            if Path(f"/proc/{pid}/comm").read_text() == "tansu\n":
                self.seen.setdefault(pid, SystemClock().now())
        return len(self.seen)


def _database_url(data: Path) -> str:
    port = (data / "postgres/cluster/postmaster.pid").read_text().splitlines()[3]
    return f"postgresql://galw:{(data / 'postgres/password').read_text()}@127.0.0.1:{port}/galw"


async def _eventually(
    connection: asyncpg.Connection, query: str, fits: Callable[[int], bool], brokers: Brokers, within_s: float
) -> int:
    count = 0

    async def fitting() -> bool:
        nonlocal count
        brokers.look()
        count = await connection.fetchval(query)
        return fits(count)

    await until(fitting, within_s)
    return count


async def test_the_broker_is_recycled_in_the_middle_of_a_campaign_and_nothing_is_lost(scratch: Path) -> None:
    data = scratch / "data"
    settings = {
        "GALW_DATA_DIR": str(data),
        "GALW_PORT": str(free_port()),
        "GALW_CARRIER_SPEED": "5",
        "GALW_BROKER_MEMORY_LIMIT_MB": "1",
    }
    said = (scratch / "said").open("wb")
    env = {**os.environ, **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.standalone", env=env, stdout=said, stderr=said
    )
    try:
        await until(lambda: b"at work" in (scratch / "said").read_bytes(), 240)
        connection = await asyncpg.connect(_database_url(data))
        brokers = Brokers(process.pid)
        await _recycled_while_people_talk(connection, brokers)
        # Whatever an operator was told is stored stands in the CRM, by way of brokers that have forgotten everything.
        missing = (
            "SELECT count(*) FROM dialer.responses d LEFT JOIN crm.responses c USING (attempt_id)"
            " WHERE d.disposition IS NOT NULL AND c.disposition IS DISTINCT FROM d.disposition"
            " AND d.at < clock_timestamp() - interval '5 seconds'"
        )
        await _eventually(connection, missing, lambda count: count == 0, brokers, 60)
        assert await connection.fetchval("SELECT count(*) FROM dialer.attempts WHERE outcome = 'unknown'") == 0
        assert await connection.fetchval("SELECT max(epoch) FROM dialer.broker_epochs") > RECYCLES
        assert await connection.fetchval("SELECT count(*) FROM crm.dead_letters") == 0
        await connection.close()
        with (data / "carrier/ledger.jsonl").open("rb") as ledger:
            assert judge(parse_lines(ledger, "the ledger")) == []
        assert b"starting again" not in (scratch / "said").read_bytes(), "a part ended by itself"
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()
        said.close()


async def _recycled_while_people_talk(connection: asyncpg.Connection, brokers: Brokers) -> None:
    """Return when the broker was replaced often enough and somebody talked on, unharmed, across a replacement."""
    responses = "SELECT count(*) FROM dialer.responses WHERE disposition IS NOT NULL"
    await _eventually(
        connection, responses, lambda count: count >= RESPONSES and len(brokers.seen) > RECYCLES, brokers, 200
    )
    across = "SELECT count(*) FROM dialer.attempts WHERE outcome = 'answered' AND connected_at < $1 AND ended_at > $1"

    async def talked_on() -> bool:
        brokers.look()
        return any([await connection.fetchval(across, at) for at in list(brokers.seen.values())[1:]])

    await until(talked_on, 60)
