"""What a decision costs for a hundred operators and three hundred lines, alone and as `galw pace` answers it.

In processor time, so that a busy machine tells nearly the same as an idle one.
"""

import random
import time
from statistics import median

import orjson

from services.cli.pace import answer
from services.dialer.domain.pacing import Pacer
from services.dialer.domain.pacing.wire import Reader

DECISIONS = 4_000
WARM_UP = 400


def measure() -> None:
    """Print the median and the 99th percentile of a decision alone, and of a whole line in and out."""
    draw = random.Random(1)
    now = 1_000.0
    ringing = sorted(now - draw.uniform(0.0, 25.0) for _ in range(300))
    states = [(draw.choice(["talking"] * 19 + ["ready"]), now - draw.expovariate(1 / 60)) for _ in range(100)]
    alone, whole = Pacer(), Pacer()
    reader, own = Reader(), Reader()
    decided: list[float] = []
    answered: list[float] = []
    for index in range(DECISIONS + WARM_UP):
        now += 0.07
        events: list[dict[str, object]] = []
        # A signal brings one or two news: a line ends, an operator finishes.
        answers = draw.random() < 0.3
        line = draw.randrange(150, 300) if answers else 0
        ring_s = now - ringing.pop(line)
        ringing.append(now)
        events.append({"at": now, "campaign": "a", "kind": "answered" if answers else "no_answer", "ring_s": ring_s})
        if index % 3 == 0:
            who = draw.randrange(100)
            events.append(
                {"at": now, "campaign": "a", "kind": "handled", "operator": f"o{who}", "talk_s": now - states[who][1]}
            )
            states[who] = ("talking", now)
        raw = orjson.dumps(
            {
                "now": now,
                "operators": [
                    {"id": f"o{i}", "state": state, "since": since, "campaigns": ["a"]}
                    for i, (state, since) in enumerate(states)
                ],
                "campaigns": [{"id": "a", "leads_left": 100_000, "ringing": [{"since": since} for since in ringing]}],
                "events": events,
            }
        )
        floor = reader.read(orjson.loads(raw))
        began = time.thread_time()
        alone.decide(floor)
        middle = time.thread_time()
        answer(whole, own, raw)
        if index >= WARM_UP:
            decided.append(middle - began)
            answered.append(time.thread_time() - middle)
    for name, spans in (("decision", decided), ("line in, line out", answered)):
        spans.sort()
        print(f"{name:<20} median {median(spans) * 1e6:7.0f} µs   p99 {spans[int(len(spans) * 0.99)] * 1e6:7.0f} µs")
