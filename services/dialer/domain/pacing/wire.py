"""The line protocol: a decoded JSON object becomes a `Floor`, a `Decision` a JSON-able dict.

Everything is checked before anything is learned, so a refused line changes nothing. Fields that are not known are
ignored, missing ones get the default that `floor` documents.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

from services.dialer.domain.pacing.floor import (
    Campaign,
    Cap,
    Decision,
    Event,
    EventKind,
    Floor,
    Mode,
    Operator,
    OperatorState,
    Window,
    WindowKind,
)

# Instants in seconds from anywhere; beyond this even milliseconds since 1970 would be a mistake.
MAX_INSTANT = 1e13
# The longest duration that makes sense for a ring, a wait or a conversation.
MAX_DURATION_S = 1e6
MAX_COUNT = 1_000_000_000
MAX_OPERATORS = 10_000
MAX_CAMPAIGNS = 400
MAX_CAPS = 800
_STATES = {state.value: state for state in OperatorState}
_MODES = {mode.value: mode for mode in Mode}
_KINDS = {kind.value: kind for kind in EventKind}
_WINDOWS = {kind.value: kind for kind in WindowKind}
_NUMBERS = frozenset((int, float))
_NOBODY = Operator("", OperatorState.PAUSED, 0.0)
_Choice = TypeVar("_Choice")


class WrongLineError(Exception):
    """A line that cannot be used: *field* says where, *expected* what should stand there."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected


class Reader:
    """Reads one stream of lines; operators who have not changed since the last line are not read again."""

    def __init__(self) -> None:
        """Know no operator yet."""
        self._names: tuple[str, ...] = ()
        self._rows: list[Any] = []
        self._operators: tuple[Operator, ...] = ()
        self._dated = True  # whether each operator of the last line came with an instant of its own

    def read(self, line: object) -> Floor:
        """Return the snapshot that a decoded line describes; raise WrongLineError when it cannot be used."""
        if not isinstance(line, Mapping):
            raise WrongLineError("line", "a JSON object")
        now = _number(line, "now", "now", -MAX_INSTANT, MAX_INSTANT)
        campaigns = tuple(
            _campaign(row, f"campaigns[{index}]", now)
            for index, row in enumerate(_rows(line, "campaigns", MAX_CAMPAIGNS))
        )
        names = tuple(campaign.id for campaign in campaigns)
        if len(set(names)) < len(names):
            raise WrongLineError("campaigns", "each id once")
        operators = self._read_operators(_rows(line, "operators", MAX_OPERATORS), names, now)
        caps = tuple(_cap(row, f"caps[{index}]", names) for index, row in enumerate(_rows(line, "caps", MAX_CAPS)))
        events = tuple(_event(row, index, now) for index, row in enumerate(_rows(line, "events", None)))
        return Floor(now, operators, campaigns, tuple(dict.fromkeys(caps)), events)

    def _read_operators(self, rows: list[Any], names: tuple[str, ...], now: float) -> tuple[Operator, ...]:
        if self._dated and len(rows) == len(self._rows) and names == self._names:
            operators = list(self._operators)
            pairs = zip(rows, self._rows, strict=True)
            changed = [index for index, (row, before) in enumerate(pairs) if row != before]
            if not changed:
                return self._operators
        else:
            operators = [_NOBODY] * len(rows)
            changed = range(len(rows))
        for index in changed:
            operators[index] = _operator(rows[index], index, names, now)
        if len({operator.id for operator in operators}) < len(operators):
            raise WrongLineError("operators", "each id once")
        self._dated = all("since" in rows[index] for index in changed)
        self._rows, self._names, self._operators = rows, names, tuple(operators)
        return self._operators


def to_answer(decision: Decision) -> dict[str, Any]:
    """Return what is answered to a line."""
    return {
        "dial": dict(decision.dial),
        "explain": dict(decision.explain),
        "numbers": {name: dict(numbers) for name, numbers in decision.numbers.items()},
        "next_decision_in_s": decision.next_decision_in_s,
    }


def _operator(row: Any, index: int, names: tuple[str, ...], now: float) -> Operator:
    try:
        name, state = row["id"], _STATES[row["state"]]
        since = row.get("since", now)
        ready_in = row.get("ready_in")
        skill = row.get("campaigns")
        skill = names if skill is None else tuple(skill)
    except (TypeError, KeyError, AttributeError):
        raise _wrong_operator(row, f"operators[{index}]") from None
    if not isinstance(name, str) or isinstance(row.get("campaigns"), str) or not _all_strings(skill):
        raise _wrong_operator(row, f"operators[{index}]")
    if type(since) is not float:
        since = _number(row, "since", f"operators[{index}].since", -MAX_INSTANT, MAX_INSTANT)
    if ready_in is not None:
        ready_in = _number(row, "ready_in", f"operators[{index}].ready_in", -MAX_DURATION_S, MAX_DURATION_S)
    return Operator(name, state, since, ready_in, skill)


