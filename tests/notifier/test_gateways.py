"""The sender against real servers: every fault becomes an answer, and nothing internal is ever dialed."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.notifier.domain.addresses import AddressPolicy
from services.notifier.domain.retries import Failure
from services.notifier.gateways import KEPT_BODY, WebhookPoster
from services.notifier.ports import Answer
from services.runtime.clock import SystemClock
from tests.notifier.receivers import body_of, receiving, reset, slow, status

LOOPBACK = AddressPolicy(["127.0.0.0/8"])
CLOSED = AddressPolicy()
PAYLOAD = '{"type":"x","ŵ":1 }'.encode()


class Names(AbstractResolver):
    """A name server that answers what a test says."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        return


@asynccontextmanager
async def posting(
    policy: AddressPolicy = LOOPBACK,
    *,
    timeout_s: float = 5.0,
    context: ssl.SSLContext | bool = True,
    names: Names | None = None,
) -> AsyncGenerator[Callable[[str], "asyncio.Future[Answer] | asyncio.Task[Answer]"]]:
    poster = WebhookPoster(policy, SystemClock(), timeout_s=timeout_s, ssl=context, resolver=names)
    async with poster, asyncio.TaskGroup() as group:
        yield lambda url: group.create_task(poster.post(url, {"webhook-id": "1"}, PAYLOAD))


async def test_the_bytes_arrive_as_they_were_given() -> None:
    async with receiving() as partner, posting() as post:
        answer = await post(partner.url)
        assert answer.result.status == 200
        assert answer.body == b"thanks"
        assert partner.got[0].body == PAYLOAD
        assert partner.got[0].headers["webhook-id"] == "1"


@pytest.mark.parametrize("code", [204, 400, 404, 410, 500, 503])
async def test_a_status_is_passed_on(code: int) -> None:
    async with receiving(status(code)) as partner, posting() as post:
        assert (await post(partner.url)).result.status == code


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(code: int) -> None:
    async with receiving() as other:
        async with receiving(status(code, Location=other.url)) as partner, posting() as post:
            answer = await post(partner.url)
        assert answer.result.status == code
        assert not answer.result.delivered
        assert other.got == []


async def test_retry_after_is_heard() -> None:
    async with receiving(status(429, Retry_After="120")) as partner, posting() as post:
        assert (await post(partner.url)).result.retry_after == timedelta(seconds=120)


async def test_a_slow_partner_is_given_up_in_time() -> None:
    async with receiving(slow(5)) as partner, posting(timeout_s=0.2) as post:
        assert (await post(partner.url)).result.failure is Failure.TIMEOUT


async def test_a_cut_connection_is_a_failure() -> None:
    async with receiving(reset) as partner, posting() as post:
        assert (await post(partner.url)).result.failure is Failure.CONNECTION


async def test_nobody_listening_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with posting() as post:
        assert (await post(f"http://127.0.0.1:{port}/")).result.failure is Failure.CONNECTION


async def test_a_server_that_speaks_no_http_is_a_failure() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server, posting() as post:
        port = server.sockets[0].getsockname()[1]
        assert (await post(f"http://127.0.0.1:{port}/")).result.failure is Failure.CONNECTION


async def test_of_a_huge_body_16_kib_are_kept() -> None:
    async with receiving(body_of(50_000_000)) as partner, posting() as post:
        answer = await post(partner.url)
        assert answer.result.delivered
        assert len(answer.body) == KEPT_BODY


async def test_a_body_that_never_ends_does_not_undo_the_200() -> None:
    async with receiving(body_of(10_000_000, pause_s=0.05)) as partner, posting(timeout_s=0.3) as post:
        answer = await post(partner.url)
        assert answer.result.delivered
        assert 0 < len(answer.body) <= KEPT_BODY


async def test_a_compressed_bomb_stays_compressed() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)

    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with receiving(behave) as partner, posting() as post:
        assert (await post(partner.url)).body == bomb[:KEPT_BODY]


async def test_no_cookie_is_kept_and_none_is_logged() -> None:
    async with receiving(status(200, Set_Cookie="session=secret")) as partner, posting() as post:
        answer = await post(partner.url)
        await post(partner.url)
        assert "cookie" not in partner.got[1].headers
        assert "set-cookie" not in answer.headers


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as partner, posting() as post:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert (await post(partner.url)).result.delivered
        assert proxy.got == []


LITERALS = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1", "0177.0.0.1"]


@pytest.mark.parametrize("host", LITERALS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_of_loopback_is_dialed(host: str, scheme: str) -> None:
    async with receiving() as partner, posting(CLOSED) as post:
        port = partner.url.split(":")[2].split("/")[0]
        answer = await post(f"{scheme}://{host}:{port}/hook")
        assert answer.result.status is None
        assert answer.result.failure in (Failure.REFUSED_ADDRESS, Failure.CONNECTION)
        assert partner.got == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["::1"]]
)
async def test_a_name_that_leads_inside_is_refused_at_dialing(scheme: str, addresses: list[str]) -> None:
    async with receiving() as partner, posting(CLOSED, names=Names(*addresses)) as post:
        port = partner.url.split(":")[2].split("/")[0]
        answer = await post(f"{scheme}://partner.example:{port}/hook")
        assert answer.result.failure is Failure.REFUSED_ADDRESS
        assert partner.got == []


async def test_a_name_that_leads_elsewhere_the_second_time_is_refused_then() -> None:
    names = Names("127.0.0.1")
    async with receiving() as partner, posting(AddressPolicy(["127.0.0.1/32"]), names=names) as post:
        url = partner.url.replace("127.0.0.1", "partner.example")
        assert (await post(url)).result.delivered
    async with receiving() as other, posting(AddressPolicy(["127.0.0.1/32"]), names=Names("127.0.0.2")) as post:
        assert (await post(other.url.replace("127.0.0.1", "partner.example"))).result.failure is (
            Failure.REFUSED_ADDRESS
        )


def own_certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and the client's context of a certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a partner")])
    now = datetime.now(UTC)  # noqa: TID251 - certificates are judged by the host's clock
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "partner.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=str(path))


async def test_https_works_and_an_unknown_certificate_does_not(tmp_path: Path) -> None:
    server, client = own_certificate(tmp_path)
    async with receiving(ssl=server) as partner:
        async with posting(context=client) as post:
            assert (await post(partner.url)).result.delivered
        async with posting() as post:
            assert (await post(partner.url)).result.failure is Failure.CONNECTION
    assert len(partner.got) == 1
