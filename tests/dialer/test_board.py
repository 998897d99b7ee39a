"""What an operator's screen is shown of a call that has ended, and how the carrier says that a channel is gone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.domain.operators import Operator, OperatorState
from services.dialer.gateways import AriCarrier
from services.dialer.ports import Fence, Pool
from services.dialer.workers.board import Board
from services.runtime.clock import SystemClock
from services.runtime.errors import NotFoundError
from services.runtime.ids import new_id
from tests.dialer.carrier import carrier_process
from tests.fakes.dialer_store import MemoryDatabase, MemoryDialerStore
from tests.fakes.gate import OneRuleGate

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Screens:
    """Fits `Live`; keeps what was pushed."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.bodies: list[dict[str, Any]] = []

    async def push(self, user_id: UUID, kind: str, body: dict[str, Any]) -> None:
        """Keep it."""
        self.bodies.append(body)


async def test_a_call_that_the_customer_ended_stays_on_the_screen_while_it_is_wrapped_up() -> None:
    database, screens, pool = MemoryDatabase(now=lambda: NOON), Screens(), Pool(uuid4(), "main", 60, 10, 60)
    phone = Phone("+441632960001", "digest", "landline", "GB")
    campaign = Campaign(uuid4(), "Survey", CampaignState.RUNNING, pool.id, Plan(), 1, NOON)
    lead = Lead(
        id=uuid4(),
        campaign_id=campaign.id,
        contact_id=uuid4(),
        person=Person(name="Ann", country="GB"),
        phones=(phone,),
        state=LeadState.BUSY,
        stream=Stream.FRESH,
        next_at=NOON - timedelta(minutes=1),
        priority=1,
        version=2,
    )
    attempt = Attempt(
        id=uuid4(),
        lead_id=lead.id,
        campaign_id=lead.campaign_id,
        pool_id=pool.id,
        contact_id=lead.contact_id,
        phone=phone.e164,
        number_digest=phone.digest,
        n=1,
        mode="progressive",
        trunk="main",
        caller_id="+441632960999",
        state=AttemptState.ENDED,
        version=5,
        epoch=1,
        decision={},
        ring_timeout_s=20,
        reserved_at=NOON,
        dial_slot_at=NOON,
        outcome=Outcome.ANSWERED,
    )
    database.leads[lead.id], database.attempts[attempt.id], database.campaigns[campaign.id] = lead, attempt, campaign
    board = Board(
        pool=pool,
        fence=Fence(pool.id, 1),
        store=MemoryDialerStore(database),
        carrier=AriCarrier(None, ""),  # pyright: ignore[reportArgumentType] - no call is placed
        live=screens,
        gatekeeper=OneRuleGate(),
        clock=SystemClock(),
        new_id=new_id,
    )
    operator = Operator(uuid4(), "Op", pool.id, OperatorState.WRAP_UP, NOON, version=7, attempt_id=attempt.id)
    board.keep(operator=operator)
    assert attempt.id not in board.calls
    await board.push(operator.id)
    assert screens.bodies[0]["call"]["call_id"] == str(attempt.id)
    assert screens.bodies[0]["call"]["person"]["name"] == "Ann"


@pytest.mark.system
async def test_joining_a_channel_that_is_gone_says_so_whatever_code_the_carrier_has_for_it(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session, carrier_process(tmp_path) as url:
        carrier = AriCarrier(session, url)
        with pytest.raises(NotFoundError):
            await carrier.join("bridge-1", (str(uuid4()), "leg-1"))
