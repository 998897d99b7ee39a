"""One person signed in to Galw over HTTP: tokens are refreshed in time, and a service that restarts is waited for."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
import orjson

from services.runtime.errors import ConflictError, GalwError, NotFoundError, UnavailableError
from services.runtime.identity.routes import PREFIX

_REFRESH_BEFORE_S = 60.0
_PAUSE_S = 1.0
_AWAY = frozenset((429, 502, 503, 504))


class AnswerError(GalwError):
    """Galw refused a request; the message is the problem's own."""

    code = "refused"


class SignedIn:
    """Requests as one account. Whoever uses it bounds how long it waits for a Galw that is away."""

    def __init__(self, session: aiohttp.ClientSession, url: str, email: str, password: str) -> None:
        """Sign in with the first request; the *session* belongs to the caller."""
        self.url = url
        self._session = session
        self._credentials = {"email": email, "password": password}
        self._token = ""
        self._good_until_s = 0.0

    async def get(self, path: str, **params: str) -> Any:
        """Return the JSON at *path*."""
        return await self.request("GET", path, params=params)

    async def find(self, path: str, **wanted: object) -> Any:
        """Return the first item of the list at *path* with these values, None when there is none."""
        async for item in self.pages(path):
            if all(item[name] == value for name, value in wanted.items()):
                return item
        return None

    async def pages(self, path: str, **params: str) -> AsyncGenerator[Any]:
        """Yield every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, **params, **cursor)
            for item in page["items"]:
                yield item
            if page.get("next_cursor") is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the JSON of the answer, for as long as Galw is away trying again.

        Raises `NotFoundError`, `ConflictError` with the present state, `AnswerError` for every other refusal.
        """
        raw = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else None
        kind = "text/csv" if isinstance(body, bytes) else "application/json"
        own = {**(headers or {}), **({"Content-Type": kind} if raw is not None else {})}
        while True:
            try:
                signed = {"Authorization": f"Bearer {await self.token()}", **own}
                return await self._once(method, path, raw, params, signed)
            except (UnavailableError, aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(_PAUSE_S)

    async def token(self) -> str:
        """Return an access token that is good for some time."""
        if time.monotonic() > self._good_until_s - _REFRESH_BEFORE_S:
            tokens = await self._once("POST", f"{PREFIX}/sign-in", orjson.dumps(self._credentials), None, _JSON)
            self._token = tokens["access_token"]
            self._good_until_s = time.monotonic() + tokens["expires_in"]
        return self._token

    async def _once(
        self, method: str, path: str, raw: bytes | None, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Any:
        url = f"{self.url}{path}"
        async with self._session.request(method, url, params=params, data=raw, headers=headers) as answer:
            content = await answer.read()
            if answer.status < 400:
                return orjson.loads(content) if content else None
            raise _problem(answer.status, content)


_JSON = {"Content-Type": "application/json"}


def _problem(status: int, content: bytes) -> GalwError:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = {}
    problems = [f"{one['field']}: {one['problem']}" for one in body.get("fields") or ()]
    message = " ".join([str(body.get("detail") or f"HTTP {status}."), *problems])
    if status in _AWAY:
        return UnavailableError(message)
    if status == 409:
        return ConflictError(message, present=body.get("present"))
    return NotFoundError(message) if status == 404 else AnswerError(message)
