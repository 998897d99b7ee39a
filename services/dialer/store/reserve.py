"""Reserving attempts: every counter and limit is checked under lock, in the transaction that inserts them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.leads import Lead
from services.dialer.ports import CapNow, Refusal, Reservation
from services.dialer.store import rows
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")

_T = TypeVar("_T")

SLOT_AHEAD = timedelta(seconds=1)
"""A reservation whose dial slot is further away than this is refused: its moment comes again."""


@dataclass(slots=True)
class TrunkUse:
    """A trunk's limits and what this batch uses of them."""

    id: str
    interval: timedelta
    channels: int
    countries: frozenset[str]
    cost: int
    cap: int | None
    live: int
    next_slot_at: datetime
    spent: int
    today: date

    def take(self, country: str | None, now: datetime) -> datetime | Refusal:
        """Use a channel, a slot and the money of one attempt; return the instant at which it may dial."""
        # A number whose country is not known (satellites, international networks) is in nobody's list.
        if country not in self.countries:
            return Refusal("country", until=now + timedelta(days=1))
        if self.live >= self.channels:
            return Refusal("trunk busy")
        if self.cap is not None and self.spent + self.cost > self.cap:
            return Refusal("spend cap")
        slot = max(now, self.next_slot_at)
        if slot - now > SLOT_AHEAD:
            return Refusal("trunk busy")
        self.live += 1
        self.spent += self.cost
        # Slots one interval apart keep any sliding second under the limit, whoever reserves.
        self.next_slot_at = slot + self.interval
        return slot

    def row(self) -> dict[str, Any]:
        """Return what `reserve_write` keeps of it."""
        return {"id": self.id, "next_slot_at": self.next_slot_at, "spent": self.spent, "today": self.today}


@dataclass(frozen=True, slots=True)
class Ground:
    """What the reservations are judged on, locked."""

    epochs: dict[UUID, int]
    suppressed: frozenset[UUID]
    numbers: frozenset[str]
    leads: dict[UUID, Lead]
    trunks: dict[str, TrunkUse]
    stops: frozenset[tuple[str, str]]
    campaigns: Mapping[UUID, str]
    capped: dict[int, Refusal]


async def reserve_attempts(
    conn: Connection, reservations: Sequence[Reservation], now: datetime
) -> list[Attempt | Refusal]:
    """Insert the attempts that every limit allows, in the caller's transaction; answers in order."""
    ground = await _lock(conn, reservations, now)
    return await _insert(conn, reservations, judge_reservations(reservations, ground, now), ground)


def judge_reservations(reservations: Sequence[Reservation], ground: Ground, now: datetime) -> list[Attempt | Refusal]:
    """Return what becomes of each reservation, in order, and let *ground* follow; pure, shared by every store."""
    answers: list[Attempt | Refusal] = []
    people: set[UUID] = set()
    numbers: set[str] = set()
    for index, reservation in enumerate(reservations):
        attempt = reservation.attempt
        if attempt.contact_id in people or attempt.number_digest in numbers:
            answers.append(Refusal("live call"))
            continue
        answer = judge(index, reservation, ground, now)
        if isinstance(answer, Attempt):
            people.add(attempt.contact_id)
            numbers.add(attempt.number_digest)
        answers.append(answer)
    return answers


async def _lock(conn: Connection, reservations: Sequence[Reservation], now: datetime) -> Ground:
    attempts = [r.attempt for r in reservations]
    wanted = {r.lead.id: r.lead for r in reservations}
    caps = [(index, r.attempt.contact_id, cap) for index, r in enumerate(reservations) for cap in r.caps]
    found = await conn.fetchrow(
        SQL["reserve_ground"],
        sorted({a.contact_id for a in attempts}),
        sorted(wanted),
        sorted({r.fence.pool_id for r in reservations}),
        sorted({a.number_digest for a in attempts}),
        sorted({a.campaign_id for a in attempts}),
        [_cap_row(ordinal, contact_id, cap, now) for ordinal, (_, contact_id, cap) in enumerate(caps)],
        sorted({a.trunk for a in attempts}),
    )
    assert found is not None
    return Ground(
        epochs=_by_id(found["epochs"]),
        suppressed=frozenset(found["suppressed"] or ()),
        numbers=frozenset(found["numbers"] or ()),
        stops=frozenset((scope, target) for scope, target in found["stops"] or ()),
        campaigns=_by_id(found["states"]),
        # Judging compares versions only; reading the rows whole would cost more than all the rest.
        leads={
            lead_id: replace(wanted[lead_id], version=version) for lead_id, version in _by_id(found["versions"]).items()
        },
        trunks={row["id"]: _trunk_from(row) for row in found["lines"] or ()},
        capped=_capped(found["capped"] or (), caps),
    )


