"""Secrets at rest: sealed with a key that is derived from `GALW_SECRET_KEY` and never stored."""

from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.runtime.errors import GalwError

NONCE_BYTES = 12


class UnsealError(GalwError):
    """A sealed secret does not open: it was sealed under another `GALW_SECRET_KEY`, or for another endpoint."""

    code = "unseal"


class Seal:
    """Seals and opens secrets (AES-256-GCM); each is bound to its endpoint, so that rows cannot be exchanged."""

    def __init__(self, key: bytes) -> None:
        """Seal with *key*, 32 bytes that serve no other purpose."""
        self._cipher = AESGCM(key)

    def seal(self, material: bytes, nonce: bytes, endpoint_id: UUID) -> bytes:
        """Return *material* sealed for *endpoint_id*; *nonce* is fresh randomness of `NONCE_BYTES`."""
        return nonce + self._cipher.encrypt(nonce, material, endpoint_id.bytes)

    def open(self, sealed: bytes, endpoint_id: UUID) -> bytes:
        """Return the material; raise `UnsealError`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], endpoint_id.bytes)
        except InvalidTag as error:
            message = "The endpoint's secret cannot be opened. Was GALW_SECRET_KEY changed? Rotate the secret."
            raise UnsealError(message) from error
