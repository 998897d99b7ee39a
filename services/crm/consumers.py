"""What the CRM hears: the dialer's and the notifier's facts, each handed to one use case."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from services.crm.ports import Tx
from services.crm.usecases import hearing
from services.events.dialer import (
    CallAnswered,
    CallEnded,
    CampaignChanged,
    LeadFinished,
    OperatorStateChanged,
    PersonRefused,
    ResponseRecorded,
)
from services.events.envelope import Event
from services.events.notifier import MessageDelivered, NumberOptOutReceived, OptOutReceived, ReplyReceived
from services.runtime.clock import Clock
from services.runtime.consumer import Handlers, Received
from services.runtime.postgres import Connection

E = TypeVar("E", bound=Event)


def handlers(tx_on: Callable[[Connection], Tx], clock: Clock) -> Handlers:
    """Return the CRM's handlers; *tx_on* sees the CRM's tables through the consumer's transaction."""
    heard = Handlers()

    def keep(event: type[E], use_case: Callable[[Tx, Sequence[E]], Awaitable[None]]) -> None:
        async def on_batch(conn: Connection, batch: Sequence[Received[E]]) -> None:
            await use_case(tx_on(conn), [one.event for one in batch])

        heard.on(event)(on_batch)

    keep(CampaignChanged, hearing.keep_campaigns)
    keep(ResponseRecorded, hearing.keep_responses)
    keep(CallAnswered, hearing.keep_answered)
    keep(CallEnded, hearing.keep_calls)
    keep(LeadFinished, hearing.keep_finished)
    keep(OperatorStateChanged, hearing.keep_operators)
    keep(MessageDelivered, hearing.keep_deliveries)
    keep(ReplyReceived, hearing.keep_replies)

    @heard.on(PersonRefused)
    async def on_person_refused(conn: Connection, batch: Sequence[Received[PersonRefused]]) -> None:
        refusals = [hearing.refused_call(one.event) for one in batch]
        await hearing.keep_refusals(tx_on(conn), refusals, clock.now())

    @heard.on(OptOutReceived)
    async def on_optout_received(conn: Connection, batch: Sequence[Received[OptOutReceived]]) -> None:
        refusals = [hearing.refused_message(one.event) for one in batch]
        await hearing.keep_refusals(tx_on(conn), refusals, clock.now())

    @heard.on(NumberOptOutReceived)
    async def on_number_optout_received(conn: Connection, batch: Sequence[Received[NumberOptOutReceived]]) -> None:
        await hearing.keep_number_refusals(tx_on(conn), [one.event for one in batch], clock.now())

    return heard
