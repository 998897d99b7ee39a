"""One simulated day, event by event: lines ring, people answer and wait, operators talk, wrap up, pause and go home.

The policy under test sees only what a dialer would see: a snapshot after every signal it receives, late or never when
the carrier is faulty. Who is connected to whom is decided by the true state, as a switch would.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.dialer.domain.pacing import (
    Campaign,
    Cap,
    Event,
    EventKind,
    Floor,
    Mode,
    Operator,
    OperatorState,
    Policy,
    Window,
    WindowKind,
)
from services.simulator.scenario import HOUR_S, CampaignPlan, OperatorPlan, Scenario

SLICE_S = 300.0
# A dialer asks the carrier about a line it has heard nothing of for so long, and then knows that it is gone.
RECONCILE_S = 60.0
Watch = Callable[[float], None]
"""Hears the share of the day that is over, every five simulated minutes."""
_OTHER = {kind.value: kind for kind in EventKind}


@dataclass(slots=True)
class Tally:
    """What happened to one campaign in the part of the day that counts."""

    dialed: int = 0
    answered: int = 0
    abandoned: int = 0
    connected: int = 0
    waited_s: float = 0.0
    talk_s: float = 0.0

    @property
    def share(self) -> float:
        """Abandoned ÷ answered; zero before the first answer."""
        return self.abandoned / self.answered if self.answered else 0.0


@dataclass(slots=True)
class Slice:
    """Five minutes of the day, for charts."""

    at: float
    staffed_s: float = 0.0
    busy_s: float = 0.0
    dialed: int = 0
    answered: int = 0
    abandoned: int = 0
    waited_s: float = 0.0
    handled: int = 0
    handled_s: float = 0.0

    @property
    def occupancy(self) -> float:
        """Share of the working time spent talking or wrapping up."""
        return self.busy_s / self.staffed_s if self.staffed_s else 0.0

    @property
    def needed(self) -> float:
        """Lines that would have kept everybody busy, by hindsight: conversations there was time for ÷ answer rate."""
        if not self.handled_s or not self.answered:
            return 0.0
        return self.staffed_s * self.handled / self.handled_s * self.dialed / self.answered


@dataclass(slots=True)
class Day:
    """The outcome of one simulated day, warm-up left out of everything but *whole*."""

    scenario: str
    operators: int
    staffed_s: float = 0.0
    busy_s: float = 0.0
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])
    whole: dict[str, Tally] = field(default_factory=dict[str, Tally])
    slices: list[Slice] = field(default_factory=list[Slice])
    decisions: int = 0
    finished_s: float | None = None

    @property
    def occupancy(self) -> float:
        """Share of the operators' working time (pauses left out) spent talking or wrapping up."""
        return self.busy_s / self.staffed_s if self.staffed_s else 0.0

    @property
    def share(self) -> float:
        """Abandoned ÷ answered over all campaigns."""
        answered = sum(tally.answered for tally in self.tallies.values())
        return sum(tally.abandoned for tally in self.tallies.values()) / answered if answered else 0.0


class _Desk:
    """An operator's true state, and the state the dialer believes."""

    __slots__ = ("call", "free_at", "id", "leaving", "plan", "promise", "seen", "since", "state", "wants_pause")

    def __init__(self, name: str, plan: OperatorPlan) -> None:
        self.id = name
        self.plan = plan
        self.state: OperatorState | None = None  # None: not logged in
        self.since = 0.0
        self.seen: Operator | None = None
        self.promise: float | None = None
        self.free_at = 0.0
        self.wants_pause = False
        self.leaving = False
        self.call: tuple[str, float, float] | None = None


class _Line:
    __slots__ = ("campaign", "id", "waiting_since")

    def __init__(self, number: int, campaign: str) -> None:
        self.id = number
        self.campaign = campaign
        self.waiting_since: float | None = None


