"""Profiles: the odds of each outcome by number prefix and hour, and how long things take; read from TOML or JSON.

The built-in ones stand in `profiles/`; `--profile` takes the name of one or the path of a file:

    [times]                 # seconds; see `people.Times`
    talk_median_s = 75.0
    [amd]                   # leave it out and no verdict is given
    missed_machine = 0.12
    [[people]]              # the first rule that fits a number and its hour describes the person
    prefix = "+44"
    hours = [17, 21]        # from, until; the hour where the person is, by utc_offset_h; may pass midnight
    utc_offset_h = 0.0
    answer = 0.36           # the shares; what is left of 1 does not answer
    [people.times]          # where these people differ
    ring_mean_s = 8.0
"""

import tomllib
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.carrier.people import RING_SHAPES, Odds, Outcome, Times, Verdicts
from services.runtime.errors import FieldProblem, RejectedError

BUILT_IN = Path(__file__).parent / "profiles"

Seconds = Annotated[float, Field(ge=0.0, le=86_400.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
_HOURS = 24
# Shares written in decimal add up to a hair more than 1.
_ROUNDING = 1e-9


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimesPart(_Strict):
    """The times a profile or rule changes; see `people.Times`."""

    setup_s: Seconds | None = None
    ring_mean_s: Seconds | None = None
    ring_shape: Annotated[int, Field(ge=0, le=RING_SHAPES)] | None = None
    ring_limit_s: Seconds | None = None
    talk_median_s: Seconds | None = None
    talk_sigma: Annotated[float, Field(ge=0.0, le=3.0)] | None = None
    patience_min_s: Seconds | None = None
    patience_mean_s: Seconds | None = None
    hold_patience_s: Seconds | None = None
    machine_s: Seconds | None = None
    message_s: Seconds | None = None

    def applied_to(self, times: Times) -> Times:
        """Return *times* with what this part states."""
        return replace(times, **self.model_dump(exclude_none=True))


class VerdictsPart(_Strict):
    """How often answering machine detection errs; see `people.Verdicts`."""

    false_machine: Share = 0.02
    missed_machine: Share = 0.12
    not_sure: Share = 0.02


class Rule(_Strict):
    """The people whose number begins with *prefix*, while it is one of *hours* where they are."""

    prefix: str = Field(default="", pattern=r"^(\+[0-9]*)?$")
    hours: tuple[Annotated[int, Field(ge=0, le=_HOURS)], Annotated[int, Field(ge=0, le=_HOURS)]] = (0, _HOURS)
    utc_offset_h: float = Field(default=0.0, ge=-12.0, le=14.0)
    answer: Share = 0.0
    machine: Share = 0.0
    busy: Share = 0.0
    rejected: Share = 0.0
    invalid: Share = 0.0
    network: Share = 0.0
    congestion: Share = 0.0
    silent: Share = 0.0
    times: TimesPart = TimesPart()

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if (total := sum(self.shares().values())) > 1.0 + _ROUNDING:
            raise ValueError(f"the shares add up to {total:.3f}; expected 1 at most, the rest does not answer")
        return self

    def shares(self) -> dict[Outcome, float]:
        """Return the share of each outcome that is stated."""
        return {outcome: getattr(self, outcome) for outcome in Outcome if outcome is not Outcome.NO_ANSWER}

    def fits(self, number: str, utc_hour: float) -> bool:
        """Tell whether the rule is for *number* at this hour of the day in UTC."""
        if not number.startswith(self.prefix):
            return False
        first, end = self.hours
        hour = (utc_hour + self.utc_offset_h) % _HOURS
        return first <= hour < end if first < end else hour >= first or hour < end


class Profile(_Strict):
    """Everybody; a number that no rule fits is answered by nobody."""

    times: TimesPart = TimesPart()
    amd: VerdictsPart | None = None
    people: tuple[Rule, ...] = ()

    def odds_of(self, number: str, at: datetime) -> Odds:
        """Return the odds of *number* at the instant *at* (aware, UTC)."""
        utc_hour = at.hour + at.minute / 60.0
        for rule, odds in self._odds:
            if rule.fits(number, utc_hour):
                return odds
        return self._nobody

    @cached_property
    def _odds(self) -> list[tuple[Rule, Odds]]:
        return [(rule, self._odds_from(rule)) for rule in self.people]

    @cached_property
    def _nobody(self) -> Odds:
        return self._odds_from(Rule())

    def _odds_from(self, rule: Rule) -> Odds:
        bounds: list[tuple[float, Outcome]] = []
        total = 0.0
        for outcome, share in rule.shares().items():
            total += share
            bounds.append((total, outcome))
        times = rule.times.applied_to(self.times.applied_to(Times()))
        return Odds(tuple(bounds), times, Verdicts(**self.amd.model_dump()) if self.amd else None)


def parse_profile(raw: dict[str, Any], source: str) -> Profile:
    """Return the profile that *raw* states; raises `RejectedError` that names every wrong field of *source*."""
    try:
        return Profile.model_validate(raw)
    except ValidationError as error:
        problems = tuple(FieldProblem(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors())
        listed = "; ".join(f"{problem.field or 'profile'}: {problem.problem}" for problem in problems)
        raise RejectedError(f"The profile {source} cannot be used: {listed}.", fields=problems) from error


def load_profile(name: str) -> Profile:
    """Return a built-in profile by name, or the one in a TOML or JSON file; raises `RejectedError`."""
    path = Path(name) if "/" in name or "." in name else BUILT_IN / f"{name}.toml"
    try:
        content = path.read_bytes()
        raw = orjson.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in BUILT_IN.glob("*.toml")))
        raise RejectedError(
            f"The profile {name} cannot be read ({error.strerror}); name a file or one of {known}."
        ) from error
    except ValueError as error:
        raise RejectedError(f"The profile {name} is neither TOML nor, as .json, JSON: {error}.") from error
    if not isinstance(raw, dict):
        raise RejectedError(f"The profile {name} holds a {type(raw).__name__}; expected an object.")
    return parse_profile(raw, name)
