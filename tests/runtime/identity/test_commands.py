"""The commands that sign in and make administrators, against a real service and a real database."""

import asyncio
import json
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner, Result

from services.cli.admin import admin
from services.cli.client import CommandError, Exit, GalwClient, open_client, with_client
from services.cli.sign_in import sign_in, sign_out
from services.runtime.clock import SystemClock
from services.runtime.http import Input, PageQuery, Routes, Stream, Upload, build_app
from services.runtime.identity import Role
from services.runtime.identity.identity import Identity, open_identity
from services.runtime.identity.keys import SigningKeys
from services.runtime.identity.routes import KeySet, identity_routes
from tests.runtime.identity.conftest import PASSWORD, SECRET, make_account, quick_passwords

pytestmark = pytest.mark.pg
ANN = "ann@example.org"


class Echo(Input):
    text: str


def echo_routes() -> Routes:
    routes = Routes("/api/crm", "echo")

    @routes.post("/echo", roles={Role.MARKETING}, summary="Echo")
    async def post_echo(body: Echo) -> KeySet:
        return KeySet(keys=[{"text": body.text}])

    @routes.get("/file", roles={Role.MARKETING}, summary="A file")
    async def get_file(query: PageQuery) -> Stream:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x" * query.limit
            yield b"y"

        return Stream(chunks(), "text/csv")

    @routes.post("/file", roles={Role.MARKETING}, accepts=("text/csv",), summary="Take a file")
    async def post_file(upload: Upload) -> KeySet:
        return KeySet(keys=[{"size": len(b"".join([chunk async for chunk in upload.chunks]))}])

    return routes


@pytest.fixture
async def identity(database_url: str) -> AsyncGenerator[Identity]:
    made = await open_identity(database_url, SECRET, SystemClock(), listens_on="127.0.0.1", passwords=quick_passwords())
    yield made
    await made.close()


@pytest.fixture
async def url(
    identity: Identity, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[str]:
    app = build_app("crm", [*identity_routes(identity), echo_routes()], verifier=identity.verifier, clock=SystemClock())
    async with TestClient(TestServer(app)) as client:
        address = str(client.make_url("")).rstrip("/")
        monkeypatch.setenv("GALW_URL", address)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        monkeypatch.setenv("GALW_DATABASE_URL", database_url)
        monkeypatch.setenv("GALW_SECRET_KEY", SECRET)
        yield address


async def galw(command: click.Command, *arguments: str, stdin: str = "") -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command, arguments, stdin)


async def signed_in(identity: Identity) -> None:
    await make_account(identity, Role.MARKETING, ANN)
    result = await galw(sign_in, "--email", ANN, "--password-stdin", stdin=PASSWORD + "\n")
    assert result.exit_code == 0, result.output


def json_of(result: Result) -> dict[str, Any]:
    """Return what the command printed; the server in the same process logs between the lines."""
    (line,) = [line for line in result.output.splitlines() if line.startswith("{")]
    return json.loads(line)


def stored(tmp_path: Path) -> dict[str, Any]:
    return orjson.loads((tmp_path / "galw" / "sign-in.json").read_bytes())


async def test_a_sign_in_is_kept_for_its_owner_alone_and_forgotten_on_sign_out(
    identity: Identity, url: str, tmp_path: Path
) -> None:
    await make_account(identity, Role.MARKETING, ANN)
    result = await galw(sign_in, "--email", ANN, stdin=PASSWORD + "\n")
    assert result.exit_code == 0, result.output
    assert f"Signed in at {url} as An marketing (marketing)." in result.output
    assert PASSWORD not in result.output
    path = tmp_path / "galw" / "sign-in.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    token = stored(tmp_path)[url]["refresh_token"]
    result = await galw(sign_out, "--json")
    assert json_of(result) == {"url": url, "signed_out": True}
    assert stored(tmp_path) == {}
    result = await galw(sign_out)
    assert "You were not signed in" in result.output
    async with open_client() as client:
        with pytest.raises(CommandError, match="over"):
            await client._anonymous("/api/identity/refresh", {"refresh_token": token})  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("email", "password", "code", "words"),
    [
        (ANN, "wrong", Exit.NOT_SIGNED_IN, "address or the password is wrong"),
        ("ann", PASSWORD, Exit.REFUSED, "email: "),
        (ANN, "", Exit.USAGE, "no password"),
    ],
)
async def test_a_sign_in_that_fails_says_why(
    identity: Identity, url: str, email: str, password: str, code: int, words: str
) -> None:
    assert url
    await make_account(identity, Role.MARKETING, ANN)
    result = await galw(sign_in, "--email", email, "--password-stdin", stdin=f"{password}\n")
    assert result.exit_code == code
    assert words in result.output


async def test_a_password_is_not_sent_in_the_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALW_URL", "http://galw.example")
    result = await galw(sign_in, "--email", ANN, "--password-stdin", stdin=PASSWORD)
    assert result.exit_code == Exit.USAGE
    assert "not encrypted" in result.output


