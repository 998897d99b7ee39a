"""The dialer's shell with carrier, store, clock and operators in memory: seeded faults, and the rules checked after."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from services.carrier.faults import Faults, Late, Outage
from services.carrier.judge import judge
from services.carrier.people import People
from services.carrier.profile import parse_profile
from services.carrier.switch import Switch
from services.dialer.domain import operators as rules
from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign, CampaignState, Cap, Plan
from services.dialer.domain.leads import CallStep, Lead, LeadState, Person, Phone, RetryRule, Stream
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Mode, Pacer
from services.dialer.ports import (
    Change,
    Committed,
    Conflict,
    Fence,
    GateHistory,
    Pool,
    PoolView,
    Refusal,
    Reservation,
)
from services.dialer.store.reserve import TrunkUse
from services.dialer.usecases import commands
from services.dialer.usecases.gatekeeper import Verdict
from services.dialer.usecases.wrapup import Closing
from services.dialer.workers.board import CONSENT_VIEW_LIMIT
from services.dialer.workers.leases import LeaseKeeper, LeaseStore
from services.dialer.workers.matching import LEG_PREFIX
from services.dialer.workers.pool import PoolOwner
from services.events.dialer import CallAnswered, CallEnded, ResponseRecorded
from services.runtime.errors import GalwError
from tests.dialer import floor
from tests.dialer.simulation.carrier import MemoryCarrier
from tests.dialer.simulation.instance import DiedError, Lifeline, Mortal
from tests.dialer.simulation.loop import START, VirtualClock, VirtualLoop
from tests.fakes.dialer_store import LeaseRow, MemoryDatabase, MemoryDialerStore
from tests.fakes.gate import OneRuleGate

LEADS = 24
OPERATORS = 3
TROUBLE_S = 60.0
"""Virtual seconds of faults; after them everything must come to rest."""

REST_S = 120.0
"""Within this time; a run ends as soon as it has."""

RESTED_S = 4.0
"""What has been at rest for this long stays so: longer than a lease, so the last owner has looked at everything."""

INTERVAL = timedelta(milliseconds=200)
CALLS_PER_SECOND = 5
CHANNELS = 6
CAP = 2
"""Rings per person; the retries below allow more, so that it is the cap that holds them back."""

LEGAL_HOURS = ((0.0, 22.0), (28.0, TROUBLE_S + REST_S))
"""Virtual seconds in which people may be called, by the later of the hosts' and the database's clock."""

DIAL_SLACK = timedelta(seconds=2)
"""A call past its dial compare-and-set may still ring this long after a refusal or a stop was committed."""

PEOPLE = parse_profile(
    {
        "times": {"setup_s": 0.3, "ring_mean_s": 3.0, "talk_median_s": 6.0, "patience_min_s": 3.0, "message_s": 1.0},
        "amd": {},
        "people": [{"answer": 0.5, "machine": 0.1, "busy": 0.1, "invalid": 0.05, "network": 0.05}],
    },
    "simulation",
)
CADENCE = (
    CallStep(
        retries={
            Outcome.NO_ANSWER: RetryRule(timedelta(seconds=8), 3),
            Outcome.BUSY: RetryRule(timedelta(seconds=5), 3),
            Outcome.ABANDONED: RetryRule(timedelta(seconds=15), 1),
            Outcome.NETWORK: RetryRule(timedelta(seconds=3), 3),
        },
        max_attempts=4,
    ),
)


@dataclass(slots=True)
class Told:
    """What the world's people did and were promised, to be checked against what was stored and rung."""

    refusals: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])
    """At the CRM, which the dialer hears of within the limit of its view or stops dialing."""

    said_no: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])
    """To an operator, committed in the dialer itself."""

    dispositions: dict[UUID, str] = field(default_factory=dict[UUID, str])
    stops: list[tuple[datetime, datetime | None]] = field(default_factory=list[tuple[datetime, datetime | None]])
    stale: list[tuple[datetime, datetime]] = field(default_factory=list[tuple[datetime, datetime]])
    clocks: list[tuple[datetime, timedelta]] = field(default_factory=list[tuple[datetime, timedelta]])
    """Since when, by the database's clock, the hosts' clocks have been wrong by how much."""

    dials: list[datetime] = field(default_factory=list[datetime])
    """When people's channels were dialed, as the carrier sees it."""

    failures: list[str] = field(default_factory=list[str])
    wrong_writes: list[str] = field(default_factory=list[str])
    kills: int = 0
    hangs: int = 0
    faults: int = 0
    lost_lines: int = 0


