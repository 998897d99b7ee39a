"""The real processes of a run, each started by itself, so that each can be killed, frozen and started again alone."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from services.standalone.broker import TansuBroker
from services.standalone.children import free_port
from services.standalone.parts import Carrier, Part, Service
from services.standalone.postgres import PostgresServer, embedded_install
from services.standalone.proxy import Route, proxy_app
from tests.peers import debian_postgres_15
from tools.kafka import KafkaBroker

HERE = "127.0.0.1"
PROFILE = {
    "times": {"setup_s": 0.3, "ring_mean_s": 3.0, "talk_median_s": 40.0, "patience_min_s": 8.0, "message_s": 2.0},
    "people": [{"answer": 0.75, "busy": 0.1, "machine": 0.05, "invalid": 0.05, "network": 0.05}],
}
SPEED = 10.0
READY_WITHIN_S = 180.0


class Cast:
    """PostgreSQL, a broker, the carrier, two dialers, the CRM and the notifier; a proxy stands before each dialer."""

    def __init__(self, folder: Path, *, broker: str, postgres: str, seed: int) -> None:
        """Prepare; `playing` starts everything. *broker* is `embedded` or `kafka`, *postgres* `embedded` or `pg15`."""
        self.folder = folder
        folder.chmod(0o711)  # Before 16, PostgreSQL comes back to its folder by the path, as `nobody`.
        logs = folder / "logs"
        install = embedded_install() if postgres == "embedded" else debian_postgres_15()
        self.postgres = PostgresServer(folder / "postgres", install, fsync=False, max_connections=200)
        self.broker: TansuBroker | KafkaBroker = (
            KafkaBroker(folder / "kafka") if broker == "kafka" else TansuBroker(folder / "broker")
        )
        profile = folder / "profile.json"
        profile.write_text(json.dumps(PROFILE))
        people = ["--seed", str(seed), "--profile", str(profile), "--speed", str(SPEED)]
        self.carrier = Carrier(folder / "carrier", logs, [sys.executable, "-m", "services.carrier", *people])
        self.services: dict[str, Service] = {}
        self.ended: Counter[str] = Counter()
        """How often each service ended by itself; those that were killed do not count."""
        self.ports = {name: free_port() for name in ("crm", "notifier", "dialer-a", "dialer-b")}
        self.doors = {name: free_port() for name in ("dialer-a", "dialer-b")}

    @property
    def ledger(self) -> Path:
        """The carrier's own ledger of rings."""
        return self.folder / "carrier" / "ledger.jsonl"

    @property
    def urls(self) -> list[str]:
        """Where people reach Galw: one address per dialer."""
        return [f"http://{HERE}:{port}" for port in self.doors.values()]

    def part(self, name: str) -> Part:
        """Return what may be killed by this name; the carrier is not among it: it is the judge."""
        servers: dict[str, Part] = {"postgres": self.postgres, "broker": _BrokerPart(self.broker)}
        return servers.get(name) or self.services[name]

    @asynccontextmanager
    async def playing(self) -> AsyncGenerator[None]:
        """Start everything, and end it with the block whatever happened."""
        async with AsyncExitStack() as stack:
            for part in (self.postgres, _BrokerPart(self.broker), self.carrier):
                part.start()
                stack.callback(_end, part)
            for part in (self.postgres, _BrokerPart(self.broker), self.carrier):
                await _until(part.ready)
            for name, port in self.ports.items():
                service = self.services[name] = self._service(name, port)
                service.start()
                stack.callback(_end, service)
            for name, door in self.doors.items():
                await stack.enter_async_context(serving(proxy_app(self._routes(name)), door))
            await self.ready()
            async with asyncio.TaskGroup() as keeping:
                keeper = keeping.create_task(self._keep())
                yield
                keeper.cancel()

    async def _keep(self) -> None:
        """Start again what ends by itself, as every orchestrator does: no service starts without its database."""
        while True:
            await asyncio.sleep(0.5)
            for name, service in self.services.items():
                code = service.child.poll()
                if code is not None and code >= 0:
                    self.ended[name] += 1
                    service.start()

    async def ready(self) -> None:
        """Return when every service says that it is ready."""
        async with asyncio.timeout(READY_WITHIN_S), ClientSession(timeout=ClientTimeout(total=5)) as session:
            for port in self.ports.values():
                while not await _says_ready(session, port):  # noqa: ASYNC110 - another process cannot set our events
                    await asyncio.sleep(0.2)

    def _service(self, name: str, port: int) -> Service:
        crm = self.ports["crm"]
        env = {
            **os.environ,
            "GALW_DATABASE_URL": self.postgres.url(),
            "GALW_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "GALW_CARRIER_URL": self.carrier.url,
            "GALW_PHONE_KEY": "a phone key for tests of at least so many characters",
            "GALW_SECRET_KEY": "a secret key for tests of at least so many characters",
            "GALW_IDENTITY_URL": f"http://{HERE}:{crm}",
            "GALW_TRUSTED_PROXIES": "1",  # the doors
            "GALW_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "GALW_WEBHOOK_TIMEOUT_S": "3",
        }
        program = [sys.executable, "-m", f"services.{name.partition('-')[0]}"]
        return Service(name, program, env, self.folder / "logs", port)

    def _routes(self, dialer: str) -> list[Route]:
        target = {name: f"http://{HERE}:{port}" for name, port in self.ports.items()}
        crm, notifier = target["crm"], target["notifier"]
        below = {"/api/dialer": target[dialer], "/api/crm": crm, "/api/identity": crm, "/api/notifier": notifier}
        return [Route("/", crm), *(Route(prefix, url) for prefix, url in below.items())]


class _BrokerPart:
    """Either broker as a `Part`."""

    name = "broker"
    stop_signal = signal.SIGKILL
    stop_grace_s = 5.0

    def __init__(self, broker: TansuBroker | KafkaBroker) -> None:
        self._broker = broker
        self.start, self.ready = broker.start, broker.ready

    @property
    def child(self) -> subprocess.Popen[bytes]:
        return self._broker.child


async def kill(part: Part, away_s: float) -> None:
    """End a part as `kill -9` does and start it again after *away_s*."""
    part.child.kill()
    await asyncio.sleep(away_s)
    part.child.wait()
    part.start()


async def freeze(part: Part, for_s: float) -> None:
    """Stop a part as a long pause of its machine would, then let it go on as if nothing had happened."""
    part.child.send_signal(signal.SIGSTOP)
    await asyncio.sleep(for_s)
    part.child.send_signal(signal.SIGCONT)


def _end(part: Part) -> None:
    if part.child.poll() is None:
        part.child.kill()
    part.child.wait()


async def _until(done: Callable[[], bool], within_s: float = READY_WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not done():  # noqa: ASYNC110 - another process cannot set our events
            await asyncio.sleep(0.05)


async def _says_ready(session: ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://{HERE}:{port}/readyz") as answer:
            return answer.status == 200
    except (ClientError, TimeoutError):
        return False


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncGenerator[None]:
    """Serve *app* for as long as the block runs."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, HERE, port).start()
        yield
    finally:
        await runner.cleanup()
