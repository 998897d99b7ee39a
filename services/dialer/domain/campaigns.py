"""A campaign: its plan, its states, and everything that is missing before it may be launched."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.dialer.domain.attempts import Outcome
from services.dialer.domain.leads import Cadence, CallStep, MessageStep, RetryRule
from services.dialer.domain.pacing import Mode

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hours(_Part):
    """A span of the callee's local day in which the campaign may call; packs and law can only narrow it."""

    days: tuple[Weekday, ...] = WEEKDAYS
    start: time
    end: time

    @model_validator(mode="after")
    def _in_order(self) -> "Hours":
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("hours are told by the clocks where the person is, so without an offset")
        if self.start >= self.end:
            raise ValueError("hours must start before they end; a span over midnight is written as two")
        return self


class Cap(_Part):
    """At most *maximum* attempts that rang, per person, within *window*, across all campaigns."""

    maximum: Annotated[int, Field(ge=1, le=100)]
    window: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=400))]


_HOUR = timedelta(hours=1)
DEFAULT_CADENCE: Cadence = (
    CallStep(
        retries={
            Outcome.NO_ANSWER: RetryRule(timedelta(hours=3), 3, alternate_number=True),
            Outcome.BUSY: RetryRule(timedelta(minutes=15), 3),
            Outcome.MACHINE: RetryRule(timedelta(hours=4), 2),
            Outcome.ABANDONED: RetryRule(timedelta(hours=72), 1),
            Outcome.NETWORK: RetryRule(timedelta(minutes=5), 3),
            Outcome.REJECTED: RetryRule(timedelta(hours=24), 1),
        },
        max_attempts=5,
    ),
)

CadenceStep = Annotated[CallStep | MessageStep, Field(discriminator="kind")]


class Plan(_Part):
    """How a campaign calls; changing it while running takes effect with the next lead."""

    purpose: Literal["informational", "marketing", "survey", "debt_collection", "emergency"] = "informational"
    subject: Annotated[str, Field(max_length=200)] = ""
    mode: Mode = Mode.PROGRESSIVE
    ratio: Annotated[float, Field(ge=1, le=5)] = 1.5
    priority: Annotated[int, Field(ge=1, le=100)] = 1
    skill: Annotated[str, Field(max_length=60)] | None = None
    hours: tuple[Hours, ...] = (Hours(start=time(9), end=time(20)),)
    caps: tuple[Cap, ...] = (Cap(maximum=3, window=timedelta(hours=24)),)
    caller_ids: tuple[Annotated[str, Field(pattern=r"^\+[1-9][0-9]{4,14}$")], ...] = ()
    trunk: Annotated[str, Field(max_length=60)] = "main"
    max_lines: Annotated[int, Field(ge=1, le=2000)] = 200
    ring_timeout_s: Annotated[int, Field(ge=15, le=120)] = 25
    fresh_share: Annotated[float, Field(ge=0.1, le=0.9)] = 0.5
    abandonment_message: Annotated[str, Field(max_length=200)] = "sound:abandoned"
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] = "en"
    cadence: Annotated[tuple[CadenceStep, ...], Field(min_length=1, max_length=10)] = DEFAULT_CADENCE
    pacing_cap: Annotated[float, Field(gt=0, le=0.2)] = 0.03

    @model_validator(mode="after")
    def _calls_first(self) -> "Plan":
        if self.cadence[0].kind != "call":
            raise ValueError("the first step of a cadence must be a call")
        return self


class CampaignState(StrEnum):
    """draft → running ⇄ paused → finished or stopped."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"


SEVERAL_LINES = frozenset({Mode.RATIO, Mode.PREDICTIVE})
"""Modes with more lines than operators."""

Command = Literal["launch", "pause", "resume", "stop", "finish"]

_MOVES: dict[tuple[CampaignState, Command], CampaignState] = {
    (CampaignState.DRAFT, "launch"): CampaignState.RUNNING,
    (CampaignState.RUNNING, "pause"): CampaignState.PAUSED,
    (CampaignState.PAUSED, "resume"): CampaignState.RUNNING,
    (CampaignState.DRAFT, "stop"): CampaignState.STOPPED,
    (CampaignState.RUNNING, "stop"): CampaignState.STOPPED,
    (CampaignState.PAUSED, "stop"): CampaignState.STOPPED,
    (CampaignState.RUNNING, "finish"): CampaignState.FINISHED,
    (CampaignState.PAUSED, "finish"): CampaignState.FINISHED,
}


def next_state(state: CampaignState, command: Command) -> CampaignState | None:
    """Return the state after *command*, or None when it is not allowed in *state*."""
    return _MOVES.get((state, command))


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as stored; *version* grows with every change and is its ETag."""

    id: UUID
    name: str
    state: CampaignState
    pool_id: UUID
    plan: Plan
    version: int
    created_at: datetime
    script_id: UUID | None = None
    script_version: int | None = None
    audience_id: UUID | None = None
    launched_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing a campaign lacks before launch: which field, and what to do about it."""

    field: str
    problem: str


def missing_for_launch(campaign: Campaign, *, trunk_known: bool, legal_hours_left: bool) -> Sequence[Missing]:
    """Return everything that stands in the way of a launch, all at once; empty when it may go."""
    checks = (
        (campaign.script_id is None, "script_id", "name the script that operators follow"),
        (campaign.audience_id is None, "audience_id", "name the audience that is called"),
        (
            not campaign.plan.caller_ids,
            "plan.caller_ids",
            "give at least one number that is shown to the people called",
        ),
        (not campaign.plan.hours, "plan.hours", "give at least one span of hours"),
        (
            bool(campaign.plan.hours) and not legal_hours_left,
            "plan.hours",
            "none of these hours is legal for calling; widen them or choose other days",
        ),
        (not trunk_known, "plan.trunk", f"there is no trunk named {campaign.plan.trunk!r}; create it first"),
    )
    return [Missing(field, problem) for wrong, field, problem in checks if wrong]


def one_by_one(campaign: Campaign) -> Campaign:
    """Return the campaign as it runs where the rules allow no line without an operator waiting for it."""
    return replace(campaign, plan=campaign.plan.model_copy(update={"mode": Mode.PROGRESSIVE}))
