"""Lines: as many as pacing says, to the leads the gate allows; and the messages to those who were not reached."""

from uuid import UUID

from services.dialer.domain import leads as lead_rules
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead, MessageStep
from services.dialer.domain.pacing import Mode
from services.dialer.ports import Change
from services.dialer.usecases import announcements
from services.dialer.workers.board import Board, woken
from services.dialer.workers.hopper import Hopper
from services.dialer.workers.offers import Offers
from services.dialer.workers.pacing import PacingDesk
from services.dialer.workers.reserving import Reserving
from services.runtime.errors import UnavailableError

HELD_BACK_S = 0.25
UNAVAILABLE_S = 0.5
MESSAGES_EVERY_S = 1.0


class Placing:
    """Asks pacing on every signal and places what it says."""

    def __init__(self, board: Board, pacing: PacingDesk, reserving: Reserving, offers: Offers) -> None:
        """Place for the pool of *board*."""
        self._board = board
        self._pacing = pacing
        self._reserving = reserving
        self._offers = offers
        self._hoppers: dict[UUID, Hopper] = {}

    async def run(self) -> None:
        """Place for ever."""
        board = self._board
        while True:
            wait_s = await self._place() if board.may_dial() else HELD_BACK_S
            await woken(board.wake_placing, wait_s)

    async def run_messages(self) -> None:
        """Send the cadence's message to those who were not reached; no operator is needed for that."""
        board = self._board
        while True:
            await board.clock.sleep(MESSAGES_EVERY_S)
            for campaign in board.running_campaigns():
                try:
                    for candidate in await self._hopper(campaign.id).take_messages(campaign, board.now()):
                        await self._send_message(campaign, candidate.lead)
                except UnavailableError:
                    break

    async def _place(self) -> float:
        """Place what pacing asks for; return when to ask again, in seconds."""
        board, now = self._board, self._board.now()
        floor = board.book.floor(now, board.running_campaigns(), board.operators, board.calls, board.silent)
        decision = self._pacing.decide(floor, now)
        try:
            for campaign_key, count in decision.dial.items():
                campaign = board.campaign(UUID(campaign_key))
                if count > 0 and campaign is not None and board.running(campaign):
                    await self._place_campaign(campaign, count)
        except UnavailableError:
            return UNAVAILABLE_S
        return decision.next_decision_in_s

    async def _place_campaign(self, campaign: Campaign, count: int) -> None:
        board = self._board
        candidates = await self._hopper(campaign.id).take(campaign, count, board.now(), board.free())
        if campaign.plan.mode is Mode.PREVIEW:
            await self._offers.show(candidates)
        else:
            await self._reserving.reserve(campaign, candidates)

    def _hopper(self, campaign_id: UUID) -> Hopper:
        hopper = self._hoppers.get(campaign_id)
        if hopper is None:
            board = self._board
            hopper = self._hoppers[campaign_id] = Hopper(campaign_id, board.store, board.gatekeeper, board.fence)
        return hopper

    async def _send_message(self, campaign: Campaign, lead: Lead) -> None:
        board = self._board
        step, now = campaign.plan.cadence[lead.step], board.now()
        request = announcements.message_requested(campaign, lead, step) if isinstance(step, MessageStep) else None
        after = lead_rules.plan_next_step(lead, campaign.plan.cadence, now)
        facts = announcements.of_lead(after, now) + (() if request is None else (request,))
        await board.commit(Change(lead=after, facts=facts, fence=board.fence))
