"""Standard Webhooks signatures: `v1` (HMAC-SHA256, a shared secret) and `v1a` (Ed25519, a key pair)."""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_BYTES = 32
"""Random bytes of a secret: the specification asks for 24 to 64; an Ed25519 seed has exactly 32."""

MAX_GRACE = timedelta(days=7)
"""An old secret signs along for at most so long after a rotation."""

DEFAULT_GRACE = timedelta(hours=24)

MAX_LIVE_SECRETS = 5
"""Secrets that sign at once, old ones included: each adds a signature to every header."""


class Scheme(StrEnum):
    """How an endpoint's webhooks are signed."""

    HMAC = "v1"
    ED25519 = "v1a"


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret of an endpoint; *material* is the HMAC key or the Ed25519 seed."""

    scheme: Scheme
    material: bytes

    def shown(self) -> str:
        """Return what the receiver needs: the shared secret (`whsec_`) or the public key (`whpk_`), never a seed."""
        if self.scheme is Scheme.HMAC:
            return "whsec_" + base64.b64encode(self.material).decode()
        public = Ed25519PrivateKey.from_private_bytes(self.material).public_key().public_bytes_raw()
        return "whpk_" + base64.b64encode(public).decode()

    def sign(self, content: bytes) -> str:
        """Return the signature of *content* with its scheme in front."""
        if self.scheme is Scheme.HMAC:
            signature = hmac.digest(self.material, content, "sha256")
        else:
            signature = Ed25519PrivateKey.from_private_bytes(self.material).sign(content)
        return f"{self.scheme.value},{base64.b64encode(signature).decode()}"


def signed_headers(secrets: Sequence[Secret], webhook_id: UUID, at: datetime, payload: bytes) -> dict[str, str]:
    """Return the three headers for an attempt made *at*; every live secret signs, the newest first."""
    timestamp = int(at.timestamp())
    content = f"{webhook_id}.{timestamp}.".encode() + payload
    return {
        "webhook-id": str(webhook_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(secret.sign(content) for secret in secrets),
    }
