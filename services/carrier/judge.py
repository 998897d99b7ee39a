"""The verdict on a ledger: what a dialer must never have made a carrier do.

Galw's own database is not asked: `judge(parse_lines(path.open("rb"), str(path)))` sees what was really dialed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


def judge(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Return one sentence for each broken rule, none for a clean ledger.

    No channel rings twice or is dialed twice, no number is in two calls at once, and no operator is.
    """
    bench = _Bench()
    for line in lines:
        bench.hear(line)
    return bench.broken


@dataclass(frozen=True, slots=True)
class Meetings:
    """Who picked up in a span of time, who of them met no operator in time, and how long operators talked in it."""

    answered: int
    abandoned: int
    talking_s: float

    @property
    def share(self) -> float:
        """Abandoned ÷ answered; zero before the first answer."""
        return self.abandoned / self.answered if self.answered else 0.0


def meetings(lines: Iterable[dict[str, Any]], since: datetime, until: datetime, in_time: timedelta) -> Meetings:
    """Count the people who picked up between two instants, and those of them who did not meet an operator *in_time*."""
    answered: dict[str, datetime] = {}
    met: dict[str, datetime] = {}
    parted: dict[str, datetime] = {}
    for line in lines:
        at, channel = datetime.fromisoformat(str(line["at"])), str(line["channel_id"])
        match line["event"]:
            case "answer" if since <= at < until:
                answered[channel] = at
            case "meet":
                met[channel] = at
            case "part" | "end" if channel in met:
                parted.setdefault(channel, at)
            case _:
                pass
    late = sum(channel not in met or met[channel] - at > in_time for channel, at in answered.items())
    spans = [min(until, parted.get(channel, until)) - max(since, at) for channel, at in met.items()]
    return Meetings(len(answered), late, sum(max(0.0, span.total_seconds()) for span in spans))


class _Bench:
    def __init__(self) -> None:
        self.broken: list[str] = []
        self._rung: set[str] = set()
        self._call_of: dict[str, str] = {}
        self._call_with: dict[str, str] = {}
        self._operator_in: dict[str, str] = {}

    def hear(self, line: dict[str, Any]) -> None:
        channel, number = str(line["channel_id"]), str(line["number"])
        match line["event"]:
            case "ring":
                self._ring(channel, number, str(line["at"]))
            case "redial":
                self.broken.append(f"{line['at']}: channel {channel} was dialed a second time")
            case "meet":
                self._meet(channel, str(line["operator"]), str(line["at"]))
            case "part":
                self._part(channel)
            case "end":
                self._part(channel)  # a killed carrier wrote no part
                if self._call_of.get(number) == channel:
                    del self._call_of[number]
            case _:
                pass

    def _ring(self, channel: str, number: str, at: str) -> None:
        if channel in self._rung:
            self.broken.append(f"{at}: channel {channel} rang a second time")
        self._rung.add(channel)
        other = self._call_of.setdefault(number, channel)
        if other != channel:
            # The number itself stays out of the sentence: it may end in a log.
            self.broken.append(f"{at}: channel {channel} rang a number that channel {other} was ringing or talking to")

    def _meet(self, channel: str, operator: str, at: str) -> None:
        other = self._call_with.setdefault(operator, channel)
        if other == channel:
            self._operator_in[channel] = operator
        else:
            self.broken.append(f"{at}: {operator} met {channel} while in call {other}")

    def _part(self, channel: str) -> None:
        if (operator := self._operator_in.pop(channel, None)) is not None:
            del self._call_with[operator]
