"""Signing keys: made, sealed, published ahead, rotated; several instances share them through PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from services.runtime.clock import Clock
from services.runtime.errors import RejectedError
from services.runtime.identity.derivation import derive_key
from services.runtime.postgres import Connection, Pool, transaction
from services.runtime.sql import load_sql

SQL = load_sql("services.runtime.identity")

PublicKey = dict[str, Any]
"""One public JWK with its `kid`."""

ROTATED_EVERY = timedelta(days=30)
# Verifiers ask again every ten minutes, so a key is known everywhere before it signs anything.
PUBLISHED_AHEAD = timedelta(minutes=20)


class PublicKeys(Protocol):
    """Where a verifier gets the public keys from: PostgreSQL in the same process, else `/api/identity/jwks`."""

    async def fetch(self) -> Sequence[PublicKey]:
        """Return all keys that may have signed a token that still counts; raise `UnavailableError`."""
        ...


@dataclass(frozen=True, slots=True)
class _SigningKey:
    key: ECKey
    created_at: datetime


class SigningKeys:
    """The keys of this deployment; `current` signs, `fetch` publishes."""

    def __init__(self, pool: Pool, secret: str, clock: Clock) -> None:
        """*pool* sees the schema `identity`; *secret* is GALW_SECRET_KEY."""
        self._pool = pool
        self._clock = clock
        self._sealing = OctKey.import_key(derive_key(secret, "signing keys"))
        self._known: tuple[_SigningKey, ...] = ()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def current(self) -> ECKey:
        """Return the key to sign with: the newest that everybody has had time to learn of."""
        keys = await self._keys()
        known_everywhere = self._clock.now() - PUBLISHED_AHEAD
        # The very first key has nobody before it, so it signs at once.
        return next((one.key for one in keys if one.created_at <= known_everywhere), keys[-1].key)

    async def fetch(self) -> Sequence[PublicKey]:
        """Return the public halves, the newest first."""
        return [{**one.key.as_dict(private=False), "alg": "ES256", "use": "sig"} for one in await self._keys()]

    async def replace_all(self) -> None:
        """Forget every key and make a new one: all access tokens stop to count within ten minutes.

        For a lost GALW_SECRET_KEY or a leaked key.
        """
        async with transaction(self._pool) as connection:
            await connection.execute(SQL["signing_key_lock"])
            await connection.execute(SQL["signing_key_forget"], 0)
            await self._make(connection)
        self._read_at = None

    async def _keys(self) -> tuple[_SigningKey, ...]:
        async with self._reading:
            if self._read_at is None or self._clock.monotonic() - self._read_at > 60:
                self._known = await self._read_and_rotate()
                self._read_at = self._clock.monotonic()
        return self._known

    async def _read_and_rotate(self) -> tuple[_SigningKey, ...]:
        now = self._clock.now()
        async with transaction(self._pool) as connection:
            keys = await self._read(connection)
            if keys and keys[0].created_at > now - ROTATED_EVERY:
                return keys
            await connection.execute(SQL["signing_key_lock"])
            keys = await self._read(connection)  # another instance may have made one while this one waited
            if not keys or keys[0].created_at <= now - ROTATED_EVERY:
                await self._make(connection)
                # The one before still signs until the new one is known everywhere, and its tokens live on a while.
                await connection.execute(SQL["signing_key_forget"], 2)
                keys = await self._read(connection)
            return keys

    async def _read(self, connection: Connection) -> tuple[_SigningKey, ...]:
        rows = await connection.fetch(SQL["signing_key_list"])
        return tuple(_SigningKey(self._unsealed(row["sealed"]), row["created_at"]) for row in rows)

    async def _make(self, connection: Connection) -> None:
        key = ECKey.generate_key("P-256", auto_kid=True)
        private = orjson.dumps(key.as_dict(private=True))
        sealed = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, private, self._sealing)
        public = key.as_dict(private=False)
        await connection.execute(SQL["signing_key_insert"], key.kid, public, sealed, self._clock.now())

    def _unsealed(self, sealed: str) -> ECKey:
        try:
            opened = jwe.decrypt_compact(sealed, self._sealing, algorithms=["dir", "A256GCM"])
        except (JoseError, ValueError) as error:
            raise RejectedError(
                "GALW_SECRET_KEY is not the one that the signing keys in the database were encrypted with: restore it, "
                "or make new keys with `galw admin new-keys` (everybody then signs in again)."
            ) from error
        return ECKey.import_key(orjson.loads(opened.plaintext or b""))
