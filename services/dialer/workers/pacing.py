"""Pacing of a running pool: decides on every signal, keeps what it learned in the store, and a diary of its decisions.

What was learned is stored with the fence of the pool every few seconds, so that the next owner goes on with it. A
second policy may run beside the first, in the shadow: it sees the same floor and nobody acts on what it says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from services.dialer.domain.pacing import Decision, Floor, Mode, Policy
from services.dialer.ports import DiaryEntry, Fence, PoolStore
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError

log = structlog.get_logger()

SAVE_EVERY_S = 2.0
RESTRICTED = "The rules ask for an operator before each call. "
DIARY_EVERY = timedelta(seconds=1)
"""Decisions come many times a second; the diary keeps one a second, and each that placed lines for new reasons."""


class LearningPolicy(Policy, Protocol):
    """A policy whose knowledge outlives its process."""

    def to_state(self) -> dict[str, Any]:
        """Return all it knows as plain JSON values."""
        ...


MakePacer = Callable[[Mapping[str, Any] | None], LearningPolicy]
"""Makes a policy that goes on from a stored state; raises ValueError when the state is of another version."""


@dataclass(slots=True)
class _Diary:
    """What was decided and not stored yet."""

    entries: list[DiaryEntry]
    last_at: datetime | None = None
    last_dial: Mapping[str, int] | None = None

    def note(self, at: datetime, decision: Decision, shadow: Mapping[str, int]) -> None:
        placed = {key: count for key, count in decision.dial.items() if count}
        due = self.last_at is None or at - self.last_at >= DIARY_EVERY
        if due or (placed and placed != self.last_dial):
            self.entries.append(DiaryEntry(at, dict(decision.dial), dict(decision.explain), dict(shadow)))
            self.last_at, self.last_dial = at, placed


class PacingDesk:
    """One pool's pacing, from the first decision of an owner to its last."""

    def __init__(self, fence: Fence, store: PoolStore, make: MakePacer, clock: Clock) -> None:
        """Know nothing until `load`."""
        self.decision: Decision | None = None
        self._fence = fence
        self._store = store
        self._make = make
        self._clock = clock
        self._policy = make(None)
        self._shadow: tuple[Mode, LearningPolicy] | None = None
        self._diary = _Diary([])
        self._changed = False

    async def load(self) -> None:
        """Go on with what the last owner learned; knowledge of another version is dropped with a word in the log."""
        try:
            state = await self._store.load_pacing(self._fence.pool_id)
            self._policy = self._make(state)
        except UnavailableError as error:
            log.warning("pacing.not_loaded", error=error.message)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("pacing.state_dropped", reason=str(error))

    def shadow(self, mode: Mode | None) -> None:
        """Run a second policy of *mode* beside the first, or none; it begins with the knowledge of the first."""
        if mode is None:
            self._shadow = None
        elif self._shadow is None or self._shadow[0] is not mode:
            self._shadow = (mode, self._make(self._policy.to_state()))

    def decide(self, floor: Floor, now: datetime, restricted: frozenset[str] = frozenset()) -> Decision:
        """Return how many lines to place, and note it; the rules keep *restricted* campaigns to one per operator."""
        decision = self._policy.decide(floor)
        if restricted:
            explain = {k: RESTRICTED + text if k in restricted else text for k, text in decision.explain.items()}
            decision = replace(decision, explain=explain)
        self.decision = decision
        self._diary.note(now, decision, self._shadowed(floor))
        self._changed = self._changed or bool(floor.events)
        return decision

    def _shadowed(self, floor: Floor) -> Mapping[str, int]:
        if self._shadow is None:
            return {}
        mode, policy = self._shadow
        campaigns = tuple(replace(campaign, mode=mode) for campaign in floor.campaigns)
        return policy.decide(replace(floor, campaigns=campaigns)).dial

    async def run(self) -> None:
        """Store what was learned every few seconds, and once more when the owner ends."""
        try:
            while True:
                await self._clock.sleep(SAVE_EVERY_S)
                await self.save()
        finally:
            await self.save()

    async def save(self) -> None:
        """Store what was learned since the last time; an outage only delays it."""
        if not self._changed and not self._diary.entries:
            return
        entries, self._diary.entries = self._diary.entries, []
        self._changed = False
        try:
            await self._store.save_pacing(self._fence, self._policy.to_state(), entries)
        except UnavailableError:
            self._changed = True
