"""A gate with one rule, for tests of the shell around it: whom it names is held back."""

from datetime import datetime, timedelta
from uuid import UUID

from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.caps import AbandonmentLimit
from services.dialer.domain.leads import Lead
from services.dialer.ports import GateHistory
from services.dialer.usecases.gatekeeper import Verdict


class OneRuleGate:
    """Fits `Gatekeeper`: denies the suppressed, defers the people in *deferred*, allows everybody else."""

    def __init__(self) -> None:
        """Hold nobody back."""
        self.deferred: dict[UUID, timedelta] = {}
        self.fails_for: UUID | None = None
        self.limits: tuple[AbandonmentLimit, ...] = ()

    def judge(
        self, campaign: Campaign, lead: Lead, history: GateHistory, now: datetime, *, channel: str = "voice"
    ) -> Verdict:
        """Return the verdict on a lead."""
        del channel
        if campaign.id == self.fails_for:
            raise ArithmeticError("a fault in one campaign")
        if history.suppressed:
            return Verdict(False, held_by="suppressed")
        wait = self.deferred.get(lead.contact_id)
        allowed = Verdict(True, limits=self.limits, zone="Europe/London")
        return allowed if wait is None else Verdict(False, until=now + wait, held_by="hours")

    def judge_again(self, verdict: Verdict, now: datetime) -> Verdict:
        """Return the same verdict."""
        del now
        return verdict
