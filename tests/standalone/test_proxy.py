"""The reverse proxy: what passes through unchanged, what is added, what a client cannot claim."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web

from services.standalone.children import free_port
from services.standalone.proxy import Route, proxy_app


async def mirror(request: web.Request) -> web.Response:
    body = await request.read()
    told = {"path": request.raw_path, "headers": dict(request.headers), "method": request.method, "size": len(body)}
    return web.json_response(told, status=418, headers={"X-Kept": "yes", "Set-Cookie": "a=b"})


async def trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(3):
        await response.write(f"data: {number}\n\n".encode())
        await asyncio.sleep(0.2)
    return response


async def broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.abort()
    return response


async def echo(request: web.Request) -> web.StreamResponse:
    if "refuse" in request.query:
        return web.Response(status=401)
    socket = web.WebSocketResponse(protocols=["galw.v1"])
    await socket.prepare(request)
    await socket.send_str(request.headers.get("X-Forwarded-For", ""))
    async for message in socket:
        if message.data == "die":
            assert request.transport is not None
            request.transport.abort()
        elif message.data == "bye":
            await socket.close(code=4001, message=b"as asked")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


@asynccontextmanager
async def served(app: web.Application) -> AsyncGenerator[str]:
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    service = web.Application(client_max_size=100 * 1024**2)
    service.router.add_get("/a/stream", trickle)
    service.router.add_get("/a/broken", broken)
    service.router.add_get("/a/live", echo)
    service.router.add_route("*", "/{path:.*}", mirror)
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(served(service))
        away = f"http://127.0.0.1:{free_port()}"
        yield await stack.enter_async_context(served(proxy_app([Route("/a", target), Route("/away", away)])))


@pytest.fixture
async def client() -> AsyncGenerator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def test_method_path_query_body_status_and_headers_pass_through(client: ClientSession, url: str) -> None:
    async with client.put(f"{url}/a/b%2Fc?q=%20x&q=2", data=io.BytesIO(b"x" * 5_000_000)) as answer:
        told = await answer.json()
        assert answer.status == 418
        assert answer.headers["X-Kept"] == "yes"
        assert answer.headers["Set-Cookie"] == "a=b"
    assert told["path"] == "/a/b%2Fc?q=%20x&q=2"
    assert (told["method"], told["size"]) == ("PUT", 5_000_000)


async def test_what_a_client_claims_about_its_way_is_dropped(client: ClientSession, url: str) -> None:
    claims = {
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "Proxy-Authorization": "x",
    }
    claims |= {"Connection": "X-Private", "X-Private": "hop"}
    async with client.get(f"{url}/a/x", headers=claims) as answer:
        headers = (await answer.json())["headers"]
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["Host"] == url.removeprefix("http://")
    assert headers["X-Forwarded-Host"] == ""  # somebody forwards to us: what was asked for is not known
    assert not {"Forwarded", "X-Real-IP", "X-Private", "Proxy-Authorization"} & set(headers)


async def test_a_client_next_to_us_is_told_on_with_the_name_it_asked_for(client: ClientSession, url: str) -> None:
    async with client.get(f"{url}/a/x") as answer:
        headers = (await answer.json())["headers"]
    assert headers["Host"] == headers["X-Forwarded-Host"] == url.removeprefix("http://")


async def test_a_stream_arrives_as_it_is_written(client: ClientSession, url: str) -> None:
    async with client.get(f"{url}/a/stream") as answer:
        async with asyncio.timeout(0.15):
            first = await answer.content.readuntil(b"\n\n")
        assert first == b"data: 0\n\n"
        assert (await answer.content.read()).endswith(b"data: 2\n\n")


async def test_an_answer_cut_short_is_cut_short_for_the_client_too(client: ClientSession, url: str) -> None:
    async with client.get(f"{url}/a/broken") as answer:
        with pytest.raises(Exception, match=r"payload|closed|reset|Connection"):
            await answer.read()


async def test_a_service_that_is_away_is_a_problem_with_a_hint(client: ClientSession, url: str) -> None:
    async with client.get(f"{url}/away/x") as answer:
        problem = await answer.json()
    assert answer.status == problem["status"] == 502
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"


async def test_a_path_that_nobody_serves_is_not_found(client: ClientSession, url: str) -> None:
    async with client.get(f"{url}/abc") as answer:  # begins like /a, but is not below it
        assert answer.status == 404


async def test_a_websocket_passes_messages_protocol_and_close_code(client: ClientSession, url: str) -> None:
    async with client.ws_connect(f"{url}/a/live", protocols=["other", "galw.v1"]) as socket:
        assert socket.protocol == "galw.v1"
        assert await socket.receive_str() == "127.0.0.1"
        await socket.send_str("ŵ")
        assert await socket.receive_str() == "ŵ"
        await socket.send_bytes(b"\0\1")
        assert await socket.receive_bytes() == b"\0\1"
        await socket.send_str("bye")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 4001


async def test_a_service_that_dies_ends_the_websocket_with_a_code_that_says_come_again(
    client: ClientSession, url: str
) -> None:
    async with client.ws_connect(f"{url}/a/live") as socket:
        await socket.receive_str()
        await socket.send_str("die")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1012


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE"])
async def test_answers_without_a_body_end(client: ClientSession, url: str, method: str) -> None:
    async with client.request(method, f"{url}/a/x") as answer:
        assert answer.status == 418
        assert (method == "HEAD") == (await answer.read() == b"")


async def test_a_refused_websocket_keeps_its_status(client: ClientSession, url: str) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect(f"{url}/a/live?refuse")
    assert refused.value.status == 401
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect(f"{url}/away/live")
    assert refused.value.status == 502
