"""The demo's partner: an endpoint that believes a webhook only if its Standard Webhooks signature is right."""

import asyncio
import base64
import binascii
import hmac
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from services.runtime.clock import Clock

PATH = "/partner/webhooks"
TOLERANCE_S = 300
"""Older or newer timestamps are refused, so that a webhook that was listened to cannot be sent again later."""

_REMEMBERED = 1000


def verified(secrets: list[str], headers: Mapping[str, str], body: bytes, now_s: float) -> bool:
    """Tell whether *body* was signed with one of *secrets* (`whsec_…`), just now, for this id."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not timestamp.isascii() or not timestamp.isdigit():
        return False
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    content = f"{webhook_id}.{timestamp}.".encode() + body
    given = [part.removeprefix("v1,") for part in headers.get("webhook-signature", "").split() if part[:3] == "v1,"]
    right = [base64.b64encode(hmac.digest(_key(secret), content, "sha256")).decode() for secret in secrets]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in right)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("a signing secret is `whsec_` and base64") from error


@dataclass(slots=True)
class Received:
    """What the partner got so far."""

    good: int = 0
    bad: int = 0
    repeated: int = 0
    by_type: dict[str, int] = field(default_factory=dict[str, int])
    last_at: str | None = None


class Partner:
    """Counts webhooks; a repeat of one that was counted is answered the same way and counted apart."""

    def __init__(self, clock: Clock) -> None:
        """Know no secret yet: until `trust`, every webhook is refused and comes again."""
        self.received = Received()
        self.heard_response = asyncio.Event()
        self._clock = clock
        self._secrets: list[str] = []
        self._ids: deque[str] = deque(maxlen=_REMEMBERED)

    def trust(self, secrets: list[str]) -> None:
        """Believe what is signed with *secrets*, and only that."""
        self._secrets = secrets

    async def post_webhook(self, request: web.Request) -> web.Response:
        """Answer 204 to a webhook with a good signature, 401 to any other, 503 before the secret is known."""
        if not self._secrets:
            return web.Response(status=503, headers={"Retry-After": "1"})
        body, now = await request.read(), self._clock.now()
        if not verified(self._secrets, request.headers, body, now.timestamp()):
            self.received.bad += 1
            return web.Response(status=401)
        self._count(request.headers["webhook-id"], body)
        self.received.last_at = now.isoformat()
        return web.Response(status=204)

    def _count(self, webhook_id: str, body: bytes) -> None:
        if webhook_id in self._ids:
            self.received.repeated += 1
            return
        self._ids.append(webhook_id)
        self.received.good += 1
        kind = str(orjson.loads(body)["type"])
        self.received.by_type[kind] = self.received.by_type.get(kind, 0) + 1
        if kind == "dialer.response.recorded":
            self.heard_response.set()
