"""From the domain's values to the facts on the wire."""

from datetime import datetime
from uuid import uuid5

from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead, LeadState, MessageStep
from services.dialer.domain.operators import Operator
from services.events import dialer as facts
from services.events.envelope import Event
from services.events.notifier import MessageRequested


def of_attempt(before: Attempt, after: Attempt) -> tuple[Event, ...]:
    """Return what others hear of an attempt's transition."""
    news: tuple[Event, ...] = ()
    if before.answered_at is None and after.answered_at is not None and not after.machine:
        news += (
            facts.CallAnswered(
                attempt_id=after.id,
                campaign_id=after.campaign_id,
                contact_id=after.contact_id,
                answered_at=after.answered_at,
            ),
        )
    return (*news, call_ended(after)) if after.state is AttemptState.ENDED else news


def call_ended(attempt: Attempt) -> facts.CallEnded:
    """Return the one fact that an attempt reached its outcome."""
    if attempt.outcome is None or attempt.ended_at is None:
        raise ValueError("a live attempt has no outcome to announce")
    talked = attempt.connected_at is not None
    waited_until = attempt.connected_at or attempt.ended_at
    return facts.CallEnded(
        attempt_id=attempt.id,
        campaign_id=attempt.campaign_id,
        contact_id=attempt.contact_id,
        number_of_attempt=attempt.n,
        outcome=attempt.outcome.value,
        cause=attempt.cause,
        operator_id=attempt.operator_id,
        dialed_at=attempt.dialed_at,
        answered_at=attempt.answered_at,
        connected_at=attempt.connected_at,
        ended_at=attempt.ended_at,
        talk_s=(attempt.ended_at - attempt.connected_at).total_seconds() if attempt.connected_at and talked else 0.0,
        wait_s=(waited_until - attempt.answered_at).total_seconds() if attempt.answered_at else None,
    )


def of_lead(lead: Lead, now: datetime) -> tuple[Event, ...]:
    """Return what others hear of a lead: only that it is finished."""
    if lead.state is not LeadState.FINISHED or lead.result is None:
        return ()
    return (
        facts.LeadFinished(
            lead_id=lead.id,
            campaign_id=lead.campaign_id,
            contact_id=lead.contact_id,
            result=lead.result,
            attempts=lead.attempts,
            at=now,
        ),
    )


def of_operator(before: Operator, after: Operator) -> tuple[Event, ...]:
    """Return what others hear of an operator: a new state or reason."""
    if (before.state, before.reason, before.attempt_id) == (after.state, after.reason, after.attempt_id):
        return ()
    return (
        facts.OperatorStateChanged(
            operator_id=after.id,
            sequence=after.version,
            state=after.state.value,
            reason=after.reason,
            attempt_id=after.attempt_id,
            at=after.since,
        ),
    )


def message_requested(campaign: Campaign, lead: Lead, step: MessageStep) -> MessageRequested | None:
    """Return the request for a cadence's message, or None when the person has no address for its channel.

    The request's id follows from lead and step, so a repeat is the same request.
    """
    to = lead.person.email if step.channel == "email" else lead.phone.e164
    if not to:
        return None
    return MessageRequested(
        request_id=uuid5(lead.id, f"step-{lead.step}"),
        contact_id=lead.contact_id,
        campaign_id=campaign.id,
        channel=step.channel,
        to=to,
        template=step.template,
        language=lead.person.language or campaign.plan.language,
        variables={"name": lead.person.name, "campaign": campaign.name, **lead.person.attributes},
        purpose=campaign.plan.purpose,
    )
