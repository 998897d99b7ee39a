"""Templates: the right language, nothing missing, and nothing that runs for ever."""

import contextlib
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.recipients import MessageChannel
from services.notifier.domain.templates import Template, TemplateError, Text, check_template, render

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def template(body: str, *, channel: MessageChannel = "sms", subject: str = "", **others: str) -> Template:
    texts = {"en": Text(body, subject)} | {lang.replace("_", "-"): Text(text) for lang, text in others.items()}
    return Template("t", 1, channel, "en", texts, NOW)


@pytest.mark.parametrize(
    ("wanted", "used"),
    [(None, "en"), ("cy", "cy"), ("CY", "cy"), ("cy-GB", "cy"), ("pt-BR", "pt-BR"), ("pt", "en"), ("fr", "en")],
)
def test_the_language_falls_back_to_the_same_without_region_then_to_the_default(wanted: str | None, used: str) -> None:
    assert template("Hello", cy="Helo", pt_BR="Olá").language_for(wanted) == used


def test_variables_are_filled_in() -> None:
    body = (
        'Dear {{ name | default: "neighbour" }}, {% if late %}we missed you{% else %}see you{% endif %}. {{ org.id }}'
    )
    assert render(template(body), None, {"name": "Mair", "late": True, "org": {"id": 7}}).body == (
        "Dear Mair, we missed you. 7"
    )
    assert render(template(body), None, {"late": False, "org": {"id": 7}}).body == "Dear neighbour, see you. 7"


def test_a_missing_variable_fails_instead_of_leaving_a_hole() -> None:
    with pytest.raises(TemplateError, match="'name'"):
        render(template("Dear {{ name }}"), None, {})


def test_a_subject_is_one_line_whatever_a_variable_says() -> None:
    mail = template("x", channel="email", subject="Hello {{ name }}")
    assert render(mail, None, {"name": "A\r\nBcc: b@c.de"}).subject == "Hello A Bcc: b@c.de"


def test_publishing_names_every_fault_at_once() -> None:
    with pytest.raises(TemplateError) as refusal:
        check_template("sms", "de", {"en": Text("{{ name", "a subject"), "cy": Text(" ")})
    assert [one.field for one in refusal.value.fields] == [
        *("default_language", "texts.en.subject", "texts.en.body", "texts.cy.body")
    ]


def test_publishing_tells_which_variables_are_needed() -> None:
    assert check_template("sms", "en", {"en": Text("{{ b }} {{ a.c }} {% assign d = 1 %}{{ d }}")}) == ("a", "b")


@pytest.mark.parametrize("body", ["{% include 'x' %}", "{% render 'x' %}", "{{ x | shout }}", "{{ (1..3) }}", "{% if"])
def test_what_cannot_work_is_refused_at_publishing(body: str) -> None:
    with pytest.raises(TemplateError):
        check_template("sms", "en", {"en": Text(body)})


HUNGRY = {
    "nested loops": "{% for a in xs %}{% for b in xs %}{% for c in xs %}x{% endfor %}{% endfor %}{% endfor %}",
    "replace in a row": "{{ 'aaaaaaaaaaaaaaaa'" + "| replace: 'a', 'aaaaaaaaaaaaaaaaaaaaaaaa'" * 8 + "}}",
    "doubling a text": "{% assign a = 'aaaaaaaaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 40,
    "doubling a list": "{% assign a = 'a,b,c' | split: ',' %}" + "{% assign a = a | concat: a %}" * 40,
    "range membership": "{% if (1..10000000000) contains 5.5 %}x{% endif %}",
    "range to text": "{{ (1..100000000) | join: 'x' }}",
    "huge numbers": "{% assign a = 99999999999 %}" + "{% assign a = a | times: a %}" * 30 + "{{ a }}",
    "division": "{{ 1 | divided_by: 0 }}",
    "long output": "{% for a in xs %}" + "x" * 900 + "{% endfor %}",
    "deep blocks": "{% if true %}" * 300 + "{% endif %}" * 300,
    "attributes": "{{ xs.__class__.__mro__ }}",
}


@pytest.mark.parametrize("kind", HUNGRY)
def test_a_hungry_template_is_stopped_at_once(kind: str) -> None:
    started = time.monotonic()
    with pytest.raises(TemplateError):
        render(template(HUNGRY[kind]), None, {"xs": list(range(100))})
    assert time.monotonic() - started < 1


@given(st.text(max_size=200))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    try:
        check_template("sms", "en", {"en": Text(text)})
    except TemplateError:
        return
    with contextlib.suppress(TemplateError):
        assert len(render(template(text), None, {}).body) <= 200
