"""The HTTP client of the command line: a stored sign-in, refreshed as needed, and problems told as sentences.

A command is an async function that `with_client` runs:

    @click.command("show")
    @click.argument("contact_id")
    @with_client
    async def show(client: GalwClient, contact_id: str) -> None:
        contact = await client.get(f"/api/crm/contacts/{contact_id}")

Whatever goes wrong ends the command with one of the exit codes below and says what to do next.
"""

import asyncio
import functools
import os
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import IO, Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

import aiohttp
import click
import orjson

from services.cli.output import plain
from services.cli.stored_sign_in import SignIn, SignInFile
from services.runtime.clock import Clock, SystemClock

P = ParamSpec("P")

DEFAULT_URL = "http://127.0.0.1:8080"
# Refreshed so long before its end, an access token lasts for the upload of a large file's first bytes.
_REFRESH_BEFORE = timedelta(seconds=60)
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_connect=5, sock_read=120)


class Exit(IntEnum):
    """What the exit code of a command says; 2 is click's own, for wrong usage."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    FORBIDDEN = 4
    NOT_FOUND = 5
    CONFLICT = 6
    REFUSED = 7
    UNAVAILABLE = 8


_BY_STATUS = {
    400: Exit.REFUSED, 401: Exit.NOT_SIGNED_IN, 403: Exit.FORBIDDEN, 404: Exit.NOT_FOUND, 409: Exit.CONFLICT,
    412: Exit.CONFLICT, 413: Exit.REFUSED, 415: Exit.REFUSED, 422: Exit.REFUSED, 428: Exit.CONFLICT,
    429: Exit.UNAVAILABLE, 502: Exit.UNAVAILABLE, 503: Exit.UNAVAILABLE, 504: Exit.UNAVAILABLE,
}  # fmt: skip


# Where ids are listed, by the first part of the path that was asked for; the innermost first.
_LISTED_BY = (
    ("/deliveries/", "galw partners deliveries list ENDPOINT"),
    ("/api/notifier/endpoints/", "galw partners endpoints list PARTNER"),
    ("/api/notifier/partners/", "galw partners list"),
    ("/api/dialer/campaigns/", "galw campaigns list"),
    ("/api/dialer/operators/", "galw operators list"),
    ("/api/dialer/pools/", "galw pools list"),
    ("/api/dialer/packs/", "galw packs list"),
    ("/api/crm/contacts/", "galw contacts list"),
    ("/api/identity/accounts/", "galw accounts list"),
)


class CommandError(click.ClickException):
    """Ends a command: a sentence for the person, an exit code for the script, the problem as it came for `--json`."""

    def __init__(self, message: str, code: Exit = Exit.FAILED, *, problem: Mapping[str, Any] | None = None) -> None:
        """End with *code*."""
        super().__init__(plain(message))
        # Click declares it on the class and reads it from the instance.
        self.exit_code = int(code)  # pyright: ignore[reportAttributeAccessIssue]
        self.problem = problem
        # Asked now: when the error is shown, the command's context is gone.
        context = click.get_current_context(silent=True)
        self._as_json = context is not None and bool(context.params.get("as_json"))

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it on standard error: as the problem document where the command was asked for JSON, else in words."""
        if not self._as_json:
            super().show(file)
            return
        problem = self.problem if self.problem is not None else {"detail": self.message}
        click.echo(orjson.dumps(problem), file=file, err=file is None)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Galw: its JSON, if any, and what the headers say."""

    body: Any
    status: int
    etag: str | None
    location: str | None


class GalwClient:
    """Speaks to one Galw as one person; made by `open_client`."""

    def __init__(self, url: str, session: aiohttp.ClientSession, file: SignInFile, clock: Clock) -> None:
        """Signed in as *file* says, if it says so for *url*."""
        self.url = url
        self._session = session
        self._file = file
        self._clock = clock

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON at *path*."""
        return (await self.request("GET", path, params=params)).body

    async def post(self, path: str, body: object = None, *, idempotency_key: str | None = None) -> Any:
        """Send *body* and return the JSON of the answer."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return (await self.request("POST", path, body=body, headers=headers)).body

    async def patch(self, path: str, body: object, *, etag: str) -> Any:
        """Edit the version *etag* of what is at *path* and return it."""
        return (await self.request("PATCH", path, body=body, headers={"If-Match": etag})).body

    async def pages(self, path: str, params: Mapping[str, Any] | None = None) -> AsyncGenerator[Any]:
        """Yield every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, {**(params or {}), **cursor})
            for item in page["items"]:
                yield item
            if page.get("next_cursor") is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def some(self, path: str, limit: int, params: Mapping[str, Any] | None = None) -> AsyncGenerator[Any]:
        """Yield at most *limit* items of a list."""
        left = limit
        async for item in self.pages(path, {**(params or {}), "limit": min(limit, 200)}):
            yield item
            left -= 1
            if not left:
                return

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to one request with a JSON *body*; raise `CommandError` for every other outcome."""
        data = None if body is None else orjson.dumps(body)
        kind = {"Content-Type": "application/json"} if data is not None else {}
        async with self._answered(method, path, params, data, {**kind, **(headers or {})}) as answer:
            raw = await answer.read()
            json = orjson.loads(raw) if raw and answer.content_type == "application/json" else None
            return Answer(json, answer.status, answer.headers.get("ETag"), answer.headers.get("Location"))

    async def upload(
        self, path: str, chunks: AsyncIterable[bytes], content_type: str, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Send a file as it is read and return the JSON of the answer."""
        async with self._answered("POST", path, params, chunks, {"Content-Type": content_type}) as answer:
            return orjson.loads(await answer.read() or b"null")

    async def download(self, path: str, params: Mapping[str, Any] | None = None) -> AsyncGenerator[bytes]:
        """Yield a file as it comes."""
        async with self._answered("GET", path, params, None, {}) as answer:
            async for chunk in answer.content.iter_chunked(64 * 1024):
                yield chunk

    async def sign_in(self, email: str, password: str) -> SignIn:
        """Sign in and remember it."""
        body = {"email": email, "password": password}
        return self._remember(email, await self._anonymous("/api/identity/sign-in", body))

    async def sign_out(self) -> bool:
        """End the session and forget it; return whether there was one."""
        sign_in = self._file.load(self.url)
        if sign_in is None:
            return False
        self._file.forget(self.url)  # first: whatever the server says, this machine is signed out
        await self._anonymous("/api/identity/sign-out", {"refresh_token": sign_in.refresh_token})
        return True

    @asynccontextmanager
    async def _answered(
        self, method: str, path: str, params: Mapping[str, Any] | None, data: Any, headers: Mapping[str, str]
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        query = {key: _text(value) for key, value in (params or {}).items() if value is not None}
        token = await self._token()
        # A refused token is refreshed once; a file that was sent cannot be sent again.
        for may_repeat in (data is None or isinstance(data, bytes), False):
            signed = {**headers, "Authorization": f"Bearer {token}"}
            with _outages(self.url):
                async with self._session.request(
                    method, self.url + path, params=query, data=data, headers=signed, allow_redirects=False
                ) as answer:
                    if answer.status != 401 or not may_repeat:
                        if answer.status >= 300:
                            raise await _problem(answer)
                        yield answer
                        return
            token = await self._token(refused=token)

    async def _token(self, *, refused: str | None = None) -> str:
        sign_in = self._file.load(self.url)
        if sign_in is None:
            raise CommandError(f"You are not signed in at {self.url}. Run: galw sign-in", Exit.NOT_SIGNED_IN)
        if sign_in.access_token == refused or sign_in.expires_at - self._clock.now() < _REFRESH_BEFORE:
            body = {"refresh_token": sign_in.refresh_token}
            sign_in = self._remember(sign_in.email, await self._anonymous("/api/identity/refresh", body))
        return sign_in.access_token

    def _remember(self, email: str, tokens: Mapping[str, Any]) -> SignIn:
        expires_at = self._clock.now() + timedelta(seconds=tokens["expires_in"])
        sign_in = SignIn(email, tokens["access_token"], tokens["refresh_token"], expires_at)
        self._file.save(self.url, sign_in)
        return sign_in

    async def _anonymous(self, path: str, body: Mapping[str, Any]) -> Any:
        with _outages(self.url):
            async with self._session.post(self.url + path, json=body, allow_redirects=False) as answer:
                if answer.status >= 300:
                    raise await _problem(answer)
                return orjson.loads(await answer.read() or b"null")


class _outages:  # noqa: N801 - used like a function
    """Turn what the network does into a sentence."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, aiohttp.ClientError | TimeoutError | ValueError):
            message = (
                f"No Galw answers at {self._url} ({type(error).__name__}). Start it with `make run`, or set GALW_URL."
            )
            raise CommandError(message, Exit.UNAVAILABLE) from error


async def _problem(answer: aiohttp.ClientResponse) -> CommandError:
    code = _BY_STATUS.get(answer.status, Exit.FAILED)
    try:
        problem = orjson.loads(await answer.read())
        lines = [problem["detail"], *(f"  {one['field']}: {one['problem']}" for one in problem.get("fields", ()))]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return CommandError(f"{answer.url} answered {answer.status} {answer.reason or ''}: is this Galw?", code)
    if answer.status == 401:
        lines.append("Run: galw sign-in")
    if answer.status == 403:
        lines.append("Ask an administrator, or sign in as somebody who may: galw sign-in")
    if answer.status == 404:
        lines += [f"See: {see}" for part, see in _LISTED_BY if part in answer.url.path][:1]
    return CommandError("\n".join(lines), code, problem=problem)


def _text(value: object) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return [_text(one) for one in value] if isinstance(value, list | tuple) else str(value)


def chosen_url() -> str:
    """Return the address of Galw: GALW_URL, else the standalone default; raise `CommandError` for no http address."""
    url = os.environ.get("GALW_URL", DEFAULT_URL).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise CommandError(f"GALW_URL is {url!r}; expected an address such as {DEFAULT_URL}", Exit.USAGE)
    return url


@asynccontextmanager
async def open_client(clock: Clock | None = None) -> AsyncGenerator[GalwClient]:
    """Yield a client for GALW_URL with the stored sign-in."""
    url = chosen_url()
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
        yield GalwClient(url, session, SignInFile.default(), clock or SystemClock())


def with_client(command: Callable[Concatenate[GalwClient, P], Awaitable[None]]) -> Callable[P, None]:
    """Run the async *command* with a client as its first argument."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            async with open_client() as client:
                await command(client, *args, **kwargs)

        asyncio.run(main())

    return run
