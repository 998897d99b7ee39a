"""Templates: texts per language with variables, in versions that never change, rendered within hard limits.

Liquid, because a template must not be able to read attributes, call code or run for ever. A variable that is missing
fails the message instead of sending "Dear ,"; `{{ name | default: "there" }}` says what to write without it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, cast
from uuid import UUID

from liquid import BoundTemplate, Environment, Node, RenderContext, StrictDefaultUndefined
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError, UndefinedError
from liquid.expression import Expression

from services.notifier.domain.recipients import MessageChannel
from services.runtime.errors import FieldProblem, RejectedError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MAX_SOURCE = 10_000
MAX_LANGUAGES = 30
MAX_OUTPUT_BYTES = 20_000
MAX_SUBJECT = 200
_MAX_FILTERED = 5_000
"""Characters, or items, that go into a filter or come out of it: Liquid's own limits do not look inside filters."""
_MAX_ARGUMENT = 200
_FILTERS = """
    abs append at_least at_most capitalize ceil compact concat date default divided_by downcase escape first floor join
    last map minus modulo plus prepend remove remove_first replace replace_first reverse round size slice sort split
    strip times truncate truncatewords uniq upcase where
"""


class _Limited(Environment):
    output_stream_limit = MAX_OUTPUT_BYTES
    loop_iteration_limit = 500
    local_namespace_limit = 50_000
    context_depth_limit = 10
    block_nesting_limit = 10


def _environment() -> Environment:
    environment = _Limited(undefined=StrictDefaultUndefined)
    for tag in ("include", "render", "increment", "decrement", "tablerow"):
        del environment.tags[tag]  # nothing to include, and no markup to make
    allowed = _FILTERS.split()
    kept = {name: _bounded(filter_) for name, filter_ in environment.filters.items() if name in allowed}
    environment.filters.clear()
    environment.filters.update(kept)
    return environment


def _bounded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Return *filter_* that refuses what could make it work for minutes: six `replace` in a row fill any memory."""

    @wraps(filter_)
    def bounded(value: object, *arguments: object, **options: object) -> object:
        _check_size(value, _MAX_FILTERED)
        for argument in arguments:
            _check_size(argument, _MAX_FILTERED if isinstance(argument, list) else _MAX_ARGUMENT)
        result = filter_(value, *arguments, **options)
        _check_size(result, _MAX_FILTERED)
        return result

    return bounded


def _check_size(value: object, limit: int) -> None:
    # By its type: a missing variable raises when it is asked anything, even what it is.
    if issubclass(type(value), str | list | tuple) and len(cast("str", value)) > limit:
        raise ValueError(f"more than {limit} characters or items in a filter")


_LIQUID = _environment()
_NOWHERE = RenderContext(_LIQUID.from_string(""))


class TemplateError(RejectedError):
    """A template cannot be published, or cannot be rendered with these variables."""

    code = "template"


@dataclass(frozen=True, slots=True)
class Text:
    """One language of a template: *subject* is for e-mail only."""

    body: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template; an edit makes the next version, messages keep the one they were made from."""

    name: str
    version: int
    channel: MessageChannel
    default_language: str
    texts: Mapping[str, Text]
    created_at: datetime
    created_by: UUID | None = None

    def language_for(self, wanted: str | None) -> str:
        """Return the language to use: the one wanted, the same without its region, else the template's default."""
        for candidate in (wanted or "", (wanted or "").partition("-")[0]):
            for language in self.texts:
                if language.lower() == candidate.lower():
                    return language
        return self.default_language


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the person reads."""

    language: str
    subject: str
    body: str


def check_template(channel: MessageChannel, default_language: str, texts: Mapping[str, Text]) -> tuple[str, ...]:
    """Return the variables that the texts use, sorted; raise `TemplateError` naming each text that is wrong."""
    problems: list[FieldProblem] = []
    if default_language not in texts:
        problems.append(FieldProblem("default_language", f"there is no text in {default_language[:20]!r}"))
    if len(texts) > MAX_LANGUAGES:
        problems.append(FieldProblem("texts", f"{len(texts)} languages; at most {MAX_LANGUAGES} are allowed"))
    names: set[str] = set()
    for language, text in texts.items():
        names |= _check_text(channel, f"texts.{language[:20]}", text, problems)
    if problems:
        raise TemplateError("The template cannot be published.", fields=tuple(problems[:20]))
    return tuple(sorted(names))


def _check_text(channel: MessageChannel, field: str, text: Text, problems: list[FieldProblem]) -> set[str]:
    if not text.body.strip():
        problems.append(FieldProblem(f"{field}.body", "is empty; expected the text to send"))
    if channel == "email" and not text.subject.strip():
        problems.append(FieldProblem(f"{field}.subject", "is empty; an e-mail needs a subject"))
    if channel == "sms" and text.subject:
        problems.append(FieldProblem(f"{field}.subject", "a text message has no subject; leave it out"))
    names: set[str] = set()
    for part, source in (("body", text.body), ("subject", text.subject)):
        try:
            names |= set(_parsed(source).global_variables())
        except TemplateError as error:
            problems.append(FieldProblem(f"{field}.{part}", error.message))
    return names


def render(template: Template, wanted_language: str | None, variables: Mapping[str, Any]) -> Rendered:
    """Return what the person reads; raise `TemplateError` when a variable is missing or a limit is hit."""
    language = template.language_for(wanted_language)
    text = template.texts[language]
    # A line break in a subject would start a header of the attacker's choice.
    subject = " ".join(_rendered(text.subject, variables).split())[:MAX_SUBJECT]
    return Rendered(language, subject, _rendered(text.body, variables).strip())


def _rendered(source: str, variables: Mapping[str, Any]) -> str:
    try:
        return _parsed(source).render(**variables)
    except UndefinedError as error:
        message = f"The template needs the variable {error.token.value if error.token else ''!r}, which is missing."
        raise TemplateError(message, fields=(FieldProblem("variables", message),)) from error
    except (LiquidError, RecursionError, ArithmeticError, ValueError, TypeError) as error:
        message = f"The template cannot be rendered ({type(error).__name__})."
        raise TemplateError(message, fields=(FieldProblem("template", message),)) from error


@lru_cache(maxsize=500)
def _parsed(source: str) -> BoundTemplate:
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"{len(source)} characters; at most {MAX_SOURCE} are allowed")
    try:
        parsed = _LIQUID.from_string(source)
        # `(1..9999999999) contains "x"` counts that far, inside one operator that no limit interrupts.
        if any(map(_has_range, parsed.nodes)):
            raise TemplateError("not allowed: ranges such as (1..3)")
        if unknown := sorted(parsed.analyze().filters.keys() - _LIQUID.filters.keys()):
            raise TemplateError(f"unknown filter: {unknown[0][:40]}")
        return parsed
    except (LiquidError, RecursionError) as error:
        line = error.token.start_index if isinstance(error, LiquidError) and error.token else None
        where = "" if line is None else f" (line {source.count(chr(10), 0, max(0, line)) + 1})"
        sentence = str(error).partition("\n")[0]
        raise TemplateError(f"not valid Liquid: {sentence}{where}") from error


def _has_range(node: Node) -> bool:
    return any(map(_is_range, node.expressions())) or any(map(_has_range, node.children(_NOWHERE)))


def _is_range(expression: Expression) -> bool:
    return isinstance(expression, RangeLiteral) or any(map(_is_range, expression.children()))
