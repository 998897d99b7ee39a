"""`python -m services.dialer`: the dialer alone, as one process of a distributed Galw."""

import sys

import aiohttp
import uvloop

from services.dialer.app import SCHEMA, build
from services.dialer.settings import DialerSettings
from services.runtime.clock import SystemClock
from services.runtime.errors import GalwError
from services.runtime.identity.tokens import TokenVerifier
from services.runtime.identity.verifier import HttpKeys
from services.runtime.logging import configure_logging
from services.runtime.service import Stopping, run_service
from services.runtime.tracing import configure_tracing


async def run(settings: DialerSettings) -> None:
    """Build the dialer and run it until it is told to stop."""
    clock = SystemClock()
    async with aiohttp.ClientSession(trust_env=False) as session:
        keys_url = f"{settings.identity_url or settings.public_url}/api/identity/jwks"
        verifier = TokenVerifier(HttpKeys(keys_url, session), clock)
        service = await build(settings, clock, verifier)
        await run_service(
            [service],
            host=settings.http_host,
            port=settings.http_port,
            stopping=Stopping(),
            stop_timeout_s=settings.stop_timeout_s,
        )


def main() -> None:
    """Read the settings and run; what cannot work is said in one sentence."""
    settings = DialerSettings()  # pyright: ignore[reportCallIssue] - the environment fills it
    configure_logging(SCHEMA, settings.log_level)
    configure_tracing(SCHEMA)
    try:
        uvloop.run(run(settings))
    except GalwError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
