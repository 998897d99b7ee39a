"""Signatures, judged by a library that is not ours and by another implementation of Ed25519's input."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.notifier.domain.sealing import NONCE_BYTES, Seal, UnsealError
from services.notifier.domain.signatures import Scheme, Secret, signed_headers

ID = UUID("0198c0de-0000-7000-8000-000000000001")


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the library judges timestamps by the host's clock


@given(st.binary(min_size=24, max_size=64), st.text(max_size=300))
def test_the_reference_library_accepts_v1(material: bytes, text: str) -> None:
    payload = json.dumps({"text": text}, ensure_ascii=False).encode()
    secret = Secret(Scheme.HMAC, material)
    headers = signed_headers([secret], ID, now(), payload)
    assert Webhook(secret.shown()).verify(payload, headers) == {"text": text}


@pytest.mark.parametrize("known", [0, 1])
def test_old_and_new_secret_both_verify_during_a_rotation(known: int) -> None:
    secrets = [Secret(Scheme.HMAC, b"n" * 32), Secret(Scheme.HMAC, b"o" * 32)]
    headers = signed_headers(secrets, ID, now(), b'{"a":1}')
    assert Webhook(secrets[known].shown()).verify(b'{"a":1}', headers) == {"a": 1}


@pytest.mark.parametrize("change", ["payload", "webhook-id", "webhook-timestamp"])
def test_whatever_is_changed_on_the_way_is_noticed(change: str) -> None:
    secret = Secret(Scheme.HMAC, b"k" * 32)
    payload = b'{"a":1}'
    headers = signed_headers([secret], ID, now(), payload)
    if change == "payload":
        payload = b'{"a":2}'
    else:
        headers[change] = str(int(headers[change]) + 1) if change == "webhook-timestamp" else str(UUID(int=1))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.shown()).verify(payload, headers)


def test_v1a_verifies_with_the_public_key_alone() -> None:
    secret = Secret(Scheme.ED25519, bytes(range(32)))
    at = now()
    headers = signed_headers([secret], ID, at, b"{}")
    scheme, _, signature = headers["webhook-signature"].partition(",")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.shown().removeprefix("whpk_")))
    public.verify(base64.b64decode(signature), f"{ID}.{int(at.timestamp())}.".encode() + b"{}")
    assert scheme == "v1a"


def test_the_seed_of_a_key_pair_is_never_shown() -> None:
    seed = bytes(range(32))
    assert base64.b64encode(seed).decode() not in Secret(Scheme.ED25519, seed).shown()


def test_the_timestamp_is_that_of_the_instant_whatever_the_zone() -> None:
    at = datetime.fromisoformat("2026-11-23T12:00:00+09:00")
    headers = signed_headers([Secret(Scheme.HMAC, b"k" * 32)], ID, at, b"{}")
    assert headers["webhook-timestamp"] == "1795402800"


def test_a_sealed_secret_opens_only_with_its_key_and_for_its_endpoint() -> None:
    seal, endpoint, nonce = Seal(b"k" * 32), UUID(int=1), b"n" * NONCE_BYTES
    sealed = seal.seal(b"material", nonce, endpoint)
    assert b"material" not in sealed
    assert seal.open(sealed, endpoint) == b"material"
    with pytest.raises(UnsealError):
        seal.open(sealed, UUID(int=2))
    with pytest.raises(UnsealError):
        Seal(b"x" * 32).open(sealed, endpoint)
    with pytest.raises(UnsealError):
        seal.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), endpoint)
