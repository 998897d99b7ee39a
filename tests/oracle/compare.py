"""Compares the gate with the oracle on random cases: the decision, the modes, and that "until" is the first instant."""

import argparse
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.dialer import packloader
from services.dialer.domain.gate import HORIZON, Packs, decide, parse_facts
from tests.oracle.cases import random_facts
from tests.oracle.oracle import ALL_MODES, Oracle, instant, load

DAYS = HORIZON // 86_400_000_000
WALKED = timedelta(days=40)  # Most waits are shorter; the rest of 400 days is tried at random.


@dataclass(slots=True)
class Tally:
    """How many cases had which answer, and those on which the two disagree."""

    answers: dict[str, int] = field(default_factory=dict[str, int])
    differences: list[str] = field(default_factory=list[str])


def compare(seed: int, cases: int, *, walks: int = 0) -> Tally:
    """Compare *cases* random cases; the first *walks* deferred or denied ones are walked minute by minute."""
    rng = random.Random(seed)
    packs, texts = packloader.load_packs(), load()
    tally = Tally()
    for _ in range(cases):
        facts = random_facts(rng)
        answer, oracle = _ask(packs, facts), Oracle(texts, facts)
        tally.answers[answer["decision"]] = tally.answers.get(answer["decision"], 0) + 1
        walk = walks > 0 and answer["decision"] != "allow"
        walks -= walk
        problem = disagreement(answer, oracle, facts, rng, walk=walk)
        if problem:
            tally.differences.append(f"{problem}: {facts} -> {answer}")
    return tally


def compare_in_parallel(seed: int, cases: int, *, walks: int, jobs: int) -> Tally:
    """Compare with several processes, each with its share of the cases and a seed of its own."""
    whole = Tally()
    with ProcessPoolExecutor(jobs) as pool:
        shares = [cases // jobs + (n < cases % jobs) for n in range(jobs)]
        parts = [pool.submit(compare, seed + n, share, walks=walks // jobs) for n, share in enumerate(shares)]
        for part in parts:
            tally = part.result()
            whole.differences += tally.differences
            for answer, count in tally.answers.items():
                whole.answers[answer] = whole.answers.get(answer, 0) + count
    return whole


def disagreement(
    answer: dict[str, Any], oracle: Oracle, facts: dict[str, Any], rng: random.Random, *, walk: bool
) -> str:
    """Return what the oracle says against *answer*, nothing when they agree."""
    at, mode = instant(facts["at"]), facts.get("mode") or "prerecorded"
    modes = [m for m in ALL_MODES if oracle.allows(m, at)]
    if modes != answer["allowed_modes"]:
        return f"modes are {modes}"
    if (answer["decision"] == "allow") != (mode in modes):
        return "allow against oracle" if answer["decision"] == "allow" else "the oracle allows"
    if answer["decision"] == "allow":
        return ""
    until = None if answer["until"] is None else instant(answer["until"])
    end = until or at + timedelta(days=DAYS)
    if until is not None and not oracle.allows(mode, until):
        return "not allowed at until"
    if until is not None and not at < until <= at + timedelta(days=DAYS):
        return "until is not within the horizon"
    tried = [end - timedelta(minutes=1), end - timedelta(microseconds=1)]
    tried += [at + (end - at) * rng.random() for _ in range(8)]
    if walk:
        tried += minutes(at, min(end, at + WALKED))
    early = next((t for t in tried if at < t < end and oracle.allows(mode, t)), None)
    return f"allowed already at {early}" if early else ""


def minutes(start: datetime, end: datetime) -> list[datetime]:
    """Return every minute between, on the minute."""
    first = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return [first + timedelta(minutes=n) for n in range(int((end - first) / timedelta(minutes=1)) + 1)]


def _ask(packs: Packs, facts: dict[str, Any]) -> dict[str, Any]:
    parsed, at = parse_facts(facts, packs.places)
    return decide(parsed, packs, at).to_json()


def main() -> None:
    """Compare from the command line; fails when there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--walks", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    tally = compare_in_parallel(options.seed, options.cases, walks=options.walks, jobs=options.jobs)
    sys.stdout.write(
        f"{options.cases} cases, {options.walks} walked: {tally.answers}; {len(tally.differences)} differ\n"
    )
    sys.stdout.writelines(f"- {difference}\n" for difference in tally.differences[:10])
    raise SystemExit(1 if tally.differences else 0)


if __name__ == "__main__":
    main()
