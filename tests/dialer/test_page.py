"""The page at the root as it is served, and the demo behind it; a browser sees it in the standalone suite."""

import re
from collections.abc import AsyncGenerator
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.dialer.api.demo import DemoLine, demo_routes
from services.dialer.api.page import POLICY, page_routes
from services.runtime.clock import SystemClock
from services.runtime.http import build_app
from tests.fakes.verifier import PlainVerifier

Client = TestClient[web.Request, web.Application]
FOLDER = files("services.dialer") / "page"


class StandIn:
    """The demo's own endpoint, answering only who has the token."""

    def __init__(self) -> None:
        self.on = True

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/status", self.answer)
        app.router.add_put("/operators", self.switch)
        return app

    async def switch(self, request: web.Request) -> web.Response:
        self.on = (await request.json())["on"]
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth("galw", "token"):
            return web.json_response({}, status=401)
        body: dict[str, Any] = {
            "ready": True, "campaign": "Survey", "operators_on": self.on, "operators": 6 * self.on,
            "webhooks": {"good": 3, "bad": 0, "repeated": 0, "by_type": {}, "last_at": None}, "password": "galw-demo",
            "sign_ins": [{"email": "admin@demo.example", "role": "admin", "name": "Alys Bowen"}],
        }  # fmt: skip
        return web.json_response(body)


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    async with TestServer(StandIn().app()) as demo, aiohttp.ClientSession() as session:
        line = DemoLine(session, f"http://galw:token@{demo.host}:{demo.port}")
        routes = [page_routes(), *demo_routes(line)]
        app = build_app("dialer", routes, verifier=PlainVerifier(), clock=SystemClock())
        async with TestClient(TestServer(app)) as made:
            yield made


async def test_the_page_and_its_parts_are_ours_and_may_load_nothing_else(client: Client) -> None:
    for path, kind in (("/", "html"), ("/page.css", "css"), ("/page.js", "javascript"), ("/page.svg", "svg+xml")):
        async with client.get(path) as answer:
            assert (answer.status, answer.headers["Content-Security-Policy"]) == (200, POLICY)
            assert answer.content_type.endswith(kind)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            text = await answer.text()
        assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_needs_no_inline_script_or_style_which_its_policy_forbids() -> None:
    text = (FOLDER / "index.html").read_text("utf-8")
    assert re.findall(r"<script[^>]*>(?!</script>)", text) == []
    assert "style=" not in text
    assert "<style" not in text
    assert re.findall(r"\bon[a-z]+=", text) == []
    script = (FOLDER / "page.js").read_text("utf-8")
    assert "innerHTML" not in script
    assert "eval(" not in script


async def test_the_demo_tells_its_sign_ins_and_its_operators_can_be_switched(client: Client) -> None:
    async with client.get("/api/dialer/demo") as answer:
        body = await answer.json()
    assert (body["operators_on"], body["sign_ins"][0]["email"], body["webhooks"]["good"]) == (
        True, "admin@demo.example", 3,
    )  # fmt: skip
    async with client.put("/api/dialer/demo/operators", json={"on": False}) as answer:
        assert (await answer.json())["operators"] == 0
    # What a form of another origin can send without asking first is refused.
    async with client.put(
        "/api/dialer/demo/operators", data=b'{"on": true}', headers={"Content-Type": "text/plain"}
    ) as answer:
        assert answer.status == 415


async def test_a_demo_that_is_away_is_said_to_be() -> None:
    async with aiohttp.ClientSession() as session:
        line = DemoLine(session, "http://galw:token@127.0.0.1:1")
        app = build_app("dialer", demo_routes(line), verifier=PlainVerifier(), clock=SystemClock())
        async with TestClient(TestServer(app)) as made, made.get("/api/dialer/demo") as answer:
            assert answer.status == 503


def test_without_a_demo_there_are_no_routes_of_one() -> None:
    assert demo_routes(None) == []
