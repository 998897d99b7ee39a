"""The carrier as a process of its own, over real HTTP and WebSockets."""

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.carrier.__main__ import main
from services.carrier.judge import judge
from services.carrier.ledger import parse_lines

pytestmark = pytest.mark.system

NUMBER = "+441632960001"


class Running:
    """A carrier that runs, and a client of it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, client: aiohttp.ClientSession) -> None:
        self.process = process
        self.port = port
        self.client = client

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.client.request(method, path, json=body) as response:
            content = await response.read()
        return response.status, json.loads(content) if content else None

    @contextlib.asynccontextmanager
    async def listen(self, app: str = "galw") -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        async with self.client.ws_connect(f"/ari/events?app={app}") as socket:
            yield socket

    async def create(self, channel_id: str, endpoint: str = f"SIM/{NUMBER}@trunk-1") -> tuple[int, Any]:
        return await self.ask(
            "POST", "/ari/channels/create", {"endpoint": endpoint, "app": "galw", "channelId": channel_id}
        )

    async def ledger(self) -> list[dict[str, Any]]:
        async with self.client.get("/ledger") as response:
            return list(parse_lines((await response.read()).splitlines(), "GET /ledger"))


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str, channel_id: str | None = None) -> dict[str, Any]:
    """Read on to the event of *kind*."""
    while True:
        event = await socket.receive_json(timeout=10)
        if event["type"] == kind and channel_id in (None, event.get("channel", {}).get("id")):
            return event


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncGenerator[Start]:
    """Starts carriers on one ledger, and ends them."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*options: str, profile: str = "eager") -> Running:
            arguments = ["-m", "services.carrier", "--ledger", str(tmp_path / "ledger"), "--profile", profile]
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            stack.push_async_callback(_end, process)
            assert process.stdout is not None
            port = json.loads(await process.stdout.readline())["port"]
            client = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))
            return Running(process, port, client)

        yield start


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


@pytest.fixture
async def carrier(start: Start) -> Running:
    return await start()


async def _operator(carrier: Running) -> None:
    await carrier.create("leg", "SIM/operator-1")
    await carrier.ask("POST", "/ari/channels/leg/dial")
    await carrier.ask("POST", "/ari/bridges/room?type=mixing")
    assert await carrier.ask("POST", "/ari/bridges/room/addChannel?channel=leg") == (204, None)


