"""Sessions: signing in, refreshing, signing out."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog

from services.runtime.clock import Clock
from services.runtime.errors import ForbiddenError
from services.runtime.identity.accounts import Account, account_from_row
from services.runtime.identity.attempts import Attempts
from services.runtime.identity.demo import check_asked, check_demo
from services.runtime.identity.derivation import derive_key
from services.runtime.identity.keys import SQL, SigningKeys
from services.runtime.identity.passwords import Passwords
from services.runtime.identity.principal import SignedOutError
from services.runtime.identity.tokens import ACCESS_FOR, RefreshToken, sign_access_token
from services.runtime.ids import NewId, new_id
from services.runtime.postgres import Pool, transaction

_LOG = structlog.get_logger(__name__)

SESSION_FOR = timedelta(days=30)
# A client whose answer got lost, or a second tab, repeats the token before; later than this only a thief would.
REPEAT_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a client gets: a token to show for ten minutes and one to get the next pair with, once."""

    account: Account
    access_token: str
    refresh_token: str
    expires_in_s: int


class Sessions:
    """The sessions in the schema `identity`."""

    def __init__(
        self,
        pool: Pool,
        passwords: Passwords,
        keys: SigningKeys,
        clock: Clock,
        *,
        secret: str,
        listens_on: str,
        new_id: NewId = new_id,
    ) -> None:
        """*listens_on* is the address Galw binds to: demo accounts work on loopback only."""
        self._pool = pool
        self._passwords = passwords
        self._keys = keys
        self._clock = clock
        self._refresh_key = derive_key(secret, "refresh tokens")
        self._listens_on = listens_on
        self._new_id = new_id
        self._attempts = Attempts(pool, clock)

    async def sign_in(self, email: str, password: str, remote: str, *, host: str = "localhost") -> SignedIn:
        """Return a new session's tokens; *remote* is the client's address, *host* the name that it asked for.

        Raises `SignedOutError` alike for an unknown address, a wrong password and a disabled account, or
        `TooManyAttemptsError`, which an unknown address runs into just the same.
        """
        email = email.strip().lower()
        await self._attempts.count(email, remote)
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(SQL["account_find_by_email"], email)
        usable = row if row is not None and not row["disabled"] else None
        if not await self._passwords.verify(password, usable["password_hash"] if usable else None) or usable is None:
            _LOG.info("identity.sign_in_refused", user_id=str(row["id"]) if row is not None else None)
            raise SignedOutError("The address or the password is wrong.")
        await self._attempts.forgive(email, remote)
        account = account_from_row(usable)
        if account.demo:
            check_demo(self._listens_on)
            check_asked(host)
        await self._strengthen(account.id, password, usable["password_hash"])
        return await self._begin(account)

    async def refresh(self, token: str) -> SignedIn:
        """Return the session's next tokens and use *token* up.

        Using it again within ten seconds returns the same successor; later it ends the session, for one of the two
        who hold it is a thief. Raises `SignedOutError`.
        """
        given = RefreshToken.unseal(token, self._refresh_key)
        now = self._clock.now()
        over = SignedOutError("The session is over; sign in again.")
        async with transaction(self._pool) as connection:
            session = await connection.fetchrow(SQL["session_lock"], given.session_id)
            if session is None or session["ended_at"] is not None or session["expires_at"] <= now:
                raise over
            row = await connection.fetchrow(SQL["account_find"], session["account_id"])
            if row is None or row["disabled"]:
                raise over
            stolen = self._is_stolen(given, session)
            if stolen:
                await connection.execute(SQL["session_end"], given.session_id, now, "reused token")
            elif given.generation == session["generation"]:
                await connection.execute(SQL["session_rotate"], given.session_id, now)
        if stolen:
            _LOG.warning("identity.refresh_token_reused", user_id=str(row["id"]), session_id=str(given.session_id))
            # Raised after the commit, or the end of the session would be undone.
            raise SignedOutError("This refresh token was used before, so the session was ended; sign in again.")
        account = account_from_row(row)
        if account.demo:
            check_demo(self._listens_on)
        return await self._tokens(account, RefreshToken(given.session_id, given.generation + 1))

    async def sign_out(self, token: str) -> None:
        """End the session of the refresh *token*; a repeat changes nothing."""
        given = RefreshToken.unseal(token, self._refresh_key)
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["session_end"], given.session_id, self._clock.now(), "signed out")

    async def check_own_password(self, account_id: UUID, password: str, remote: str) -> None:
        """Raise `ForbiddenError` unless *password* is the account's own; tries count like sign-ins."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(SQL["account_find"], account_id)
        if row is None:
            raise SignedOutError("The account is gone.")
        await self._attempts.count(row["email"], remote)
        if not await self._passwords.verify(password, row["password_hash"]):
            raise ForbiddenError("The present password is wrong.")
        await self._attempts.forgive(row["email"], remote)

    def _is_stolen(self, given: RefreshToken, session: asyncpg.Record) -> bool:
        if given.generation == session["generation"]:
            return False
        repeated = given.generation == session["generation"] - 1
        return not (repeated and self._clock.now() - session["rotated_at"] <= REPEAT_WITHIN)

    async def _strengthen(self, account_id: UUID, password: str, hashed: str) -> None:
        """Hash anew what was hashed with weaker parameters than today's."""
        if self._passwords.is_outdated(hashed):
            stronger = await self._passwords.hash(password)
            async with transaction(self._pool) as connection:
                await connection.execute(SQL["account_rehash"], account_id, hashed, stronger)

    async def _begin(self, account: Account) -> SignedIn:
        now, session_id = self._clock.now(), self._new_id()
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["session_forget"], now - SESSION_FOR)
            await connection.execute(SQL["session_insert"], session_id, account.id, now, now + SESSION_FOR)
        _LOG.info("identity.signed_in", user_id=str(account.id), session_id=str(session_id))
        return await self._tokens(account, RefreshToken(session_id, 1))

    async def _tokens(self, account: Account, refresh: RefreshToken) -> SignedIn:
        access = await sign_access_token(self._keys, account.principal, refresh.session_id, self._clock.now())
        expires_in_s = int(ACCESS_FOR.total_seconds())
        return SignedIn(account, access, refresh.seal(self._refresh_key), expires_in_s)
