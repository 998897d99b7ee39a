"""Schemathesis asks every operation of every service for what its OpenAPI document allows and forbids: never a 500."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from services.runtime.identity import Role
from tests.flows.house import House, house
from tests.peers import RunningBroker

pytestmark = [pytest.mark.pg, pytest.mark.broker, pytest.mark.fuzz, pytest.mark.timeout(900)]

EXAMPLES = os.environ.get("GALW_FUZZ_EXAMPLES", "12")
"""Requests per operation, as many that fit the document as that do not."""

STAFF = (Role.ADMIN, Role.MARKETING, Role.SUPERVISOR, Role.OPERATOR, Role.AUDITOR)
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"


@pytest.mark.parametrize("service", ["crm", "dialer", "notifier"])
async def test_no_request_is_a_500(service: str, database_url: str, broker: RunningBroker, tmp_path: Path) -> None:
    async with house(database_url, broker.bootstrap) as home:
        paths = (await home.ask("GET", f"/api/{service}/openapi.json"))["paths"]
        operations = [method for path in paths.values() for method in path]
        found, told = await fuzz(home, service, tmp_path)
        assert found == 0, told[-12_000:]
        assert f"Tested: {len(operations)}" in told, told[-2_000:]


async def fuzz(home: House, service: str, folder: Path) -> tuple[int, str]:
    """Run schemathesis in a process of its own; return its exit code and what it says."""
    token = (await home.signed(*STAFF))["Authorization"]
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{home.url}/api/{service}/openapi.json",
        "--header", f"Authorization: {token}", "--checks", CHECKS, "--phases", "fuzzing",
        "--max-examples", EXAMPLES, "--seed", "7", "--workers", "2", "--request-timeout", "130",
        "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all", "--no-shrink",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")
