"""The CRM as a process of its own."""

import sys

import uvloop

from services.crm.app import NAME, build
from services.crm.settings import CrmSettings
from services.runtime.clock import SystemClock
from services.runtime.errors import GalwError
from services.runtime.ids import new_id
from services.runtime.logging import configure_logging
from services.runtime.service import Stopping, run_service
from services.runtime.tracing import configure_tracing


async def run(settings: CrmSettings) -> None:
    """Serve until told to stop."""
    service = await build(settings, SystemClock(), new_id)
    stopping = Stopping()
    await run_service(
        [service],
        host=settings.http_host,
        port=settings.http_port,
        stopping=stopping,
        stop_timeout_s=settings.stop_timeout_s,
    )


def main() -> None:
    """Read the settings and run; what cannot work is said in one sentence."""
    settings = CrmSettings()  # pyright: ignore[reportCallIssue]
    configure_logging(NAME, settings.log_level)
    configure_tracing(NAME)
    try:
        uvloop.run(run(settings))
    except GalwError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
