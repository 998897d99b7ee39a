"""The supervisor's arithmetic and its logs."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.standalone.supervisor import bound_logs, next_pause_s


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_half_a_minute_and_never_vanish(failures: int, chance: float) -> None:
    pause_s = next_pause_s(failures, chance)
    assert 0.25 <= pause_s <= 30
    assert pause_s <= next_pause_s(failures + 1, chance)


def test_the_first_restart_is_prompt_and_the_pause_doubles() -> None:
    assert [next_pause_s(failures, 0) for failures in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_log_past_its_bound_moves_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "dialer.log"
    log.parent.mkdir()
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        bound_logs(tmp_path, bound_bytes=100)
        assert log.stat().st_size == 100
        writer.write(b"b")
        bound_logs(tmp_path, bound_bytes=100)
        writer.write(b"c")
    assert log.with_name("dialer.log.1").read_bytes() == b"a" * 100 + b"b"
    assert log.read_bytes() == b"c"
