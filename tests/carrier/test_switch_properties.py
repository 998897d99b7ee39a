"""Whatever a client does, in whatever order and however late, every channel's story is a whole one."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.carrier.apps import Event
from services.carrier.faults import Faults, Late, Outage
from services.carrier.people import Outcome, Programmed
from services.carrier.profile import load_profile
from services.carrier.switch import TTL_VARIABLE, RefusedError, Switch
from tests.carrier.stage import Stage

_CHANNELS = [f"c{n}" for n in range(6)]
_ENDPOINTS = [f"SIM/+44163296000{n}@trunk-{n % 2}" for n in range(4)] + ["SIM/operator-1", "PJSIP/operator-2"]
_BRIDGES = ["b0", "b1"]

_channel = st.sampled_from(_CHANNELS)
_channels = st.lists(_channel, min_size=1, max_size=3)
_bridge = st.sampled_from(_BRIDGES)
_steps = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(_ENDPOINTS), _channel),
    st.tuples(st.just("dial"), _channel, st.sampled_from([0.0, 2.0, 25.0])),
    st.tuples(st.just("hang_up"), _channel),
    st.tuples(st.just("ttl"), _channel, st.sampled_from(["0", "3", "30"])),
    st.tuples(st.just("hold"), _channel, st.booleans()),
    st.tuples(st.just("play"), _channel, st.sampled_from(["sound:x", "tone:ring"])),
    st.tuples(st.just("create_bridge"), _bridge),
    st.tuples(st.just("add_channels"), _bridge, _channels),
    st.tuples(st.just("remove_channels"), _bridge, _channels),
    st.tuples(st.just("destroy_bridge"), _bridge),
    st.tuples(st.just("program"), st.sampled_from(_ENDPOINTS[:4]), st.sampled_from(list(Outcome))),
    st.tuples(st.just("advance"), st.floats(0.0, 20.0)),
)


def _perform(stage: Stage, step: tuple[Any, ...]) -> None:
    switch: Switch = stage.switch
    kind, *arguments = step
    match kind:
        case "create":
            switch.create(arguments[0], "galw", channel_id=arguments[1])
        case "ttl":
            switch.set_variable(arguments[0], TTL_VARIABLE, arguments[1])
        case "program":
            switch.people.program(arguments[0].partition("/")[2].partition("@")[0], Programmed(arguments[1]))
        case "advance":
            stage.time.advance(arguments[0])
        case _:
            getattr(switch, kind)(*arguments)
    _check_now(switch)


def _check_now(switch: Switch) -> None:
    for bridge in switch.bridges.values():
        assert all(channel.bridge is bridge for channel in bridge.channels.values())
        assert all(switch.channels[channel_id] is channel for channel_id, channel in bridge.channels.items())
    for channel in switch.channels.values():
        assert channel.bridge is None or channel.bridge.channels[channel.id] is channel


def _run(steps: list[tuple[Any, ...]], faults: Faults | None = None, seed: int = 7) -> Stage:
    stage = Stage(load_profile("everyday"), seed=seed)
    if faults is not None:
        stage.switch.signals.inject(faults)
    for step in steps:
        try:
            _perform(stage, step)
        except RefusedError:
            continue
    for channel_id in list(stage.switch.channels):
        stage.switch.hang_up(channel_id)
    stage.time.advance(100.0)
    return stage


# Started; entering and leaving bridges, playing and finishing; ringing or not; up or not; the three events of an end.
_LIFE = re.compile("S[EL]*(R[ELPF]*)?(U[ELPF]*)?HXD")
_LETTER = {
    "StasisStart": "S",
    "ChannelEnteredBridge": "E",
    "ChannelLeftBridge": "L",
    "PlaybackStarted": "P",
    "PlaybackFinished": "F",
    "ChannelHangupRequest": "H",
    "StasisEnd": "X",
    "ChannelDestroyed": "D",
}


def _letter(event: Event) -> str:
    if event["type"] == "ChannelStateChange":
        return event["channel"]["state"][0]
    return _LETTER[event["type"]]


def _owner(event: Event) -> str:
    return event["playback"]["target_uri"].removeprefix("channel:") if "playback" in event else event["channel"]["id"]


@given(st.lists(_steps, max_size=40))
def test_every_channel_begins_and_ends_once_and_leaves_nothing_behind(steps: list[tuple[Any, ...]]) -> None:
    stage = _run(steps)
    for channel_id in _CHANNELS:
        story = "".join(_letter(event) for event in stage.events if _owner(event) == channel_id)
        lives = [life + "D" for life in story.split("D")[:-1]]
        assert story == "".join(lives), story
        assert all(_LIFE.fullmatch(life) for life in lives), story
        assert story.count("P") <= story.count("F"), "what plays, ends; what waits may end unheard"
    assert stage.time.pending == 0, "a channel that has ended has no timer"
    assert stage.switch.channels == {}


@given(st.lists(_steps, max_size=40))
def test_the_ledger_has_one_end_for_each_ring_and_meetings_in_pairs(steps: list[tuple[Any, ...]]) -> None:
    stage = _run(steps)
    for channel_id in _CHANNELS:
        events = [line["event"] for line in stage.ledger if line["channel_id"] == channel_id]
        story = "".join(
            {"ring": "r", "answer": "a", "meet": "m", "part": "p", "redial": "d", "end": "e"}[e] for e in events
        )
        assert re.fullmatch("(rd?(a(mp)*)?e)*", story), story
    status = stage.switch.status()
    assert sum(status["outcomes"].values()) == status["rings"] == sum(e["event"] == "ring" for e in stage.ledger)


@given(
    st.lists(_steps, max_size=40),
    st.sampled_from(
        [
            Faults(lost=0.3, repeated=0.3),
            Faults(late=Late(share=0.5, by_s=(0.0, 5.0)), reordered=0.3),
            Faults(outage=Outage(for_s=20.0, kind="hang")),
            Faults(outage=Outage(for_s=20.0, kind="trunk_503")),
        ]
    ),
    st.integers(0, 3),
)
def test_one_seed_is_one_run(steps: list[tuple[Any, ...]], faults: Faults, seed: int) -> None:
    one, again = (_run(steps, faults, seed) for _ in range(2))
    assert one.ledger == again.ledger
    assert one.events == again.events


@given(st.lists(_steps, max_size=40))
def test_faults_of_signals_change_nothing_that_happens(steps: list[tuple[Any, ...]]) -> None:
    true, faulty = _run(steps), _run(steps, Faults(lost=0.5, repeated=0.5, reordered=0.5, late=Late(share=0.5)))
    assert faulty.ledger == true.ledger
    assert all(event in true.events for event in faulty.events), "nothing is made up"
