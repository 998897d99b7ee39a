"""A whole Galw for a benchmark: the very command behind `make run`, in a folder that is thrown away.

Beside it stand the means to look at it from outside: what each process costs, and its database, by the environment
that the supervisor gave the services.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.runtime.clock import SystemClock
from services.runtime.identity.identity import SCHEMA
from services.runtime.identity.keys import SigningKeys
from services.runtime.identity.principal import Principal, Role
from services.runtime.identity.tokens import sign_access_token
from services.runtime.ids import new_id
from services.runtime.postgres import create_pool
from services.standalone.children import Footprint, footprint, free_port

_START_S = 120.0
_NAMES = {
    "services.standalone.services": "services",
    "services.standalone.demo": "demo",
    "services.standalone": "supervisor",
    "services.dialer": "dialer",
    "services.crm": "crm",
    "services.notifier": "notifier",
    "services.carrier": "carrier",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A running Galw."""

    url: str
    pid: int
    folder: Path
    ready_s: float

    def processes(self) -> dict[str, int]:
        """Return the pid of each part by name."""
        found = {"supervisor": self.pid}
        for child in _children(self.pid):
            found[_name(child)] = child
        return found

    def costs(self) -> dict[str, Footprint]:
        """Return memory (PSS) and processor time of each part; the supervisor's own without its children."""
        parts = self.processes()
        costs = {name: footprint(pid) for name, pid in parts.items() if name != "supervisor"}
        whole = footprint(self.pid)
        costs["supervisor"] = Footprint(
            whole.memory_bytes - sum(c.memory_bytes for c in costs.values()),
            whole.cpu_s - sum(c.cpu_s for c in costs.values()),
        )
        return costs

    def environment(self, part: str) -> dict[str, str]:
        """Return the environment that the supervisor gave a part."""
        raw = Path(f"/proc/{self.processes()[part]}/environ").read_bytes()
        return dict(entry.split("=", 1) for entry in raw.decode().split("\0") if "=" in entry)

    @property
    def dialer(self) -> str:
        """The part that is the dialer."""
        return "dialer" if "dialer" in self.processes() else "services"

    def own_url(self, part: str) -> str:
        """Return the address of a part itself, without the proxy in front."""
        return f"http://127.0.0.1:{self.environment(part)['GALW_HTTP_PORT']}"

    @property
    def database_url(self) -> str:
        """The address of the embedded PostgreSQL."""
        return self.environment(self.dialer)["GALW_DATABASE_URL"]


@contextmanager
def running(**settings: object) -> Generator[Stack]:
    """Start Galw with `GALW_<SETTING>` for each of *settings*, yield it when it is ready, and end it."""
    folder = Path(settings.pop("data_dir", None) or tempfile.mkdtemp(prefix="galw-benchmark-"))  # pyright: ignore[reportArgumentType] - a path or nothing
    port = free_port()
    env = {**os.environ, "GALW_PORT": str(port), "GALW_DATA_DIR": str(folder)}
    env |= {f"GALW_{name.upper()}": str(value) for name, value in settings.items()}
    log = folder.with_suffix(".log").open("wb")
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "services.standalone"], env=env, stdout=log, stderr=log)
    try:
        _wait_ready(child, folder.with_suffix(".log"))
        yield Stack(f"http://127.0.0.1:{port}", child.pid, folder, time.monotonic() - began)
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            child.wait(30)
        log.close()
        if folder.name.startswith("galw-benchmark-"):
            keep = os.environ.get("GALW_BENCHMARK_LOGS")
            if keep:
                shutil.copytree(folder / "logs", keep, dirs_exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".log").unlink(missing_ok=True)


async def sign_in(stack: Stack, people: Mapping[UUID, tuple[str, Role]]) -> dict[UUID, str]:
    """Return an access token for each of *people* (name, role), signed as identity signs them; good for ten minutes."""
    env = stack.environment(stack.dialer)
    pool = await create_pool(env["GALW_DATABASE_URL"], SCHEMA, max_size=1, application_name="galw-benchmark")
    try:
        keys = SigningKeys(pool, env["GALW_SECRET_KEY"], SystemClock())
        now = datetime.now(UTC)
        return {
            who: await sign_access_token(keys, Principal(who, frozenset({role}), name), new_id(), now)
            for who, (name, role) in people.items()
        }
    finally:
        await pool.close()


def machine() -> str:
    """Describe the machine in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, Python {sys.version.split()[0]}"


def _wait_ready(child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while "Galw runs on" not in log.read_text(errors="replace"):
        if child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"Galw did not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.02)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    for word in argv:
        if word in _NAMES:
            return _NAMES[word]
    return {"tansu": "broker", "postgres": "postgres"}.get(Path(argv[0]).name, Path(argv[0]).name)


def get_json(url: str) -> object:
    """Return the JSON at *url*."""
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.loads(answer.read())
