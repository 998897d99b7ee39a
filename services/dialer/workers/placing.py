"""Lines: as many as pacing says, to the leads the gate allows; and the messages to those who were not reached."""

from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from services.dialer import metrics
from services.dialer.domain import leads as lead_rules
from services.dialer.domain.campaigns import SEVERAL_LINES, Campaign, one_by_one
from services.dialer.domain.caps import caps_of, counted_before
from services.dialer.domain.leads import Lead, MessageStep
from services.dialer.domain.pacing import Cap, Mode
from services.dialer.ports import Change
from services.dialer.usecases import announcements
from services.dialer.workers.board import Board, woken
from services.dialer.workers.hopper import REFETCH, Hopper
from services.dialer.workers.offers import Offers
from services.dialer.workers.pacing import PacingDesk
from services.dialer.workers.reserving import Reserving
from services.runtime.errors import RejectedError, UnavailableError

log = structlog.get_logger()

HELD_BACK_S = 0.25
GATHER_S = 0.02
"""Signals that come this close together are answered by one decision, and its reservations are stored together."""

UNAVAILABLE_S = 0.5
MESSAGES_EVERY_S = 1.0
FAILED_FOR = timedelta(seconds=30)
"""How long a campaign places and sends nothing after a fault of ours in it, while the others of the pool go on."""

RESTRICTED_FOR = timedelta(seconds=30)
"""How long a campaign keeps to one line per operator before the rules are asked again for more."""


