"""Signing in, staying in, being thrown out."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from services.runtime.errors import ForbiddenError
from services.runtime.identity import Role, SignedOutError
from services.runtime.identity.accounts import AccountEdit
from services.runtime.identity.attempts import FAILURES_PER_ADDRESS, TooManyAttemptsError
from services.runtime.identity.demo import is_loopback
from services.runtime.identity.derivation import derive_key
from services.runtime.identity.identity import Identity, open_identity
from services.runtime.identity.tokens import RefreshToken
from services.runtime.sql import load_sql
from tests.runtime.identity.conftest import PASSWORD, SECRET, MovedClock, make_account, quick_passwords

pytestmark = pytest.mark.pg
HOME = "192.0.2.1"


async def test_every_statement_prepares(identity: Identity) -> None:
    async with identity.pool.acquire() as connection:
        for text in load_sql("services.runtime.identity").values():
            await connection.prepare(text)


async def test_who_signs_in_is_who_the_token_says(identity: Identity) -> None:
    account = await make_account(identity, Role.PARTNER, "Ann@Example.org")
    signed_in = await identity.sessions.sign_in(" ann@example.ORG ", PASSWORD, HOME)
    assert await identity.verifier.verify(signed_in.access_token) == account.principal
    assert signed_in.expires_in_s == 600


async def test_an_access_token_counts_for_ten_minutes(identity: Identity, clock: MovedClock) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).access_token
    clock.move(timedelta(minutes=9, seconds=59))
    await identity.verifier.verify(token)
    clock.move(timedelta(seconds=7))
    with pytest.raises(SignedOutError, match="expired"):
        await identity.verifier.verify(token)


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_changed_token_does_not_count(identity: Identity, part: int) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).access_token
    pieces = token.split(".")
    middle = len(pieces[part]) // 2
    pieces[part] = pieces[part][:middle] + ("A" if pieces[part][middle] != "A" else "B") + pieces[part][middle + 1 :]
    with pytest.raises(SignedOutError):
        await identity.verifier.verify(".".join(pieces))


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "e30.e30.", "bnVsbA.e30.AA", "é", "W10.W10.W10", "x" * 9000])
async def test_what_is_no_token_is_refused(identity: Identity, token: str) -> None:
    with pytest.raises(SignedOutError):
        await identity.verifier.verify(token)


async def test_a_token_of_our_key_for_something_else_or_by_another_algorithm_does_not_count(identity: Identity) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).access_token
    key = await identity.keys.current()
    claims: dict[str, Any] = orjson.loads(jws.extract_compact(token.encode()).payload)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    await identity.verifier.verify(jws.serialize_compact(header, orjson.dumps(claims), key))
    public = OctKey.import_key(orjson.dumps(key.as_dict(private=False)))
    forged = [
        jws.serialize_compact(header, orjson.dumps(claims | {"aud": "other"}), key),
        jws.serialize_compact(header, orjson.dumps(claims | {"iss": "other"}), key),
        jws.serialize_compact(header, orjson.dumps({**claims, "roles": ["king"]}), key),
        jws.serialize_compact({**header, "typ": "JWT"}, orjson.dumps(claims), key),
        jws.serialize_compact({**header, "alg": "HS256"}, orjson.dumps(claims), public, algorithms=["HS256"]),
        f"{_encoded({**header, 'alg': 'none'})}.{_encoded(claims)}.",
    ]
    for one in forged:
        with pytest.raises(SignedOutError):
            await identity.verifier.verify(one)


async def test_wrong_password_unknown_address_and_disabled_account_look_alike(identity: Identity) -> None:
    await make_account(identity, Role.ADMIN)
    account = await make_account(identity, email="off@example.org")
    await identity.accounts.edit(account.id, AccountEdit(disabled=True), expected_version=1)
    said: set[str] = set()
    for email, password in (("off@example.org", PASSWORD), ("no@example.org", PASSWORD), ("off@example.org", "wrong")):
        with pytest.raises(SignedOutError) as caught:
            await identity.sessions.sign_in(email, password, HOME)
        said.add(caught.value.message)
    assert len(said) == 1


async def test_after_five_failures_even_the_right_password_has_to_wait(identity: Identity, clock: MovedClock) -> None:
    account = await make_account(identity)
    for email in (account.email, "nobody@example.org"):
        for _ in range(5):
            with pytest.raises(SignedOutError):
                await identity.sessions.sign_in(email, "wrong", HOME)
        with pytest.raises(TooManyAttemptsError, match="in 15 seconds") as caught:
            await identity.sessions.sign_in(email, PASSWORD, HOME)
        assert caught.value.headers == {"Retry-After": "15"}
    clock.move(timedelta(seconds=16))
    with pytest.raises(SignedOutError):
        await identity.sessions.sign_in(account.email, "wrong", HOME)
    with pytest.raises(TooManyAttemptsError, match="in 30 seconds"):
        await identity.sessions.sign_in(account.email, PASSWORD, HOME)
    clock.move(timedelta(seconds=31))
    await identity.sessions.sign_in(account.email, PASSWORD, HOME)
    with pytest.raises(SignedOutError):
        await identity.sessions.sign_in(account.email, "wrong", HOME)


async def test_many_guesses_at_once_are_still_five(identity: Identity) -> None:
    account = await make_account(identity)

    async def guess() -> type[Exception]:
        try:
            await identity.sessions.sign_in(account.email, "wrong", HOME)
        except (SignedOutError, TooManyAttemptsError) as error:
            return type(error)
        raise AssertionError("signed in with a wrong password")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(guess()) for _ in range(40)]
    assert sum(task.result() is SignedOutError for task in tasks) == 5


async def test_one_address_cannot_try_all_accounts(identity: Identity) -> None:
    account = await make_account(identity)
    for number in range(FAILURES_PER_ADDRESS):
        with pytest.raises(SignedOutError):
            await identity.sessions.sign_in(f"nobody{number}@example.org", "wrong", HOME)
    with pytest.raises(TooManyAttemptsError):
        await identity.sessions.sign_in(account.email, PASSWORD, HOME)
    await identity.sessions.sign_in(account.email, PASSWORD, "192.0.2.2")


async def test_an_office_that_signs_in_is_not_locked(identity: Identity) -> None:
    account = await make_account(identity)
    for _ in range(FAILURES_PER_ADDRESS + 10):
        await identity.sessions.sign_in(account.email, PASSWORD, HOME)


async def test_refreshing_goes_on_for_a_session(identity: Identity, clock: MovedClock) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    for _ in range(5):
        clock.move(timedelta(minutes=9))
        refreshed = await identity.sessions.refresh(token)
        assert refreshed.refresh_token != token
        assert (await identity.verifier.verify(refreshed.access_token)).user_id == account.id
        token = refreshed.refresh_token
    clock.move(timedelta(days=30))
    with pytest.raises(SignedOutError, match="over"):
        await identity.sessions.refresh(token)


async def test_a_stolen_refresh_token_ends_the_session_for_both(identity: Identity, clock: MovedClock) -> None:
    account = await make_account(identity)
    stolen = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    kept = (await identity.sessions.refresh(stolen)).refresh_token
    clock.move(timedelta(seconds=11))
    with pytest.raises(SignedOutError, match="used before"):
        await identity.sessions.refresh(stolen)
    with pytest.raises(SignedOutError, match="over"):
        await identity.sessions.refresh(kept)


async def test_a_lost_answer_can_be_asked_for_again_at_once(identity: Identity, clock: MovedClock) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    lost = await identity.sessions.refresh(token)
    clock.move(timedelta(seconds=9))
    again = await identity.sessions.refresh(token)
    assert again.refresh_token == lost.refresh_token
    await identity.sessions.refresh(again.refresh_token)
    with pytest.raises(SignedOutError, match="used before"):
        await identity.sessions.refresh(token)


async def test_of_two_tabs_that_refresh_at_once_both_stay_in(identity: Identity) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    async with asyncio.TaskGroup() as group:
        tabs = [group.create_task(identity.sessions.refresh(token)) for _ in range(5)]
    assert len({tab.result().refresh_token for tab in tabs}) == 1


async def test_a_made_up_refresh_token_ends_nothing(identity: Identity) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    known = RefreshToken.unseal(token, _refresh_key())
    for forged in (replace(known, generation=0).seal(b"another key"), "", "AAAA", token[:-3], "é", token + "=="):
        with pytest.raises(SignedOutError):
            await identity.sessions.refresh(forged)
    await identity.sessions.refresh(token)


async def test_signing_out_ends_the_session_and_may_be_repeated(identity: Identity) -> None:
    account = await make_account(identity)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    await identity.sessions.sign_out(token)
    await identity.sessions.sign_out(token)
    with pytest.raises(SignedOutError):
        await identity.sessions.refresh(token)


async def test_disabling_or_a_new_password_ends_the_sessions(identity: Identity) -> None:
    await make_account(identity, Role.ADMIN)
    for disabled in (True, False):
        account = await make_account(identity)
        token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
        if disabled:
            await identity.accounts.edit(account.id, AccountEdit(disabled=True), expected_version=1)
        else:
            await identity.accounts.set_password(account.id, "other plain words")
        with pytest.raises(SignedOutError):
            await identity.sessions.refresh(token)


async def test_demo_accounts_work_on_loopback_only(identity: Identity, database_url: str, clock: MovedClock) -> None:
    account = await make_account(identity, demo=True)
    token = (await identity.sessions.sign_in(account.email, PASSWORD, HOME)).refresh_token
    exposed = await open_identity(database_url, SECRET, clock, listens_on="0.0.0.0", passwords=quick_passwords())
    with pytest.raises(ForbiddenError, match="galw admin create"):
        await exposed.sessions.sign_in(account.email, PASSWORD, HOME)
    with pytest.raises(ForbiddenError, match="loopback"):
        await exposed.sessions.refresh(token)
    await exposed.accounts.set_password(account.id, "other plain words")
    await exposed.sessions.sign_in(account.email, "other plain words", HOME)
    await exposed.close()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("", False), ("10.0.0.1", False), ("galw.example", False), ("127.0.0.1.example", False)],
)  # fmt: skip
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


async def test_nothing_in_the_database_lets_a_thief_in(identity: Identity) -> None:
    account = await make_account(identity)
    signed_in = await identity.sessions.sign_in(account.email, PASSWORD, HOME)
    stored = ""
    for table in ("accounts", "sessions", "signing_keys", "sign_in_attempts"):
        rows: list[asyncpg.Record] = await identity.pool.fetch(f"SELECT t::text AS line FROM {table} AS t")
        stored += "\n".join(row["line"] for row in rows)
    (key,) = await identity.keys.fetch()
    assert key["kid"] in stored
    for secret in (PASSWORD, signed_in.refresh_token, signed_in.access_token, '"d":'):
        assert secret not in stored


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=")


def _refresh_key() -> bytes:
    return derive_key(SECRET, "refresh tokens")
