"""Messages to people on a real PostgreSQL: once per request, checked when they are sent, silent after a no."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.events.crm import ConsentChanged
from services.events.notifier import (
    MessageDelivered,
    MessageRequested,
    NumberOptOutReceived,
    OptOutReceived,
    ReplyReceived,
)
from services.notifier.consumers import consent_lines
from services.notifier.domain.messages import Message, MessageState
from services.notifier.domain.recipients import MessageChannel, address_digest
from services.notifier.domain.templates import Rendered, Template, Text
from services.notifier.gateways import OpenGate, OutboxGateway
from services.notifier.ports import Inbound, MessageFilter, MessageView, NotSent, Sent, Wait
from services.notifier.usecases.inbound import Receiving, Wrote, receive
from services.notifier.usecases.messages import Sending, accept_requests, blank_old_messages, send_due
from services.runtime.errors import RejectedError, UnavailableError
from services.runtime.ids import new_id
from tests.notifier.conftest import PHONE_KEY, House, noon

pytestmark = pytest.mark.pg

NUMBER, OTHER_NUMBER = "+441632960001", "+441632960002"
RECEIVING = Receiving(PHONE_KEY, "all", new_id)


Outcome = Sent | NotSent | UnavailableError


class Gateway:
    """A provider that does what a test says."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.sent: list[tuple[Message, Rendered]] = []

    async def send(self, message: Message, rendered: Rendered) -> Sent | NotSent:
        self.sent.append((message, rendered))
        outcome = self.outcomes.pop(0) if self.outcomes else Sent(delivered=False, provider_id="p-1")
        if isinstance(outcome, UnavailableError):
            raise outcome
        return outcome


