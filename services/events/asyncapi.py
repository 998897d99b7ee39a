"""The AsyncAPI 3 document: every topic, who sends and who hears what, with headers and payloads."""

from typing import Any

from services.events.catalogue import EVENTS
from services.events.envelope import Event
from services.events.schemas import Json, schema_of
from services.events.topics import PARTITIONS, TOPICS, Topic

_DESCRIPTION = (
    "What Galw's services tell one another. Every record is a CloudEvent 1.0 in Kafka's binary mode: the attributes are"
    " headers, the value is JSON. What concerns a person is keyed by the contact's id, so that it arrives in order. A"
    " record may come more than once; its `ce_id` stays. `crm.enrolments.v1` and `notifier.requests.v1` accept records"
    " from outside, on all others a foreign source is a dead letter. Unknown fields are ignored; an unknown type is"
    " skipped and counted; an unknown version of a known type is a dead letter."
)
_TEXT: Json = {"type": "string"}
_HEADERS: Json = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": _TEXT | {"description": "Identity: a repeat carries the same one and has no further effect."},
        "ce_source": _TEXT | {"description": "The service that says it; from outside, any name of yours."},
        "ce_type": _TEXT | {"description": "The event with its version, such as `dialer.call.ended.v1`."},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": _TEXT | {"description": "W3C trace context of the work that announced it."},
        "galw_epoch": _TEXT | {"description": "Ours alone: under which beginning of the log it was sent."},
    },
}


def asyncapi_document(version: str) -> Json:
    """Return the document; deterministic, so that a change shows in a diff."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Galw events",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: one for topic in TOPICS for name, one in _operations(topic).items()},
        "components": {
            "messages": {event.type_name(): _message(event) for event in EVENTS},
            "messageTraits": {"cloudEvent": {"headers": _HEADERS, "contentType": "application/json"}},
        },
    }


def _events_of(topic: Topic) -> list[type[Event]]:
    return [event for event in EVENTS if event.topic is topic]


def _channel(topic: Topic) -> Json:
    outside = " Accepts records from outside." if topic.external else ""
    personal = (
        " Names people: blanked in the outbox once everybody has it, or after 24 hours." if topic.personal else ""
    )
    messages = [event.type_name() for event in _events_of(topic)]
    return {
        "address": topic.name,
        "description": f"Owned by the {topic.owner}, heard by {', '.join(topic.consumers)}.{outside}{personal}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": PARTITIONS,
                "topicConfiguration": {"retention.ms": int(topic.retention.total_seconds() * 1000)},
            }
        },
    }


def _operations(topic: Topic) -> Json:
    channel: Any = {"$ref": f"#/channels/{topic.name}"}
    operations: Json = {
        f"{topic.owner} sends {topic.name}": _operation("send", channel, topic.owner),
        **{f"{name} hears {topic.name}": _operation("receive", channel, name) for name in topic.consumers},
    }
    return {name.replace(" ", "_").replace(".", "_"): one for name, one in operations.items()}


def _operation(action: str, channel: Json, service: str) -> Json:
    return {"action": action, "channel": channel, "tags": [{"name": service}]}


def _message(event: type[Event]) -> Json:
    payload = {"schemaFormat": "application/schema+json;version=draft-2020-12"}
    return {
        "name": event.type_name(),
        "title": event.__name__,
        "summary": " ".join((event.__doc__ or "").split()),
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": payload | {"schema": {"$ref": f"schemas/{event.type_name()}.json"}},
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}}},
        "x-schema-id": schema_of(event)["$id"],
    }