async def test_a_call_from_create_to_the_ledger(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await _operator(carrier)
        assert (await carrier.create("call"))[0] == 200
        assert (await until(socket, "StasisStart", "call"))["channel"]["state"] == "Down"
        assert await carrier.ask("POST", "/ari/channels/call/dial?timeout=30") == (204, None)
        assert (await until(socket, "ChannelStateChange", "call"))["channel"]["state"] == "Ringing"
        up = await until(socket, "ChannelStateChange", "call")
        assert (up["channel"]["state"], up["channel"]["channelvars"]) == ("Up", {"AMDSTATUS": "HUMAN"})
        await carrier.ask("POST", "/ari/bridges/room/addChannel?channel=call")
        assert (await carrier.ask("GET", "/status"))[1]["talking_now"] == 1
        assert (await until(socket, "ChannelDestroyed", "call"))["cause"] == 16
        assert [channel["id"] for channel in (await carrier.ask("GET", "/ari/channels"))[1]] == ["leg"]
    lines = await carrier.ledger()
    assert [line["event"] for line in lines] == ["ring", "answer", "meet", "part", "end"]
    assert judge(lines) == []
    status = (await carrier.ask("GET", "/status"))[1]
    assert (status["rings"], status["outcomes"], status["seed"], status["profile"]) == (1, {"answer": 1}, 7, "eager")


async def test_a_second_socket_takes_the_app_and_the_first_stays_open_and_deaf(carrier: Running) -> None:
    async with carrier.listen() as first, carrier.listen() as second:
        assert (await first.receive_json(timeout=5))["type"] == "ApplicationReplaced"
        await carrier.create("call")
        await until(second, "StasisStart", "call")
        with pytest.raises(TimeoutError):
            await first.receive(timeout=0.2)
        await first.ping()
        assert not first.closed


async def test_while_no_socket_is_open_events_are_lost_and_channels_stay(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await carrier.create("call")
        await until(socket, "StasisStart", "call")
        await carrier.ask("POST", "/ari/channels/call/dial?timeout=30")
    await _until_true(lambda: _disconnected(carrier))
    assert (await carrier.create("late"))[0] == 200
    assert (await carrier.ask("GET", "/ari/channels/late"))[0] == 404, "without a listener it died"
    await _until_true(lambda: _is_up(carrier, "call"))
    async with carrier.listen() as socket:
        await carrier.ask("DELETE", "/ari/channels/call")
        assert (await socket.receive_json(timeout=5))["type"] == "ChannelHangupRequest"
    assert sum(line["event"] == "ring" for line in await carrier.ledger()) == 1


async def _until_true(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await check():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


async def _disconnected(carrier: Running) -> bool:
    return (await carrier.ask("GET", "/status"))[1]["apps"] == []


async def _is_up(carrier: Running, channel_id: str) -> bool:
    return (await carrier.ask("GET", f"/ari/channels/{channel_id}"))[1]["state"] == "Up"


async def test_a_message_blocks_add_channel_until_it_ends(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await _operator(carrier)
        await carrier.create("call")
        await carrier.ask("POST", "/ari/channels/call/dial")
        await _until_true(lambda: _is_up(carrier, "call"))
        await carrier.ask("POST", "/ari/channels/call/play?media=sound:abandoned-message&playbackId=sorry")
        assert (await carrier.ask("POST", "/ari/bridges/room/addChannel?channel=call")) == (204, None)
        order = [(await socket.receive_json(timeout=5))["type"] for _ in range(9)]
        assert order[-3:] == ["PlaybackStarted", "PlaybackFinished", "ChannelEnteredBridge"]


async def test_rest_over_the_websocket(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await socket.send_str("no JSON")
        await socket.send_json({"type": "Greeting"})
        await socket.send_json(
            {
                "type": "RESTRequest",
                "request_id": "one",
                "method": "POST",
                "uri": "channels/create",
                "message_body": json.dumps({"endpoint": "SIM/1@t", "app": "galw", "channelId": "call"}),
            }
        )
        await until(socket, "StasisStart", "call")
        answer = await until(socket, "RESTResponse")
        assert (answer["request_id"], answer["status_code"], answer["uri"]) == ("one", 200, "channels/create")
        assert json.loads(answer["message_body"])["id"] == "call"
        await socket.send_json({"type": "RESTRequest", "method": "GET", "uri": "/ari/channels/none?x=1"})
        assert (await until(socket, "RESTResponse"))["status_code"] == 404


async def test_programmed_outcomes_and_faults_by_http(carrier: Running) -> None:
    assert await carrier.ask("POST", f"/people/{NUMBER}", {"outcome": "busy", "setup_s": 0}) == (204, None)
    async with carrier.listen() as socket:
        await carrier.create("call")
        await carrier.ask("POST", "/ari/channels/call/dial")
        destroyed = await until(socket, "ChannelDestroyed", "call")
        assert (destroyed["cause"], destroyed["tech_cause"]) == (17, 486)
        assert (await carrier.ask("POST", "/faults", {"lost": 1.0}))[0] == 200
        assert (await carrier.ask("GET", "/faults"))[1]["lost"] == 1.0
        await carrier.create("unheard")
        assert (await carrier.ask("DELETE", "/faults"))[1]["lost"] == 0.0
        await carrier.create("heard")
        assert (await until(socket, "StasisStart"))["channel"]["id"] == "heard"
    await carrier.ask("POST", f"/people/{NUMBER}", {"outcome": "busy"})
    assert await carrier.ask("DELETE", f"/people/{NUMBER}") == (204, None)


_WRONG: list[tuple[str, str, object, int, str]] = [
    ("POST", "/people/someone", {"outcome": "busy"}, 422, "a number such as"),
    ("POST", f"/people/{NUMBER}", {"outcome": "asleep"}, 422, "outcome"),
    ("POST", f"/people/{NUMBER}", {"outcome": "busy", "sip": 200}, 422, "sip"),
    ("POST", f"/people/{NUMBER}", {"outcome": "answer", "sip": 486}, 422, "sip"),
    ("POST", "/faults", {"outage": {"for_s": 3, "kind": "explode"}}, 422, "outage.kind"),
    ("POST", "/faults", None, 422, "Invalid JSON"),
    ("GET", "/ledger?from=1", None, 400, "from 0 to 0"),
    ("GET", "/ledger?from=x", None, 400, "from"),
    ("GET", "/nothing", None, 404, "there are /ari"),
    ("GET", "/ari", None, 404, "Resource not found"),
    ("GET", "/ari/events", None, 400, "app"),
    ("POST", "/ari/channels/create", ["x" * 50_000], 413, "40960"),
]


async def test_a_wrong_request_is_told_what_is_wrong(carrier: Running) -> None:
    for method, path, body, status, words in _WRONG:
        answered, content = await carrier.ask(method, path, body)
        assert (answered, words in json.dumps(content)) == (status, True), content


async def test_a_web_page_is_refused(carrier: Running) -> None:
    async with carrier.client.get("/status", headers={"Origin": "http://evil.example"}) as response:
        assert response.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await carrier.client.ws_connect("/ari/events?app=galw", origin="http://evil.example")


async def test_a_body_without_end_is_refused(carrier: Running) -> None:
    for path in ("/ari/channels/create", "/faults"):
        # The carrier answers and closes while the body is still on its way, so the answer itself may not arrive.
        with contextlib.suppress(aiohttp.ClientError):
            async with carrier.client.post(path, data=io.BytesIO(b"x" * 2_000_000)) as response:
                assert response.status == 413
    assert (await carrier.ask("GET", "/ari/channels"))[0] == 200


async def test_a_refusing_carrier_cuts_its_clients_and_comes_back(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await carrier.ask("POST", "/faults", {"outage": {"for_s": 0.5, "kind": "refuse"}})
        assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
        with pytest.raises(aiohttp.ClientError):
            await carrier.ask("GET", "/ari/channels")
    await _until_true(lambda: _answers(carrier))


async def _answers(carrier: Running) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        return (await carrier.ask("GET", "/ari/channels"))[0] == 200
    return False


async def test_a_hanging_carrier_still_rings_after_its_client_has_given_up(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await carrier.create("call")
        await until(socket, "StasisStart", "call")
        await carrier.ask("POST", "/faults", {"outage": {"for_s": 0.6, "kind": "hang"}})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await carrier.ask("POST", "/ari/channels/call/dial")
        assert await carrier.ledger() == []
        await until(socket, "ChannelStateChange", "call")
    assert (await carrier.ledger())[0]["event"] == "ring"


async def test_a_hanging_carrier_answers_no_ping(carrier: Running) -> None:
    await carrier.ask("POST", "/faults", {"outage": {"for_s": 60, "kind": "hang"}})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await carrier.client.ws_connect("/ari/events?app=galw")
    await carrier.ask("DELETE", "/faults")
    async with carrier.client.ws_connect("/ari/events?app=galw", heartbeat=0.2) as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):  # receive's own timeout begins anew with each pong
                await socket.receive()
        assert not socket.closed, "a carrier that is well answers pings"
        await carrier.ask("POST", "/faults", {"outage": {"for_s": 60, "kind": "hang"}})
        async with asyncio.timeout(5):
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_an_answer_may_be_lost_after_the_deed(carrier: Running) -> None:
    async with carrier.listen() as socket:
        await carrier.create("call")
        await until(socket, "StasisStart", "call")
        await carrier.ask("POST", "/faults", {"answers_lost": 1.0})
        # aiohttp's client sends a POST once only: it was carried out, though nobody says so.
        with pytest.raises(aiohttp.ClientError):
            await carrier.ask("POST", "/ari/channels/call/dial")
        await until(socket, "ChannelStateChange", "call")
    assert [line["event"] for line in await carrier.ledger()].count("ring") == 1


async def test_a_killed_carrier_keeps_its_ledger_and_goes_on_counting(start: Start) -> None:
    first = await start()
    async with first.listen() as socket:
        await first.create("call")
        await until(socket, "StasisStart", "call")
        await first.ask("POST", "/ari/channels/call/dial")
    first.process.send_signal(signal.SIGKILL)
    await first.process.wait()
    second = await start("--port", str(first.port))
    assert second.port == first.port
    async with second.listen() as socket:
        await second.create("again")
        await until(socket, "StasisStart", "again")
        await second.ask("POST", "/ari/channels/again/dial")
    lines = await second.ledger()
    assert [(line["event"], line["channel_id"], line.get("nth"), line.get("by")) for line in lines] == [
        ("ring", "call", 1, None),
        ("end", "call", None, "restart"),
        ("ring", "again", 2, None),
    ]
    assert judge(lines) == []


async def test_the_ledger_can_be_read_on(carrier: Running) -> None:
    async with carrier.listen():
        await carrier.create("call")
        await carrier.ask("POST", "/ari/channels/call/dial")
        async with carrier.client.get("/ledger") as response:
            end = response.headers["Ledger-End"]
            assert int(end) == len(await response.read()) > 0
        await carrier.ask("DELETE", "/ari/channels/call")
        async with carrier.client.get(f"/ledger?from={end}") as response:
            assert json.loads(await response.read())["event"] == "end"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_at_once_with_calls_up_and_listeners_on(carrier: Running, how: signal.Signals) -> None:
    async with carrier.listen() as socket:
        await carrier.create("call")
        await carrier.ask("POST", "/ari/channels/call/dial")
        carrier.process.send_signal(how)
        async with asyncio.timeout(3):
            assert await carrier.process.wait() == 0
        while not socket.closed:
            await socket.receive(timeout=5)
    assert carrier.process.stderr is not None
    assert await carrier.process.stderr.read() == b""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--ledger"),
        (["--ledger", "/nowhere/ledger"], "cannot be opened: No such file or directory; name another file."),
        (["--ledger", "LEDGER", "--profile", "none"], "name a file or one of benchmark, eager, everyday."),
        (["--ledger", "LEDGER", "--speed", "0"], "--speed: expected"),
        (["--ledger", "LEDGER", "--port", "99999"], "--port: expected"),
        (["--ledger", "LEDGER", "--host", "192.0.2.1"], "Cannot listen on 192.0.2.1:0"),
    ],
)
def test_wrong_arguments_are_one_sentence_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    try:
        code = main([str(tmp_path / "ledger") if option == "LEDGER" else option for option in options])
    except SystemExit as ended:  # argparse's way
        code = ended.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert words in said.err


async def test_a_port_in_use_and_a_ledger_in_use_are_said(carrier: Running, tmp_path: Path) -> None:
    for ledger, port, words in (("other", carrier.port, "choose another --port"), ("ledger", 0, "Another carrier")):
        options = ["--ledger", str(tmp_path / ledger), "--port", str(port)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.carrier", *options, stderr=subprocess.PIPE
        )
        _, said = await process.communicate()
        assert (process.returncode, words in said.decode(), b"Traceback" in said) == (2, True, False), said


async def test_a_ledger_that_cannot_be_written_stops_the_carrier(tmp_path: Path) -> None:
    program = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); sys.argv = sys.argv[1:]; "
    )
    program += "runpy.run_module('services.carrier', run_name='__main__')"
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", program, "carrier", "--ledger", str(tmp_path / "ledger"), "--profile", "eager"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    port = json.loads(await process.stdout.readline())["port"]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        carrier = Running(process, port, client)
        async with carrier.listen() as socket:
            await carrier.create("call")
            await until(socket, "StasisStart", "call")
            with contextlib.suppress(aiohttp.ClientError, json.JSONDecodeError):
                assert (await carrier.ask("POST", "/ari/channels/call/dial"))[0] == 500
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"carrier.stopped" in said
