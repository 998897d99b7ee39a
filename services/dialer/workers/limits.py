"""Limits on operators: a wrap-up, an offer and a lost connection each last only so long."""

from datetime import datetime, timedelta

from services.dialer.domain import operators as operator_rules
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.usecases.wrapup import close_unfinished
from services.dialer.workers.board import Board
from services.dialer.workers.offers import Offers

LIMITS_EVERY_S = 0.25


class Limits:
    """Looks at every operator four times a second."""

    def __init__(self, board: Board, offers: Offers) -> None:
        """Hold the operators of *board* to the pool's limits."""
        self._board = board
        self._offers = offers

    async def run(self) -> None:
        """Look for ever."""
        board = self._board
        while True:
            await board.clock.sleep(LIMITS_EVERY_S)
            now = board.now()
            for operator in list(board.operators.values()):
                await board.quietly(self._enforce, operator, now)

    async def _enforce(self, operator: Operator, now: datetime) -> None:
        board = self._board
        waited = now - operator.since
        if operator.state is OperatorState.WRAP_UP and waited > timedelta(seconds=board.pool.wrap_up_limit_s):
            await self._close(operator, now)
        elif operator.offer_lead_id is not None and waited > timedelta(seconds=board.pool.offer_limit_s):
            await self._offers.withdraw(operator, timed_out=True)
        elif self._newly_away(operator):
            gone = operator_rules.decide(operator, operator_rules.Disconnected(), now)
            if gone is not None and gone is not operator:
                await board.store_operator(operator, gone)
        elif self._away_too_long(operator, now):
            await self._lose(operator, now)

    def _newly_away(self, operator: Operator) -> bool:
        out_of_reach = operator.disconnected_at is None and self._board.out_of_reach(operator)
        return out_of_reach and operator.state is not OperatorState.LOST

    def _away_too_long(self, operator: Operator, now: datetime) -> bool:
        gone_at = operator.disconnected_at
        return gone_at is not None and now - gone_at > timedelta(seconds=self._board.pool.lost_grace_s)

    async def _lose(self, operator: Operator, now: datetime) -> None:
        board = self._board
        call = board.calls.get(operator.attempt_id) if operator.attempt_id is not None else None
        if operator.state is OperatorState.TALKING and call is not None:
            await call.operator_lost(operator)
            return
        gone = operator_rules.decide(operator, operator_rules.GraceOver(), now)
        if gone is not None and gone is not operator:
            await board.store_operator(operator, gone)

    async def _close(self, operator: Operator, now: datetime) -> None:
        """End a wrap-up that took too long; what was recorded stays."""
        if operator.attempt_id is not None:
            change = await close_unfinished(self._board.store, operator, operator.attempt_id, now, self._board.fence)
            await self._board.commit_operator(change)
