"""A previewed lead goes back to its queue in the very change that takes it from the operator's screen."""

from datetime import datetime

from services.dialer.domain import leads as lead_rules
from services.dialer.domain.leads import Lead, LeadState
from services.dialer.domain.operators import Operator
from services.dialer.ports import CallStore


async def lead_given_back(store: CallStore, before: Operator, after: Operator, now: datetime) -> Lead | None:
    """Return the lead that *after* no longer shows and does not dial either, waiting again; None when there is none."""
    lead_id = before.offer_lead_id
    if lead_id is None or after.offer_lead_id == lead_id or after.attempt_id is not None:
        return None
    lead = await store.load_lead(lead_id)
    return lead_rules.release(lead, now) if lead.state is LeadState.BUSY else None
