"""Forecasts of a launch: what a campaign's own attempts say, and the sentence marketing reads."""

from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import pytest

from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Mode
from services.dialer.ports import MarketingStore
from services.dialer.usecases import forecasting
from services.dialer.usecases.forecasting import LaunchForecast, check_before_launch, forecast_launch, history_of

START = datetime(2026, 11, 25, 10, tzinfo=UTC)
NOBODY = UUID(int=0)


def attempt(number: int, outcome: Outcome, ring_s: float, talk_s: float = 0.0) -> Attempt:
    answered_at = START + timedelta(seconds=ring_s) if outcome is Outcome.ANSWERED else None
    return Attempt(
        id=UUID(int=number),
        lead_id=NOBODY,
        campaign_id=NOBODY,
        pool_id=NOBODY,
        contact_id=NOBODY,
        phone="",
        number_digest="",
        n=1,
        mode="predictive",
        trunk="main",
        caller_id="",
        state=AttemptState.ENDED,
        version=1,
        epoch=1,
        decision={},
        ring_timeout_s=25,
        reserved_at=START,
        dial_slot_at=START,
        outcome=outcome,
        dialed_at=None if outcome is Outcome.CANCELLED else START,
        answered_at=answered_at,
        connected_at=answered_at,
        ended_at=START + timedelta(seconds=ring_s + talk_s),
    )


ATTEMPTS = [
    *[attempt(n, Outcome.ANSWERED, 8.0, 90.0 + n) for n in range(6)],
    *[attempt(10 + n, Outcome.NO_ANSWER, 25.0) for n in range(14)],
    attempt(30, Outcome.CANCELLED, 0.0),
]


def test_history_counts_what_rang_and_measures_each_span() -> None:
    history = history_of(ATTEMPTS)
    assert history["lines"] == 20
    assert history["answer_rate"] == pytest.approx(0.3)
    assert (history["ring_s"], history["other_s"], history["talk_s"]) == (8.0, 25.0, 92.5)
    assert history["talk_cv"] == pytest.approx(1.708 / 92.5, rel=1e-3)


def test_without_history_nothing_is_claimed() -> None:
    assert history_of([]) == {"lines": 0}


def test_the_sentence_says_when_with_how_many_and_what_it_rests_on() -> None:
    found = LaunchForecast(START, 8, 900, START + timedelta(hours=5.67), timedelta(minutes=25), 0.83, 0.024, 20)
    assert found.sentence() == (
        "If we launch at 10:00 with 8 operators: finished by 2026-11-25 15:40 ± 25 min of calling,"
        " 83 % occupancy, 2.4 % abandoned (from 20 lines of its own)"
    )


class OneCampaign:
    """The questions a forecast and a launch check ask the store."""

    def __init__(self, plan: Plan | None = None, operators: int = 0) -> None:
        self.plan = plan or Plan()
        self.operators = [
            Operator(UUID(int=n), f"o{n}", UUID(int=n % 2), OperatorState.OFFLINE, START, 1) for n in range(operators)
        ]

    async def load_campaign(self, campaign_id: UUID) -> Campaign:
        return Campaign(campaign_id, "Sim", CampaignState.DRAFT, NOBODY, self.plan, 1, START)

    async def list_trunks(self) -> list[dict[str, object]]:
        return []

    async def list_operators(self, after: tuple[str, UUID], limit: int) -> list[Operator]:
        return self.operators

    async def list_attempts(self, campaign_id: UUID, before: UUID, limit: int) -> list[Attempt]:
        return ATTEMPTS

    async def load_progress(
        self, campaign_id: UUID, now: datetime, since: datetime
    ) -> tuple[list[dict[str, object]], list[object]]:
        return [{"state": "waiting", "leads": 200}, {"state": "done", "leads": 70}], []


@pytest.mark.parametrize(
    ("plan", "operators", "leads", "reason"),
    [
        (Plan(mode=Mode.AGENTLESS), 4, 10, "Without operators"),
        (Plan(), 0, 10, "no operators yet"),
        (Plan(), 1, None, "No lead waits"),
    ],
)
async def test_a_launch_check_says_why_it_has_no_forecast(
    plan: Plan, operators: int, leads: int | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = OneCampaign(plan, operators)
    monkeypatch.setattr(store, "load_progress", no_leads)
    found = await check_before_launch(cast("MarketingStore", store), always, NOBODY, None, START, leads)
    assert found.forecast is None
    assert reason in (found.no_forecast or "")
    assert {one.field for one in found.missing} >= {"script_id", "audience_id", "plan.trunk"}


def always(*_: object) -> bool:
    return True


async def no_leads(*_: object) -> tuple[list[object], list[object]]:
    return [], []


async def test_a_machine_too_busy_for_a_forecast_does_not_hold_up_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "CHECK_TIMEOUT_S", 0.01)
    store = cast("MarketingStore", OneCampaign(operators=4))
    found = await check_before_launch(store, always, NOBODY, None, START, 10_000)
    assert (found.forecast, found.no_forecast) == (None, "The machine is too busy for a forecast now.")


@pytest.mark.long
async def test_a_process_of_its_own_forecasts_the_leads_that_wait() -> None:
    store = cast("MarketingStore", OneCampaign())
    found = await forecast_launch(store, NOBODY, operators=3, launch_at=START, leads=None)
    # 200 leads, five attempts at most, three in ten answer: 200 × (1 + 0.7 + … + 0.7⁴).
    assert found.lines == 555
    assert START + timedelta(hours=1) < found.finished_at < START + timedelta(hours=8)
    assert found.plus_minus > timedelta(0)
    assert found.abandoned == 0.0  # the plan dials one line per operator
    checked = await check_before_launch(
        cast("MarketingStore", OneCampaign(operators=6)), always, NOBODY, None, START, None
    )
    assert checked.forecast == found  # half of the operators are the pool's, and the leads are those that wait
