"""Many operators in a process of their own, with nothing but the live WebSocket and the operators' API.

Reads one line of JSON (`url`, `tokens`, `at_once`) from standard input, connects them all and says so; at the next line
(`answers`) everybody becomes ready and works until standard input ends. Then it prints when each call was shown.
"""

import asyncio
import sys
import time
from typing import Any

import aiohttp
import orjson
import uvloop

from benchmarks.lifecycles.operators import Operators

CLOSE_TRY_LATER = 1013


class Floor(Operators):
    """Operators who first only sit there; *at_once* connect at the same time."""

    def __init__(self, url: str, session: aiohttp.ClientSession, at_once: int) -> None:
        """Nobody is connected."""
        super().__init__(url, session, {})
        self._door = asyncio.Semaphore(at_once)
        self.to_work = asyncio.Event()
        self.connected = 0
        self.sent_away = 0

    async def sit(self, token: str) -> None:
        """Connect, wait for the shift to begin, and work."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self._door:
            line, snapshot = await self._connect(headers)
        self.connected += 1
        listening = asyncio.ensure_future(self._listen(line, headers))
        await self.to_work.wait()
        async with self._door:
            await self.act(snapshot, headers)
        await listening

    async def _connect(self, headers: dict[str, str]) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
        """Return a line and its snapshot; whoever is told to try later does, as every client should."""
        while True:
            line = await self.session.ws_connect(f"{self.url}/api/dialer/live", headers=headers)
            first = await line.receive()
            if first.type is aiohttp.WSMsgType.TEXT:
                return line, orjson.loads(first.data)["body"]
            if line.close_code != CLOSE_TRY_LATER:
                raise ConnectionError(f"the line was closed with {line.close_code}: {first.extra}")
            self.sent_away += 1
            await asyncio.sleep(1)

    async def _listen(self, line: aiohttp.ClientWebSocketResponse, headers: dict[str, str]) -> None:
        sent = 0
        async for message in line:
            now = time.time()
            body: dict[str, Any] | None = orjson.loads(message.data)["body"]
            while isinstance(body, dict) and body.get("version", 0) > sent and self.to_work.is_set():
                sent = body["version"]
                if body["state"] == "talking" and body["call"] is not None:
                    self.shown.setdefault(body["call"]["call_id"], now)
                body = await self.act(body, headers) if body["state"] == "wrap_up" else None
        raise ConnectionError(f"a line was closed with {line.close_code}")


async def main() -> None:
    """Do as the module says."""
    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    order = orjson.loads(await reader.readline())
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        floor = Floor(order["url"], session, order["at_once"])
        tasks = [asyncio.ensure_future(floor.sit(token)) for token in order["tokens"]]
        while floor.connected < len(tasks):
            if failed := [task for task in tasks if task.done()]:
                sys.exit(f"an operator could not connect: {failed[0].exception()}")
            await asyncio.sleep(0.01)
        _say({"connected": floor.connected, "sent_away": floor.sent_away})
        floor.closing["answers"] = orjson.loads(await reader.readline())["answers"]
        floor.to_work.set()
        await reader.read()
        lost = [str(task.exception()) for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _say({"shown": floor.shown, "commands": floor.commands, "refused": floor.refused, "lost": lost})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
