"""The standalone mode as a process: what it starts, what it says, what it leaves behind."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from services.standalone.children import footprint, free_port, wait_until
from services.standalone.parts import listens

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).parent / "programs" / "standalone.py"


class Running:
    """A started standalone mode and what it has said so far."""

    program: tuple[str, ...] = (str(PROGRAM),)

    def __init__(self, folder: Path, **env: object) -> None:
        self.port = free_port()
        self.said = folder / "said"
        settings = {"GALW_DATA_DIR": folder / "data", "GALW_PORT": self.port, **env}
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, *self.program],
                env={**os.environ, **{name: str(value) for name, value in settings.items()}},
                stdout=said,
                stderr=said,
                process_group=0,
            )

    def wait_up(self) -> "Running":
        wait_until(lambda: self.process.poll() is not None or "Galw runs on" in self.text, 30, "the standalone mode")
        assert self.process.poll() is None, self.text
        return self

    @property
    def text(self) -> str:
        return self.said.read_text()

    def get(self, path: str = "/") -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.loads(answer.read())

    def control(self, path: str, method: str = "GET", token: str | None = None, say: str = "dialer") -> Any:
        url = urlsplit(self.get()["env"]["GALW_CONTROL_URL"])
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        address = f"http://127.0.0.1:{url.port}{path}"
        passwords.add_password(None, address, "galw", token or url.password or "", is_authenticated=True)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
        body = json.dumps({"service": say}).encode() if method == "POST" else None
        with opener.open(urllib.request.Request(address, data=body, method=method), timeout=10) as answer:
            return json.loads(answer.read())

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(20)


Start = Callable[..., Running]


@pytest.fixture
def start(scratch: Path) -> Generator[Start]:
    started: list[Running] = []

    def one(folder: Path = scratch, **env: object) -> Running:
        started.append(Running(folder, **env))
        return started[-1]

    yield one
    for running in started:
        running.end(signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_everything_quickly_and_the_next_start_finds_the_data(
    start: Start, how: signal.Signals
) -> None:
    running = start().wait_up()
    env = running.get()["env"]
    began = time.monotonic()
    assert running.end(how) == 0
    assert time.monotonic() - began < 3
    for name in ("GALW_DATABASE_URL", "GALW_CARRIER_URL", "GALW_CONTROL_URL"):
        assert not listens(urlsplit(env[name]).port or 0)
    assert running.text.endswith("Galw has stopped.\n")
    again = start().wait_up().get()["env"]
    assert again["GALW_PHONE_KEY"] == env["GALW_PHONE_KEY"]
    assert urlsplit(again["GALW_DATABASE_URL"]).password == urlsplit(env["GALW_DATABASE_URL"]).password


def test_three_processes_answer_behind_one_port_and_come_back_when_they_end(start: Start) -> None:
    running = start(GALW_PROCESSES=3).wait_up()
    paths = {"/": "dialer", "/api/crm/contacts": "crm", "/api/notifier": "notifier", "/api/crmx": "dialer"}
    assert {path: running.get(path)["name"] for path in paths} == paths
    with pytest.raises(urllib.error.HTTPError, match="502"):
        urllib.request.urlopen(f"http://127.0.0.1:{running.port}/api/crm/end", data=b"", timeout=5)
    assert running.get("/")["name"] == "dialer"  # the others are not touched
    wait_until(lambda: _answers(running, "/api/crm/contacts"), 10, "the restarted service")
    assert "crm: ended with exit code 7; starting again" in running.text
    assert {part["name"]: part["restarts"] for part in running.control("/status")["parts"]}["crm"] == 1


def _answers(running: Running, path: str) -> bool:
    try:
        return bool(running.get(path))
    except OSError:
        return False


def test_killed_servers_come_back_at_their_addresses(start: Start) -> None:
    running = start().wait_up()
    before = {part["name"]: part["pid"] for part in running.control("/status")["parts"]}
    for name in ("PostgreSQL", "broker", "carrier"):
        os.kill(before[name], signal.SIGKILL)

    def replaced() -> bool:
        parts = running.control("/status")["parts"]
        return all(part["up"] and (part["restarts"] == 1) == (part["name"] != "services") for part in parts)

    wait_until(replaced, 15, "the restart")
    env = running.get()["env"]
    for name in ("GALW_DATABASE_URL", "GALW_CARRIER_URL"):
        assert listens(urlsplit(env[name]).port or 0)


def test_a_killed_supervisor_leaves_no_child_behind_and_its_successor_starts(start: Start) -> None:
    running = start().wait_up()
    pids = [part["pid"] for part in running.control("/status")["parts"]]
    assert len(pids) == 4
    running.end(signal.SIGKILL)
    wait_until(lambda: all(footprint(pid).memory_bytes == 0 for pid in pids), 20, "the end of the children")
    start().wait_up()


def test_the_broker_is_restarted_when_every_service_is_quiet(start: Start) -> None:
    running = start(GALW_BROKER_MEMORY_LIMIT_MB=4_000).wait_up()
    assert running.control("/broker") == {"recycle": False}
    before = {part["name"]: part["pid"] for part in running.control("/status")["parts"]}
    said = [running.control("/recycle-broker", "POST", say=name) for name in ("crm", "crm", "dialer", "notifier")]
    assert [answer["recycled"] for answer in said] == [False, False, False, True]
    status = running.control("/status")
    after = {part["name"]: part["pid"] for part in status["parts"]}
    assert {name for name in before if before[name] != after[name]} == {"broker"}
    assert all(part["restarts"] == 0 for part in status["parts"])
    assert status["recycle_due"] is False
    with pytest.raises(urllib.error.HTTPError, match="401"):
        running.control("/recycle-broker", "POST", token="guess")
    with pytest.raises(urllib.error.HTTPError, match="422"):
        running.control("/recycle-broker", "POST", say="nobody")


def test_the_embedded_parts_give_way_to_addresses_of_ours(start: Start) -> None:
    mine = {"GALW_DATABASE_URL": "postgresql://db.test/galw", "GALW_KAFKA_BOOTSTRAP": "kafka.test:9092"}
    running = start(**mine, GALW_CARRIER_URL="http://carrier.test").wait_up()
    assert [part["name"] for part in running.control("/status")["parts"]] == ["services"]
    env = running.get()["env"]
    assert {name: env[name] for name in mine} == mine
    with pytest.raises(urllib.error.HTTPError, match="409"):
        running.control("/recycle-broker", "POST")


def test_a_second_supervisor_and_a_taken_port_are_told_in_one_sentence(start: Start, scratch: Path) -> None:
    first = start().wait_up()
    second, third = scratch / "second", scratch / "third"
    second.mkdir()
    third.mkdir()
    same_folder = start(second, GALW_DATA_DIR=scratch / "data")
    same_port = start(third, GALW_PORT=first.port)
    assert same_folder.process.wait(10) == 1
    assert same_port.process.wait(10) == 1
    assert same_folder.text.startswith(f"galw: Galw already runs on {scratch / 'data'} (process {first.process.pid})")
    assert same_port.text == f"galw: Port {first.port} is in use by another program; choose another with PORT=…\n"
    assert first.get()["name"] == "together"


def test_wrong_settings_are_named(start: Start) -> None:
    running = start(GALW_PROCESSES=2, GALW_PORT="http")
    assert running.process.wait(10) == 2
    assert "GALW_PROCESSES: " in running.text
    assert "GALW_PORT: " in running.text
    assert "Traceback" not in running.text


def test_the_services_may_hold_a_thousand_connections_whatever_the_shell_allows(start: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
    try:
        running = start().wait_up()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    pid = next(part["pid"] for part in running.control("/status")["parts"] if part["name"] == "services")
    limits = Path(f"/proc/{pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(line.split()[3]) == min(16_384, hard)


def test_idle_costs_little(start: Start) -> None:
    running = start().wait_up()
    before = running.control("/status")
    time.sleep(2)
    after = running.control("/status")
    assert after["memory_bytes"] < 200 * 1024**2  # the stand-ins are small; the whole may use 400 MB
    assert after["cpu_s"] - before["cpu_s"] < 0.12 * 2
