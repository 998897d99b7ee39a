"""Storing changes in groups: lock in order, compare versions, write what fits, announce it, all in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator
from services.dialer.ports import Change, Committed, Conflict
from services.dialer.store import rows
from services.dialer.store.locks import lock_rows, read_standing
from services.runtime import outbox
from services.runtime.ids import NewId
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql

SQL = load_sql("services.dialer")


@dataclass(slots=True)
class Present:
    """The rows as they stand, locked; kept up to date while the batch is judged in order."""

    suppressed: set[UUID] = field(default_factory=set[UUID])
    numbers: set[str] = field(default_factory=set[str])
    attempts: dict[UUID, Attempt] = field(default_factory=dict[UUID, Attempt])
    operators: dict[UUID, Operator] = field(default_factory=dict[UUID, Operator])
    leads: dict[UUID, Lead] = field(default_factory=dict[UUID, Lead])
    revisions: dict[UUID, int] = field(default_factory=dict[UUID, int])
    epochs: dict[UUID, int] = field(default_factory=dict[UUID, int])
    stops: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    campaigns: dict[UUID, str] = field(default_factory=dict[UUID, str])
    erased: set[UUID] = field(default_factory=set[UUID])


def judge_changes(changes: Sequence[Change], present: Present, now: datetime) -> list[Committed | Conflict]:
    """Return what becomes of each change, in order, and let *present* follow; pure, shared by every store."""
    answers: list[Committed | Conflict] = []
    for change in changes:
        reason = misfit(change, present)
        if reason is None:
            take(change, present)
            answers.append(Committed(now))
        else:
            answers.append(_conflict(change, reason, present))
    return answers


async def commit_changes(conn: Connection, changes: Sequence[Change], *, new_id: NewId) -> list[Committed | Conflict]:
    """Store the changes that fit what is stored, in the caller's transaction; answers in order."""
    present, now = await _lock(conn, changes)
    answers = judge_changes(changes, present, now)
    if any(isinstance(answer, Conflict) for answer in answers):
        # Somebody was first, which is rare: judge again on the whole rows, which the answers carry.
        await _read_rows(conn, changes, present)
        answers = judge_changes(changes, present, now)
    fitting = [c for c, answer in zip(changes, answers, strict=True) if isinstance(answer, Committed)]
    if fitting:
        await _write(conn, fitting, now=now, new_id=new_id)
    if present.erased:
        # Somebody was forgotten while a call of theirs went on: its number goes with its end.
        await conn.execute(SQL["attempt_erase"], sorted(present.erased))
    return answers


async def _lock(conn: Connection, changes: Sequence[Change]) -> tuple[Present, datetime]:
    """Lock every row the changes touch and read what they are judged on, with the database's time under the locks.

    Only versions are read, which is all that judging needs; the rows stand in with the rest as the changes want it.
    """
    attempts = {c.attempt.id: c.attempt for c in changes if c.attempt is not None}
    operators = {c.operator.id: c.operator for c in changes if c.operator is not None}
    leads = {c.lead.id: c.lead for c in changes if c.lead is not None}
    contacts = {c for change in changes for c in change.contacts}
    pools = {c.fence.pool_id for c in changes if c.fence is not None}
    present = Present()
    for row in await lock_rows(conn, contacts, attempts, operators, leads, pools):
        match row["kind"]:
            case "person":
                present.suppressed |= {row["id"]} if row["suppressed"] else set()
                present.erased |= {row["id"]} if row["erased"] else set()
            case "attempt":
                present.attempts[row["id"]] = replace(attempts[row["id"]], version=row["version"])
            case "operator":
                present.operators[row["id"]] = replace(operators[row["id"]], version=row["version"])
            case "lead":
                present.leads[row["id"]] = replace(leads[row["id"]], version=row["version"])
            case _:
                present.epochs[row["id"]] = row["version"]
    return present, await _survey(conn, changes, present)


async def _survey(conn: Connection, changes: Sequence[Change], present: Present) -> datetime:
    dialed = [c.attempt for c in changes if c.dial and c.attempt is not None]
    standing = await read_standing(
        conn,
        {a.number_digest for a in dialed},
        {a.campaign_id for a in dialed},
        {c.response.attempt_id for c in changes if c.response is not None},
    )
    present.revisions, present.numbers = dict(standing.revisions), set(standing.numbers)
    present.stops, present.campaigns = set(standing.stops), dict(standing.campaigns)
    return standing.now


