"""`galw pace --stdio` as another dialer would drive it: the lines of the protocol, and nonsense."""

import io
import json
import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.pace import answer, serve
from services.dialer.domain.pacing import Pacer
from services.dialer.domain.pacing.wire import Reader

LINE: dict[str, Any] = {
    "now": 812.5,
    "caps": [{"campaigns": ["a"], "rate": 0.03, "wait_s": 2.0, "window": {"kind": "rolling", "seconds": 86400}}],
    "operators": [{"id": "o1", "state": "ready", "since": 790.0, "ready_in": None, "campaigns": ["a", "b"]}],
    "campaigns": [
        {
            "id": "a",
            "mode": "predictive",
            "priority": 1,
            "leads_left": 9000,
            "max_lines": 400,
            "ringing": [{"since": 803.1}],
            "waiting": [],
        }
    ],
    "events": [
        {"at": 811.0, "campaign": "a", "kind": "answered", "ring_s": 9.4},
        {"at": 811.2, "campaign": "a", "kind": "no_answer", "ring_s": 25.0},
        {"at": 811.9, "campaign": "a", "kind": "connected", "waited_s": 0.4},
        {"at": 812.1, "campaign": "a", "kind": "handled", "operator": "o1", "talk_s": 96.0, "wrapup_s": 14.0},
    ],
}


def ask(line: object, pacer: Pacer | None = None) -> dict[str, Any]:
    return json.loads(answer(pacer or Pacer(), Reader(), json.dumps(line).encode()))


def test_the_line_of_the_documentation_is_answered_as_it_says() -> None:
    said = ask(LINE)
    assert set(said) >= {"dial", "explain", "next_decision_in_s"}
    assert said["dial"] == {"a": 0}
    assert "1 idle" in said["explain"]["a"]


def test_a_process_of_its_own_answers_line_by_line() -> None:
    lines = json.dumps(LINE) + "\nnonsense\n" + json.dumps(LINE | {"now": 813.0, "events": []}) + "\n"
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "pace", "--stdio"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert "dial" in first
    assert second["error"]["field"] == "line"
    assert "dial" in third


