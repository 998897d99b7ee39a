"""The services in one process and on one port: the same applications, consumers and loops as apart."""

import sys

import uvloop

from services.crm import app as crm
from services.crm.settings import CrmSettings
from services.dialer import app as dialer
from services.dialer.settings import DialerSettings
from services.notifier import app as notifier
from services.notifier.settings import NotifierSettings
from services.runtime.clock import SystemClock
from services.runtime.errors import GalwError
from services.runtime.http import combine
from services.runtime.identity.identity import open_identity
from services.runtime.ids import new_id
from services.runtime.logging import configure_logging
from services.runtime.service import Service, Stopping, run_service
from services.runtime.tracing import configure_tracing


async def run() -> None:
    """Build the services around one identity and run them until told to stop."""
    settings = CrmSettings()  # pyright: ignore[reportCallIssue] - the environment fills it
    configure_logging("galw", settings.log_level)
    configure_tracing("galw")
    clock = SystemClock()
    url, secret = settings.database_url.get_secret_value(), settings.secret_key.get_secret_value()
    identity = await open_identity(url, secret, clock, listens_on=settings.http_host)
    services: list[Service] = []
    try:
        services.append(await dialer.build(DialerSettings(), clock, identity.verifier))  # pyright: ignore[reportCallIssue]
        services.append(await crm.build(settings, clock, new_id, identity))
        services.append(await notifier.build(NotifierSettings(), clock, identity.verifier))  # pyright: ignore[reportCallIssue]
        await run_service(
            services,
            app=combine([service.app for service in services]),
            host=settings.http_host,
            port=settings.http_port,
            stopping=Stopping(),
            stop_timeout_s=settings.stop_timeout_s,
        )
    finally:
        await identity.close()


def main() -> None:
    """Run, and say in one sentence what cannot work."""
    try:
        uvloop.run(run())
    except GalwError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
