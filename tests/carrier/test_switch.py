"""One call at a time on virtual time: what ARI says, what the ledger keeps."""

import pytest

from services.carrier.apps import Event
from services.carrier.faults import Faults, Outage
from services.carrier.people import Outcome
from services.carrier.switch import CHANNEL_ID_LIMIT, TTL_VARIABLE, VARIABLE_LIMIT, RefusedError
from tests.carrier.stage import CUSTOMER, NUMBER, OPERATOR, Stage


def test_an_answered_call_is_joined_talks_and_hangs_up() -> None:
    stage = Stage()
    stage.operator()
    stage.call()
    assert stage.heard() == ["StasisStart"]
    assert stage.last("StasisStart")["channel"]["state"] == "Down"
    stage.time.advance(1.0)
    assert stage.heard() == ["StasisStart", "Ringing"]
    stage.time.advance(5.0)
    assert stage.heard()[-1] == "Up"
    stage.time.advance(1.0)
    stage.switch.add_channels("bridge", ["call"])
    assert stage.switch.status()["talking_now"] == 1
    stage.time.advance(29.9)
    assert "call" in stage.switch.channels
    stage.time.advance(0.1)
    assert stage.heard()[3:] == [
        "ChannelEnteredBridge",
        "ChannelLeftBridge",
        "ChannelHangupRequest",
        "StasisEnd",
        "ChannelDestroyed",
    ]
    destroyed = stage.last("ChannelDestroyed")
    assert (destroyed["cause"], destroyed["cause_txt"]) == (16, "Normal Clearing")
    assert "tech_cause" not in destroyed
    assert stage.written() == ["ring", "answer", "meet", "part", "end"]
    assert stage.ledger[0] == {
        "at": "2026-11-23T12:00:00+00:00",
        "channel_id": "call",
        "number": NUMBER,
        "trunk": "trunk-1",
        "event": "ring",
        "nth": 1,
        "caller_id": "",
    }
    assert stage.ledger[2]["operator"] == "SIM/operator-1"
    end = stage.ledger[-1]
    assert (end["outcome"], end["met"], end["by"], end["cause"]) == ("answer", True, "person", 16)
    assert stage.switch.status()["outcomes"] == {"answer": 1}


@pytest.mark.parametrize(
    ("outcome", "sip", "cause", "tech_cause", "rings"),
    [
        (Outcome.BUSY, None, 17, 486, False),
        (Outcome.BUSY, 600, 17, 600, False),
        (Outcome.INVALID, None, 1, 404, False),
        (Outcome.INVALID, 604, 1, 604, False),
        (Outcome.INVALID, 484, 28, 484, False),
        (Outcome.INVALID, 410, 22, 410, False),
        (Outcome.REJECTED, None, 21, 603, True),
        (Outcome.REJECTED, 403, 21, 403, True),
        (Outcome.NETWORK, None, 38, 500, False),
        (Outcome.NETWORK, 502, 27, 502, False),
        (Outcome.NETWORK, 504, 102, 504, False),
        (Outcome.NETWORK, 408, 18, 408, False),
        (Outcome.NETWORK, 488, 58, 488, False),
        (Outcome.CONGESTION, None, 34, 503, False),
        (Outcome.NO_ANSWER, None, 19, 480, True),
        (Outcome.SILENT, None, 19, 480, False),
    ],
)
def test_a_call_nobody_answers_ends_with_the_cause_that_asterisk_gives(
    outcome: Outcome, sip: int | None, cause: int, tech_cause: int, rings: bool
) -> None:
    stage = Stage()
    stage.wish(outcome, sip=sip)
    stage.call(timeout_s=0)
    stage.time.advance(60.0 + 1.0)
    destroyed = stage.last("ChannelDestroyed")
    assert (destroyed["cause"], destroyed["tech_cause"]) == (cause, tech_cause)
    assert stage.last("ChannelHangupRequest")["cause"] == cause
    assert ("Ringing" in stage.heard()) is rings
    assert "Up" not in stage.heard()
    assert stage.written() == ["ring", "end"]
    assert (stage.ledger[-1]["outcome"], stage.ledger[-1]["by"]) == (outcome.value, "network")


@pytest.mark.parametrize("timeout_s", [0.5, 3.0])
def test_our_ring_timeout_says_19_and_480_after_a_request_with_32(timeout_s: float) -> None:
    stage = Stage()
    stage.call(timeout_s=timeout_s)
    stage.time.advance(timeout_s - 0.01)
    assert "call" in stage.switch.channels
    stage.time.advance(0.01)
    assert stage.last("ChannelHangupRequest")["cause"] == 32
    destroyed = stage.last("ChannelDestroyed")
    assert (destroyed["cause"], destroyed["tech_cause"]) == (19, 480)
    assert (stage.ledger[-1]["outcome"], stage.ledger[-1]["by"]) == ("no_answer", "timeout")


