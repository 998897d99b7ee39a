"""A service as its composition root makes it, and the loop that runs one or several until they are told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from services.runtime.health import Check, Health
from services.runtime.heap import settle_heap
from services.runtime.metrics import EVENT_LOOP_LAG

_LOG = structlog.get_logger(__name__)

_LAG_S = 0.5
# The mapping of an import's columns travels in the query, and percent signs make three bytes of one.
_LONGEST_LINE_BYTES = 64 * 1024

Loop = Callable[[], Coroutine[Any, Any, None]]
"""An endless coroutine function; it ends by cancellation only, and an error in it ends the process."""


async def _nothing() -> None:
    """Close nothing."""


@dataclass(slots=True)
class Service:
    """One service, built but not yet running.

    *app* has all its routes; *loops* run until the stop, in one TaskGroup; *close* gives back pool and connections,
    last; *checks* are what readiness asks.
    """

    name: str
    app: web.Application
    loops: Sequence[Loop] = ()
    close: Callable[[], Awaitable[None]] = _nothing
    checks: Sequence[Check] = field(default_factory=tuple[Check, ...])


class Stopping:
    """Says that the process was asked to stop: not ready any more, while work in hand is finished."""

    def __init__(self) -> None:
        """Start with no wish to stop."""
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Ask for the stop; repeats change nothing."""
        self._asked.set()

    async def wait(self) -> None:
        """Return when a stop was asked for."""
        await self._asked.wait()

    async def health(self) -> Health:
        """Be ready until the stop is asked for."""
        return Health.of("process", "The service is stopping." if self._asked.is_set() else None)


async def run_service(
    services: Sequence[Service],
    *,
    app: web.Application | None = None,
    host: str,
    port: int,
    stopping: Stopping,
    stop_timeout_s: float = 10.0,
    on_listening: Callable[[str, int], None] | None = None,
) -> None:
    """Serve and run *services* until SIGINT, SIGTERM or `stopping`; a second signal ends at once.

    *app* is what listens: by default the only service's own; standalone passes one that mounts them all. An error in
    a loop stops everything and is raised as an ExceptionGroup, so that whoever started the process starts it again.
    """
    listener = app or services[0].app
    runner = web.AppRunner(
        listener, access_log=None, shutdown_timeout=stop_timeout_s / 2, max_line_size=_LONGEST_LINE_BYTES
    )
    with _signals(stopping):
        try:
            await runner.setup()
            site = web.TCPSite(runner, host, port)
            await site.start()
            bound_host, bound_port = runner.addresses[0][:2]
            _LOG.info("service.listening", host=bound_host, port=bound_port, services=[s.name for s in services])
            if on_listening is not None:
                on_listening(bound_host, bound_port)
            settle_heap()
            await _run_loops([_watch_lag, *(loop for service in services for loop in service.loops)], stopping)
        finally:
            # Intake stops first; what is in hand gets half of the time, closing the other half.
            await runner.cleanup()
            for service in services:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(stop_timeout_s / 2):
                        await service.close()
            _LOG.info("service.stopped", services=[s.name for s in services])


async def _watch_lag() -> None:
    """Measure how late the event loop is: what blocks it delays every call, heartbeat and answer."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_S
        await asyncio.sleep(_LAG_S)
        EVENT_LOOP_LAG.set(max(0.0, loop.time() - due))


async def _run_loops(loops: Sequence[Loop], stopping: Stopping) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop(), name=getattr(loop, "__qualname__", "loop")) for loop in loops]
        await stopping.wait()
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            # A library may swallow a cancellation that comes at the wrong instant, so it is asked for again.
            _, pending = await asyncio.wait(pending, timeout=1.0)


@contextlib.contextmanager
def _signals(stopping: Stopping) -> Generator[None]:
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        loop.remove_signal_handler(number)  # a second one has its default effect
        stopping.ask()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, ask, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
