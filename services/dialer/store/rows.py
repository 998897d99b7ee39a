"""Between rows and the dialer's values; nowhere else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from operator import itemgetter
from typing import Any, get_args
from uuid import UUID

import asyncpg
import orjson

from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.gate.facts import CampaignCounts, Counts, CountWindow, DoNotCallList, Scrub
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.domain.pacing import Mode
from services.dialer.domain.responses import Response
from services.dialer.ports import Change, GateHistory, Pool

Row = Mapping[str, Any] | asyncpg.Record


def to_json(value: object) -> str:
    """Return *value* as the text of a `jsonb` parameter."""
    return orjson.dumps(value, default=str).decode()


def pool_from(row: Row) -> Pool:
    """Return the pool of a row."""
    fields = dict(row)
    mode = fields.pop("shadow_mode")
    return Pool(**fields, shadow_mode=Mode(mode) if mode is not None else None)


def pool_columns(pool: Pool) -> tuple[Any, ...]:
    """Return the columns of `pool_insert` and `pool_update`."""
    shadow_mode = pool.shadow_mode.value if pool.shadow_mode is not None else None
    return (pool.id, pool.name, pool.wrap_up_limit_s, pool.lost_grace_s, pool.offer_limit_s, shadow_mode)


def records_from(row: Row) -> dict[UUID, CampaignCounts]:
    """Return, by campaign, the record of answered and abandoned calls in each window of a cap."""
    records: dict[UUID, CampaignCounts] = {}
    for campaign_id, launched_at, *counts in row["records"]:
        windows: dict[CountWindow, Counts] = {
            name: Counts(*counts[2 * n : 2 * n + 2]) for n, name in enumerate(get_args(CountWindow))
        }
        records[campaign_id] = CampaignCounts(launched_at, windows=windows)
    return records


def scrubs_from(row: Row) -> dict[str, dict[DoNotCallList, Scrub]]:
    """Return, by digest of the number, the lists it was compared with."""
    scrubs: dict[str, dict[DoNotCallList, Scrub]] = {}
    for digest, name, version_on, listed in row["scrubs"]:
        scrubs.setdefault(digest, {})[name] = Scrub(version_on, listed)
    return scrubs


def attempt_from(row: Row) -> Attempt:
    """Return the attempt of a row."""
    fields = {name: row[name] for name in Attempt.__dataclass_fields__}
    outcome = fields["outcome"]
    fields["state"] = AttemptState(fields["state"])
    fields["outcome"] = Outcome(outcome) if outcome is not None else None
    return Attempt(**fields)


_ATTEMPT = (
    "id", "state", "version", "operator_id", "outcome", "cause", "machine", "abandoned", "held", "hangup_requested",
    "dialed_at", "ringing_at", "answered_at", "connected_at", "ended_at",
)  # fmt: skip
_OPERATOR = (
    "id", "state", "reason", "since", "version", "attempt_id", "offer_lead_id", "next_state", "next_reason",
    "ready_in_at", "instance_id", "disconnected_at",
)  # fmt: skip
_LEAD = (
    "id", "state", "result", "stream", "next_at", "held_by", "step", "phone_index", "attempts", "tries",
    "callback_operator", "version",
)  # fmt: skip
_RESPONSE = tuple(Response.__dataclass_fields__)


def written(changes: Sequence[Change]) -> tuple[list[dict[str, Any]], ...]:
    """Return the arguments of `commit_write`: of each row what may change, by name, as the last change leaves it."""
    attempts = {c.attempt.id: c.attempt for c in changes if c.attempt is not None}
    operators = {c.operator.id: c.operator for c in changes if c.operator is not None}
    leads = {c.lead.id: c.lead for c in changes if c.lead is not None}
    responses = {c.response.attempt_id: c.response for c in changes if c.response is not None}
    return _pick(
        (_ATTEMPT, attempts.values()),
        (_OPERATOR, operators.values()),
        (_LEAD, leads.values()),
        (_RESPONSE, responses.values()),
    )


_NEW_ATTEMPT = (
    "id", "lead_id", "campaign_id", "pool_id", "contact_id", "phone", "number_digest", "n", "mode", "trunk",
    "caller_id", "epoch", "decision", "ring_timeout_s", "reserved_at", "dial_slot_at", "wanted_operator", "script_id",
    "script_version",
)  # fmt: skip


def reserved(attempts: Iterable[Attempt], leads: Iterable[Lead]) -> tuple[list[dict[str, Any]], ...]:
    """Return the first arguments of `reserve_write`: new attempts, and their leads, which they take out of a queue."""
    return _pick((_NEW_ATTEMPT, attempts), (("id", "state", "attempts", "version"), leads))


def _pick(*nouns: tuple[tuple[str, ...], Iterable[Any]]) -> tuple[list[dict[str, Any]], ...]:
    return tuple([{name: getattr(one, name) for name in names} for one in values] for names, values in nouns)


def operator_from(row: Row) -> Operator:
    """Return the operator of a row."""
    fields = {name: row[name] for name in Operator.__dataclass_fields__}
    fields["state"] = OperatorState(fields["state"])
    fields["next_state"] = OperatorState(fields["next_state"]) if fields["next_state"] is not None else None
    fields["skills"] = frozenset(fields["skills"])
    return Operator(**fields)


_LEAD_FIELDS = itemgetter(*Lead.__dataclass_fields__)
_LEAD_STATES = {state.value: state for state in LeadState}
_STREAMS = {stream.value: stream for stream in Stream}


def lead_from(row: Row) -> Lead:
    """Return the lead of a row; 500 are wanted at once, so this does no more than it must."""
    lead_id, campaign_id, contact_id, state, person, phones, priority, stream, *others = _LEAD_FIELDS(row)
    return Lead(
        lead_id,
        campaign_id,
        contact_id,
        _LEAD_STATES[state],
        person_from(person),
        tuple([Phone(**phone) for phone in phones]),
        priority,
        _STREAMS[stream],
        *others,
    )


def person_from(stored: dict[str, Any]) -> Person:
    """Return the person kept with a lead."""
    fields: dict[str, Any] = stored
    for name in ("address_verified_on", "relationship_since"):
        if stored.get(name) is not None:
            fields = {**fields, name: date.fromisoformat(stored[name])}
    return Person(**fields)


def person_to_json(person: Person) -> str:
    """Return what is kept of a person with a lead."""
    return to_json({name: value for name, value in asdict(person).items() if value not in (None, "", {})})


def phones_to_json(phones: Sequence[Phone]) -> str:
    """Return a lead's numbers as kept."""
    return to_json([asdict(phone) for phone in phones])