def test_a_silent_trunk_ends_by_our_timeout_without_ringing() -> None:
    stage = Stage()
    stage.wish(Outcome.SILENT)
    stage.call(timeout_s=25.0)
    stage.time.advance(25.0)
    assert stage.heard() == ["StasisStart", "ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"]
    assert stage.last("ChannelHangupRequest")["cause"] == 32


def test_a_second_dial_tears_the_call_down_while_it_is_down_and_is_refused_afterwards() -> None:
    stage = Stage()
    stage.call()
    stage.switch.dial("call")
    assert stage.heard()[-1] == "ChannelDestroyed"
    assert stage.written() == ["ring", "redial", "end"]
    assert stage.switch.status()["redials"] == 1
    stage.call("other")
    stage.time.advance(1.0)
    with pytest.raises(RefusedError) as refused:
        stage.switch.dial("other")
    assert refused.value.status == 409
    assert "other" in stage.switch.channels


def test_an_id_is_taken_while_its_channel_lives_and_rings_again_afterwards() -> None:
    stage = Stage()
    stage.call()
    with pytest.raises(RefusedError) as refused:
        stage.switch.create(CUSTOMER, "galw", channel_id="call")
    assert refused.value.status == 409
    stage.switch.hang_up("call")
    stage.call()
    assert [line["nth"] for line in stage.ledger if line["event"] == "ring"] == [1, 2]


def test_without_a_listener_a_new_channel_dies_before_anybody_rings() -> None:
    stage = Stage()
    stage.switch.disconnect(stage.listener)
    channel = stage.switch.create(CUSTOMER, "galw", channel_id="call", variables={TTL_VARIABLE: "60"})
    assert channel.state == "Down"
    with pytest.raises(RefusedError) as refused:
        stage.switch.dial("call")
    assert refused.value.status == 404
    assert (stage.ledger, stage.time.pending) == ([], 0)


def test_events_in_a_gap_are_lost_and_the_channel_lives_on() -> None:
    stage = Stage()
    stage.call()
    stage.switch.disconnect(stage.listener)
    stage.time.advance(6.0)
    assert stage.switch.channel("call").state == "Up"
    again: list[Event] = []
    stage.switch.connect(["galw"], again.append)
    stage.switch.hang_up("call")
    assert [event["type"] for event in again] == ["ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"]
    assert stage.heard() == ["StasisStart"]


def test_a_second_listener_takes_the_app_and_the_first_turns_deaf() -> None:
    stage = Stage()
    taken: list[Event] = []
    second = stage.switch.connect(["galw"], taken.append)
    assert stage.events[-1]["type"] == "ApplicationReplaced"
    assert stage.events[-1]["application"] == "galw"
    stage.call()
    assert stage.heard() == []
    assert [event["type"] for event in taken] == ["StasisStart"]
    stage.switch.disconnect(stage.listener)
    stage.switch.hang_up("call")
    assert taken[-1]["type"] == "ChannelDestroyed", "the deaf one's end takes nothing from the second"
    stage.switch.disconnect(second)
    assert stage.switch.apps.connected == []


def test_an_answered_person_who_meets_nobody_hangs_up_and_counts_as_abandoned() -> None:
    stage = Stage()
    stage.call()
    stage.time.advance(6.0 + 3.9)
    assert stage.switch.status()["waiting_now"] == 1
    stage.time.advance(0.1)
    assert stage.last("ChannelDestroyed")["cause"] == 16
    assert (stage.ledger[-1]["met"], stage.ledger[-1]["by"]) == (False, "person")
    assert stage.switch.status()["abandoned"] == 1


def test_an_operator_whose_leg_is_not_up_yet_speaks_to_nobody() -> None:
    stage = Stage()
    stage.call()
    stage.switch.create_bridge("bridge")
    stage.switch.create(OPERATOR, "galw", channel_id="leg")
    stage.switch.add_channels("bridge", ["leg", "call"])
    stage.time.advance(6.0)
    assert stage.switch.status()["waiting_now"] == 1
    stage.switch.dial("leg")
    stage.time.advance()
    assert stage.switch.status()["talking_now"] == 1


