"""The same key does the work once, whatever happens in between."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel

from services.runtime.errors import ConflictError, UnavailableError
from services.runtime.http import Call, Input, Reply, Routes
from services.runtime.identity import Role
from services.runtime.postgres import Pool
from tests.runtime.http.conftest import Client, Serve, bearer

pytestmark = pytest.mark.pg


class Order(Input):
    item: str


class Receipt(BaseModel):
    id: UUID
    item: str


@dataclass
class Shop:
    """Counts what is really done, and fails as told."""

    sold: list[UUID] = field(default_factory=list[UUID])
    ids: list[UUID] = field(default_factory=list[UUID])
    failures: list[Exception] = field(default_factory=list[Exception])
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def routes(self) -> Routes:
        routes = Routes("/api/crm", "shop")

        @routes.post("/orders", roles={Role.MARKETING, Role.ADMIN}, status=201, idempotent=True, summary="Buy")
        async def post_order(call: Call, body: Order) -> Reply[Receipt]:
            self.ids.append(call.new_id)
            self.entered.set()
            await self.open.wait()
            if self.failures:
                raise self.failures.pop()
            self.sold.append(call.new_id)
            return Reply(Receipt(id=call.new_id, item=body.item), etag=1, location=f"/api/crm/orders/{call.new_id}")

        return routes


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.open.set()
    return made


@pytest.fixture
async def client(shop: Shop, serve: Serve, pool: Pool) -> Client:
    return await serve(shop.routes(), pool=pool)


async def order(client: Client, key: str | None, item: str = "bread", role: Role = Role.MARKETING) -> tuple[int, Any]:
    headers = bearer(role, UUID(int=1) if role is Role.MARKETING else UUID(int=2))
    headers |= {"Idempotency-Key": key} if key is not None else {}
    async with client.post("/api/crm/orders", json={"item": item}, headers=headers) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, (await answer.json(content_type=None)) | headers


async def test_a_repeat_gets_the_same_answer_and_does_nothing(client: Client, shop: Shop) -> None:
    first_status, first = await order(client, "k1")
    again_status, again = await order(client, "k1")
    assert (first_status, again_status) == (201, 201)
    assert all(first[name] == again[name] for name in ("id", "item", "etag", "location", "content-type"))
    assert again["idempotent-replayed"] == "true"
    assert len(shop.sold) == 1


async def test_without_a_key_every_request_counts(client: Client, shop: Shop) -> None:
    await order(client, None)
    await order(client, None)
    assert len(set(shop.sold)) == 2


async def test_two_keys_are_refused_because_nobody_knows_which_is_meant(client: Client, shop: Shop) -> None:
    headers = [*bearer(Role.MARKETING, UUID(int=1)).items(), ("Idempotency-Key", "k1"), ("Idempotency-Key", "k2")]
    async with client.post("/api/crm/orders", json={"item": "bread"}, headers=headers) as answer:
        assert answer.status == 422
        assert (await answer.json())["fields"][0]["field"] == "Idempotency-Key"
    assert shop.sold == []


async def test_a_key_belongs_to_one_request_and_to_one_person(client: Client, shop: Shop) -> None:
    await order(client, "k1")
    status, problem = await order(client, "k1", item="wine")
    assert status == 422
    assert problem["fields"][0]["field"] == "Idempotency-Key"
    assert (await order(client, "k1", role=Role.ADMIN))[0] == 201
    assert len(shop.sold) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
async def test_an_unusable_key_is_refused(client: Client, shop: Shop, key: str) -> None:
    assert (await order(client, key))[0] == 422
    assert shop.sold == []


async def test_of_two_at_once_one_is_told_that_the_other_is_at_work(client: Client, shop: Shop) -> None:
    shop.open.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(order(client, "k1"))
        await shop.entered.wait()
        status, problem = await order(client, "k1")
        assert (status, problem["code"]) == (409, "in-progress")
        shop.open.set()
    assert first.result()[0] == 201
    assert (await order(client, "k1"))[0] == 201
    assert len(shop.sold) == 1


async def test_many_at_once_do_the_work_once(client: Client, shop: Shop) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(order(client, "k1")) for _ in range(20)]
    assert len(shop.sold) == 1
    assert {task.result()[0] for task in tasks} <= {201, 409}


@pytest.mark.parametrize(("error", "status"), [(ConflictError("Sold out."), 409), (UnavailableError("Away."), 503)])
async def test_a_refusal_gives_the_key_back(client: Client, shop: Shop, error: Exception, status: int) -> None:
    shop.failures.append(error)
    assert (await order(client, "k1"))[0] == status
    assert (await order(client, "k1"))[0] == 201
    assert len(shop.sold) == 1
    assert shop.ids[0] == shop.ids[1], "the repeat would have created under the same id"


async def test_what_was_cut_off_is_never_done_again_on_a_guess(client: Client, shop: Shop, pool: Pool) -> None:
    shop.failures.append(ValueError("a bug after the commit"))
    assert (await order(client, "k1"))[0] == 500
    assert (await order(client, "k1"))[1]["code"] == "in-progress"
    await pool.execute("UPDATE idempotency SET created_at = created_at - $1::interval", timedelta(minutes=1))
    status, problem = await order(client, "k1")
    assert (status, problem["code"]) == (409, "outcome-unknown")
    assert shop.sold == []


async def test_answers_are_forgotten_after_a_day(client: Client, shop: Shop, pool: Pool) -> None:
    await order(client, "k1")
    await order(client, "k2")
    await pool.execute("UPDATE idempotency SET expires_at = expires_at - $1::interval", timedelta(hours=24))
    await order(client, "k1", item=str(uuid4()))
    assert len(shop.sold) == 3
    assert await pool.fetchval("SELECT count(*) FROM idempotency") == 1
