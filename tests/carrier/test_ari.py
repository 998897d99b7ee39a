"""ARI's paths: shapes that Asterisk gives, and an answer, never an exception, to anything else."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.carrier import ari
from services.carrier.ari import Answer, Request
from services.carrier.people import Outcome
from tests.carrier.stage import CUSTOMER, NOON, Stage


def _create(stage: Stage, channel_id: str = "call", **more: Any) -> Answer:
    body = {"endpoint": CUSTOMER, "app": "galw", "channelId": channel_id, **more}
    return stage.ask("POST", "channels/create", orjson.dumps(body))


def test_a_channel_looks_as_in_asterisk() -> None:
    stage = Stage()
    created = _create(stage, appArgs="one,two", callerId="+441632960000", variables={"TIMEOUT(absolute)": 60})
    assert created == Answer(
        200,
        {
            "id": "call",
            "name": "SIM/trunk-1-00000001",
            "state": "Down",
            "protocol_id": "",
            "caller": {"name": "", "number": ""},
            "connected": {"name": "", "number": "+441632960000"},
            "accountcode": "",
            "dialplan": {
                "context": "default",
                "exten": "s",
                "priority": 1,
                "app_name": "Stasis",
                "app_data": "galw,one,two",
            },
            "creationtime": "2026-11-23T12:00:00.000+0000",
            "language": "en",
        },
    )
    assert stage.last("StasisStart")["args"] == ["one", "two"]
    assert stage.ask("GET", "channels/call") == created
    assert stage.ask("GET", "channels") == Answer(200, [created.body])
    assert stage.ask("GET", "channels/call/variable?variable=TIMEOUT(absolute)") == Answer(200, {"value": "60"})


def test_parameters_may_stand_in_the_query_or_the_body() -> None:
    stage = Stage()
    by_query = stage.ask("POST", f"channels/create?endpoint={CUSTOMER}&app=galw&channelId=call")
    assert by_query.status == 200
    assert stage.ask("POST", "channels/call/dial?timeout=3") == Answer(204)
    stage.time.advance(3.0)
    assert stage.heard()[-1] == "ChannelDestroyed"
    _create(stage)
    assert stage.ask("POST", "channels/call/dial", b'{"timeout": 3}') == Answer(204)
    stage.time.advance(3.0)
    assert stage.heard()[-1] == "ChannelDestroyed"
    both = stage.ask(
        "POST", f"channels/create?endpoint={CUSTOMER}&app=galw", b'{"variables": {"X": "y"}, "app": "other"}'
    )
    assert (both.status, both.body["dialplan"]["app_data"]) == (200, "galw")


def test_a_whole_call_by_paths() -> None:
    stage = Stage()
    stage.wish(Outcome.ANSWER, patience_s=60.0, amd="HUMAN")
    stage.operator("leg", "spare")
    _create(stage)
    stage.ask("POST", "channels/call/dial?timeout=30")
    assert stage.ask("GET", "channels/call/variable?variable=AMDSTATUS").status == 404
    stage.time.advance(6.0)
    assert stage.ask("GET", "channels/call/variable?variable=AMDSTATUS") == Answer(200, {"value": "HUMAN"})
    assert stage.ask("POST", "bridges/room?type=mixing").body["bridge_type"] == "mixing"
    assert stage.ask("POST", "bridges/room/addChannel?channel=leg,call") == Answer(204)
    assert stage.ask("GET", "bridges/room").body["channels"] == ["leg", "call"]
    assert [bridge["id"] for bridge in stage.ask("GET", "bridges").body] == ["spare", "room"]
    application = stage.ask("GET", "applications/galw").body
    assert (application["channel_ids"], application["bridge_ids"]) == (["leg", "call"], ["room"])
    assert stage.ask("POST", "channels/call/hold") == Answer(204)
    assert stage.ask("DELETE", "channels/call/moh") == Answer(204)
    assert stage.ask("POST", "bridges/room/removeChannel?channel=leg") == Answer(204)
    played = stage.ask("POST", "channels/call/play?media=sound:abandoned-message&playbackId=sorry")
    assert (played.status, played.body["state"], played.body["media_uri"]) == (
        201,
        "playing",
        "sound:abandoned-message",
    )
    assert stage.ask("GET", "playbacks/sorry").body == played.body
    assert stage.ask("DELETE", "playbacks/sorry") == Answer(204)
    assert stage.ask("POST", "channels/call/play/again?media=sound:x").status == 201
    assert stage.ask("DELETE", "bridges/room") == Answer(204)
    assert stage.ask("DELETE", "channels/call?reason=busy") == Answer(204)
    assert stage.last("ChannelDestroyed")["cause"] == 17


def test_a_channel_that_hears_a_message_is_added_when_it_ends() -> None:
    stage = Stage()
    stage.wish(Outcome.ANSWER, patience_s=60.0)
    stage.operator()
    stage.call()
    stage.time.advance(6.0)
    stage.switch.play("call", "sound:welcome")
    answers: list[Answer] = []
    request = Request("POST", ["bridges", "bridge", "addChannel"], {"channel": "call"})
    ari.answer(stage.switch, request, NOON, answers.append)
    stage.time.advance(4.9)
    assert answers == []
    stage.time.advance(0.1)
    assert answers == [Answer(204)]
    assert stage.switch.status()["talking_now"] == 1
    stage.switch.play("call", "sound:one-more")
    ari.answer(stage.switch, request, NOON, answers.append)
    stage.switch.hang_up("call")
    stage.time.advance()
    assert answers[1] == Answer(400, {"message": "Channel not found"})


def test_an_app_exists_while_it_has_a_listener_or_channels() -> None:
    stage = Stage()
    _create(stage)
    stage.switch.disconnect(stage.listener)
    assert stage.ask("GET", "applications/galw").body["channel_ids"] == ["call"]
    assert [app["name"] for app in stage.ask("GET", "applications").body] == ["galw"]
    stage.switch.hang_up("call")
    assert stage.ask("GET", "applications/galw") == Answer(404, {"message": "Application does not exist."})


def test_a_filter_leaves_events_out_until_nobody_listens() -> None:
    stage = Stage()
    body = b'{"disallowed": [{"type": "StasisStart"}]}'
    filtered = stage.ask("PUT", "applications/galw/eventFilter", body)
    assert filtered.body["events_disallowed"] == [{"type": "StasisStart"}]
    stage.call()
    stage.time.advance(1.0)
    assert stage.heard() == ["Ringing"]
    stage.switch.disconnect(stage.listener)
    stage.switch.connect(["galw"], stage.events.append)
    stage.call("other")
    assert stage.heard("other") == ["StasisStart"]


def test_the_carrier_tells_its_version() -> None:
    stage = Stage()
    assert stage.ask("GET", "asterisk/info").body["system"]["version"] == "22.10.1"
    assert stage.ask("GET", "asterisk/ping").body["ping"] == "pong"


@pytest.mark.parametrize(
    ("method", "uri", "body", "status", "words"),
    [
        ("GET", "channels/nobody", b"", 404, "Channel not found"),
        ("POST", "channels/nobody/dial", b"", 404, "Channel not found"),
        ("DELETE", "channels/nobody", b"", 404, "Channel not found"),
        ("DELETE", "channels/call?reason=bored", b"", 400, "Invalid Reason"),
        ("DELETE", "channels/call?reason_code=999", b"", 400, "Invalid Reason Code"),
        ("POST", "channels/create?app=galw", b"", 400, "Missing parameter endpoint"),
        ("POST", "channels/create", b"{", 400, "Failed to parse"),
        ("POST", "channels/create", b"[]", 400, "must be a JSON object"),
        ("POST", "channels/create", b'{"endpoint": {}, "app": "galw"}', 400, "endpoint"),
        ("POST", "channels/create", b'{"endpoint": "SIM/1@t", "app": "galw", "variables": []}', 400, "variables"),
        ("POST", "channels/create", b"x" * 40_961, 413, "40960 bytes"),
        ("POST", "channels/call/dial?timeout=-1", b"", 400, "timeout"),
        ("POST", "channels/call/dial?timeout=" + "9" * 5_000, b"", 400, "timeout"),
        ("POST", "channels/call/play?media=sound:x", b"", 412, "invalid state"),
        ("POST", "channels/call/hold", b"", 412, "invalid state"),
        ("GET", "channels/call/variable?variable=X", b"", 404, "variable was not found"),
        ("POST", "bridges/none/addChannel?channel=call", b"", 404, "Bridge not found"),
        ("POST", "bridges/room?type=holding", b"", 400, "mixing"),
        ("GET", "playbacks/none", b"", 404, "Playback not found"),
        ("PUT", "playbacks/none", b"", 405, "Method"),
        ("PUT", "applications/none/eventFilter", b"", 404, "does not exist"),
        ("PUT", "applications/galw/eventFilter", b'{"disallowed": [1]}', 400, "disallowed"),
        ("PUT", "applications/galw/eventFilter", b'{"disallowed": {}}', 400, "disallowed"),
        ("GET", "", b"", 404, "Resource not found"),
        ("PATCH", "channels/call", b"", 404, "Resource not found"),
        ("GET", "asterisk/modules", b"", 404, "Resource not found"),
    ],
)
def test_a_refusal_says_why(method: str, uri: str, body: bytes, status: int, words: str) -> None:
    stage = Stage()
    _create(stage)
    refused = stage.ask(method, uri, body)
    assert (refused.status, words in refused.body["message"]) == (status, True), refused
    assert "call" in stage.switch.channels, "a refused request changes nothing"


_PARTS = """channels bridges playbacks applications asterisk create call leg room galw dial hold moh play variable
    addChannel removeChannel eventFilter"""
_PARAMETERS = """endpoint app channelId timeout variables channel media reason reason_code variable value type name
    disallowed playbackId callerId appArgs"""
_names = st.sampled_from(_PARTS.split())
_fields = st.sampled_from(_PARAMETERS.split())


def _json(body: Mapping[Any, object]) -> bytes:
    return json.dumps(body).encode()


_values = st.one_of(st.text(max_size=8), st.integers(), st.none(), st.booleans(), st.lists(st.integers(), max_size=2))


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    st.lists(_names, min_size=1, max_size=4),
    st.dictionaries(_fields, st.text(max_size=8), max_size=3),
    st.one_of(
        st.binary(max_size=20),
        st.dictionaries(_fields, _values, max_size=4).map(_json),
    ),
)
def test_anything_gets_one_answer_in_json(method: str, parts: list[str], query: dict[str, str], body: bytes) -> None:
    stage = Stage()
    stage.operator("leg", "room")
    _create(stage)
    answers: list[Answer] = []
    ari.answer(stage.switch, Request(method, parts, query, body), NOON, answers.append)
    stage.time.advance(0.0)
    assert len(answers) == 1
    orjson.dumps(answers[0].body)
    assert answers[0].status < 500 or answers[0].body == {"message": "Allocation failed"}
