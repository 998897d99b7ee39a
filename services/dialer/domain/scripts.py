"""A script: typed questions with branches, in several languages, and the check of what an operator records.

A version is never edited: an answer points to the script version it was asked from.
"""

import math
import re
from collections.abc import Mapping
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.dialer.domain.campaigns import Missing

QuestionKind = Literal["choice", "several", "number", "date", "text", "scale"]
Text = Mapping[str, Annotated[str, Field(min_length=1, max_length=2000)]]
"""The same words in each language, by language tag."""

END = "end"
"""The branch target that ends the questions."""

MAX_BYTES = 100_000
"""The longest script, as JSON: what can be read in a call is far shorter, and its words travel with the answers."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Part):
    """One answer of a choice; *then* names the question that follows it, else the question's own *then* holds.

    Of several chosen options the first one written with a *then* decides.
    """

    value: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]
    label: Text
    then: str | None = None


class Question(_Part):
    """One question; *then* names the next one, by default the one written after it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]
    kind: QuestionKind
    ask: Text
    options: Annotated[tuple[Option, ...], Field(max_length=100)] = ()
    required: bool = True
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    then: str | None = None


class Disposition(_Part):
    """A way a call can end in the operator's judgement; *effect* is what the dialer does about it.

    One that *needs_answers* is refused while a required question on the way through the script has none.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]
    label: Text
    effect: Literal["reached", "refused", "call_back", "retry", "wrong_person"] = "reached"
    needs_answers: bool = False


DEFAULT_DISPOSITIONS = (
    Disposition(id="completed", label={"en": "Completed"}, needs_answers=True),
    Disposition(id="call_back", label={"en": "Call back"}, effect="call_back"),
    Disposition(id="not_now", label={"en": "Not now, try again"}, effect="retry"),
    Disposition(id="wrong_person", label={"en": "Wrong person"}, effect="wrong_person"),
    Disposition(id="never_call_again", label={"en": "Never call again"}, effect="refused"),
)


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]


class Script(_Part):
    """What an operator says and asks."""

    languages: Annotated[tuple[Language, ...], Field(min_length=1, max_length=50)]
    opening: Text
    closing: Text = {}
    questions: Annotated[tuple[Question, ...], Field(max_length=200)] = ()
    dispositions: Annotated[tuple[Disposition, ...], Field(max_length=50)] = DEFAULT_DISPOSITIONS

    @model_validator(mode="after")
    def _sound(self) -> "Script":
        problems = problems_of(self)
        if problems:
            raise ValueError("; ".join(f"{p.field}: {p.problem}" for p in problems))
        return self

    def question(self, question_id: str) -> Question | None:
        """Return the question of that id."""
        return next((q for q in self.questions if q.id == question_id), None)

    def disposition(self, disposition_id: str) -> Disposition | None:
        """Return the disposition of that id."""
        return next((d for d in self.dispositions if d.id == disposition_id), None)


def problems_of(script: Script) -> list[Missing]:
    """Return what is wrong with the script's branches and words, naming each question."""
    ids = [q.id for q in script.questions]
    problems = [
        Missing(f"questions.{i}", "two questions have this id") for i in sorted({i for i in ids if ids.count(i) > 1})
    ]
    for question in script.questions:
        problems += _question_problems(question, set(ids), script.languages)
    missing = [language for language in script.languages if language not in script.opening]
    problems += [Missing("opening", f"has no words in {language!r}") for language in missing]
    if not script.dispositions:
        problems.append(Missing("dispositions", "at least one is needed to end a call"))
    elif all(disposition.needs_answers for disposition in script.dispositions):
        problems.append(
            Missing("dispositions", "all need answers; a call that ends before the last question needs one")
        )
    known = [d.id for d in script.dispositions]
    repeated = sorted({i for i in known if known.count(i) > 1})
    problems += [Missing(f"dispositions.{i}", "two dispositions have this id") for i in repeated]
    if len(script.model_dump_json()) > MAX_BYTES:
        problems.append(Missing("questions", f"the script is too long; it may have {MAX_BYTES:,} bytes at most"))
    if not problems:
        loop = _loop(script)
        if loop is not None:
            problems.append(Missing(f"questions.{loop}", "its branches lead back to itself, so the script never ends"))
    return problems


