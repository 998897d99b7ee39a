"""The README's tour is a test: its commands are run as they stand there, in a folder without data."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from services.standalone.children import free_port, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PEOPLE = Path(__file__).with_name("talkative.toml")
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands(readme: str) -> list[str]:
    """Return what a reader types: the lines with a prompt of all console blocks."""
    return [line[2:] for block in _BLOCK.findall(readme) for line in block.splitlines() if line.startswith("$ ")]


class Tour:
    """A folder as a fresh clone has it, `make run` in it, and the ports that stand for the README's."""

    def __init__(self, folder: Path) -> None:
        # First where the virtual environment is at home: through the links below it would be installed for this folder.
        subprocess.run([ROOT / "tools" / "setup.sh"], check=True, capture_output=True)
        self.folder = folder
        self.port, self.partner_port = free_port(), free_port()
        for entry in ROOT.iterdir():
            if entry.name not in (".git", ".data"):
                (folder / entry.name).symlink_to(entry)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GALW_")},
            "PORT": str(self.port),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "GALW_CARRIER_PROFILE": str(PEOPLE),
            "COLUMNS": "160",
        }
        self.said = folder / "said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                ["make", "run"], cwd=folder, env=self.env, stdout=said, stderr=said, start_new_session=True
            )

    def wait_up(self) -> None:
        wait_until(lambda: self.process.poll() is not None or "Sign in with" in self.said.read_text(), 330, "make run")
        assert self.process.poll() is None, self.said.read_text()

    def typed(self, lines: list[str]) -> str:
        script = "\n".join(lines).replace("8080", str(self.port)).replace("8099", str(self.partner_port))
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def stop(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)  # as Ctrl-C in the terminal does
        return self.process.wait(20)


@pytest.fixture
def tour(scratch: Path) -> Generator[Tour]:
    made = Tour(scratch)
    yield made
    if made.process.poll() is None:
        made.stop()


def test_the_commands_of_the_readme_do_what_it_says(tour: Tour) -> None:
    tour.wait_up()
    said = tour.typed(commands((ROOT / "README.md").read_text()))
    for sentence in (
        "as Meinir Protheroe (marketing).",
        "144 new, 0 updated, 0 unchanged.",
        "'Line quality' is running now.",
        "'Line quality' is stopped now.",
        "'How is your connection?' is running now.",
    ):
        assert sentence in said
    assert "┘\n" in said  # a table ends its line, also where nobody watches
    header, answer, *_ = (tour.folder / "answers.csv").read_text("utf-8-sig").splitlines()
    assert header.startswith("at,attempt_id,revision,campaign_id,contact_id,external_id,name,")
    assert answer.split(",")[5].startswith("TOUR-")
    assert (tour.folder / "webhooks.txt").read_text().startswith("verified: dialer.response.recorded ")
    [response] = tour.read("response.json")["items"]
    told = {one["kind"] for one in tour.read("timeline.json")["items"]}
    assert response["answers"]
    assert "response.recorded" in told
    assert "enrolled " in said
    assert sum(tour.read("progress.json")["leads"].values()) == 145
    tour.stop()
    assert tour.said.read_text().splitlines()[-1].startswith(("Galw has stopped.", "make: ***"))
