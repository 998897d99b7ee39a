"""People who answered and operators who are free: who meets whom, and the telephony leg of each operator."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog

from services.dialer.domain import operators as operator_rules
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.workers.board import Board, able
from services.dialer.workers.calls import LiveCall
from services.runtime.errors import NotFoundError, RejectedError, UnavailableError

log = structlog.get_logger()

LEG_PREFIX = "leg-"
LEG_TTL_S = 24 * 3600
LEG_RING_S = 10
JOIN_TRIES = 3


class Matching:
    """Gives each answered call to the operator it is promised to, else to the longest-ready one with the skill."""

    def __init__(self, board: Board, legs: set[str]) -> None:
        """Match on *board*; *legs* are the operators' channels that are up."""
        self._board = board
        self._legs = legs
        self._raising: dict[str, asyncio.Lock] = {}

    async def run(self) -> None:
        """Match whenever somebody became free."""
        board = self._board
        while True:
            await board.wake_matching.wait()
            board.wake_matching.clear()
            self.match()

    def match(self) -> None:
        """Promise every waiting person an operator who is free, at once; what is promised is then stored and joined."""
        board = self._board
        waiting = sorted((c for c in board.calls.values() if c.waiting), key=_answered_at)
        free = board.free() if waiting else {}
        for call in waiting:
            operator = self._choose(call, free)
            if operator is not None:
                free.pop(operator.id, None)
                call.connecting, call.taking = True, operator.id
                board.spawn(self._connect(call, operator))

    def _choose(self, call: LiveCall, free: Mapping[UUID, Operator]) -> Operator | None:
        board = self._board
        promised = board.operator_on(call.attempt.id)
        if promised is not None and promised.state is OperatorState.RESERVED:
            return promised
        campaign = board.campaign(call.attempt.campaign_id)
        capable = (o for o in free.values() if able(o, campaign))
        return min(capable, key=lambda o: (o.since, o.id), default=None)

    async def _connect(self, call: LiveCall, operator: Operator) -> None:
        board = self._board
        try:
            connected = await call.connect(operator)
        finally:
            call.connecting, call.taking = False, None
        if not connected:
            if call.waiting:
                board.wake_matching.set()
            return
        board.book.connected(call, board.now())
        await board.push(operator.id)
        await self._join(call, operator)

    async def _join(self, call: LiveCall, operator: Operator) -> None:
        board, leg = self._board, leg_of(operator.id)
        for attempt in range(JOIN_TRIES):
            try:
                if leg not in self._legs:
                    await self._raise_leg(operator.id)
                await board.carrier.join(call.bridge, (call.channel, leg))
                return
            except NotFoundError:
                if not call.attempt.alive or not await self._has_channel(call):
                    return  # The person hung up in this very moment: the carrier's word on that ends the call.
                self._legs.discard(leg)
                log.warning("operator.leg_missing", operator_id=str(operator.id), attempt=attempt)
            except (UnavailableError, RejectedError):
                await board.clock.sleep(0.1)
        held = board.operators.get(operator.id)
        if held is not None and call.attempt.alive:
            gone = operator_rules.decide(held, operator_rules.Disconnected(), board.now())
            await call.operator_lost(gone or held)

    async def _has_channel(self, call: LiveCall) -> bool:
        board = self._board
        try:
            return any(c.id == call.channel for c in await board.carrier.list_channels(board.app))
        except UnavailableError:
            return True

    async def _raise_leg(self, operator_id: UUID) -> None:
        """Keep one telephony leg up for an operator's whole session, so that a customer is joined in milliseconds."""
        board, leg = self._board, leg_of(operator_id)
        async with self._raising.setdefault(leg, asyncio.Lock()):
            if leg in self._legs:
                return
            try:
                await board.carrier.create_leg(board.app, leg, operator_id, LEG_TTL_S)
            except RejectedError as error:
                await self._take_over_leg(leg, error)
                return
            await board.carrier.dial(leg, LEG_RING_S)
            self._legs.add(leg)

    async def _take_over_leg(self, leg: str, error: RejectedError) -> None:
        """Use the leg that the last owner left, or whose answer was lost; clear it away unless it is up."""
        board = self._board
        if any(c.id == leg and c.state == "Up" for c in await board.carrier.list_channels(board.app)):
            self._legs.add(leg)
            return
        await board.carrier.hang_up(leg)
        raise UnavailableError("The operator's leg was half made and is raised anew.") from error

    async def follow_leg(self, operator: Operator) -> None:
        """Raise the leg of an operator who came, take down that of one who left."""
        board, leg = self._board, leg_of(operator.id)
        if operator.state is OperatorState.OFFLINE:
            board.forget(operator.id)
            self._raising.pop(leg, None)
            if leg in self._legs:
                self._legs.discard(leg)
                await board.quietly(board.carrier.hang_up, leg)
        elif leg not in self._legs and operator.assignable and board.synced:
            await board.quietly(self._raise_leg, operator.id)


def leg_of(operator_id: UUID) -> str:
    """Return the channel id of an operator's leg."""
    return f"{LEG_PREFIX}{operator_id}"


def _answered_at(call: LiveCall) -> tuple[datetime, UUID]:
    return (call.attempt.answered_at or call.attempt.reserved_at, call.attempt.id)