async def _read_rows(conn: Connection, changes: Sequence[Change], present: Present) -> None:
    """Read the rows whole, as they stand under the locks, and take back what judging has changed in *present*."""
    present.attempts = {
        r["id"]: rows.attempt_from(r) for r in await _fetch(conn, "attempt_lock", _ids(changes, "attempt"))
    }
    present.operators = {
        r["id"]: rows.operator_from(r) for r in await _fetch(conn, "operator_lock", _ids(changes, "operator"))
    }
    present.leads = {r["id"]: rows.lead_from(r) for r in await _fetch(conn, "lead_lock", _ids(changes, "lead"))}
    contacts = sorted({c for change in changes for c in change.contacts})
    locked = await _fetch(conn, "person_lock", contacts)
    present.suppressed = {r["contact_id"] for r in locked if r["suppressed"]}
    await _survey(conn, changes, present)


async def _fetch(conn: Connection, name: str, ids: list[UUID]) -> Iterable[Any]:
    return await conn.fetch(SQL[name], ids) if ids else ()


def _ids(changes: Sequence[Change], noun: str) -> list[UUID]:
    return sorted({getattr(change, noun).id for change in changes if getattr(change, noun) is not None})


def misfit(change: Change, present: Present) -> str | None:
    """Return why the change does not fit what is stored, or None."""
    fence = change.fence
    if fence is not None and present.epochs.get(fence.pool_id) != fence.epoch:
        return "fenced"
    for wanted, stored in (
        (change.attempt, present.attempts),
        (change.operator, present.operators),
        (change.lead, present.leads),
    ):
        if wanted is not None and (wanted.id not in stored or stored[wanted.id].version != wanted.version - 1):
            return "version"
    response = change.response
    if response is not None and present.revisions.get(response.attempt_id, 0) != response.revision - 1:
        return "version"
    return _dial_misfit(change.attempt, present) if change.dial and change.attempt is not None else None


def _dial_misfit(attempt: Attempt, present: Present) -> str | None:
    if attempt.contact_id in present.suppressed or attempt.number_digest in present.numbers:
        return "suppressed"
    if present.stops & {("all", ""), ("campaign", str(attempt.campaign_id)), ("trunk", attempt.trunk)}:
        return "stopped"
    return None if present.campaigns.get(attempt.campaign_id) == "running" else "not running"


def take(change: Change, present: Present) -> None:
    """Let later changes of the batch see this one."""
    if change.attempt is not None:
        present.attempts[change.attempt.id] = change.attempt
    if change.operator is not None:
        present.operators[change.operator.id] = change.operator
    if change.lead is not None:
        present.leads[change.lead.id] = change.lead
    if change.response is not None:
        present.revisions[change.response.attempt_id] = change.response.revision
    if change.suppressed is not None:
        present.suppressed.add(change.suppressed.contact_id)
        present.numbers.update(change.suppressed.number_digests)


def _conflict(change: Change, reason: str, present: Present) -> Conflict:
    return Conflict(
        reason,
        attempt=present.attempts.get(change.attempt.id) if change.attempt is not None else None,
        operator=present.operators.get(change.operator.id) if change.operator is not None else None,
        lead=present.leads.get(change.lead.id) if change.lead is not None else None,
    )


async def _write(conn: Connection, changes: Sequence[Change], *, now: datetime, new_id: NewId) -> None:
    await conn.execute(SQL["commit_write"], *rows.written(changes))
    await _suppress(conn, changes)
    facts = [fact for change in changes for fact in change.facts]
    await outbox.append(conn, "dialer", facts, now=now, new_id=new_id)


async def _suppress(conn: Connection, changes: Sequence[Change]) -> None:
    said_no = {c.suppressed.contact_id: c.suppressed for c in changes if c.suppressed is not None}
    if not said_no:
        return
    people = [said_no[contact] for contact in sorted(said_no)]
    await conn.execute(
        SQL["person_suppress"], [p.contact_id for p in people], [p.at for p in people], [p.source for p in people]
    )
    numbers = {digest: p for p in people for digest in p.number_digests}
    digests = sorted(numbers)
    await conn.execute(
        SQL["number_suppress"], digests, [numbers[d].at for d in digests], [numbers[d].source for d in digests]
    )
