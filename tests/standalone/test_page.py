"""The page at the root in a real browser: the figures of a running standalone mode, live, and an empty console."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.standalone.children import free_port, wait_until
from tests.standalone.test_standalone import Running

pytestmark = [pytest.mark.chromium, pytest.mark.system]

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


class Browser:
    """One tab of a headless Chromium, driven over its debugging line; keeps what the console said."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line = line
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []

    async def listen(self) -> None:
        async for message in self._line:
            body = json.loads(message.data)
            if "id" in body:
                self._answers.pop(body["id"]).set_result(body)
            elif body["method"] in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                self.complaints.append(json.dumps(body["params"]))

    async def tell(self, method: str, **params: object) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._line.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(20):
            told = await answer
        assert "error" not in told, told
        return told["result"]

    async def value(self, expression: str) -> Any:
        found = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not await self.value(expression):  # noqa: ASYNC110 - what is awaited happens in the page
                await asyncio.sleep(0.2)


@asynccontextmanager
async def browser(url: str) -> AsyncGenerator[Browser]:
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}")
        process = await asyncio.to_thread(_chromium, *options, f"--remote-debugging-port={port}", "about:blank")
        try:
            address = await asyncio.to_thread(_debugging_line, port)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as line,
                asyncio.TaskGroup() as group,
            ):
                tab = Browser(line)
                listening = group.create_task(tab.listen())
                for domain in ("Runtime", "Log", "Page"):
                    await tab.tell(f"{domain}.enable")
                await tab.tell("Page.navigate", url=url)
                await tab.until("location.protocol === 'http:' && document.readyState === 'complete'")
                yield tab
                listening.cancel()
        finally:
            process.terminate()
            process.wait(10)


def _chromium(*options: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([CHROMIUM, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _debugging_line(port: int) -> str:
    found: list[str] = []

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=2) as answer:
                tabs = json.loads(answer.read())
        except OSError:
            return False
        found[:] = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
        return bool(found)

    wait_until(ready, 30, "Chromium")
    return found[0]


class Demo(Running):
    """The standalone mode as people start it, with its demo."""

    program = ("-m", "services.standalone")

    def wait_demo(self) -> "Demo":
        wait_until(lambda: self.process.poll() is not None or "simulated operators are" in self.text, 240, "the demo")
        assert self.process.poll() is None, self.text
        return self


@pytest.fixture(scope="module")
def demo() -> Generator[Demo]:
    with tempfile.TemporaryDirectory(prefix="galw-page-") as folder:
        running = Demo(Path(folder))
        try:
            yield running.wait_demo()
        finally:
            running.end()


@pytest.mark.timeout(400)
async def test_the_page_shows_live_figures_and_the_console_stays_empty(demo: Demo) -> None:
    async with browser(f"http://127.0.0.1:{demo.port}/") as page:
        await page.until("document.querySelector('.pulse.live') !== null")
        text = "document.body.innerText"
        await page.until(f"{text}.includes('How is your connection?') && {text}.includes('leads waiting')")
        await page.until("document.querySelectorAll('.service .good').length === 3")
        # What is shown is what the API says.
        present = (
            "Object.values((await (await fetch('api/dialer/status')).json()).operators).reduce((a, b) => a + b, 0)"
        )
        shown = "[...document.querySelectorAll('#operators .legend b')].reduce((a, b) => a + Number(b.textContent), 0)"
        await page.until(f"(async () => {shown} === {present} && {present} === 6)()")
        # The campaign is open and explained, with its chart.
        await page.until("document.querySelector('details[open] .answer').textContent.endsWith('.')")
        await page.until("document.querySelector('.chart svg path.may').getAttribute('d').length > 100")
        links = await page.value("[...document.querySelectorAll('.service a')].map((a) => a.getAttribute('href'))")
        assert {f"api/{name}/docs" for name in ("dialer", "crm", "notifier")} <= set(links)
        await page.until(f"{text}.includes('operator1@demo.example')")
        # It goes on by itself.
        before = await page.value("document.getElementById('pulse-text').textContent")
        await page.until(f"document.getElementById('pulse-text').textContent !== {json.dumps(before)}")
        assert page.complaints == []


@pytest.mark.timeout(400)
async def test_the_switch_sends_the_simulated_operators_home_and_calls_them_in(demo: Demo) -> None:
    async with browser(f"http://127.0.0.1:{demo.port}/") as page:
        switch = "document.getElementById('operators-switch')"
        await page.until(f"{switch}.getAttribute('aria-checked') === 'true'")
        await page.value(f"{switch}.click()")
        await page.until(f"{switch}.getAttribute('aria-checked') === 'false'")
        await page.until("document.getElementById('operators').textContent.includes('offline')", 60)
        await page.value(f"{switch}.click()")
        await page.until(f"{switch}.getAttribute('aria-checked') === 'true'")
        assert page.complaints == []


@pytest.mark.timeout(400)
async def test_the_page_fits_a_telephone_and_loads_nothing_from_elsewhere(demo: Demo) -> None:
    async with browser(f"http://127.0.0.1:{demo.port}/") as page:
        await page.tell("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
        await page.until("document.querySelector('.chart svg path.may') !== null")
        assert await page.value("document.documentElement.scrollWidth") <= 360
        # An address to sign in with is whole, or breaks behind its sign.
        await page.until("document.querySelector('#sign-ins code wbr') !== null")
        lines = "(node) => { const all = new Range(); all.selectNode(node); return all.getClientRects().length; }"
        texts = "[...document.querySelectorAll('#sign-ins td code')].flatMap((one) => [...one.childNodes])"
        assert await page.value(f"{texts}.filter((one) => one.data).map({lines}).every((count) => count === 1)")
        loaded = await page.value("performance.getEntriesByType('resource').map((one) => new URL(one.name).origin)")
        assert set(loaded) == {f"http://127.0.0.1:{demo.port}"}
        policy = await page.value("fetch('/').then((answer) => answer.headers.get('Content-Security-Policy'))")
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