class WatchedStore(MemoryDialerStore):
    """The store of one instance; what it lets through although it must not is told."""

    def __init__(self, database: MemoryDatabase, instance_id: UUID, told: Told) -> None:
        """Write to *database* as the instance of this id."""
        super().__init__(database)
        self._instance_id = instance_id
        self._told = told

    async def reserve(self, reservations: Sequence[Reservation]) -> list[Attempt | Refusal]:
        """Reserve as the store does, and look whose pool it was."""
        owners = self._owners()
        answers = await super().reserve(reservations)
        for answer in answers:
            if isinstance(answer, Attempt):
                self._look_at_owner(owners, answer.pool_id, f"reserved {answer.id}")
        return answers

    async def commit(self, changes: Sequence[Change]) -> list[Committed | Conflict]:
        """Store as the store does, and look whose pool it was and whether a dial was still wanted."""
        owners, refused, stopped = self._owners(), set(self.db.suppressed), bool(self.db.stops)
        answers = await super().commit(changes)
        for change, answer in zip(changes, answers, strict=True):
            if not isinstance(answer, Committed):
                continue
            if change.fence is not None:
                self._look_at_owner(owners, change.fence.pool_id, "changed a row")
            if change.dial and change.attempt is not None:
                self._look_at_dial(change.attempt, refused, stopped=stopped)
        return answers

    def _owners(self) -> dict[UUID, UUID | None]:
        return {pool_id: lease.owner for pool_id, lease in self.db.leases.items()}

    def _look_at_owner(self, owners: dict[UUID, UUID | None], pool_id: UUID, did: str) -> None:
        if owners[pool_id] != self._instance_id:
            self._told.wrong_writes.append(f"{self._instance_id} {did} in a pool that is another's")

    def _look_at_dial(self, attempt: Attempt, refused: set[UUID], *, stopped: bool) -> None:
        if attempt.contact_id in refused:
            self._told.wrong_writes.append(f"the dial of {attempt.id} was committed after the person had refused")
        if stopped:
            self._told.wrong_writes.append(f"the dial of {attempt.id} was committed during an emergency stop")


class WatchedOwner(PoolOwner):
    """An owner whose own failures are told: its keeper would only log them and take the pool anew."""

    def __init__(self, told: Told, **parts: Any) -> None:
        """Own a pool as `PoolOwner` does."""
        super().__init__(**parts)
        self._told = told

    async def run(self) -> None:
        """Own the pool until cancelled, killed, or failed."""
        try:
            await super().run()
        except BaseExceptionGroup as group:
            self._told.failures += [repr(error) for error in _flat(group) if isinstance(error, Exception)]
            raise


async def _nothing() -> None:
    """Do nothing."""


