"""Signing keys change without anybody noticing, and verifiers ask rarely."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from services.runtime.errors import RejectedError, UnavailableError
from services.runtime.identity import SignedOutError
from services.runtime.identity.identity import Identity, open_identity
from services.runtime.identity.keys import PUBLISHED_AHEAD, ROTATED_EVERY, PublicKey, SigningKeys
from services.runtime.identity.tokens import TokenVerifier
from services.runtime.identity.verifier import HttpKeys
from tests.runtime.identity.conftest import PASSWORD, SECRET, Client, MovedClock, make_account, quick_passwords

pytestmark = pytest.mark.pg


class CountedKeys:
    """Passes on to the real keys, counts, and is away on demand."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.asked = 0
        self.away = False

    async def fetch(self) -> Sequence[PublicKey]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise UnavailableError("The keys are out of reach.")
        return await self.keys.fetch()


async def token_of(identity: Identity) -> str:
    account = await make_account(identity)
    return (await identity.sessions.sign_in(account.email, PASSWORD, "192.0.2.1")).access_token


async def test_a_crowd_asks_for_the_keys_once(identity: Identity, clock: MovedClock) -> None:
    tokens = [await token_of(identity) for _ in range(10)]
    source = CountedKeys(identity.keys)
    verifier = TokenVerifier(source, clock)
    async with asyncio.TaskGroup() as group:
        for token in tokens * 5:
            group.create_task(verifier.verify(token))
    assert source.asked == 1


async def test_strangers_cannot_make_it_ask(identity: Identity, clock: MovedClock) -> None:
    source = CountedKeys(identity.keys)
    verifier = TokenVerifier(source, clock)
    await verifier.verify(await token_of(identity))
    for _ in range(20):
        with pytest.raises(SignedOutError):
            await verifier.verify("eyJraWQiOiJ4IiwidHlwIjoiYXQrand0In0.e30.AA")
    assert source.asked == 1


async def test_an_outage_of_the_key_source_keeps_nobody_out(identity: Identity, clock: MovedClock) -> None:
    source = CountedKeys(identity.keys)
    verifier = TokenVerifier(source, clock)
    await verifier.verify(await token_of(identity))
    source.away = True
    clock.move(timedelta(hours=3))
    await verifier.verify(await token_of(identity))
    with pytest.raises(UnavailableError):
        await TokenVerifier(source, clock).verify(await token_of(identity))


async def test_keys_rotate_and_tokens_of_the_old_one_still_count(identity: Identity, clock: MovedClock) -> None:
    verifier = TokenVerifier(identity.keys, clock)
    first = (await identity.keys.current()).kid
    clock.move(ROTATED_EVERY)
    old_token = await token_of(identity)
    assert len(await identity.keys.fetch()) == 2
    assert (await identity.keys.current()).kid == first, "a new key is published before it signs"
    clock.move(PUBLISHED_AHEAD - timedelta(minutes=15))
    await verifier.verify(old_token)
    clock.move(timedelta(minutes=15))
    assert (await identity.keys.current()).kid != first
    await verifier.verify(await token_of(identity))
    clock.move(ROTATED_EVERY)
    kids = {one["kid"] for one in await identity.keys.fetch()}
    assert len(kids) == 2
    assert first not in kids


async def test_instances_that_start_together_make_one_key(database_url: str, clock: MovedClock) -> None:
    async with asyncio.TaskGroup() as group:
        opening = [
            group.create_task(
                open_identity(database_url, SECRET, clock, listens_on="127.0.0.1", passwords=quick_passwords())
            )
            for _ in range(4)
        ]
    identities = [one.result() for one in opening]
    assert len({(await one.keys.current()).kid for one in identities}) == 1
    for one in identities:
        await one.close()


async def test_another_secret_is_refused_with_the_way_out(
    identity: Identity, database_url: str, clock: MovedClock
) -> None:
    old_token = await token_of(identity)
    with pytest.raises(RejectedError, match="galw admin new-keys"):
        await open_identity(database_url, SECRET[::-1], clock, listens_on="127.0.0.1", passwords=quick_passwords())
    await SigningKeys(identity.pool, SECRET[::-1], clock).replace_all()
    again = await open_identity(database_url, SECRET[::-1], clock, listens_on="::1", passwords=quick_passwords())
    with pytest.raises(SignedOutError):
        await again.verifier.verify(old_token)
    await again.close()


async def test_a_short_secret_is_refused(database_url: str, clock: MovedClock) -> None:
    with pytest.raises(RejectedError, match="at least 32"):
        await open_identity(database_url, "short", clock, listens_on="127.0.0.1", passwords=quick_passwords())


async def test_another_service_verifies_by_the_published_keys(
    identity: Identity, client: Client, clock: MovedClock
) -> None:
    token = await token_of(identity)
    async with ClientSession() as session:
        verifier = TokenVerifier(HttpKeys(str(client.make_url("/api/identity/jwks")), session), clock)
        assert (await verifier.verify(token)).name == "An operator"
        for path in ("/nothing", "/livez"):
            broken = TokenVerifier(HttpKeys(str(client.make_url(path)), session), clock)
            with pytest.raises(UnavailableError):
                await broken.verify(token)
    (key,) = (await (await client.get("/api/identity/jwks")).json())["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
