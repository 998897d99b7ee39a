"""A switch on virtual time, with everything it says and writes at hand: what the tests of the carrier play on."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from services.carrier import ari
from services.carrier.apps import Connection, Event
from services.carrier.ari import Answer, Request
from services.carrier.people import Outcome, People, Programmed
from services.carrier.profile import Profile, parse_profile
from services.carrier.switch import LedgerLine, Switch

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "+441632960001"
CUSTOMER = f"SIM/{NUMBER}@trunk-1"
OPERATOR = "SIM/operator-1"
CALM = parse_profile(
    {
        "times": {
            "setup_s": 1.0,
            "ring_mean_s": 5.0,
            "ring_shape": 0,
            "talk_median_s": 30.0,
            "talk_sigma": 0.0,
            "patience_min_s": 4.0,
            "patience_mean_s": 0.0,
        },
        "people": [{"answer": 1.0}],
    },
    "calm",
)
"""Everybody answers after 6 s, waits 4 s for an operator and talks for 30 s."""


class _Handle:
    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.callback = callback
        self.arguments = arguments
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualTime:
    """A scheduler whose seconds pass only when `advance` says so."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, _Handle]] = []

    def time(self) -> float:
        return self._now

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._now)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> _Handle:
        assert delay >= 0.0, "nothing is scheduled for the past"
        handle = _Handle(callback, args)
        heapq.heappush(self._timers, (self._now + delay, next(self._order), handle))
        return handle

    @property
    def pending(self) -> int:
        return sum(not handle.cancelled for _, _, handle in self._timers)

    def advance(self, seconds: float = 0.0) -> None:
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end + 1e-9:
            at, _, handle = heapq.heappop(self._timers)
            self._now = max(self._now, at)
            if not handle.cancelled:
                handle.callback(*handle.arguments)
        self._now = max(self._now, end)


class Stage:
    """A switch with one listener on the app `galw`."""

    def __init__(self, profile: Profile = CALM, *, speed: float = 1.0, seed: int = 7) -> None:
        self.time = VirtualTime()
        self.ledger: list[LedgerLine] = []
        self.events: list[Event] = []
        people = People(seed, profile.odds_of)
        self.switch = Switch(self.time, self.time.now, people, self.ledger.append, speed=speed, seed=seed)
        self.listener: Connection = self.switch.connect(["galw"], self.events.append)

    def wish(self, outcome: Outcome, **how: Any) -> None:
        self.switch.people.program(NUMBER, Programmed(outcome, **how))

    def call(self, channel_id: str = "call", *, timeout_s: float = 30.0, endpoint: str = CUSTOMER) -> None:
        self.switch.create(endpoint, "galw", channel_id=channel_id)
        self.switch.dial(channel_id, timeout_s)

    def operator(self, channel_id: str = "leg", bridge_id: str = "bridge", *, endpoint: str = OPERATOR) -> None:
        self.call(channel_id, endpoint=endpoint)
        self.time.advance()
        self.switch.create_bridge(bridge_id)
        self.switch.add_channels(bridge_id, [channel_id])

    def ask(self, method: str, uri: str, body: bytes = b"") -> Answer:
        """Carry out an ARI request in memory; its answer must come at once."""
        path, _, query = uri.partition("?")
        pairs = (pair.partition("=") for pair in query.split("&") if pair)
        answers: list[Answer] = []
        request = Request(method, path.split("/"), {name: value for name, _, value in pairs}, body)
        ari.answer(self.switch, request, self.time.now(), answers.append)
        assert len(answers) == 1, "one answer to one request"
        return answers[0]

    def heard(self, channel_id: str = "call") -> list[str]:
        """The events of a channel in words: type, or the state it changed to."""
        own = [event for event in self.events if event.get("channel", {}).get("id") == channel_id]
        return [event["channel"]["state"] if event["type"] == "ChannelStateChange" else event["type"] for event in own]

    def last(self, kind: str, channel_id: str = "call") -> Event:
        return next(
            event
            for event in reversed(self.events)
            if event["type"] == kind and event.get("channel", {}).get("id") == channel_id
        )

    def written(self) -> list[str]:
        return [line["event"] for line in self.ledger]
