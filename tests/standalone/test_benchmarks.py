"""The benchmarks still run: they use the store's own statements, which nobody would miss here when they are renamed."""

import asyncio
import sys

import pytest


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("lifecycles --people 300 --operators 4 --seconds 2 --warm-up 1 --floor-seconds 1", "the whole reaches"),
        ("scale --sizes 300", "300 leads"),
        ("leads --leads 1000", "the next 500 leads"),
        ("pacing speed", "line in, line out"),
    ],
)
async def test_it_runs_to_its_end(what: str, said: str) -> None:
    name, *options = what.split()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.{name}", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert said in output.decode()
