"""The demo of the standalone mode, for the status page: how to sign in, and the switch of the simulated operators."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from pydantic import BaseModel

from services.runtime.errors import UnavailableError
from services.runtime.http import PUBLIC, Input, Routes

_TIMEOUT = aiohttp.ClientTimeout(total=3)


class SignIn(BaseModel):
    """An account of the demo; all have the demo's password."""

    email: str
    role: str
    name: str


class Received(BaseModel):
    """Webhooks that the demo's partner has received; *good* ones had the right signature."""

    good: int
    bad: int
    repeated: int


class Demo(BaseModel):
    """What the demo says of itself; every name in it is invented."""

    ready: bool
    campaign: str | None
    operators_on: bool
    operators: int
    webhooks: Received
    password: str
    sign_ins: list[SignIn]


class Switch(Input):
    """Whether the simulated operators are at work."""

    on: bool


class DemoLine:
    """Speaks to the demo's process, which only the standalone mode starts, on this machine."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """The *url* carries the token as its password; the *session* belongs to the caller."""
        parts = urlsplit(url)
        self._session = session
        self._auth = aiohttp.encode_basic_auth(parts.username or "", parts.password or "")
        self._url = urlunsplit(("http", f"{parts.hostname}:{parts.port}", "", "", ""))

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Demo:
        """Return what the demo answers; raises `UnavailableError` while it starts or is away."""
        headers = {"Authorization": self._auth}
        try:
            async with self._session.request(
                method, self._url + path, json=body, headers=headers, timeout=_TIMEOUT
            ) as answer:
                answer.raise_for_status()
                return Demo.model_validate_json(await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise UnavailableError("The demo does not answer; it may be starting.") from error


def demo_routes(line: DemoLine | None) -> list[Routes]:
    """Return the routes of the demo; none where there is none."""
    if line is None:
        return []
    routes = Routes(prefix="/api/dialer", tag="demo")

    @routes.get("/demo", roles=PUBLIC, summary="The demo: how to sign in, and what its parts have done")
    async def get_demo() -> Demo:
        return await line.ask("GET", "/status")

    # A page of another origin cannot use it: JSON by PUT asks first, and no origin is ever answered.
    @routes.put("/demo/operators", roles=PUBLIC, summary="Call the simulated operators in, or send them home")
    async def put_demo_operators(body: Switch) -> Demo:
        return await line.ask("PUT", "/operators", {"on": body.on})

    return [routes]
