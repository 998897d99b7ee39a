"""The demo has somebody to call at every hour of the week, by the packs that ship."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest
import yaml

from services.dialer.domain.campaigns import Campaign, CampaignState, Plan
from services.dialer.domain.leads import Lead, LeadState, Person, Phone, Stream
from services.dialer.packloader import load_packs
from services.dialer.ports import GateHistory
from services.dialer.usecases.packgate import PackGatekeeper
from services.standalone.demo import organisation
from services.standalone.demo.people import DemoPerson, demo_people

ID = UUID(int=1)
ENOUGH = 100
"""People who may be called at once: with six operators enough for the first minutes of any hour."""


def lead_of(one: DemoPerson, at: datetime) -> Lead:
    home = one.range
    person = Person(
        name=one.first_name,
        country=home.country,
        region=home.region or None,
        time_zone=home.time_zone,
        relationship="customer",
        relationship_since=date.fromisoformat(one.customer_since),
    )
    phone = Phone(one.phone, "digest", "unknown", home.country)
    return Lead(ID, ID, ID, LeadState.WAITING, person, (phone,), 1, Stream.FRESH, at, 1)


@pytest.fixture(scope="module")
def gatekeeper() -> PackGatekeeper:
    packs = load_packs([])
    return PackGatekeeper(lambda: packs)


@pytest.mark.parametrize("day", range(7))
def test_somebody_may_be_called_at_every_hour_of(day: int, gatekeeper: PackGatekeeper) -> None:
    said = yaml.safe_load(Path(organisation.__file__).with_name("campaign.yaml").read_text("utf-8"))
    plan = Plan.model_validate_json(orjson.dumps(said["plan"]))
    ranges: dict[str, list[DemoPerson]] = {}
    for one in demo_people():
        ranges.setdefault(one.range.prefix, []).append(one)
    for hour in range(24):
        now = datetime(2026, 11, 23, hour, 30, tzinfo=UTC) + timedelta(days=day)
        campaign = Campaign(ID, "Demo", CampaignState.RUNNING, ID, plan, 1, now, launched_at=now)
        callable_now = sum(
            len(people)
            for people in ranges.values()
            if gatekeeper.judge(campaign, lead_of(people[0], now), GateHistory(suppressed=False), now).allowed
        )
        assert callable_now >= ENOUGH, f"{now:%A %H:%M} UTC"
