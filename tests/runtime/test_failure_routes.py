"""What an administrator does when something was not heard: look at a record, replay or discard it, tell facts again."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.events.crm import ContactChanged
from services.runtime.bus import Outgoing, Partition
from services.runtime.clock import SystemClock
from services.runtime.http import build_app
from services.runtime.identity import Role
from services.runtime.ids import new_id
from tests.fakes.bus import MemoryBroker, MemoryBus
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases
from tests.runtime.http.conftest import Client, bearer
from tests.runtime.http.role_matrix import wrongly_answered
from tests.runtime.stage import Actor, changed, effect_handlers, prepare, stage
from tests.runtime.waiting import until

pytestmark = pytest.mark.pg

BAD = b'{"contact_id": 7'
HEADERS = (("ce_nothing", b"\xff"), ("ce_more", b"words"))


@pytest.fixture
async def url(databases: Databases) -> AsyncGenerator[str]:
    made = await databases.create(prepare)
    yield made
    await databases.drop(made)


def serving(actor: Actor) -> Client:
    name = actor.messaging.service
    return TestClient(
        TestServer(build_app(name, actor.messaging.routes, verifier=PlainVerifier(), clock=SystemClock()))
    )


async def asked(client: Client, method: str, path: str, status: int, body: object = None) -> Any:
    async with client.request(method, path, json=body, headers=bearer(Role.ADMIN)) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() if answer.content_length else None


async def test_a_bad_record_is_shown_with_its_bytes_replayed_and_discarded(url: str) -> None:
    memory = MemoryBroker()
    async with stage(url, lambda _: MemoryBus(memory)) as start:
        notifier = await start("notifier", effect_handlers())
        crm = await start("crm")
        await crm.announce(changed(new_id(), 0))
        await until(lambda: "crm.contacts.v1" in memory.logs)
        await MemoryBus(memory).publish(Partition("crm.contacts.v1", 0), [Outgoing(b"key", BAD, HEADERS)])
        async with serving(notifier) as client:
            letters = "/api/notifier/dead-letters"

            async def buried() -> bool:
                return bool((await asked(client, "GET", letters, 200))["items"])

            await until(buried)
            [line] = (await asked(client, "GET", f"{letters}?topic=crm.contacts.v1&state=dead&limit=1", 200))["items"]
            assert line["reason"].startswith("no header ce_type")
            whole = await asked(client, "GET", f"{letters}/{line['id']}", 200)
            assert whole["text"] == BAD.decode()
            assert whole["headers"] == {"ce_nothing": "\ufffd", "ce_more": "words"}
            await asked(client, "POST", f"{letters}/{line['id']}/replay", 202)

            async def dead_again() -> bool:
                [kept] = (await asked(client, "GET", letters, 200))["items"]
                return kept["state"] == "dead" and kept["since"] > line["since"]

            await until(dead_again)
            await asked(client, "DELETE", f"{letters}/{line['id']}", 204)
            assert (await asked(client, "GET", letters, 200))["items"] == []
            for method, path in (("GET", ""), ("POST", "/replay"), ("DELETE", "")):
                await asked(client, method, f"{letters}/{UUID(int=5)}{path}", 404)


async def test_facts_are_told_again_and_change_nothing(url: str) -> None:
    memory = MemoryBroker()
    contact = new_id()
    async with stage(url, lambda _: MemoryBus(memory)) as start:
        notifier = await start("notifier", effect_handlers())
        crm = await start("crm")
        await start("dialer")
        await crm.announce(*(changed(contact, sequence) for sequence in range(3)))

        def told() -> int:
            facts = (record for log in memory.logs.get("crm.contacts.v1", []) for record in log)
            return sum(1 for record in facts if record.header("ce_type") == ContactChanged.type_name())

        async def marked() -> bool:
            return await crm.pool.fetchval("SELECT count(*) FROM outbox WHERE epoch IS NOT NULL") == 3

        await until(marked)
        assert told() == 3
        async with serving(crm) as client:
            wish = {"since": "1970-01-01T00:00:00+14:00"}
            answer = await asked(client, "POST", "/api/crm/facts/republish", 202, wish)
            assert answer["facts"] == 3
            await until(lambda: told() == 6)
            later = {"since": "2126-01-01T00:00:00Z", "topics": ["crm.contacts.v1"]}
            assert (await asked(client, "POST", "/api/crm/facts/republish", 202, later))["facts"] == 0
            foreign = {"since": "2026-01-01T00:00:00Z", "topics": ["dialer.calls.v1"]}
            problem = await asked(client, "POST", "/api/crm/facts/republish", 422, foreign)
            assert [one["field"] for one in problem["fields"]] == ["topics"]

        # One more fact of the same person, which comes after the repeats, shows that they were read and dropped.
        await crm.announce(changed(contact, 3))

        async def all_heard() -> bool:
            return await notifier.pool.fetchval("SELECT max(sequence) FROM effects") == 3

        await until(all_heard)
        assert await notifier.pool.fetchval("SELECT count(*) FROM effects") == 4


async def test_only_administrators_touch_them(url: str) -> None:
    memory = MemoryBroker()
    async with stage(url, lambda _: MemoryBus(memory)) as start:
        crm = await start("crm")
        routes = crm.messaging.routes
        async with serving(crm) as client:
            assert await wrongly_answered(client, [one for group in routes for one in group.all], bearer) == []
