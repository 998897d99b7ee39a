"""The CRM put together: tables, use cases, routes, handlers and loops; identity is mounted beside them."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import cast

from services.crm import workers
from services.crm.api import audience_routes, consent_routes, contact_routes, import_routes, response_routes
from services.crm.consumers import handlers
from services.crm.ports import PhoneDigest
from services.crm.settings import CrmSettings
from services.crm.store import PgStore
from services.crm.usecases.consents import watermark
from services.events.topics import CRM_CONSENTS
from services.runtime.clock import Clock
from services.runtime.errors import RejectedError
from services.runtime.figures import health_routes
from services.runtime.http import Limits, Routes, build_app
from services.runtime.identity.identity import Identity, open_identity
from services.runtime.identity.routes import identity_routes
from services.runtime.ids import NewId
from services.runtime.messaging import open_messaging
from services.runtime.phone import E164, phone_digest
from services.runtime.postgres import Pool, create_pool, migrate
from services.runtime.service import Loop, Service

NAME = "crm"
PACKAGES = ("services.runtime", "services.crm")

_MIN_KEY_BYTES = 16


async def build(settings: CrmSettings, clock: Clock, new_id: NewId, identity: Identity | None = None) -> Service:
    """Migrate the CRM's schemas and return the service, not yet running.

    Whoever passes *identity*, to share it with other services of the process, closes it too.
    Raises `RejectedError` for settings that cannot work, `UnavailableError` when PostgreSQL is away.
    """
    digest = digest_of(settings.phone_key.get_secret_value())
    url = settings.database_url.get_secret_value()
    await migrate(url, NAME, PACKAGES)
    async with AsyncExitStack() as stack:
        pool = await create_pool(url, NAME, max_size=settings.database_pool_size, application_name="galw-crm")
        stack.push_async_callback(pool.close)
        if identity is None:
            secret = settings.secret_key.get_secret_value()
            identity = await open_identity(url, secret, clock, listens_on=settings.http_host)
            stack.push_async_callback(identity.close)
        service = _put_together(settings, pool, identity, digest, clock, new_id)
        stack.push_async_callback(service.close)
        service.close = stack.pop_all().aclose
    return service


def _put_together(
    settings: CrmSettings, pool: Pool, identity: Identity, digest: PhoneDigest, clock: Clock, new_id: NewId
) -> Service:
    consuming = PgStore(pool, digest, new_id)
    messaging = open_messaging(
        NAME,
        settings,
        pool,
        handlers(consuming.on, clock),
        clock,
        new_id,
        watermarks={CRM_CONSENTS.name: watermark},
    )
    store = PgStore(pool, digest, new_id, messaging.signal)
    health = health_routes(NAME, pool, messaging, messaging.checks, clock)
    routes = [*crm_routes(store, digest), *messaging.routes, *identity_routes(identity), health]
    app = build_app(
        NAME,
        routes,
        verifier=identity.verifier,
        clock=clock,
        pool=pool,
        readiness=messaging.checks,
        limits=Limits(trusted_proxies=settings.trusted_proxies),
    )
    loops: list[Loop] = [
        *messaging.loops,
        partial(workers.run_imports, store, clock, new_id),
        partial(workers.run_walks, store, digest, clock),
        partial(workers.run_due, store, digest, clock),
        partial(workers.run_tidying, store, clock),
    ]
    return Service(NAME, app, loops, messaging.close, messaging.checks)


def crm_routes(store: PgStore, digest: PhoneDigest) -> Sequence[Routes]:
    """Return every route of the CRM itself."""
    return (
        contact_routes(store),
        consent_routes(store, digest),
        audience_routes(store),
        import_routes(store),
        response_routes(store),
    )


def digest_of(key: str) -> PhoneDigest:
    """Return the digest that all services of the deployment share; `RejectedError` for a key that hides nothing."""
    if len(key.encode()) < _MIN_KEY_BYTES:
        raise RejectedError(
            f"GALW_PHONE_KEY must have at least {_MIN_KEY_BYTES} bytes, the same for every service; make one with "
            "`openssl rand -base64 32` and never change it: numbers on the no-call list could not be found again."
        )
    return lambda number: phone_digest(key.encode(), cast("E164", number))