def _flat(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [one for part in error.exceptions for one in _flat(part)]
    return [] if error is None else [error]


class Instance:
    """One running dialer: a keeper of leases on its own lifeline."""

    def __init__(self, world: "World") -> None:
        """Prepare with a fresh id."""
        self.world = world
        self.id = world.new_id()
        self.life = Lifeline(world.rng)
        self.carrier = MemoryCarrier(world.switch, self.life, self._note_dial)
        self.store = cast("LeaseStore", Mortal(WatchedStore(world.db, self.id, world.told), self.life))
        self.keeper = LeaseKeeper(self.id, f"http://{self.id}", self.store, self._make_owner, world.host_clock)
        self.task: asyncio.Task[None] | None = None

    def _note_dial(self, channel_id: str) -> None:
        if not channel_id.startswith(LEG_PREFIX):
            self.world.told.dials.append(self.world.clock.now())

    def _make_owner(self, view: PoolView, fence: Fence) -> PoolOwner:
        return WatchedOwner(
            self.world.told,
            pool=view.pool,
            fence=fence,
            store=self.store,
            carrier=self.carrier,
            live=self.world,
            gatekeeper=self.world.gate,
            make_pacer=Pacer,
            clock=self.world.host_clock,
            new_id=self.world.new_id,
            catch_up=_nothing,  # nobody restores this database
        )

    def desk(self) -> commands.Desk:
        """Return this instance's API side; its poke reaches whoever owns the pool, or is lost."""

        async def poke(operator: Operator | None, attempt: Attempt | None) -> None:
            if self.world.rng.random() < 0.2:
                return
            for other in self.world.instances:
                for owner in other.keeper.owners.values():
                    if operator is not None:
                        owner.hear_operator(operator)
                    if attempt is not None:
                        owner.hear_attempt(attempt)

        return commands.Desk(cast("MemoryDialerStore", self.store), self.world.host_clock, poke)

    async def run(self) -> None:
        """Run until the process dies; whatever it was doing stops where it stood."""
        work = asyncio.get_running_loop().create_task(self.keeper.run())
        self.task = work
        dying = asyncio.get_running_loop().create_task(self.life.dead.wait())
        await asyncio.wait((work, dying), return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        work.cancel()
        for connection in self.carrier.connections:
            self.world.switch.disconnect(connection)
        await asyncio.gather(work, dying, return_exceptions=True)


class World:
    """Everything in memory, from one seed."""

    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        """Lay out a floor: one pool, one campaign, some leads, some operators."""
        self.seed = seed
        self.rng = random.Random(seed)
        self.loop = loop
        self.clock = VirtualClock(loop)
        self.host_clock = VirtualClock(loop)
        self.ledger: list[dict[str, Any]] = []
        people = People(seed, PEOPLE.odds_of)
        self.switch = Switch(loop, self.clock.now, people, self.ledger.append, seed=seed)
        self.gate: OneRuleGate = HoursGate()
        self.db = MemoryDatabase(self.clock.now)
        self.told = Told()
        self.instances: list[Instance] = []
        self.over = False
        self._lay_out()

    def new_id(self) -> UUID:
        """Return an id that follows from the seed."""
        return UUID(int=self.rng.getrandbits(128), version=4)

    async def push(self, user_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """Fit `Live`: screens are looked at by polling here."""

    def _lay_out(self) -> None:
        pool = Pool(self.new_id(), "main", wrap_up_limit_s=8, lost_grace_s=3, offer_limit_s=5)
        script = self.new_id()
        mode = self.rng.choice((Mode.PROGRESSIVE, Mode.PROGRESSIVE, Mode.RATIO, Mode.PREVIEW))
        plan = Plan(
            mode=mode,
            ratio=2.0,
            caller_ids=("+441632960999",),
            cadence=CADENCE,
            caps=(Cap(maximum=CAP, window=timedelta(hours=24)),),
        )
        campaign = Campaign(
            self.new_id(), "Sim", CampaignState.RUNNING, pool.id, plan, 1, START, script, 1, launched_at=START
        )
        self.db.pools[pool.id] = pool
        self.db.leases[pool.id] = LeaseRow()
        self.db.scripts[script, 1] = floor.SCRIPT
        self.db.campaigns[campaign.id] = campaign
        self.db.trunks["main"] = TrunkUse(
            "main", INTERVAL, CHANNELS, frozenset({"GB"}), 0, None, 0, START, 0, START.date()
        )
        self.campaign, self.pool = campaign, pool
        for n in range(LEADS):
            phone = Phone(floor.phone_number(n), f"digest-{n}", "mobile", "GB")
            lead_id = self.new_id()
            self.db.leads[lead_id] = Lead(
                lead_id,
                campaign.id,
                self.new_id(),
                LeadState.WAITING,
                Person(name="P"),
                (phone,),
                0,
                Stream.FRESH,
                START,
                1,
            )
        for _ in range(OPERATORS):
            operator = Operator(self.new_id(), "Op", pool.id, OperatorState.OFFLINE, START, 1)
            self.db.operators[operator.id] = operator

    # -- the run

    async def run(self) -> None:
        """Let trouble happen for a while, then let everything come to rest."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(self._live())
            for operator_id in sorted(self.db.operators):
                tasks.create_task(self._operate(operator_id))
            tasks.create_task(self._freshen())
            tasks.create_task(self._refuse())
            tasks.create_task(self._stop_and_lift())
            tasks.create_task(self._garble())
            tasks.create_task(self._shift_clocks())
            tasks.create_task(self._cut_off())
            await asyncio.sleep(TROUBLE_S)
            self.calm = True
            campaign = self.db.campaigns[self.campaign.id]
            self.db.campaigns[campaign.id] = _replace_state(campaign, CampaignState.PAUSED)
            await self._come_to_rest()
            self.over = True
            for instance in self.instances:
                instance.life.dead.set()

    calm = False

    async def _come_to_rest(self) -> None:
        rested_s, deadline = 0.0, self.loop.time() + REST_S
        while rested_s < RESTED_S and self.loop.time() < deadline:
            await asyncio.sleep(0.5)
            rested_s = rested_s + 0.5 if not self._unrest() else 0.0

    def _unrest(self) -> list[str]:
        """Return what has not come to its end yet."""
        moving = [f"{a.id} never ended ({a.state.value})" for a in self.db.attempts.values() if a.alive]
        moving += [f"lead {lead.id} is stuck" for lead in self.db.leads.values() if lead.state is LeadState.BUSY]
        busy = (OperatorState.TALKING, OperatorState.RESERVED, OperatorState.WRAP_UP)
        stuck = [o for o in self.db.operators.values() if o.state in busy]
        moving += [f"operator {o.id} is stuck in {o.state.value}" for o in stuck]
        calls = [c for c in self.switch.channels.values() if not c.id.startswith(LEG_PREFIX)]
        return moving + [f"the channel {c.id} outlives everything" for c in calls]

    async def _live(self) -> None:
        """Run one instance after another; each dies at a step of its own until calm comes."""
        while not self.over:
            instance = Instance(self)
            self.instances.append(instance)
            if not self.calm and self.rng.random() < 0.8:
                instance.life.doom(within=self.rng.choice((60, 300, 1500)))
            await instance.run()
            self.instances.remove(instance)
            if not self.over:
                self.told.kills += 1
                await asyncio.sleep(self.rng.uniform(0.1, 3.0))

    async def _freshen(self) -> None:
        """Bring what the CRM heard to the dialer once a second, but for some gaps."""
        while not self.over:
            now = self.clock.now()
            for contact_id, at in self.told.refusals.items():
                self.db.suppressed.setdefault(contact_id, at)
            self.db.consents_at = now
            gap = self.rng.uniform(6, 12) if not self.calm and self.rng.random() < 0.06 else 1.0
            if timedelta(seconds=gap) > CONSENT_VIEW_LIMIT:
                self.told.stale.append((now + CONSENT_VIEW_LIMIT, now + timedelta(seconds=gap)))
            await asyncio.sleep(gap)

    async def _refuse(self) -> None:
        """Let the CRM hear that somebody wants no calls any more; the dialer hears it with the next news."""
        while not self.calm:
            await asyncio.sleep(self.rng.uniform(2, 10))
            lead = self.rng.choice(_by_id(self.db.leads))
            self.told.refusals.setdefault(lead.contact_id, self.clock.now())

    async def _garble(self) -> None:
        """Let the carrier lose, delay, repeat and reorder what it says, or be away for a while."""
        while not self.calm:
            await asyncio.sleep(self.rng.uniform(1, 12))
            away = self.rng.choice((None, None, "refuse", "trunk_503"))
            outage = None if away is None else Outage(for_s=self.rng.uniform(0.5, 4.0), kind=away)
            if away == "refuse":
                self._cut_lines()
            garbled = {"lost": 0.08, "repeated": 0.3, "reordered": 0.2, "answers_lost": 0.05}
            late = Late(share=0.3, by_s=(0.05, 1.0))
            self.switch.signals.inject(Faults(late=late, outage=outage, **garbled))
            self.told.faults += 1
            await asyncio.sleep(self.rng.uniform(1, 8))
            self.switch.signals.inject(Faults())

    def _cut_lines(self) -> None:
        """Cut every connection to the carrier: whoever listens must look again at what it missed."""
        for instance in self.instances:
            instance.carrier.cut()
            self.told.lost_lines += 1

    async def _cut_off(self) -> None:
        """Let one instance's line to the database hang, often for longer than a lease lives."""
        while not self.calm:
            await asyncio.sleep(self.rng.uniform(8, 30))
            if self.instances and not self.calm:
                self.rng.choice(self.instances).life.cut_off(for_s=self.rng.choice((0.7, 3.0, 5.0, 9.0)))
                self.told.hangs += 1

    async def _shift_clocks(self) -> None:
        """Let the hosts' clocks jump ahead of the database's, behind it, and back."""
        while not self.calm:
            await asyncio.sleep(self.rng.uniform(3, 20))
            wrong = timedelta(seconds=self.rng.choice((-30.0, -3.0, 0.0, 0.0, 2.0, 5.0)))
            self.host_clock.wrong_by = wrong
            self.told.clocks.append((self.clock.now(), wrong))
        self.host_clock.wrong_by = timedelta(0)

    async def _stop_and_lift(self) -> None:
        while not self.calm:
            await asyncio.sleep(self.rng.uniform(15, 40))
            self.db.stops.add(("all", ""))
            began = self.clock.now()
            await asyncio.sleep(self.rng.uniform(2, 6))
            self.db.stops.clear()
            self.told.stops.append((began, self.clock.now()))

    async def _operate(self, operator_id: UUID) -> None:
        """Be an operator: come, work, pause, lose the connection, say all kinds of things about calls."""
        while not self.over:
            await asyncio.sleep(self.rng.uniform(0.05, 0.6))
            if not self.instances:
                continue
            instance = self.rng.choice(self.instances)
            with suppress(GalwError, DiedError):
                await self._act(instance, operator_id)

    async def _act(self, instance: Instance, operator_id: UUID) -> None:
        desk = instance.desk()
        operator = self.db.operators[operator_id]
        if operator.instance_id not in {i.id for i in self.instances} or operator.disconnected_at is not None:
            if self.calm or self.rng.random() < 0.5:
                await commands.connection(desk, operator_id, instance.id)
            return
        if not self.calm and self.rng.random() < 0.01:
            await commands.connection(desk, operator_id, None)
            return
        body = await commands.show(desk, operator_id)
        await self._answer(desk, operator_id, body)

    async def _answer(self, desk: commands.Desk, operator_id: UUID, body: dict[str, Any]) -> None:
        version, call = body["version"], body["call"]
        match body["state"]:
            case "offline" | "paused":
                await commands.command(desk, operator_id, version, rules.MakeReady())
            case "ready" if not self.calm and self.rng.random() < 0.03:
                await commands.command(desk, operator_id, version, rules.Pause("break"))
            case "reserved" if body["offer_lead_id"] is not None:
                signal = rules.OfferAccepted() if self.rng.random() < 0.8 else rules.OfferGone()
                await commands.command(desk, operator_id, version, signal)
            case "talking" if self.rng.random() < 0.2:
                await commands.hang_up(desk, operator_id, UUID(call["call_id"]), version)
            case "talking" if self.rng.random() < 0.2:
                await commands.record_answer(desk, operator_id, UUID(call["call_id"]), "served", "yes", version)
            case "wrap_up" if self.rng.random() < 0.5:
                await self._close(desk, operator_id, UUID(call["call_id"]), version)
            case _:
                return

    async def _close(self, desk: commands.Desk, operator_id: UUID, call_id: UUID, version: int) -> None:
        what = self.rng.choice(("completed", "completed", "not_now", "never_call_again", "call_back"))
        at = self.clock.now() + timedelta(seconds=10) if what == "call_back" else None
        closing = Closing(what, answers={"served": "no"}, call_back_at=at, call_back_own=self.rng.random() < 0.5)
        await commands.close(desk, operator_id, call_id, version, closing)
        self.told.dispositions[call_id] = what
        if what == "never_call_again":
            # Committed here, with the disposition: from now on there is no bound to wait for.
            self.told.said_no.setdefault(self.db.attempts[call_id].contact_id, self.clock.now())

    # -- the rules

    def broken_rules(self) -> list[str]:
        """Return one sentence for each broken invariant (S1 to S9 and S11 of the design's list)."""
        attempts = {str(a.id): a for a in self.db.attempts.values()}
        rings = [line for line in self.ledger if line["event"] == "ring" and not _is_leg(line)]
        broken = judge(self.ledger) + self._unrest()
        broken += [f"an owner failed by itself: {failure}" for failure in self.told.failures]
        broken += self.told.wrong_writes
        for line in rings:
            broken += self._ring_problems(line, attempts.get(line["channel_id"]))
        for attempt in attempts.values():
            broken += self._attempt_problems(attempt)
        broken += self._unknown_problems(rings, attempts)
        broken += self._cap_problems(rings, attempts)
        broken += self._trunk_problems(rings)
        broken += self._news_problems()
        return broken

    def _ring_problems(self, line: dict[str, Any], attempt: Attempt | None) -> list[str]:
        at = _at(line)
        if attempt is None or attempt.dialed_at is None:
            return [f"{line['channel_id']} rang without a committed attempt"]
        problems: list[str] = []
        for told, bound in ((self.told.refusals, CONSENT_VIEW_LIMIT + DIAL_SLACK), (self.told.said_no, DIAL_SLACK)):
            refused_at = told.get(attempt.contact_id)
            if refused_at is not None and at > refused_at + bound:
                problems.append(f"{attempt.id} rang at {at} after the person had refused at {refused_at}")
        for began, ended in self.told.stops:
            if began + DIAL_SLACK < at < (ended or at):
                problems.append(f"{attempt.id} rang at {at} during an emergency stop since {began}")
        for began, ended in self.told.stale:
            if began + DIAL_SLACK < at < ended:
                problems.append(f"{attempt.id} rang at {at} on a view of consents that was stale since {began}")
        if not any(_legal(instant) for instant in self._latest(at)):
            problems.append(f"{attempt.id} rang at {at}, outside the legal hours")
        return problems

    def _latest(self, at: datetime) -> list[datetime]:
        """Return the later of the two clocks at *at*, and as it was within the slack that a dial may take."""
        found: list[datetime] = []
        for back_s in (0.0, 0.5, 1.0, 1.5, DIAL_SLACK.total_seconds()):
            instant = at - timedelta(seconds=back_s)
            wrong = next((by for since, by in reversed(self.told.clocks) if since <= instant), timedelta(0))
            found.append(max(instant, instant + wrong))
        return found

    def _attempt_problems(self, attempt: Attempt) -> list[str]:
        lines = [line for line in self.ledger if line["channel_id"] == str(attempt.id)]
        rang = any(line["event"] == "ring" for line in lines)
        met = any(line["event"] == "meet" for line in lines)
        problems: list[str] = []
        if attempt.outcome is Outcome.CANCELLED and rang:
            problems.append(f"{attempt.id} rang but is counted as cancelled")
        if met and attempt.connected_at is None:
            problems.append(f"{attempt.id} met an operator whom nobody stored")
        if attempt.state is AttemptState.ENDED and str(attempt.id) in self.switch.channels:
            problems.append(f"the channel of {attempt.id} outlives it")
        return problems

    def _unknown_problems(self, rings: list[dict[str, Any]], attempts: dict[str, Attempt]) -> list[str]:
        """Nobody whose call ended unknown is rung again by itself in this step of the cadence."""
        unknown = {a.lead_id: a.ended_at for a in attempts.values() if a.outcome is Outcome.UNKNOWN}
        again = [attempts[r["channel_id"]] for r in rings if r["channel_id"] in attempts]
        return [
            f"{a.id} rang a lead whose call had ended unknown"
            for a in again
            if (ended_at := unknown.get(a.lead_id)) is not None and a.dialed_at is not None and a.dialed_at > ended_at
        ]

    def _cap_problems(self, rings: list[dict[str, Any]], attempts: dict[str, Attempt]) -> list[str]:
        rung = Counter(attempts[r["channel_id"]].contact_id for r in rings if r["channel_id"] in attempts)
        return [f"{contact} was rung {n} times, the cap is {CAP}" for contact, n in rung.items() if n > CAP]

    def _trunk_problems(self, rings: list[dict[str, Any]]) -> list[str]:
        """Return where the trunk was overdrawn: channels at any instant, calls over any few seconds."""
        ended = {line["channel_id"]: _at(line) for line in self.ledger if line["event"] == "end"}
        starts = sorted((_at(line), line["channel_id"]) for line in rings)
        problems: list[str] = []
        for index, (at, _) in enumerate(starts):
            live = sum(1 for before, channel in starts[: index + 1] if ended.get(channel, at) > at or before == at)
            if live > CHANNELS:
                problems.append(f"{live} channels at {at}, the trunk has {CHANNELS}")
        dials = self.told.dials
        for index, at in enumerate(dials):
            # One more, for the way to the carrier takes one dial longer than another.
            burst = sum(1 for other in dials[index:] if other < at + timedelta(seconds=1))
            if burst > CALLS_PER_SECOND + 1:
                problems.append(f"{burst} dials in the second from {at}, the trunk takes {CALLS_PER_SECOND}")
        return problems

    def _news_problems(self) -> list[str]:
        ended = Counter(fact.attempt_id for fact in self.db.facts if isinstance(fact, CallEnded))
        problems = [f"the end of {i} was announced {ended[i]} times" for i in self.db.attempts if ended[i] != 1]
        announced = {f.attempt_id: f.disposition for f in self.db.facts if isinstance(f, ResponseRecorded)}
        problems += self._path_problems()
        for call_id, disposition in self.told.dispositions.items():
            stored = self.db.responses.get(call_id)
            if stored is None or stored.disposition != disposition or announced.get(call_id) != disposition:
                problems.append(f"the disposition of {call_id} was acknowledged and lost")
        return problems

    def _path_problems(self) -> list[str]:
        """Return the calls whose facts do not follow the path of a call: answered at most once, ended last."""
        told: dict[UUID, list[str]] = {}
        for fact in self.db.facts:
            if isinstance(fact, CallAnswered | CallEnded):
                told.setdefault(fact.attempt_id, []).append(fact.type)
        right = ([CallEnded.type], [CallAnswered.type, CallEnded.type])
        return [f"{call} was told as {path}" for call, path in told.items() if path not in right]


def _is_leg(line: dict[str, Any]) -> bool:
    return str(line["channel_id"]).startswith(LEG_PREFIX)


def _at(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(str(line["at"]))


def _legal(at: datetime) -> bool:
    return any(START + timedelta(seconds=a) <= at < START + timedelta(seconds=b) for a, b in LEGAL_HOURS)


class HoursGate(OneRuleGate):
    """The gate with one rule, and legal hours besides, asked again at the instant of dialing."""

    def judge(
        self, campaign: Campaign, lead: Lead, history: GateHistory, now: datetime, *, channel: str = "voice"
    ) -> Verdict:
        """Return the verdict on a lead."""
        return self.judge_again(super().judge(campaign, lead, history, now, channel=channel), now)

    def judge_again(self, verdict: Verdict, now: datetime) -> Verdict:
        """Return the verdict as the hours have it at *now*."""
        if not verdict.allowed or _legal(now):
            return verdict
        opens = [START + timedelta(seconds=a) for a, _ in LEGAL_HOURS if START + timedelta(seconds=a) > now]
        return Verdict(False, until=opens[0] if opens else None, held_by="hours")


def _replace_state(campaign: Campaign, state: CampaignState) -> Campaign:
    return replace(campaign, state=state, version=campaign.version + 1)


def _by_id(leads: dict[UUID, Lead]) -> list[Lead]:
    return [leads[key] for key in sorted(leads)]


def simulate(seed: int) -> World:
    """Run one seed and return the world as it came to rest."""
    loop = VirtualLoop()
    world = World(seed, loop)
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(world.run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return world
