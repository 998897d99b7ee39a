"""Which caps pacing keeps, and when their windows begin and end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.caps import BLOCK_S, LAW_ZONES, AbandonmentLimit, caps_of
from services.dialer.domain.pacing import Cap, WindowKind

LAUNCHED = datetime(2026, 10, 1, 9, 30, tzinfo=UTC)
GB = AbandonmentLimit(0.03, "day")
CA = AbandonmentLimit(0.05, "month")
US = AbandonmentLimit(0.03, "block")


def campaign(cap: float = 0.03) -> Campaign:
    return Campaign(
        uuid4(), "News", CampaignState.RUNNING, uuid4(), Plan(pacing_cap=cap), 1, LAUNCHED, launched_at=LAUNCHED
    )


def span(cap: Cap) -> tuple[datetime, datetime]:
    anchor = cap.window.anchor
    assert anchor is not None
    begins = datetime.fromtimestamp(anchor, UTC)
    return begins, begins + timedelta(seconds=cap.window.seconds)


@pytest.mark.parametrize(
    ("now", "begins", "hours"),
    [
        (datetime(2026, 11, 25, 12, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC), 24),
        (datetime(2026, 7, 6, 23, 30, tzinfo=UTC), datetime(2026, 7, 6, 23, tzinfo=UTC), 24),
        (datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 10, 24, 23, tzinfo=UTC), 25),
        (datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 29, 0, tzinfo=UTC), 23),
    ],
)
def test_the_british_day_is_that_of_london_and_as_long_as_it_is(now: datetime, begins: datetime, hours: int) -> None:
    [day] = [cap for cap in caps_of(campaign(0.02), [GB], "Europe/London", now) if cap.rate == 0.03]
    assert span(day) == (begins, begins + timedelta(hours=hours))


def test_the_canadian_month_is_a_calendar_month_with_its_own_share() -> None:
    now = datetime(2026, 11, 1, 3, 59, tzinfo=UTC)  # one minute before November begins in Toronto
    [month] = [cap for cap in caps_of(campaign(), [CA], "America/Toronto", now) if cap.rate == 0.05]
    assert span(month) == (datetime(2026, 10, 1, 4, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC))
    [month] = [
        cap for cap in caps_of(campaign(), [CA], "America/Toronto", now + timedelta(minutes=1)) if cap.rate == 0.05
    ]
    assert span(month) == (datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 12, 1, 5, tzinfo=UTC))


def test_the_plan_counts_its_own_day_where_the_people_are() -> None:
    now = datetime(2026, 11, 25, 3, tzinfo=UTC)
    day, block = caps_of(campaign(), [], "America/New_York", now)
    assert span(day) == (datetime(2026, 11, 24, 5, tzinfo=UTC), datetime(2026, 11, 25, 5, tzinfo=UTC))
    assert block.window == (WindowKind.BLOCK, BLOCK_S, LAUNCHED.timestamp())


def test_a_law_that_says_what_the_plan_says_makes_one_cap() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert len(caps_of(campaign(), [GB, US], "Europe/London", now)) == 2
    assert len(caps_of(campaign(0.02), [GB, US], "Europe/London", now)) == 4


def test_the_estimate_of_wrong_machine_verdicts_is_part_of_each_cap() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    caps = caps_of(campaign(), [GB, CA], "Europe/London", now, 0.02)
    assert [cap.false_machine_share for cap in caps] == [0.02] * len(caps)


def test_the_ledger_counts_by_the_same_midnights() -> None:
    sql = Path("services/dialer/sql/lead_standing.sql").read_text()
    for window, zone in LAW_ZONES.items():
        assert f"date_trunc('{window}', $3::timestamptz, '{zone}') AS {window}" in sql
