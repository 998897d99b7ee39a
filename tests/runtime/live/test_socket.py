"""The WebSocket over a real server and a real client."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from services.runtime.clock import SystemClock
from services.runtime.errors import UnavailableError
from services.runtime.http import build_app
from services.runtime.identity import Principal, Role, SignedOutError
from services.runtime.live import (
    CLOSE_FORBIDDEN,
    CLOSE_SIGNED_OUT,
    CLOSE_TAKEN_OVER,
    CLOSE_TOO_SLOW,
    PROTOCOL,
    LiveHub,
    LiveLimits,
    LivePush,
    Push,
    live_routes,
    push_routes,
)
from services.standalone.children import free_port
from tests.fakes.verifier import PlainVerifier

ANN = UUID(int=1)
TOKEN = f"operator:{ANN}"
SECRET = b"s" * 32
LIVE = "/api/dialer/live"
LIMITS = LiveLimits(
    ring_messages=20, ring_characters=100_000, heartbeat_s=0.2, sign_in_s=0.2, send_s=0.5
)  # short, for tests


class FadingVerifier(PlainVerifier):
    """Accepts tokens until they are said to have expired."""

    def __init__(self) -> None:
        self.expired: set[str] = set()
        self.away = False

    async def verify(self, token: str) -> Principal:
        if self.away:
            raise UnavailableError("The keys are out of reach.")
        if token in self.expired:
            raise SignedOutError("The access token has expired.")
        return await super().verify(token.removesuffix("-new"))


class Desk:
    """A hub with its server, and a snapshot that says how often it was made."""

    def __init__(self) -> None:
        self.hub = LiveHub(SystemClock(), limits=LIMITS)
        self.verifier = FadingVerifier()
        self.snapshots = 0
        self.snapshot_error: Exception | None = None

    async def snapshot(self, principal: Principal) -> dict[str, Any]:
        self.snapshots += 1
        if self.snapshot_error:
            raise self.snapshot_error
        self.hub.publish(principal.user_id, "meanwhile", None)
        return {"name": principal.name, "made": self.snapshots}

    def app(self) -> web.Application:
        routes = live_routes(self.hub, self.verifier, self.snapshot, path=LIVE, roles={Role.OPERATOR})
        return build_app(
            "dialer",
            [routes, push_routes(self.hub, SECRET)],
            verifier=self.verifier,
            clock=SystemClock(),
            on_shutdown=[self.hub.close],
        )


Client = TestClient[web.Request, web.Application]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[Client]:
    async with TestClient(TestServer(desk.app())) as made:
        yield made


async def connect(client: Client, since: int | None = None, token: str = TOKEN) -> ClientWebSocketResponse:
    path = LIVE if since is None else f"{LIVE}?since={since}"
    ws = await client.ws_connect(path, protocols=(PROTOCOL, f"bearer.{token}"))
    assert ws.protocol == PROTOCOL
    return ws


async def told(ws: ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next message that is not a heartbeat."""
    async with asyncio.timeout(3):
        while True:
            message = await ws.receive_json()
            if message["kind"] != "heartbeat":
                return message


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in the server
            await asyncio.sleep(0.01)


async def closed_with(ws: ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(5):
        while (message := await ws.receive()).type is WSMsgType.TEXT:
            pass
    assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR)
    return ws.close_code


