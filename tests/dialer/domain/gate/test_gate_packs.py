"""The shipped packs prove each of their rules; packs that are not certain are refused where they are wrong."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from services.cli.packs import failed_cases
from services.dialer import packloader
from services.dialer.domain.gate.nodes import PackError
from services.dialer.domain.gate.packs import Pack

SHIPPED = packloader.load_packs()
SCHEMA = json.loads((packloader.SHIPPED / "rulepack.schema.json").read_text())
GOOD = """\
schema: rulepack/1
id: own
version: "1"
title: Our own
status: approved
jurisdictions: [US]
rules:
  - id: hours
    text: Office hours.
    cite: House rule 1
    verified_on: 2026-11-23
    confidence: policy
    hours: {daily: [["09:00", "12:00"], ["13:00", "17:00"]]}
"""
SECOND = "  - {id: more, text: T, cite: C, verified_on: 2026-11-23, confidence: policy, "


@pytest.mark.parametrize("pack", SHIPPED.in_force, ids=lambda pack: pack.id)
def test_every_shipped_rule_alone_decides_a_case_of_its_pack(pack: Pack) -> None:
    assert list(failed_cases(pack, SHIPPED)) == []


def test_a_shipped_version_keeps_one_text_for_ever() -> None:
    known = dict(line.split("  ") for line in Path(__file__).with_name("pack_versions.txt").read_text().splitlines())
    for path in sorted(packloader.SHIPPED.glob("*.yaml")):
        pack = packloader.read_pack(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = f"{pack.id} {pack.version}"
        assert known.get(name) == digest, f"a changed text needs a new version, and a line: {name}  {digest}"


def test_every_rule_is_cited_and_dated() -> None:
    for pack in SHIPPED.in_force:
        assert pack.status == "draft"
        for rule in pack.rules:
            assert rule.cite
            assert rule.verified_on.year >= 2026


@pytest.mark.parametrize("path", sorted(packloader.SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_packs_fit_the_published_schema(path: Path) -> None:
    jsonschema.validate(plain(path.read_text()), SCHEMA)


BAD: tuple[tuple[str, str, str, int, str], ...] = (
    ("overlapping windows", '["13:00", "17:00"]', '["11:00", "17:00"]', 13, "overlap"),
    ("a window that ends before it begins", '["13:00", "17:00"]', '["17:00", "13:00"]', 13, "ends before it begins"),
    ("an unknown zone", "hours: {", "hours: {zone: Europe/Atlantis, ", 13, "unknown time zone"),
    ("an unknown calendar", "hours: {", "hours: {holidays: closed, calendar: XX, ", 13, "no public holidays"),
    ("Norway read as false", "jurisdictions: [US]", "jurisdictions: [NO]", 6, "quote it"),
    ("a sexagesimal hour", '"17:00"', "17:00", 13, "base 60"),
    ("no citation", "    cite: House rule 1\n", "", 8, "citation"),
    ("an empty citation", "House rule 1", '""', 8, "citation"),
    (
        "a range upside down",
        "    hours:",
        "    effective: {from: 2027-01-01, to: 2026-01-01}\n    hours:",
        13,
        "not after it begins",
    ),
    ("hours that never close", '[["09:00", "12:00"], ["13:00", "17:00"]]', '[["00:00", "24:00"]]', 8, "never fire"),
    ("no mode left", "    hours:", "    when: {modes: []}\n    hours:", 13, "never fire"),
    ("an unknown field", "    text:", "    supressed: true\n    text:", 9, "unknown field 'supressed'"),
    ("an unknown purpose", "    hours:", "    when: {purposes: [selling]}\n    hours:", 13, "'selling'"),
    ("a field given twice", "    text:", "    cite: again\n    text:", 11, "stands twice"),
    ("two effects in one rule", "    hours:", "    min_ring_s: 15\n    hours:", 8, "exactly one"),
    ("a day left out", "daily:", "mon-fri:", 13, "no hours are given for sat, sun"),
    ("another schema", "rulepack/1", "rulepack/2", 1, "rulepack/1"),
    ("no version", 'version: "1"\n', "", 1, "'version' is missing"),
    ("a version that is a number", 'version: "1"', "version: 1", 3, "quote it"),
)


@pytest.mark.parametrize(("old", "new", "line", "reason"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_pack_is_refused_with_line_and_reason(old: str, new: str, line: int, reason: str) -> None:
    assert packloader.parse_text(GOOD, "own.yaml").id == "own"
    assert old in GOOD
    with pytest.raises(PackError) as refused:
        packloader.parse_text(GOOD.replace(old, new, 1), "own.yaml")
    problem = refused.value.problems[0]
    assert reason in str(refused.value)
    assert (problem.file, problem.line) == ("own.yaml", line)


def test_two_rules_with_one_id_are_refused() -> None:
    twin = GOOD + SECOND.replace("more", "hours") + "min_ring_s: 20}\n"
    with pytest.raises(PackError, match=r"own.yaml:14: hours: two rules have the id 'hours'; the other is on line 8"):
        packloader.parse_text(twin, "own.yaml")


def test_packs_that_extend_in_a_circle_are_refused(tmp_path: Path) -> None:
    for name, parent in (("one", "two"), ("two", "one")):
        text = GOOD.replace("id: own", f"id: {name}\nextends: {parent}", 1)
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(PackError, match="one extends two extends one"):
        packloader.read_folders([tmp_path])


def test_a_pack_that_extends_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD.replace("id: own", "id: own\nextends: nothing", 1))
    with pytest.raises(PackError, match="'nothing', which is not there"):
        packloader.read_folders([tmp_path])


def test_two_packs_with_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    with pytest.raises(PackError, match="is also in"):
        packloader.read_folders([tmp_path])


@pytest.mark.parametrize("text", ["", "- a list", "schema: [", "{a: {b: c}}: 1", "just text", "\x00"])
def test_what_is_no_pack_is_refused(text: str) -> None:
    with pytest.raises(PackError):
        packloader.parse_text(text, "own.yaml")


def test_the_schema_refuses_an_unknown_field() -> None:
    pack: dict[str, Any] = plain(GOOD)
    jsonschema.validate(pack, SCHEMA)
    pack["rules"][0]["supressed"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(pack, SCHEMA)


def plain(text: str) -> Any:
    return json.loads(json.dumps(yaml.load(text, Loader=yaml.BaseLoader), default=str), object_hook=_typed)


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    numbers = ("maximum", "cap_pct", "min_sample", "connect_within_ms", "min_ring_s")
    flags = {"true": True, "false": False}
    lists = fields.get("lists")
    if isinstance(lists, dict):
        fields["lists"] = {name: age if age == "any" else int(age) for name, age in lists.items()}
    return {
        key: float(value) if key in numbers else flags.get(value, value) if isinstance(value, str) else value
        for key, value in fields.items()
    }
