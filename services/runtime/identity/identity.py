"""The parts of identity, put together for the one service that mounts it."""

from dataclasses import dataclass

from services.runtime.clock import Clock
from services.runtime.identity.accounts import Accounts
from services.runtime.identity.keys import SigningKeys
from services.runtime.identity.passwords import Passwords
from services.runtime.identity.sessions import Sessions
from services.runtime.identity.tokens import TokenVerifier
from services.runtime.postgres import Pool, create_pool, migrate

SCHEMA = "identity"
PACKAGES = ("services.runtime.identity",)


@dataclass(frozen=True, slots=True)
class Identity:
    """Accounts, sessions and keys over one pool; `verifier` is for every service in the same process."""

    pool: Pool
    passwords: Passwords
    accounts: Accounts
    sessions: Sessions
    keys: SigningKeys
    verifier: TokenVerifier
    clock: Clock

    async def close(self) -> None:
        """Give back threads and connections."""
        self.passwords.close()
        await self.pool.close()


async def open_identity(
    url: str, secret: str, clock: Clock, *, listens_on: str, passwords: Passwords | None = None
) -> Identity:
    """Migrate the schema `identity` and return its parts.

    *secret* is GALW_SECRET_KEY; *listens_on* the address that Galw binds to. Raises `RejectedError` for a secret that
    is too short or is not the one the keys were made with, `UnavailableError` when PostgreSQL is away.
    """
    await migrate(url, SCHEMA, PACKAGES)
    hasher = passwords or Passwords()
    pool = await create_pool(url, SCHEMA, max_size=4, application_name="galw-identity")
    try:
        keys = SigningKeys(pool, secret, clock)
        await keys.current()
    except BaseException:
        await pool.close()
        raise
    accounts = Accounts(pool, hasher, clock)
    sessions = Sessions(pool, hasher, keys, clock, secret=secret, listens_on=listens_on)
    return Identity(pool, hasher, accounts, sessions, keys, TokenVerifier(keys, clock), clock)
