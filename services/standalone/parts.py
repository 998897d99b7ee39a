"""What the supervisor keeps alive: one interface for servers, the simulated carrier and the services."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from services.standalone.children import StandaloneError, free_port, spawn

STOP_GRACE_S = 2.0
"""Seconds that the processes of ours get to stop, so that Ctrl-C feels like one."""

_ROOM_TO_SPEAK = 1024**2


class Part(Protocol):
    """A child process that can be started again: same folder, same port, same address."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The process of the last start."""
        ...

    @property
    def stop_signal(self) -> signal.Signals:
        """How it is asked to stop in good order."""
        ...

    @property
    def stop_grace_s(self) -> float:
        """How long that may take before it is killed."""
        ...

    def start(self) -> None:
        """Start it and return at once."""
        ...

    def ready(self) -> bool:
        """Tell whether it takes connections; raises `StandaloneError` when it has given up."""
        ...


class Service:
    """A process of ours that listens on the port it is given."""

    stop_signal = signal.SIGTERM
    stop_grace_s = STOP_GRACE_S

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], folder: Path, port: int, *, nice: int = 0
    ) -> None:
        """Prepare a service that logs to *folder*; it learns its *port* as `GALW_HTTP_PORT`. *nice*: see `spawn`."""
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        self._argv = argv
        self._nice = nice
        self._env = {**env, "GALW_HTTP_HOST": "127.0.0.1", "GALW_HTTP_PORT": str(port)}
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The process of the last start."""
        assert self._child is not None, "start() comes first"
        return self._child

    def start(self) -> None:
        """Start it; what it prints goes to the terminal, what it logs to its file."""
        with _appended(self.log) as log:
            self._child = spawn(self._argv, env=self._env, log=log, nice=self._nice)

    def ready(self) -> bool:
        """Tell whether it listens."""
        if self.child.poll() is not None:
            raise StandaloneError(f"The {self.name} ended at its start: {last_line(self.log)} (see {self.log}).")
        return listens(self.port)


class Carrier:
    """The simulated carrier: keeps its ledger in the data folder and its port over restarts."""

    name = "carrier"
    stop_signal = signal.SIGTERM
    stop_grace_s = STOP_GRACE_S

    def __init__(self, folder: Path, logs: Path, argv: Sequence[str]) -> None:
        """Prepare a carrier with its ledger in *folder*; port and ledger are appended to *argv*."""
        self._folder = folder
        self._port = free_port()
        self._argv = argv
        self._child: subprocess.Popen[bytes] | None = None
        self.log = logs / "carrier.log"

    @property
    def url(self) -> str:
        """The address for the dialer."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The process of the last start."""
        assert self._child is not None, "start() comes first"
        return self._child

    def start(self) -> None:
        """Start it; it says on standard output, in one line of JSON, when it listens."""
        self._folder.mkdir(exist_ok=True)
        options = ["--port", str(self._port), "--ledger", str(self._folder / "ledger.jsonl")]
        with _appended(self.log) as log, self._said.open("wb") as said:
            self._child = spawn([*self._argv, *options], env=dict(os.environ), output=said, log=log)

    def ready(self) -> bool:
        """Tell whether it has said that it listens."""
        if self.child.poll() is not None:
            raise StandaloneError(f"The carrier ended at its start: {last_line(self.log)} (see {self.log}).")
        line, end, _ = self._said.read_text().partition("\n")
        return bool(end) and json.loads(line)["port"] == self._port

    @property
    def _said(self) -> Path:
        return self._folder / "said"


def listens(port: int) -> bool:
    """Tell whether somebody takes connections on 127.0.0.1:*port*."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def last_line(log: Path, room_bytes: int = _ROOM_TO_SPEAK) -> str:
    """Return the last thing said in *log*, shortened to one readable line; on a full disk, that it is full.

    Less than *room_bytes* free is full: what ended for want of room had none to say so.
    """
    if shutil.disk_usage(log.parent).free < room_bytes:
        return f"the disk of {log.parent} is full; free some space"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else "it said nothing"


def _appended(log: Path) -> IO[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    # Append mode, so that the file can be cut while the child writes to it.
    return log.open("ab")
