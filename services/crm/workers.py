"""The loops that the CRM starts itself: reading imports, enrolling, and forgetting what is old."""

from collections.abc import Awaitable, Callable

import structlog

from services.crm.ports import PhoneDigest, Store
from services.crm.usecases.consents import expire_suppressions
from services.crm.usecases.enrolment import enrol_due, walk_once
from services.crm.usecases.imports import expire_imports, import_next
from services.runtime.clock import Clock
from services.runtime.errors import ConflictError, UnavailableError
from services.runtime.ids import NewId

_LOG = structlog.get_logger(__name__)

IDLE_S = 1.0
"""Between looks at an empty list: one indexed query per second and loop."""

TIDY_S = 600.0


async def run_imports(store: Store, clock: Clock, new_id: NewId) -> None:
    """Read imports, one at a time, for ever."""
    await _run("imports", lambda: import_next(store, clock, new_id), clock, IDLE_S)


async def run_walks(store: Store, digest: PhoneDigest, clock: Clock) -> None:
    """Enrol the audiences of launched campaigns for ever."""
    await _run("walks", lambda: walk_once(store, digest, clock.now()), clock, IDLE_S)


async def run_due(store: Store, digest: PhoneDigest, clock: Clock) -> None:
    """Enrol people who come to match for ever."""
    await _run("due", lambda: enrol_due(store, digest, clock.now()), clock, IDLE_S)


async def run_tidying(store: Store, clock: Clock) -> None:
    """Forget cut-off uploads, old problems and suppressions that were for a time only, for ever."""

    async def tidy() -> bool:
        await expire_suppressions(store, clock.now())
        await expire_imports(store, clock)
        return False

    await _run("tidying", tidy, clock, TIDY_S)


async def _run(name: str, step: Callable[[], Awaitable[bool]], clock: Clock, idle_s: float) -> None:
    """Repeat *step*: at once while it finds work, else after *idle_s*; an outage or a lost race is waited out."""
    while True:
        try:
            busy = await step()
        except UnavailableError as error:
            _LOG.warning("crm.loop_waits", loop=name, reason=error.message)
            await clock.sleep(error.retry_after_s)
            continue
        except ConflictError as error:
            # Somebody else was faster, for example a person made by hand during an import; the next look sees it.
            _LOG.info("crm.loop_repeats", loop=name, reason=error.message)
            busy = False
        if not busy:
            await clock.sleep(idle_s)