def _by_id(found: Mapping[str, _T] | None) -> dict[UUID, _T]:
    return {UUID(key): value for key, value in (found or {}).items()}


def _cap_row(ordinal: int, contact_id: UUID, cap: CapNow, now: datetime) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "contact_id": contact_id,
        "maximum": cap.maximum,
        "since": cap.since(now),
        "number": cap.number,
        "subject": cap.subject,
        "campaign_id": cap.campaign_id,
        "but_not": " ".join(sorted(cap.but_not)),
    }


def _capped(full: Iterable[tuple[int, str]], asked: Sequence[tuple[int, UUID, CapNow]]) -> dict[int, Refusal]:
    """Return the reservations whose person has used up a cap, with when one of the attempts no longer counts."""
    refused: dict[int, Refusal] = {}
    for ordinal, leaves in full:
        index, _, cap = asked[ordinal]
        until = cap.frees_at(datetime.fromisoformat(leaves))
        other = refused.get(index)
        if other is None or (until is not None and other.until is not None and until > other.until):
            refused[index] = Refusal("cap", until=until)
    return refused


def _trunk_from(row: Mapping[str, Any]) -> TrunkUse:
    return TrunkUse(
        id=row["id"],
        interval=timedelta(seconds=row["interval_s"]),
        channels=row["channels"],
        countries=frozenset(row["countries"]),
        cost=row["cost"],
        cap=row["cap"],
        live=row["live"],
        next_slot_at=datetime.fromisoformat(row["next_slot_at"]),
        spent=row["spent"],
        today=date.fromisoformat(row["today"]),
    )


def judge(index: int, reservation: Reservation, ground: Ground, now: datetime) -> Attempt | Refusal:
    """Return the attempt with its dial slot, or why it is not made."""
    attempt, lead = reservation.attempt, reservation.lead
    stored = ground.leads.get(lead.id)
    if ground.epochs.get(reservation.fence.pool_id) != reservation.fence.epoch:
        return Refusal("fenced")
    if stored is None or stored.version != lead.version - 1:
        return Refusal("version")
    if attempt.contact_id in ground.suppressed or attempt.number_digest in ground.numbers:
        return Refusal("suppressed")
    if ground.stops & {("all", ""), ("campaign", str(attempt.campaign_id)), ("trunk", attempt.trunk)}:
        return Refusal("stopped")
    if ground.campaigns.get(attempt.campaign_id) != "running":
        return Refusal("stopped")
    if index in ground.capped:
        return ground.capped[index]
    trunk = ground.trunks.get(attempt.trunk)
    if trunk is None:
        return Refusal("trunk busy")
    slot = trunk.take(lead.phone.country, now)
    return slot if isinstance(slot, Refusal) else replace(attempt, dial_slot_at=slot)


async def _insert(
    conn: Connection, reservations: Sequence[Reservation], answers: list[Attempt | Refusal], ground: Ground
) -> list[Attempt | Refusal]:
    wanted = [a for a in answers if isinstance(a, Attempt)]
    if not wanted:
        return answers
    made = {a.lead_id for a in wanted}
    leads = [r.lead for r in reservations if r.lead.id in made]
    trunks = [trunk.row() for trunk in ground.trunks.values()]
    inserted = {r["id"] for r in await conn.fetch(SQL["reserve_write"], *rows.reserved(wanted, leads), trunks)}
    # A live call to the same number or person, of another campaign, kept these out.
    return [a if isinstance(a, Refusal) or a.id in inserted else Refusal("live call") for a in answers]
