"""The owner of a pool: adopts what runs, places lines as pacing says, and puts people and operators together.

One owner per pool and epoch. It keeps campaigns, operators and live calls in mind, writes through the group commit, and
is fenced by its epoch: once the lease is lost nothing it writes is stored, and its own clock stops it dialing before.
"""

from datetime import datetime
from uuid import UUID

from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Decision
from services.dialer.ports import Carrier, Fence, Live, Pool, PoolCounts, PoolStore
from services.dialer.usecases.gatekeeper import Gatekeeper
from services.dialer.workers.board import Board
from services.dialer.workers.calls import LiveCall
from services.dialer.workers.limits import Limits
from services.dialer.workers.line import CarrierLine, CatchUp
from services.dialer.workers.matching import Matching
from services.dialer.workers.offers import Offers
from services.dialer.workers.pacing import MakePacer, PacingDesk
from services.dialer.workers.placing import Placing
from services.dialer.workers.reserving import Reserving
from services.runtime.clock import Clock
from services.runtime.errors import UnavailableError
from services.runtime.ids import NewId

REFRESH_EVERY_S = 1.0


class PoolOwner:
    """Runs one pool until its lease is lost or handed over."""

    def __init__(
        self,
        *,
        pool: Pool,
        fence: Fence,
        store: PoolStore,
        carrier: Carrier,
        live: Live,
        gatekeeper: Gatekeeper,
        make_pacer: MakePacer,
        clock: Clock,
        new_id: NewId,
        catch_up: CatchUp,
        false_machine_share: float = 0.0,
    ) -> None:
        """Take the pool's parts; `run` starts it."""
        self.fence = fence
        self._board = board = Board(
            pool=pool,
            fence=fence,
            store=store,
            carrier=carrier,
            live=live,
            gatekeeper=gatekeeper,
            clock=clock,
            new_id=new_id,
            false_machine_share=false_machine_share,
        )
        board.on_operator = self._react
        legs: set[str] = set()
        reserving = Reserving(board)
        self._offers = Offers(board, reserving)
        self._pacing = PacingDesk(fence, store, make_pacer, clock)
        self._line = CarrierLine(board, legs, catch_up)
        self._matching = Matching(board, legs)
        board.on_answered = self._matching.match
        self._limits = Limits(board, self._offers)
        self._placing = Placing(board, self._pacing, reserving, self._offers)

    # -- what others see

    @property
    def pool(self) -> Pool:
        """The pool with its limits."""
        return self._board.pool

    @property
    def calls(self) -> dict[UUID, LiveCall]:
        """The live calls by attempt."""
        return self._board.calls

    @property
    def counts(self) -> PoolCounts:
        """What this owner has counted since it took the pool."""
        return self._board.counts

    @property
    def decision(self) -> Decision | None:
        """The last decision of pacing."""
        return self._pacing.decision

    def why_not_dialing(self) -> str | None:
        """Return the reason that holds back every call of the pool, or None."""
        return self._board.why_not_dialing()

    # -- life

    async def run(self) -> None:
        """Own the pool until cancelled."""
        await self._pacing.load()
        await self._board.run(self._board.commits.run(), self._board.urgent.run(), self._start())

    async def _start(self) -> None:
        await self._refresh()  # Whoever adopts a call must know its campaign.
        for part in (
            self._line.run(),
            self._matching.run(),
            self._placing.run(),
            self._placing.run_messages(),
            self._limits.run(),
            self._pacing.run(),
            self._run_refresh(),
        ):
            self._board.spawn(part)

    def renewed(self, database_at: datetime, began: float) -> None:
        """Note that the lease was renewed by a call that began at monotonic *began*."""
        self._board.renewed(database_at, began)

    def drain(self) -> None:
        """Place nothing any more: the pool is about to be another's."""
        self._board.draining = True

    # -- what others changed

    def hear_operator(self, operator: Operator) -> None:
        """Take in what an API committed about an operator."""
        self._board.keep(operator=operator)

    def hear_attempt(self, attempt: Attempt) -> None:
        """Take in what an API committed about a call: hold, or hang up."""
        board = self._board
        call = board.calls.get(attempt.id)
        if call is None or attempt.version <= call.attempt.version:
            return
        before = call.attempt
        call.take_over(attempt)
        if attempt.hangup_requested and not before.hangup_requested:
            board.spawn(call.request_hangup())
        if attempt.held != before.held:
            board.spawn(board.quietly(board.carrier.hold, call.channel, attempt.held))

    def wake(self) -> None:
        """Look again at campaigns, operators and stops: somebody changed something."""
        self._board.spawn(self._refresh())

    async def _react(self, before: Operator | None, after: Operator) -> None:
        board = self._board
        await self._matching.follow_leg(after)
        if before is not None and before.state is OperatorState.WRAP_UP and after.state is not OperatorState.WRAP_UP:
            board.book.handled(before, board.now())
        if after.assignable:
            board.wake_matching.set()
        if after.state is OperatorState.RESERVED and after.reason == operator_rules.ACCEPTED:
            await board.quietly(self._offers.dial, after)
        await board.push(after.id)
        board.wake_placing.set()

    async def _run_refresh(self) -> None:
        while True:
            await self._board.clock.sleep(REFRESH_EVERY_S)
            await self._refresh()

    async def _refresh(self) -> None:
        board = self._board
        try:
            board.safety = await board.store.load_safety()
            view = await board.store.load_pool(board.pool.id)
            # Who went offline is not in the view: an instance may have committed that and died before it told us.
            missing = sorted(board.operators.keys() - {operator.id for operator in view.operators})
            gone = await board.store.load_operators(missing) if missing else []
        except UnavailableError:
            return
        board.pool, board.silent = view.pool, view.silent_instances
        board.show_campaigns(view.campaigns)
        self._pacing.shadow(view.pool.shadow_mode)
        for operator in (*view.operators, *gone):
            board.keep(operator=operator)
        self._stop_calls_of_stopped()
        board.wake_placing.set()

    def _stop_calls_of_stopped(self) -> None:
        """Let an emergency stop end what has not been answered yet; conversations go on."""
        board = self._board
        for call in list(board.calls.values()):
            early = call.attempt.state in (AttemptState.RESERVED, AttemptState.DIALING, AttemptState.RINGING)
            if early and board.stopped(call.attempt) and not call.attempt.hangup_requested:
                board.spawn(call.request_hangup())
