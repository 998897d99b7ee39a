"""Planted bugs, each of which the simulation must find: `python -m tests.dialer.simulation.mutations`.

Every mutation is made in a copy of the tree. What each would do to people, and which rule finds it, is listed in
docs/simulation.md. Exit codes: 0 all were found, 1 one was not, 2 one no longer fits the code and must be written anew.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
DIALER = "services/dialer"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One wrong line: *was* stands exactly once in *file*; *found_by* is a part of the sentence that tells."""

    name: str
    file: str
    was: str
    becomes: str
    found_by: str
    seeds: int = 100


MUTATIONS = (
    Mutation(
        "the last check under lock before a dial is skipped",
        f"{DIALER}/store/commit.py",
        "    return _dial_misfit(change.attempt, present) if change.dial and change.attempt is not None else None",
        "    return None",
        "was committed",
    ),
    Mutation(
        "a write of an owner whose lease is another's is let through",
        f"{DIALER}/store/commit.py",
        "    if fence is not None and present.epochs.get(fence.pool_id) != fence.epoch:",
        "    if fence is not None and fence.pool_id not in present.epochs:",
        "in a pool that is another's",
    ),
    Mutation(
        "a row of an operator that has changed meanwhile is written over",
        f"{DIALER}/store/commit.py",
        "        (change.operator, present.operators),\n",
        "",
        "",
    ),
    Mutation(
        "a call that ended unknown is tried again by itself",
        f"{DIALER}/domain/leads.py",
        "    if outcome is Outcome.CANCELLED:",
        "    if outcome in (Outcome.CANCELLED, Outcome.UNKNOWN):",
        "had ended unknown",
    ),
    Mutation(
        "an operator in a call is given another",
        f"{DIALER}/domain/operators.py",
        "        return self.state is OperatorState.READY and self.disconnected_at is None",
        "        return self.state in (OperatorState.READY, OperatorState.TALKING) and self.disconnected_at is None",
        "is stuck",
    ),
    Mutation(
        "a dial whose answer was lost is sent again",
        f"{DIALER}/workers/calls.py",
        '            log.warning("call.dial_unanswered", attempt_id=self.channel)',
        "            return await self._dial(began)",
        "dialed a second time",
    ),
    Mutation(
        "a call that was dialing when its owner died is taken for one that rang nobody",
        f"{DIALER}/domain/attempts.py",
        "    if attempt.state is AttemptState.RESERVED:\n        return Outcome.CANCELLED\n"
        "    return Outcome.ANSWERED if attempt.connected_at is not None else Outcome.UNKNOWN",
        "    return Outcome.CANCELLED",
        "counted as cancelled",
    ),
    Mutation(
        "an old view of consents is good enough",
        f"{DIALER}/workers/board.py",
        "        if self.now() - safety.consents_at > CONSENT_VIEW_LIMIT:",
        "        if self.now() - safety.consents_at > 10 * CONSENT_VIEW_LIMIT:",
        "view of consents that was stale",
    ),
    Mutation(
        "the caps of a person are not counted when a call is reserved",
        f"{DIALER}/store/reserve.py",
        "    if index in ground.capped:",
        "    if False and index in ground.capped:",
        "the cap is",
    ),
    Mutation(
        "dials that a stall has held up are sent all at once",
        f"{DIALER}/workers/spacing.py",
        "        self._next_at = turn_at + apart_s",
        "        self._next_at = turn_at",
        "dials in the second",
        seeds=200,
    ),
)


def try_out(mutation: Mutation) -> tuple[Mutation, bool, str]:
    """Return whether the simulation found *mutation*, and its first sentence."""
    with tempfile.TemporaryDirectory(prefix="galw-mutation-") as folder:
        copy = Path(folder)
        for part in ("services", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        file = copy / mutation.file
        text = file.read_text()
        if text.count(mutation.was) != 1:
            return mutation, False, "does not fit the code any more"
        file.write_text(text.replace(mutation.was, mutation.becomes))
        run = [sys.executable, "-m", "tests.dialer.simulation", "--seeds", str(mutation.seeds)]
        done = subprocess.run(run, cwd=copy, capture_output=True, text=True, check=False)
    if done.returncode == 1 and "Traceback" in done.stderr:
        # A rule that is an assertion of the code itself, or a task that waits for ever: found as well.
        return mutation, True, done.stderr.strip().splitlines()[-1]
    return mutation, done.returncode == 1 and mutation.found_by in done.stdout, done.stdout.partition("\n")[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Try all, or those whose name holds a word, and print one line each."""
    parser = argparse.ArgumentParser("python -m tests.dialer.simulation.mutations", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only the mutations whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(argv)
    chosen = [mutation for mutation in MUTATIONS if asked.word in mutation.name]
    missed = misfit = 0
    with ThreadPoolExecutor(asked.jobs) as jobs:
        for mutation, found, said in jobs.map(try_out, chosen):
            misfit += said == "does not fit the code any more"
            missed += not found
            sys.stdout.write(f"{'found ' if found else 'MISSED'} {mutation.name}\n       {said}\n")
            sys.stdout.flush()
    return 2 if misfit else 1 if missed else 0


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    sys.stdout.write(f"{time.monotonic() - began:.0f} s\n")
    sys.exit(code)
