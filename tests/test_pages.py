"""Pages that people rely on keep up with the code."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


def test_every_dependency_has_a_row_and_no_row_is_left_over() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[<>=; \[]", line)[0] for line in project["project"]["dependencies"]}
    wanted |= {re.split(r"[<>=; \[]", line)[0] for line in project["dependency-groups"]["dev"]}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| ([a-z0-9-]+) \| .+? \| \d{4}-\d\d-\d\d \|", page, flags=re.MULTILINE)
    assert set(rows) == wanted


def test_the_runbook_names_metrics_that_exist() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "services").glob("*/metrics.py")]
    known = set(re.findall(r'"([a-z_]+)",\s*"', "\n".join(sources)))
    named = re.findall(r"^\| `([a-z_]+)`", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    assert named
    assert set(named) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
