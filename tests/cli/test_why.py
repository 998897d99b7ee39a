"""The chart of `galw campaigns why`: readable without colour, one column per half hour."""

from typing import Any

from services.cli.why import chart


def points(*counts: tuple[int, int]) -> list[dict[str, Any]]:
    at = [f"2026-11-25T{half // 2:02}:{30 * (half % 2):02}:00Z" for half in range(len(counts))]
    return [{"at": instant, "due": due, "callable": may} for instant, (due, may) in zip(at, counts, strict=True)]


def test_a_column_rises_with_what_may_be_called_and_shows_in_another_glyph_what_only_waits() -> None:
    lines = chart(points((0, 0), (1000, 0), (1000, 1000), (1000, 500))).plain.split("\n")
    assert lines[0] == "1,000 leads"
    columns = list(zip(*(line.ljust(4) for line in lines[1:6]), strict=True))
    assert "".join(columns[0]).strip() == ""
    assert columns[1] == ("░",) * 5
    assert columns[2] == ("█",) * 5
    assert columns[3] == ("░", "░", "▄", "█", "█")
    assert lines[6] == "now"
    assert lines[7] == "█ may be called  ░ time has come, held back"


def test_one_lead_among_many_is_still_seen() -> None:
    bottom = chart(points((1_000_000, 1), (1_000_000, 0))).plain.split("\n")[5]
    assert bottom == "▁░"


def test_nobody_at_all_is_an_empty_chart_and_no_error() -> None:
    assert chart(points((0, 0), (0, 0))).plain.split("\n")[0] == "0 leads"
