"""The verdict on a ledger: what a dialer must never have made a carrier do.

Galw's own database is not asked: `judge(parse_lines(path.open("rb"), str(path)))` sees what was really dialed.
"""

from collections.abc import Iterable
from typing import Any


def judge(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Return one sentence for each broken rule, none for a clean ledger.

    No channel rings twice or is dialed twice, no number is in two calls at once, and no operator is.
    """
    bench = _Bench()
    for line in lines:
        bench.hear(line)
    return bench.broken


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
