"""`galw gate explain` and `galw packs` as they are typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.gate import command as gate
from services.cli.packs import command as packs
from services.dialer import packloader

ASK = ["explain", "--number", "+13055550123", "--at", "2026-11-24T20:30:00-05:00", "--region", "US-FL"]


def test_explain_by_options_names_the_rule_that_holds_back() -> None:
    options = ["--purpose", "marketing", "--mode", "preview", "--line-type", "landline", "--consent", "written"]
    result = CliRunner().invoke(gate, [*ASK, *options])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("defer until 2026-11-25T14:00:00Z")
    assert "Fla. Stat. 501.616(6)(a)" in result.output


def test_explain_by_options_answers_in_json() -> None:
    result = CliRunner().invoke(gate, [*ASK, "--purpose", "informational", "--mode", "manual", "--json"])
    assert json.loads(result.output)["decision"] == "allow"


def test_explain_says_what_is_wrong_with_an_option() -> None:
    result = CliRunner().invoke(gate, ["explain", "--number", "305", "--at", "now"])
    assert result.exit_code == 2
    assert result.output.startswith("number: expected a number in E.164 form")


def test_explain_answers_each_line_of_a_stream() -> None:
    lines = '{"number": "+13055550123", "at": "2026-11-24T12:00:00Z"}\nno json\n{"supressed": 1}\n'
    result = CliRunner().invoke(gate, ["explain", "--facts", "-", "--json"], input=lines)
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert [next(iter(answer)) for answer in answers] == ["decision", "error", "error"]


EXPLAIN = [sys.executable, "-m", "services.cli", "gate", "explain", "--json", "--facts"]


def test_a_long_file_is_answered_line_by_line_in_its_order(tmp_path: Path) -> None:
    """Several processes answer it; for which line an answer is shows in the place of that line's error."""
    file = tmp_path / "facts.jsonl"
    earlier = '{"at": "2026-11-24T11:00:00Z"},'
    lines = [f'{{{GOOD}, "attempts": [{earlier * (n % 50)}{"7" if n % 7 else earlier[:-1]}]}}' for n in range(9_000)]
    file.write_text("\n".join(lines))  # the last line has no end
    done = subprocess.run([*EXPLAIN, str(file)], capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    places = [answer["error"]["field"] if "error" in answer else None for answer in answers]
    assert places == [f"attempts[{n % 50}]" if n % 7 else None for n in range(9_000)]
    one = subprocess.run([*EXPLAIN, "-"], input=lines[7], capture_output=True, text=True, check=True)
    assert json.loads(one.stdout) == answers[7]


def test_who_feeds_line_by_line_gets_each_answer_before_the_next_line() -> None:
    with subprocess.Popen([*EXPLAIN, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"{%s}" % GOOD.encode(), b"no json", b"{%s}" % GOOD.encode() * 3):
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith((b'{"decision"', b'{"error"'))
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


GOOD = '"number": "+13055550123", "at": "2026-11-24T12:00:00Z"'
DOORS: dict[str, tuple[str, str | bytes]] = {
    "a fact twice": ("suppressed", '"suppressed": true, "suppressed": false'),
    "by another spelling": ("suppressed", r'"suppressed": true, "suppr\u0065ssed": false'),
    "beside escaped quotes": ("at", r'"at": "2026-11-24T13:00:00Z", "subject": "\u0022\u0022"'),
    "inside an object": ("scrubs.rnd.listed", '"scrubs": {"rnd": {"listed": true, "listed": false}}'),
    "inside a list": ("consents[1].kind", '"consents": [{}, {"kind": "express", "kind": "written"}]'),
    "a list twice": ("attempts", '"attempts": [{"at": "2026-11-24T11:00:00Z"}], "attempts": []'),
    "not a number": ("facts", '"campaign": {"answered": NaN}'),
    "infinity": ("facts", '"campaign": {"answered": 1e999}'),
    "a huge number": ("campaign.answered", f'"campaign": {{"answered": {"9" * 40}}}'),
    "part of a call": ("campaign.answered", '"campaign": {"answered": 1.5}'),
    "deep": ("subject", f'"subject": {"[" * 900 + "]" * 900}'),
    "a deep pack": ("organisation_packs[0]", '"organisation_packs": [' + '{"a":' * 900 + "1" + "}" * 900 + "]"),
    "deep and twice": ("subject.a", '"subject": ' + '{"a":1,"a":' * 900 + "1" + "}" * 900),
    "a lone surrogate": ("facts", r'"subject": "\ud800"'),
    "ten megabytes": ("facts", f'"subject": "{"x" * 10_000_000}"'),
    "no UTF-8": ("facts", b'{"subject": "\xff"}'),
    "a byte order mark": ("facts", b"\xef\xbb\xbf{}"),
    "deeper than any stack": ("facts", b"[" * 100_000),
    "nothing": ("facts", b""),
    "spaces": ("facts", b"   "),
    "a list": ("facts", b"[{}]"),
    "two objects": ("facts", b"{} {}"),
}


@pytest.mark.parametrize("name", DOORS)
def test_a_wrong_line_is_answered_and_the_next_one_decided(name: str) -> None:
    field, given = DOORS[name]
    line = given if isinstance(given, bytes) else f"{{{GOOD}, {given}}}".encode()
    lines = b"%b\n{%b}\n%b\n" % (line, GOOD.encode(), line)
    result = CliRunner().invoke(gate, ["explain", "--facts", "-", "--json"], input=lines)
    answers = [json.loads(text) for text in result.output.splitlines()]
    assert [next(iter(answer)) for answer in answers] == ["error", "decision", "error"]
    assert answers[0]["error"]["field"] == field
    assert answers[0]["error"]["expected"]


def test_what_only_looks_repeated_is_decided() -> None:
    line = f'{{{GOOD}, "subject": "\\u0022suppressed\\u0022 \\"at\\" \\\\u0022"}}'
    result = CliRunner().invoke(gate, ["explain", "--facts", "-", "--json"], input=line)
    assert json.loads(result.output)["decision"] == "deny"


def test_packs_are_listed_shown_and_tested() -> None:
    assert "us-fl" in CliRunner().invoke(packs, ["list"]).output
    page = CliRunner().invoke(packs, ["show", "fr"]).output
    assert "C. conso. D.223-9" in page
    assert "No counsel has approved this pack yet." in page
    result = CliRunner().invoke(packs, ["test", "fr", "us-fl"])
    assert (result.exit_code, result.output.splitlines()[-1].endswith("0 failures")) == (0, True)


def test_a_difference_is_told_in_words_with_the_leads_it_touches(tmp_path: Path) -> None:
    old = packloader.SHIPPED / "us-fl.yaml"
    new = tmp_path / "us-fl.yaml"
    new.write_text(old.read_text().replace('"20:00"', '"19:00"').replace('"2026.2"', '"2026.3"'))
    leads = tmp_path / "leads.jsonl"
    lead = {"number": "+13055550123", "line_type": "landline", "mode": "preview", "suppressed": False}
    consent = {"kind": "written", "purpose": "marketing", "channel": "voice", "given_at": "2026-01-01T00:00:00Z"}
    rows = [{**lead, "consents": [consent], "at": f"2026-11-24T{hour}:30:00-05:00"} for hour in (12, 19)]
    leads.write_text("\n".join(map(json.dumps, rows)))
    result = CliRunner().invoke(packs, ["diff", str(old), str(new), "--leads", str(leads)])
    assert "us-fl 2026.2 becomes us-fl 2026.3." in result.output
    assert "08:00-20:00" in result.output
    assert "1 of 2 leads are answered otherwise" in result.output


def test_a_bad_file_is_refused_by_file_and_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        (packloader.SHIPPED / "in.yaml").read_text().replace("id: in\n", "id: own\n").replace("[IN]", "[NO]")
    )
    result = CliRunner().invoke(packs, ["check", str(bad)])
    assert result.exit_code == 1
    assert f"{bad}:6: an entry of 'jurisdictions' is NO" in result.output


def test_the_proclaimed_holiday_of_the_documentation_closes_its_day_and_no_other(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "gate.md").read_text("utf-8")
    (tmp_path / "proclaimed.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    options = ["--number", "+15045550123", "--line-type", "landline", "--region", "US-LA", "--mode", "manual"]
    said = [
        CliRunner()
        .invoke(gate, ["explain", *options, "--purpose", "survey", "--at", at, "--packs", str(tmp_path)])
        .output.partition("\n")[0]
        for at in ("2026-12-01T14:00:00-06:00", "2026-12-02T14:00:00-06:00", "2026-12-03T14:00:00-06:00")
    ]
    assert said == ["allow", "defer until 2026-12-03T06:00:00Z", "allow"]


@pytest.mark.parametrize("depth", [1, 300])
def test_each_line_is_answered_by_the_pack_it_brings_however_deep_that_is(depth: int) -> None:
    def line(ring_s: int) -> str:
        given: object = "+441632960123"
        for _ in range(depth):
            given = [given]
        rule = {
            "id": "ring",
            "text": "Rings long.",
            "cite": "c",
            "verified_on": "2026-11-23",
            "confidence": "secondary",
            "min_ring_s": ring_s,
        }
        case = {"alone": "ring", "expect": "allow", "given": {"number": given}}
        pack = {"schema": "rulepack/1", "id": "own", "version": "1", "title": "Own", "status": "draft"}
        pack |= {"jurisdictions": ["*"], "rules": [rule], "cases": [case]}
        facts = {"number": "+441632960123", "purpose": "informational", "mode": "progressive"}
        return json.dumps({**facts, "at": "2026-11-24T10:30:00+00:00", "organisation_packs": [pack]}) + "\n"

    told = CliRunner().invoke(gate, ["explain", "--facts", "-", "--json"], input=line(20) + line(33))
    assert [json.loads(answer)["min_ring_s"] for answer in told.stdout.splitlines()] == [20, 33]
