"""Who said no: the last word counts, by the time it was said."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.recipients import ConsentLine, address_digest, parse_address, said_no
from services.runtime.errors import RejectedError
from services.runtime.phone import E164, phone_digest

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
channels = st.sampled_from(["sms", "email", "voice", "all"])
lines = st.builds(
    ConsentLine,
    st.just("x"),
    channels,
    st.sampled_from(["", "marketing", "informational"]),
    st.booleans(),
    st.integers(0, 5).map(lambda hours: NOON + timedelta(hours=hours)),
)


def line(channel: str, purpose: str, withdrawn: bool, hours: int) -> ConsentLine:
    return ConsentLine("x", channel, purpose, withdrawn, NOON + timedelta(hours=hours))


def test_nobody_who_was_silent_said_no() -> None:
    assert not said_no([], "sms", "marketing")


def test_a_no_to_everything_covers_every_message() -> None:
    assert said_no([line("all", "", True, 0)], "sms", "marketing")
    assert said_no([line("all", "", True, 0)], "email", "informational")


def test_a_no_to_calls_leaves_messages_alone() -> None:
    assert not said_no([line("voice", "", True, 0)], "sms", "marketing")


def test_a_later_yes_opens_what_it_covers_and_no_more() -> None:
    history = [line("all", "", True, 0), line("sms", "marketing", False, 1)]
    assert not said_no(history, "sms", "marketing")
    assert said_no(history, "sms", "informational")
    assert said_no(history, "email", "marketing")


def test_an_old_consent_that_is_imported_today_opens_nothing() -> None:
    assert said_no([line("all", "", True, 3), line("sms", "marketing", False, 1)], "sms", "marketing")


@given(st.lists(lines, max_size=6), st.sampled_from(["sms", "email"]), st.sampled_from(["marketing", "informational"]))
def test_of_two_at_once_the_no_counts_and_a_final_no_always(
    history: list[ConsentLine], channel: str, purpose: str
) -> None:
    latest = max((one.at for one in history), default=NOON)
    assert said_no([*history, ConsentLine("x", "all", "", True, latest)], channel, purpose)


@given(st.permutations([line("all", "", True, 0), line("sms", "", False, 1), line("sms", "marketing", True, 2)]))
def test_the_order_of_arrival_changes_nothing(history: list[ConsentLine]) -> None:
    assert said_no(history, "sms", "marketing")
    assert not said_no(history, "sms", "informational")


def test_a_number_has_the_digest_that_every_service_uses() -> None:
    assert address_digest(b"key", "sms", "+441632960001") == phone_digest(b"key", E164("+441632960001"))
    assert address_digest(b"key", "email", "A@Example.com") == address_digest(b"key", "email", "a@example.com")
    assert address_digest(b"key", "email", "a@example.com") != address_digest(b"yek", "email", "a@example.com")


@pytest.mark.parametrize(
    ("channel", "raw"),
    [
        ("sms", "12"),
        ("sms", "nobody"),
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", "a@b.c\r\nBcc: x@y.z"),
        ("email", "a b@c.de"),
        ("email", "x" * 300 + "@example.com"),
    ],
)
def test_an_unusable_address_is_refused_without_being_repeated(channel: str, raw: str) -> None:
    with pytest.raises(RejectedError) as refusal:
        parse_address(channel, raw)  # pyright: ignore[reportArgumentType]
    assert raw not in str(refusal.value)
    assert raw not in refusal.value.fields[0].problem
