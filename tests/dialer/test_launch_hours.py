"""Whether a campaign may be launched with its hours is asked of the packs that will judge its calls."""

from datetime import UTC, datetime, time

import pytest

from services.dialer.domain.campaigns import Hours, Plan
from services.dialer.packloader import load_packs
from services.dialer.usecases.packgate import PackGatekeeper

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def gatekeeper() -> PackGatekeeper:
    packs = load_packs([])
    return PackGatekeeper(lambda: packs)


def plan(*spans: tuple[int, int], days: tuple[str, ...] | None = None, purpose: str = "marketing") -> Plan:
    given = {} if days is None else {"days": days}
    hours = [Hours.model_validate({"start": time(a), "end": time(b), **given}) for a, b in spans]
    return Plan.model_validate({"hours": hours, "purpose": purpose, "caller_ids": ("+441632960999",)})


@pytest.mark.parametrize(
    ("asked", "countries", "allowed"),
    [
        (plan((9, 12)), ["US"], True),
        (plan((4, 7)), ["US"], False),
        (plan((4, 7), (10, 11)), ["US"], True),
        (plan((9, 12), days=("sun",)), ["FR"], False),
        (plan((9, 12), days=("sun",)), ["US"], True),
        (plan((9, 12), days=("sun",)), ["FR", "US"], True),
        (plan(), ["US"], False),
    ],
)
def test_hours_are_legal_when_the_packs_of_a_country_that_is_called_say_so(
    gatekeeper: PackGatekeeper, asked: Plan, countries: list[str], allowed: bool
) -> None:
    assert gatekeeper.may_ever_call(asked, countries, NOW) is allowed
