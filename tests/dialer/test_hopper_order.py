"""The order in which a campaign's leads come: nothing starves, a promise waits for its operator and hides nobody."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dialer.domain import leads as rules
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead, Stream
from services.dialer.domain.operators import Operator
from services.dialer.ports import GateHistory
from services.dialer.usecases.gatekeeper import Verdict
from services.dialer.workers.hopper import OWN_OPERATOR_WAIT, REFETCH, Hopper
from tests.dialer.samples import SMS, operator
from tests.dialer.stages import NOW, MemoryStage, Scene, set_scene
from tests.fakes.gate import OneRuleGate


def hopper_of(scene: Scene) -> Hopper:
    return Hopper(scene.campaign.id, scene.store, OneRuleGate(), scene.fence)


async def take(hopper: Hopper, campaign: Campaign, count: int, *free: Operator) -> list[Lead]:
    """Take leads as the owner does, and let them be busy."""
    found = await hopper.take(campaign, count, NOW, {one.id: one for one in free})
    return [candidate.lead for candidate in found]


@given(st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.9]), st.lists(st.integers(1, 7), min_size=4, max_size=12))
async def test_fresh_leads_and_retries_each_get_their_share(share: float, counts: list[int]) -> None:
    scene = await set_scene(MemoryStage(), fresh_share=share)
    for number in range(2 * sum(counts)):
        await scene.lead(stream=Stream.FRESH if number % 2 else Stream.RETRY)
    hopper, fresh, taken = hopper_of(scene), 0, 0
    for count in counts:
        leads = await take(hopper, scene.campaign, count)
        assert len(leads) == count
        fresh += sum(lead.stream is Stream.FRESH for lead in leads)
        taken += count
        assert abs(fresh - share * taken) < 1 + 1e-9


@pytest.mark.parametrize("stream", [Stream.FRESH, Stream.RETRY])
async def test_where_one_queue_is_empty_the_other_gets_all(stream: Stream) -> None:
    scene = await set_scene(MemoryStage())
    for _ in range(5):
        await scene.lead(stream=stream)
    assert len(await take(hopper_of(scene), scene.campaign, 5)) == 5


async def callback(scene: Scene, own: UUID | None = None, late: timedelta = timedelta(minutes=1)) -> Lead:
    return await scene.lead(stream=Stream.CALLBACK, callback_operator=own, next_at=NOW - late)


async def test_callbacks_come_before_all_others() -> None:
    scene = await set_scene(MemoryStage())
    await scene.lead()
    agreed = await callback(scene)
    assert [lead.id for lead in await take(hopper_of(scene), scene.campaign, 1)] == [agreed.id]


async def test_a_promised_callback_waits_for_its_operator_and_then_for_anyone() -> None:
    scene, mari = await set_scene(MemoryStage()), operator()
    promised = await callback(scene, mari.id)
    hopper = hopper_of(scene)
    assert await take(hopper, scene.campaign, 3, operator()) == []
    assert [lead.id for lead in await take(hopper, scene.campaign, 3, mari)] == [promised.id]
    late = await callback(scene, mari.id, OWN_OPERATOR_WAIT + timedelta(seconds=1))
    found = {lead.id for lead in await take(hopper_of(scene), scene.campaign, 3, operator())}
    assert late.id in found


async def test_a_callback_whose_operator_is_away_hides_none_that_came_due_later() -> None:
    scene = await set_scene(MemoryStage())
    await callback(scene, uuid4())
    hopper = hopper_of(scene)
    assert await take(hopper, scene.campaign, 3) == []
    anyone = await callback(scene)
    later = await hopper.take(scene.campaign, 3, NOW + REFETCH, {})
    assert [candidate.lead.id for candidate in later] == [anyone.id]


async def test_a_message_beyond_a_shortened_cadence_is_taken_and_ends_its_lead() -> None:
    scene = await set_scene(MemoryStage())
    lead = await scene.lead(stream=Stream.MESSAGE, step=3)
    [candidate] = await hopper_of(scene).take_messages(scene.campaign, NOW)
    assert candidate.lead.id == lead.id
    assert rules.plan_next_step(candidate.lead, scene.campaign.plan.cadence, NOW).result == "not_reached"


async def test_each_message_is_judged_on_its_own_channel() -> None:
    scene = await set_scene(MemoryStage())
    email = replace(SMS, channel="email")
    calls = scene.campaign.plan.cadence[0]
    campaign = replace(scene.campaign, plan=scene.campaign.plan.model_copy(update={"cadence": (calls, SMS, email)}))
    for step in (1, 2):
        await scene.lead(stream=Stream.MESSAGE, step=step)
    asked: list[str] = []

    class Listening(OneRuleGate):
        def judge(
            self, campaign: Campaign, lead: Lead, history: GateHistory, now: datetime, *, channel: str = "voice"
        ) -> Verdict:
            asked.append(channel)
            return super().judge(campaign, lead, history, now, channel=channel)

    hopper = Hopper(campaign.id, scene.store, Listening(), scene.fence)
    assert len(await hopper.take_messages(campaign, NOW)) == 2
    assert sorted(asked) == ["email", "sms"]
