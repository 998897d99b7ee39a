"""How often somebody may try to sign in: per account and per network address, kept in PostgreSQL for all instances."""

import hashlib
import math
from datetime import datetime, timedelta

from services.runtime.clock import Clock
from services.runtime.http.problems import RequestError
from services.runtime.identity.keys import SQL
from services.runtime.postgres import Connection, Pool, transaction

FAILURES_PER_ACCOUNT = 5
# Many people sign in from one office.
FAILURES_PER_ADDRESS = 50
_KEPT = timedelta(days=1)


class TooManyAttemptsError(RequestError):
    """Too many failed sign-ins; the message says how long to wait."""

    def __init__(self, until: datetime, now: datetime) -> None:
        """Locked *until*."""
        seconds = max(1, math.ceil((until - now).total_seconds()))
        message = f"Too many failed sign-ins. Try again in {seconds} seconds."
        super().__init__(429, "too-many-attempts", message, headers={"Retry-After": str(seconds)})


class Attempts:
    """Counts tries; beyond the limit each failure locks twice as long, 15 seconds to 16 minutes. An hour forgets."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        """*pool* sees the schema `identity`."""
        self._pool = pool
        self._clock = clock

    async def count(self, email: str, remote: str) -> None:
        """Count a failure before the password is looked at, so that a thousand tries at once are still a thousand.

        Raises `TooManyAttemptsError`, for addresses without an account just the same.
        """
        now = self._clock.now()
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["attempt_forget"], now - _KEPT)
            until = await _count(connection, _of_account(email), FAILURES_PER_ACCOUNT, now)
            until = until or await _count(connection, _of_address(remote), FAILURES_PER_ADDRESS, now)
        if until is not None:
            raise TooManyAttemptsError(until, now)

    async def forgive(self, email: str, remote: str) -> None:
        """Take back the last count after a success: for the account with all before it, for the address alone."""
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["attempt_forgive"], _of_account(email), True)
            await connection.execute(SQL["attempt_forgive"], _of_address(remote), False)


def _of_account(email: str) -> str:
    # A digest, because strangers type the addresses of other strangers.
    return "account:" + hashlib.sha256(email.encode()).hexdigest()


def _of_address(remote: str) -> str:
    return f"address:{remote}"


async def _count(connection: Connection, subject: str, limit: int, now: datetime) -> datetime | None:
    if await connection.fetchval(SQL["attempt_count"], subject, now, limit) is not None:
        return None
    return await connection.fetchval(SQL["attempt_find"], subject) or now
