"""A campaign's states, and everything that is missing before a launch, named at once."""

from datetime import time
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from services.dialer.domain.campaigns import (
    Campaign,
    CampaignState,
    Command,
    Hours,
    Plan,
    missing_for_launch,
    next_state,
)
from services.dialer.usecases.callbacks import instant_of
from services.dialer.usecases.campaigns import changed_plan
from services.runtime.errors import RejectedError
from tests.dialer.samples import NOW, SMS

S = CampaignState
ALLOWED = {
    (S.DRAFT, "launch"): S.RUNNING,
    (S.DRAFT, "stop"): S.STOPPED,
    (S.RUNNING, "pause"): S.PAUSED,
    (S.RUNNING, "stop"): S.STOPPED,
    (S.RUNNING, "finish"): S.FINISHED,
    (S.PAUSED, "resume"): S.RUNNING,
    (S.PAUSED, "stop"): S.STOPPED,
    (S.PAUSED, "finish"): S.FINISHED,
}
COMMANDS: tuple[Command, ...] = ("launch", "pause", "resume", "stop", "finish")


def test_the_states_are_those_of_the_table_and_no_others() -> None:
    for state in CampaignState:
        for command in COMMANDS:
            assert next_state(state, command) is ALLOWED.get((state, command))


def test_a_bare_campaign_lacks_everything_and_says_so_at_once() -> None:
    bare = Campaign(UUID(int=1), "Bare", S.DRAFT, UUID(int=2), Plan(hours=()), 1, NOW)
    missing = missing_for_launch(bare, trunk_known=False, legal_hours_left=False)
    fields = ["script_id", "audience_id", "plan.caller_ids", "plan.hours", "plan.trunk"]
    assert [one.field for one in missing] == fields
    night = Plan(hours=(Hours(start=time(22), end=time(23)),), caller_ids=("+441632960999",))
    missing = missing_for_launch(
        Campaign(UUID(int=1), "Night", S.DRAFT, UUID(int=2), night, 1, NOW, UUID(int=3), 1, UUID(int=4)),
        trunk_known=True,
        legal_hours_left=False,
    )
    assert [one.field for one in missing] == ["plan.hours"]
    assert "legal" in missing[0].problem


def _calls(delay: str = "PT1H", maximum: int = 2) -> dict[str, Any]:
    return {"kind": "call", "max_attempts": 3, "retries": {"busy": {"delay": delay, "maximum": maximum}}}


def test_a_cadence_begins_with_calls_and_hours_in_order() -> None:
    with pytest.raises(ValidationError, match="first step"):
        Plan(cadence=(SMS,))
    with pytest.raises(ValidationError, match="start before they end"):
        Hours(start=time(20), end=time(9))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"caps": [{"maximum": 1, "window": "P999999999D"}]}, "400 days"),
        ({"caps": [{"maximum": 1, "window": "PT0S"}]}, "greater than 0"),
        ({"hours": [{"start": "08:00+05:00", "end": "21:00"}]}, "without an offset"),
        ({"hours": [{"start": "08:00+05:00", "end": "21:00+05:00"}]}, "without an offset"),
        ({"cadence": [_calls(delay="P999999999D")]}, "90 days"),
        ({"cadence": [_calls(delay="-PT1H")]}, "greater than or equal to 0"),
        ({"cadence": [_calls(maximum=101)]}, "less than or equal to 100"),
        ({"cadence": [_calls(), {"kind": "message", "channel": "sms", "template": "x", "after": "P91D"}]}, "90 days"),
    ],
)
def test_no_span_of_a_plan_leaves_the_calendar(plan: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Plan.model_validate_json(orjson.dumps(plan))


def test_a_change_of_a_plan_leaves_what_it_does_not_state() -> None:
    plan = Plan(caller_ids=("+441632960999",), subject="Survey")
    changed = changed_plan(plan, Plan(subject="Other"))
    assert (changed.subject, changed.caller_ids) == ("Other", ("+441632960999",))
    assert changed_plan(plan, Plan(caller_ids=())).caller_ids == ()


@pytest.mark.parametrize(
    ("local", "zones", "instant"),
    [
        ("2026-11-24T15:00", ["Europe/London"], "2026-11-24T15:00:00+00:00"),
        ("2026-11-24T15:00", ["Europe/Berlin"], "2026-11-24T14:00:00+00:00"),
        ("2026-11-24T15:00", ["Europe/Berlin", "Europe/Paris"], "2026-11-24T14:00:00+00:00"),
        ("2026-10-25T01:30", ["Europe/London"], "2026-10-25T00:30:00+00:00"),
    ],
)
def test_a_callback_is_agreed_in_the_persons_own_time(local: str, zones: list[str], instant: str) -> None:
    assert instant_of(local, zones).isoformat() == instant


@pytest.mark.parametrize(
    ("local", "zones", "words"),
    [
        ("2027-03-28T01:30", ["Europe/London"], "clocks in Europe/London skip this time"),
        ("2026-02-30T10:00", ["Europe/London"], "no such day"),
        ("2026-11-24T15:00", [], "not known"),
        ("0001-01-01T00:00", ["Asia/Kolkata"], "end of the calendar"),
        ("9999-12-31T23:59", ["America/New_York"], "end of the calendar"),
        ("2026-11-24T15:00", ["America/New_York", "America/Chicago"], "America/Chicago and America/New_York"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(local: str, zones: list[str], words: str) -> None:
    with pytest.raises(RejectedError) as caught:
        instant_of(local, zones)
    assert words in caught.value.fields[0].problem
