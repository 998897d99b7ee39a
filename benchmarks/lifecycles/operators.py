"""Simulated operators in a process of their own: the live WebSocket and the operators' API, nothing else.

Reads one line of JSON (`url`, `tokens`, `answers`) from standard input and works until standard input ends; then it
prints, as JSON, when each call was shown to its operator (wall clock, seconds) and how many commands were sent.
"""

import asyncio
import sys
import time
from typing import Any

import aiohttp
import orjson
import uvloop

ME = "/api/dialer/operators/me"


class Operators:
    """All operators over one session: each does at once what its state asks for."""

    def __init__(self, url: str, session: aiohttp.ClientSession, answers: dict[str, Any]) -> None:
        """Work at *url*; every call gets *answers* and the disposition `completed`."""
        self.url = url
        self.session = session
        self.closing = {"disposition": "completed", "answers": answers}
        self.shown: dict[str, float] = {}
        self.commands = 0
        self.refused = 0
        self.ready = 0

    async def work(self, token: str) -> None:
        """Be one operator until cancelled."""
        headers = {"Authorization": f"Bearer {token}"}
        sent = 0
        async with self.session.ws_connect(f"{self.url}/api/dialer/live", headers=headers) as line:
            async for message in line:
                now = time.time()
                body = orjson.loads(message.data)["body"]
                if not isinstance(body, dict) or "version" not in body:
                    continue
                while body is not None and body["version"] > sent:
                    sent = body["version"]
                    if body["state"] == "talking" and body["call"] is not None:
                        self.shown.setdefault(body["call"]["call_id"], now)
                    body = await self.act(body, headers)

    async def act(self, state: dict[str, Any], headers: dict[str, str]) -> dict[str, Any] | None:
        """Do what *state* asks for; return the new state, or None when there is nothing to do."""
        match state["state"]:
            case "offline" | "lost" | "paused":
                self.ready += state["state"] == "offline"
                return await self.post(f"{ME}/ready", {"version": state["version"]}, headers)
            case "wrap_up" if state["call"] is not None:
                path = f"/api/dialer/calls/{state['call']['call_id']}/disposition"
                return await self.post(path, {"version": state["version"], **self.closing}, headers)
            case _:
                return None

    async def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any] | None:
        """Send a command; a refusal carries the present state."""
        self.commands += 1
        headers = {**headers, "Content-Type": "application/json"}
        async with self.session.post(self.url + path, data=orjson.dumps(body), headers=headers) as answer:
            content = orjson.loads(await answer.read())
        if answer.status < 300:
            return content
        self.refused += 1
        present = content.get("present")
        return present if isinstance(present, dict) else None


async def main() -> None:
    """Work until standard input ends."""
    order = orjson.loads(sys.stdin.readline())
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        operators = Operators(order["url"], session, order["answers"])
        tasks = [asyncio.ensure_future(operators.work(token)) for token in order["tokens"]]
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        ended = asyncio.ensure_future(reader.read())
        await asyncio.wait({ended, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        sys.stderr.write(f"an operator ended early: {task.exception() if not task.cancelled() else 'cancelled'}\n")
    told = {"shown": operators.shown, "commands": operators.commands, "refused": operators.refused}
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")


if __name__ == "__main__":
    uvloop.run(main())
