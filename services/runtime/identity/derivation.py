"""Keys for separate purposes, all derived from GALW_SECRET_KEY, so that one secret is kept and none is used twice."""

import hashlib
import hmac

from services.runtime.errors import RejectedError

_LEAST_CHARACTERS = 32


def derive_key(secret: str, purpose: str) -> bytes:
    """Return the 32-byte key for *purpose*; the same secret and purpose give the same key in every process.

    Raises `RejectedError` for a secret too short to be one.
    """
    if len(secret) < _LEAST_CHARACTERS:
        raise RejectedError(
            f"GALW_SECRET_KEY has {len(secret)} characters; expected at least {_LEAST_CHARACTERS} random ones, "
            "for example from: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return hmac.new(secret.encode(), b"galw " + purpose.encode(), hashlib.sha256).digest()
