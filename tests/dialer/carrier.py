"""The simulated carrier as a process of its own, for tests."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson


@asynccontextmanager
async def carrier_process(folder: Path, *, profile: str = "eager", speed: float = 20.0) -> AsyncGenerator[str]:
    """Yield the address of a carrier whose people are quick; it is ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.carrier",
        "--ledger",
        str(folder / "ledger.jsonl"),
        "--profile",
        profile,
        "--speed",
        str(speed),
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdout is None:
        raise RuntimeError("the carrier has no standard output")
    line = await process.stdout.readline()
    try:
        yield f"http://127.0.0.1:{orjson.loads(line)['port']}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