def _question_problems(question: Question, ids: set[str], languages: tuple[str, ...]) -> list[Missing]:
    field = f"questions.{question.id}"
    problems = [
        Missing(field, f"branches to {target!r}, which is not a question of this script")
        for target in (question.then, *(option.then for option in question.options))
        if target is not None and target != END and target not in ids
    ]
    chosen = question.kind in ("choice", "several")
    if chosen and len({option.value for option in question.options}) < 2:
        problems.append(Missing(field, f"a {question.kind} question needs at least two different options"))
    if not chosen and question.options:
        problems.append(Missing(field, f"a {question.kind} question has no options"))
    if question.minimum is not None and question.maximum is not None and question.minimum > question.maximum:
        problems.append(Missing(field, "its minimum is above its maximum"))
    if question.kind == "scale" and (question.minimum is None or question.maximum is None):
        problems.append(Missing(field, "a scale needs a minimum and a maximum"))
    words = (question.ask, *(option.label for option in question.options))
    lacking = sorted({language for language in languages for text in words if language not in text})
    return problems + [Missing(field, f"has no words in {language!r}") for language in lacking]


def targets(script: Script, index: int) -> set[str]:
    """Return the ids of the questions that may follow the one at *index*."""
    question = script.questions[index]
    after = script.questions[index + 1].id if index + 1 < len(script.questions) else END
    own = question.then or after
    follows = {option.then or own for option in question.options} if question.options else {own}
    return {target for target in follows | {own} if target != END}


def _loop(script: Script) -> str | None:
    graph = {question.id: targets(script, index) for index, question in enumerate(script.questions)}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][0]
    return None


def next_question(script: Script, question_id: str | None, answer: Any = None) -> str | None:
    """Return the id of the question after *question_id* (None: the first) given its *answer*; None at the end."""
    if question_id is None:
        return script.questions[0].id if script.questions else None
    index = next(i for i, q in enumerate(script.questions) if q.id == question_id)
    question = script.questions[index]
    given = answer if isinstance(answer, list) else [answer]  # pyright: ignore[reportUnknownVariableType]
    chosen = next((o.then for o in question.options if o.value in given and o.then is not None), None)
    after = script.questions[index + 1].id if index + 1 < len(script.questions) else END
    target = chosen or question.then or after
    return None if target == END else target


def unanswered(script: Script, answers: Mapping[str, Any]) -> list[str]:
    """Return the required questions on the way that *answers* lead through the script and that have no answer."""
    missing: list[str] = []
    asked = next_question(script, None)
    while asked is not None:
        question = script.question(asked)
        if question is not None and question.required and asked not in answers:
            missing.append(asked)
        asked = next_question(script, asked, answers.get(asked))
    return missing


def check_answer(question: Question, value: Any) -> str | None:
    """Return what is wrong with *value* as an answer to *question*, or None when it fits."""
    if value is None or value == "" or value == []:
        return "an answer is required" if question.required else None
    values = [option.value for option in question.options]
    match question.kind:
        case "choice":
            return None if value in values else f"expected one of {', '.join(values)}"
        case "several":
            fits = isinstance(value, list) and all(value.count(item) == 1 and item in values for item in value)  # pyright: ignore[reportUnknownVariableType]
            return None if fits else f"expected a list of {', '.join(values)}, each at most once"
        case "number" | "scale":
            return _check_number(question, value)
        case "date":
            return _check_date(value)
        case "text":
            fits = isinstance(value, str) and len(value) <= 10_000 and "\x00" not in value
            return None if fits else "expected text of at most 10,000 characters"


def _check_number(question: Question, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "expected a number"
    if question.kind == "scale" and value != int(value):
        return "expected a whole number"
    low, high = question.minimum, question.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return f"expected a number from {low if low is not None else 'any'} to {high if high is not None else 'any'}"
    return None


def _check_date(value: Any) -> str | None:
    expected = "expected a date such as 2026-11-23"
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return expected
    try:
        date.fromisoformat(value)
    except ValueError:
        return expected
    return None


def language_for(script: Script, wishes: tuple[str | None, ...]) -> str:
    """Return the script's language that fits the first wish it can fulfil, else its own first one.

    A wish is a tag such as `cy` or `cy-GB`; where the script has not the very same, the language without the country
    counts.
    """
    for wish in wishes:
        if wish in script.languages:
            return wish
        base = (wish or "").partition("-")[0]
        near = next((language for language in script.languages if base and language.partition("-")[0] == base), None)
        if near is not None:
            return near
    return script.languages[0]
