"""Partners, endpoints and secrets over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

import structlog
from pydantic import BaseModel, Field, StringConstraints

from services.notifier.api.access import MANAGERS, OWNERS, PREFIX, VIEWERS, only_of
from services.notifier.domain.addresses import MAX_URL, AddressPolicy
from services.notifier.domain.partners import MAX_SUBSCRIPTIONS, Endpoint, Partner
from services.notifier.domain.signatures import DEFAULT_GRACE, MAX_GRACE, Scheme
from services.notifier.ports import Store
from services.notifier.usecases.partners import (
    MAX_DESCRIPTION,
    MAX_NAME,
    Draft,
    Secrets,
    check_name,
    create_endpoint,
    edit_endpoint,
    own_endpoint,
    own_partner,
    rotate_secret,
)
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes

_LOG = structlog.get_logger(__name__)

COUNTED = timedelta(hours=24)

Pattern = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class PartnerInput(Input):
    """What a partner is called, and of which campaigns the partner is told."""

    name: str = Field(min_length=1, max_length=MAX_NAME)
    campaign_ids: list[UUID] | None = Field(
        None, max_length=1000, description="Only of these campaigns, and of nothing else; null: of everything."
    )


class PartnerView(BaseModel):
    """A partner."""

    id: UUID
    name: str
    campaign_ids: list[UUID] | None
    created_at: datetime
    version: int

    @classmethod
    def of(cls, one: Partner) -> Self:
        """Show *one*."""
        campaigns = None if one.campaign_ids is None else sorted(one.campaign_ids)
        return cls(id=one.id, name=one.name, campaign_ids=campaigns, created_at=one.created_at, version=one.version)


class EndpointInput(Input):
    """Where webhooks go and which."""

    url: str = Field(min_length=1, max_length=MAX_URL)
    description: str = Field("", max_length=MAX_DESCRIPTION)
    subscriptions: list[Pattern] = Field(
        max_length=MAX_SUBSCRIPTIONS, description="Event types, prefixes such as `dialer.*`, or `*`."
    )
    enabled: bool = True

    @property
    def draft(self) -> Draft:
        """The wish as the use cases take it."""
        return Draft(self.url, self.description, self.subscriptions, self.enabled)


class NewEndpoint(EndpointInput):
    """A new endpoint; its secret is read at `/endpoints/{id}/secrets`."""

    scheme: Scheme = Field(Scheme.HMAC, description="v1: shared secret; v1a: key pair.", strict=False)


class EndpointView(BaseModel):
    """An endpoint, and how many deliveries of the last 24 hours are in which state."""

    id: UUID
    partner_id: UUID
    url: str
    description: str
    subscriptions: list[str]
    enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    failing_since: datetime | None
    failures: int
    deliveries: dict[str, int]
    created_at: datetime
    version: int

    @classmethod
    def of(cls, one: Endpoint, deliveries: dict[str, int] | None = None) -> Self:
        """Show *one*."""
        shown = {name: getattr(one, name) for name in cls.model_fields if name not in ("subscriptions", "deliveries")}
        return cls(**shown, subscriptions=list(one.subscriptions), deliveries=deliveries or {})


class RotateInput(Input):
    """How to change the secret."""

    scheme: Scheme = Field(Scheme.HMAC, strict=False)
    grace_hours: float = Field(
        DEFAULT_GRACE / timedelta(hours=1),
        ge=0,
        le=MAX_GRACE / timedelta(hours=1),
        description="Hours for which the old secret signs along.",
    )


class SecretView(BaseModel):
    """A secret as the receiver needs it: `whsec_…` to verify v1, `whpk_…` (public) to verify v1a."""

    scheme: Scheme
    value: str
    created_at: datetime
    expires_at: datetime | None


def partner_routes(store: Store, policy: AddressPolicy, secrets: Secrets) -> Routes:
    """Return the routes of partners and their endpoints."""
    routes = Routes(prefix=PREFIX, tag="partners")
    after = Cursor(UUID)

    @routes.post("/partners", roles=MANAGERS, status=201, idempotent=True, summary="Make a partner")
    async def post_partner(call: Call, body: PartnerInput) -> Reply[PartnerView]:
        partner = Partner(call.new_id, check_name(body.name), _campaigns(body), call.now)
        async with store.transaction() as tx:
            await tx.partners.add(partner)
        view = PartnerView.of(partner)
        return Reply(view, etag=partner.version, location=f"{PREFIX}/partners/{partner.id}")

    @routes.get("/partners", roles=VIEWERS, summary="List partners")
    async def list_partners(call: Call, query: PageQuery) -> Page[PartnerView]:
        async with store.transaction() as tx:
            found = await tx.partners.page(only_of(call.principal), after.decode(query.cursor), query.limit)
        more = after.encode(found[-1].id) if len(found) == query.limit else None
        return Page(items=[PartnerView.of(one) for one in found], next_cursor=more)

    @routes.get("/partners/{partner_id}", roles=VIEWERS, summary="Read a partner")
    async def get_partner(call: Call, partner_id: UUID) -> Reply[PartnerView]:
        async with store.transaction() as tx:
            found = await own_partner(tx, only_of(call.principal), partner_id)
        return Reply(PartnerView.of(found), etag=found.version)

    @routes.put("/partners/{partner_id}", roles=MANAGERS, if_match=True, summary="Edit a partner")
    async def put_partner(call: Call, partner_id: UUID, body: PartnerInput) -> Reply[PartnerView]:
        expected = call.expected_version()
        async with store.transaction() as tx:
            present = await own_partner(tx, None, partner_id)
            edited = Partner(partner_id, check_name(body.name), _campaigns(body), present.created_at, expected + 1)
            await tx.partners.save(edited, expected)
        return Reply(PartnerView.of(edited), etag=edited.version)

    @routes.get("/partners/{partner_id}/endpoints", roles=VIEWERS, summary="List a partner's endpoints")
    async def list_endpoints(call: Call, partner_id: UUID) -> Page[EndpointView]:
        async with store.transaction() as tx:
            await own_partner(tx, only_of(call.principal), partner_id)
            found = await tx.partners.list_endpoints(partner_id)
            counts = await tx.deliveries.counts([one.id for one in found], call.now - COUNTED)
        return Page(items=[EndpointView.of(one, counts.get(one.id)) for one in found])

    @routes.post(
        "/partners/{partner_id}/endpoints", roles=OWNERS, status=201, idempotent=True, summary="Make an endpoint"
    )
    async def post_endpoint(call: Call, partner_id: UUID, body: NewEndpoint) -> Reply[EndpointView]:
        # The secret is not in the answer: answers to requests with an Idempotency-Key are kept, unsealed.
        made = await create_endpoint(
            store,
            only_of(call.principal),
            partner_id,
            call.new_id,
            body.draft,
            body.scheme,
            policy,
            secrets,
            call.now,
        )
        return Reply(EndpointView.of(made), etag=made.version, location=f"{PREFIX}/endpoints/{made.id}")

    @routes.get("/endpoints/{endpoint_id}", roles=VIEWERS, summary="Read an endpoint")
    async def get_endpoint(call: Call, endpoint_id: UUID) -> Reply[EndpointView]:
        async with store.transaction() as tx:
            found = await own_endpoint(tx, only_of(call.principal), endpoint_id)
            counts = await tx.deliveries.counts([endpoint_id], call.now - COUNTED)
        return Reply(EndpointView.of(found, counts.get(endpoint_id)), etag=found.version)

    @routes.put("/endpoints/{endpoint_id}", roles=OWNERS, if_match=True, summary="Edit, enable or disable an endpoint")
    async def put_endpoint(call: Call, endpoint_id: UUID, body: EndpointInput) -> Reply[EndpointView]:
        edited = await edit_endpoint(
            store, only_of(call.principal), endpoint_id, body.draft, call.expected_version(), policy, call.now
        )
        return Reply(EndpointView.of(edited), etag=edited.version)

    @routes.delete("/endpoints/{endpoint_id}", roles=OWNERS, summary="Remove an endpoint")
    async def delete_endpoint(call: Call, endpoint_id: UUID) -> None:
        async with store.transaction() as tx:
            found = await own_endpoint(tx, only_of(call.principal), endpoint_id, lock=True)
            await tx.partners.remove_endpoint(found.id, call.now)

    @routes.get("/endpoints/{endpoint_id}/secrets", roles=OWNERS, summary="Read the secrets that sign now")
    async def list_secrets(call: Call, endpoint_id: UUID) -> Page[SecretView]:
        async with store.transaction() as tx:
            await own_endpoint(tx, only_of(call.principal), endpoint_id)
            live = await tx.partners.secrets(endpoint_id, call.now)
        _LOG.info("secret.shown", endpoint_id=str(endpoint_id), user_id=str(call.principal.user_id))
        shown = [
            SecretView(
                scheme=one.scheme,
                value=secrets.open(one).shown(),
                created_at=one.created_at,
                expires_at=one.expires_at,
            )
            for one in live
        ]
        return Page(items=shown)

    @routes.post(
        "/endpoints/{endpoint_id}/secrets", roles=OWNERS, idempotent=True, status=204, summary="Change the secret"
    )
    async def post_secret(call: Call, endpoint_id: UUID, body: RotateInput) -> None:
        grace = timedelta(hours=body.grace_hours)
        await rotate_secret(store, only_of(call.principal), endpoint_id, body.scheme, grace, secrets, call.now)

    return routes


def _campaigns(body: PartnerInput) -> frozenset[UUID] | None:
    return None if body.campaign_ids is None else frozenset(body.campaign_ids)
