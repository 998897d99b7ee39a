"""Scripts: a walk of any answers ends, what leads nowhere or loops is refused by name, answers fit their questions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.dialer.domain.scripts import (
    END,
    Disposition,
    Option,
    Question,
    Script,
    check_answer,
    language_for,
    next_question,
    problems_of,
    unanswered,
)

IDS = ("a", "b", "c", "d", "e")
TARGETS = st.none() | st.sampled_from([*IDS, END])
EN = {"en": "words"}


@st.composite
def questions(draw: st.DrawFn) -> tuple[Question, ...]:
    """Return questions whose branches go anywhere."""
    made: list[Question] = []
    for question_id in IDS[: draw(st.integers(0, len(IDS)))]:
        kind = draw(st.sampled_from(["choice", "several", "text"]))
        values = () if kind == "text" else ("x", "y", "z")
        options = tuple(Option(value=value, label=EN, then=draw(TARGETS)) for value in values)
        made.append(Question(id=question_id, kind=kind, ask=EN, options=options, then=draw(TARGETS)))  # pyright: ignore[reportArgumentType]
    return tuple(made)


def unchecked(asked: tuple[Question, ...]) -> Script:
    return Script.model_construct(
        languages=("en",),
        opening=EN,
        closing={},
        questions=asked,
        dispositions=Script(languages=("en",), opening=EN).dispositions,
    )


@given(questions(), st.data())
def test_a_walk_of_any_answers_through_a_sound_script_ends(asked: tuple[Question, ...], data: st.DataObject) -> None:
    script = unchecked(asked)
    if problems_of(script):
        assert all(one.field.startswith("questions.") for one in problems_of(script))
        return
    seen: list[str] = []
    at = next_question(script, None)
    while at is not None:
        assert at not in seen
        seen.append(at)
        answer = data.draw(st.sampled_from([None, "x", "y", "z", ["x", "z"], [], "other"]))
        at = next_question(script, at, answer)
    assert len(seen) <= len(asked)


def script(*asked: dict[str, Any], **said: Any) -> Script:
    return Script.model_validate({"languages": ["en"], "opening": EN, "questions": asked, **said})


def choice(question_id: str, *then: str | None, **said: Any) -> dict[str, Any]:
    options = [{"value": f"v{n}", "label": EN, "then": target} for n, target in enumerate(then)]
    return {"id": question_id, "kind": "choice", "ask": EN, "options": options, **said}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([choice("q1", "q9", None)], "questions.q1: branches to 'q9', which is not a question"),
        ([choice("q1", "q2", None), choice("q2", "q1", None)], "lead back to itself"),
        ([{"id": "q1", "kind": "text", "ask": EN, "then": "q1"}], "questions.q1: its branches lead back to itself"),
        ([choice("q1", None)], "questions.q1: a choice question needs at least two different options"),
        ([choice("q1", None, None), choice("q1", None, None)], "questions.q1: two questions have this id"),
        ([{"id": "q1", "kind": "scale", "ask": EN}], "questions.q1: a scale needs a minimum and a maximum"),
        ([{"id": "q1", "kind": "number", "ask": EN, "minimum": 5, "maximum": 1}], "minimum is above its maximum"),
        ([{"id": "q1", "kind": "text", "ask": {"cy": "geiriau"}}], "questions.q1: has no words in 'en'"),
        ([{"id": "q1", "kind": "song", "ask": EN}], "questions.0.kind"),
    ],
)
def test_what_is_wrong_with_a_script_is_said_and_the_question_named(asked: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        script(*asked)
    assert words in str(caught.value)


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        script(choice("q1", "q9", None), choice("q2", "q8", None), languages=["en", "cy"])
    for words in ("questions.q1", "questions.q2", "q9", "q8", "opening: has no words in 'cy'"):
        assert words in str(caught.value)


def test_a_script_too_long_to_travel_is_refused() -> None:
    long = [{"id": f"q{n}", "kind": "text", "ask": {"en": "w" * 2000}} for n in range(60)]
    with pytest.raises(ValidationError, match="too long"):
        script(*long)


def test_the_answer_decides_the_way() -> None:
    branching = script(choice("q1", "q3", None), choice("q2", None, None, then=END), choice("q3", None, None))
    assert next_question(branching, None) == "q1"
    assert next_question(branching, "q1", "v0") == "q3"
    assert next_question(branching, "q1", "v1") == "q2"
    assert next_question(branching, "q1", None) == "q2"
    assert next_question(branching, "q2", "v0") is None
    several = script(
        {**choice("q1", None, "q3"), "kind": "several"}, choice("q2", None, None), choice("q3", None, None)
    )
    assert next_question(several, "q1", ["v0", "v1"]) == "q3"
    assert next_question(several, "q1", ["v0"]) == "q2"


OPTIONS = (Option(value="x", label=EN), Option(value="y", label=EN))


def test_only_required_questions_on_the_way_that_was_taken_are_missing() -> None:
    yes, no = Option(value="yes", label=EN, then="mark"), Option(value="no", label=EN)
    script = Script(
        languages=("en",),
        opening=EN,
        questions=(
            Question(id="works", kind="choice", ask=EN, options=(yes, no)),
            Question(id="trouble", kind="text", ask=EN),
            Question(id="wish", kind="text", ask=EN, required=False),
            Question(id="mark", kind="number", ask=EN),
        ),
    )
    assert unanswered(script, {}) == ["works", "trouble", "mark"]
    assert unanswered(script, {"works": "no"}) == ["trouble", "mark"]
    assert unanswered(script, {"works": "yes"}) == ["mark"]
    assert unanswered(script, {"works": "yes", "mark": 0}) == []


def test_a_script_whose_every_disposition_needs_answers_is_refused() -> None:
    with pytest.raises(ValidationError, match="a call that ends before the last question needs one"):
        Script(languages=("en",), opening=EN, dispositions=(Disposition(id="done", label=EN, needs_answers=True),))


@pytest.mark.parametrize(
    ("question", "good", "bad"),
    [
        ({"kind": "choice", "options": OPTIONS}, ["x"], ["z", 1, ["x"], True]),
        ({"kind": "several", "options": OPTIONS}, [["x"], ["x", "y"]], ["x", ["z"], ["x", "x"], [1]]),
        ({"kind": "number", "minimum": 0}, [0, 2.5], [-1, "1", True, float("nan"), float("inf")]),
        ({"kind": "number"}, [-1e9], [float("-inf")]),
        ({"kind": "scale", "minimum": 1, "maximum": 5}, [1, 5, 3.0], [0, 6, 2.5, "3", float("inf")]),
        ({"kind": "date"}, ["2026-11-23"], ["2026-13-01", "20261123", "2026-W48-1", 5, "2026-11-23T10:00"]),
        ({"kind": "text"}, ["words"], ["w" * 10_001, 5, ["a"], "a\0b"]),
    ],
)
def test_answers_fit_their_question(question: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    asked = Question(id="q", ask=EN, **question)
    assert [check_answer(asked, value) for value in good] == [None] * len(good)
    assert all(check_answer(asked, value) for value in bad)
    assert check_answer(asked, None) == "an answer is required"
    assert check_answer(asked.model_copy(update={"required": False}), None) is None


def test_the_language_is_the_persons_own_where_the_script_has_it() -> None:
    bilingual = Script(languages=("en", "cy"), opening={"en": "Hello", "cy": "Helo"})
    assert language_for(bilingual, ("cy", "en")) == "cy"
    assert language_for(bilingual, ("cy-GB", "en")) == "cy"
    assert language_for(bilingual, ("fr", "cy")) == "cy"
    assert language_for(bilingual, (None, "de")) == "en"
