"""The CRM on a real PostgreSQL: its store, its application with plain tokens, and a clock that tests move."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.crm.api import audience_routes, consent_routes, contact_routes, import_routes, response_routes
from services.crm.domain.contacts import Contact, ContactDraft, Number
from services.crm.ports import PhoneDigest
from services.crm.store import PgStore
from services.crm.usecases.contacts import create_contact
from services.events.catalogue import BY_TYPE
from services.events.envelope import Event
from services.runtime.http import build_app
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.phone import E164, phone_digest
from services.runtime.postgres import Pool, create_pool, migrate
from tests.fakes.verifier import PlainVerifier
from tests.peers import Databases

Client = TestClient[web.Request, web.Application]

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class MovedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def bearer(role: Role, user_id: int = 7) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}:{UUID(int=user_id)}"}


async def migrate_crm(url: str) -> None:
    await migrate(url, "crm", ["services.runtime", "services.crm"])


@pytest.fixture
async def crm_url(databases: Databases) -> AsyncGenerator[str]:
    url = await databases.create(migrate_crm)
    yield url
    await databases.drop(url)


@pytest.fixture
async def pool(crm_url: str) -> AsyncGenerator[Pool]:
    made = await create_pool(crm_url, "crm")
    yield made
    await made.close()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def digest() -> PhoneDigest:
    keyed = partial(phone_digest, b"a key for tests")
    return lambda number: keyed(E164(number))


@pytest.fixture
def store(pool: Pool, digest: PhoneDigest) -> PgStore:
    return PgStore(pool, digest, new_id)


@pytest.fixture
async def client(pool: Pool, store: PgStore, digest: PhoneDigest, clock: MovedClock) -> AsyncGenerator[Client]:
    routes = [
        contact_routes(store),
        consent_routes(store, digest),
        audience_routes(store),
        import_routes(store),
        response_routes(store),
    ]
    app = build_app("crm", routes, verifier=PlainVerifier(), clock=clock, pool=pool)
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(TestClient(TestServer(app)))


Make = Callable[..., Awaitable[Contact]]


@pytest.fixture
def make(store: PgStore, clock: MovedClock) -> Make:
    """Makes a contact with the given last digits of its numbers."""

    async def made(*digits: int, **said: object) -> Contact:
        numbers = tuple(Number(E164(f"+44163296{one:04}")) for one in digits)
        draft = ContactDraft(numbers=numbers, **said)  # pyright: ignore[reportArgumentType]
        return await create_contact(store, new_id(), draft, clock.now())

    return made


async def announced(pool: Pool, *kinds: type[Event]) -> list[Event]:
    """Return what waits in the outbox, in its order, of the given kinds."""
    rows = await pool.fetch("SELECT type, payload FROM outbox ORDER BY seq")
    events: list[Event] = []
    for row in rows:
        name, _, version = row["type"].rpartition(".v")
        events.append(BY_TYPE[name][int(version)].model_validate_json(row["payload"]))
    return [one for one in events if isinstance(one, kinds or Event)]


def only(events: Sequence[Event], kind: type[Event]) -> Event:
    [one] = [event for event in events if isinstance(event, kind)]
    return one