async def test_a_new_connection_begins_with_a_snapshot_and_goes_on_from_its_number(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    first = await told(ws)
    assert first["kind"] == "snapshot"
    assert first["body"] == {"name": "A operator", "made": 1}
    meanwhile = await told(ws)
    assert (meanwhile["kind"], meanwhile["seq"]) == ("meanwhile", first["seq"] + 1)
    desk.hub.publish(ANN, "call", {"id": 7})
    assert await told(ws) == {"seq": first["seq"] + 2, "kind": "call", "body": {"id": 7}}


async def test_who_comes_back_gets_what_was_missed_and_no_snapshot(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    await told(ws)
    last = (await told(ws))["seq"]
    await ws.close()
    for number in range(5):
        desk.hub.publish(ANN, "call", number)
    ws = await connect(client, since=last)
    assert [(await told(ws))["body"] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert desk.snapshots == 1


@pytest.mark.parametrize("since", [0, 2**52])
async def test_who_was_away_too_long_gets_a_snapshot(desk: Desk, client: Client, since: int) -> None:
    ws = await connect(client, since=since)
    assert (await told(ws))["kind"] == "snapshot"
    assert desk.snapshots == 1


async def test_a_ring_that_has_turned_over_cannot_resume(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    last = (await told(ws))["seq"]
    await ws.close()
    for number in range(50):
        desk.hub.publish(ANN, "call", number)
    ws = await connect(client, since=last)
    assert (await told(ws))["kind"] == "snapshot"


async def test_the_second_tab_takes_over(desk: Desk, client: Client) -> None:
    first = await connect(client)
    await told(first)
    second = await connect(client)
    assert (await told(second))["kind"] == "snapshot"
    assert await closed_with(first) == CLOSE_TAKEN_OVER
    assert desk.hub.connected() == [ANN]
    desk.hub.publish(ANN, "call", 1)
    assert (await told(second))["kind"] == "meanwhile"
    assert (await told(second))["body"] == 1


@pytest.mark.parametrize(
    ("token", "code"),
    [("nobody", CLOSE_SIGNED_OUT), (f"auditor:{ANN}", CLOSE_FORBIDDEN)],
)
async def test_who_may_not_listen_is_cut_off(client: Client, token: str, code: int) -> None:
    assert await closed_with(await connect(client, token=token)) == code


async def test_the_token_may_come_first_of_all_messages(client: Client) -> None:
    ws = await client.ws_connect(LIVE)
    await ws.send_json({"access_token": TOKEN})
    assert (await ws.receive_json())["kind"] == "snapshot"
    for nonsense in ('{"access_token": 1}', "[]", "{", ""):
        ws = await client.ws_connect(LIVE)
        await ws.send_str(nonsense)
        assert await closed_with(ws) == CLOSE_SIGNED_OUT
    silent = await client.ws_connect(LIVE)
    assert await closed_with(silent) == CLOSE_SIGNED_OUT
    binary = await client.ws_connect(LIVE)
    await binary.send_bytes(b"x")
    assert await closed_with(binary) == CLOSE_SIGNED_OUT


async def test_a_token_in_the_address_counts_for_nothing(client: Client) -> None:
    ws = await client.ws_connect(f"{LIVE}?access_token={TOKEN}")
    assert await closed_with(ws) == CLOSE_SIGNED_OUT


async def test_an_expired_token_ends_the_connection_unless_a_new_one_came(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    await told(ws)
    await ws.send_json({"access_token": f"operator:{UUID(int=2)}"})  # somebody else's is ignored
    await ws.send_json({"access_token": f"{TOKEN}-new"})
    await asyncio.sleep(0.1)
    desk.verifier.expired.add(TOKEN)
    await told(ws)
    async with asyncio.timeout(2):
        assert [(await ws.receive_json())["kind"] for _ in range(3)] == ["heartbeat"] * 3
    desk.verifier.away = True
    async with asyncio.timeout(2):
        assert (await ws.receive_json())["kind"] == "heartbeat"
    desk.verifier.away = False
    desk.verifier.expired.add(f"{TOKEN}-new")
    assert await closed_with(ws) == CLOSE_SIGNED_OUT


async def test_a_slow_reader_is_cut_off_and_comes_back(desk: Desk, client: Client) -> None:
    host, port = client.server.host, client.server.port
    reader, writer = await asyncio.open_connection(host, port, limit=1024)
    handshake = (
        f"GET {LIVE} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    )
    writer.write(handshake.encode())
    assert b"101" in await reader.readline()
    await until(lambda: bool(desk.hub.connected()))
    async with asyncio.timeout(10):
        while desk.hub.connected():  # nothing is read here, so buffers fill and the ring turns over
            desk.hub.publish(ANN, "call", "x" * 50_000)
            await asyncio.sleep(0)
    assert len(desk.hub._lines[ANN].ring) <= 20  # pyright: ignore[reportPrivateUsage] - the bound is the point
    writer.close()
    ws = await connect(client, since=1)
    assert (await told(ws))["kind"] == "snapshot"
    assert CLOSE_TOO_SLOW == 4408


async def test_a_snapshot_that_cannot_be_made_now_is_tried_later(desk: Desk, client: Client) -> None:
    desk.snapshot_error = UnavailableError("PostgreSQL is away.")
    assert await closed_with(await connect(client)) == 1013
    await until(lambda: not desk.hub.connected())


async def test_plain_requests_and_bad_numbers_are_problems(client: Client) -> None:
    async with client.get(LIVE) as answer:
        assert answer.status == 426
    async with client.get(f"{LIVE}?since=x") as answer:
        assert answer.status == 422
        assert (await answer.json(content_type=None))["fields"][0]["field"] == "since"


async def test_stopping_the_service_sends_everybody_away_at_once(desk: Desk) -> None:
    async with TestClient(TestServer(desk.app())) as client:
        ws = await connect(client)
        await told(ws)
        async with asyncio.TaskGroup() as group:
            closing = group.create_task(client.server.close())
            assert await closed_with(ws) == 1001
            async with asyncio.timeout(3):
                await closing


async def test_another_instance_pushes_to_a_user_connected_here(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    await told(ws)
    await told(ws)
    base_url = str(client.make_url("")).rstrip("/")
    async with aiohttp.ClientSession() as session:
        pushing = LivePush(session, SECRET)
        messages = [
            Push(user_id=ANN, kind="call", body={"state": "talking"}, epoch=2, sequence=1),
            Push(user_id=ANN, kind="call", body={"state": "ringing"}, epoch=1, sequence=9),
            Push(user_id=UUID(int=8), kind="call"),
        ]
        assert await pushing.push(base_url, messages) == 1
        assert (await told(ws))["body"] == {"state": "talking"}
        with pytest.raises(UnavailableError):
            await LivePush(session, b"another").push(base_url, messages)
        with pytest.raises(UnavailableError):
            await pushing.push("http://127.0.0.1:1", messages)
    async with client.post("/internal/live", json={"messages": []}) as answer:
        assert answer.status == 401


async def test_a_token_expires_however_busy_the_line_is(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    await told(ws)
    desk.verifier.expired.add(TOKEN)
    async with asyncio.TaskGroup() as group:
        busy = group.create_task(_keep_busy(desk))
        assert await closed_with(ws) == CLOSE_SIGNED_OUT
        busy.cancel()


async def _keep_busy(desk: Desk) -> None:
    while True:
        desk.hub.publish(ANN, "call", None)
        await asyncio.sleep(0.01)


async def test_numbers_grow_from_one_instance_to_the_next_and_back(desk: Desk, client: Client) -> None:
    ws = await connect(client)
    await told(ws)
    seen = [(await told(ws))["seq"]]
    other = Desk()
    async with TestClient(TestServer(other.app())) as elsewhere:
        ws = await connect(elsewhere, since=seen[-1])
        seen += [(await told(ws))["seq"] for _ in range(2)]
        other.hub.publish(ANN, "call", "elsewhere")
        seen.append((await told(ws))["seq"])
    desk.hub.publish(ANN, "call", "into the ring that nobody drains")
    ws = await connect(client, since=seen[-1])
    back = await told(ws)
    assert back["kind"] == "snapshot"
    seen += [back["seq"], (await told(ws))["seq"]]
    desk.hub.publish(ANN, "call", "here again")
    last = await told(ws)
    assert last["body"] == "here again"
    seen.append(last["seq"])
    assert seen == sorted(set(seen))


async def test_a_number_from_the_far_future_does_not_move_the_line(desk: Desk, client: Client) -> None:
    ws = await connect(client, since=2**52)
    assert (await told(ws))["seq"] < 2**52


@pytest.mark.system
async def test_who_was_connected_to_a_killed_server_resumes_with_a_snapshot(unused_port: int) -> None:
    """`kill -9`: the ring is gone with the process, and the next one says all there is, under a higher number."""
    program = [sys.executable, "-m", "tests.runtime.live.server", str(unused_port)]
    url = f"http://127.0.0.1:{unused_port}{LIVE}"
    last: int | None = None
    numbers: list[int] = []
    async with aiohttp.ClientSession() as session:
        for start in range(2):
            server = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
            assert server.stdout is not None
            async with asyncio.timeout(30):
                assert await server.stdout.readline() == b"serving\n"
            address = url if last is None else f"{url}?since={last}"
            ws = await session.ws_connect(address, headers={"Authorization": f"Bearer {TOKEN}"})
            first = await told(ws)
            assert first["kind"] == "snapshot", start
            numbers += [first["seq"], *[(await told(ws))["seq"] for _ in range(3)]]
            last = numbers[-1]
            server.kill()
            await server.wait()
            async with asyncio.timeout(5):
                while (await ws.receive()).type != WSMsgType.CLOSED:
                    pass
    assert numbers == sorted(set(numbers))


@pytest.fixture
def unused_port() -> int:
    return free_port()
