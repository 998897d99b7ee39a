"""Which caps pacing keeps, and when their windows begin and end."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.caps import BLOCK_S, LAW_ZONES, AbandonmentLimit, caps_of, counted_before
from services.dialer.domain.gate.facts import CampaignCounts, Counts
from services.dialer.domain.pacing import Campaign as PacedCampaign
from services.dialer.domain.pacing import Cap, Event, EventKind, Floor, Pacer, WindowKind

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


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
RECORD = CampaignCounts(LAUNCHED, windows={"day": Counts(100, 2), "month": Counts(900, 30), "block": Counts(700, 25)})


def test_what_the_ledger_counted_before_is_told_of_the_windows_that_it_keeps_and_that_still_last() -> None:
    caps = caps_of(campaign(0.02), [GB, CA, US], "America/New_York", NOON)
    told = counted_before(caps, RECORD, NOON - timedelta(seconds=5), NOON)
    by_rate = {(cap.rate, cap.window.seconds): told.get(cap) for cap in caps}
    assert by_rate == {
        (0.02, 86_400.0): None,  # the plan's day is that of New York, which the ledger does not keep
        (0.02, BLOCK_S): (700.0, 25.0),
        (0.03, 86_400.0): (100.0, 2.0),
        (0.05, 30 * 86_400.0 + 3_600.0): (900.0, 30.0),
        (0.03, BLOCK_S): (700.0, 25.0),
    }


def test_yesterdays_count_is_not_told_of_today() -> None:
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    caps = caps_of(campaign(0.02), [GB], "Europe/London", midnight)
    told = counted_before(caps, RECORD, midnight - timedelta(seconds=1), midnight)
    assert [cap.window.kind for cap in told] == [WindowKind.BLOCK]
    block_ends = LAUNCHED + timedelta(days=60)
    caps = caps_of(campaign(0.02), [US], "America/New_York", block_ends)
    assert counted_before(caps, RECORD, block_ends - timedelta(seconds=1), block_ends) == {}


def test_a_cap_met_in_the_middle_of_its_window_goes_on_from_the_count() -> None:
    """Thirty people too many met nobody before: until that is earned back, one line per operator."""
    one = campaign(0.05)
    [law] = [cap for cap in caps_of(one, [GB], "Europe/London", NOON) if cap.rate == 0.03]
    pacer = Pacer()
    seen = Floor(NOON.timestamp(), campaigns=(PacedCampaign(str(one.id)),), caps=(law,), before={law: (1_000.0, 60.0)})
    assert pacer.decide(seen).numbers[str(one.id)]["budget"] == pytest.approx(-30.0)
    answers = tuple(Event(NOON.timestamp() + 1, str(one.id), EventKind.ANSWERED, ring_s=5.0) for _ in range(100))
    later = Floor(NOON.timestamp() + 2, campaigns=seen.campaigns, caps=(law,), events=answers, before=seen.before)
    assert pacer.decide(later).numbers[str(one.id)]["budget"] == pytest.approx(-27.0)