class Post:
    """What tests do with messages."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.gateway = Gateway()
        self.sending = Sending({"sms": self.gateway, "email": OutboxGateway()}, OpenGate(), "Acme", house.clock, new_id)

    async def template(self, name: str = "missed", channel: MessageChannel = "sms", **texts: str) -> None:
        chosen = texts or {"en": "Hello {{ name }}, {{ organisation }} missed you."}
        subject = "A subject" if channel == "email" else ""
        made = {language: Text(text, subject) for language, text in chosen.items()}
        async with self.house.store.transaction() as tx:
            await tx.templates.add(Template(name, 1, channel, next(iter(made)), made, noon()))

    async def ask(self, contact_id: UUID | None = None, **changes: Any) -> UUID:
        """Ask for a message; return the id of the request."""
        wish: dict[str, Any] = {
            "request_id": new_id(),
            "contact_id": contact_id or new_id(),
            "channel": "sms",
            "to": NUMBER,
            "template": "missed",
            "variables": {"name": "Mair"},
        }
        request = MessageRequested(**(wish | changes))
        async with self.house.store.transaction() as tx:
            await accept_requests(tx, [request], PHONE_KEY, self.house.clock.now(), new_id)
        return request.request_id

    async def send(self) -> int:
        return await send_due(self.house.store, self.sending, 100)

    async def view(self, request_id: UUID) -> MessageView:
        async with self.house.store.transaction() as tx:
            found = await tx.messages.find_requested(request_id)
        assert found is not None
        return found

    async def wrote(self, text: str, **who: Any) -> Inbound:
        wrote = Wrote("sms", text, **(who or {"address": NUMBER}))
        return await receive(self.house.store, wrote, RECEIVING, new_id(), self.house.clock.now())

    async def hear(self, change: ConsentChanged) -> None:
        async with self.house.store.transaction() as tx:
            await tx.consents.save(consent_lines(change))

    async def announced(self) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.house.pool.fetch("SELECT type, payload FROM outbox ORDER BY seq")
        return [(row["type"], orjson.loads(row["payload"])) for row in rows]


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


def consent(contact_id: UUID, change: str, at: datetime, **changes: Any) -> ConsentChanged:
    wish: dict[str, Any] = {"contact_id": contact_id, "sequence": 1, "change": change, "at": at, "source": "test"}
    return ConsentChanged(**(wish | changes))


async def test_a_message_is_rendered_sent_and_announced(post: Post) -> None:
    await post.template()
    request_id = await post.ask(language="en-GB")
    assert await post.send() == 1
    view = await post.view(request_id)
    assert (view.state, view.body, view.template_version) == ("sent", "Hello Mair, Acme missed you.", 1)
    ((kind, body),) = await post.announced()
    assert kind == MessageDelivered.type_name()
    assert (body["state"], body["request_id"]) == ("sent", str(request_id))
    assert NUMBER not in str(body)


async def test_a_repeated_request_is_one_message(post: Post) -> None:
    await post.template()
    request_id, contact_id = new_id(), new_id()
    for _ in range(3):
        await post.ask(contact_id, request_id=request_id)
        await post.send()
    assert len(post.gateway.sent) == 1


async def test_without_a_provider_the_outbox_is_the_delivery(post: Post) -> None:
    await post.template("letter", "email", en="Dear {{ name }}")
    request_id = await post.ask(channel="email", to="mair@example.com", template="letter")
    await post.send()
    view = await post.view(request_id)
    assert (view.state, view.subject, view.body) == ("delivered", "A subject", "Dear Mair")


@pytest.mark.parametrize("to", ["", "nobody", "+44", "mair@example.com"])
async def test_an_unusable_number_is_refused_for_good(post: Post, to: str) -> None:
    with pytest.raises(RejectedError):
        await post.ask(to=to)


async def test_consent_is_read_when_the_message_goes_not_when_it_was_asked_for(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    request_id = await post.ask(contact_id)
    await post.hear(consent(contact_id, "withdrawn", post.house.clock.now()))
    await post.send()
    assert (await post.view(request_id)).state == "suppressed"
    assert post.gateway.sent == []
    assert (await post.announced())[0][1]["state"] == "suppressed"


async def test_a_no_of_whoever_shares_the_number_counts_too(post: Post) -> None:
    await post.template()
    digest = address_digest(PHONE_KEY, "sms", NUMBER)
    await post.hear(consent(new_id(), "withdrawn", post.house.clock.now(), number_digests=(digest,)))
    request_id = await post.ask()
    await post.send()
    assert (await post.view(request_id)).state == "suppressed"


async def test_consents_that_arrive_out_of_order_end_in_the_same_word(post: Post) -> None:
    await post.template()
    contact_id, now = new_id(), post.house.clock.now()
    hour = timedelta(hours=1)
    await post.hear(consent(contact_id, "given", now - hour, sequence=3))
    await post.hear(consent(contact_id, "withdrawn", now - 2 * hour, sequence=2))
    request_id = await post.ask(contact_id)
    await post.send()
    assert (await post.view(request_id)).state == "sent"


async def test_what_expired_is_not_sent(post: Post) -> None:
    await post.template()
    request_id = await post.ask()
    post.house.clock.shift += timedelta(hours=25)
    await post.send()
    assert (await post.view(request_id)).state == "expired"
    assert post.gateway.sent == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"template": "unknown"}, "There is no sms template unknown."),
        ({"variables": {}}, "The template needs the variable 'name', which is missing."),
        ({"template": "help-email"}, "There is no sms template help-email."),
    ],
)
async def test_what_cannot_be_rendered_fails_and_says_why(post: Post, changes: dict[str, Any], reason: str) -> None:
    await post.template()
    request_id = await post.ask(**changes)
    await post.send()
    view = await post.view(request_id)
    assert (view.state, view.reason) == ("failed", reason)


async def test_one_bad_message_holds_no_other_up(post: Post) -> None:
    await post.template()
    await post.ask(variables={})
    good = await post.ask()
    await post.send()
    assert (await post.view(good)).state == "sent"


async def test_a_provider_that_is_away_is_tried_again_until_the_message_expires(post: Post) -> None:
    await post.template()
    post.gateway.outcomes += [UnavailableError("The provider is away.")] * 3
    request_id = await post.ask()
    waits: list[float] = []
    for _ in range(3):
        await post.send()
        due = await post.house.pool.fetchval("SELECT next_attempt_at FROM messages")
        waits.append(round((due - post.house.clock.now()).total_seconds()))
        assert await post.send() == 0
        post.house.clock.shift += timedelta(seconds=waits[-1] + 1)
    assert waits == [15, 30, 60]
    await post.send()
    assert (await post.view(request_id)).state == "sent"
    assert len(post.gateway.sent) == 4


async def test_a_provider_that_refuses_ends_it(post: Post) -> None:
    await post.template()
    post.gateway.outcomes += [NotSent("The number does not exist.")]
    request_id = await post.ask()
    await post.send()
    view = await post.view(request_id)
    assert (view.state, view.reason) == ("failed", "The number does not exist.")


async def test_the_gate_postpones(post: Post) -> None:
    await post.template()
    until = post.house.clock.now() + timedelta(hours=10)

    class Night:
        def decide(self, message: Message, now: datetime) -> Wait | None:
            return Wait(until, "It is night there.") if now < until else None

    post.sending = replace(post.sending, gate=Night())
    request_id = await post.ask()
    await post.send()
    assert (await post.view(request_id)).state == "pending"
    post.house.clock.shift += timedelta(hours=10)
    await post.send()
    assert (await post.view(request_id)).state == "sent"


async def test_a_crash_after_the_claim_makes_the_message_due_again(post: Post) -> None:
    await post.template()
    request_id = await post.ask()
    now = post.house.clock.now()
    async with post.house.store.transaction() as tx:
        assert len(await tx.messages.claim(now, now + timedelta(minutes=2), new_id(), 10)) == 1
    assert await post.send() == 0
    post.house.clock.shift += timedelta(minutes=3)
    assert await post.send() == 1
    assert (await post.view(request_id)).state == "sent"


async def test_stop_silences_confirms_once_and_tells_everybody(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id, language="cy")
    await post.send()
    waiting = await post.ask(contact_id)

    inbound = await post.wrote("STOP")
    assert (inbound.meaning, inbound.keyword, inbound.contact_ids) == ("opt_out", "stop", (contact_id,))
    again = await post.wrote("stop!!")
    assert again.answer_id is None
    await post.send()

    assert (await post.view(waiting)).state == "suppressed"
    bodies = [rendered.body for _, rendered in post.gateway.sent]
    assert len(bodies) == 2
    assert bodies[1].startswith("Acme: rydych wedi dad-danysgrifio")
    facts = [body for kind, body in await post.announced() if kind == OptOutReceived.type_name()]
    assert [(one["contact_id"], one["scope"]) for one in facts] == [(str(contact_id), "all")] * 2
    assert NUMBER not in str(await post.announced())


async def test_a_stop_of_somebody_never_written_to_is_announced_for_the_number(post: Post) -> None:
    inbound = await post.wrote("STOP")
    assert inbound.contact_ids == ()
    [(kind, fact)] = await post.announced()
    assert kind == NumberOptOutReceived.type_name()
    assert (fact["number_digest"], fact["scope"]) == (address_digest(PHONE_KEY, "sms", NUMBER), "all")


async def test_stop_counts_at_once_even_if_nothing_else_commits(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id)
    await post.wrote("unsubscribe")
    await post.send()
    states = [row["state"] for row in await post.house.pool.fetch("SELECT state FROM messages ORDER BY id")]
    assert states == ["suppressed", "sent"]  # what waited, and the confirmation


async def test_stop_reaches_everybody_at_the_number_and_the_number_itself(post: Post) -> None:
    await post.template()
    one, two = new_id(), new_id()
    await post.ask(one)
    await post.ask(two)
    inbound = await post.wrote("STOP")
    assert set(inbound.contact_ids) == {one, two}
    newcomer = await post.ask()
    await post.send()
    assert (await post.view(newcomer)).state == "suppressed"


async def test_stop_from_a_number_that_was_never_written_to_is_remembered(post: Post) -> None:
    await post.template()
    inbound = await post.wrote("STOP")
    assert inbound.contact_ids == ()
    request_id = await post.ask()
    await post.send()
    assert (await post.view(request_id)).state == "suppressed"


async def test_stop_by_contact_finds_the_number(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id)
    await post.send()
    inbound = await post.wrote("STOP", contact_id=contact_id)
    assert inbound.address_digest == address_digest(PHONE_KEY, "sms", NUMBER)
    assert inbound.answer_id is not None


async def test_a_later_consent_in_the_ledger_opens_again(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id)
    await post.wrote("STOP")
    post.house.clock.shift += timedelta(hours=1)
    digest = address_digest(PHONE_KEY, "sms", NUMBER)
    await post.hear(consent(contact_id, "given", post.house.clock.now(), number_digests=(digest,)))
    request_id = await post.ask(contact_id)
    await post.send()
    assert (await post.view(request_id)).state == "sent"


async def test_the_echo_of_our_own_no_opens_nothing(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id)
    stopped_at = post.house.clock.now()
    await post.wrote("STOP")
    await post.hear(consent(contact_id, "given", stopped_at - timedelta(days=1)))
    await post.hear(consent(contact_id, "withdrawn", stopped_at))
    request_id = await post.ask(contact_id)
    await post.send()
    assert (await post.view(request_id)).state == "suppressed"


async def test_a_providers_repeat_changes_nothing(post: Post) -> None:
    await post.template()
    await post.ask()
    first = await post.wrote("STOP", address=NUMBER, provider_id="sm-1")
    repeat = await post.wrote("STOP", address=NUMBER, provider_id="sm-1")
    assert repeat == first
    assert await post.house.pool.fetchval("SELECT count(*) FROM inbound_messages") == 1


async def test_help_is_answered_once_an_hour_and_silences_nobody(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id)
    assert (await post.wrote("HELP")).answer_id is not None
    assert (await post.wrote("help")).answer_id is None
    await post.send()
    assert [rendered.body[:4] for _, rendered in post.gateway.sent] == ["Hell", "Acme"]


async def test_a_reply_is_kept_for_people_and_announced_without_its_text(post: Post) -> None:
    contact_id = new_id()
    await post.ask(contact_id)
    inbound = await post.wrote("My sister's number is 01632 960003")
    assert inbound.meaning == "reply"
    ((kind, body),) = await post.announced()
    assert kind == ReplyReceived.type_name()
    assert "960003" not in str(body)


async def test_partners_hear_of_what_the_notifier_itself_announces(post: Post) -> None:
    await post.template()
    await post.house.endpoint("http://127.0.0.1:9999/x", "notifier.*")
    await post.ask()
    await post.wrote("STOP")
    await post.send()
    types = await post.house.pool.fetch("SELECT type FROM webhook_events ORDER BY id")
    assert [row["type"] for row in types] == [
        *("notifier.optout.received", "notifier.message.delivered", "notifier.message.delivered")
    ]
    ids = {row["id"] for row in await post.house.pool.fetch("SELECT id FROM outbox")}
    assert ids == {row["id"] for row in await post.house.pool.fetch("SELECT id FROM webhook_events")}


async def test_old_messages_lose_address_and_text_but_stop_still_finds_the_person(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    request_id = await post.ask(contact_id)
    await post.wrote("I am at home")
    await post.send()
    post.house.clock.shift += timedelta(days=31)
    assert not await blank_old_messages(post.house.store, timedelta(days=30), post.house.clock.now(), 100)
    view = await post.view(request_id)
    assert (view.message.to, view.body, view.message.variables) == ("", "", {})
    assert await post.house.pool.fetchval("SELECT text FROM inbound_messages") == ""
    assert (await post.wrote("STOP")).contact_ids == (contact_id,)


async def test_erasure_leaves_nothing_of_the_person_but_the_no(post: Post) -> None:
    await post.template()
    contact_id = new_id()
    await post.ask(contact_id)
    await post.send()
    await post.wrote("STOP, said Mair")
    waiting = await post.ask(contact_id)
    async with post.house.store.transaction() as tx:
        await tx.messages.forget(contact_id)
    dump = ""
    for table in ("messages", "inbound_messages", "outbox", "webhook_events"):
        dump += str([tuple(row) for row in await post.house.pool.fetch(f"SELECT * FROM {table}")])
    assert NUMBER not in dump
    assert "Mair" not in dump
    assert address_digest(PHONE_KEY, "sms", NUMBER) not in dump
    await post.send()
    assert (await post.view(waiting)).state == "failed"
    newcomer = await post.ask()
    await post.send()
    assert (await post.view(newcomer)).state == "suppressed"


async def test_two_instances_send_each_message_once(post: Post) -> None:
    await post.template()
    for _ in range(60):
        await post.ask()
    await asyncio.gather(*(send_due(post.house.store, post.sending, 20) for _ in range(6)))
    ids = [message.id for message, _ in post.gateway.sent]
    assert len(set(ids)) == len(ids) == 60


async def test_the_outbox_lists_the_newest_first(post: Post) -> None:
    await post.template()
    first, second = await post.ask(), await post.ask(to=OTHER_NUMBER)
    async with post.house.store.transaction() as tx:
        found = await tx.messages.page(MessageFilter(state=MessageState.PENDING), None, 10)
    assert [one.message.request_id for one in found] == [second, first]
