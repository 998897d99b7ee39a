"""Attempts, operators, leads and scripts to start a test from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.leads import CallStep, Lead, LeadState, MessageStep, Person, Phone, RetryRule, Stream
from services.dialer.domain.operators import Operator, OperatorState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CALLS = CallStep(
    retries={
        Outcome.NO_ANSWER: RetryRule(timedelta(hours=3), 2, alternate_number=True),
        Outcome.BUSY: RetryRule(timedelta(minutes=15), 3),
    },
    max_attempts=4,
)
SMS = MessageStep("sms", "missed_you", after=timedelta(hours=1))


def attempt(state: AttemptState = AttemptState.RESERVED, **said: Any) -> Attempt:
    """Return a fresh attempt."""
    made = Attempt(
        id=uuid4(),
        lead_id=uuid4(),
        campaign_id=uuid4(),
        pool_id=uuid4(),
        contact_id=uuid4(),
        phone="+441632960001",
        number_digest="digest",
        n=1,
        mode="progressive",
        trunk="main",
        caller_id="+441632960999",
        state=state,
        version=1,
        epoch=1,
        decision={},
        ring_timeout_s=25,
        reserved_at=NOW,
        dial_slot_at=NOW,
    )
    return replace(made, **said)


def operator(state: OperatorState = OperatorState.READY, **said: Any) -> Operator:
    """Return an operator whose line is up."""
    return replace(Operator(uuid4(), "Op", uuid4(), state, NOW, 1, instance_id=UUID(int=1)), **said)


def lead(*numbers: str, **said: Any) -> Lead:
    """Return a fresh lead with these numbers."""
    phones = tuple(Phone(number, f"digest {number}", "mobile", "GB") for number in numbers or ("+441632960001",))
    made = Lead(uuid4(), uuid4(), uuid4(), LeadState.WAITING, Person("P"), phones, 0, Stream.FRESH, NOW, 1)
    return replace(made, **said)