def test_a_lost_operator_leaves_a_person_waiting_who_goes_on_with_the_next() -> None:
    stage = Stage()
    stage.operator()
    stage.operator("leg-2", "bridge-2", endpoint="SIM/operator-2")
    stage.call()
    stage.time.advance(6.0)
    stage.switch.add_channels("bridge", ["call"])
    stage.time.advance(10.0)
    stage.switch.hang_up("leg")
    assert stage.switch.status()["waiting_now"] == 1
    stage.time.advance(3.0)
    stage.switch.add_channels("bridge-2", ["call"])
    stage.time.advance(19.9)
    assert "call" in stage.switch.channels, "of 30 s of talk, 10 went to the first operator"
    stage.time.advance(0.1)
    assert "call" not in stage.switch.channels
    met = [line["operator"] for line in stage.ledger if line["event"] == "meet"]
    assert met == ["SIM/operator-1", "SIM/operator-2"]


def test_a_person_on_hold_does_not_talk_and_loses_patience() -> None:
    stage = Stage()
    stage.operator()
    stage.call()
    stage.time.advance(6.0)
    stage.switch.add_channels("bridge", ["call"])
    stage.time.advance(29.0)
    stage.switch.hold("call", True)
    stage.time.advance(60.0)
    stage.switch.hold("call", False)
    stage.time.advance(0.9)
    assert "call" in stage.switch.channels
    stage.switch.hold("call", True)
    stage.time.advance(90.0)
    assert "call" not in stage.switch.channels


def test_a_machine_greets_whoever_listens_and_hangs_up() -> None:
    stage = Stage()
    stage.operator()
    stage.wish(Outcome.MACHINE, amd="MACHINE")
    stage.call()
    stage.time.advance(6.0)
    assert stage.last("ChannelStateChange")["channel"]["channelvars"] == {"AMDSTATUS": "MACHINE"}
    stage.time.advance(10.0)
    stage.switch.add_channels("bridge", ["call"])
    stage.time.advance(12.0)
    assert stage.ledger[-1]["outcome"] == "machine"
    assert stage.switch.status()["abandoned"] == 0


def test_every_channel_can_be_given_a_time_to_live() -> None:
    stage = Stage()
    stage.switch.create(CUSTOMER, "galw", channel_id="idle", variables={TTL_VARIABLE: "20"})
    stage.operator()
    stage.switch.set_variable("leg", TTL_VARIABLE, "10")
    stage.switch.set_variable("leg", TTL_VARIABLE, "30")
    stage.time.advance(19.9)
    assert set(stage.switch.channels) == {"idle", "leg"}
    stage.time.advance(0.1)
    assert set(stage.switch.channels) == {"leg"}
    stage.switch.set_variable("leg", TTL_VARIABLE, "0")
    stage.time.advance(100.0)
    assert set(stage.switch.channels) == {"leg"}


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "1e9"])
def test_a_wrong_time_to_live_is_refused_and_leaves_no_channel(value: str) -> None:
    stage = Stage()
    with pytest.raises(RefusedError, match="takes seconds from 0"):
        stage.switch.create(CUSTOMER, "galw", channel_id="call", variables={TTL_VARIABLE: value})
    assert (stage.switch.channels, stage.events, stage.time.pending) == ({}, [], 0)


@pytest.mark.parametrize(
    "endpoint", ["", "SIM/", "SIM/@trunk-1", "sim", "IAX2/+441632960001@t", "SIM/abc@t", "SIM/1@t@t", "SIM/operator-"]
)
def test_an_endpoint_that_leads_nowhere_is_refused(endpoint: str) -> None:
    with pytest.raises(RefusedError, match="Allocation failed"):
        Stage().switch.create(endpoint, "galw")


def test_bounds_hold() -> None:
    stage = Stage()
    with pytest.raises(RefusedError, match="149"):
        stage.switch.create(CUSTOMER, "galw", channel_id="x" * (CHANNEL_ID_LIMIT + 1))
    many = {f"V{n}": "x" for n in range(VARIABLE_LIMIT + 1)}
    with pytest.raises(RefusedError, match="64 variables"):
        stage.switch.create(CUSTOMER, "galw", variables=many)
    stage.operator()
    for _ in range(16):
        stage.switch.play("leg", "sound:one")
    with pytest.raises(RefusedError, match="16 playbacks"):
        stage.switch.play("leg", "sound:one")


def test_hanging_up_before_or_while_it_rings_says_16() -> None:
    stage = Stage()
    stage.switch.create(CUSTOMER, "galw", channel_id="call")
    stage.switch.hang_up("call")
    assert stage.ledger == []
    stage.call("other")
    stage.time.advance(2.0)
    stage.switch.hang_up("other")
    assert stage.last("ChannelDestroyed", "other")["cause"] == 16
    assert stage.ledger[-1]["outcome"] == "no_answer", "a person who would have picked up later did not"
    assert stage.ledger[-1]["by"] == "client"


