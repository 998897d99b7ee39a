"""The floor under the lifecycles: bare asyncpg and aiokafka, the same rows, the same facts, the same batching.

`python -m benchmarks.lifecycles.floor` reads one line of JSON (`database_url`, `kafka_bootstrap`, `batch`, `seconds`)
and prints how many calls a second it wrote. One process writes the dialer's rows and sends its facts, another reads
them and writes the CRM's and the notifier's rows, as with `PROCESSES=3`. Nothing is decided, nobody is called, no
operator is told: no code of Galw runs but its migrations and its SQL.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.events.topics import PARTITIONS
from services.runtime import postgres
from services.runtime.sql import load_sql

DIALER, CRM, RUNTIME = load_sql("services.dialer"), load_sql("services.crm"), load_sql("services.runtime")
TOPICS = ("floor.calls", "floor.operators", "floor.responses")
WRITERS = 4
ANSWERED = 0.3
OPERATORS = 100
DECISION = {"decision": {"rules": ["x" * 40] * 4}, "facts": {"number": "+447400000000"}, "at": "x"}
PERSON, PHONES = '{"name": "Person", "country": "GB"}', '[{"e164": "+447400000000", "digest": "x", "kind": "mobile"}]'


def now() -> datetime:
    return datetime.now(UTC)


class Writer:
    """Writes whole lifecycles, a batch of calls at a time, with one transaction for each transition of the batch."""

    def __init__(self, pool: Any, batch: int, campaign: UUID, home: UUID) -> None:
        self.pool, self.batch, self.campaign, self.home = pool, batch, campaign, home
        self.facts = 0
        self.calls = 0
        self.operators = cycle([uuid4() for _ in range(OPERATORS)])
        self.script = uuid4()

    async def prepare(self, people: int) -> list[tuple[UUID, UUID]]:
        """Insert *people* with their leads; return (lead, contact) pairs."""
        pairs = [(uuid4(), uuid4()) for _ in range(people)]
        n = len(pairs)
        async with self.pool.acquire() as conn:
            await conn.execute(DIALER["person_enrol"], sorted(contact for _, contact in pairs))
            columns = ([p[0] for p in pairs], [self.campaign] * n, [p[1] for p in pairs], ["waiting"] * n, [None] * n)
            await conn.execute(
                DIALER["lead_insert"], *columns, [PERSON] * n, [PHONES] * n, [0] * n, [now()] * n, [0] * n
            )
        return pairs

    async def run(self, pairs: list[tuple[UUID, UUID]], deadline: float) -> None:
        while pairs and time.monotonic() < deadline:
            taken, pairs = pairs[: self.batch], pairs[self.batch :]
            await self.lifecycle(taken)
            self.calls += len(taken)

    async def lifecycle(self, pairs: list[tuple[UUID, UUID]]) -> None:
        ids = sorted(uuid4() for _ in pairs)
        calls = [(i, lead, contact) for i, (lead, contact) in zip(ids, pairs, strict=True)]
        people = sorted(contact for _, contact in pairs)
        async with self.pool.acquire() as conn, conn.transaction():
            caps = [
                {"ordinal": n, "contact_id": person, "maximum": 3, "since": now(), "but_not": ""}
                for n, person in enumerate(people)
            ]
            leads, digests = sorted(lead for lead, _ in pairs), [str(attempt) for attempt in ids]
            await conn.fetchrow(
                DIALER["reserve_ground"], people, leads, [self.home], digests, [self.campaign], caps, ["main"]
            )
            await self.reserve(conn, calls)
        answered = calls[: round(len(calls) * ANSWERED)]
        missed = calls[len(answered) :]
        async with self.pool.acquire() as conn, conn.transaction():
            await self.lock(conn, people, ids)
            await self.write(conn, moved(calls, "dialing", 2))
        if answered:
            async with self.pool.acquire() as conn, conn.transaction():
                await self.lock(conn, sorted(c[2] for c in answered), [c[0] for c in answered])
                await self.write(conn, moved(answered, "connected", 3))
                await self.announce(conn, "floor.calls", [c[2] for c in answered], "dialer.answered.v1", 260)
                await self.announce(conn, "floor.operators", [c[2] for c in answered], "dialer.operator.v1", 260)
        async with self.pool.acquire() as conn, conn.transaction():
            await self.lock(conn, people, ids, sorted(lead for lead, _ in pairs))
            ended = moved(missed, "ended", 3, "no_answer") + moved(answered, "ended", 4, "answered")
            await self.write(conn, ended, led(pairs, "waiting", None, 3))
            await self.announce(conn, "floor.calls", [c[2] for c in calls], "dialer.call.ended.v1", 420)
            await self.announce(conn, "floor.operators", [c[2] for c in answered], "dialer.operator.v1", 260)
        if answered:
            async with self.pool.acquire() as conn, conn.transaction():
                await self.lock(conn, sorted(c[2] for c in answered), leads=sorted(c[1] for c in answered))
                reached = led([(c[1], c[2]) for c in answered], "finished", "reached", 4)
                await self.write(conn, [], reached, self.responses(answered))
                await self.announce(
                    conn, "floor.responses", [c[2] for c in answered], "dialer.response.recorded.v1", 640
                )
                await self.announce(conn, "floor.operators", [c[2] for c in answered], "dialer.operator.v1", 260)
                await self.announce(conn, "floor.calls", [c[2] for c in answered], "dialer.lead.finished.v1", 300)

    async def lock(self, conn: Any, people: list[UUID], calls: Sequence[UUID] = (), leads: Sequence[UUID] = ()) -> None:
        await conn.fetch(DIALER["commit_lock"], people, calls, [], leads, [self.home])
        await conn.fetch(DIALER["commit_standing"], [], [], [self.campaign])

    async def reserve(self, conn: Any, calls: list[Any]) -> None:
        at = now()
        attempts = [
            {
                "id": attempt, "lead_id": lead, "campaign_id": self.campaign, "pool_id": self.home,
                "contact_id": contact, "phone": "+447400000000", "number_digest": str(attempt), "n": 1,
                "mode": "progressive", "trunk": "main", "caller_id": "+442079460999", "epoch": 1, "decision": DECISION,
                "ring_timeout_s": 25, "reserved_at": at, "dial_slot_at": at, "script_id": self.script,
                "script_version": 1,
            }
            for attempt, lead, contact in calls
        ]  # fmt: skip
        leads = [{"id": lead, "state": "busy", "attempts": 1, "version": 2} for _, lead, _ in calls]
        trunk = {"id": "main", "next_slot_at": at, "spent": 0, "today": at.date()}
        await conn.fetch(DIALER["reserve_write"], attempts, leads, [trunk])

    async def write(
        self, conn: Any, calls: list[Any], leads: Sequence[Any] = (), responses: Sequence[Any] = ()
    ) -> None:
        await conn.execute(DIALER["commit_write"], calls, [], leads, responses)

    def responses(self, calls: list[Any]) -> list[Any]:
        return [
            {
                "attempt_id": attempt, "revision": 1, "campaign_id": self.campaign, "contact_id": contact,
                "operator_id": next(self.operators), "script_id": self.script, "script_version": 1, "language": "en",
                "answers": {"satisfied": "yes"}, "disposition": "completed", "note": "", "at": now(),
            }
            for attempt, _, contact in calls
        ]  # fmt: skip

    async def announce(self, conn: Any, topic: str, keys: list[UUID], kind: str, size: int) -> None:
        n = len(keys)
        shards = [key.int % PARTITIONS for key in keys]
        await conn.execute(
            RUNTIME["outbox_append"], "dialer", now(), None, shards, [topic] * n, keys, [uuid4() for _ in keys],
            [kind] * n, [b"{" + b"x" * size + b"}"] * n,
        )  # fmt: skip
        self.facts += n


def moved(calls: list[Any], state: str, version: int, outcome: str | None = None) -> list[Any]:
    """Return the rows of calls that moved to *state*."""
    at = now()
    return [
        {
            "id": attempt, "state": state, "version": version, "outcome": outcome, "cause": 16, "machine": False,
            "abandoned": False, "held": False, "hangup_requested": False, "dialed_at": at, "ringing_at": at,
            "answered_at": at, "connected_at": at, "ended_at": at if state == "ended" else None,
        }
        for attempt, _, _ in calls
    ]  # fmt: skip


def led(pairs: list[Any], state: str, result: str | None, version: int) -> list[Any]:
    """Return the rows of leads that came to *state*."""
    return [
        {
            "id": lead, "state": state, "result": result, "stream": 2, "next_at": now(), "step": 0, "phone_index": 0,
            "attempts": 1, "tries": {}, "version": version,
        }
        for lead, _ in pairs
    ]  # fmt: skip


async def relay(connection: Any, producer: Any, deadline: float) -> None:
    """Send what the outbox holds, batch by batch and lane by lane, and mark it."""
    lanes = [(topic, shard) for topic in TOPICS for shard in range(PARTITIONS)]
    columns = [lane[0] for lane in lanes], [lane[1] for lane in lanes]
    while time.monotonic() < deadline:
        began = time.monotonic()
        rows = await connection.fetch(RUNTIME["outbox_unsent"], *columns, 500, 256 * 1024)
        sent = []
        batches: dict[tuple[str, int], list[Any]] = {}
        for row in rows:
            batches.setdefault((row["topic"], row["shard"]), []).append(row)
        for (topic, shard), batch in batches.items():
            records = producer.create_batch()
            for row in batch:
                headers = [("ce_id", str(row["id"]).encode()), ("ce_type", row["type"].encode())]
                records.append(key=str(row["key"]).encode(), value=row["payload"], timestamp=None, headers=headers)
            records.close()
            sent.append(await producer.send_batch(records, topic, partition=shard))
        await asyncio.gather(*sent)
        if rows:
            await connection.execute(
                RUNTIME["outbox_mark"], [r["seq"] for r in rows], [r["publication"] for r in rows], [1] * len(rows)
            )
        await asyncio.sleep(max(0.0, began + 0.03 - time.monotonic()))


async def read(order: dict[str, Any]) -> None:
    """Write what the CRM and the notifier keep of each fact until the deadline; print how many calls were heard."""
    pools = [await postgres.create_pool(order["database_url"], name, max_size=2) for name in ("crm", "notifier")]
    heard = await asyncio.gather(
        *(consume(pool, name, order) for pool, name in zip(pools, ("crm", "notifier"), strict=True))
    )
    sys.stdout.write(f"{heard[0]}\n")


async def consume(pool: Any, name: str, order: dict[str, Any]) -> int:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=order["kafka_bootstrap"], group_id=None, enable_auto_commit=False, fetch_max_wait_ms=100
    )
    await consumer.start()
    partitions = [TopicPartition(topic, shard) for topic in TOPICS for shard in range(PARTITIONS)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    calls, deadline = 0, time.monotonic() + order["seconds"] + 2.0
    while time.monotonic() < deadline:
        found = await consumer.getmany(timeout_ms=100, max_records=500)
        records = [record for batch in found.values() for record in batch]
        if not records:
            continue
        kinds = [dict(record.headers)["ce_type"].decode() for record in records]
        async with pool.acquire() as conn, conn.transaction():
            ids = [UUID(dict(record.headers)["ce_id"].decode()) for record in records]
            await conn.fetch(RUNTIME["inbox_remember"], ids, [now().date()] * len(ids))
            if name == "crm":
                await note(conn, records, kinds)
        calls += kinds.count("dialer.call.ended.v1")
    await consumer.stop()
    return calls


async def note(conn: Any, records: list[Any], kinds: list[str]) -> None:
    keys = [UUID(record.key.decode()) for record in records]
    kept = [key for key, kind in zip(keys, kinds, strict=True) if "operator" not in kind]
    n, at = len(kept), now()
    await conn.execute(CRM["timeline_add"], kept, [at] * n, [uuid4() for _ in kept], ["call.ended"] * n, [{}] * n)
    await conn.execute(CRM["handlings_add"], [uuid4() for _ in keys], keys, [None] * len(keys))
    said = [key for key, kind in zip(keys, kinds, strict=True) if "response" in kind]
    n = len(said)
    if said:
        await conn.execute(
            CRM["responses_save"], [uuid4() for _ in said], [1] * n, [uuid4()] * n, said, [uuid4()] * n, [uuid4()] * n,
            [1] * n, ["en"] * n, ["completed"] * n, ["[]"] * n, [""] * n, [at] * n,
        )  # fmt: skip


async def main() -> None:
    """Prepare a database of its own beside the running Galw's, then write and read for the given time."""
    order = orjson.loads(sys.stdin.readline())
    if "reader" in sys.argv:
        await read(order)
        return
    base = await asyncpg.connect(order["database_url"])
    await base.execute("CREATE DATABASE floor")
    await base.close()
    order["database_url"] = order["database_url"].rpartition("/")[0] + "/floor"
    for name in ("dialer", "crm", "notifier"):
        await postgres.migrate(order["database_url"], name, ("services.runtime", f"services.{name}"))
    pool = await postgres.create_pool(order["database_url"], "dialer", max_size=8)
    home, campaign = uuid4(), uuid4()
    await pool.execute("INSERT INTO pools (id, name) VALUES ($1, 'main')", home)
    await pool.execute("INSERT INTO leases (pool_id, epoch) VALUES ($1, 1)", home)
    await pool.execute(
        "INSERT INTO trunks (id, calls_per_second, channels, countries) VALUES ('main', 1000, 2000, '{GB}')"
    )
    await pool.execute(
        "INSERT INTO campaigns (id, name, state, pool_id, plan, created_at)"
        " VALUES ($1, 'x', 'running', $2, '{}', now())",
        campaign, home,
    )  # fmt: skip
    admin = AIOKafkaAdminClient(bootstrap_servers=order["kafka_bootstrap"])
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=order["kafka_bootstrap"], acks="all")
    await producer.start()
    writers = [Writer(pool, order["batch"], campaign, home) for _ in range(WRITERS)]
    people = int(order["seconds"] * 1_200)
    prepared = [await writer.prepare(people) for writer in writers]
    reader = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "reader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert reader.stdin is not None
    reader.stdin.write(orjson.dumps(order) + b"\n")
    reader.stdin.flush()
    session = await postgres.connect(order["database_url"], "dialer", "floor-relay")
    began = time.monotonic()
    deadline = began + order["seconds"]
    try:
        await asyncio.gather(
            relay(session, producer, deadline + 1.0),
            *(writer.run(pairs, deadline) for writer, pairs in zip(writers, prepared, strict=True)),
        )
    except BaseException:
        reader.kill()  # it would read on for ever
        raise
    seconds = order["seconds"]
    heard, _ = reader.communicate()
    calls = sum(writer.calls for writer in writers)
    told = {"calls": calls, "per_second": calls / seconds, "heard": int(heard), "facts": sum(w.facts for w in writers)}
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
    await producer.stop()


if __name__ == "__main__":
    uvloop.run(main())
