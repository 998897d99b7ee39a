"""Child processes that cannot outlive their parent, and what they cost.

Every process of the standalone mode is started by `spawn`, so three promises hold for all of them: the kernel ends the
child when its parent dies, however it dies; a Ctrl-C in the terminal reaches the parent only, which stops the children
in order; and a child started by root runs under an account of its own when one is given.
"""

import asyncio
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.runtime.errors import GalwError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_FIRST_PORT = 20_000
_POLL_S = 0.02
_given_ports: set[int] = set()  # by this process: a port may be given long before its server listens


class StandaloneError(GalwError):
    """The standalone mode cannot start or go on; the message says why and what to do, in one sentence."""

    code = "standalone"


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that a child runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process and its descendants use: memory (shared pages counted once) and processor time since start."""

    memory_bytes: int
    cpu_s: float


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: IO[bytes] | None = None,
    log: IO[bytes] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    nice: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a child; its standard output goes to *output*, its standard error to *log* (None: where ours go). The
    higher *nice*, the more it gives way to others where processors are scarce.

    Call it from the main thread: the kernel sends *death_signal* when the thread that started the child ends.
    """
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603 - the callers pass their own program and no shell is involved
        [str(part) for part in argv],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=log,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        process_group=0,
        preexec_fn=lambda: _begin(parent, death_signal, nice),
    )


def _begin(parent: int, death_signal: signal.Signals, nice: int) -> None:
    os.nice(nice)
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent:  # the parent died between the fork and the line above
        os._exit(1)


def run(
    argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, account: Account | None = None, feed: str = ""
) -> str:
    """Run a short program to its end, *feed* on its standard input, and return what it said on standard error."""
    done = subprocess.run(  # noqa: S603 - as in spawn
        [str(part) for part in argv],
        env=dict(env),
        cwd=cwd,
        input=feed,
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
        process_group=0,
    )
    if done.returncode != 0:
        raise StandaloneError(f"{Path(argv[0]).name} failed: {_last_line(done.stderr) or done.returncode}")
    return done.stderr


def _last_line(text: str) -> str:
    # initdb ends by saying that it removes what it made; the reason stands in the line that names an error.
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower() or "FATAL" in line), lines[-1] if lines else "")


def wait_until(ready: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Block until *ready*; for callers without an event loop. Raises when *what* takes longer than *timeout_s*."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise StandaloneError(f"{what} is not ready after {timeout_s:.0f} s.")
        time.sleep(_POLL_S)


async def exited(child: subprocess.Popen[bytes]) -> int:
    """Wait until *child* has ended and return its exit code (negative: the signal that ended it)."""
    if (code := child.poll()) is not None:
        return code
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(child.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return child.wait()


async def stop(child: subprocess.Popen[bytes], how: signal.Signals, grace_s: float) -> int:
    """Ask *child* to stop with *how*, kill it when it still runs after *grace_s*, and return its exit code."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            async with asyncio.timeout(grace_s):
                return await exited(child)
        except TimeoutError:
            child.kill()
    return await exited(child)


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on.

    It lies below the range that the kernel hands to outgoing connections: a client that retries while the server
    restarts could otherwise be given the server's own port, connect to itself and keep the server out.
    """
    for _ in range(200):
        port = random.randrange(_FIRST_PORT, _first_ephemeral_port())  # noqa: S311 - no secret
        if port in _given_ports:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given_ports.add(port)
            return port
    raise StandaloneError(f"No free TCP port between {_FIRST_PORT} and {_first_ephemeral_port()} on 127.0.0.1.")


def keep_port(port: int) -> None:
    """Never give *port* to anybody: it is meant for a server that starts later."""
    _given_ports.add(port)


def _first_ephemeral_port() -> int:
    with contextlib.suppress(OSError, ValueError):
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if first > _FIRST_PORT + 1_000:
            return first
    return 32_768


def footprint(pid: int) -> Footprint:
    """Return what the process and its descendants use; zero for one that has ended."""
    memory, ticks, pending = 0, 0, [pid]
    while pending:
        current = pending.pop()
        with contextlib.suppress(OSError):
            pending += [int(child) for child in Path(f"/proc/{current}/task/{current}/children").read_text().split()]
            ticks += sum(int(part) for part in _stat_fields(current)[11:13])
            memory += _proportional_bytes(current)
    return Footprint(memory, ticks / os.sysconf("SC_CLK_TCK"))


def _stat_fields(pid: int) -> list[str]:
    # The second field is the program's name in parentheses, which may itself hold spaces; counting starts after it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) * 1024
    except PermissionError:
        # A child under another account shows only its resident size to us.
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