class _Lane:
    """One campaign's plan, its lines as the dialer sees them, and its leads."""

    __slots__ = ("leads", "open", "plan", "ringing", "waiting")

    def __init__(self, plan: CampaignPlan) -> None:
        self.plan = plan
        self.leads = plan.leads
        self.open = False
        self.ringing: dict[int, float] = {}
        self.waiting: dict[int, float] = {}


class _World:
    def __init__(
        self, scenario: Scenario, policy: Policy, generator: random.Random, start: float, watch: Watch | None
    ) -> None:
        self.scenario = scenario
        self.policy = policy
        self.generator = generator
        self.now = 0.0
        self.start = start
        self.watch = watch
        self.end = scenario.hours * HOUR_S
        self.heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.sequence = 0
        self.lanes = {plan.id: _Lane(plan) for plan in scenario.campaigns}
        self.desks = [
            _Desk(f"{index}-{number}", plan)
            for index, plan in enumerate(scenario.operators)
            for number in range(plan.count)
        ]
        self.idle: deque[_Desk] = deque()
        self.queue: deque[_Line] = deque()
        self.callers: deque[float] = deque()
        self.unseen: list[Event] = []
        self.dirty = True
        self.wait_s = min((cap.wait_s for cap in scenario.caps), default=2.0)
        self.caps = tuple(
            Cap(cap.campaigns, cap.rate, cap.wait_s, Window(WindowKind(cap.window), cap.seconds))
            for cap in scenario.caps
        )
        self.next_line = 0
        self.wake_at = math.inf
        self.clocked_at = 0.0
        self.staffed = 0
        self.busy = 0
        count = sum(plan.count for plan in scenario.operators)
        self.day = Day(scenario.name, count)
        for plan in scenario.campaigns:
            self.day.tallies[plan.id] = Tally()
            self.day.whole[plan.id] = Tally()
        self.day.slices = [Slice(index * SLICE_S) for index in range(math.ceil(self.end / SLICE_S))]

    # -- time ---------------------------------------------------------------------------------------------------

    def later(self, delay: float, action: Callable[..., None], *arguments: Any) -> None:
        self.sequence += 1
        heapq.heappush(self.heap, (self.now + delay, self.sequence, action, arguments))

    def run(self) -> Day:
        for lane in self.lanes.values():
            self.later(lane.plan.starts_s, self.open_lane, lane)
            if lane.plan.ends_s < self.end:
                self.later(lane.plan.ends_s, self.close_lane, lane)
        for desk in self.desks:
            for begins, ends in desk.plan.shifts:
                self.later(begins, self.log_in, desk)
                if ends < self.end:
                    self.later(ends, self.log_out, desk)
        if any(value for _, value in self.scenario.inbound_per_hour.points):
            self.later(0.0, self.caller, False)
        heap = self.heap
        pop = heapq.heappop
        while True:
            at = min(heap[0][0] if heap else math.inf, self.wake_at)
            if at >= self.end:
                break
            self.account(at)
            self.now = at
            if self.wake_at <= at:
                self.dirty = True
            while heap and heap[0][0] <= at:
                _, _, action, arguments = pop(heap)
                action(*arguments)
            if self.dirty:
                self.ask()
        self.account(self.end)
        return self.day

    def account(self, until: float) -> None:
        at = self.clocked_at
        slices = self.day.slices
        while at < until:
            index = int(at / SLICE_S)
            stop = min(until, (index + 1) * SLICE_S)
            span = stop - at
            part = slices[index]
            part.staffed_s += span * self.staffed
            part.busy_s += span * self.busy
            counted = stop - max(at, self.scenario.warmup_s)
            if counted > 0.0:
                self.day.staffed_s += counted * self.staffed
                self.day.busy_s += counted * self.busy
            at = stop
            if self.watch is not None and stop == (index + 1) * SLICE_S:
                self.watch(stop / self.end)
        self.clocked_at = until

    # -- the dialer's view --------------------------------------------------------------------------------------

    def tell(self, change: Callable[..., None], *arguments: Any) -> None:
        """Let the dialer see a change: at once, late, or never, as the carrier's faults have it."""
        carrier = self.scenario.carrier
        if carrier.loss and self.generator.random() < carrier.loss:
            return
        if carrier.delay_s:
            self.later(self.generator.random() * carrier.delay_s, self.heard, change, arguments)
        else:
            change(*arguments)
            self.dirty = True

    def heard(self, change: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        change(*arguments)
        self.dirty = True

    def see_desk(self, desk: _Desk, state: OperatorState | None, since: float, promise: float | None = None) -> None:
        """Operators' states come from our own server, so they are never lost or late."""
        desk.seen = Operator(desk.id, state, self.start + since, None, desk.plan.campaigns) if state else None
        desk.promise = promise
        self.dirty = True

    def see_line_end(self, line: _Line, event: Event) -> None:
        self.lanes[line.campaign].ringing.pop(line.id, None)
        self.unseen.append(event)

    def see_answer(self, line: _Line, event: Event, waits: bool) -> None:
        lane = self.lanes[line.campaign]
        lane.ringing.pop(line.id, None)
        self.unseen.append(event)
        if waits and line.waiting_since is not None:
            lane.waiting[line.id] = self.start + line.waiting_since

    def see_outcome(self, line: _Line, event: Event) -> None:
        lane = self.lanes[line.campaign]
        lane.ringing.pop(line.id, None)
        lane.waiting.pop(line.id, None)
        self.unseen.append(event)

    def reconcile(self, line: _Line) -> None:
        lane = self.lanes[line.campaign]
        if lane.ringing.pop(line.id, None) is not None:
            self.dirty = True

    def ask(self) -> None:
        self.dirty = False
        now = self.start + self.now
        operators: list[Operator] = []
        for desk in self.desks:
            seen = desk.seen
            if seen is not None:
                if desk.promise is not None:
                    seen = seen._replace(ready_in=max(0.0, desk.promise - self.now))
                operators.append(seen)
        campaigns = tuple(
            Campaign(
                lane.plan.id,
                Mode(lane.plan.mode),
                lane.plan.priority,
                lane.leads,
                lane.plan.max_lines,
                tuple(lane.ringing.values()),
                tuple(lane.waiting.values()),
                lane.plan.ratio,
            )
            for lane in self.lanes.values()
            if lane.open
        )
        events, self.unseen = tuple(self.unseen), []
        decision = self.policy.decide(Floor(now, tuple(operators), campaigns, self.caps, events))
        self.day.decisions += 1
        self.wake_at = self.now + max(0.05, decision.next_decision_in_s)
        for name, count in decision.dial.items():
            for _ in range(count):
                self.dial(self.lanes[name])

    # -- lines --------------------------------------------------------------------------------------------------

    def count(self, name: str) -> tuple[Tally, ...]:
        whole = self.day.whole[name]
        return (whole, self.day.tallies[name]) if self.now >= self.scenario.warmup_s else (whole,)

    def slice(self) -> Slice:
        return self.day.slices[int(self.now / SLICE_S)]

    def dial(self, lane: _Lane) -> None:
        if not lane.open or lane.leads <= 0:
            return
        lane.leads -= 1
        if lane.leads == 0 and self.day.finished_s is None and not any(one.leads for one in self.lanes.values()):
            self.day.finished_s = self.now
        self.next_line += 1
        plan = lane.plan
        line = _Line(self.next_line, plan.id)
        lane.ringing[line.id] = self.start + self.now
        for tally in self.count(plan.id):
            tally.dialed += 1
        self.slice().dialed += 1
        draw = self.generator
        if draw.random() < plan.answer.at(self.now):
            ring = plan.ring.draw(draw)
            self.later(ring, self.answer, line, ring)
        else:
            other = draw.choices(plan.others, [other.weight for other in plan.others])[0]
            ring = other.ring.draw(draw)
            self.later(ring, self.line_end, line, ring, _OTHER[other.kind])
        if self.scenario.carrier.loss:
            self.later(RECONCILE_S, self.reconcile, line)

    def line_end(self, line: _Line, ring: float, kind: EventKind) -> None:
        self.tell(self.see_line_end, line, Event(self.start + self.now, line.campaign, kind, ring_s=ring))

    def answer(self, line: _Line, ring: float) -> None:
        for tally in self.count(line.campaign):
            tally.answered += 1
        self.slice().answered += 1
        line.waiting_since = self.now
        desk = self.take_idle(line.campaign)
        event = Event(self.start + self.now, line.campaign, EventKind.ANSWERED, ring_s=ring)
        self.tell(self.see_answer, line, event, desk is None)
        if desk is not None:
            self.connect(desk, line)
        else:
            self.queue.append(line)
            self.later(self.wait_s, self.give_up, line)

    def give_up(self, line: _Line) -> None:
        if line.waiting_since is None:
            return
        self.queue.remove(line)
        line.waiting_since = None
        for tally in self.count(line.campaign):
            tally.abandoned += 1
            tally.waited_s += self.wait_s
        self.slice().abandoned += 1
        event = Event(self.start + self.now, line.campaign, EventKind.ABANDONED, waited_s=self.wait_s)
        self.tell(self.see_outcome, line, event)

    # -- operators ----------------------------------------------------------------------------------------------

    def take_idle(self, campaign: str) -> _Desk | None:
        for desk in self.idle:
            if campaign in desk.plan.campaigns:
                self.idle.remove(desk)
                return desk
        return None

    def connect(self, desk: _Desk, line: _Line) -> None:
        waited = self.now - (line.waiting_since if line.waiting_since is not None else self.now)
        line.waiting_since = None
        for tally in self.count(line.campaign):
            tally.connected += 1
            tally.waited_s += waited
        self.slice().waited_s += waited
        event = Event(self.start + self.now, line.campaign, EventKind.CONNECTED, waited_s=waited, operator=desk.id)
        self.tell(self.see_outcome, line, event)
        plan = self.lanes[line.campaign].plan
        talk = plan.talk.draw(self.generator) * plan.handling.at(self.now)
        self.occupy(desk, line.campaign, talk, plan.wrapup.draw(self.generator))

    def occupy(self, desk: _Desk, campaign: str, talk: float, wrapup: float) -> None:
        self.busy += 1
        desk.state, desk.since = OperatorState.TALKING, self.now
        desk.call = (campaign, talk, wrapup)
        desk.free_at = self.now + talk + wrapup
        self.see_desk(desk, desk.state, self.now)
        signal = desk.plan.ready_signal_s
        if signal:
            error = self.generator.gauss(0.0, desk.plan.ready_signal_error_s) if desk.plan.ready_signal_error_s else 0.0
            self.later(max(0.0, talk + wrapup - signal), self.promise, desk, desk.free_at, error)
        self.later(talk, self.hang_up, desk)

    def promise(self, desk: _Desk, free_at: float, error: float) -> None:
        if desk.state in (OperatorState.TALKING, OperatorState.WRAPUP) and desk.free_at == free_at:
            desk.promise = free_at + error
            self.dirty = True

    def hang_up(self, desk: _Desk) -> None:
        assert desk.call is not None
        wrapup = desk.call[2]
        if wrapup <= 0.0:
            self.finish(desk)
            return
        desk.state, desk.since = OperatorState.WRAPUP, self.now
        self.see_desk(desk, desk.state, self.now, desk.promise)
        self.later(wrapup, self.finish, desk)

    def finish(self, desk: _Desk) -> None:
        assert desk.call is not None
        campaign, talk, wrapup = desk.call
        desk.call = None
        self.busy -= 1
        if campaign:
            for tally in self.count(campaign):
                tally.talk_s += talk + wrapup
            part = self.slice()
            part.handled += 1
            part.handled_s += talk + wrapup
            self.unseen.append(
                Event(
                    self.start + self.now, campaign, EventKind.HANDLED, talk_s=talk, wrapup_s=wrapup, operator=desk.id
                )
            )
        if desk.leaving:
            self.gone(desk)
        elif desk.wants_pause:
            self.pause(desk)
        else:
            self.ready(desk)

    def ready(self, desk: _Desk) -> None:
        if self.callers:
            self.callers.popleft()
            self.serve_caller(desk)
            return
        for line in self.queue:
            if line.campaign in desk.plan.campaigns:
                self.queue.remove(line)
                self.connect(desk, line)
                return
        desk.state, desk.since = OperatorState.READY, self.now
        self.idle.append(desk)
        self.see_desk(desk, desk.state, self.now)

    def log_in(self, desk: _Desk) -> None:
        desk.leaving = False
        if desk.state is not None:
            return
        self.staffed += 1
        self.ready(desk)
        if desk.plan.pauses_per_hour:
            self.later(self.generator.expovariate(desk.plan.pauses_per_hour / HOUR_S), self.ask_pause, desk)

    def log_out(self, desk: _Desk) -> None:
        if desk.state is OperatorState.READY:
            self.idle.remove(desk)
            self.gone(desk)
        elif desk.state is OperatorState.PAUSED:
            self.staffed += 1
            self.gone(desk)
        elif desk.state is not None:
            desk.leaving = True

    def gone(self, desk: _Desk) -> None:
        desk.state, desk.wants_pause, desk.leaving = None, False, False
        self.staffed -= 1
        self.see_desk(desk, None, self.now)

    def ask_pause(self, desk: _Desk) -> None:
        if desk.state is OperatorState.READY:
            self.idle.remove(desk)
            self.pause(desk)
        elif desk.state in (OperatorState.TALKING, OperatorState.WRAPUP):
            desk.wants_pause = True

    def pause(self, desk: _Desk) -> None:
        desk.wants_pause = False
        desk.state, desk.since = OperatorState.PAUSED, self.now
        self.staffed -= 1
        self.see_desk(desk, desk.state, self.now)
        self.later(desk.plan.pause.draw(self.generator), self.resume, desk)

    def resume(self, desk: _Desk) -> None:
        if desk.state is OperatorState.PAUSED:
            self.staffed += 1
            self.ready(desk)
            self.later(self.generator.expovariate(desk.plan.pauses_per_hour / HOUR_S), self.ask_pause, desk)

    # -- campaigns and callers ----------------------------------------------------------------------------------

    def open_lane(self, lane: _Lane) -> None:
        lane.open = True
        self.dirty = True

    def close_lane(self, lane: _Lane) -> None:
        lane.open = False
        self.dirty = True

    def caller(self, rings: bool) -> None:
        """A person calls back, or, when *rings* is false, the next chance for one comes: thinning at the peak rate."""
        rate = self.scenario.inbound_per_hour
        peak = max(value for _, value in rate.points) / HOUR_S
        self.later(self.generator.expovariate(peak), self.caller, True)
        if not rings or self.generator.random() * peak * HOUR_S > rate.at(self.now):
            return
        if self.idle:
            self.serve_caller(self.idle.popleft())
        else:
            self.callers.append(self.now)

    def serve_caller(self, desk: _Desk) -> None:
        plan = self.scenario.campaigns[0]
        self.occupy(desk, "", plan.talk.draw(self.generator), plan.wrapup.draw(self.generator))


def simulate(
    scenario: Scenario, policy: Policy, generator: random.Random, start: float = 0.0, watch: Watch | None = None
) -> Day:
    """Run one day under a policy and return what came of it; *start* is where the policy's clock begins."""
    return _World(scenario, policy, generator, start, watch).run()
