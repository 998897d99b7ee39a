"""The only place that calls other people's APIs: partners' webhooks, and the ways messages go out."""

import asyncio
import errno
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.notifier.domain.addresses import AddressPolicy
from services.notifier.domain.messages import Message
from services.notifier.domain.retries import AttemptResult, Failure, parse_retry_after
from services.notifier.domain.templates import Rendered
from services.notifier.ports import Answer, NotSent, Sent
from services.runtime.clock import Clock

KEPT_BODY = 16 * 1024
"""Bytes of a response that are read and kept; the rest is cut off by closing the connection."""

KEPT_HEADERS = 30
KEPT_HEADER_VALUE = 500
_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authenticate"})

_DNS_THREADS = 16
"""Names looked up at once. They are threads of our own: a partner's dead name server must not block anybody else's."""

_KEEP_ALIVE_S = 60.0
"""A handshake costs nine times the request, so connections are kept for the next event."""


class RefusedAddressError(OSError):
    """A name resolved to an address that webhooks must not go to."""

    def __init__(self) -> None:
        """Say the same for every address, so that several refusals are reported as one."""
        super().__init__(errno.EACCES, "the address is not on the public internet")


class SystemResolver(AbstractResolver):
    """The system's resolver in a pool of its own."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._threads = ThreadPoolExecutor(_DNS_THREADS, thread_name_prefix="webhook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return every address of *host*; `OSError` when there is none."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=one, proto=proto, flags=flags)
            for one, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class WebhookPoster:
    """POSTs to partners, over HTTPS to the internet, and over plain HTTP only into networks that are allowed.

    The policy is asked in the last place where an address can be seen, when the socket is made: names that resolve
    differently the second time, literals in any spelling and mapped addresses all pass there. It works as an
    asynchronous context manager.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        clock: Clock,
        *,
        timeout_s: float,
        ssl: SSLContext | bool = True,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Wait *timeout_s* for a whole answer; *ssl* and *resolver* replace the system's certificates and names."""
        self._policy = policy
        self._clock = clock
        self._timeout_s = timeout_s
        self._ssl = ssl
        self._resolver = resolver or SystemResolver()
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        """Open the sessions."""
        self._sessions = {scheme: self._session(plain=scheme == "http") for scheme in ("https", "http")}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        await self._resolver.close()

    def _session(self, *, plain: bool) -> aiohttp.ClientSession:
        def guarded(address: tuple[Any, ...]) -> socket.socket:
            family, kind, proto, _, sockaddr = address
            if self._policy.refuses(str(sockaddr[0]), plain=plain):
                raise RefusedAddressError
            return socket.socket(family, kind, proto)

        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            socket_factory=guarded,
            limit=0,  # bounded by the deliveries in hand; waiting here would count against the partner's time
            keepalive_timeout=_KEEP_ALIVE_S,
            ssl=self._ssl,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # a cookie of one partner must not reach another
            trust_env=False,
            auto_decompress=False,  # 16 KiB of gzip can be 16 MiB of text
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )

    async def post(self, url: str, headers: dict[str, str], payload: bytes) -> Answer:
        """Return what came of it within the time limit; no failure is raised."""
        try:
            session = self._sessions[url.partition(":")[0].lower()]
            async with session.post(url, data=payload, headers=headers, allow_redirects=False) as response:
                return await self._answer(response)
        except TimeoutError:
            return _failed(Failure.TIMEOUT, f"No answer within {self._timeout_s:g} seconds.")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, RefusedAddressError):
                return _failed(Failure.REFUSED_ADDRESS, "The address is not on the public internet.")
            return _failed(Failure.CONNECTION, _sentence(error.os_error))
        except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
            return _failed(Failure.CONNECTION, _sentence(error))

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        hint = parse_retry_after(response.headers.get("retry-after"), self._clock.now())
        result = AttemptResult(status=response.status, retry_after=hint)
        detail = ""
        body = b""
        try:
            while len(body) < KEPT_BODY and (chunk := await response.content.read(KEPT_BODY - len(body))):
                body += chunk
        except (TimeoutError, aiohttp.ClientError, OSError):
            # The status is the answer: a body that never ends does not undo a 200.
            detail = "The body of the answer was cut off."
        if not response.content.at_eof():
            response.close()
        return Answer(result, detail, _kept(response.headers), body)


def _failed(failure: Failure, detail: str) -> Answer:
    return Answer(AttemptResult(failure=failure), detail)


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    shown = [(name.lower(), value) for name, value in headers.items() if name.lower() not in _SECRET_HEADERS]
    return {name: value[:KEPT_HEADER_VALUE].replace("\0", "") for name, value in shown[:KEPT_HEADERS]}


class OutboxGateway:
    """Sends nothing: the message stands in the outbox, where people see it. For installations without a provider."""

    async def send(self, message: Message, rendered: Rendered) -> Sent | NotSent:
        """Count the message as delivered, for whoever looks at the outbox has it before them."""
        return Sent(delivered=True)


class OpenGate:
    """Lets every message go at once; rule packs with quiet hours take its place behind the same port."""

    def decide(self, message: Message, now: object) -> None:
        """Never wait."""
