"""Between instances: whoever decides about a user pushes to the instance that holds the user's WebSocket."""

import hmac
from collections.abc import Sequence
from uuid import UUID

import aiohttp
from aiohttp import web
from pydantic import BaseModel, Field, JsonValue

from services.runtime.errors import UnavailableError
from services.runtime.http import PUBLIC, Call, Input, Routes
from services.runtime.identity.principal import SignedOutError
from services.runtime.live.hub import LiveHub

PUSH_PATH = "/internal/live"
SECRET_HEADER = "X-Galw-Internal"  # noqa: S105 - the name of the header


class Push(Input):
    """One message to one user; (*epoch*, *sequence*) let the receiver drop what was overtaken."""

    user_id: UUID
    kind: str = Field(min_length=1, max_length=100)
    body: JsonValue = None
    epoch: int | None = Field(default=None, ge=0)
    sequence: int = Field(default=0, ge=0)

    @property
    def stamp(self) -> tuple[int, int] | None:
        """The order of the message among those about this user, where it has one."""
        return None if self.epoch is None else (self.epoch, self.sequence)


class Pushes(Input):
    """Messages in the order in which they happened."""

    messages: tuple[Push, ...] = Field(max_length=1000)


class Pushed(BaseModel):
    """How many reached a line here; the rest was overtaken, or the user is elsewhere."""

    accepted: int


def push_routes(hub: LiveHub, secret: bytes) -> Routes:
    """Return the route that other instances push to; *secret* is `derive_key(GALW_SECRET_KEY, "internal")`."""
    routes = Routes(prefix="", tag="internal")

    @routes.post(PUSH_PATH, roles=PUBLIC, status=200, summary="Push live state, from one instance to another")
    async def post_live(call: Call, body: Pushes) -> Pushed:
        """For instances of Galw only: they know the secret of this deployment."""
        check_internal(call.request, secret)
        numbers = [hub.publish(one.user_id, one.kind, one.body, stamp=one.stamp) for one in body.messages]
        return Pushed(accepted=sum(number is not None for number in numbers))

    return routes


def check_internal(request: web.Request, secret: bytes) -> None:
    """Raise `SignedOutError` unless the request comes from an instance of this deployment."""
    given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, secret.hex().encode()):
        raise SignedOutError("This address is for instances of Galw among themselves.")


class LivePush:
    """Pushes to other instances over one client session."""

    def __init__(self, session: aiohttp.ClientSession, secret: bytes) -> None:
        """The *session* belongs to the caller."""
        self._session = session
        self._headers = {SECRET_HEADER: secret.hex()}

    async def push(self, base_url: str, messages: Sequence[Push], *, timeout_s: float = 1.0) -> int:
        """Push to the instance at *base_url* and return how many messages reached a line there.

        Raises `UnavailableError`: the user's next snapshot then tells, so there is no need to repeat.
        """
        body = Pushes(messages=tuple(messages)).model_dump_json().encode()
        headers = {**self._headers, "Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.post(base_url + PUSH_PATH, data=body, headers=headers, timeout=timeout) as answer:
                answer.raise_for_status()
                return Pushed.model_validate_json(await answer.read()).accepted
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise UnavailableError(f"The instance at {base_url} does not take pushes now.") from error