async def test_a_token_is_refreshed_before_it_ends_and_when_it_is_refused(
    identity: Identity, url: str, tmp_path: Path
) -> None:
    await signed_in(identity)
    path = tmp_path / "galw" / "sign-in.json"
    for change in ({"expires_at": "2026-01-01T00:00:00+00:00"}, {"access_token": "refused"}):
        before = stored(tmp_path)
        path.write_bytes(orjson.dumps({url: before[url] | change}))
        async with open_client() as client:
            assert (await client.post("/api/crm/echo", {"text": "a"}))["keys"] == [{"text": "a"}]
        assert stored(tmp_path)[url]["refresh_token"] != before[url]["refresh_token"]


async def test_problems_become_sentences_and_exit_codes(identity: Identity, url: str) -> None:
    assert url
    await signed_in(identity)
    cases = [
        ("POST", "/api/crm/echo", {"txt": 1}, Exit.REFUSED, "txt: unknown field"),
        ("GET", "/api/identity/accounts", None, Exit.FORBIDDEN, "roles admin, auditor"),
        ("GET", "/api/crm/nothing", None, Exit.NOT_FOUND, "nothing at this address"),
        ("DELETE", "/api/crm/echo", None, Exit.FAILED, "allows POST"),
    ]
    async with open_client() as client:
        for method, path, body, code, words in cases:
            with pytest.raises(CommandError, match=words) as caught:
                await client.request(method, path, body=body)
            assert caught.value.exit_code == code
            assert caught.value.problem is not None


async def test_files_go_up_and_come_down_in_pieces(identity: Identity, url: str) -> None:
    assert url
    await signed_in(identity)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 100_000

    async with open_client() as client:
        assert (await client.upload("/api/crm/file", chunks(), "text/csv"))["keys"] == [{"size": 1_000_000}]
        got = b"".join([chunk async for chunk in client.download("/api/crm/file", {"limit": 7})])
    assert got == b"xxxxxxxy"


async def test_lists_are_read_to_their_end(identity: Identity, url: str) -> None:
    assert url
    await make_account(identity, Role.ADMIN, ANN)
    for number in range(5):
        await make_account(identity, email=f"z{number}@example.org")
    await galw(sign_in, "--email", ANN, "--password-stdin", stdin=PASSWORD)
    async with open_client() as client:
        items = [one async for one in client.pages("/api/identity/accounts", {"limit": 2})]
    assert [one["email"][:2] for one in items] == ["an", "z0", "z1", "z2", "z3", "z4"]


async def test_a_command_without_galw_or_sign_in_says_what_to_do(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert url

    @click.command()
    @with_client
    async def show(client: GalwClient) -> None:
        """Show."""
        await client.get("/api/identity/me")

    result = await galw(show)
    assert (result.exit_code, "Run: galw sign-in" in result.output) == (Exit.NOT_SIGNED_IN, True)
    monkeypatch.setenv("GALW_URL", "http://127.0.0.1:1")
    result = await galw(sign_in, "--email", ANN, "--password-stdin", stdin=PASSWORD)
    assert (result.exit_code, "make run" in result.output) == (Exit.UNAVAILABLE, True)
    monkeypatch.setenv("GALW_URL", "galw")
    assert (await galw(show)).exit_code == Exit.USAGE
    monkeypatch.setenv("GALW_URL", url)
    path = tmp_path / "galw" / "sign-in.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    path.chmod(0o644)
    assert "chmod 600" in (await galw(show)).output


async def test_the_first_administrator_is_made_in_an_empty_database(url: str) -> None:
    arguments = ("create", "--email", "Root@example.org", "--name", "Root", "--password-stdin")
    result = await galw(admin, *arguments, stdin=PASSWORD)
    assert result.exit_code == 0, result.output
    assert "Made the administrator Root <root@example.org>" in result.output
    assert (await galw(admin, *arguments, stdin=PASSWORD)).exit_code == Exit.CONFLICT
    result = await galw(sign_in, "--email", "root@example.org", "--password-stdin", "--json", stdin=PASSWORD)
    assert json_of(result)["roles"] == ["admin"]
    assert json_of(result)["url"] == url


async def test_admin_commands_say_what_is_wrong(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert url
    arguments = ("create", "--email", ANN, "--name", "Ann", "--password-stdin")
    result = await galw(admin, *arguments, stdin="short")
    assert (result.exit_code, "password: expected 12" in result.output) == (Exit.REFUSED, True)
    monkeypatch.setenv("GALW_DATABASE_URL", "postgresql://127.0.0.1:1/galw")
    result = await galw(admin, *arguments, stdin=PASSWORD)
    assert (result.exit_code, "PostgreSQL is not available" in result.output) == (Exit.UNAVAILABLE, True)
    monkeypatch.delenv("GALW_DATABASE_URL")
    result = await galw(admin, *arguments, stdin=PASSWORD)
    assert (result.exit_code, "GALW_DATABASE_URL" in result.output) == (Exit.USAGE, True)


async def test_new_keys_replace_the_old_ones(identity: Identity, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert url
    old = (await identity.keys.current()).kid
    monkeypatch.setenv("GALW_SECRET_KEY", SECRET[::-1])
    result = await galw(admin, "new-keys", "--yes", "--json")
    assert result.exit_code == 0, result.output
    kid = json_of(result)["kid"]
    assert kid != old
    assert [one["kid"] for one in await SigningKeys(identity.pool, SECRET[::-1], SystemClock()).fetch()] == [kid]
