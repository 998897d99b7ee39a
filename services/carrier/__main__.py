"""Run the simulated carrier: `python -m services.carrier --port 0 --seed 7 --ledger rings.jsonl`.

It prints one JSON line with the port when it takes connections and stops on SIGTERM or SIGINT. Exit codes: 0 stopped,
1 the ledger failed, 2 the arguments, profile, port or ledger cannot be used.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import orjson
import structlog
import uvloop
from aiohttp import web

from services.carrier.api import Api
from services.carrier.ledger import Ledger, LedgerError
from services.carrier.people import People
from services.carrier.profile import load_profile
from services.carrier.switch import LedgerLine, Switch
from services.runtime.clock import SystemClock
from services.runtime.errors import GalwError, UnavailableError
from services.runtime.heap import settle_heap

_log = structlog.get_logger()


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m services.carrier", description="A simulated carrier that speaks ARI.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; anybody who reaches it may dial")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--seed", type=int, default=7, help="decides what every person does")
    parser.add_argument("--ledger", type=Path, required=True, help="file of JSON lines; appended to")
    parser.add_argument("--fsync", action="store_true", help="survive a crash of the machine, too; slow")
    parser.add_argument("--profile", default="everyday", help="everyday, benchmark, eager, or a TOML or JSON file")
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than life people are")
    arguments = parser.parse_args(argv)
    if not 0.001 <= arguments.speed <= 10_000:
        parser.error("--speed: expected 0.001 to 10000")
    if not 0 <= arguments.port <= 65_535:
        parser.error("--port: expected 0 to 65535")
    return arguments


async def _serve(arguments: argparse.Namespace, ledger: Ledger) -> int:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    failures: list[LedgerError] = []

    def record(line: LedgerLine) -> None:
        try:
            ledger.append(line)
        except LedgerError as error:
            # Nothing may ring that the ledger does not know: the raise keeps this call from ringing, the stop the next.
            failures.append(error)
            stopped.set()
            raise

    clock = SystemClock()
    people = People(arguments.seed, load_profile(arguments.profile).odds_of)
    for number in ledger.resume(clock.now()):
        people.remember_ring(number)
    switch = Switch(loop, clock.now, people, record, speed=arguments.speed, seed=arguments.seed)
    description = {"seed": arguments.seed, "speed": arguments.speed, "profile": arguments.profile}
    api = Api(switch, ledger, clock.now, description)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.ServerRunner(web.Server(api.handle, access_log=None), shutdown_timeout=0.2)
    await runner.setup()
    try:
        await _listen(runner, arguments.host, arguments.port)
        settle_heap()
        await stopped.wait()
    finally:
        api.close()
        await runner.cleanup()
    for failure in failures[:1]:
        _log.error("carrier.stopped", reason=failure.message)
    return 1 if failures else 0


async def _listen(runner: web.ServerRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        raise UnavailableError(f"Cannot listen on {host}:{port} ({error.strerror}); choose another --port.") from error
    address = runner.addresses[0]
    sys.stdout.write(orjson.dumps({"port": address[1]}).decode() + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Run until a signal and return the exit code."""
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    arguments = _parse_arguments(sys.argv[1:] if argv is None else argv)
    try:
        ledger = Ledger(arguments.ledger, fsync=arguments.fsync)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_serve(arguments, ledger))
        finally:
            ledger.close()
    except GalwError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
