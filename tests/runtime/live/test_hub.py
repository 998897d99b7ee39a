"""The ring of one user: what it keeps, what it forgets, what it refuses."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.errors import UnavailableError
from services.runtime.identity import Principal, Role
from services.runtime.live import LiveHub, LiveLimits
from services.runtime.live.hub import Line
from tests.runtime.identity.conftest import MovedClock

ANN, BOB = UUID(int=1), UUID(int=2)


class Seat:
    """A receiver that only counts."""

    def __init__(self, user_id: UUID = ANN) -> None:
        self.principal = Principal(user_id, frozenset({Role.OPERATOR}), "Ann")
        self.woken = 0
        self.shut_with: int | None = None

    def wake(self) -> None:
        self.woken += 1

    async def shut(self, code: int, reason: str) -> None:
        assert reason
        self.shut_with = code


class Diary:
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def arrived(self, principal: Principal) -> None:
        self.seen.append(f"+{principal.user_id.int}")

    async def left(self, principal: Principal) -> None:
        self.seen.append(f"-{principal.user_id.int}")


async def test_a_message_reaches_the_line_of_its_user_only() -> None:
    hub = LiveHub(MovedClock())
    ann, bob = Seat(ANN), Seat(BOB)
    line, _ = await hub.attach(ann)
    await hub.attach(bob)
    seq = hub.publish(ANN, "call", {"state": "ringing"})
    assert (ann.woken, bob.woken) == (1, 0)
    assert line.after(line.first - 1) == f'{{"seq":{seq},"kind":"call","body":{{"state":"ringing"}}}}'
    assert hub.publish(UUID(int=3), "call", None) is None


async def test_the_same_for_many_is_numbered_for_each() -> None:
    hub = LiveHub(MovedClock())
    line, _ = await hub.attach(Seat(ANN))
    other, _ = await hub.attach(Seat(BOB))
    hub.publish(ANN, "x", 1)
    hub.publish_to_all([ANN, BOB, UUID(int=3)], "stop", {"all": True})
    assert '"body":{"all":true}' in (line.after(line.last - 1) or "")
    assert '"body":{"all":true}' in (other.after(other.last - 1) or "")


async def test_what_an_earlier_owner_says_is_dropped() -> None:
    hub = LiveHub(MovedClock())
    await hub.attach(Seat())
    stamps = [(2, 5), (2, 6), (2, 6), (2, 4), (1, 99), (3, 0), None]
    accepted = [hub.publish(ANN, "state", None, stamp=stamp) is not None for stamp in stamps]
    assert accepted == [True, True, False, False, False, True, True]


async def test_the_newest_connection_wins_and_presence_hears_of_people_not_of_tabs() -> None:
    diary = Diary()
    hub = LiveHub(MovedClock(), presence=diary)
    first, second = Seat(), Seat()
    line, nobody = await hub.attach(first)
    same, previous = await hub.attach(second)
    assert (nobody, previous, same) == (None, first, line)
    await hub.detach(line, first)
    assert hub.connected() == [ANN]
    await hub.detach(line, second)
    assert hub.connected() == []
    assert diary.seen == ["+1", "-1"]


async def test_a_line_outlives_its_connection_for_a_while_only() -> None:
    clock = MovedClock()
    hub = LiveHub(clock, limits=LiveLimits(kept_s=300))
    seat = Seat()
    line, _ = await hub.attach(seat)
    await hub.detach(line, seat)
    assert hub.publish(ANN, "x", None) is not None
    clock.move(timedelta(seconds=301))
    await hub.attach(Seat(BOB))
    assert hub.publish(ANN, "x", None) is None


async def test_numbers_of_a_later_line_lie_above_those_of_an_earlier_one() -> None:
    clock = MovedClock()
    old, _ = await LiveHub(clock).attach(Seat())
    for _ in range(1000):
        old.append("x", LiveLimits())
    clock.move(timedelta(milliseconds=1))
    new, _ = await LiveHub(clock).attach(Seat())
    assert new.first > old.last
    assert not new.can_resume(old.last)
    clock.at = datetime(2240, 1, 1, tzinfo=UTC)
    latest, _ = await LiveHub(clock).attach(Seat())
    assert latest.first < 2**53


async def test_an_instance_takes_so_many_people_and_no_more() -> None:
    hub = LiveHub(MovedClock(), limits=LiveLimits(users=1))
    await hub.attach(Seat(ANN))
    await hub.attach(Seat(ANN))
    with pytest.raises(UnavailableError):
        await hub.attach(Seat(BOB))


async def test_stopping_sends_everybody_away() -> None:
    hub = LiveHub(MovedClock())
    seats = [Seat(ANN), Seat(BOB)]
    for seat in seats:
        await hub.attach(seat)
    await hub.close()
    assert [seat.shut_with for seat in seats] == [1001, 1001]


@given(
    sizes=st.lists(st.integers(1, 60), max_size=60),
    messages=st.integers(1, 10),
    characters=st.integers(1, 100),
    since=st.integers(-3, 70),
)
def test_a_resume_gives_exactly_what_was_missed_or_says_that_it_cannot(
    sizes: list[int], messages: int, characters: int, since: int
) -> None:
    limits = LiveLimits(ring_messages=messages, ring_characters=characters)
    line = Line(1)
    sent = [f"{number:03}".ljust(size, ".") for number, size in enumerate(sizes, start=1)]
    for message in sent:
        line.append(message, limits)
    assert len(line.ring) <= messages
    assert sum(map(len, line.ring)) == line.characters
    assert line.characters <= characters or len(line.ring) == 1
    if line.can_resume(since):
        got: list[str] = []
        while (message := line.after(since + len(got))) is not None:
            got.append(message)
        assert got == sent[since:]
    else:
        assert since < 0 or since > len(sent) or len(sent) - since > len(line.ring)