class Placing:
    """Asks pacing on every signal and places what it says."""

    def __init__(self, board: Board, pacing: PacingDesk, reserving: Reserving, offers: Offers) -> None:
        """Place for the pool of *board*."""
        self._board = board
        self._pacing = pacing
        self._reserving = reserving
        self._offers = offers
        self._hoppers: dict[UUID, Hopper] = {}
        self._restricted: dict[UUID, datetime] = {}
        self._failed: dict[UUID, datetime] = {}
        self._dry: dict[UUID, datetime] = {}
        self._capped: dict[UUID, tuple[object, tuple[Cap, ...]]] = {}
        # What the windows of caps not told yet have counted: a law may be met in the middle of its month. What happens
        # between that look at the ledger and the next decision is counted twice, once in the life of a window.
        self._before: dict[Cap, tuple[float, float]] = {}

    async def run(self) -> None:
        """Place for ever."""
        board = self._board
        while True:
            wait_s = await self._place() if board.may_dial() else HELD_BACK_S
            await woken(board.wake_placing, wait_s)
            await board.clock.sleep(GATHER_S)
            board.wake_placing.clear()

    async def run_messages(self) -> None:
        """Send the cadence's message to those who were not reached; no operator is needed for that."""
        board = self._board
        while True:
            await board.clock.sleep(MESSAGES_EVERY_S)
            now = board.now()
            for campaign in board.running_campaigns() if board.why_silent() is None else ():
                if now < self._failed.get(campaign.id, now):
                    continue
                try:
                    await self._sparing(campaign, self._send_messages(campaign))
                except UnavailableError:
                    break

    async def _place(self) -> float:
        """Place what pacing asks for; return when to ask again, in seconds."""
        board, now = self._board, self._board.now()
        campaigns = [self._as_allowed(campaign, now) for campaign in board.running_campaigns()]
        caps = [cap for campaign in campaigns for cap in self._caps(campaign, now)]
        # They stay in the picture: their lines still ring, and somebody may answer.
        dry = {c.id for c in campaigns if now < max(self._dry.get(c.id, now), self._failed.get(c.id, now))}
        floor = board.book.floor(now, campaigns, board.operators, board.calls, board.silent, caps, dry, self._before)
        decision = self._pacing.decide(floor, now, frozenset(str(campaign_id) for campaign_id in self._restricted))
        self._before = {}
        try:
            for campaign in campaigns:
                count = decision.dial.get(str(campaign.id), 0)
                if count > 0 and board.running(board.campaigns.get(campaign.id, campaign)):
                    await self._sparing(campaign, self._place_campaign(campaign, count))
        except UnavailableError:
            return UNAVAILABLE_S
        return decision.next_decision_in_s

    async def _sparing(self, campaign: Campaign, work: Coroutine[Any, Any, None]) -> None:
        """Do *work* for a campaign; a fault of ours in it costs that campaign a while, not the pool its owner."""
        try:
            await work
        except UnavailableError:
            raise
        except Exception:
            self._failed[campaign.id] = self._board.now() + FAILED_FOR
            metrics.CAMPAIGN_FAILURES.inc()
            log.exception("campaign.failed", campaign_id=str(campaign.id))

    async def _place_campaign(self, campaign: Campaign, count: int) -> None:
        board = self._board
        hopper = self._hopper(campaign.id)
        candidates = await hopper.take(campaign, count, board.now(), board.free())
        if hopper.one_by_one:
            self._restricted[campaign.id] = board.now() + RESTRICTED_FOR
            board.wake_placing.set()
        elif not candidates:
            # The others are asked at once: lines that nobody can use must not be kept from them.
            self._dry[campaign.id] = board.now() + REFETCH
            board.wake_placing.set()
        if campaign.plan.mode is Mode.PREVIEW:
            await self._offers.show(campaign, candidates)
            return
        reserved = await self._reserving.reserve(campaign, candidates)
        if reserved.held_up and not reserved.started:
            # Whoever comes next would be refused as well, and read and judged for nothing with every signal.
            self._dry[campaign.id] = board.now() + REFETCH

    def _as_allowed(self, campaign: Campaign, now: datetime) -> Campaign:
        """Return the campaign with one line per operator while the rules ask for that."""
        until = self._restricted.get(campaign.id)
        if until is None or campaign.plan.mode not in SEVERAL_LINES:
            return campaign
        if now >= until:
            del self._restricted[campaign.id]
            return campaign
        return one_by_one(campaign)

    def _caps(self, campaign: Campaign, now: datetime) -> tuple[Cap, ...]:
        """Return the campaign's caps; they are the same until a window ends, and decisions are many."""
        hopper, share = self._hopper(campaign.id), self._board.false_machine_share
        key = (now.hour, now.date(), campaign.plan.pacing_cap, campaign.launched_at, len(hopper.limits), hopper.zone)
        known = self._capped.get(campaign.id)
        # No window begins but at a full quarter of an hour, wherever it is.
        if known is None or known[0] != (key, now.minute // 15):
            caps = caps_of(campaign, hopper.limits, hopper.zone, now, share)
            if hopper.record is not None:
                self._before |= counted_before(caps, *hopper.record, now)
            known = self._capped[campaign.id] = (key, now.minute // 15), caps
        return known[1]

    def _hopper(self, campaign_id: UUID) -> Hopper:
        hopper = self._hoppers.get(campaign_id)
        if hopper is None:
            board = self._board
            hopper = self._hoppers[campaign_id] = Hopper(campaign_id, board.store, board.gatekeeper, board.fence)
        return hopper

    async def _send_messages(self, campaign: Campaign) -> None:
        for candidate in await self._hopper(campaign.id).take_messages(campaign, self._board.now()):
            await self._send_message(campaign, candidate.lead)

    async def _send_message(self, campaign: Campaign, lead: Lead) -> None:
        board, now = self._board, self._board.now()
        step = lead_rules.step_of(campaign.plan.cadence, lead)
        request = announcements.message_requested(campaign, lead, step) if isinstance(step, MessageStep) else None
        after = lead_rules.plan_next_step(lead, campaign.plan.cadence, now)
        facts = announcements.of_lead(after, now)
        asked = facts if request is None else (*facts, request)
        try:
            await board.commit(Change(lead=after, facts=asked, fence=board.fence))
        except RejectedError as error:
            # What is kept of the person is too long to travel: the step is over without its message.
            log.warning("lead.message_refused", lead_id=str(lead.id), error=error.message)
            await board.commit(Change(lead=after, facts=facts, fence=board.fence))
