"""Schemathesis asks every operation of every service for what its OpenAPI document allows and forbids: never a 500."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from services.runtime.identity import Role
from tests.flows.house import House, house
from tests.peers import RunningBroker

pytestmark = [pytest.mark.pg, pytest.mark.broker, pytest.mark.fuzz, pytest.mark.timeout(400)]

SECONDS = int(os.environ.get("GALW_FUZZ_S", "30"))
"""For each of three services; generating costs more of it than answering."""

STAFF = (Role.ADMIN, Role.MARKETING, Role.SUPERVISOR, Role.OPERATOR, Role.AUDITOR)
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"


@pytest.mark.parametrize("service", ["crm", "dialer", "notifier"])
async def test_no_request_is_a_500(service: str, database_url: str, broker: RunningBroker, tmp_path: Path) -> None:
    async with house(database_url, broker.bootstrap) as home:
        found, told = await fuzz(home, service, tmp_path)
        assert found == 0, told[-12_000:]
        assert "test cases" in told


async def fuzz(home: House, service: str, folder: Path) -> tuple[int, str]:
    """Run schemathesis in a process of its own; return its exit code and what it says."""
    token = (await home.signed(*STAFF))["Authorization"]
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{home.url}/api/{service}/openapi.json",
        "--header", f"Authorization: {token}", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
        "--max-examples", "10", "--max-time", str(SECONDS), "--seed", "7", "--workers", "2", "--request-timeout", "20",
        "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all", "--no-shrink",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
