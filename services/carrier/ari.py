"""ARI's paths onto the switch: the subset of Asterisk 22's REST interface that Galw uses, same paths, same JSON.

`answer` is synchronous, so one client can be driven over HTTP, over the WebSocket (`RESTRequest`) or in memory. Paths
come without the prefix `/ari`. Parameters may stand in the query or in a JSON body; `variables` in the body only.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

import orjson

from services.carrier import causes
from services.carrier.apps import ASTERISK_ID, wire_time
from services.carrier.channels import Channel
from services.carrier.switch import RefusedError, Switch

BODY_LIMIT = 40_960
"""Bytes of a request's body, as in Asterisk."""

VERSION = "22.10.1"
_TIMEOUT_LIMIT_S = 86_400
_FILTER_LIMIT = 64


class Request(NamedTuple):
    """A request: the path's parts after `/ari/`, decoded, and its parameters."""

    method: str
    parts: list[str]
    query: Mapping[str, str]
    body: bytes = b""


class Answer(NamedTuple):
    """What comes back; *body* is JSON-able, None for an empty one (204)."""

    status: int
    body: Any = None


Reply = Callable[[Answer], None]
"""Takes the answer: at once, except for addChannel while a message plays on the channel."""


def answer(switch: Switch, request: Request, now: datetime, reply: Reply) -> None:
    """Carry out *request* and *reply* once; a refusal is an answer, not an exception."""
    try:
        parameters = _parameters(request)
        if request.method == "POST" and request.parts[0] == "bridges" and request.parts[2:] == ["addChannel"]:
            _add_channels(switch, request.parts[1], parameters, reply)
            return
        result = _carry_out(switch, request.method, request.parts, parameters, now)
    except RefusedError as refusal:
        result = _refusal(refusal)
    reply(result)


def _carry_out(switch: Switch, method: str, parts: list[str], parameters: dict[str, Any], now: datetime) -> Answer:
    match parts[0]:
        case "channels":
            return _channels(switch, method, parts[1:], parameters)
        case "bridges":
            return _bridges(switch, method, parts[1:], parameters)
        case "playbacks" if len(parts) == 2:
            return _playbacks(switch, method, parts[1])
        case "applications":
            return _applications(switch, method, parts[1:], parameters)
        case "asterisk" if method == "GET":
            return _asterisk(parts[1:], now)
        case _:
            raise RefusedError(404, "Resource not found")


def _channels(switch: Switch, method: str, parts: list[str], given: dict[str, Any]) -> Answer:
    match method, parts:
        case "POST", ["create"]:
            return Answer(200, _create(switch, given).to_wire())
        case "GET", []:
            return Answer(200, [channel.to_wire() for channel in switch.channels.values()])
        case "GET", [channel_id]:
            return Answer(200, switch.channel(channel_id).to_wire())
        case "DELETE", [channel_id]:
            switch.channel(channel_id)
            switch.hang_up(channel_id, _hangup_cause(given))
        case "POST", [channel_id, "dial"]:
            switch.dial(channel_id, _seconds(given, "timeout"))
        case "POST" | "DELETE", [channel_id, "hold" | "moh"]:
            switch.hold(channel_id, method == "POST")
        case "POST", [channel_id, "play"]:
            playback = switch.play(channel_id, _text(given, "media"), _text(given, "playbackId", "") or None)
            return Answer(201, playback.to_wire())
        case "POST", [channel_id, "play", playback_id]:
            return Answer(201, switch.play(channel_id, _text(given, "media"), playback_id).to_wire())
        case "POST", [channel_id, "variable"]:
            switch.set_variable(channel_id, _text(given, "variable"), _text(given, "value", ""))
        case "GET", [channel_id, "variable"]:
            return _variable(switch.channel(channel_id), _text(given, "variable"))
        case _:
            raise RefusedError(404, "Resource not found")
    return Answer(204)


def _create(switch: Switch, given: dict[str, Any]) -> Channel:
    variables = given.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str | int) for value in variables.values()):
        raise RefusedError(400, "variables must be an object of strings")
    return switch.create(
        _text(given, "endpoint"),
        _text(given, "app"),
        channel_id=_text(given, "channelId", "") or None,
        app_args=_text(given, "appArgs", ""),
        caller_id=_text(given, "callerId", ""),
        variables={name: str(value) for name, value in variables.items()},
    )


def _hangup_cause(given: dict[str, Any]) -> int:
    if code := _text(given, "reason_code", ""):
        if not code.isdecimal() or len(code) > 3 or not 0 < int(code) < 128:
            raise RefusedError(400, "Invalid Reason Code")
        return int(code)
    reason = _text(given, "reason", "normal")
    if reason not in causes.HANGUP_REASONS:
        raise RefusedError(400, "Invalid Reason")
    return causes.HANGUP_REASONS[reason]


def _variable(channel: Channel, name: str) -> Answer:
    plan = channel.plan
    if name == "AMDSTATUS" and channel.state == "Up" and plan is not None and plan.amd is not None:
        return Answer(200, {"value": plan.amd})
    if name not in channel.variables:
        raise RefusedError(404, "Provided variable was not found")
    return Answer(200, {"value": channel.variables[name]})