def _all_strings(values: Sequence[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _wrong_operator(row: Any, where: str) -> WrongLineError:
    if not isinstance(row, Mapping):
        return WrongLineError(where, "an object")
    if not isinstance(row.get("id"), str):
        return WrongLineError(f"{where}.id", "a string, each once")
    if row.get("state") not in list(_STATES):
        return WrongLineError(f"{where}.state", "one of " + ", ".join(_STATES))
    return WrongLineError(f"{where}.campaigns", "a list of campaign ids")


def _campaign(row: Any, where: str, now: float) -> Campaign:
    name = _name(row, "id", where)
    left_s = row.get("window_left_s")
    return Campaign(
        name,
        _choice(row, "mode", where, _MODES, Mode.PREDICTIVE),
        _number(row, "priority", f"{where}.priority", 0.0, 1e6, 1.0),
        int(_number(row, "leads_left", f"{where}.leads_left", 0.0, MAX_COUNT, 1_000_000)),
        int(_number(row, "max_lines", f"{where}.max_lines", 0.0, MAX_COUNT, 400)),
        _instants(row, "ringing", where, now),
        _instants(row, "waiting", where, now),
        _number(row, "ratio", f"{where}.ratio", 0.0, 100.0, 1.5),
        None if left_s is None else _number(row, "window_left_s", f"{where}.window_left_s", 0.0, MAX_DURATION_S * 100),
    )


def _cap(row: Any, where: str, names: tuple[str, ...]) -> Cap:
    if not isinstance(row, Mapping):
        raise WrongLineError(where, "an object")
    covered = row.get("campaigns")
    covered = list(names) if covered is None else covered
    if not isinstance(covered, list) or not _all_strings(covered):
        raise WrongLineError(f"{where}.campaigns", "a list of campaign ids")
    window = row.get("window") or {}
    if not isinstance(window, Mapping):
        raise WrongLineError(f"{where}.window", "an object")
    anchor = window.get("anchor")
    inside = f"{where}.window"
    return Cap(
        tuple(covered),
        _number(row, "rate", f"{where}.rate", 0.0, 1.0, 0.03),
        _number(row, "wait_s", f"{where}.wait_s", 0.0, 3600.0, 2.0),
        Window(
            _choice(window, "kind", inside, _WINDOWS, WindowKind.DAY),
            _number(window, "seconds", f"{inside}.seconds", 1.0, 1e9, 86_400.0),
            None if anchor is None else _number(window, "anchor", f"{inside}.anchor", -MAX_INSTANT, MAX_INSTANT),
        ),
        _number(row, "false_machine_share", f"{where}.false_machine_share", 0.0, 1.0, 0.0),
    )


def _event(row: Any, index: int, now: float) -> Event:
    try:
        kind, at = _KINDS[row["kind"]], row.get("at", now)
    except (TypeError, KeyError, AttributeError):
        raise WrongLineError(f"events[{index}].kind", "one of " + ", ".join(_KINDS)) from None
    where = f"events[{index}]"
    if type(at) is not float:
        at = _number(row, "at", f"{where}.at", -MAX_INSTANT, MAX_INSTANT, now)
    campaign = row.get("campaign", "")
    operator = row.get("operator") or ""
    if not isinstance(campaign, str) or not isinstance(operator, str):
        raise WrongLineError(where, "campaign and operator as strings")
    ring_s = waited_s = talk_s = wrapup_s = 0.0
    if kind is EventKind.HANDLED:
        talk_s = _number(row, "talk_s", f"{where}.talk_s", 0.0, MAX_DURATION_S, 0.0)
        wrapup_s = _number(row, "wrapup_s", f"{where}.wrapup_s", 0.0, MAX_DURATION_S, 0.0)
    elif kind is EventKind.CONNECTED or kind is EventKind.ABANDONED:
        waited_s = _number(row, "waited_s", f"{where}.waited_s", 0.0, MAX_DURATION_S, 0.0)
    else:
        ring_s = _number(row, "ring_s", f"{where}.ring_s", 0.0, MAX_DURATION_S, 0.0)
    return Event(at, campaign, kind, ring_s, waited_s, talk_s, wrapup_s, operator)


def _rows(line: Mapping[str, Any], name: str, most: int | None) -> list[Any]:
    rows = line.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise WrongLineError(name, "a list")
    if most is not None and len(rows) > most:
        raise WrongLineError(name, f"at most {most}")
    return rows


def _name(row: Any, key: str, where: str) -> str:
    if not isinstance(row, Mapping):
        raise WrongLineError(where, "an object")
    name = row.get(key)
    if not isinstance(name, str) or not name:
        raise WrongLineError(f"{where}.{key}", "a string")
    return name


def _number(
    row: Mapping[str, Any], key: str, where: str, least: float, most: float, default: float | None = None
) -> float:
    value = row.get(key, default)
    # A bool is an int to Python, and NaN compares false with everything: both are refused here.
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise WrongLineError(where, f"a number from {least:g} to {most:g}")
    return float(value)


def _choice(row: Mapping[str, Any], key: str, where: str, choices: Mapping[str, _Choice], default: _Choice) -> _Choice:
    value = row.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or value not in choices:
        raise WrongLineError(f"{where}.{key}", "one of " + ", ".join(choices))
    return choices[value]


def _instants(row: Mapping[str, Any], key: str, where: str, now: float) -> tuple[float, ...]:
    lines = row.get(key)
    if not lines:
        return ()
    try:
        instants = tuple([line["since"] for line in lines])
    except (TypeError, KeyError):
        raise WrongLineError(f"{where}.{key}", "a list of objects with the number since") from None
    if not _NUMBERS.issuperset(map(type, instants)):
        raise WrongLineError(f"{where}.{key}", "a list of objects with the number since")
    # One sum finds a NaN or an infinity among hundreds; an instant to come counts as now.
    if not isfinite(sum(instants)):
        raise WrongLineError(f"{where}.{key}", "finite instants")
    return instants if max(instants) <= now else tuple([min(now, instant) for instant in instants])
