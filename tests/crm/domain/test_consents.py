"""The consent ledger: a no is a no until a newer yes covers it wholly."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crm.domain.consents import Change, Channel, ConsentKind, ConsentLine, check_line, fold
from services.runtime.errors import ConflictError

START = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS = (Channel.VOICE, Channel.SMS, Channel.EMAIL)
PURPOSES = ("marketing", "service")

lines = st.builds(
    ConsentLine,
    sequence=st.just(1),
    change=st.sampled_from(Change),
    channel=st.sampled_from(Channel),
    purpose=st.sampled_from([None, *PURPOSES]),
    at=st.integers(0, 5).map(lambda day: START + timedelta(days=day)),
    source=st.just("form"),
    kind=st.sampled_from(ConsentKind),
)
ledgers = st.lists(lines, max_size=8)


def forbidden(ledger: list[ConsentLine]) -> set[tuple[Channel, str]]:
    standing = fold(ledger)
    return {(c, p) for c in CHANNELS for p in PURPOSES if standing.forbids(c, p, START)}


def callable_now(ledger: list[ConsentLine]) -> set[tuple[Channel, str]]:
    standing = fold(ledger)
    allowed = {(c, p) for c in CHANNELS for p in PURPOSES if standing.allows(c, p)}
    return allowed - forbidden(ledger)


def touched(line: ConsentLine) -> set[tuple[Channel, str]]:
    return {
        (c, p) for c in CHANNELS for p in PURPOSES if line.channel in (c, Channel.ALL) and line.purpose in (p, None)
    }


@given(ledgers, lines)
def test_a_withdrawal_only_ever_forbids_more_and_takes_effect_wholly(
    ledger: list[ConsentLine], line: ConsentLine
) -> None:
    if line.change is Change.WITHDRAWN:
        after = [*ledger, line]
        assert forbidden(after) == forbidden(ledger) | touched(line)
        assert callable_now(after) == callable_now(ledger) - touched(line)


@given(ledgers, lines)
def test_a_consent_lifts_nothing_beyond_what_it_speaks_of(ledger: list[ConsentLine], line: ConsentLine) -> None:
    if line.change is Change.GIVEN:
        after = [*ledger, line]
        assert forbidden(after) <= forbidden(ledger)
        assert forbidden(ledger) - forbidden(after) <= touched(line)
        assert callable_now(ledger) <= callable_now(after)


@given(ledgers)
def test_after_a_no_to_everything_nothing_is_allowed(ledger: list[ConsentLine]) -> None:
    no = ConsentLine(9, Change.WITHDRAWN, Channel.ALL, None, START, "call")
    assert callable_now([*ledger, no]) == set()
    assert len(forbidden([*ledger, no])) == len(CHANNELS) * len(PURPOSES)


@given(ledgers, lines)
def test_an_old_form_never_undoes_a_later_no(ledger: list[ConsentLine], line: ConsentLine) -> None:
    taken: list[ConsentLine] = []
    for one in [*ledger, line]:
        try:
            check_line(fold(taken), one)
        except ConflictError:
            continue
        taken.append(one)
    for place, no in enumerate(taken):
        if no.change is Change.WITHDRAWN:
            later_yes = [one for one in taken[place + 1 :] if one.change is Change.GIVEN and one.at > no.at]
            lifted = set[tuple[Channel, str]]().union(*(touched(one) for one in later_yes))
            assert touched(no) - lifted <= forbidden(taken)


def test_a_suppression_for_a_time_ends_by_itself() -> None:
    until = START + timedelta(days=365)
    standing = fold([ConsentLine(1, Change.WITHDRAWN, Channel.VOICE, None, START, "call", expires_at=until)])
    assert standing.forbids(Channel.VOICE, "marketing", until - timedelta(seconds=1))
    assert not standing.forbids(Channel.VOICE, "marketing", until)


def test_a_refused_line_says_since_when() -> None:
    no = ConsentLine(1, Change.WITHDRAWN, Channel.VOICE, None, START + timedelta(days=2), "call")
    with pytest.raises(ConflictError, match="2026-01-03"):
        check_line(fold([no]), ConsentLine(2, Change.GIVEN, Channel.ALL, "marketing", START, "form"))
