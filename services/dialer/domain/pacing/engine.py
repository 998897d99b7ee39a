"""The pacing engine: learns from events, looks at the floor, and says how many lines to place now and why.

The engine keeps a `Budget` per cap, a `RingCurve` per campaign and two `DurationCurve`s (talk, wrap-up) for the pool;
`outlook` turns what it knows into chances, `placing` hands out the lines. The method is in docs/pacing.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

from services.dialer.domain.pacing.budget import Budget
from services.dialer.domain.pacing.curves import DurationCurve, RingCurve
from services.dialer.domain.pacing.floor import (
    Campaign,
    Cap,
    Decision,
    Event,
    EventKind,
    Floor,
    Window,
    WindowKind,
)
from services.dialer.domain.pacing.outlook import Outlook, Signals
from services.dialer.domain.pacing.placing import place
from services.dialer.domain.pacing.roster import Roster

STATE_VERSION = 3
# Campaigns and caps remembered by one pool; past this the one heard of least lately is forgotten.
MAX_CAMPAIGNS = 500
MAX_BUDGETS = 1_000
# Lines that began so long ago have all ended, so their answers and failures are learned together.
COHORT_S = 30.0
# Ended lines held back per campaign; more than half a minute's worth of any real campaign.
MAX_ENDS = 5_000
# Nobody waits for an operator so long: whoever seems to has hung up or is talking, unheard of.
LOST_AFTER_S = 60.0
# Of a flood of events only the latest teach anything: all memories are shorter. The budgets count every one.
MAX_LESSONS = 20_000
# Learned lines come in batches of a share of a memory: each batch costs new tables.
BATCH_SHARE = 0.01
MAX_BATCH = 8
# Learned curves lose half their weight in so long a silence, so that yesterday only guides the first minutes of today.
SILENCE_HALF_LIFE_S = 4 * 3600.0
SILENCE_S = 900.0
_OTHER_ENDS = frozenset((EventKind.NO_ANSWER, EventKind.BUSY, EventKind.MACHINE, EventKind.INVALID, EventKind.FAILED))


class _Known:
    """What is known of one campaign."""

    __slots__ = ("ends", "heard_at", "learned", "ready", "ring")

    def __init__(self, now: float, state: Mapping[str, Any] | None = None) -> None:
        self.ring = RingCurve(state["ring"] if state else None)
        self.heard_at: float = state["heard_at"] if state else now
        self.learned: int = state["learned"] if state else 0
        # Ended lines by the instant they began: a heap of (began, answered, ring_s).
        self.ends: list[tuple[float, bool, float]] = [tuple(end) for end in state["ends"]] if state else []
        # Those of them that began long enough ago, oldest first, until there are enough to learn from.
        self.ready: list[tuple[float, bool, float]] = [tuple(end) for end in state["ready"]] if state else []

    def to_state(self) -> dict[str, Any]:
        return {
            "ring": self.ring.to_state(),
            "heard_at": self.heard_at,
            "learned": self.learned,
            "ends": [list(end) for end in self.ends],
            "ready": [list(end) for end in self.ready],
        }

    def ended(self, at: float, answered: bool, ring_s: float) -> None:
        """Remember how a line ended until all that began with it have ended, too.

        Answers come sooner than failures: learned as they come, the first minute of a day would look far too good.
        """
        heappush(self.ends, (at - ring_s, answered, ring_s))
        if len(self.ends) > MAX_ENDS:
            self.ready.append(heappop(self.ends))
            self._learn()

    def settle(self, now: float) -> None:
        """Learn from the lines that began long enough ago, a batch at a time."""
        ends, old = self.ends, now - COHORT_S
        while ends and ends[0][0] <= old:
            self.ready.append(heappop(ends))
        if len(self.ready) > min(MAX_BATCH, int(self.learned * BATCH_SHARE)):
            self._learn()

    def _learn(self) -> None:
        for _, answered, ring_s in self.ready:
            self.ring.learn(answered, ring_s)
        self.learned += len(self.ready)
        self.ready.clear()


class Pacer:
    """One pool's pacing: feed it every snapshot in order, keep `to_state()`, and hand that to the next owner.

    The same snapshots give the same decisions, whether one instance saw them all or several did in turn by way of
    `to_state`. The state is a JSON-able dict of a few kilobytes per campaign.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Begin with no knowledge, or where an earlier `to_state()` left off; raise ValueError on another version."""
        if state and state.get("version") != STATE_VERSION:
            raise ValueError(f"pacing state has version {state.get('version')}, expected {STATE_VERSION}; start afresh")
        self._now: float | None = state["now"] if state else None
        self._roster = Roster()
        self._talk = DurationCurve(120.0, state["talk"] if state else None)
        self._wrapup = DurationCurve(10.0, state["wrapup"] if state else None)
        self._signals = Signals(state["signals"] if state else None)
        self._known: dict[str, _Known] = {}
        self._budgets: dict[Cap, Budget] = {}
        self._budgets_of: dict[str, list[Budget]] = {}  # by campaign
        if state:
            self._known = {name: _Known(0.0, known) for name, known in state["campaigns"]}
            for row in state["budgets"]:
                cap = _cap_of(row["cap"])
                self._budgets[cap] = Budget(cap, 0.0, row)
            self._index_budgets()

    def to_state(self) -> dict[str, Any]:
        """Return everything learned so far, as plain JSON values."""
        return {
            "version": STATE_VERSION,
            "now": self._now,
            "talk": self._talk.to_state(),
            "wrapup": self._wrapup.to_state(),
            "signals": self._signals.to_state(),
            "campaigns": [[name, known.to_state()] for name, known in self._known.items()],
            "budgets": [
                {"cap": [*cap[:3], list(cap.window), cap.false_machine_share], **budget.to_state()}
                for cap, budget in self._budgets.items()
            ],
        }

    def decide(self, floor: Floor) -> Decision:
        """Take in the snapshot's events and say how many lines to place now.

        A clock that steps back is held: ages are counted from the snapshot, windows from the latest instant seen.
        """
        now = floor.now if self._now is None else max(self._now, floor.now)
        self._now = now
        floor = _without_lost(floor)
        caps = floor.caps or (Cap(tuple(campaign.id for campaign in floor.campaigns)),)
        self._meet(floor.campaigns, now)
        self._open_budgets(caps, now, floor.before)
        self._learn(floor.events, now)
        roster = self._roster
        roster.see(floor.operators, floor.campaigns)
        for operator, ready_in_s in roster.everyone.promised.items():
            self._signals.promised(operator, ready_in_s)
        rings = {campaign.id: self._known[campaign.id].ring for campaign in floor.campaigns}
        outlook = Outlook(floor, caps, roster, rings, self._talk, self._wrapup, self._signals)
        outlook.watch()
        return place(floor, outlook, {cap: self._budgets[cap] for cap in caps})

    def _meet(self, campaigns: Sequence[Campaign], now: float) -> None:
        for campaign in campaigns:
            known = self._known.get(campaign.id)
            if known is None:
                known = self._known[campaign.id] = _Known(now)
            if now - known.heard_at > SILENCE_S:
                known.ring.forget(0.5 ** ((now - known.heard_at) / SILENCE_HALF_LIFE_S))
                known.heard_at = now
            known.settle(now)
        if len(self._known) > MAX_CAMPAIGNS:
            present = {campaign.id for campaign in campaigns}
            absent = sorted((known.heard_at, name) for name, known in self._known.items() if name not in present)
            for _, name in absent[: len(self._known) - MAX_CAMPAIGNS]:
                del self._known[name]

    def _open_budgets(self, caps: Iterable[Cap], now: float, before: Mapping[Cap, tuple[float, float]]) -> None:
        new = [cap for cap in caps if cap not in self._budgets]
        if new:
            for cap in new:
                budget = self._budgets[cap] = Budget(cap, now)
                if cap in before:
                    budget.count(now, *before[cap])
            present = set(caps)
            # Windows told by their instants come once each: those that are over would pile up.
            for cap in [cap for cap, budget in self._budgets.items() if cap not in present and budget.is_blank()]:
                del self._budgets[cap]
            for cap in [cap for cap in self._budgets if cap not in present][: max(0, len(self._budgets) - MAX_BUDGETS)]:
                del self._budgets[cap]
            self._index_budgets()
        for budget in self._budgets.values():
            budget.advance(now)

    def _index_budgets(self) -> None:
        self._budgets_of = {}
        for cap, budget in self._budgets.items():
            for name in cap.campaigns:
                self._budgets_of.setdefault(name, []).append(budget)

    def _learn(self, events: Sequence[Event], now: float) -> None:
        if len(events) > MAX_LESSONS:
            for event in events[:-MAX_LESSONS]:
                for budget in self._budgets_of.get(event.campaign, ()):
                    budget.learn(event, min(now, event.at))
        for event in events[-MAX_LESSONS:]:
            if event.kind is EventKind.HANDLED:
                self._talk.learn(event.talk_s)
                self._wrapup.learn(event.wrapup_s)
                self._signals.finished(event.operator)
                continue
            at = min(now, event.at)
            known = self._known.get(event.campaign)
            if known is not None:
                known.heard_at = now
                if event.kind is EventKind.ANSWERED or event.kind in _OTHER_ENDS:
                    known.ended(at, event.kind is EventKind.ANSWERED, event.ring_s)
            for budget in self._budgets_of.get(event.campaign, ()):
                budget.learn(event, at)


def _without_lost(floor: Floor) -> Floor:
    """Leave out people who have waited so long that the signal of how it ended must have been lost."""
    latest = floor.now - LOST_AFTER_S
    oldest = min([min(campaign.waiting) for campaign in floor.campaigns if campaign.waiting], default=latest)
    if oldest >= latest:
        return floor
    campaigns = [
        replace(campaign, waiting=tuple(since for since in campaign.waiting if since >= latest))
        for campaign in floor.campaigns
    ]
    return replace(floor, campaigns=tuple(campaigns))


def _cap_of(row: Sequence[Any]) -> Cap:
    kind, seconds, anchor = row[3]
    return Cap(tuple(row[0]), row[1], row[2], Window(WindowKind(kind), seconds, anchor), row[4])
