"""`python -m services.standalone`: everything Galw needs, on one machine, under one command."""

import argparse
import asyncio
import os
import resource
import secrets
import signal
import socket
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from pydantic import ValidationError

from services.standalone.broker import TansuBroker
from services.standalone.children import StandaloneError, free_port, keep_port
from services.standalone.control import BrokerLimit, control_app, control_url
from services.standalone.demo.organisation import ORGANISATION
from services.standalone.folder import forget, note, opened, secret
from services.standalone.parts import STOP_GRACE_S, Carrier, Part, Service
from services.standalone.postgres import PostgresServer, embedded_install
from services.standalone.proxy import Route, proxy_app
from services.standalone.settings import StandaloneSettings
from services.standalone.supervisor import Supervisor, run_log_bound

_ADDRESS = "127.0.0.1"
_FILES = 16_384
IDENTITY_HOST = "crm"
"""The service that signs people in, where each has a process of its own."""
_ON_THE_LINE, _GIVING_WAY = "dialer", 5
"""People wait in the one service; the others get fewer turns (see nice(2)) where processors are scarce."""
_PATIENCE_S = 20.0  # after which a person is told what readiness still waits for


@dataclass(frozen=True, slots=True)
class Programs:
    """What the supervisor starts as ours, so that it can be tried with other programs.

    *together* is used with one process, *apart* with three; each part of *apart* answers below its path prefix.
    """

    together: Sequence[str] = (sys.executable, "-m", "services.standalone.services")
    apart: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {
            name: (sys.executable, "-m", f"services.{name}") for name in ("dialer", "crm", "notifier")
        }
    )
    carrier: Sequence[str] = (sys.executable, "-m", "services.carrier")
    demo: Sequence[str] = (sys.executable, "-m", "services.standalone.demo")


def routes(ports: Mapping[str, int]) -> list[Route]:
    """Return where requests go with three processes: `/api/NAME` to that service, all else to the first."""
    targets = {name: f"http://{_ADDRESS}:{port}" for name, port in ports.items()}
    below = {**{f"/api/{name}": url for name, url in targets.items()}, "/api/identity": targets[IDENTITY_HOST]}
    return [Route("/", next(iter(targets.values()))), *(Route(prefix, url) for prefix, url in below.items())]


async def run_standalone(
    settings: StandaloneSettings, programs: Programs, supervisor: Supervisor, say: Callable[[str], None]
) -> None:
    """Start everything and keep it running until cancelled; raises `StandaloneError` when something cannot start."""
    started_s = time.monotonic()
    with opened(settings.data_dir) as folder:
        _refuse_taken(settings.port)
        keep_port(settings.port)
        say(f"Galw starts on {folder}.")
        async with AsyncExitStack() as stack:
            stack.push_async_callback(supervisor.stop)
            env = await _start_peers(settings, programs, folder, supervisor)
            env["GALW_CONTROL_URL"] = await stack.enter_async_context(_control(settings, programs, supervisor))
            demo = _demo(settings, programs, folder, env)
            ports = await _start_services(settings, programs, folder, supervisor, env, stack)
            if demo is not None:
                await supervisor.start(demo)
            async with asyncio.TaskGroup() as group:
                group.create_task(supervisor.keep())
                group.create_task(run_log_bound(folder))
                await _all_ready(ports, say)
                say(f"Galw runs on {env['GALW_PUBLIC_URL']} ({time.monotonic() - started_s:.1f} s). Ctrl-C stops it.")


async def _start_peers(
    settings: StandaloneSettings, programs: Programs, folder: Path, supervisor: Supervisor
) -> dict[str, str]:
    """Start what the settings do not replace, and return the environment that tells the services where all is."""
    postgres = PostgresServer(folder / "postgres", embedded_install()) if settings.database_url is None else None
    broker = TansuBroker(folder / "broker") if settings.kafka_bootstrap is None else None
    carrier = None
    if settings.carrier_url is None:
        people = ["--seed", str(settings.carrier_seed), "--profile", settings.carrier_profile]
        people += ["--speed", str(settings.carrier_speed)]
        carrier = Carrier(folder / "carrier", folder / "logs", [*programs.carrier, *people])
    embedded: list[Part] = [part for part in (postgres, broker, carrier) if part is not None]
    await supervisor.start(*embedded)
    env = {
        **os.environ,
        "GALW_DATA_DIR": str(folder),
        "GALW_PUBLIC_URL": f"http://{_ADDRESS}:{settings.port}",
        "GALW_STOP_TIMEOUT_S": str(STOP_GRACE_S * 0.9),
    }
    env.setdefault("GALW_PHONE_KEY", secret(folder, "phone-key"))
    env.setdefault("GALW_SECRET_KEY", secret(folder, "secret-key"))
    if postgres is not None:
        env["GALW_DATABASE_URL"] = postgres.url()
        note(folder, "database-url", postgres.url())  # for `galw admin`
    if broker is not None:
        env["GALW_KAFKA_BOOTSTRAP"] = broker.bootstrap
    if carrier is not None:
        env["GALW_CARRIER_URL"] = carrier.url
    return env


