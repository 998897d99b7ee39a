"""`python -m services.standalone.demo`: a child of the supervisor that makes the demo and works in it."""

import asyncio
import hmac
import random
import signal
import sys
import time
from base64 import b64encode
from dataclasses import asdict
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler

from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import GalwError
from services.runtime.logging import configure_logging
from services.standalone.demo import staff
from services.standalone.demo.client import SignedIn
from services.standalone.demo.operators import SimulatedOperator
from services.standalone.demo.organisation import Founder, Made
from services.standalone.demo.partner import PATH, Partner
from services.standalone.demo.settings import DemoSettings

_CONNECTIONS = 32


class Demo:
    """The demo's parts in one process: the founder, the partner and the simulated operators."""

    def __init__(self, settings: DemoSettings, session: aiohttp.ClientSession, clock: Clock) -> None:
        """Wire the parts; nothing runs yet."""
        self._settings = settings
        self._session = session
        self._clock = clock
        self._url = settings.public_url
        self.partner = Partner(clock)
        self.made: Made | None = None
        self.operators = [
            SimulatedOperator(self._as(one), session, clock, random.Random(f"{one.account}/{settings.carrier_seed}"))  # noqa: S311
            for one in staff.OPERATORS
        ]

    async def run(self) -> None:
        """Make the organisation, say how to sign in, and let the operators work until cancelled."""
        started_s = time.monotonic()
        await self._wait_ready()
        database_url = self._settings.database_url.get_secret_value()
        if not await staff.make_staff(database_url, self._clock):
            _say("This data folder has accounts of its own, so it gets no demo; DATA=folder starts an empty one.")
            return
        founder = Founder(self._as(staff.ADMIN), self._as(staff.MARKETING))
        await founder.make_floor()
        make_account = partial(staff.make_partner_account, database_url, self._clock)
        self.partner.trust(await founder.make_partner(f"http://127.0.0.1:{self._port}{PATH}", make_account))
        async with asyncio.TaskGroup() as group:
            for operator in self.operators:
                group.create_task(operator.run())
            at_work = self.operators[: self._settings.demo_operators]
            for operator in at_work:
                operator.start()
            self.made = await founder.make_campaign()
            _say(_welcome(self._url, self.made, len(at_work)))
            await self._tell_first_webhook(started_s)

    def status(self) -> dict[str, object]:
        """Return what the status page shows; counts and the names of demo things only."""
        return {
            "ready": self.made is not None,
            "campaign": self.made.campaign if self.made else None,
            "operators_on": any(one.at_work for one in self.operators),
            "operators": sum(one.at_work for one in self.operators),
            "webhooks": asdict(self.partner.received),
            "password": staff.PASSWORD,
            "sign_ins": [
                {"email": one.email, "role": one.role.value, "name": one.name} for one in (*staff.STAFF, staff.PARTNER)
            ],
        }

    def switch(self, *, on: bool) -> None:
        """Call the simulated operators in, or send them home once their calls are over."""
        for operator in self.operators:
            if on:
                operator.start()
            else:
                operator.send_home()

    @property
    def _port(self) -> int:
        return self._settings.http_port

    def _as(self, colleague: staff.Colleague) -> SignedIn:
        return SignedIn(self._session, self._url, colleague.email, staff.PASSWORD)

    async def _wait_ready(self) -> None:
        while True:
            try:
                async with self._session.get(f"{self._url}/readyz") as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.2)

    async def _tell_first_webhook(self, started_s: float) -> None:
        await self.partner.heard_response.wait()
        seconds = time.monotonic() - started_s
        _say(f"The demo lives: the partner has verified the webhook of a response, {seconds:.0f} s after the start.")


def demo_app(demo: Demo, token: str) -> web.Application:
    """Return what the demo serves: the partner's endpoint for everybody, status and switch for who has *token*."""
    expected = "Basic " + b64encode(f"galw:{token}".encode()).decode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if request.path != PATH and not hmac.compare_digest(given.encode(), expected.encode()):
            return web.json_response({"title": "The demo's token is missing or wrong."}, status=401)
        return await handler(request)

    async def get_status(_: web.Request) -> web.Response:
        return web.json_response(demo.status())

    async def put_operators(request: web.Request) -> web.Response:
        demo.switch(on=(await request.json())["on"] is True)
        return web.json_response(demo.status())

    app = web.Application(middlewares=[check])
    app.router.add_post(PATH, demo.partner.post_webhook)
    app.router.add_get("/status", get_status)
    app.router.add_put("/operators", put_operators)
    return app


def _welcome(url: str, made: Made, operators: int) -> str:
    width = max(len(one.email) for one in (*staff.STAFF, staff.PARTNER))
    people = [staff.ADMIN, staff.MARKETING, staff.SUPERVISOR, staff.AUDITOR, staff.PARTNER]
    lines = [f"    {one.email:{width}}  {one.role.value:10}  {one.name}" for one in people]
    first, last = staff.OPERATORS[0], staff.OPERATORS[-1]
    numbered = f"operator1 … operator{len(staff.OPERATORS)}@demo.example"
    lines.append(f"    {numbered:{width}}  operator    {first.name} … {last.name}")
    at_work = f"{operators} simulated operators are at work" if operators else "no simulated operators"
    return "\n".join(
        (
            "",
            f"  {url}    what happens now",
            f"  {made.people:,} people in 8 countries, the campaign “{made.campaign}”, {at_work}.",
            "  All names and numbers are invented; nobody can be called by accident.",
            "",
            f"  Sign in with the password {staff.PASSWORD} (refused on any address but this machine's own):",
            *lines,
            "",
        )
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Serve and run the demo until told to stop."""
    settings = DemoSettings()  # pyright: ignore[reportCallIssue] - the environment fills it
    configure_logging("demo", settings.log_level)
    token = urlsplit(settings.demo_url.get_secret_value()).password or ""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
        demo = Demo(settings, session, SystemClock())
        runner = web.AppRunner(demo_app(demo, token), access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", settings.http_port).start()
            await _until_signalled(demo)
        finally:
            await runner.cleanup()


async def _told(demo: Demo) -> None:
    """Run the demo; a refusal is told once, since the same wish would be refused again."""
    try:
        await demo.run()
    except* GalwError as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        _say(f"The demo cannot be made: {first}")


async def _until_signalled(demo: Demo) -> None:
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(_told(demo))
        await asked.wait()
        working.cancel()


if __name__ == "__main__":
    uvloop.run(main())
