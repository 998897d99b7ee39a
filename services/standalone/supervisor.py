"""Keeps the parts alive: starts them in order, restarts what ends with growing pauses, stops them in reverse.

The parts depend on each other only by address, and addresses stay, so a restart of one asks nothing of the others.
"""

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.standalone.children import Footprint, StandaloneError, exited, footprint, stop
from services.standalone.parts import Part

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0  # a part that ran this long is forgiven its failures before
_POLL_S = 0.02
_LOG_BOUND_BYTES = 20 * 1024**2


def next_pause_s(failures: int, chance: float) -> float:
    """Return how long to wait before the next start, after *failures* in a row (from 1); *chance* lies in [0, 1).

    The pause doubles up to half a minute and is then shortened by up to half, so that parts that failed together do
    not start together.
    """
    longest = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 16), _LONGEST_PAUSE_S)
    return longest * (1 - chance / 2)


@dataclass(slots=True)
class _Kept:
    part: Part
    restarts: int = 0
    started_s: float = 0.0
    has_child: bool = False
    planned: bool = False  # the next end is wanted: no pause, no failure, no word about it
    is_up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class PartStatus:
    """How one part does."""

    name: str
    pid: int
    up: bool
    restarts: int
    up_s: float
    footprint: Footprint


class Supervisor:
    """Owns the parts from `start` to `stop`; `keep` is the loop between."""

    def __init__(self, *, say: Callable[[str], None], first_start_s: float = 60.0) -> None:
        """Keep nothing yet; *say* hears one sentence for each thing a person should know.

        Parts get *first_start_s* for their first start; after that they are given all the time they need.
        """
        self._say = say
        self._first_start_s = first_start_s
        self._layers: list[list[_Kept]] = []

    async def start(self, *parts: Part) -> None:
        """Start *parts* together, wait until all take connections, and keep them from then on.

        Raises `StandaloneError` when one gives up; those that run are stopped by `stop` all the same.
        """
        layer = [_Kept(part) for part in parts]
        self._layers.append(layer)
        for kept in layer:
            self._start(kept)
        with _one_error():
            async with asyncio.TaskGroup() as group:
                for kept in layer:
                    group.create_task(self._first_ready(kept))

    async def keep(self) -> None:
        """Restart whatever ends, for ever."""
        async with asyncio.TaskGroup() as group:
            for kept in self._all():
                group.create_task(self._keep(kept))

    async def recycle(self, name: str) -> None:
        """Restart one part, planned, and return when it takes connections again; one that is down is waited for."""
        kept = next(kept for kept in self._all() if kept.part.name == name)
        if kept.is_up.is_set():
            kept.is_up.clear()
            kept.planned = True
            kept.part.child.send_signal(kept.part.stop_signal)
        await kept.is_up.wait()

    async def stop(self) -> None:
        """Stop the parts by their own manner: those started last first, those started together at once."""
        for layer in reversed(self._layers):
            async with asyncio.TaskGroup() as group:
                for kept in layer:
                    if kept.has_child:
                        part = kept.part
                        group.create_task(stop(part.child, part.stop_signal, part.stop_grace_s))

    def kill(self) -> None:
        """End all parts at once, for whoever is in a hurry."""
        for kept in self._all():
            if kept.has_child:
                kept.part.child.kill()

    def status(self, name: str | None = None) -> Sequence[PartStatus]:
        """Return how every part does now, or only the one of a name."""
        now = time.monotonic()
        return [
            PartStatus(
                name=kept.part.name,
                pid=kept.part.child.pid,
                up=kept.is_up.is_set(),
                restarts=kept.restarts,
                up_s=now - kept.started_s if kept.is_up.is_set() else 0.0,
                footprint=footprint(kept.part.child.pid),
            )
            for kept in self._all()
            if kept.has_child and name in (None, kept.part.name)
        ]

    def _all(self) -> list[_Kept]:
        return [kept for layer in self._layers for kept in layer]

    def _start(self, kept: _Kept) -> None:
        kept.started_s = time.monotonic()
        kept.part.start()
        kept.has_child = True

    async def _first_ready(self, kept: _Kept) -> None:
        try:
            async with asyncio.timeout(self._first_start_s):
                await self._ready(kept)
        except TimeoutError as error:
            within = f"{self._first_start_s:.0f} s"
            raise StandaloneError(f"The {kept.part.name} takes no connections after {within}.") from error

    async def _ready(self, kept: _Kept) -> None:
        while not kept.part.ready():  # noqa: ASYNC110 - another process cannot set our events
            await asyncio.sleep(_POLL_S)
        kept.is_up.set()

    async def _keep(self, kept: _Kept) -> None:
        failures = 0
        while True:
            code = await exited(kept.part.child)
            kept.is_up.clear()
            if kept.planned:
                kept.planned = False
            else:
                kept.restarts += 1
                failures = 1 if time.monotonic() - kept.started_s > _STEADY_S else failures + 1
                pause_s = next_pause_s(failures, random.random())  # noqa: S311 - no secret
                self._say(f"{kept.part.name}: {_ending(code)}; starting again in {pause_s:.1f} s.")
                await asyncio.sleep(pause_s)
            await self._start_again(kept)

    async def _start_again(self, kept: _Kept) -> None:
        try:
            self._start(kept)
            await self._ready(kept)
        except (StandaloneError, OSError) as error:
            # It has ended again, or could not even be started; the loop goes on with a longer pause.
            self._say(str(error))


def _ending(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


@contextmanager
def _one_error() -> Generator[None]:
    """Raise the first `StandaloneError` of a group by itself: people read one sentence at a time."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = group.subgroup(StandaloneError)
        if found is None:
            raise
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        raise found from None


async def run_log_bound(folder: Path, every_s: float = 30.0) -> None:
    """Keep every log one level below *folder* near 20 MB at most, for ever; what was there moves to `.1`."""
    while True:
        await asyncio.to_thread(bound_logs, folder)
        await asyncio.sleep(every_s)


def bound_logs(folder: Path, bound_bytes: int = _LOG_BOUND_BYTES) -> None:
    """Move what is in each log over *bound_bytes*, one level below *folder*, to a file beside it."""
    for log in folder.glob("*/*.log"):
        if log.stat().st_size > bound_bytes:
            # Copy and cut: the child holds the file open, in append mode, and knows nothing of this.
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)
