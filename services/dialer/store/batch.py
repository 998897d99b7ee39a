"""A batch of changes in one round trip: PostgreSQL finds out whether all of it fits, and then writes it.

Nearly every batch does. For one that does not, nothing is written, and `commit_changes` tells which change is why.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.dialer.ports import Change
from services.dialer.store import rows
from services.runtime import outbox
from services.runtime.ids import NewId
from services.runtime.postgres import Connection
from services.runtime.sql import load_sql
from services.runtime.tracing import current_traceparent

SQL = load_sql("services.dialer")

_DIALED = ("contact_id", "campaign_id", "number_digest", "trunk")


async def commit_batch(conn: Connection, changes: Sequence[Change], *, new_id: NewId) -> datetime | None:
    """Store all *changes* by one statement, which is a transaction; return the database's time.

    None, and nothing stored, when they do not all fit what is stored, or say of somebody that they may not be called.
    """
    epochs = {(c.fence.pool_id, c.fence.epoch) for c in changes if c.fence is not None}
    attempts = _decided_on((c.attempt.id, c.attempt.version) for c in changes if c.attempt is not None)
    operators = _decided_on((c.operator.id, c.operator.version) for c in changes if c.operator is not None)
    leads = _decided_on((c.lead.id, c.lead.version) for c in changes if c.lead is not None)
    responses = _decided_on((c.response.attempt_id, c.response.revision) for c in changes if c.response is not None)
    if attempts is None or operators is None or leads is None or responses is None:
        return None
    if len(dict(epochs)) < len(epochs) or any(change.suppressed is not None for change in changes):
        return None
    attempts_now, operators_now, leads_now, responses_now = rows.written(changes)
    return await conn.fetchval(
        SQL["commit_batch"],
        sorted({c for change in changes for c in change.contacts}),
        [{"pool_id": pool_id, "epoch": epoch} for pool_id, epoch in epochs],
        [{name: getattr(c.attempt, name) for name in _DIALED} for c in changes if c.dial],
        [{**row, "was": attempts[row["id"]]} for row in attempts_now],
        [{**row, "was": operators[row["id"]]} for row in operators_now],
        [{**row, "was": leads[row["id"]]} for row in leads_now],
        [{**row, "was": responses[row["attempt_id"]]} for row in responses_now],
        "dialer",
        current_traceparent(),
        *outbox.to_columns([fact for change in changes for fact in change.facts], new_id),
    )


def _decided_on(versions: Iterable[tuple[UUID, int]]) -> dict[UUID, int] | None:
    """Return the version under the first change of each row; None when those of one row do not follow each other."""
    first: dict[UUID, int] = {}
    last: dict[UUID, int] = {}
    for key, version in versions:
        if last.setdefault(key, version - 1) != version - 1:
            return None
        first.setdefault(key, version - 1)
        last[key] = version
    return first
