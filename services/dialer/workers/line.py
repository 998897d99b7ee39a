"""The line to the carrier: hears what happens to channels, and adopts those that were there before."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from services.dialer import metrics
from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain.attempts import AttemptState
from services.dialer.ports import ChannelEvent, ChannelView
from services.dialer.workers.board import Board
from services.dialer.workers.calls import LiveCall
from services.dialer.workers.matching import LEG_PREFIX
from services.runtime.errors import UnavailableError

log = structlog.get_logger()

RECONNECT_S = 0.5

CatchUp = Callable[[], Awaitable[None]]
"""Returns when everybody is held back whom the carrier has rung and the store does not know."""


class CarrierLine:
    """Keeps the pool connected to its carrier; *legs* are the operators' channels that are up."""

    def __init__(self, board: Board, legs: set[str], catch_up: CatchUp) -> None:
        """Hear for *board*; *catch_up* compares what the carrier has rung with what is stored."""
        self._board = board
        self._catch_up = catch_up
        self._legs = legs

    async def run(self) -> None:
        """Listen for ever; every new connection begins with adopting what is there."""
        try:
            await self._listen()
        finally:
            self._show(synced=False)

    async def _listen(self) -> None:
        board, away = self._board, False
        while True:
            try:
                async for event in board.carrier.events(board.app):
                    away = False
                    if event.kind == "connected":
                        await self._adopt()
                        await self._catch_up()
                        metrics.ARI_RESYNCS.inc()
                        self._show(synced=True)
                        board.wake_placing.set()
                    else:
                        self._hear(event)
            except UnavailableError as error:
                # An outage is told when it begins; readiness says it as long as it lasts.
                tell = log.debug if away else log.warning
                tell("carrier.away", error=error.message, pool_id=str(board.pool.id))
                away = True
            self._show(synced=False)
            await board.clock.sleep(RECONNECT_S)

    def _show(self, *, synced: bool) -> None:
        if synced != self._board.synced:
            self._board.synced = synced
            metrics.ARI_CONNECTED.inc(1 if synced else -1)

    def _hear(self, event: ChannelEvent) -> None:
        if event.at is not None:
            metrics.ARI_EVENT_LAG.set((self._board.clock.now() - event.at).total_seconds())
        if event.channel_id.startswith(LEG_PREFIX):
            if event.kind == "destroyed":
                self._legs.discard(event.channel_id)
            return
        call = self._call(event.channel_id)
        if call is not None:
            call.hear(event)

    def _call(self, channel_id: str) -> LiveCall | None:
        try:
            return self._board.calls.get(UUID(channel_id))
        except ValueError:
            return None

    async def _adopt(self) -> None:
        """Match what the store says with what the carrier has, after a start and after every gap.

        Reserved attempts rang nobody and are withdrawn. Dialing ones are adopted when they ring or talk; when their
        channel is still down, nobody can know whether the dial was sent: they end unknown. Whoever adopts never dials.
        """
        board = self._board
        channels = {c.id: c for c in await board.carrier.list_channels(board.app)}
        self._legs.clear()
        self._legs |= {c.id for c in channels.values() if c.id.startswith(LEG_PREFIX) and c.state == "Up"}
        for attempt in await board.store.load_live_attempts(board.pool.id):
            channel = channels.pop(str(attempt.id), None)
            known = board.calls.get(attempt.id)
            if known is not None:
                if channel is None and attempt.state is not AttemptState.RESERVED:
                    known.hear(ChannelEvent("connected"))
                continue
            lead = await board.store.load_lead(attempt.lead_id)
            if board.campaign(attempt.campaign_id) is None:
                board.remember_campaign(await board.store.load_campaign(attempt.campaign_id))
            call = board.calls[attempt.id] = LiveCall(board, attempt, lead)
            board.spawn(self._resume(call, channel))
        for orphan in channels.values():
            if not orphan.id.startswith(LEG_PREFIX) and self._call(orphan.id) is None:
                board.spawn(board.quietly(board.carrier.hang_up, orphan.id))

    async def _resume(self, call: LiveCall, channel: ChannelView | None) -> None:
        try:
            await self._resume_story(call, channel)
        finally:
            self._board.calls.pop(call.attempt.id, None)
            self._board.wake_placing.set()

    async def _resume_story(self, call: LiveCall, channel: ChannelView | None) -> None:
        board, state = self._board, call.attempt.state
        if state is AttemptState.RESERVED:
            if channel is not None:
                await board.quietly(board.carrier.hang_up, channel.id)
            await call.apply(attempt_rules.Withdrawn())
        elif channel is None or channel.state == "Down":
            if channel is not None:
                await board.quietly(board.carrier.hang_up, channel.id)
            await call.apply(attempt_rules.Vanished())
        else:
            log.info("call.adopted", attempt_id=call.channel, state=state.value, channel=channel.state)
            if channel.state == "Ringing":
                call.hear(ChannelEvent("ringing", call.channel))
            elif state in (AttemptState.DIALING, AttemptState.RINGING):
                call.hear(ChannelEvent("up", call.channel, machine=channel.machine))
            elif call.waiting:
                board.wake_matching.set()
            if call.attempt.hangup_requested:
                await call.request_hangup()
            await call.follow()
