"""The switch: channels, bridges and playbacks as Asterisk 22 treats them, with simulated people at the far end.

Synchronous and without sockets. The process behind `services.carrier.api` and a deterministic simulation in memory
drive the very same object:

    switch = Switch(scheduler, now, people, record, speed=1.0, seed=7)
        scheduler   time() and call_later(delay, callback, *args); an asyncio loop is one, also with a virtual clock
        now         returns the instant, aware, UTC
        people      People(seed, profile.odds_of) from people.py and profile.py; people.program(...) sets a next outcome
        record      takes each line of the ledger (a dict): list.append, or Ledger.append

    connection = switch.connect(["app"], receive)       receive(event) may only put the event away
    switch.disconnect(connection)
    channel = switch.create(endpoint, app, channel_id=…, app_args=…, caller_id=…, variables=…)
    switch.dial(channel_id, timeout_s)                  rings once; a second dial tears the call down
    switch.hang_up(channel_id, cause)
    switch.channel(id), switch.bridge(id), switch.playback(id), switch.channels, switch.bridges
    switch.set_variable(channel_id, name, value)        TIMEOUT(absolute) is obeyed
    switch.create_bridge(id, name), switch.destroy_bridge(id)
    switch.add_channels(bridge_id, ids), switch.remove_channels(bridge_id, ids)
    switch.when_free(ids, ready)                        addChannel waits for this: Asterisk blocks while a message plays
    switch.play(channel_id, media, playback_id), switch.stop_playback(id), switch.hold(channel_id, held)
    switch.signals.inject(Faults(...))                  late, lost, repeated, reordered events; outages
    switch.status()                                     counts

A method that a rule forbids raises `RefusedError` with the HTTP status and message of ARI. Events (dicts, ARI's JSON)
go through `switch.signals` to whoever has the app: StasisStart, ChannelStateChange, ChannelEnteredBridge,
ChannelLeftBridge, PlaybackStarted, PlaybackFinished, ChannelHangupRequest, StasisEnd, ChannelDestroyed,
ApplicationReplaced.
`services.carrier.ari.answer` speaks ARI's paths to it, for whoever wants to run a whole ARI client in memory.

The lines of the ledger, each with at, channel_id, number, trunk and event: *ring* (an INVITE was sent: nth, caller_id),
*answer* (amd), *meet* and *part* (operator: the endpoint of the leg in the same bridge) and *end* (outcome, cause,
tech_cause, met, by). *redial* says that a client dialed a channel twice. Operators' legs have no lines of their own.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from services.carrier import causes
from services.carrier.apps import Apps, Connection, Receive, event_of
from services.carrier.causes import Cause
from services.carrier.channels import Bridge, Channel, Playback, parse_endpoint
from services.carrier.faults import FaultySignals, Scheduler
from services.carrier.people import SIP_OF, Outcome, People, Plan, Times
from services.runtime.errors import GalwError

CHANNEL_LIMIT = 20_000
"""Channels, and bridges, that may exist at once: bounds memory, far above what one host's Asterisk holds."""

PLAYBACK_LIMIT = 16
"""Messages that may wait on one channel."""

VARIABLE_LIMIT = 64
"""Variables on one channel."""

CHANNEL_ID_LIMIT = 149
"""Characters of a channel's id, as in Asterisk."""

TTL_VARIABLE = "TIMEOUT(absolute)"
_TTL_LIMIT_S = 7 * 86_400.0
_OPERATOR_MESSAGE_S = Times().message_s

By = Literal["person", "network", "client", "timeout", "ttl", "redial"]
LedgerLine = dict[str, Any]


class RefusedError(GalwError):
    """The switch does not do that; *status* is the HTTP status ARI answers with."""

    code = "refused"

    def __init__(self, status: int, message: str) -> None:
        """Keep ARI's status and words."""
        super().__init__(message)
        self.status = status


