"""The gate, asked about leads: may this person be called on this number, by this campaign, in this mode, now?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.caps import AbandonmentLimit
from services.dialer.domain.leads import Lead
from services.dialer.ports import CapNow, GateHistory


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer about one lead, with what is stored beside the attempt so that it can be decided again.

    *until* is the first instant at which the same facts would be allowed, None when none comes. *held_by* names the
    first rule that stood in the way.
    """

    allowed: bool
    until: datetime | None = None
    held_by: str | None = None
    min_ring_s: int = 15
    caps: tuple[CapNow, ...] = ()
    """The caps of all rules that apply, to be checked again under lock when the attempt is reserved."""
    limits: tuple[AbandonmentLimit, ...] = ()
    """What the laws of the place say about abandoned calls: pacing keeps to it for the whole campaign."""
    zone: str | None = None
    """The time zone that the person named, else one of those where they may be."""
    stored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    facts: object = None
    """What was asked about, to ask again at the instant of dialing; only the gatekeeper that made it looks inside."""


class Gatekeeper(Protocol):
    """Turns leads into the gate's facts and asks it."""

    def judge(
        self, campaign: Campaign, lead: Lead, history: GateHistory, now: datetime, *, channel: str = "voice"
    ) -> Verdict:
        """Return whether the lead may be called, or written to, at *now*."""
        ...

    def judge_again(self, verdict: Verdict, now: datetime) -> Verdict:
        """Return what the same facts say at *now*, the instant of dialing."""
        ...
