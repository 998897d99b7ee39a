"""The dialer's composition root: settings in, a service with its routes and loops out; nothing else wires."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import structlog

from services.dialer import consumers, packloader
from services.dialer.api.campaigns import campaign_routes
from services.dialer.api.demo import DemoLine, demo_routes
from services.dialer.api.desk import desk_routes
from services.dialer.api.floor import floor_routes
from services.dialer.api.gate import gate_routes
from services.dialer.api.lists import list_routes
from services.dialer.api.page import page_routes
from services.dialer.api.poke import POKE_PATH, POOLS_PATH, Holding, Poke, poke_routes
from services.dialer.api.restored import restored_routes
from services.dialer.api.scripts import script_routes
from services.dialer.api.status import status_routes
from services.dialer.api.why import Answers, why_routes
from services.dialer.domain.attempts import Attempt
from services.dialer.domain.operators import Operator
from services.dialer.domain.pacing import Pacer
from services.dialer.gateways import AriCarrier
from services.dialer.ports import Change, Committed, Conflict, Fence, KeptPack, PoolView
from services.dialer.settings import DialerSettings
from services.dialer.store import DialerStore, news
from services.dialer.store.campaigns import CampaignStore
from services.dialer.store.obstacles import CountingStore
from services.dialer.store.packs import PackStore
from services.dialer.store.restored import RestoredStore
from services.dialer.store.scrubs import ScrubStore
from services.dialer.usecases import commands
from services.dialer.usecases.obstacles import Explaining, PackOutlook
from services.dialer.usecases.packgate import PackGatekeeper
from services.dialer.usecases.packs import PackShelf, Shipped
from services.dialer.workers.commits import GroupCommit
from services.dialer.workers.leases import LeaseKeeper
from services.dialer.workers.packs import run_pack_watch
from services.dialer.workers.pool import PoolOwner
from services.dialer.workers.rings import RingWatch
from services.runtime import postgres
from services.runtime.clock import Clock
from services.runtime.figures import health_routes
from services.runtime.health import Health
from services.runtime.http import Limits, build_app
from services.runtime.identity.demo import is_loopback
from services.runtime.identity.derivation import derive_key
from services.runtime.identity.principal import Principal, Role, Verifier
from services.runtime.ids import NewId, new_id
from services.runtime.live import LiveHub, LivePush, Push, live_routes, push_routes
from services.runtime.live.push import SECRET_HEADER, check_internal
from services.runtime.messaging import open_messaging
from services.runtime.outbox import OutboxSignal
from services.runtime.phone import phone_digest
from services.runtime.service import Service

log = structlog.get_logger()

PACKAGES = ("services.runtime", "services.dialer")
SCHEMA = "dialer"


class DeskStore(DialerStore):
    """The store of the operators' commands: what several operators do within milliseconds is stored together."""

    def __init__(self, pool: postgres.Pool, make_id: NewId, wake: OutboxSignal, clock: Clock) -> None:
        """Share *pool* with the owners; `commits.run` must run as long as commands come."""
        super().__init__(pool, make_id, wake)
        self.commits: GroupCommit[Change, Committed | Conflict] = GroupCommit(super().commit, clock)

    async def commit(self, changes: Sequence[Change]) -> list[Committed | Conflict]:
        """Store independent changes through the group commit."""
        return list(await asyncio.gather(*(self.commits.submit(change) for change in changes)))


