"""A reader that is too slow is cut off, in reading events as in asking."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from services.carrier import sockets
from services.carrier.api import Api
from services.carrier.ledger import Ledger
from tests.carrier.stage import CUSTOMER, Stage


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[tuple[Stage, aiohttp.ClientSession]]:
    stage = Stage()
    ledger = Ledger(tmp_path / "ledger")
    runner = web.ServerRunner(web.Server(Api(stage.switch, ledger, stage.time.now, {}).handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
        yield stage, client
    await runner.cleanup()
    ledger.close()


async def test_a_reader_too_far_behind_is_cut_off(
    served: tuple[Stage, aiohttp.ClientSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "EVENT_LIMIT", 3)
    stage, client = served
    async with client.ws_connect("/ari/events?app=galw,other") as socket:
        for _ in range(3):
            stage.switch.create(CUSTOMER, "galw")
        assert [(await socket.receive_json(timeout=5))["type"] for _ in range(3)] == ["StasisStart"] * 3
        for _ in range(4):  # without giving the writer a turn
            stage.switch.create(CUSTOMER, "galw")
        async with asyncio.timeout(5):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert message.type is aiohttp.WSMsgType.CLOSED
    async with asyncio.timeout(5):
        while stage.switch.apps.connected:  # noqa: ASYNC110 - the server notices in its own time
            await asyncio.sleep(0.01)
    assert len(stage.switch.channels) == 7, "channels outlive their listener"