async def _start_services(
    settings: StandaloneSettings,
    programs: Programs,
    folder: Path,
    supervisor: Supervisor,
    env: Mapping[str, str],
    stack: AsyncExitStack,
) -> list[int]:
    logs = folder / "logs"
    if settings.processes == 1:
        services = [Service("services", programs.together, env, logs, settings.port)]
    else:
        ports = {name: free_port() for name in programs.apart}
        # Our own proxy stands before them, and says who asks.
        env = {**env, "GALW_IDENTITY_URL": f"http://{_ADDRESS}:{ports[IDENTITY_HOST]}", "GALW_TRUSTED_PROXIES": "1"}
        services = [
            Service(name, argv, env, logs, ports[name], nice=0 if name == _ON_THE_LINE else _GIVING_WAY)
            for name, argv in programs.apart.items()
        ]
        table = routes(ports)
        await stack.enter_async_context(_serving(proxy_app(table), settings.port))
    await supervisor.start(*services)
    return [service.port for service in services]


def _demo(settings: StandaloneSettings, programs: Programs, folder: Path, env: dict[str, str]) -> Service | None:
    """Return the demo, and tell the services in *env* where it is; None when there is none."""
    # The demo makes accounts whose passwords everybody knows: only ever in a database that is the standalone's own.
    if not settings.demo or settings.database_url is not None or not programs.demo:
        return None
    port = free_port()
    env["GALW_DEMO_URL"] = control_url(port, secrets.token_urlsafe(24))
    env["GALW_DEMO_OPERATORS"] = str(settings.demo_operators)
    env.setdefault("GALW_ORGANISATION", ORGANISATION)
    env.setdefault("GALW_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8")  # where the demo's partner listens
    return Service("demo", programs.demo, env, folder / "logs", port)


@asynccontextmanager
async def _control(settings: StandaloneSettings, programs: Programs, supervisor: Supervisor) -> AsyncGenerator[str]:
    token, port = secrets.token_urlsafe(24), free_port()
    limit = None
    if settings.kafka_bootstrap is None:
        limit = BrokerLimit(TansuBroker.name, settings.broker_memory_limit_mb * 1024**2, frozenset(programs.apart))
    async with _serving(control_app(supervisor, token, os.getpid(), limit), port):
        yield control_url(port, token)


@asynccontextmanager
async def _serving(app: web.Application, port: int) -> AsyncGenerator[None]:
    # A client that leaves ends its handler, so that the proxy lets go of the service at once, too.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, _ADDRESS, port).start()
        yield
    finally:
        await runner.cleanup()


async def _all_ready(ports: Sequence[int], say: Callable[[str], None]) -> None:
    """Wait until every service says that it is ready; after a while, tell what it still waits for."""
    patient_until = time.monotonic() + _PATIENCE_S
    async with ClientSession(timeout=ClientTimeout(total=2.0)) as session:
        for port in ports:
            while (reason := await _not_ready(session, port)) is not None:
                if time.monotonic() > patient_until:
                    say(f"Still waiting: {reason}")
                    patient_until += _PATIENCE_S
                await asyncio.sleep(0.1)


async def _not_ready(session: ClientSession, port: int) -> str | None:
    try:
        async with session.get(f"http://{_ADDRESS}:{port}/readyz") as answer:
            return None if answer.status < 500 else (await answer.text())[:300]
    except (ClientError, TimeoutError) as error:
        return f"port {port} does not answer ({type(error).__name__})."


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except PermissionError as error:
            raise StandaloneError(f"Port {port} is for root only; choose another with PORT=…") from error
        except OSError as error:
            raise StandaloneError(f"Port {port} is in use by another program; choose another with PORT=…") from error


async def run_until_signalled(settings: StandaloneSettings, programs: Programs, say: Callable[[str], None]) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP, then stop in good order; a second signal ends everything at once."""
    supervisor = Supervisor(say=say)
    loop, running, asked = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
    assert running is not None

    def on_signal() -> None:
        if asked.is_set():
            supervisor.kill()
            os._exit(130)
        asked.set()
        running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    try:
        await run_standalone(settings, programs, supervisor, say)
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
        say("Galw has stopped.")


def main(arguments: Sequence[str] | None = None, programs: Programs | None = None) -> int:
    """Run the command line and return the exit code: 0 stopped, 1 could not start, 2 wrong settings."""
    parser = argparse.ArgumentParser(
        prog="galw standalone",
        description="Everything Galw needs on one machine, under one command; Ctrl-C stops it.",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--forget", metavar="FOLDER", type=Path, help="remove the data folder instead of starting")
    options = parser.parse_args(arguments)
    try:
        if options.forget is not None:
            _say(f"{options.forget} is forgotten." if forget(options.forget) else f"There is no {options.forget}.")
            return 0
        _raise_file_limit()
        uvloop.run(run_until_signalled(StandaloneSettings(), programs or Programs(), _say))
    except StandaloneError as error:
        sys.stderr.write(f"galw: {error}\n")
        return 1
    except ValidationError as error:
        for problem in error.errors():
            sys.stderr.write(f"galw: GALW_{str(problem['loc'][0]).upper()}: {problem['msg']}\n")
        return 2
    return 0


def _settings_help() -> str:
    """Return the settings with their defaults, and examples, from the settings class itself."""
    lines = ["settings, from the environment:"]
    for name, field_ in StandaloneSettings.model_fields.items():
        default = "" if field_.default is None else f" [{field_.default}]"
        lines += textwrap.wrap(
            f"GALW_{name.upper()}{default}: {field_.description}",
            width=100,
            initial_indent="  ",
            subsequent_indent="      ",
        )
    return "\n".join(
        [
            *lines,
            "",
            "examples:",
            "  galw standalone",
            "  GALW_PORT=9000 GALW_PROCESSES=3 galw standalone",
            "  GALW_DEMO=false GALW_DATA_DIR=~/galw galw standalone",
            "  galw standalone --forget .data",
        ]
    )


def _raise_file_limit() -> None:
    """Let us and our children hold a thousand operators' connections; many systems allow 1,024 files unless asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