def test_messages_play_one_after_the_other_and_block_a_bridge() -> None:
    stage = Stage()
    stage.operator()
    stage.wish(Outcome.ANSWER, patience_s=60.0)
    stage.call()
    with pytest.raises(RefusedError) as refused:
        stage.switch.play("call", "sound:abandoned-message")
    assert refused.value.status == 412, "nobody hears it before the call is up"
    stage.time.advance(6.0)
    stage.switch.play("call", "sound:abandoned-message", "first")
    stage.switch.play("call", "tone:ring", "second")
    joined: list[float] = []
    stage.switch.when_free(["leg", "call"], lambda: joined.append(stage.time.time()))
    stage.time.advance(5.0)
    kinds = [(event["type"], event["playback"]["id"]) for event in stage.events if "playback" in event]
    assert kinds == [("PlaybackStarted", "first"), ("PlaybackFinished", "first"), ("PlaybackStarted", "second")]
    assert stage.switch.playback("second").to_wire()["target_uri"] == "channel:call"
    stage.time.advance(20.0)
    assert joined == [], "a tone never ends"
    stage.switch.stop_playback("second")
    stage.time.advance()
    assert joined == [31.0]
    stage.switch.when_free(["call"], lambda: joined.append(0.0))
    assert joined == [31.0, 0.0]


def test_the_end_of_a_call_ends_its_messages_and_frees_who_waits() -> None:
    stage = Stage()
    stage.call()
    stage.time.advance(6.0)
    stage.switch.play("call", "sound:one", "first")
    stage.switch.play("call", "sound:two", "second")
    freed: list[bool] = []
    stage.switch.when_free(["call"], lambda: freed.append("call" in stage.switch.channels))
    stage.switch.hang_up("call")
    stage.time.advance()
    assert freed == [False]
    finished = [event["playback"]["state"] for event in stage.events if event["type"] == "PlaybackFinished"]
    assert finished == ["failed", "failed"]
    assert stage.time.pending == 0


def test_bridges_move_keep_and_release_channels() -> None:
    stage = Stage()
    stage.operator()
    stage.call()
    switch = stage.switch
    switch.create_bridge("other", "b")
    assert switch.create_bridge("other").name == "b", "asked again, the same bridge answers"
    switch.add_channels("other", ["leg", "call", "leg"])
    assert (list(switch.bridge("bridge").channels), list(switch.bridge("other").channels)) == ([], ["leg", "call"])
    with pytest.raises(RefusedError) as refused:
        switch.add_channels("other", ["leg", "nobody"])
    assert refused.value.status == 400
    with pytest.raises(RefusedError) as refused:
        switch.remove_channels("bridge", ["leg"])
    assert refused.value.status == 422
    switch.remove_channels("other", ["leg"])
    switch.destroy_bridge("other")
    assert set(switch.channels) == {"leg", "call"}
    assert switch.channel("call").bridge is None
    with pytest.raises(RefusedError) as refused:
        switch.bridge("other")
    assert refused.value.status == 404


def test_speed_shortens_people_and_not_the_time_to_live() -> None:
    stage = Stage(speed=10.0)
    stage.switch.create(CUSTOMER, "galw", channel_id="idle", variables={TTL_VARIABLE: "5"})
    stage.call()
    stage.time.advance(0.6)
    assert stage.switch.channel("call").state == "Up"
    stage.time.advance(0.4)
    assert "call" not in stage.switch.channels
    stage.call("unanswered", timeout_s=3.0)
    stage.time.advance(0.3)
    assert "unanswered" not in stage.switch.channels
    stage.time.advance(3.6)
    assert "idle" in stage.switch.channels


def test_a_trunk_that_is_out_answers_503_and_the_other_one_rings() -> None:
    stage = Stage()
    stage.switch.signals.inject(Faults(outage=Outage(for_s=10.0, kind="trunk_503", trunk="trunk-1")))
    stage.call()
    stage.call("other", endpoint="PJSIP/+441632960002@trunk-2")
    stage.time.advance(1.0)
    destroyed = stage.last("ChannelDestroyed")
    assert (destroyed["cause"], destroyed["tech_cause"]) == (34, 503)
    assert stage.ledger[-1]["outcome"] == "congestion"
    assert stage.heard("other")[-1] == "Ringing"
    stage.time.advance(9.0)
    stage.call("later")
    stage.time.advance(1.0)
    assert stage.heard("later")[-1] == "Ringing"
