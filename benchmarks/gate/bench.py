"""How long a decision takes: per lead of a prepared campaign, with histories, in full, and as a stream of lines.

Processor time of one process, so that it hardly matters who else is busy; the last line is by the clock.

python -m benchmarks.gate.bench
"""

import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson

from services.cli.facts import answer_line, seldom_collecting
from services.dialer import packloader
from services.dialer.domain.gate import Consent, Decision, Facts, PastAttempt, Scrub, check, decide, write_facts
from tests.oracle.cases import random_facts

AT = datetime(2026, 11, 24, 17, tzinfo=UTC)
LEADS = 20_000
AREAS = ("305", "850", "405", "206", "410", "214", "203", "502", "205", "504", "212", "312", "415", "702", "303")


def measure(name: str, count: int, run: Callable[[], object]) -> float:
    """Print and return microseconds per item, the best of five."""
    best = min(_seconds(run) for _ in range(5))
    each = best / count * 1e6
    print(f"{name:<52} {each:8.1f} µs each {count / best:12,.0f} a second")
    return each


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def leads(count: int, history: int) -> list[Facts]:
    """Return leads of one marketing campaign over fifteen states, with *history* attempts each."""
    rng = random.Random(1)
    scrubs = {
        name: Scrub((AT - timedelta(days=3)).date(), listed=False) for name in ("us_national_dnc", "us_state_dnc")
    }
    scrubs["internal"] = Scrub(None, listed=False)
    return [
        Facts(
            number=f"+1{rng.choice(AREAS)}{rng.randrange(2_000_000, 9_999_999)}",
            line_type="landline",
            mode="preview",
            subject="boilers",
            suppressed=False,
            scrubs=scrubs,  # pyright: ignore[reportArgumentType] - the names are those of the lists
            consents=(Consent("express", "marketing", "voice", AT - timedelta(days=90)),) if history else (),
            attempts=tuple(
                PastAttempt(AT - timedelta(hours=rng.randint(1, 200)), subject="boilers") for _ in range(history)
            ),
        )
        for _ in range(count)
    ]


def decide_a_million_again() -> str:
    """Return how long a million leads take under packs that nobody was asked about before."""
    million = leads(100_000, 0) * 10
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    changed = packloader.load_packs()
    seconds = _seconds(lambda: [check(lead, changed, AT) for lead in million])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"1,000,000 leads decided again after a change of packs: {seconds:.1f} s, {peak_mb:.0f} MB at most, "
        f"{before_mb:.0f} of them the leads"
    )


def main() -> None:
    """Print the table."""
    start = time.process_time()
    packs = packloader.load_packs()
    print(f"packs and number table loaded in {time.process_time() - start:.2f} s")

    def answer_one(line: bytes) -> bytes:
        answer = answer_line(line, packs)
        return orjson.dumps(answer.to_json() if isinstance(answer, Decision) else answer)

    print(decide_a_million_again())
    for history in (0, 5):
        people = leads(LEADS, history)
        name = f"{history} earlier attempts"
        measure(f"check, {name}", LEADS, lambda people=people: [check(lead, packs, AT) for lead in people])
        measure(f"decide in full, {name}", LEADS, lambda people=people: [decide(lead, packs, AT) for lead in people])
    people = leads(LEADS, 5)
    night = AT.replace(hour=5)
    measure("check at night: deferred to the morning", LEADS, lambda: [check(lead, packs, night) for lead in people])
    lines = [orjson.dumps(write_facts(lead, AT)) for lead in people]
    rng = random.Random(2)
    mixed = [orjson.dumps(random_facts(rng)) for _ in range(20_000)]
    with seldom_collecting():
        measure("a line of JSON answered, five attempts", LEADS, lambda: [answer_one(line) for line in lines])
        seconds = _seconds(lambda: [answer_one(line) for line in mixed])
        print(f"lines of every country and year, the first time: {len(mixed) / seconds:,.0f} a second")
        measure("the same once more", len(mixed), lambda: [answer_one(line) for line in mixed])
    answer_a_file([orjson.dumps(random_facts(rng)) for _ in range(40_000)])


def answer_a_file(lines: list[bytes]) -> None:
    """Print how many lines a second the command answers on all processors, from its start to its end, by the clock."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(lines))
        file.flush()
        argv = [sys.executable, "-m", "services.cli", "gate", "explain", "--json", "--facts", file.name]
        start = time.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
        seconds = time.monotonic() - start
    print(f"galw gate explain --facts FILE, {len(lines):,} such lines: {len(lines) / seconds:,.0f} a second")


if __name__ == "__main__":
    main()
