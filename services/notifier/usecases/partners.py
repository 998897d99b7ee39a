"""Partners and their endpoints. *only* limits a caller to one partner: what belongs to others is not found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.domain.addresses import AddressPolicy, check_url
from services.notifier.domain.partners import Endpoint, Partner, check_subscriptions
from services.notifier.domain.sealing import NONCE_BYTES, Seal
from services.notifier.domain.signatures import MAX_LIVE_SECRETS, SECRET_BYTES, Scheme, Secret
from services.notifier.ports import RandomBytes, SealedSecret, Store, Tx
from services.runtime.errors import ConflictError, NotFoundError, PreconditionError, RejectedError
from services.runtime.ids import NewId

MAX_ENDPOINTS = 20
"""Endpoints of one partner: every event is sent to each of them."""

MAX_NAME = 200
MAX_DESCRIPTION = 1_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What the caller wants an endpoint to be."""

    url: str
    description: str
    subscriptions: Sequence[str]
    enabled: bool


class Secrets:
    """Makes, seals and opens the secrets of endpoints."""

    def __init__(self, seal: Seal, random_bytes: RandomBytes, new_id: NewId) -> None:
        """Seal with *seal*; both secrets and nonces come from *random_bytes*."""
        self._seal = seal
        self._random = random_bytes
        self._new_id = new_id

    def make(self, endpoint_id: UUID, scheme: Scheme, now: datetime) -> SealedSecret:
        """Return a fresh secret, sealed."""
        sealed = self._seal.seal(self._random(SECRET_BYTES), self._random(NONCE_BYTES), endpoint_id)
        return SealedSecret(self._new_id(), endpoint_id, scheme, sealed, now)

    def open(self, sealed: SealedSecret) -> Secret:
        """Return the secret; raise `UnsealError`."""
        return Secret(sealed.scheme, self._seal.open(sealed.sealed, sealed.endpoint_id))


async def own_partner(tx: Tx, only: UUID | None, partner_id: UUID) -> Partner:
    """Return the partner, or raise `NotFoundError`, also for one the caller may not see."""
    partner = await tx.partners.find(partner_id) if only in (None, partner_id) else None
    if partner is None:
        raise NotFoundError(f"There is no partner {partner_id}.")
    return partner


async def own_endpoint(tx: Tx, only: UUID | None, endpoint_id: UUID, *, lock: bool = False) -> Endpoint:
    """Return the endpoint, or raise `NotFoundError`, also for one the caller may not see."""
    endpoint = await tx.partners.find_endpoint(endpoint_id, lock=lock)
    if endpoint is None or only not in (None, endpoint.partner_id):
        raise NotFoundError(f"There is no endpoint {endpoint_id}.")
    return endpoint


async def create_endpoint(
    store: Store,
    only: UUID | None,
    partner_id: UUID,
    endpoint_id: UUID,
    draft: Draft,
    scheme: Scheme,
    policy: AddressPolicy,
    secrets: Secrets,
    now: datetime,
) -> Endpoint:
    """Make an endpoint with its first secret; it is told of events from now on."""
    sealed = secrets.make(endpoint_id, scheme, now)
    async with store.transaction() as tx:
        partner = await own_partner(tx, only, partner_id)
        endpoints = await tx.partners.list_endpoints(partner.id)
        if len(endpoints) >= MAX_ENDPOINTS and all(one.id != endpoint_id for one in endpoints):
            raise ConflictError(f"A partner has at most {MAX_ENDPOINTS} endpoints; remove one first.")
        endpoint = _drafted(
            Endpoint(endpoint_id, partner.id, "", "", (), now), draft, policy, now, by_hand="Created disabled."
        )
        await tx.partners.add_endpoint(endpoint)
        await tx.partners.add_secret(sealed)
    return endpoint


async def edit_endpoint(
    store: Store,
    only: UUID | None,
    endpoint_id: UUID,
    draft: Draft,
    expected_version: int,
    policy: AddressPolicy,
    now: datetime,
) -> Endpoint:
    """Change an endpoint. Enabling forgives past failures; what was held meanwhile waits for a replay."""
    async with store.transaction() as tx:
        endpoint = await own_endpoint(tx, only, endpoint_id, lock=True)
        if endpoint.version != expected_version:
            raise PreconditionError("The endpoint was changed in the meantime; read it again.")
        edited = _drafted(endpoint, draft, policy, now, by_hand="Disabled by hand.")
        await tx.partners.save_endpoint(edited)
        if not edited.enabled:
            await tx.deliveries.hold(edited.id)
    return replace(edited, version=edited.version + 1)


def _drafted(endpoint: Endpoint, draft: Draft, policy: AddressPolicy, now: datetime, *, by_hand: str) -> Endpoint:
    edited = replace(
        endpoint,
        # An address that stays is not judged anew: the policy may have become stricter, and dialing asks it anyway.
        url=draft.url if draft.url == endpoint.url else check_url(draft.url, policy),
        description=draft.description,
        subscriptions=check_subscriptions(draft.subscriptions),
    )
    if draft.enabled == endpoint.enabled:
        return edited
    if draft.enabled:
        return replace(edited, enabled=True, disabled_reason=None, disabled_at=None, failing_since=None, failures=0)
    return replace(edited, enabled=False, disabled_reason=by_hand, disabled_at=now)


async def rotate_secret(
    store: Store,
    only: UUID | None,
    endpoint_id: UUID,
    scheme: Scheme,
    grace: timedelta,
    secrets: Secrets,
    now: datetime,
) -> None:
    """Make a new secret; the old one signs along for *grace*, so that the receiver can change over in peace."""
    sealed = secrets.make(endpoint_id, scheme, now)
    async with store.transaction() as tx:
        await own_endpoint(tx, only, endpoint_id, lock=True)
        live = await tx.partners.secrets(endpoint_id, now)
        if len(live) >= MAX_LIVE_SECRETS and grace > timedelta(0):
            raise ConflictError(f"{len(live)} secrets sign at present; wait until one ends or rotate without grace.")
        await tx.partners.retire_secret(endpoint_id, now + grace)
        await tx.partners.add_secret(sealed)


def check_name(name: str) -> str:
    """Return *name* trimmed; raise `RejectedError` when nothing remains."""
    trimmed = " ".join(name.split())
    if not trimmed:
        raise RejectedError("The name is empty; expected what people call the partner.")
    return trimmed