def test_starting_loads_nothing_heavy() -> None:
    code = (
        "import sys, services.cli.__main__ as m; m.main.get_command(None, 'pace');"
        "print([name for name in ('pydantic', 'aiohttp', 'asyncpg', 'rich', 'aiokafka') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def changed(**fields: object) -> dict[str, Any]:
    return {**LINE, **fields}


WRONG: list[tuple[object, str]] = [
    ([], "line"),
    (changed(now="noon"), "now"),
    (changed(now=True), "now"),
    ({key: value for key, value in LINE.items() if key != "now"}, "now"),
    (changed(operators={}), "operators"),
    (changed(operators=[{"id": "o1", "state": "asleep"}]), "operators[0].state"),
    (changed(operators=[{"id": 1, "state": "ready"}]), "operators[0].id"),
    (changed(operators=[{"id": "o1", "state": ["ready"]}]), "operators[0].state"),
    (changed(operators=[{"id": "o1", "state": "ready", "campaigns": "ab"}]), "operators[0].campaigns"),
    (changed(campaigns=[{"id": "a"}, {"id": "a"}]), "campaigns"),
    (changed(campaigns=[{"id": "a", "mode": "wild"}]), "campaigns[0].mode"),
    (changed(campaigns=[{"id": "a", "max_lines": -1}]), "campaigns[0].max_lines"),
    (changed(campaigns=[{"id": "a", "ringing": [{"since": "x"}]}]), "campaigns[0].ringing"),
    (changed(caps=[{"campaigns": ["a"], "rate": 3}]), "caps[0].rate"),
    (changed(caps=[{"campaigns": ["a"], "window": {"kind": "week"}}]), "caps[0].window.kind"),
    (changed(events=[{"kind": "laughed"}]), "events[0].kind"),
    (changed(events=[{"kind": "answered", "ring_s": -1}]), "events[0].ring_s"),
]


@pytest.mark.parametrize(("line", "field"), WRONG)
def test_a_wrong_line_is_answered_with_the_field_and_changes_nothing(line: object, field: str) -> None:
    pacer = Pacer()
    ask(LINE, pacer)
    before = pacer.to_state()
    assert ask(line, pacer)["error"]["field"] == field
    assert pacer.to_state() == before


@pytest.mark.parametrize("raw", [b'{"now": NaN}', b'{"now": 1e999}', b"{", b"\xff\xfe", b"[" * 100_000, b'""'])
def test_lines_that_are_no_json_are_answered(raw: bytes) -> None:
    assert "error" in json.loads(answer(Pacer(), Reader(), raw))


def test_unknown_fields_operators_and_campaigns_are_ignored() -> None:
    event = {"at": 812.0, "campaign": "nobody's", "kind": "handled", "operator": "ghost", "talk_s": 60.0}
    line = changed(weather="fine", events=[event], operators=[{"id": "o9", "state": "ready", "campaigns": ["zzz"]}])
    assert ask(line)["dial"] == {"a": 0}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_million_events_in_one_line_are_taken_in_and_nobody_is_flooded() -> None:
    missed = b'{"at":811.0,"campaign":"a","kind":"no_answer","ring_s":25.0}'
    abandoned = b'{"at":811.5,"campaign":"a","kind":"abandoned","waited_s":2.0}'
    line = json.dumps(changed(events=["here"])).encode()
    pacer = Pacer()
    began = time.process_time()
    raw = answer(pacer, Reader(), line.replace(b'"here"', b",".join([abandoned, *[missed] * 999_999])))
    assert time.process_time() - began < 30.0
    said = json.loads(raw)
    assert 0 <= said["dial"]["a"] <= 40
    assert said["numbers"]["a"]["budget"] == -1.0, "the first of a million events counts, too"
    assert ask(LINE | {"now": 813.0}, pacer)["dial"]["a"] <= 40


def test_a_reader_of_a_stream_reads_each_line_as_if_it_were_the_first() -> None:
    draw = random.Random(3)
    reader = Reader()
    operators: list[dict[str, Any]] = [{"id": f"o{n}", "state": "ready", "since": 1.0} for n in range(5)]
    for now in range(2, 60):
        who = draw.randrange(len(operators))
        operators[who] = {"id": f"o{who}", "state": draw.choice(["ready", "talking", "paused"])}
        operators[who] |= draw.choice([{}, {"since": now - 0.5}, {"since": now, "campaigns": ["a"]}])
        names = draw.choice([["a"], ["a", "b"]])
        staff = operators[: draw.choice([5, 5, 5, 0, 4])]
        line = {"now": now, "operators": staff, "campaigns": [{"id": name} for name in names]}
        assert reader.read(json.loads(json.dumps(line))) == Reader().read(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*LINE, "id", "state", "since"]), inner)
    ),
    max_leaves=4,
)


@given(st.sampled_from(list(LINE)), JSON)
def test_any_value_in_any_field_is_answered(field: str, value: object) -> None:
    said = ask(changed(**{field: value}))
    assert ("error" in said) != ("dial" in said)
    assert sum(said.get("dial", {}).values()) <= 40 * 3


def test_people_whose_end_was_never_heard_do_not_hold_operators_for_ever() -> None:
    alone = {"id": "a", "leads_left": 9000, "ringing": []}
    waiting = {**alone, "waiting": [{"since": 700.0}, {"since": 720.5}]}
    assert ask(changed(campaigns=[waiting]))["dial"] == ask(changed(campaigns=[alone]))["dial"] != {"a": 0}


def test_the_stream_ends_with_its_source_and_skips_empty_lines() -> None:
    sink = io.BytesIO()
    serve(io.BytesIO(b"\n\n" + json.dumps(LINE).encode() + b"\n"), sink, Pacer())
    assert sink.getvalue().count(b"\n") == 1