class Switchboard:
    """The wires between this instance's API, its pool owners, its screens, and the other instances."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        secret: bytes,
        store: DeskStore,
        instance_id: UUID,
        clock: Clock,
        *,
        arrivals: int,
    ) -> None:
        """Hold the parts; the keeper and the hub are set once they exist.

        So many *arrivals* and departures are worked on at once, the others wait their turn: a whole floor that connects
        again after a deploy must not take every connection to the database from the calls, nor wait for one in vain.
        """
        self.instance_id = instance_id
        self.store = store
        self.hub = LiveHub(clock, presence=self)
        self.keeper: LeaseKeeper | None = None
        self.desk = commands.Desk(store, clock, self.poke)
        self.enrol: Any = None
        self._session = session
        self._internal = {SECRET_HEADER: secret.hex()}
        self._pushes = LivePush(session, secret)
        self._turns = asyncio.Semaphore(arrivals)

    # -- screens

    async def arrived(self, principal: Principal) -> None:
        """Note that an operator's live line is here."""
        if Role.OPERATOR in principal.roles:
            async with self._turns:
                await self.enrol(principal.user_id, principal.name)
                await commands.connection(self.desk, principal.user_id, self.instance_id)

    async def left(self, principal: Principal) -> None:
        """Note that an operator's live line is gone."""
        if Role.OPERATOR in principal.roles:
            async with self._turns:
                await commands.connection(self.desk, principal.user_id, None, left=self.instance_id)

    async def snapshot(self, principal: Principal) -> dict[str, Any]:
        """Return all that an operator's screen shows."""
        async with self._turns:
            await self.enrol(principal.user_id, principal.name)
            return await commands.show(self.desk, principal.user_id)

    async def push(self, user_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """Send *body* to the screen of a user, here or on the instance that holds their line."""
        version = int(body.get("version", 0))
        self.hub.publish(user_id, kind, body, stamp=(0, version))
        # A line without a connection only remembers: the person may be on another instance by now.
        if self.hub.is_connected(user_id) or self.keeper is None:
            return
        operators = await self.store.load_operators([user_id])
        holder = operators[0].instance_id if operators else None
        address = self.keeper.instances.get(holder) if holder is not None else None
        if address is not None and holder != self.instance_id:
            await self._pushes.push(address, [Push(user_id=user_id, kind=kind, body=body, epoch=0, sequence=version)])

    # -- pokes

    async def poke(self, operator: Operator | None, attempt: Attempt | None) -> None:
        """Tell the owner of the pool what was committed here; a lost poke is found by its next look."""
        if self.keeper is None:
            return
        pool_id = operator.pool_id if operator is not None else attempt.pool_id if attempt is not None else None
        if pool_id is None:
            return
        owner = self.keeper.owners.get(pool_id)
        if owner is not None:
            _hand_over(owner, operator, attempt)
        else:
            _, address = self.keeper.owners_of.get(pool_id, (None, ""))
            body = {
                "operator_id": str(operator.id) if operator is not None else None,
                "attempt_id": str(attempt.id) if attempt is not None else None,
            }
            await self._send(address, body)
        if operator is not None and owner is None:
            await self.push(operator.id, "operator", await commands.show(self.desk, operator.id))

    async def wake_all(self) -> None:
        """Tell every owner on every instance to look again, at once."""
        if self.keeper is None:
            return
        for owner in self.keeper.owners.values():
            owner.wake()
        others = [address for i, address in self.keeper.instances.items() if i != self.instance_id]
        await asyncio.gather(*(self._send(address, {}) for address in others))

    async def hear(self, poke: Poke) -> None:
        """Read again what another instance committed."""
        if self.keeper is None:
            return
        operators = await self.store.load_operators([poke.operator_id]) if poke.operator_id is not None else []
        operator = operators[0] if operators else None
        attempt = await self.store.load_attempt(poke.attempt_id) if poke.attempt_id is not None else None
        for owner in self.keeper.owners.values():
            if operator is None and attempt is None:
                owner.wake()
            else:
                _hand_over(owner, operator, attempt)

    async def _send(self, address: str, body: dict[str, str | None]) -> None:
        if not address:
            return
        try:
            async with (
                asyncio.timeout(1.0),
                self._session.post(f"{address}{POKE_PATH}", json=body, headers=self._internal) as answer,
            ):
                answer.raise_for_status()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("poke.lost", reason=type(error).__name__)

    def why_not_dialing(self, pool_id: UUID) -> str | None:
        """Return what holds back every call of a pool owned here, None when nothing does or it is not."""
        owner = self.keeper.owners.get(pool_id) if self.keeper is not None else None
        return owner.why_not_dialing() if owner is not None else None

    async def ask_owner(self, pool_id: UUID) -> str | None:
        """Return what holds back every call of a pool, wherever it is owned; None also when its owner is silent."""
        if self.keeper is None or pool_id in self.keeper.owners:
            return self.why_not_dialing(pool_id)
        _, address = self.keeper.owners_of.get(pool_id, (None, ""))
        if not address:
            return None
        try:
            async with (
                asyncio.timeout(1.0),
                self._session.get(f"{address}{POOLS_PATH}/{pool_id}", headers=self._internal) as answer,
            ):
                answer.raise_for_status()
                return Holding.model_validate_json(await answer.read()).held_back_by
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None

    def owned(self) -> list[dict[str, Any]]:
        """Return the pools owned here, with their last pacing decision."""
        if self.keeper is None:
            return []
        return [
            {
                "pool_id": str(owner.pool.id),
                "name": owner.pool.name,
                "epoch": owner.fence.epoch,
                "calls": len(owner.calls),
                "held_back_by": owner.why_not_dialing(),
                "explain": dict(owner.decision.explain) if owner.decision is not None else {},
                "outcomes": owner.counts.outcomes,
            }
            for owner in self.keeper.owners.values()
        ]


def _hand_over(owner: PoolOwner, operator: Operator | None, attempt: Attempt | None) -> None:
    if operator is not None and operator.pool_id == owner.pool.id:
        owner.hear_operator(operator)
    if attempt is not None:
        owner.hear_attempt(attempt)


def _shipped(folder: str | None) -> Shipped:
    packs, texts, numbers = packloader.load_shipped([Path(folder)] if folder else [])
    kept = tuple(KeptPack(pack.id, pack.version, texts[pack.id], shipped=True) for pack in packs.values())
    return Shipped(packs, kept, packloader.load_places(), numbers)


class _CarrierCheck:
    """Readiness of the telephony: every owned pool has its line of events."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    async def health(self) -> Health:
        """Say which pools have no carrier."""
        held = [p["name"] for p in self._board.owned() if p["held_back_by"] == "the carrier is away"]
        return Health("carrier", not held, f"the carrier is away for {', '.join(held)}")


async def build(settings: DialerSettings, clock: Clock, verifier: Verifier, make_id: NewId = new_id) -> Service:
    """Migrate the schema and return the dialer, not yet running."""
    url = settings.database_url.get_secret_value()
    await postgres.migrate(url, SCHEMA, PACKAGES)
    pool = await postgres.create_pool(
        url, SCHEMA, max_size=settings.database_pool_size, application_name="galw-dialer", by_key=True
    )
    # What reads much has connections of its own, so that no call, stop or arriving operator waits for a report.
    reports = await postgres.create_pool(url, SCHEMA, min_size=0, max_size=4, application_name="galw-dialer-reports")
    phone_key = settings.phone_key.get_secret_value().encode()
    messaging = open_messaging(
        "dialer", settings, pool, consumers.handlers(news, pool, clock, make_id, phone_key), clock, make_id
    )
    store = DialerStore(pool, make_id, messaging.signal)
    campaigns = CampaignStore(pool, make_id, messaging.signal)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), trust_env=False)
    secret = derive_key(settings.secret_key.get_secret_value(), "internal")
    desk_store = DeskStore(pool, make_id, messaging.signal, clock)
    arrivals = max(1, settings.database_pool_size // 2)
    board = Switchboard(session, secret, desk_store, make_id(), clock, arrivals=arrivals)

    def carrier() -> AriCarrier:
        # One for each pool: requests go over the event socket of their own pool, and end with no other's.
        url = settings.asterisk_url or settings.carrier_url or ""
        return AriCarrier(session, url, technology=settings.asterisk_technology)

    digest = partial(phone_digest, phone_key)
    restored = RestoredStore(pool, digest)
    rings = RingWatch(carrier(), restored, clock)
    pack_store = PackStore(pool, make_id, messaging.signal)
    shelf = PackShelf(pack_store, _shipped(settings.packs_dir), packloader.parse_text)
    await shelf.start(clock.now())
    gatekeeper = PackGatekeeper(lambda: shelf.packs)

    def make_owner(view: PoolView, fence: Fence) -> PoolOwner:
        return PoolOwner(
            pool=view.pool,
            fence=fence,
            store=store,
            carrier=carrier(),
            live=board,
            gatekeeper=gatekeeper,
            make_pacer=Pacer,
            clock=clock,
            new_id=make_id,
            catch_up=rings.catch_up,
            false_machine_share=settings.false_machine_share,
        )

    async def enrol(operator_id: UUID, name: str) -> Operator:
        return await campaigns.enrol_operator(operator_id, name, settings.default_pool, clock.now())

    board.enrol = enrol
    address = settings.internal_url or f"http://{settings.http_host}:{settings.http_port}"
    board.keeper = LeaseKeeper(board.instance_id, address, store, make_owner, clock)
    checks = [*messaging.checks, _CarrierCheck(board)]
    explaining = Explaining(
        CountingStore(reports, make_id, messaging.signal), PackOutlook(lambda: shelf.packs), board.ask_owner
    )
    # The page of figures is open to everybody, so it names campaigns only to people at this machine.
    with_names = is_loopback(settings.http_host)
    demo = DemoLine(session, settings.demo_url.get_secret_value()) if settings.demo_url is not None else None
    routes = [
        campaign_routes(campaigns, gatekeeper.may_ever_call),
        script_routes(campaigns),
        desk_routes(board.desk, enrol, gatekeeper.zones),
        floor_routes(campaigns, board.wake_all),
        restored_routes(restored),
        gate_routes(shelf, pack_store, store, packloader.parse_text),
        list_routes(shelf, ScrubStore(pool), digest),
        status_routes(
            CampaignStore(reports, make_id, messaging.signal),
            board.owned,
            clock,
            with_names=with_names,
            demo=demo is not None,
        ),
        why_routes(Answers(explaining, clock), with_names=with_names),
        health_routes("dialer", pool, messaging, checks, clock),
        page_routes(),
        *demo_routes(demo),
        live_routes(board.hub, verifier, board.snapshot, path="/api/dialer/live", roles={Role.OPERATOR}),
        push_routes(board.hub, secret),
        poke_routes(board.hear, board.why_not_dialing, lambda request: check_internal(request, secret)),
        *messaging.routes,
    ]

    async def close() -> None:
        await messaging.close()
        await session.close()
        await reports.close()
        await pool.close()

    app = build_app(
        "dialer",
        routes,
        verifier=verifier,
        clock=clock,
        pool=pool,
        readiness=checks,
        on_shutdown=[board.hub.close],
        limits=Limits(trusted_proxies=settings.trusted_proxies),
    )
    loops = [
        *messaging.loops,
        board.keeper.run,
        desk_store.commits.run,
        rings.run,
        lambda: run_pack_watch(shelf, clock),
    ]
    return Service("dialer", app, loops, close, checks)
