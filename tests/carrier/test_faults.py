"""Signals go wrong as told, the same way for the same seed."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from services.carrier.apps import Event
from services.carrier.faults import Faults, FaultySignals, Late, Outage
from tests.carrier.stage import VirtualTime


class _Line:
    """Faulty signals, with the number and arrival time of each that came through."""

    def __init__(self, faults: Faults, seed: int = 7) -> None:
        self.time = VirtualTime()
        self.heard: list[tuple[int, float]] = []
        self.signals = FaultySignals(self.time, random.Random(seed), self._deliver)
        self.signals.inject(faults)

    def _deliver(self, app: str, event: Event) -> None:
        self.heard.append((event["n"], self.time.time()))

    def send(self, count: int) -> None:
        for n in range(count):
            self.signals.send("galw", {"n": n})

    @property
    def numbers(self) -> list[int]:
        return [n for n, _ in self.heard]


def test_without_faults_everything_arrives_at_once_in_order() -> None:
    line = _Line(Faults())
    line.send(100)
    assert line.heard == [(n, 0.0) for n in range(100)]


def test_a_share_is_lost() -> None:
    line = _Line(Faults(lost=0.25))
    line.send(4_000)
    line.time.advance(60.0)
    assert len(set(line.numbers)) == len(line.numbers) == pytest.approx(3_000, rel=0.03)


def test_a_share_is_repeated_within_half_a_second() -> None:
    line = _Line(Faults(repeated=0.25))
    line.send(4_000)
    line.time.advance(0.5)
    times = Counter(line.numbers)
    assert len(times) == 4_000
    assert set(times.values()) == {1, 2}
    assert times.total() == pytest.approx(5_000, rel=0.03)


def test_a_share_is_late_and_overtaken() -> None:
    line = _Line(Faults(late=Late(share=0.25, by_s=(0.5, 2.0))))
    line.send(4_000)
    assert len(line.heard) == pytest.approx(3_000, rel=0.03)
    line.time.advance(2.0)
    late = [at for _, at in line.heard if at > 0.0]
    assert sorted(line.numbers) == list(range(4_000))
    assert 0.5 <= min(late) < 0.6 < 1.9 < max(late) <= 2.0


def test_a_share_is_overtaken_by_the_next_one_and_never_stays_behind() -> None:
    line = _Line(Faults(reordered=0.3))
    line.send(1_000)
    line.time.advance(0.25)
    assert sorted(line.numbers) == list(range(1_000))
    assert line.numbers != list(range(1_000))
    assert all(abs(place - n) <= 1 for place, n in enumerate(line.numbers))


def test_an_event_that_was_overtaken_leaves_no_timer_for_the_next_one() -> None:
    line = _Line(Faults(reordered=1.0))
    line.send(2)
    assert line.numbers == [1, 0]
    assert line.time.pending == 0


def test_a_hanging_carrier_tells_everything_when_it_is_over() -> None:
    line = _Line(Faults(outage=Outage(for_s=3.0, kind="hang")))
    resumed: list[float] = []
    line.signals.when_over(lambda: resumed.append(line.time.time()))
    line.send(3)
    line.time.advance(2.9)
    assert (line.heard, resumed) == ([], [])
    line.time.advance(0.1)
    assert line.numbers == [0, 1, 2]
    assert resumed == [pytest.approx(3.0)]
    assert line.signals.faults == Faults()
    line.signals.when_over(lambda: resumed.append(-1.0))
    assert resumed[-1] == -1.0


def test_a_refusing_carrier_tells_nothing() -> None:
    line = _Line(Faults(outage=Outage(for_s=3.0, kind="refuse")))
    line.send(3)
    line.time.advance(3.0)
    assert line.heard == []
    line.send(1)
    assert line.numbers == [0]


def test_ending_the_faults_ends_an_outage_at_once() -> None:
    line = _Line(Faults(lost=1.0, outage=Outage(for_s=60.0, kind="hang")))
    line.send(1)
    line.signals.inject(Faults())
    line.send(1)
    assert line.numbers == [0, 0]
    assert line.time.pending == 0


def test_faults_other_than_an_outage_stay_when_it_ends() -> None:
    line = _Line(Faults(lost=1.0, outage=Outage(for_s=1.0, kind="trunk_503")))
    line.time.advance(1.0)
    line.send(1)
    assert line.heard == []
    assert not line.signals.refuses_trunk("any")


def test_one_seed_is_one_run() -> None:
    def run(seed: int) -> list[tuple[int, float]]:
        line = _Line(Faults(lost=0.1, repeated=0.1, reordered=0.1, late=Late(share=0.1)), seed)
        line.send(500)
        line.time.advance(10.0)
        return line.heard

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_answers_are_lost_by_their_share() -> None:
    line = _Line(Faults(answers_lost=0.5))
    assert sum(line.signals.loses_answer() for _ in range(1_000)) == pytest.approx(500, abs=60)
    assert not _Line(Faults()).signals.loses_answer()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Faults(lost=1.5),
        lambda: Faults(late=Late(share=0.5, by_s=(0.0, 31.0))),
        lambda: Faults(outage=Outage(for_s=61.0, kind="hang")),
        lambda: Faults.model_validate({"loss": 0.1}),
    ],
)
def test_faults_beyond_their_bounds_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValidationError):
        make()
