"""`python -m services.dialer`: the dialer alone, as one process of a distributed Galw."""

import aiohttp
import uvloop

from services.dialer.app import build
from services.dialer.settings import DialerSettings
from services.runtime.clock import SystemClock
from services.runtime.identity.tokens import TokenVerifier
from services.runtime.identity.verifier import HttpKeys
from services.runtime.logging import configure_logging
from services.runtime.service import Stopping, run_service


async def main() -> None:
    """Read the settings, build the dialer and run it until it is told to stop."""
    settings = DialerSettings()  # pyright: ignore[reportCallIssue] - the environment fills it
    configure_logging("dialer", settings.log_level)
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


if __name__ == "__main__":
    uvloop.run(main())
