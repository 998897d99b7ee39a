"""What commands print: whole ids, settings in words, changes as what they changed."""

import io
import json

import orjson
import pytest
from rich.console import Console

from services.cli.client import CommandError
from services.cli.finding import names_of
from services.cli.output import Screen, moment, say, table_of
from services.cli.plans import differences, in_words

ID = "01a23000-264d-7437-9c51-5fbe0415263e"


def test_a_narrow_terminal_cuts_no_id_and_loses_no_letter() -> None:
    table = table_of("id", "address", "state", "since", "what")
    address = "a.rather.long.address@somewhere.example"
    table.add_row(ID, address, "enabled", "2026-12-01 05:31:25", "deliveries")
    out = io.StringIO()
    Console(file=out, width=80).print(table)
    assert ID in out.getvalue()
    assert "…" not in out.getvalue()
    rows = [line.split("│")[2].strip() for line in out.getvalue().splitlines() if line.startswith("│")]
    assert "".join(rows) == address


@pytest.mark.parametrize(
    "name", ["[/nope]", "[red]sale[/red]", ":smile:", "[bold]", "[link=https://evil.example]x[/link]"]
)
def test_what_looks_like_markup_is_shown_as_it_was_written(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = table_of("id", "name")
    table.title = name
    table.add_row(ID, name)
    Screen().print(table)
    Screen().print(name)
    say(name)
    assert capsys.readouterr().out.count(name) == 4


def test_no_name_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b]0;title\x07Eve\x1b[31m \x9b2J\r\u202eenog\x08"
    table = table_of("id", "name")
    table.add_row(ID, name)
    Screen().print(table)
    say(name)
    CommandError(f"There is no {name}").show()
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "Eve" in text
        assert not set(text) & set("\x1b\x07\x9b\r\u202e\x08")
    say(orjson.dumps({"name": name}))
    told = capsys.readouterr().out
    assert not set(told) & set("\x1b\x07\x9b\r\u202e\x08")
    assert json.loads(told) == {"name": name}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("hours", [{"days": ["mon", "sat"], "start": "09:00:00", "end": "20:30:00"}], "09:00–20:30 mon, sat"),
        ("caps", [{"maximum": 3, "window": "P1DT2H"}], "at most 3 that rang in 1 d 2 h"),
        ("cadence", [{"kind": "message", "channel": "sms", "template": "x", "after": "PT65S"}], "sms 'x' after 65 s"),
        ("pacing_cap", 0.025, "2.5 %"),
        ("skill", None, "none"),
        ("caller_ids", ["+44", "+45"], "+44, +45"),
        ("max_lines", 0, "0"),
    ],
)  # fmt: skip
def test_a_setting_is_told_in_words(name: str, value: object, words: str) -> None:
    assert in_words(name, value) == words


def test_a_change_names_only_what_became_another() -> None:
    before = {"name": "A", "state": "draft", "plan": {"priority": 1, "ring_timeout_s": 20, "mode": "preview"}}
    after = {"name": "A", "state": "running", "plan": {"priority": 3, "ring_timeout_s": 25, "mode": "preview"}}
    assert list(differences(before, after)) == ["priority: 1 → 3", "ring timeout (seconds): 20 → 25"]
    assert list(differences(None, after)) == []


def test_an_instant_is_told_to_the_second() -> None:
    assert moment("2026-12-01T05:31:25.123456Z") == "2026-12-01 05:31:25"
    assert moment(None) == "–"


async def test_those_who_did_something_have_their_ids_while_the_names_are_away() -> None:
    class Away:
        async def get(self, path: str, params: object) -> object:
            raise CommandError(f"{path} is away")

    names = await names_of(Away(), [ID, None])  # pyright: ignore[reportArgumentType] - all that is asked of a client
    assert names == {None: "Galw", ID: ID}