_CONSENT = ("kind", "purpose", "channel", "given_at", "outside_hours", "withdrawn_at")
_PAST = ("phone", "campaign_id", "mode", "outcome", "connected_at", "at", "subject")


def history_from(row: Row, digest: str, scrubs: Mapping[DoNotCallList, Scrub], record: CampaignCounts) -> GateHistory:
    """Return what the gate must know of the person of a row of `person_history` on the number of *digest*."""
    return GateHistory(
        suppressed=row["suppressed_at"] is not None or digest in row["numbers"],
        consents=tuple([dict(zip(_CONSENT, consent, strict=True)) for consent in row["consents"]]),
        attempts=tuple([dict(zip(_PAST, attempt, strict=True)) for attempt in row["attempts"]]),
        refused_at=row["suppressed_at"],
        scrubs=scrubs,
        record=record,
    )


def campaign_from(row: Row) -> Campaign:
    """Return the campaign of a row."""
    fields = {name: row[name] for name in Campaign.__dataclass_fields__}
    fields["state"] = CampaignState(fields["state"])
    fields["plan"] = Plan.model_validate(fields["plan"])
    return Campaign(**fields)


def response_from(row: Row) -> Response:
    """Return the response of a row."""
    return Response(**{name: row[name] for name in Response.__dataclass_fields__})
