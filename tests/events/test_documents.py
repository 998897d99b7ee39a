"""The documents under `docs/` are those of the code, and no schema breaks what was committed before."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal
from uuid import UUID

import jsonschema
import orjson
import pytest
import yaml
from jsonschema.validators import Draft202012Validator
from pydantic import Field, create_model

from services.events.asyncapi import asyncapi_document
from services.events.catalogue import EVENTS
from services.events.compatibility import breaks
from services.events.envelope import Event, Wire
from services.events.schemas import Json, schema_of
from services.events.topics import CRM_CONTACTS, DIALER_CALLS, TOPICS, Topic
from tools.docs import DOCS, SCHEMAS, broken, generated, stale


def test_what_is_generated_is_what_stands_in_docs() -> None:
    assert stale(generated()) == [], "run `make docs`"


def test_a_changed_and_a_forgotten_document_are_noticed(tmp_path: Path) -> None:
    files = {f"{SCHEMAS}/a.json": "{}", "settings.md": "x"}
    (tmp_path / SCHEMAS).mkdir(parents=True)
    (tmp_path / SCHEMAS / "a.json").write_text("{} ")
    (tmp_path / SCHEMAS / "old.json").write_text("{}")
    assert stale(files, tmp_path) == [f"{SCHEMAS}/a.json", f"{SCHEMAS}/old.json", "settings.md"]


def test_no_schema_breaks_the_one_in_docs() -> None:
    assert broken() == [], "make a new version of the event: records of this one exist"


def test_no_schema_breaks_the_last_commit() -> None:
    """Whoever edits or deletes a committed schema by hand is caught here."""
    listed = _git("ls-tree", "--name-only", "HEAD", f"docs/{SCHEMAS}/")
    if listed is None:
        pytest.skip("not in a git checkout")
    known = {event.type_name(): event for event in EVENTS}
    found: list[str] = []
    for path in listed.splitlines():
        committed = orjson.loads(_git("show", f"HEAD:{path}") or "")
        event = known.get(committed["x-type"])
        found += breaks(committed, schema_of(event)) if event else [f"{committed['x-type']} was removed"]
    assert found == []


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", "-C", str(DOCS.parent), *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def test_a_removed_event_is_noticed(tmp_path: Path) -> None:
    (tmp_path / SCHEMAS).mkdir(parents=True)
    (tmp_path / SCHEMAS / "crm.contact.vanished.v1.json").write_text("{}")
    assert broken(tmp_path) == ["crm.contact.vanished.v1 was removed: consumers and partners still hear it"]


class Phone(Wire):
    e164: str
    kind: Literal["mobile", "landline"] = "mobile"


class Sample(Event):
    topic: ClassVar[Topic] = CRM_CONTACTS
    type: ClassVar[str] = "crm.sample.made"

    contact_id: UUID
    count: int
    share: float | None = None
    word: str = Field("", max_length=100)
    state: Literal["new", "old"] = "new"
    phones: tuple[Phone, ...] = ()
    extra: dict[str, int] = Field(default_factory=dict[str, int])


OLD = schema_of(Sample)


def changed(change: Callable[[Json], object]) -> list[str]:
    new = orjson.loads(orjson.dumps(OLD))
    change(new)
    return breaks(OLD, new)


def _field(name: str, **schema: Any) -> Callable[[Json], object]:
    return lambda new: new["properties"].update({name: schema})


BREAKING: dict[str, tuple[Callable[[Json], object], str]] = {
    "a removed field": (lambda new: new["properties"].pop("word"), "word was removed"),
    "a removed field inside": (
        lambda new: new["$defs"]["Phone"]["properties"].pop("kind"),
        "phones[].kind was removed",
    ),
    "another type": (_field("count", type="string"), "count was integer and is string"),
    "a narrowed number": (
        _field("share", anyOf=[{"type": "integer"}, {"type": "null"}]),
        "share was number and is integer",
    ),
    "no longer null": (_field("share", type="number"), "share was null and is number"),
    "fewer values": (_field("state", enum=["new"], type="string"), "state no longer takes 'old'"),
    "values where text was free": (_field("word", enum=["a"], type="string", default=""), "word was free"),
    "a shorter text": (_field("word", type="string", maxLength=50, default=""), "word has a tighter maxLength: 50"),
    "a new bound": (_field("count", type="integer", minimum=0), "count has a tighter minimum: 0"),
    "a pattern": (_field("word", type="string", maxLength=100, pattern="^a", default=""), "another pattern"),
    "a format": (_field("word", type="string", maxLength=100, format="date", default=""), "another format"),
    "a new required field": (
        lambda new: (new["properties"].update({"reason": {"type": "string"}}), new["required"].append("reason")),
        "reason is new and required",
    ),
    "required where it was optional": (lambda new: new["required"].append("word"), "word became required"),
    "required inside": (
        lambda new: new["$defs"]["Phone"]["required"].append("kind"),
        "phones[].kind became required",
    ),
    "another default": (
        _field("state", enum=["new", "old"], type="string", default="old"),
        "state has another default",
    ),
    "narrower values of a map": (
        _field("extra", type="object", additionalProperties={"type": "integer", "maximum": 3}),
        "extra.* has a tighter maximum",
    ),
    "a closed record": (lambda new: new.update(additionalProperties=False), "refuses unknown fields now"),
    "another topic": (lambda new: new.update({"x-topic": DIALER_CALLS.name}), "moved from crm.contacts.v1"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_an_incompatible_change_is_refused_and_named(name: str) -> None:
    change, reason = BREAKING[name]
    found = changed(change)
    assert len(found) == 1, found
    assert reason in found[0]


HARMLESS: dict[str, Callable[[Json], object]] = {
    "nothing": lambda new: None,
    "a new optional field": _field("note", type="string", default=""),
    "one more value": _field("state", enum=["new", "old", "odd"], type="string", default="new"),
    "a wider number": _field("count", type="number"),
    "a looser bound": _field("word", type="string", maxLength=200, default=""),
    "null as well": _field("count", anyOf=[{"type": "integer"}, {"type": "null"}]),
    "no longer required": lambda new: new["required"].remove("count"),
    "other words": lambda new: new.update(description="Something else."),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_compatible_change_passes(name: str) -> None:
    assert changed(HARMLESS[name]) == []


def test_the_comparison_works_on_what_pydantic_writes() -> None:
    without = create_model("Sample", __base__=Event, contact_id=(UUID, ...), count=(str, ...))
    without.topic, without.type = CRM_CONTACTS, Sample.type
    found = breaks(OLD, schema_of(without))
    assert "count was integer and is string" in found
    assert {"word was removed", "phones was removed"} < set(found)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type_name())
def test_a_schema_is_valid_and_refuses_what_the_model_refuses(event: type[Event]) -> None:
    schema = schema_of(event)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert not validator.is_valid({}), "every event names at least the id of what it is about"
    assert not validator.is_valid([])


@pytest.mark.parametrize("event", EVENTS)
def test_consumers_can_read_the_name_of_every_type(event: type[Event]) -> None:
    # As services.runtime.consumer.decode reads it: anything else would be skipped as a type of a later version.
    assert re.fullmatch(r"[a-z0-9_.]{1,100}\.v[0-9]{1,4}", event.type_name())


def test_the_asyncapi_document_leads_everywhere() -> None:
    text = (DOCS / "events/asyncapi.yaml").read_text()
    document = yaml.safe_load(text)
    assert document == orjson.loads(orjson.dumps(asyncapi_document(document["info"]["version"])))
    assert set(document["channels"]) == {topic.name for topic in TOPICS}
    told = [name for channel in document["channels"].values() for name in channel["messages"]]
    assert sorted(told) == sorted(event.type_name() for event in EVENTS)
    for reference in _references(document):
        if reference.startswith("#/"):
            _follow(document, reference)
        else:
            jsonschema.Draft202012Validator.check_schema(orjson.loads((DOCS / "events" / reference).read_bytes()))
    for topic in TOPICS:
        receivers = [
            one["tags"][0]["name"]
            for one in document["operations"].values()
            if one["action"] == "receive" and one["channel"]["$ref"] == f"#/channels/{topic.name}"
        ]
        assert sorted(receivers) == sorted(topic.consumers)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for inner in value.values() for one in _references(inner)]
    return [one for inner in value for one in _references(inner)] if isinstance(value, list) else []


def _follow(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document
