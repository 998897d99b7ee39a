"""What a simulated operator says, hears and writes down: pure choices and how long they take, in seconds."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

END = "end"

_REMARKS = (
    "It is fine in the morning and slow in the evening.",
    "The technician was friendly.",
    "The router stands behind the television.",
    "Please announce works a week before.",
    "The bill could be clearer.",
)
_DISPOSITIONS = (
    ("completed", 0.80),
    ("not_now", 0.08),
    ("call_back", 0.06),
    ("wrong_person", 0.03),
    ("never_call_again", 0.03),
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One question answered: *after_s* the answer *value* was heard and typed."""

    question_id: str
    value: Any
    after_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the operator closes the call, *after_s* thinking about it."""

    disposition: str
    note: str
    after_s: float
    call_back_in: timedelta | None = None


def opening_s(rng: random.Random) -> float:
    """Return how long greeting and opening take."""
    return rng.uniform(2.5, 4.5)


def closing_s(rng: random.Random) -> float:
    """Return how long saying goodbye takes."""
    return rng.uniform(1.0, 2.0)


def answers(script: Mapping[str, Any], today: date, rng: random.Random) -> Iterator[Spoken]:
    """Yield the answers in the order the script's branches lead through its questions."""
    questions: list[Mapping[str, Any]] = list(script["questions"])
    places = {question["id"]: place for place, question in enumerate(questions)}
    place = 0
    while place < len(questions):
        question = questions[place]
        value = _answer(question, today, rng)
        if value is not None:
            yield Spoken(question["id"], value, rng.uniform(1.5, 3.5))
        chosen = next((one["then"] for one in question["options"] if one["value"] == value and one["then"]), None)
        target = chosen or question["then"]
        place = place + 1 if target is None else len(questions) if target == END else places[target]


def verdict(script: Mapping[str, Any], *, asked_all: bool, rng: random.Random) -> Verdict:
    """Return how a call is closed; who hung up before the last answer is tried again."""
    known = {one["id"]: one["effect"] for one in script["dispositions"] if asked_all or not one["needs_answers"]}
    wanted = [(name, share) for name, share in _DISPOSITIONS if name in known]
    if not asked_all and "not_now" in known:
        wanted = [("not_now", 1.0)]
    if not wanted:
        wanted = [(name, 1.0) for name, effect in known.items() if effect == "reached"] or [(next(iter(known)), 1.0)]
    names, shares = zip(*wanted, strict=True)
    chosen = rng.choices(names, shares)[0]
    note = rng.choice(_REMARKS) if rng.random() < 0.2 else ""
    back = timedelta(minutes=rng.randint(20, 180)) if known[chosen] == "call_back" else None
    return Verdict(chosen, note, rng.uniform(2.0, 5.0), back)


def _answer(question: Mapping[str, Any], today: date, rng: random.Random) -> Any:
    if not question["required"] and rng.random() < 0.5:
        return None
    values = [option["value"] for option in question["options"]]
    match question["kind"]:
        case "choice":
            # The first option is the kind one; people mostly have a minute, and mostly no trouble.
            return rng.choices(values, [3.0, *(1.0 for _ in values[1:])])[0]
        case "several":
            return sorted(rng.sample(values, rng.randint(1, len(values))))
        case "number" | "scale":
            return _number(question, rng)
        case "date":
            return (today - timedelta(days=rng.randint(1, 40))).isoformat()
        case _:
            return rng.choice(_REMARKS)


def _number(question: Mapping[str, Any], rng: random.Random) -> int:
    low = int(question["minimum"] if question["minimum"] is not None else 0)
    high = int(question["maximum"] if question["maximum"] is not None else low + 10)
    return rng.randint(low, min(high, low + 12))