class Switch:
    """One simulated Asterisk; see the module's text for how to drive it."""

    def __init__(
        self,
        scheduler: Scheduler,
        now: Callable[[], datetime],
        people: People,
        record: Callable[[LedgerLine], None],
        *,
        speed: float = 1.0,
        seed: int = 0,
    ) -> None:
        """Begin idle; *speed* divides every time a person takes, ring timeouts included, but no time to live."""
        self.people = people
        self.apps = Apps(now)
        self.signals = FaultySignals(scheduler, random.Random(f"faults {seed}"), self.apps.deliver)  # noqa: S311
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self.outcomes: Counter[str] = Counter()
        self.rings = 0
        self.redials = 0
        self.abandoned = 0
        self._scheduler = scheduler
        self._now = now
        self._record = record
        self._speed = speed
        self._playbacks: dict[str, Playback] = {}
        self._created = 0

    # Apps

    def connect(self, apps: Iterable[str], receive: Receive) -> Connection:
        """Give *apps* to a listener; the former one turns deaf."""
        return self.apps.connect(apps, receive)

    def disconnect(self, connection: Connection) -> None:
        """End a listener; channels stay as they are, events are lost until the next one connects."""
        self.apps.close(connection)

    # Channels

    def channel(self, channel_id: str) -> Channel:
        """Return a channel that exists."""
        if (channel := self.channels.get(channel_id)) is None:
            raise RefusedError(404, "Channel not found")
        return channel

    def create(
        self,
        endpoint: str,
        app: str,
        *,
        channel_id: str | None = None,
        app_args: str = "",
        caller_id: str = "",
        variables: dict[str, str] | None = None,
    ) -> Channel:
        """Make a channel that rings nobody, and tell its app; without a listener the channel dies at once.

        An id is taken while its channel lives, and free again afterwards.
        """
        if channel_id is not None and channel_id in self.channels:
            raise RefusedError(409, "Channel with given unique ID already exists")
        if channel_id is not None and len(channel_id) > CHANNEL_ID_LIMIT:
            raise RefusedError(400, f"Uniqueid length exceeds maximum of {CHANNEL_ID_LIMIT}")
        far_end = parse_endpoint(endpoint)
        if far_end is None or len(self.channels) >= CHANNEL_LIMIT:
            raise RefusedError(500, "Allocation failed")
        self._created += 1
        at = self._now()
        identity = channel_id or f"{at.timestamp():.0f}.{self._created}"
        channel = Channel(identity, self._created, far_end, app, app_args, caller_id, at)
        alive = self.apps.has(app)
        self._set_variables(channel, variables or {}, alive=alive)
        if not alive:
            return channel
        self.channels[identity] = channel
        self._emit(channel, "StasisStart", args=app_args.split(",") if app_args else [])
        return channel

    def dial(self, channel_id: str, timeout_s: float = 30.0) -> None:
        """Send the INVITE; *timeout_s* (0: none) ends the ringing.

        Only for a channel that is Down. One that was dialed before is torn down, as Asterisk does.
        """
        channel = self.channel(channel_id)
        if channel.state != "Down":
            raise RefusedError(409, "Channel is not in the 'Down' state")
        if channel.dialed:
            self._refuse_second_dial(channel)
            return
        channel.dialed = True
        if channel.is_operator:
            channel.step = self._scheduler.call_later(0.0, self._answer, channel)
        else:
            self._ring(channel, timeout_s)

    def hang_up(self, channel_id: str, cause: int = 16) -> None:
        """End a channel on the client's wish."""
        self._end(self.channel(channel_id), Cause(cause), "client")

    def set_variable(self, channel_id: str, name: str, value: str) -> None:
        """Set a channel variable; TIMEOUT(absolute) gives the channel so many seconds from now (0: no limit)."""
        self._set_variables(self.channel(channel_id), {name: value}, alive=True)

    def hold(self, channel_id: str, held: bool) -> None:
        """Put the far end on hold, or take it back; a held person stops talking and may lose patience."""
        channel = self._started(channel_id)
        channel.held = held
        self._settle(channel)

    # Bridges

    def bridge(self, bridge_id: str) -> Bridge:
        """Return a bridge that exists."""
        if (bridge := self.bridges.get(bridge_id)) is None:
            raise RefusedError(404, "Bridge not found")
        return bridge

    def create_bridge(self, bridge_id: str | None = None, name: str = "") -> Bridge:
        """Make a mixing bridge; one that exists is returned, with its new name if it is given one."""
        if bridge_id is not None and (bridge := self.bridges.get(bridge_id)) is not None:
            bridge.name = name or bridge.name
            return bridge
        if len(self.bridges) >= CHANNEL_LIMIT:
            raise RefusedError(500, "Allocation failed")
        self._created += 1
        bridge = Bridge(bridge_id or f"bridge-{self._created:08x}", name, self._now())
        self.bridges[bridge.id] = bridge
        return bridge

    def add_channels(self, bridge_id: str, channel_ids: Sequence[str]) -> None:
        """Put channels into a bridge, taking them out of another; all of them or, when one is unknown, none."""
        bridge = self.bridge(bridge_id)
        for channel in self._named(channel_ids):
            if channel.bridge is not bridge:
                self._leave(channel)
                channel.bridge = bridge
                bridge.channels[channel.id] = channel
                self._emit(channel, "ChannelEnteredBridge", bridge=bridge.to_wire())
        self._settle_all(bridge)

    def remove_channels(self, bridge_id: str, channel_ids: Sequence[str]) -> None:
        """Take channels out of a bridge; they stay up."""
        bridge = self.bridge(bridge_id)
        channels = self._named(channel_ids)
        if any(channel.bridge is not bridge for channel in channels):
            raise RefusedError(422, "Channel not in this bridge")
        for channel in channels:
            self._leave(channel)

    def destroy_bridge(self, bridge_id: str) -> None:
        """Dissolve a bridge; its channels stay up."""
        bridge = self.bridge(bridge_id)
        for channel in list(bridge.channels.values()):
            self._leave(channel)
        del self.bridges[bridge_id]

    def when_free(self, channel_ids: Sequence[str], ready: Callable[[], None]) -> None:
        """Call *ready* as soon as no message plays on any of the channels; at once when none does."""
        for channel_id in channel_ids:
            channel = self.channels.get(channel_id)
            if channel is not None and channel.playbacks:
                channel.free.append(lambda: self.when_free(channel_ids, ready))
                return
        ready()

    # Playbacks

    def playback(self, playback_id: str) -> Playback:
        """Return a playback that has not ended."""
        if (playback := self._playbacks.get(playback_id)) is None:
            raise RefusedError(404, "Playback not found")
        return playback

    def play(self, channel_id: str, media: str, playback_id: str | None = None) -> Playback:
        """Play *media* to a channel after those that wait there already; a tone never ends by itself."""
        channel = self._started(channel_id)
        if playback_id in self._playbacks:
            raise RefusedError(409, "Playback with given ID already exists")
        if len(channel.playbacks) >= PLAYBACK_LIMIT:
            raise RefusedError(409, f"A channel holds {PLAYBACK_LIMIT} playbacks at most")
        self._created += 1
        playback = Playback(playback_id or f"playback-{self._created:08x}", channel.id, media)
        self._playbacks[playback.id] = playback
        channel.playbacks.append(playback)
        self._play_next(channel)
        return playback

    def stop_playback(self, playback_id: str) -> None:
        """End a playback before its time."""
        playback = self.playback(playback_id)
        self._finish(self.channels[playback.channel_id], playback)

    # Counts

    def status(self) -> dict[str, Any]:
        """Return what goes on and what has gone on since the start."""
        customers = [channel for channel in self.channels.values() if not channel.is_operator]
        return {
            "rings": self.rings,
            "redials": self.redials,
            "abandoned": self.abandoned,
            "outcomes": dict(sorted(self.outcomes.items())),
            "ringing_now": sum(channel.rung and channel.state != "Up" for channel in customers),
            "talking_now": sum(channel.mode == "talk" for channel in customers),
            "waiting_now": sum(channel.mode in ("wait", "hold") for channel in customers),
            "channels": len(self.channels),
            "operator_legs": len(self.channels) - len(customers),
            "bridges": len(self.bridges),
            "apps": self.apps.connected,
        }

    # A call's life

    def _ring(self, channel: Channel, timeout_s: float) -> None:
        at = self._now()
        plan = self.people.next_plan(channel.number, at)
        self.rings += 1
        self._write(channel, "ring", nth=plan.nth, caller_id=channel.caller_id)
        channel.plan = plan
        channel.talk_left_s = plan.talk_s / self._speed
        if self.signals.refuses_trunk(channel.trunk):
            self._step(channel, 0.0, self._refuse, Outcome.CONGESTION, SIP_OF[Outcome.CONGESTION])
            return
        limit_s = timeout_s or float("inf")
        if plan.outcome is Outcome.SILENT:
            self._step(channel, min(plan.ring_s, limit_s), self._time_out, limit_s <= plan.ring_s)
        elif plan.setup_s >= limit_s:
            self._step(channel, limit_s, self._time_out, True)
        else:
            self._step(channel, plan.setup_s, self._progress, plan, limit_s - plan.setup_s)

    def _step(self, channel: Channel, delay_s: float, action: Callable[..., None], *args: object) -> None:
        channel.step = self._scheduler.call_later(delay_s / self._speed, action, channel, *args)

    def _progress(self, channel: Channel, plan: Plan, left_s: float) -> None:
        """The far end has answered the INVITE with something: a refusal, or ringing."""
        if plan.sip is not None and plan.ring_s == 0.0:
            self._refuse(channel, plan.outcome, plan.sip)
            return
        channel.state = "Ringing"
        self._emit(channel, "ChannelStateChange")
        if plan.ring_s >= left_s:
            self._step(channel, left_s, self._time_out, True)
        elif plan.outcome is Outcome.NO_ANSWER:
            self._step(channel, plan.ring_s, self._time_out, False)
        elif plan.sip is not None:
            self._step(channel, plan.ring_s, self._refuse, plan.outcome, plan.sip)
        else:
            self._step(channel, plan.ring_s, self._answer)

    def _time_out(self, channel: Channel, ours: bool) -> None:
        requested = causes.RING_TIMEOUT_REQUEST if ours else None
        self._end(channel, causes.NOT_ANSWERED, "timeout" if ours else "network", requested=requested)

    def _refuse(self, channel: Channel, outcome: Outcome, sip: int) -> None:
        self._end(channel, causes.refused(sip), "network", outcome=outcome)

    def _answer(self, channel: Channel) -> None:
        channel.state = "Up"
        if (plan := channel.plan) is not None:
            self._write(channel, "answer", amd=plan.amd)
        self._emit(channel, "ChannelStateChange")
        if channel.is_operator and channel.bridge is not None:
            self._settle_all(channel.bridge)
        self._settle(channel)

    def _refuse_second_dial(self, channel: Channel) -> None:
        self.redials += 1
        if channel.rung:
            self._write(channel, "redial")
        self._end(channel, causes.NORMAL, "redial")

    def _set_variables(self, channel: Channel, variables: dict[str, str], *, alive: bool) -> None:
        if len(channel.variables | variables) > VARIABLE_LIMIT:
            raise RefusedError(400, f"A channel holds {VARIABLE_LIMIT} variables at most")
        seconds = _parse_ttl(variables[TTL_VARIABLE]) if TTL_VARIABLE in variables else None
        channel.variables |= variables
        if seconds is None or not alive:
            return
        if channel.ttl is not None:
            channel.ttl.cancel()
        channel.ttl = self._scheduler.call_later(seconds, self._outlive, channel) if seconds else None

    def _outlive(self, channel: Channel) -> None:
        self._end(channel, causes.NORMAL, "ttl")

    def _end(
        self,
        channel: Channel,
        why: Cause,
        by: By,
        *,
        requested: int | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        for playback in list(channel.playbacks):
            self._finish(channel, playback, "failed")
        del self.channels[channel.id]
        self._leave(channel)
        channel.cancel_timers()  # last, for whoever leaves a bridge begins to wait
        if (plan := channel.plan) is not None:
            self._close_ring(channel, outcome or plan.outcome, why, by)
        tech = {} if why.tech_cause is None else {"tech_cause": why.tech_cause}
        self._emit(
            channel, "ChannelHangupRequest", cause=requested or why.cause, soft=by in ("client", "timeout"), **tech
        )
        self._emit(channel, "StasisEnd")
        self._emit(channel, "ChannelDestroyed", cause=why.cause, cause_txt=causes.text_of(why.cause), **tech)

    def _close_ring(self, channel: Channel, outcome: Outcome, why: Cause, by: By) -> None:
        if channel.state != "Up" and outcome in (Outcome.ANSWER, Outcome.MACHINE):
            outcome = Outcome.NO_ANSWER  # they would have picked up, had it rung for longer
        self.outcomes[outcome.value] += 1
        self.abandoned += outcome is Outcome.ANSWER and not channel.met
        self._write(
            channel, "end", outcome=outcome.value, cause=why.cause, tech_cause=why.tech_cause, met=channel.met, by=by
        )

    # What the person at the far end does

    def _settle_all(self, bridge: Bridge) -> None:
        for channel in bridge.channels.values():
            self._settle(channel)

    def _settle(self, channel: Channel) -> None:
        """Let the person do what fits whom they hear now: talk, wait or hold."""
        plan = channel.plan
        if plan is None or channel.state != "Up":
            return
        operator = _operator_with(channel)
        if operator is not channel.operator:
            self._change_operator(channel, operator)
        if plan.outcome is Outcome.MACHINE:
            mode = "greet"
        elif channel.held:
            mode = "hold"
        else:
            mode = "wait" if operator is None else "talk"
        if mode != channel.mode:
            self._change_mode(channel, plan, mode)

    def _change_operator(self, channel: Channel, operator: Channel | None) -> None:
        if channel.operator is not None:
            self._write(channel, "part", operator=channel.operator.endpoint)
        if operator is not None:
            channel.met = True
            self._write(channel, "meet", operator=operator.endpoint)
        channel.operator = operator

    def _change_mode(self, channel: Channel, plan: Plan, mode: str) -> None:
        now = self._scheduler.time()
        if channel.mode == "talk":
            channel.talk_left_s = max(0.0, channel.talk_left_s - (now - channel.mode_since))
        if channel.step is not None:
            channel.step.cancel()
        patience_s = {"wait": plan.patience_s / self._speed, "hold": plan.hold_patience_s / self._speed}
        left_s = patience_s.get(mode, channel.talk_left_s)
        channel.step = self._scheduler.call_later(left_s, self._person_leaves, channel)
        channel.mode = mode
        channel.mode_since = now

    def _person_leaves(self, channel: Channel) -> None:
        self._end(channel, causes.NORMAL, "person")

    def _leave(self, channel: Channel) -> None:
        if (bridge := channel.bridge) is not None:
            del bridge.channels[channel.id]
            channel.bridge = None
            self._emit(channel, "ChannelLeftBridge", bridge=bridge.to_wire())
            self._settle(channel)
            self._settle_all(bridge)

    # Messages

    def _play_next(self, channel: Channel) -> None:
        playback = channel.playbacks[0]
        if playback.state == "queued":
            playback.state = "playing"
            self._emit_playback(channel, "PlaybackStarted", playback)
            if not playback.media.startswith("tone:"):
                seconds = channel.plan.message_s if channel.plan else _OPERATOR_MESSAGE_S
                playback.timer = self._scheduler.call_later(seconds / self._speed, self._finish, channel, playback)

    def _finish(self, channel: Channel, playback: Playback, state: str = "done") -> None:
        if playback.timer is not None:
            playback.timer.cancel()
        playback.state = state
        channel.playbacks.remove(playback)
        del self._playbacks[playback.id]
        self._emit_playback(channel, "PlaybackFinished", playback)
        if channel.playbacks:
            if state == "done":
                self._play_next(channel)
            return
        free, channel.free = channel.free, []
        for ready in free:
            # Not at once: whoever waits may put the channel, which is just ending, into a bridge.
            self._scheduler.call_later(0.0, ready)

    # Words

    def _named(self, channel_ids: Sequence[str]) -> list[Channel]:
        missing = [channel_id for channel_id in channel_ids if channel_id not in self.channels]
        if missing or not channel_ids:
            raise RefusedError(400, "Channel not found")
        return [self.channels[channel_id] for channel_id in dict.fromkeys(channel_ids)]

    def _started(self, channel_id: str) -> Channel:
        channel = self.channel(channel_id)
        if channel.state == "Down":
            raise RefusedError(412, "Channel in invalid state")
        return channel

    def _emit(self, channel: Channel, kind: str, **body: Any) -> None:
        if self.apps.has(channel.app):
            event = event_of(kind, channel.app, self._now())
            event["channel"] = channel.to_wire()
            event.update(body)
            self.signals.send(channel.app, event)

    def _emit_playback(self, channel: Channel, kind: str, playback: Playback) -> None:
        if self.apps.has(channel.app):
            event = event_of(kind, channel.app, self._now())
            event["playback"] = playback.to_wire()
            self.signals.send(channel.app, event)

    def _write(self, channel: Channel, event: str, **more: Any) -> None:
        at = self._now().isoformat()
        line = {"at": at, "channel_id": channel.id, "number": channel.number, "trunk": channel.trunk, "event": event}
        self._record(line | more)


def _parse_ttl(value: str) -> float:
    try:
        seconds = float(value or 0)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= _TTL_LIMIT_S:
        raise RefusedError(400, f"{TTL_VARIABLE} takes seconds from 0 to {_TTL_LIMIT_S:.0f}")
    return seconds


def _operator_with(channel: Channel) -> Channel | None:
    """Return the operator's leg that is up in the same bridge, if any."""
    if channel.bridge is None:
        return None
    legs = channel.bridge.channels.values()
    return next((leg for leg in legs if leg.is_operator and leg.state == "Up"), None)
