"""The ledger survives whoever writes it, and the judge reads what it says."""

import re
import resource
from pathlib import Path
from typing import Any

import pytest

from services.carrier.judge import judge
from services.carrier.ledger import Ledger, LedgerError, parse_lines
from tests.carrier.stage import NOON, Stage


def _line(event: str, channel: str = "a", number: str = "+441632960001", **more: Any) -> dict[str, Any]:
    return {"at": "t", "channel_id": channel, "number": number, "trunk": "t", "event": event, **more}


@pytest.mark.parametrize("fsync", [False, True])
def test_lines_outlive_the_carrier_and_a_new_one_appends(tmp_path: Path, fsync: bool) -> None:
    path = tmp_path / "ledger"
    for channel in ("a", "b"):
        ledger = Ledger(path, fsync=fsync)
        ledger.append(_line("ring", channel))
        ledger.append(_line("end", channel))
        ledger.close()
    ledger = Ledger(path)
    assert [line["channel_id"] for line in ledger.lines()] == ["a", "a", "b", "b"]
    assert ledger.size == path.stat().st_size
    assert ledger.read(0, ledger.size) == path.read_bytes()
    ledger.close()


def test_half_a_line_is_cut_off_and_whole_ones_stay(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.append(_line("ring", "x" * 200_000))
    ledger.close()
    whole = path.read_bytes()
    for torn in (whole[:-1], whole + b'{"at":"t","chan', whole + b'{"at":' + b"y" * 200_000):
        path.write_bytes(torn)
        ledger = Ledger(path)
        assert path.read_bytes() == (b"" if torn == whole[:-1] else whole)
        ledger.close()


def test_rings_a_killed_carrier_left_are_remembered_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    for line in (_line("ring", "a"), _line("end", "a"), _line("ring", "b"), _line("ring", "c", "+441632960002")):
        ledger.append(line)
    assert list(ledger.resume(NOON)) == ["+441632960001", "+441632960001", "+441632960002"]
    ended = [(line["channel_id"], line.get("by")) for line in ledger.lines()][4:]
    assert ended == [("b", "restart"), ("c", "restart")]
    assert len(list(ledger.resume(NOON))) == 3
    assert len(list(ledger.lines())) == 6, "an end is written once"
    ledger.close()


def test_a_second_carrier_is_kept_out(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger")
    with pytest.raises(LedgerError, match="Another carrier writes"):
        Ledger(tmp_path / "ledger")
    first.close()
    Ledger(tmp_path / "ledger").close()


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("first line\nlast line without a break")
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger(path)
    assert path.read_text() == "first line\nlast line without a break"


def test_a_folder_and_a_bad_line_are_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="Is a directory"):
        Ledger(tmp_path)
    with pytest.raises(LedgerError, match=re.escape("Line 2 of x is not")):
        list(parse_lines([b'{"event":"ring","channel_id":"a","number":"+1","trunk":"t"}', b'{"at":3}'], "x"))


def test_a_device_is_no_ledger() -> None:
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger(Path("/dev/null"))


def test_a_full_disk_is_an_error_and_the_next_carrier_reads_what_was_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.append(_line("ring"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.size + 10, hard))
    try:
        with pytest.raises(LedgerError, match="half a line"):
            ledger.append(_line("end"))
        with pytest.raises(LedgerError, match="File too large"):
            ledger.append(_line("end"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ledger.close()
    again = Ledger(tmp_path / "ledger")
    assert [line["event"] for line in again.lines()] == ["ring"]
    again.close()


def test_a_clean_ledger_has_nothing_to_judge() -> None:
    stage = Stage()
    stage.operator()
    for n in range(3):
        stage.call(f"call-{n}")
        stage.time.advance(6.0)
        stage.switch.add_channels("bridge", [f"call-{n}"])
        stage.time.advance(30.0)
    assert len(stage.ledger) == 15
    assert judge(stage.ledger) == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([_line("ring"), _line("end"), _line("ring")], "rang a second time"),
        ([_line("ring"), _line("redial"), _line("end")], "dialed a second time"),
        ([_line("ring"), _line("ring", "b")], "rang a number that channel a"),
        ([_line("meet", operator="o"), _line("meet", "b", "+2", operator="o")], "o met b while in call a"),
    ],
)
def test_each_broken_rule_is_found(lines: list[dict[str, Any]], words: str) -> None:
    broken = judge(lines)
    assert len(broken) == 1
    assert words in broken[0]
    assert "+44" not in broken[0]


@pytest.mark.parametrize(
    "lines",
    [
        [_line("ring"), _line("end"), _line("ring", "b")],
        [_line("meet", operator="o"), _line("part", operator="o"), _line("meet", "b", operator="o")],
        [_line("meet", operator="o"), _line("end"), _line("meet", "b", operator="o")],
        [_line("meet", operator="o"), _line("meet", "b", operator="p")],
    ],
)
def test_what_is_allowed_is_not_judged(lines: list[dict[str, Any]]) -> None:
    assert judge(lines) == []
