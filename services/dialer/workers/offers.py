"""Preview: a lead is shown to an operator first and dialed when they accept it."""

from datetime import timedelta

from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.operators import Operator
from services.dialer.workers.board import Board, able
from services.dialer.workers.hopper import Candidate
from services.dialer.workers.reserving import Reserving

HISTORY = timedelta(days=400)


class Offers:
    """Shows leads and dials those that are accepted."""

    def __init__(self, board: Board, reserving: Reserving) -> None:
        """Offer on *board*."""
        self._board = board
        self._reserving = reserving

    async def show(self, campaign: Campaign, candidates: list[Candidate]) -> None:
        """Show each candidate to one free operator with the campaign's skill, the longest-ready first.

        A callback that was promised by one operator is shown to them when they are free.
        """
        board = self._board
        ready = sorted((o for o in board.free().values() if able(o, campaign)), key=lambda o: (o.since, o.id))
        for candidate in candidates:
            own = candidate.lead.callback_operator
            operator = next((o for o in ready if o.id == own), ready[0] if ready else None)
            if operator is None:
                return
            ready.remove(operator)
            offered = operator_rules.decide(operator, operator_rules.Offer(candidate.lead.id), board.now())
            if offered is not None:
                await board.store_operator(operator, offered, lead_rules.hold(candidate.lead))

    async def withdraw(self, operator: Operator, *, timed_out: bool) -> None:
        """Take an offer back; the lead returns to its queue."""
        after = operator_rules.decide(operator, operator_rules.OfferGone(timed_out), self._board.now())
        if after is not None and after is not operator:
            await self._board.store_operator(operator, after)

    async def dial(self, operator: Operator) -> None:
        """Dial the lead that *operator* accepted; the call is theirs before it rings."""
        board, lead_id = self._board, operator.offer_lead_id
        if lead_id is None:
            return
        lead = await board.store.load_lead(lead_id)
        campaign = board.campaigns.get(lead.campaign_id)
        if campaign is None or not board.may_dial():
            await self.withdraw(operator, timed_out=False)
            return
        history = (await board.store.load_history([lead], board.now() - HISTORY, board.now()))[0]
        verdict = board.gatekeeper.judge(campaign, lead, history, board.now())
        chosen = [Candidate(lead, verdict)] if verdict.allowed else []
        if not (await self._reserving.reserve(campaign, chosen, operator)).started:
            await self.withdraw(operator, timed_out=False)
