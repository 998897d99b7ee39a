"""What every store of the dialer keeps to; the simulation trusts the fake because the fake passes this too."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt, AttemptState, Outcome
from services.dialer.domain.campaigns import CampaignState
from services.dialer.domain.gate import Counts
from services.dialer.domain.leads import LeadState, Phone, Stream
from services.dialer.domain.operators import OperatorState
from services.dialer.domain.responses import Response, closed, with_answer
from services.dialer.ports import CapNow, Change, Committed, Conflict, DiaryEntry, Fence, PersonSuppressed, Refusal
from services.dialer.usecases import announcements
from services.runtime.errors import NotFoundError
from tests.dialer.stages import NOW, Scene, Stage, running, set_scene

DAY = timedelta(days=1)


@pytest.fixture
async def scene(stage: Stage) -> Scene:
    return await set_scene(stage)


# -- leases


async def test_a_pool_has_one_owner_until_its_lease_has_run_out(stage: Stage) -> None:
    pool, one, other = await stage.add_pool(), uuid4(), uuid4()
    first = await stage.store.acquire_lease(pool.id, one, "http://one")
    assert first is not None
    assert await stage.store.acquire_lease(pool.id, other, "http://other") is None
    assert await stage.store.renew_lease(first.fence, other) is None
    renewed = await stage.store.renew_lease(first.fence, one)
    assert renewed is not None
    assert renewed.fence == first.fence
    assert renewed.database_at >= first.database_at
    assert await stage.store.list_leases() == [(pool.id, one, "http://one", True)]
    await stage.expire_lease(pool.id)
    assert [held for _, _, _, held in await stage.store.list_leases()] == [False]
    second = await stage.store.acquire_lease(pool.id, other, "http://other")
    assert second is not None
    assert second.fence.epoch == first.fence.epoch + 1
    assert await stage.store.renew_lease(first.fence, one) is None


async def test_a_pool_that_was_given_back_is_free_at_once(stage: Stage) -> None:
    pool, one = await stage.add_pool(), uuid4()
    lease = await stage.store.acquire_lease(pool.id, one, "http://one")
    assert lease is not None
    await stage.store.release_lease(lease.fence, uuid4())
    assert await stage.store.acquire_lease(pool.id, uuid4(), "http://other") is None
    await stage.store.release_lease(lease.fence, one)
    assert await stage.store.acquire_lease(pool.id, uuid4(), "http://other") is not None


async def test_nothing_of_an_earlier_owner_is_stored(scene: Scene) -> None:
    attempt, waiting = await scene.reserved(), await scene.lead()
    await scene.stage.expire_lease(scene.pool.id)
    await scene.store.acquire_lease(scene.pool.id, uuid4(), "http://other")
    dialed = attempt_rules.decide(attempt, attempt_rules.DialBegun(), NOW)
    answers = await scene.store.commit([Change(attempt=dialed, fence=scene.fence)])
    assert [getattr(answer, "reason", None) for answer in answers] == ["fenced"]
    assert await scene.store.reserve([scene.wish(waiting)]) == [Refusal("fenced")]
    await scene.store.save_pacing(scene.fence, {"learned": 1}, [])
    assert await scene.store.load_pacing(scene.pool.id) is None
    assert (await scene.store.load_attempt(attempt.id)).state is AttemptState.RESERVED


async def test_an_instance_that_is_silent_takes_its_operators_out_of_reach(scene: Scene) -> None:
    here, gone = uuid4(), uuid4()
    assert await scene.store.beat(here, "http://here") == {here: "http://here"}
    near = await scene.operator(instance_id=here)
    far = await scene.operator(instance_id=gone)
    away = await scene.operator(OperatorState.OFFLINE)
    view = await scene.store.load_pool(scene.pool.id)
    assert {o.id for o in view.operators} == {near.id, far.id}
    assert view.silent_instances == {gone}
    assert [o.id for o in await scene.store.load_operators([away.id, uuid4()])] == [away.id]


async def test_a_pool_is_seen_with_its_running_and_paused_campaigns(scene: Scene) -> None:
    paused = await running(scene.stage, scene.pool, CampaignState.PAUSED)
    for state in (CampaignState.DRAFT, CampaignState.FINISHED, CampaignState.STOPPED):
        await running(scene.stage, scene.pool, state)
    await running(scene.stage, await scene.stage.add_pool())
    view = await scene.store.load_pool(scene.pool.id)
    assert {c.id for c in view.campaigns} == {scene.campaign.id, paused.id}
    assert view.pool.id == scene.pool.id


# -- reservations


async def test_a_reservation_is_stored_with_its_decision_and_takes_its_lead(scene: Scene) -> None:
    lead = await scene.lead()
    attempt = await scene.reserved(lead)
    assert await scene.store.load_attempt(attempt.id) == attempt
    assert dict(attempt.decision) == {"decision": "allow"}
    stored = await scene.store.load_lead(lead.id)
    assert (stored.state, stored.attempts, stored.version) == (LeadState.BUSY, 1, 2)
    assert await scene.store.load_live_attempts(scene.pool.id) == [attempt]


async def test_a_lead_is_reserved_once_for_each_number_of_attempt(scene: Scene) -> None:
    lead = await scene.lead()
    wish = scene.wish(lead)
    assert isinstance((await scene.store.reserve([wish]))[0], Attempt)
    assert await scene.store.reserve([scene.wish(lead)]) == [Refusal("version")]


async def test_nobody_and_no_number_is_in_two_live_calls(scene: Scene) -> None:
    first = await scene.lead(1)
    other = await running(scene.stage, scene.pool)
    same_number = await scene.lead(1, campaign_id=other.id)
    same_person = await scene.lead(2, campaign_id=other.id, contact_id=first.contact_id)
    attempt = await scene.reserved(first)
    assert await scene.store.reserve([scene.wish(same_number)]) == [Refusal("live call")]
    assert await scene.store.reserve([scene.wish(same_person)]) == [Refusal("live call")]
    assert (await scene.store.load_lead(same_number.id)).state is LeadState.WAITING
    await ended(scene, attempt)
    assert isinstance((await scene.store.reserve([scene.wish(same_number)]))[0], Attempt)
    assert isinstance((await scene.store.reserve([scene.wish(same_person)]))[0], Attempt)


async def test_within_one_batch_too(scene: Scene) -> None:
    one, twin = await scene.lead(1), await scene.lead(1)
    answers = await scene.store.reserve([scene.wish(one), scene.wish(twin)])
    assert isinstance(answers[0], Attempt)
    assert answers[1] == Refusal("live call")


async def test_a_rolling_cap_counts_what_rang_in_every_campaign_and_says_when_it_ends(scene: Scene) -> None:
    person = uuid4()
    caps = (CapNow(2, lasting=DAY),)
    for hours_ago, outcome in ((30, 17), (20, 17), (3, None), (2, 17)):
        campaign = await running(scene.stage, scene.pool)
        lead = await scene.lead(campaign_id=campaign.id, contact_id=person)
        attempt = await scene.reserved(lead, at=NOW - timedelta(hours=hours_ago))
        await ended(scene, attempt, cause=outcome)
    lead = await scene.lead(contact_id=person)
    # Thirty hours ago is over, three hours ago rang nobody; the oldest that counts was twenty hours ago.
    assert await scene.store.reserve([scene.wish(lead, caps=caps)]) == [Refusal("cap", NOW + timedelta(hours=4))]
    later = NOW + timedelta(hours=4)
    assert isinstance((await scene.store.reserve([scene.wish(lead, caps=caps, at=later)]))[0], Attempt)


async def test_a_live_call_counts_towards_a_cap(scene: Scene) -> None:
    person = uuid4()
    attempt = await scene.reserved(await scene.lead(contact_id=person))
    await ended(scene, attempt, cause=17)
    campaign = await running(scene.stage, scene.pool)
    again = await scene.lead(contact_id=person, campaign_id=campaign.id)
    refused = (
        await scene.store.reserve([scene.wish(again, caps=(CapNow(1, lasting=DAY), CapNow(5, lasting=7 * DAY)))])
    )[0]
    assert refused == Refusal("cap", NOW + timedelta(days=1))


async def test_a_cap_counts_only_what_it_is_about(scene: Scene) -> None:
    person = uuid4()
    other = await running(scene.stage, scene.pool, subject="Other")
    attempt = await scene.reserved(await scene.lead(7, contact_id=person, campaign_id=other.id), at=NOW - DAY / 2)
    await ended(scene, attempt)
    lead = await scene.lead(8, contact_id=person)
    full = [
        CapNow(1, lasting=DAY),
        CapNow(1, lasting=DAY, subject="Other"),
        CapNow(1, lasting=DAY, number=attempt.phone),
        CapNow(1, lasting=DAY, campaign_id=other.id),
    ]
    room = [
        CapNow(2, lasting=DAY),
        CapNow(1, lasting=DAY / 4),
        CapNow(1, lasting=DAY, subject="This"),
        CapNow(1, lasting=DAY, number=lead.phone.e164),
        CapNow(1, lasting=DAY, campaign_id=scene.campaign.id),
        CapNow(1, lasting=DAY, but_not=frozenset({"busy"})),
        CapNow(1, begins_at=NOW - DAY / 4, ends_at=NOW + DAY),
    ]
    for cap in full:
        assert await scene.store.reserve([scene.wish(lead, caps=(cap,))]) == [Refusal("cap", NOW + DAY / 2)], cap
    calendar = CapNow(1, begins_at=NOW - DAY, ends_at=NOW + DAY / 8)
    assert await scene.store.reserve([scene.wish(lead, caps=(calendar,))]) == [Refusal("cap", NOW + DAY / 8)]
    assert isinstance((await scene.store.reserve([scene.wish(lead, caps=tuple(room))]))[0], Attempt)


async def test_the_calls_of_a_trunk_are_spread_over_time(scene: Scene) -> None:
    await scene.stage.add_trunk(calls_per_second=4)
    wishes = [scene.wish(await scene.lead()) for _ in range(8)]
    answers = await scene.store.reserve(wishes)
    slots = [a.dial_slot_at for a in answers if isinstance(a, Attempt)]
    assert slots == [NOW + timedelta(seconds=n / 4) for n in range(5)]
    assert answers[5:] == [Refusal("trunk busy")] * 3
    later = NOW + timedelta(seconds=1)
    more = await scene.store.reserve(
        [replace(wish, attempt=replace(wish.attempt, reserved_at=later)) for wish in wishes[5:]]
    )
    assert [a.dial_slot_at for a in more if isinstance(a, Attempt)] == [
        NOW + timedelta(seconds=1.25),
        NOW + timedelta(seconds=1.5),
        NOW + timedelta(seconds=1.75),
    ]


async def test_a_trunk_has_only_so_many_channels(scene: Scene) -> None:
    await scene.stage.add_trunk(channels=2)
    answers = await scene.store.reserve([scene.wish(await scene.lead()) for _ in range(3)])
    assert [isinstance(a, Attempt) for a in answers] == [True, True, False]
    assert answers[2] == Refusal("trunk busy")
    assert isinstance(answers[0], Attempt)
    await ended(scene, answers[0])
    assert isinstance((await scene.store.reserve([scene.wish(await scene.lead())]))[0], Attempt)


async def test_a_trunk_spends_no_more_than_its_cap(scene: Scene) -> None:
    await scene.stage.add_trunk(cost_per_attempt_micros=40, spend_cap_micros=100)
    answers = await scene.store.reserve([scene.wish(await scene.lead()) for _ in range(2)])
    answers += await scene.store.reserve([scene.wish(await scene.lead())])
    assert [isinstance(a, Attempt) for a in answers] == [True, True, False]
    assert answers[2] == Refusal("spend cap")


async def test_a_trunk_calls_the_countries_of_its_list_and_no_others(scene: Scene) -> None:
    for country in ("FR", "001", None):
        phone = Phone("+33199000001", f"digest-{country}", "mobile", country)
        answer = (await scene.store.reserve([scene.wish(await scene.lead(phones=(phone,)))]))[0]
        assert isinstance(answer, Refusal)
        assert (answer.reason, answer.until) == ("country", NOW + timedelta(days=1)), country


async def test_an_unknown_trunk_calls_nobody(scene: Scene) -> None:
    assert await scene.store.reserve([scene.wish(await scene.lead(), trunk="none")]) == [Refusal("trunk busy")]


async def test_who_said_no_is_not_reserved(scene: Scene) -> None:
    person, number = await scene.lead(), await scene.lead()
    await scene.stage.suppress(person=person.contact_id)
    await scene.stage.suppress(number=number.phone.digest)
    for lead in (person, number):
        assert await scene.store.reserve([scene.wish(lead)]) == [Refusal("suppressed")]


async def test_a_stop_and_a_campaign_that_does_not_run_reserve_nothing(scene: Scene) -> None:
    lead = await scene.lead()
    for scope, target in (("all", ""), ("campaign", str(scene.campaign.id)), ("trunk", "main")):
        await scene.stage.stop(scope, target)
        assert await scene.store.reserve([scene.wish(lead)]) == [Refusal("stopped")]
        await scene.stage.lift()
    for state in (CampaignState.PAUSED, CampaignState.STOPPED, CampaignState.DRAFT):
        halted = await running(scene.stage, scene.pool, state)
        waiting = await scene.lead(campaign_id=halted.id)
        assert await scene.store.reserve([scene.wish(waiting)]) == [Refusal("stopped")]
    assert isinstance((await scene.store.reserve([scene.wish(lead)]))[0], Attempt)


# -- changes


async def test_a_change_is_stored_wholly_with_its_facts(scene: Scene) -> None:
    operator, attempt = await scene.operator(), await scene.answered()
    taken = operator_rules.decide(operator, operator_rules.Take(attempt.id), NOW)
    connected = attempt_rules.decide(attempt, attempt_rules.OperatorTook(operator.id), NOW)
    assert taken is not None
    facts = announcements.of_operator(operator, taken)
    before = await scene.stage.facts()
    [answer] = await scene.store.commit([Change(attempt=connected, operator=taken, facts=facts, fence=scene.fence)])
    assert isinstance(answer, Committed)
    assert await scene.store.load_attempt(attempt.id) == connected
    assert await scene.store.load_operator(operator.id) == taken
    assert (await scene.stage.facts())[len(before) :] == ["dialer.operator.state_changed.v1"]


async def test_of_a_change_that_does_not_fit_nothing_is_stored_and_the_present_rows_come_back(scene: Scene) -> None:
    operator, attempt = await scene.operator(), await scene.answered()
    paused = operator_rules.decide(operator, operator_rules.Pause("break"), NOW)
    assert paused is not None
    await scene.store.commit([Change(operator=paused)])
    taken = operator_rules.decide(operator, operator_rules.Take(attempt.id), NOW)
    connected = attempt_rules.decide(attempt, attempt_rules.OperatorTook(operator.id), NOW)
    assert taken is not None
    before = await scene.stage.facts()
    facts = announcements.of_operator(operator, taken)
    [answer] = await scene.store.commit([Change(attempt=connected, operator=taken, facts=facts)])
    assert answer == Conflict("version", attempt=attempt, operator=paused)
    assert await scene.store.load_attempt(attempt.id) == attempt
    assert await scene.stage.facts() == before


async def test_changes_of_one_batch_see_each_other_in_order(scene: Scene) -> None:
    lead, operator = await scene.lead(), await scene.operator()
    later = lead_rules.defer(lead, NOW + timedelta(hours=1), "hours")
    ready_again = operator_rules.decide(operator, operator_rules.Pause("break"), NOW)
    assert ready_again is not None
    answers = await scene.store.commit(
        [
            Change(lead=later),
            Change(lead=lead_rules.defer(lead, NOW, "stale")),
            Change(lead=lead_rules.defer(later, NOW + timedelta(hours=2), "gate"), operator=ready_again),
        ]
    )
    assert [isinstance(answer, Committed) for answer in answers] == [True, False, True]
    stored = await scene.store.load_lead(lead.id)
    assert (stored.held_by, stored.version) == ("gate", 3)
    assert (await scene.store.load_operator(operator.id)).state is OperatorState.PAUSED


async def test_a_change_of_what_does_not_exist_is_a_conflict(scene: Scene) -> None:
    unknown = replace(await scene.lead(), id=uuid4())
    [answer] = await scene.store.commit([Change(lead=lead_rules.finish(unknown, "reached"))])
    assert answer == Conflict("version")


async def test_no_dial_after_a_committed_opt_out_nor_during_a_stop(scene: Scene) -> None:
    person, number = await scene.reserved(), await scene.reserved()
    stopped = await scene.reserved()
    await scene.stage.suppress(person=person.contact_id)
    await scene.stage.suppress(number=number.number_digest)
    assert await reasons(scene, person, number, dial=True) == ["suppressed", "suppressed"]
    for scope, target in (("all", ""), ("campaign", str(scene.campaign.id)), ("trunk", "main")):
        await scene.stage.stop(scope, target)
        assert await reasons(scene, stopped, dial=True) == ["stopped"]
        await scene.stage.lift()
    assert await reasons(scene, stopped, dial=True) == [None]
    assert (await scene.store.load_attempt(stopped.id)).state is AttemptState.DIALING


async def test_nobody_is_dialed_for_a_campaign_that_does_not_run(scene: Scene) -> None:
    attempt = await scene.reserved()
    await scene.halt()
    assert await reasons(scene, attempt, dial=True) == ["not running"]


async def test_a_refusal_holds_for_person_and_numbers_in_the_very_same_batch(scene: Scene) -> None:
    refusing, caller = await scene.answered(), await scene.reserved()
    said_no = PersonSuppressed(refusing.contact_id, (refusing.number_digest, caller.number_digest), "operator", NOW)
    dialing = attempt_rules.decide(caller, attempt_rules.DialBegun(), NOW)
    answers = await scene.store.commit([Change(suppressed=said_no), Change(attempt=dialing, dial=True)])
    assert isinstance(answers[0], Committed)
    assert isinstance(answers[1], Conflict)
    assert answers[1].reason == "suppressed"
    await ended(scene, refusing)
    lead = await scene.store.load_lead(refusing.lead_id)
    [history] = await scene.store.load_history([lead], NOW - timedelta(days=1), NOW)
    assert (history.suppressed, history.refused_at) == (True, NOW)
    same_number = await scene.lead(phones=(Phone("+441632960001", caller.number_digest, "mobile", "GB"),))
    assert await scene.store.reserve([scene.wish(same_number)]) == [Refusal("suppressed")]


async def test_a_later_refusal_does_not_move_the_first(scene: Scene) -> None:
    lead = await scene.lead()
    for at in (NOW, NOW + timedelta(days=1)):
        said = PersonSuppressed(lead.contact_id, (lead.phone.digest,), "operator", at)
        await scene.store.commit([Change(suppressed=said)])
    [history] = await scene.store.load_history([lead], NOW, NOW)
    assert history.refused_at == NOW


# -- leads


async def test_due_leads_come_by_queue_priority_and_time(scene: Scene) -> None:
    soon, long_ago = NOW - timedelta(minutes=1), NOW - timedelta(hours=1)
    low = await scene.lead(next_at=long_ago)
    high = await scene.lead(next_at=soon, priority=5)
    older = await scene.lead(next_at=long_ago, priority=5)
    retry = await scene.lead(next_at=long_ago, stream=Stream.RETRY)
    await scene.lead(next_at=NOW + timedelta(minutes=1))
    await scene.lead(state=LeadState.BUSY)
    await scene.lead(state=LeadState.FINISHED, result="reached")
    await scene.lead(campaign_id=(await running(scene.stage, scene.pool)).id)
    due = await scene.store.list_due_leads(scene.campaign.id, Stream.FRESH, NOW, 10)
    assert [lead.id for lead in due] == [older.id, high.id, low.id]
    assert due[0] == older
    assert [x.id for x in await scene.store.list_due_leads(scene.campaign.id, Stream.RETRY, NOW, 10)] == [retry.id]
    assert [x.id for x in await scene.store.list_due_leads(scene.campaign.id, Stream.FRESH, NOW, 2)] == [
        older.id,
        high.id,
    ]
    assert await scene.store.list_due_leads(scene.campaign.id, Stream.CALLBACK, NOW, 10) == []


async def test_everything_of_a_lead_that_may_change_is_kept(scene: Scene) -> None:
    lead, operator = await scene.lead(), uuid4()
    changed = replace(
        lead_rules.call_back(lead, NOW + timedelta(hours=3), operator),
        step=1,
        phone_index=0,
        attempts=4,
        tries={"busy": 2},
    )
    await scene.store.commit([Change(lead=changed)])
    assert await scene.store.load_lead(lead.id) == changed


async def test_the_history_of_a_person_is_what_rang_in_any_campaign(scene: Scene) -> None:
    person = uuid4()
    other, third = await running(scene.stage, scene.pool, subject="Other"), await running(scene.stage, scene.pool)
    for campaign, hours_ago, cause in ((scene.campaign, 400, 17), (other, 2, 17), (third, 1, None)):
        lead = await scene.lead(campaign_id=campaign.id, contact_id=person, number=hours_ago)
        await ended(scene, await scene.reserved(lead, at=NOW - timedelta(hours=hours_ago)), cause=cause)
    fourth = await running(scene.stage, scene.pool)
    lead, stranger = await scene.lead(contact_id=person, campaign_id=fourth.id), await scene.lead()
    known, nothing = await scene.store.load_history([lead, stranger], NOW - timedelta(days=7), NOW)
    assert [(row["campaign_id"], row["outcome"], row["subject"]) for row in known.attempts] == [
        (other.id, "busy", "Other")
    ]
    assert (nothing.attempts, nothing.suppressed, nothing.refused_at) == ((), False, None)


async def test_a_desk_shows_the_call_with_its_lead_campaign_and_answers(scene: Scene) -> None:
    operator, attempt = await scene.operator(), await scene.answered()
    assert await scene.store.load_desk(operator.id) == (operator, None)
    after = attempt_rules.decide(attempt, attempt_rules.OperatorTook(operator.id), NOW)
    taken = operator_rules.decide(operator, operator_rules.Take(attempt.id), NOW)
    assert taken is not None
    await scene.store.commit([Change(attempt=after, operator=taken)])
    seen, call = await scene.store.load_desk(operator.id)
    assert seen == taken
    assert call is not None
    assert (call.attempt, call.lead.id, call.campaign, call.response) == (after, after.lead_id, scene.campaign, None)
    assert await scene.store.load_call(attempt.id) == call


async def test_a_campaign_s_record_counts_people_who_answered_and_those_who_met_nobody(scene: Scene) -> None:
    lead = await scene.lead()
    for met in (True, True, False):
        attempt = await scene.answered()
        if met:
            attempt = attempt_rules.decide(attempt, attempt_rules.OperatorTook(uuid4()), NOW)
            await scene.store.commit([Change(attempt=attempt, fence=scene.fence)])
        end = Change(attempt=attempt_rules.decide(attempt, attempt_rules.Destroyed(16), NOW), fence=scene.fence)
        assert isinstance((await scene.store.commit([end]))[0], Committed)
        assert isinstance((await scene.store.commit([end]))[0], Conflict)
    await ended(scene, await scene.reserved())
    await scene.answered()
    [history] = await scene.store.load_history([lead], NOW, NOW)
    assert history.record.windows == dict.fromkeys(("day", "month", "block"), Counts(answered=3, abandoned=1))
    [later] = await scene.store.load_history([lead], NOW, NOW + timedelta(days=62))
    assert later.record.windows == dict.fromkeys(("day", "month", "block"), Counts(answered=0, abandoned=0))
    other = await scene.lead(campaign_id=(await running(scene.stage, scene.pool)).id)
    [history] = await scene.store.load_history([other], NOW, NOW)
    assert history.record.windows["block"] == Counts(answered=0, abandoned=0)


# -- responses, safety, pacing


async def test_a_response_grows_by_revisions(scene: Scene) -> None:
    attempt, operator = await scene.answered(), await scene.operator()
    script_id, version = scene.campaign.script_id, scene.campaign.script_version
    assert script_id is not None
    assert version is not None
    assert (await scene.store.load_call(attempt.id)).response is None
    blank = Response(attempt.id, scene.campaign.id, attempt.contact_id, operator.id, script_id, version, "en", NOW)
    first = with_answer(blank, "served", "yes", NOW)
    other = with_answer(blank, "served", "no", NOW)
    answers = await scene.store.commit([Change(response=first), Change(response=other)])
    assert [isinstance(answer, Committed) for answer in answers] == [True, False]
    second = closed(first, "completed", "fine", NOW, {"score": 4})
    await scene.store.commit([Change(response=second)])
    stored = (await scene.store.load_call(attempt.id)).response
    assert stored == second
    assert stored is not None
    assert stored.answers == {"served": "yes", "score": 4}
    assert stored.revision == 2
    [stale] = await scene.store.commit([Change(response=with_answer(first, "served", "no", NOW))])
    assert isinstance(stale, Conflict)


async def test_scripts_and_campaigns_are_read_in_any_state(scene: Scene) -> None:
    finished = await running(scene.stage, scene.pool, CampaignState.FINISHED)
    assert (await scene.store.load_campaign(finished.id)).state is CampaignState.FINISHED
    assert scene.campaign.script_id is not None
    assert (await scene.store.load_script(scene.campaign.script_id, 1)).question("served") is not None


async def test_what_does_not_exist_is_said_to_be_missing(scene: Scene) -> None:
    for load in (scene.store.load_attempt, scene.store.load_lead, scene.store.load_campaign, scene.store.load_operator):
        with pytest.raises(NotFoundError):
            await load(uuid4())
    with pytest.raises(NotFoundError):
        await scene.store.load_script(uuid4(), 1)


async def test_what_may_forbid_dialing_is_read_in_one_go(scene: Scene) -> None:
    assert (await scene.store.load_safety()).consents_at is None
    await scene.stage.freshen(NOW)
    await scene.stage.stop("trunk", "main")
    await scene.stage.stop("campaign", str(scene.campaign.id))
    safety = await scene.store.load_safety()
    assert (safety.consents_at, safety.stopped_all) == (NOW, False)
    assert (safety.stopped_trunks, safety.stopped_campaigns) == ({"main"}, {scene.campaign.id})
    await scene.stage.stop("all")
    assert (await scene.store.load_safety()).stopped_all


async def test_what_pacing_learned_outlives_its_owner(scene: Scene) -> None:
    assert await scene.store.load_pacing(scene.pool.id) is None
    entry = DiaryEntry(NOW, {"c": 2}, {"c": "two are idle"}, {})
    await scene.store.save_pacing(scene.fence, {"rate": 0.25}, [entry])
    await scene.store.save_pacing(scene.fence, {"rate": 0.5}, [])
    await scene.store.save_pacing(Fence(scene.pool.id, scene.fence.epoch + 1), {"rate": 1.0}, [])
    assert await scene.store.load_pacing(scene.pool.id) == {"rate": 0.5}


async def test_many_at_once_lose_nothing(scene: Scene) -> None:
    """Concurrent batches over the same rows end in one order, without a deadlock and without a lost change."""
    leads = [await scene.lead() for _ in range(12)]

    async def bump(order: list[int]) -> None:
        for index in order:
            while True:
                present = await scene.store.load_lead(leads[index].id)
                changed = replace(present, step=present.step + 1, version=present.version + 1)
                other = await scene.store.load_lead(leads[-1 - index].id)
                moved = replace(other, priority=other.priority, version=other.version + 1)
                answers = await scene.store.commit([Change(lead=changed), Change(lead=moved)])
                if isinstance(answers[0], Committed):
                    break

    await asyncio.gather(*(bump(order) for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])))
    assert [(await scene.store.load_lead(lead.id)).step for lead in leads[:4]] == [3, 3, 3, 3]


async def ended(scene: Scene, attempt: Attempt, cause: int | None = 17) -> None:
    """Let a call end: by a cause after it rang, or (None) before it rang anybody."""
    now = NOW
    changes: list[Change] = []
    signals: list[attempt_rules.Signal] = [attempt_rules.Withdrawn()]
    if cause is not None:
        signals = [attempt_rules.DialBegun(), attempt_rules.Destroyed(cause)]
    for signal in signals:
        after = attempt_rules.decide(attempt, signal, now)
        if after is not attempt:
            changes.append(Change(attempt=after))
        attempt = after
    answers = await scene.store.commit(changes)
    assert all(isinstance(answer, Committed) for answer in answers)
    assert attempt.outcome in (Outcome.BUSY, Outcome.CANCELLED, Outcome.ABANDONED)


async def reasons(scene: Scene, *attempts: Attempt, dial: bool) -> list[str | None]:
    begun = [attempt_rules.decide(attempt, attempt_rules.DialBegun(), NOW) for attempt in attempts]
    answers = await scene.store.commit([Change(attempt=one, fence=scene.fence, dial=dial) for one in begun])
    return [answer.reason if isinstance(answer, Conflict) else None for answer in answers]
