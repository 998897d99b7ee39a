"""Access tokens (ES256, ten minutes, verified without asking) and refresh tokens (single use, never stored)."""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict, ValidationError

from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.identity.keys import PublicKeys, SigningKeys
from services.runtime.identity.principal import Principal, Role, SignedOutError

ACCESS_FOR = timedelta(minutes=10)
ISSUER = "galw"
# Clocks of two hosts differ; a token is accepted so much after its end and before its beginning.
_LEEWAY_S = 5


class _Claims(BaseModel):
    """What an access token states."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    aud: str
    sub: UUID
    sid: UUID
    iat: int
    exp: int
    name: str
    roles: frozenset[Role]
    partner_id: UUID | None = None
    team_ids: frozenset[UUID] = frozenset()


async def sign_access_token(keys: SigningKeys, principal: Principal, session_id: UUID, now: datetime) -> str:
    """Return a token that says who *principal* is, until ten minutes from *now*."""
    key = await keys.current()
    claims = _Claims(
        iss=ISSUER,
        aud=ISSUER,
        sub=principal.user_id,
        sid=session_id,
        iat=int(now.timestamp()),
        exp=int((now + ACCESS_FOR).timestamp()),
        name=principal.name,
        roles=principal.roles,
        partner_id=principal.partner_id,
        team_ids=principal.team_ids,
    )
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    return jws.serialize_compact(header, claims.model_dump_json(exclude_none=True), key)


class TokenVerifier:
    """Verifies access tokens with cached public keys: no request to anybody but when a key is new.

    An outage of the key source changes nothing for tokens whose key is known.
    """

    # Asked again so often at most when a token names an unknown key: strangers can invent key ids.
    _ASK_AGAIN_S = 5.0
    _ASK_ANYWAY_S = 600.0
    # Verified tokens: an operator's browser sends the same one for ten minutes, and a look-up is 100 times cheaper.
    _REMEMBERED = 4096

    def __init__(self, source: PublicKeys, clock: Clock) -> None:
        """Ask *source* for keys, first when the first token comes."""
        self._source = source
        self._clock = clock
        self._keys: dict[str, ECKey] = {}
        self._asked_at = -self._ASK_ANYWAY_S
        self._asking = asyncio.Lock()
        self._verified: OrderedDict[bytes, _Claims] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Return whose *token* it is; raise `SignedOutError` or, without any keys, `UnavailableError`."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = await self._read(token)
            self._remember(digest, claims)
        now = self._clock.now().timestamp()
        if not claims.iat - _LEEWAY_S <= now < claims.exp + _LEEWAY_S:
            raise SignedOutError("The access token has expired; refresh it or sign in again.")
        return Principal(claims.sub, claims.roles, claims.name, claims.partner_id, claims.team_ids)

    def _remember(self, digest: bytes, claims: _Claims) -> None:
        self._verified[digest] = claims
        if len(self._verified) > self._REMEMBERED:
            self._verified.popitem(last=False)

    async def _read(self, token: str) -> _Claims:
        refused = SignedOutError("The access token is not one of ours; sign in again.")
        try:
            header = orjson.loads(_unpadded(token.partition(".")[0]))
            key = await self._key(header["kid"])
            if key is None or header.get("typ") != "at+jwt":
                raise refused
            opened = jws.deserialize_compact(token, key, algorithms=["ES256"])
            claims = _Claims.model_validate_json(opened.payload)
        except (JoseError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise refused from error
        if (claims.iss, claims.aud) != (ISSUER, ISSUER):
            raise refused
        return claims

    async def _key(self, kid: str) -> ECKey | None:
        age = self._clock.monotonic() - self._asked_at
        if age > self._ASK_ANYWAY_S or (kid not in self._keys and age > self._ASK_AGAIN_S):
            await self._ask()
        return self._keys.get(kid)

    async def _ask(self) -> None:
        asked_at = self._asked_at
        async with self._asking:
            if self._asked_at != asked_at:
                return  # somebody else has just asked
            try:
                found = await self._source.fetch()
            except UnavailableError:
                if not self._keys:
                    raise
                found = None
            self._asked_at = self._clock.monotonic()
            if found is not None:
                self._keys = {one["kid"]: ECKey.import_key(one) for one in found}
                self._verified.clear()


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The *generation*-th refresh token of a session.

    It is a signed number, not a stored secret: a copy of the database is of no use to a thief, and a repeated request
    gets the very same successor.
    """

    session_id: UUID
    generation: int

    def seal(self, key: bytes) -> str:
        """Return the token as the client keeps it."""
        body = self.session_id.bytes + self.generation.to_bytes(8, "big")
        mac = hmac.new(key, body, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(body + mac).decode().rstrip("=")

    @classmethod
    def unseal(cls, token: str, key: bytes) -> "RefreshToken":
        """Return what the client sent back; raise `SignedOutError` unless we made it."""
        try:
            raw = _unpadded(token)
        except (binascii.Error, ValueError) as error:
            raise SignedOutError("The refresh token is not one of ours; sign in again.") from error
        body, mac = raw[:24], raw[24:]
        if not hmac.compare_digest(mac, hmac.new(key, body, hashlib.sha256).digest()):
            raise SignedOutError("The refresh token is not one of ours; sign in again.")
        return cls(UUID(bytes=body[:16]), int.from_bytes(body[16:], "big"))


def _unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
