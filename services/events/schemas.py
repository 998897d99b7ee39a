"""JSON Schemas of the wire: what a record of each event type holds, as `make docs` writes them beside the code."""

from typing import Any

from services.events.envelope import Event

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(event: type[Event]) -> Json:
    """Return the JSON Schema (2020-12) of the payload of *event*, with topic and type beside it.

    A field that is not required was added later or is often empty: its default stands in the schema. Unknown fields
    are allowed, because a producer may be newer than its reader.
    """
    return {
        "$schema": DIALECT,
        "$id": f"urn:galw:event:{event.type_name()}",
        "x-topic": event.topic.name,
        "x-type": event.type_name(),
        **_plain(event.model_json_schema()),
    }


def _plain(schema: Json) -> Json:
    """Return *schema* without the titles that pydantic makes of the names, its prose on one line."""
    plain: Json = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs"):
            plain[key] = {name: _plain(one) for name, one in value.items()}
        elif key == "description":
            plain[key] = " ".join(value.split())
        elif isinstance(value, dict) and key != "default":
            plain[key] = _plain(value)
        elif key in ("anyOf", "allOf", "oneOf", "prefixItems"):
            plain[key] = [_plain(one) for one in value]
        else:
            plain[key] = value
    return plain
