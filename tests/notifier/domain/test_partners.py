"""Who is told of what, and what exactly is said."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from services.events import crm, dialer, notifier
from services.events.catalogue import EVENTS
from services.events.envelope import Event
from services.notifier.domain.partners import Routing, Target, check_subscriptions, must_disable
from services.notifier.domain.public_events import PUBLIC_TYPES, PublicEvent, data_schema, public_event
from services.runtime.errors import RejectedError

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
SECRETS = ("+441632960001", "mair@example.com", "call my sister", "digest-of-a-number")

SAMPLES: tuple[Event, ...] = (
    dialer.CampaignChanged(campaign_id=A, sequence=1, name="n", state="running", change="launched", at=NOW, by=C),
    dialer.CallAnswered(attempt_id=B, campaign_id=A, contact_id=C, answered_at=NOW),
    dialer.CallEnded(
        attempt_id=B, campaign_id=A, contact_id=C, number_of_attempt=1, outcome="answered", operator_id=C, ended_at=NOW
    ),
    dialer.LeadFinished(lead_id=B, campaign_id=A, contact_id=C, result="reached", attempts=2, at=NOW),
    dialer.ResponseRecorded(
        attempt_id=B,
        campaign_id=A,
        contact_id=C,
        operator_id=C,
        script_id=B,
        script_version=1,
        language="cy",
        disposition="sale",
        answers=(
            dialer.RecordedAnswer(question_id="q1", kind="choice", question="Well?", value="yes"),
            dialer.RecordedAnswer(question_id="q2", kind="text", question="Why?", value=SECRETS[2]),
        ),
        note=SECRETS[0],
        at=NOW,
    ),
    dialer.PersonRefused(attempt_id=B, campaign_id=A, contact_id=C, operator_id=C, at=NOW),
    crm.ContactChanged(contact_id=C, sequence=1, created=True, external_id=SECRETS[1]),
    crm.ContactErased(contact_id=C, sequence=2),
    crm.ConsentChanged(
        contact_id=C, sequence=1, change="withdrawn", at=NOW, source="operator", number_digests=(SECRETS[3],)
    ),
    notifier.MessageDelivered(
        message_id=B, request_id=B, contact_id=C, channel="sms", template="t", state="delivered", at=NOW
    ),
    notifier.OptOutReceived(inbound_id=B, contact_id=C, channel="sms", keyword=SECRETS[2], at=NOW),
    notifier.ReplyReceived(inbound_id=B, contact_id=C, channel="sms", at=NOW),
)


def test_there_is_a_sample_of_every_public_type_and_the_rest_is_private() -> None:
    assert {type(one) for one in SAMPLES} == {one.event for one in PUBLIC_TYPES.values()}
    private = set(EVENTS) - {one.event for one in PUBLIC_TYPES.values()}
    assert private == {
        *(crm.LeadEnrolled, crm.LeadWithdrawn, crm.ConsentWatermark),
        *(dialer.OperatorStateChanged, dialer.PackChanged, notifier.MessageRequested),
        notifier.NumberOptOutReceived,  # names nobody whom a partner could know
    }


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.type)
def test_the_body_is_that_of_the_catalogue_and_names_nobody(event: Event) -> None:
    shown = public_event(event, B, NOW)
    assert shown is not None
    body: dict[str, Any] = json.loads(shown.payload)
    assert list(body) == ["type", "timestamp", "data"]
    assert body["type"] == event.type
    assert body["timestamp"] == "2026-11-23T12:00:00Z"
    jsonschema.validate(body["data"], data_schema(PUBLIC_TYPES[event.type]))
    assert set(body["data"]) == set(PUBLIC_TYPES[event.type].fields)
    for secret in SECRETS:
        assert secret not in shown.payload.decode()
    assert "operator_id" not in body["data"]


def test_answers_are_sent_but_free_text_is_not() -> None:
    shown = public_event(SAMPLES[4], B, NOW)
    assert shown is not None
    assert json.loads(shown.payload)["data"]["answers"] == [
        {"question_id": "q1", "kind": "choice", "value": "yes"},
        {"question_id": "q2", "kind": "text"},
    ]


def test_what_is_private_is_not_shown() -> None:
    watermark = crm.ConsentWatermark(shard=0, at=NOW, stream_id=A)
    assert public_event(watermark, B, NOW) is None


def event(kind: str, campaign: UUID | None = A) -> PublicEvent:
    return PublicEvent(B, kind, NOW, campaign, b"{}")


def told(*targets: Target, of: PublicEvent) -> set[UUID]:
    found = [one.endpoint_id for one in Routing(targets).targets(of)]
    assert len(found) == len(set(found))
    return set(found)


def test_patterns_match_exactly_by_prefix_or_everything() -> None:
    everything, calls, exact, none = (
        Target(UUID(int=10 + n), tuple(patterns), None, True)
        for n, patterns in enumerate((["*", "dialer.*"], ["dialer.call.*"], ["dialer.call.ended"], []))
    )
    ids = {one: one.endpoint_id for one in (everything, calls, exact, none)}
    every = (everything, calls, exact, none)
    assert told(*every, of=event("dialer.call.ended")) == {ids[everything], ids[calls], ids[exact]}
    assert told(*every, of=event("dialer.call.answered")) == {ids[everything], ids[calls]}
    assert told(*every, of=event("crm.contact.erased", None)) == {ids[everything]}


def test_a_partner_of_some_campaigns_hears_of_these_and_of_nothing_else() -> None:
    limited = Target(B, ("*",), frozenset({A}), True)
    assert told(limited, of=event("dialer.call.ended", A)) == {B}
    assert told(limited, of=event("dialer.call.ended", C)) == set()
    assert told(limited, of=event("crm.contact.changed", None)) == set()
    assert told(Target(B, ("*",), frozenset(), True), of=event("dialer.call.ended", A)) == set()


@pytest.mark.parametrize(
    "pattern", ["", "call.ended", "dialer.call", "*.ended", "dialer.operator.*", "galw.test", "**"]
)
def test_a_pattern_that_matches_nothing_is_a_mistake(pattern: str) -> None:
    with pytest.raises(RejectedError) as refusal:
        check_subscriptions(["dialer.*", pattern])
    assert "dialer.call.ended" in refusal.value.fields[0].problem


def test_an_endpoint_is_given_up_after_five_days_of_failures_in_a_row() -> None:
    long_ago = NOW - timedelta(days=5)
    assert must_disable(long_ago, 10, NOW)
    assert not must_disable(long_ago, 9, NOW)
    assert not must_disable(long_ago + timedelta(minutes=1), 1000, NOW)
