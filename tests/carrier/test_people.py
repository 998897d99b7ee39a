"""What a person does depends on the seed, the number and the n-th ring, and on nothing else."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any

import pytest

from services.carrier.people import PROGRAMMED_LIMIT, Odds, Outcome, People, Plan, Programmed, Times, plan_ring
from services.carrier.profile import BUILT_IN, load_profile, parse_profile
from services.runtime.errors import RejectedError

EVENING = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def _plans(odds: Odds, count: int = 20_000) -> list[Plan]:
    return [plan_ring(7, f"+4416329{number:05d}", 1, odds) for number in range(count)]


def test_the_same_ring_goes_the_same_way_in_whatever_order_numbers_are_rung() -> None:
    odds_of = load_profile("everyday").odds_of
    numbers = [f"+44163296{n:04d}" for n in range(50)]
    forwards, backwards = People(7, odds_of), People(7, odds_of)
    first = {number: forwards.next_plan(number, EVENING) for number in numbers}
    again = {number: forwards.next_plan(number, EVENING) for number in numbers}
    assert {number: backwards.next_plan(number, EVENING) for number in reversed(numbers)} == first
    assert all(again[number].nth == 2 for number in numbers)
    assert again != first, "the second ring of a number is another one"
    assert People(8, odds_of).next_plan(numbers[0], EVENING) != first[numbers[0]]


def test_plans_do_not_drift_between_machines_and_releases() -> None:
    plan = plan_ring(7, "+441632960008", 1, load_profile("everyday").odds_of("+441632960008", EVENING))
    assert (plan.outcome, plan.amd) == (Outcome.ANSWER, "HUMAN")
    assert (plan.ring_s, plan.talk_s, plan.patience_s) == pytest.approx((10.395727001, 32.640999349, 15.910964161))


def test_shares_and_times_are_those_of_the_profile() -> None:
    odds = load_profile("everyday").odds_of("+441632960001", EVENING)
    plans = _plans(odds)
    shares = Counter(plan.outcome for plan in plans)
    assert shares[Outcome.ANSWER] / len(plans) == pytest.approx(0.36, abs=0.012)
    assert shares[Outcome.MACHINE] / len(plans) == pytest.approx(0.18, abs=0.01)
    assert shares[Outcome.BUSY] / len(plans) == pytest.approx(0.05, abs=0.006)
    assert set(shares) == set(Outcome)
    answered = [plan for plan in plans if plan.outcome is Outcome.ANSWER]
    assert mean(plan.ring_s for plan in answered) == pytest.approx(10.0, rel=0.03)
    assert pstdev(plan.ring_s for plan in answered) == pytest.approx(10.0 / 6**0.5, rel=0.05)
    assert median(plan.talk_s for plan in answered) == pytest.approx(75.0, rel=0.04)
    assert min(plan.patience_s for plan in answered) >= 2.5
    assert mean(plan.patience_s for plan in answered) == pytest.approx(8.5, rel=0.04)


def test_detection_errs_as_often_as_the_profile_says() -> None:
    plans = _plans(load_profile("everyday").odds_of("+441632960001", EVENING))
    people = Counter(plan.amd for plan in plans if plan.outcome is Outcome.ANSWER)
    machines = Counter(plan.amd for plan in plans if plan.outcome is Outcome.MACHINE)
    assert people["MACHINE"] / people.total() == pytest.approx(0.02, abs=0.006)
    assert machines["HUMAN"] / machines.total() == pytest.approx(0.12, abs=0.015)
    assert machines["NOTSURE"] / machines.total() == pytest.approx(0.02, abs=0.008)
    assert {plan.amd for plan in plans if plan.outcome not in (Outcome.ANSWER, Outcome.MACHINE)} == {None}


def test_hour_and_prefix_choose_the_rule() -> None:
    profile = parse_profile(
        {
            "people": [
                {"prefix": "+1", "hours": [17, 21], "utc_offset_h": -5.0, "answer": 1.0},
                {"prefix": "+44", "hours": [22, 6], "busy": 1.0},
                {"hours": [0, 24], "machine": 1.0},
            ]
        },
        "test",
    )

    def outcome(number: str, at: datetime) -> Outcome:
        return plan_ring(1, number, 1, profile.odds_of(number, at)).outcome

    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert outcome("+12025550100", late) is Outcome.ANSWER, "18:30 in the east of the United States"
    assert outcome("+12025550100", EVENING) is Outcome.MACHINE
    assert outcome("+441632960001", late) is Outcome.BUSY
    assert outcome("+441632960001", NIGHT) is Outcome.BUSY, "the hours pass midnight"
    assert outcome("+441632960001", EVENING) is Outcome.MACHINE


def test_a_number_that_no_rule_fits_is_answered_by_nobody() -> None:
    assert {plan.outcome for plan in _plans(parse_profile({}, "test").odds_of("+44", NIGHT), 100)} == {
        Outcome.NO_ANSWER
    }


def test_programmed_outcomes_come_first_in_first_out_and_change_only_what_they_name() -> None:
    people = People(7, load_profile("eager").odds_of)
    natural = People(7, load_profile("eager").odds_of).next_plan("+441632960001", NIGHT)
    people.program("+441632960001", Programmed(Outcome.BUSY, sip=600))
    people.program("+441632960001", Programmed(Outcome.ANSWER, talk_s=0.125, amd="MACHINE"))
    busy, answer = (people.next_plan("+441632960001", NIGHT) for _ in range(2))
    assert (busy.outcome, busy.sip, busy.ring_s) == (Outcome.BUSY, 600, 0.0)
    assert (answer.outcome, answer.talk_s, answer.amd, answer.nth) == (Outcome.ANSWER, 0.125, "MACHINE", 2)
    assert answer.ring_s == natural.ring_s
    assert people.next_plan("+441632960001", NIGHT).amd == "HUMAN", "the third ring goes its natural way"


def test_programmed_outcomes_are_bounded_and_can_be_dropped() -> None:
    people = People(7, load_profile("eager").odds_of)
    assert all(people.program(f"+{n}", Programmed(Outcome.BUSY)) for n in range(PROGRAMMED_LIMIT))
    assert not people.program("+1", Programmed(Outcome.BUSY))
    people.forget("+1")
    people.next_plan("+2", NIGHT)
    assert people.program("+2", Programmed(Outcome.BUSY)), "what was rung makes room"
    assert people.program("+1", Programmed(Outcome.SILENT))
    assert people.next_plan("+1", NIGHT).outcome is Outcome.SILENT


@pytest.mark.parametrize("name", sorted(file.stem for file in BUILT_IN.glob("*.toml")))
def test_built_in_profiles_can_be_used(name: str) -> None:
    assert load_profile(name).people


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"people": [{"answer": 0.7, "busy": 0.5}]}, "add up to 1.200"),
        ({"people": [{"answer": 1.5}]}, "people.0.answer"),
        ({"people": [{"prefix": "44"}]}, "people.0.prefix"),
        ({"people": [{"hours": [9, 25]}]}, "people.0.hours.1"),
        ({"times": {"ring_mean_s": -1}, "people": [{"anwser": 1}]}, "people.0.anwser"),
        ({"times": {"talk_median_s": float("nan")}}, "times.talk_median_s"),
    ],
)
def test_a_wrong_profile_names_the_field(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(RejectedError, match=words):
        parse_profile(raw, "test")


def test_profiles_are_read_from_toml_and_json(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[times]\nsetup_s = 0.5\n[[people]]\nanswer = 0.25\n")
    (tmp_path / "a.json").write_text('{"times": {"setup_s": 0.5}, "people": [{"answer": 0.25}]}')
    one, other = load_profile(str(tmp_path / "a.toml")), load_profile(str(tmp_path / "a.json"))
    assert one == other
    assert one.odds_of("+44", NIGHT).times == Times(setup_s=0.5)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.toml", None, "cannot be read .*benchmark, eager, everyday"),
        ("bad.toml", "a = ", "neither TOML nor"),
        ("bad.json", "[1]", "expected an object"),
        ("bad.json", "{", "neither TOML nor"),
    ],
)
def test_a_profile_that_cannot_be_read_says_so(tmp_path: Path, name: str, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(RejectedError, match=words):
        load_profile(str(tmp_path / name))
