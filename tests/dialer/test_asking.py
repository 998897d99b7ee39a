"""Requests over the event socket: each answer finds its asker, and what goes wrong means what it means by HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from services.dialer import asking
from services.dialer.gateways import AriCarrier
from services.runtime.errors import NotFoundError, RejectedError, UnavailableError
from tests.dialer.carrier import carrier_process

pytestmark = pytest.mark.system
NUMBER = "+441632960001"


@asynccontextmanager
async def _heard(carrier: AriCarrier, app: str = "galw") -> AsyncGenerator[asyncio.Queue[str]]:
    """Listen under *app*; the queue holds the kinds of what was heard."""
    kinds: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async for event in carrier.events(app):
            kinds.put_nowait(event.kind)

    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen())
        assert await kinds.get() == "connected"
        await asyncio.sleep(0)  # whoever listens has come back for more: from here on requests go over the socket
        yield kinds
        listening.cancel()


async def _faults(session: aiohttp.ClientSession, url: str, **faults: object) -> None:
    async with session.post(f"{url}/faults", json=faults) as answer:
        assert answer.status == 200


async def test_each_of_many_askers_gets_the_answer_to_its_own_request(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path) as url:
        carrier = AriCarrier(session, url)
        async with _heard(carrier) as kinds:
            there = [str(uuid4()) for _ in range(30)]
            await asyncio.gather(*(carrier.create_call("galw", one, NUMBER, "main", "", 60) for one in there))
            missing = [str(uuid4()) for _ in range(30)]
            asked = [one for pair in zip(there, missing, strict=True) for one in pair]
            answers = await asyncio.gather(*(carrier.dial(one, 20) for one in asked), return_exceptions=True)
            assert answers[::2] == [None] * 30
            assert all(isinstance(answer, NotFoundError) for answer in answers[1::2])
            heard = [await kinds.get() for _ in range(60)]
        assert heard.count("started") == 30


async def test_a_refusal_means_the_same_over_the_socket_and_by_http(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path) as url:
        carrier, by_http = AriCarrier(session, url), AriCarrier(session, url)
        async with _heard(carrier):
            await carrier.create_call("galw", "call", NUMBER, "main", "", 60)
            for way in (carrier, by_http):
                with pytest.raises(RejectedError):
                    await way.create_call("galw", "call", NUMBER, "main", "", 60)
                with pytest.raises(NotFoundError):
                    await way.dial("nobody", 20)
                await way.hang_up("nobody")
                await way.part("nowhere")


async def test_an_answer_that_is_lost_is_given_up_after_its_time_and_the_next_one_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path) as url:
        carrier = AriCarrier(session, url)
        async with _heard(carrier) as kinds:
            await carrier.create_call("galw", "call", NUMBER, "main", "", 60)
            assert await kinds.get() == "started"
            await _faults(session, url, answers_lost=1.0)
            monkeypatch.setattr(asking, "REQUEST_LIMIT_S", 0.2)
            with pytest.raises(UnavailableError):
                await carrier.dial("call", 20)
            assert await kinds.get() == "ringing"  # it was carried out, though nobody said so
            monkeypatch.undo()
            async with session.delete(f"{url}/faults") as answer:
                assert answer.status == 200
            await carrier.hang_up("call")


async def test_a_socket_that_breaks_ends_the_wait_at_once_and_http_takes_over(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path) as url:
        carrier = AriCarrier(session, url)

        async def dial_in_vain() -> None:
            with pytest.raises(UnavailableError, match="ConnectionError"):
                await carrier.dial("call", 20)

        async with _heard(carrier) as kinds:
            await carrier.create_call("galw", "call", NUMBER, "main", "", 60)
            await _faults(session, url, answers_lost=1.0)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(dial_in_vain())
                assert [await kinds.get(), await kinds.get()] == ["started", "ringing"]
                await _faults(session, url, outage={"for_s": 0.2, "kind": "refuse"})
        while True:
            try:
                await carrier.create_call("galw", "other", NUMBER, "main", "", 60)
                break
            except UnavailableError:
                await asyncio.sleep(0.05)


async def test_a_pool_that_ends_breaks_no_request_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path) as url:
        one, two = AriCarrier(session, url), AriCarrier(session, url)

        async def dial_in_vain() -> None:
            with pytest.raises(UnavailableError, match="TimeoutError"):
                await one.dial("call", 20)

        async with _heard(one, "one") as kinds, asyncio.TaskGroup() as tasks:
            await one.create_call("one", "call", NUMBER, "main", "", 60)
            async with _heard(two, "two"):
                await _faults(session, url, answers_lost=1.0)
                monkeypatch.setattr(asking, "REQUEST_LIMIT_S", 0.5)
                tasks.create_task(dial_in_vain())
                assert [await kinds.get(), await kinds.get()] == ["started", "ringing"]
