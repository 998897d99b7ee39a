"""Follows what any instance puts in force, so that a pack's new version decides everywhere within seconds."""

import structlog

from services.dialer.domain.gate.nodes import PackError
from services.dialer.usecases.packs import PackShelf
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError

log = structlog.get_logger()

LOOK_EVERY_S = 1.0


async def run_pack_watch(shelf: PackShelf, clock: Clock) -> None:
    """Look for new packs for ever; packs that this version of Galw cannot read leave in force what is."""
    told = ""
    while True:
        await clock.sleep(LOOK_EVERY_S)
        try:
            await shelf.refresh()
        except PackError as error:
            if str(error) != told:
                log.warning("packs.refused", problems=str(error))
            told = str(error)
        except UnavailableError:
            continue
