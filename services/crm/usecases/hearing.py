"""What other services tell about people: responses, calls, messages and refusals, kept on the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from services.crm.domain.consents import Channel
from services.crm.ports import Campaign, Entry, Handling, Response, Tx
from services.crm.usecases.consents import refusal, withdraw_heard, withdraw_number_heard
from services.events.dialer import (
    CallAnswered,
    CallEnded,
    CampaignChanged,
    LeadFinished,
    OperatorStateChanged,
    PersonRefused,
    ResponseRecorded,
)
from services.events.notifier import MessageDelivered, NumberOptOutReceived, OptOutReceived, ReplyReceived


async def keep_campaigns(tx: Tx, events: Sequence[CampaignChanged]) -> None:
    """Know which campaigns enrol whom; an older event changes nothing."""
    for event in events:
        await tx.audiences.save_campaign(
            Campaign(
                id=event.campaign_id,
                sequence=event.sequence,
                name=event.name,
                state=event.state,
                purpose=event.purpose,
                audience_id=event.audience_id,
                walked_to=None,
                walked_at=None,
            )
        )


async def keep_responses(tx: Tx, events: Sequence[ResponseRecorded]) -> None:
    """Keep every revision, and the response on the timeline."""
    await tx.responses.save([_response(event) for event in events])
    await tx.responses.note([_response_entry(event) for event in events])
    await tx.responses.note_handlings(
        [Handling(event.attempt_id, event.contact_id, event.operator_id) for event in events]
    )


async def keep_answered(tx: Tx, events: Sequence[CallAnswered]) -> None:
    """Know whom a call reached, so that the operator on it may read the person."""
    await tx.responses.note_handlings([Handling(event.attempt_id, event.contact_id, None) for event in events])


async def keep_operators(tx: Tx, events: Sequence[OperatorStateChanged]) -> None:
    """Know who is on which call."""
    handlings = [Handling(event.attempt_id, None, event.operator_id) for event in events if event.attempt_id]
    await tx.responses.note_handlings(handlings)


async def keep_calls(tx: Tx, events: Sequence[CallEnded]) -> None:
    """Keep every attempt on the timeline."""
    await tx.responses.note([_call_entry(event) for event in events])
    await tx.responses.note_handlings(
        [Handling(event.attempt_id, event.contact_id, event.operator_id) for event in events]
    )


async def keep_finished(tx: Tx, events: Sequence[LeadFinished]) -> None:
    """Keep how each campaign ended for the person."""
    await tx.responses.note(
        [
            Entry(
                event.contact_id,
                event.at,
                uuid5(event.lead_id, "finished"),
                "campaign.finished",
                {"campaign_id": str(event.campaign_id), "result": event.result, "attempts": event.attempts},
            )
            for event in events
        ]
    )


async def keep_deliveries(tx: Tx, events: Sequence[MessageDelivered]) -> None:
    """Keep what became of messages on the timeline."""
    await tx.responses.note([_delivery_entry(event) for event in events])


async def keep_replies(tx: Tx, events: Sequence[ReplyReceived]) -> None:
    """Keep that the person wrote; the text stays in the notifier."""
    await tx.responses.note(
        [
            Entry(event.contact_id, event.at, event.inbound_id, "message.replied", {"channel": event.channel})
            for event in events
        ]
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal that another service heard, in the CRM's terms."""

    contact_id: UUID
    channel: Channel
    at: datetime
    source: str
    by: UUID | None = None


async def keep_refusals(tx: Tx, refusals: Sequence[Refusal], now: datetime) -> None:
    """Write each refusal into the ledger; who refused need not be a contact of ours."""
    # Sorted by person, so that two batches never wait for each other's ledgers; the order per person stays.
    for one in sorted(refusals, key=lambda each: each.contact_id):
        await withdraw_heard(tx, one.contact_id, refusal(one.channel, one.at, one.source, one.by), now)


async def keep_number_refusals(tx: Tx, events: Sequence[NumberOptOutReceived], now: datetime) -> None:
    """Write each STOP of a number that nobody was written to at into the ledger of that number."""
    for event in sorted(events, key=lambda each: each.number_digest):
        channel = Channel.ALL if event.scope == "all" else Channel(event.channel)
        line = refusal(channel, event.at, f"{event.channel} {event.keyword[:40]}")
        await withdraw_number_heard(tx, event.number_digest, line, now)


def refused_call(event: PersonRefused) -> Refusal:
    """Return what "never call again" means: no channel at all, for a person who says so rarely means one only."""
    return Refusal(event.contact_id, Channel.ALL, event.at, f"call {event.attempt_id}", event.operator_id)


def refused_message(event: OptOutReceived) -> Refusal:
    """Return what STOP means: everything, or its channel where the sender's rules say so."""
    channel = Channel.ALL if event.scope == "all" else Channel(event.channel)
    return Refusal(event.contact_id, channel, event.at, f"{event.channel} {event.keyword[:40]}")


def _response(event: ResponseRecorded) -> Response:
    return Response(
        attempt_id=event.attempt_id,
        revision=event.revision,
        campaign_id=event.campaign_id,
        contact_id=event.contact_id,
        operator_id=event.operator_id,
        script_id=event.script_id,
        script_version=event.script_version,
        language=event.language,
        disposition=event.disposition,
        answers=[answer.model_dump(mode="json") for answer in event.answers],
        note=event.note,
        at=event.at,
    )


def _response_entry(event: ResponseRecorded) -> Entry:
    body: dict[str, Any] = {
        "attempt_id": str(event.attempt_id),
        "revision": event.revision,
        "campaign_id": str(event.campaign_id),
        "operator_id": str(event.operator_id),
        "disposition": event.disposition,
        "answers": len(event.answers),
    }
    entry_id = uuid5(event.attempt_id, f"response {event.revision}")
    return Entry(event.contact_id, event.at, entry_id, "response.recorded", body)


def _call_entry(event: CallEnded) -> Entry:
    body: dict[str, Any] = {
        "attempt_id": str(event.attempt_id),
        "campaign_id": str(event.campaign_id),
        "number_of_attempt": event.number_of_attempt,
        "outcome": event.outcome,
        "operator_id": str(event.operator_id) if event.operator_id else None,
        "talk_s": event.talk_s,
    }
    return Entry(event.contact_id, event.ended_at, event.attempt_id, "call.ended", body)


def _delivery_entry(event: MessageDelivered) -> Entry:
    body: dict[str, Any] = {
        "message_id": str(event.message_id),
        "campaign_id": str(event.campaign_id) if event.campaign_id else None,
        "channel": event.channel,
        "template": event.template,
        "reason": event.reason,
    }
    return Entry(event.contact_id, event.at, uuid5(event.message_id, event.state), f"message.{event.state}", body)
