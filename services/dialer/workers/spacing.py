"""Dials on one trunk never closer together than its calls per second allow, whatever held them up.

Each reservation has a slot of its own, so calls are spread when they are reserved. A stall (of the database, of the
event loop) makes several slots pass at once; without this, all their dials would then be sent in the same instant.
What an instance catches up on comes beside the slots of others on the same trunk: those it cannot know of.
"""

from services.runtime.clock import Clock


class Spacing:
    """Lets one after another through, at least so many seconds apart."""

    def __init__(self, clock: Clock) -> None:
        """Let the first through at once."""
        self._clock = clock
        self._next_at = clock.monotonic()

    async def wait(self, apart_s: float) -> None:
        """Return when it is this caller's turn; callers are served in the order in which they came."""
        now = self._clock.monotonic()
        turn_at = max(now, self._next_at)
        self._next_at = turn_at + apart_s
        if turn_at > now:
            await self._clock.sleep(turn_at - now)


class TrunkSpacing:
    """Spaces the commits before the dials of a trunk, and once more the dials themselves.

    The first keeps a queue from standing between a commit and its dial, which must follow within a second; the second
    is what the carrier sees.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with nobody in the queue."""
        self.commits = Spacing(clock)
        self.dials = Spacing(clock)
