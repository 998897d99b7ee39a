"""What a switch holds: channels, bridges and playbacks, and how ARI writes them."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from services.carrier.apps import wire_time
from services.carrier.faults import Timer
from services.carrier.people import Plan


class FarEnd(NamedTuple):
    """Where a channel leads: a customer's *number* through a *trunk*, or (an empty number) an operator's phone."""

    endpoint: str
    number: str = ""
    trunk: str = ""


_ENDPOINT = re.compile(r"(?:SIM|PJSIP)/(?:operator-[\w.-]{1,80}|(\+?[0-9]{1,20})(?:@([\w.-]{1,80}))?)", re.ASCII)


def parse_endpoint(endpoint: str) -> FarEnd | None:
    """Return what TECH/number@trunk or TECH/operator-id names; None for anything else."""
    found = _ENDPOINT.fullmatch(endpoint)
    return FarEnd(endpoint, found[1] or "", found[2] or "") if found else None


class Playback:
    """A message on its way into a channel's ear."""

    __slots__ = ("channel_id", "id", "media", "state", "timer")

    def __init__(self, playback_id: str, channel_id: str, media: str) -> None:
        """Queue *media*; the switch plays one after the other."""
        self.id = playback_id
        self.channel_id = channel_id
        self.media = media
        self.state = "queued"
        self.timer: Timer | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return ARI's Playback."""
        return {
            "id": self.id,
            "media_uri": self.media,
            "target_uri": f"channel:{self.channel_id}",
            "language": "en",
            "state": self.state,
        }


class Bridge:
    """A place where channels hear each other."""

    __slots__ = ("channels", "created", "id", "name")

    def __init__(self, bridge_id: str, name: str, at: datetime) -> None:
        """Begin empty."""
        self.id = bridge_id
        self.name = name
        self.created = wire_time(at)
        self.channels: dict[str, Channel] = {}

    def to_wire(self) -> dict[str, Any]:
        """Return ARI's Bridge."""
        return {
            "id": self.id,
            "technology": "simple_bridge",
            "bridge_type": "mixing",
            "bridge_class": "stasis",
            "creator": "Stasis",
            "name": self.name,
            "channels": list(self.channels),
            "creationtime": self.created,
            "video_mode": "none",
        }


class Channel:
    """One leg: towards a customer (it has a number) or an operator (it has none).

    *state* is Down, Ringing or Up. *mode* is what the person at the other end does: nothing yet, *wait*, *hold*, *talk*
    or, a machine, *greet*.
    """

    __slots__ = (
        "app",
        "app_args",
        "bridge",
        "caller_id",
        "created",
        "dialed",
        "endpoint",
        "free",
        "held",
        "id",
        "met",
        "mode",
        "mode_since",
        "name",
        "number",
        "operator",
        "plan",
        "playbacks",
        "state",
        "step",
        "talk_left_s",
        "trunk",
        "ttl",
        "variables",
    )

    def __init__(
        self, channel_id: str, serial: int, far_end: FarEnd, app: str, app_args: str, caller_id: str, at: datetime
    ) -> None:
        """Begin Down, dialed by nobody."""
        self.id = channel_id
        self.endpoint, self.number, self.trunk = far_end
        self.name = f"{self.endpoint.partition('/')[0]}/{self.trunk or 'operator'}-{serial:08x}"
        self.app = app
        self.app_args = app_args
        self.caller_id = caller_id
        self.created = wire_time(at)
        self.state = "Down"
        self.dialed = False
        self.plan: Plan | None = None
        self.bridge: Bridge | None = None
        self.held = False
        self.met = False
        self.operator: Channel | None = None
        self.mode: str | None = None
        self.mode_since = 0.0
        self.talk_left_s = 0.0
        self.variables: dict[str, str] = {}
        self.playbacks: list[Playback] = []
        self.free: list[Callable[[], None]] = []  # one for each request that waits
        self.step: Timer | None = None
        self.ttl: Timer | None = None

    @property
    def is_operator(self) -> bool:
        """Whether the leg belongs to an operator: it answers at once."""
        return not self.number

    @property
    def rung(self) -> bool:
        """Whether a customer's number was rung on this channel."""
        return self.plan is not None

    def to_wire(self) -> dict[str, Any]:
        """Return ARI's Channel; `channelvars` carries AMDSTATUS from the answer on, when there is a verdict."""
        wire: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "protocol_id": "",
            "caller": {"name": "", "number": ""},
            "connected": {"name": "", "number": self.caller_id},
            "accountcode": "",
            "dialplan": {
                "context": "default",
                "exten": "s",
                "priority": 1,
                "app_name": "Stasis",
                "app_data": f"{self.app},{self.app_args}" if self.app_args else self.app,
            },
            "creationtime": self.created,
            "language": "en",
        }
        if self.state == "Up" and self.plan is not None and self.plan.amd is not None:
            wire["channelvars"] = {"AMDSTATUS": self.plan.amd}
        return wire

    def cancel_timers(self) -> None:
        """Let nothing more happen to the channel by itself."""
        for timer in (self.step, self.ttl):
            if timer is not None:
                timer.cancel()
        for playback in self.playbacks:
            if playback.timer is not None:
                playback.timer.cancel()
