"""What an operator's screen is shown: the same body over HTTP and over the live line."""

from typing import Any

from services.dialer.domain.attempts import Attempt
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator


def operator_body(operator: Operator, attempt: Attempt | None, lead: Lead | None) -> dict[str, Any]:
    """Return an operator's state with the call they are on and the person it is with."""
    return {
        "operator_id": str(operator.id),
        "state": operator.state.value,
        "reason": operator.reason,
        "since": operator.since.isoformat(),
        "version": operator.version,
        "next_state": operator.next_state.value if operator.next_state is not None else None,
        "offer_lead_id": str(operator.offer_lead_id) if operator.offer_lead_id is not None else None,
        "call": call_body(attempt, lead) if attempt is not None else None,
    }


def call_body(attempt: Attempt, lead: Lead | None) -> dict[str, Any]:
    """Return a call and its person; the number is shown to the operator who has the call, and to nobody else."""
    return {
        "call_id": str(attempt.id),
        "campaign_id": str(attempt.campaign_id),
        "contact_id": str(attempt.contact_id),
        "lead_id": str(attempt.lead_id),
        "state": attempt.state.value,
        "held": attempt.held,
        "phone": attempt.phone,
        "answered_at": attempt.answered_at.isoformat() if attempt.answered_at is not None else None,
        "connected_at": attempt.connected_at.isoformat() if attempt.connected_at is not None else None,
        "person": person_body(lead) if lead is not None else None,
    }


def person_body(lead: Lead) -> dict[str, Any]:
    """Return what an operator may know of the person."""
    person = lead.person
    return {
        "name": person.name,
        "language": person.language,
        "country": person.country,
        "region": person.region,
        "attributes": dict(person.attributes),
    }