def _bridges(switch: Switch, method: str, parts: list[str], given: dict[str, Any]) -> Answer:
    match method, parts:
        case "GET", []:
            return Answer(200, [bridge.to_wire() for bridge in switch.bridges.values()])
        case "POST", [*one] if len(one) < 2:
            if _text(given, "type", "mixing") != "mixing":
                raise RefusedError(400, "Only mixing bridges are simulated")
            bridge_id = one[0] if one else _text(given, "bridgeId", "") or None
            return Answer(200, switch.create_bridge(bridge_id, _text(given, "name", "")).to_wire())
        case "GET", [bridge_id]:
            return Answer(200, switch.bridge(bridge_id).to_wire())
        case "DELETE", [bridge_id]:
            switch.destroy_bridge(bridge_id)
        case "POST", [bridge_id, "removeChannel"]:
            switch.remove_channels(bridge_id, _text(given, "channel").split(","))
        case _:
            raise RefusedError(404, "Resource not found")
    return Answer(204)


def _add_channels(switch: Switch, bridge_id: str, given: dict[str, Any], reply: Reply) -> None:
    channel_ids = _text(given, "channel").split(",")
    switch.bridge(bridge_id)

    def add() -> None:
        try:
            switch.add_channels(bridge_id, channel_ids)
        except RefusedError as refusal:
            reply(_refusal(refusal))
        else:
            reply(Answer(204))

    switch.when_free(channel_ids, add)


def _playbacks(switch: Switch, method: str, playback_id: str) -> Answer:
    match method:
        case "GET":
            return Answer(200, switch.playback(playback_id).to_wire())
        case "DELETE":
            switch.stop_playback(playback_id)
            return Answer(204)
        case _:
            raise RefusedError(405, "Method not allowed")


def _applications(switch: Switch, method: str, parts: list[str], given: dict[str, Any]) -> Answer:
    match method, parts:
        case "GET", []:
            names = {*switch.apps.connected, *(channel.app for channel in switch.channels.values())}
            return Answer(200, [_application(switch, name) for name in sorted(names)])
        case "GET", [app]:
            return Answer(200, _application(switch, app))
        case "PUT", [app, "eventFilter"]:
            _application(switch, app)
            switch.apps.filter(app, _event_types(given.get("disallowed", [])))
            return Answer(200, _application(switch, app))
        case _:
            raise RefusedError(404, "Resource not found")


def _application(switch: Switch, app: str) -> dict[str, Any]:
    channels = [channel for channel in switch.channels.values() if channel.app == app]
    # Without a listener an app lives on while it has channels, so that the next listener finds them.
    if not channels and not switch.apps.has(app):
        raise RefusedError(404, "Application does not exist.")
    return {
        "name": app,
        "channel_ids": [channel.id for channel in channels],
        "bridge_ids": sorted({channel.bridge.id for channel in channels if channel.bridge is not None}),
        "endpoint_ids": [],
        "device_names": [],
        "events_allowed": [],
        "events_disallowed": [{"type": kind} for kind in sorted(switch.apps.unwanted(app))],
    }


def _event_types(disallowed: object) -> list[str]:
    entries = cast("list[object]", disallowed) if isinstance(disallowed, list) else [None]
    kinds = [entry.get("type") if isinstance(entry, dict) else None for entry in entries]
    if len(kinds) > _FILTER_LIMIT or not all(isinstance(kind, str) for kind in kinds):
        raise RefusedError(400, f'disallowed must be a list of {{"type": name}}, {_FILTER_LIMIT} at most')
    return [str(kind) for kind in kinds]


def _asterisk(parts: list[str], now: datetime) -> Answer:
    match parts:
        case ["ping"]:
            return Answer(200, {"asterisk_id": ASTERISK_ID, "ping": "pong", "timestamp": wire_time(now)})
        case ["info"]:
            return Answer(
                200, {"system": {"version": VERSION, "entity_id": ASTERISK_ID}, "build": {"kernel": "simulated"}}
            )
        case _:
            raise RefusedError(404, "Resource not found")


def _parameters(request: Request) -> dict[str, Any]:
    if not request.body:
        return dict(request.query)
    if len(request.body) > BODY_LIMIT:
        raise RefusedError(413, f"Request body too large; {BODY_LIMIT} bytes at most")
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, "Failed to parse request body as JSON") from error
    if not isinstance(body, dict):
        raise RefusedError(400, "Request body must be a JSON object")
    return body | dict(request.query)


def _text(given: dict[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    if value is None:
        raise RefusedError(400, f"Missing parameter {name}")
    if not isinstance(value, str | int):
        raise RefusedError(400, f"Invalid parameter {name}: expected a string")
    return str(value)


def _seconds(given: dict[str, Any], name: str) -> int:
    text = _text(given, name, "0")
    if not text.isdecimal() or len(text) > 6 or int(text) > _TIMEOUT_LIMIT_S:
        raise RefusedError(400, f"Invalid parameter {name}: expected whole seconds up to {_TIMEOUT_LIMIT_S}")
    return int(text)


def _refusal(refusal: RefusedError) -> Answer:
    return Answer(refusal.status, {"message": refusal.message})
