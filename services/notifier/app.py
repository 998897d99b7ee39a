"""The notifier's composition root: settings in, a service with its routes and loops out; nothing else wires."""

import secrets
from contextlib import AsyncExitStack
from functools import partial
from random import SystemRandom

from services.notifier.api import delivery_routes, message_routes, partner_routes, status_routes, template_routes
from services.notifier.consumers import handlers
from services.notifier.domain.sealing import Seal
from services.notifier.gateways import OpenGate, OutboxGateway, WebhookPoster
from services.notifier.settings import NotifierSettings
from services.notifier.store import PgStore, PgTx
from services.notifier.usecases.inbound import Receiving
from services.notifier.usecases.messages import Sending
from services.notifier.usecases.partners import Secrets
from services.notifier.workers.deliveries import DeliveryLimits, DeliveryLoop
from services.notifier.workers.messages import run_forgetting, run_messages
from services.runtime.clock import Clock
from services.runtime.errors import RejectedError
from services.runtime.figures import health_routes
from services.runtime.http import Limits, build_app
from services.runtime.identity.derivation import derive_key
from services.runtime.identity.principal import Verifier
from services.runtime.ids import NewId, new_id
from services.runtime.messaging import open_messaging
from services.runtime.postgres import Pool, create_pool, migrate
from services.runtime.service import Loop, Service

NAME = "notifier"
PACKAGES = ("services.runtime", "services.notifier")

_MIN_PHONE_KEY_BYTES = 16


async def build(settings: NotifierSettings, clock: Clock, verifier: Verifier, make_id: NewId = new_id) -> Service:
    """Migrate the notifier's schema and return the service, not yet running.

    Raises `RejectedError` for settings that cannot work, `UnavailableError` when PostgreSQL is away.
    """
    seal = Seal(derive_key(settings.secret_key.get_secret_value(), "endpoint-secrets"))
    phone_key = _phone_key(settings)
    url = settings.database_url.get_secret_value()
    await migrate(url, NAME, PACKAGES)
    async with AsyncExitStack() as stack:
        pool = await create_pool(url, NAME, max_size=settings.database_pool_size, application_name="galw-notifier")
        stack.push_async_callback(pool.close)
        poster = WebhookPoster(settings.address_policy, clock, timeout_s=settings.webhook_timeout_s)
        await stack.enter_async_context(poster)
        service = _put_together(settings, pool, poster, seal, phone_key, clock, verifier, make_id)
        stack.push_async_callback(service.close)
        service.close = stack.pop_all().aclose
    return service


def _put_together(
    settings: NotifierSettings,
    pool: Pool,
    poster: WebhookPoster,
    seal: Seal,
    phone_key: bytes,
    clock: Clock,
    verifier: Verifier,
    make_id: NewId,
) -> Service:
    messaging = open_messaging(NAME, settings, pool, handlers(PgTx, phone_key, clock, make_id), clock, make_id)
    store = PgStore(pool, messaging.signal)
    gateway = OutboxGateway()
    sending = Sending({"sms": gateway, "email": gateway}, OpenGate(), settings.organisation, clock, make_id)
    limits = DeliveryLimits(in_hand=settings.webhooks_in_hand, per_endpoint=settings.webhooks_per_endpoint)
    deliveries = DeliveryLoop(store, poster, seal, clock, make_id, partial(SystemRandom().uniform, -1.0, 1.0), limits)
    routes = [
        partner_routes(store, settings.address_policy, Secrets(seal, secrets.token_bytes, make_id)),
        delivery_routes(store, make_id),
        message_routes(store, Receiving(phone_key, settings.stop_scope, make_id)),
        template_routes(store, settings.organisation),
        status_routes(store, clock, lambda: deliveries.in_hand),
        *messaging.routes,
        health_routes(NAME, pool, messaging, messaging.checks, clock),
    ]
    app = build_app(
        NAME,
        routes,
        verifier=verifier,
        clock=clock,
        pool=pool,
        readiness=messaging.checks,
        limits=Limits(trusted_proxies=settings.trusted_proxies),
    )
    loops: list[Loop] = [
        *messaging.loops,
        deliveries.run,
        partial(run_messages, store, sending),
        partial(
            run_forgetting,
            store,
            clock,
            webhooks_kept=settings.webhooks_kept,
            messages_kept=settings.messages_kept,
        ),
    ]
    return Service(NAME, app, loops, messaging.close, messaging.checks)


def _phone_key(settings: NotifierSettings) -> bytes:
    key = settings.phone_key.get_secret_value().encode()
    if len(key) < _MIN_PHONE_KEY_BYTES:
        raise RejectedError(
            f"GALW_PHONE_KEY must have at least {_MIN_PHONE_KEY_BYTES} bytes, the same for every service; make one "
            "with `openssl rand -base64 32` and never change it: numbers that said no could not be found again."
        )
    return key
