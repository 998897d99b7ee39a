"""A real identity over a real database, with a clock that the test moves and hashes that are quick to make."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from services.runtime.http import build_app
from services.runtime.identity import Role
from services.runtime.identity.accounts import Account
from services.runtime.identity.identity import Identity, open_identity
from services.runtime.identity.passwords import Passwords
from services.runtime.identity.routes import identity_routes

SECRET = "a secret for tests of at least thirty-two characters"
PASSWORD = "three plain words"
Client = TestClient[web.Request, web.Application]


class MovedClock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.move(timedelta(seconds=seconds))

    def move(self, by: timedelta) -> None:
        self.at += by


def quick_passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def identity(database_url: str, clock: MovedClock) -> AsyncGenerator[Identity]:
    made = await open_identity(database_url, SECRET, clock, listens_on="127.0.0.1", passwords=quick_passwords())
    yield made
    await made.close()


@pytest.fixture
async def client(identity: Identity, clock: MovedClock) -> AsyncGenerator[Client]:
    app = build_app("crm", identity_routes(identity), verifier=identity.verifier, clock=clock)
    async with TestClient(TestServer(app)) as made:
        yield made


async def make_account(
    identity: Identity, role: Role = Role.OPERATOR, email: str | None = None, *, demo: bool = False
) -> Account:
    return await identity.accounts.create(
        uuid4(),
        email=email or f"{uuid4()}@example.org",
        name=f"An {role}",
        password=PASSWORD,
        roles={role},
        partner_id=UUID(int=9) if role is Role.PARTNER else None,
        demo=demo,
    )


async def bearer(identity: Identity, account: Account) -> dict[str, str]:
    signed_in = await identity.sessions.sign_in(account.email, PASSWORD, "192.0.2.1")
    return {"Authorization": f"Bearer {signed_in.access_token}"}
