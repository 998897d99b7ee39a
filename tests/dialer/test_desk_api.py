"""The operator's desk over HTTP: whatever an operator does carries the call and the state version it was made on."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain.attempts import Attempt
from services.dialer.domain.leads import LeadState, Person, Stream
from services.dialer.domain.operators import ACCEPTED, Operator, OperatorState
from services.dialer.domain.scripts import Option, Question, Script
from services.dialer.ports import Change, Committed
from services.events.catalogue import BY_TYPE
from services.events.dialer import LeadFinished, OperatorStateChanged, PersonRefused, ResponseRecorded
from services.events.envelope import Event
from services.runtime.clock import SystemClock
from services.runtime.identity import Role
from tests.crm.conftest import bearer
from tests.dialer.http import Client, Poked, ask, fields, get, post
from tests.dialer.stages import NOW, PgStage, Scene, set_scene

pytestmark = pytest.mark.pg

ME = 70
MARI = bearer(Role.OPERATOR, ME)
OTHER = bearer(Role.OPERATOR, 71)


@pytest.fixture
async def scene(pg_stage: PgStage) -> Scene:
    return await set_scene(pg_stage)


async def at_work(scene: Scene, state: OperatorState = OperatorState.READY, **said: Any) -> Operator:
    """Let Mari be an operator of the pool."""
    return await scene.operator(state, id=UUID(int=ME), name="A operator", instance_id=uuid4(), **said)


async def on_a_call(scene: Scene, **person: Any) -> tuple[Operator, Attempt]:
    """Let Mari speak with somebody."""
    mari = await at_work(scene)
    attempt = await scene.answered(await scene.lead(person=Person("Siân", **person)))
    connected = attempt_rules.decide(attempt, attempt_rules.OperatorTook(mari.id), NOW)
    talking = operator_rules.decide(mari, operator_rules.Take(attempt.id), NOW)
    assert talking is not None
    [answer] = await scene.store.commit([Change(attempt=connected, operator=talking, fence=scene.fence)])
    assert isinstance(answer, Committed)
    return talking, connected


async def told(scene: Scene, kind: type[Event]) -> list[Any]:
    """Return what was announced of a kind."""
    assert isinstance(scene.stage, PgStage)
    rows = await scene.stage.pool.fetch(
        "SELECT type, payload FROM outbox WHERE type = $1 ORDER BY seq", kind.type_name()
    )
    return [BY_TYPE[kind.type][1].model_validate_json(row["payload"]) for row in rows]


async def me(client: Client) -> dict[str, Any]:
    return await get(client, "/operators/me", as_=MARI)


async def wrap_up(client: Client, scene: Scene, **person: Any) -> tuple[str, int]:
    """Bring Mari to the wrap-up of a call; return its path and her state's version."""
    talking, attempt = await on_a_call(scene, **person)
    path = f"/calls/{attempt.id}"
    return path, (await post(client, f"{path}/hang-up", {"version": talking.version}, as_=MARI))["version"]


# -- presence


async def test_a_first_visit_makes_an_operator_who_is_offline(client: Client, scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    assert "no pool named 'main'" in (await get(client, "/operators/me", 404, as_=MARI))["detail"]
    await scene.stage.pool.execute("UPDATE pools SET name = 'main'")
    assert ((await me(client))["state"], (await me(client))["version"]) == ("offline", 1)


async def test_ready_pause_offline_each_answer_with_the_new_state(client: Client, scene: Scene, poked: Poked) -> None:
    await at_work(scene, OperatorState.OFFLINE)
    ready = await post(client, "/operators/me/ready", {"version": 1}, as_=MARI)
    assert (ready["state"], ready["version"]) == ("ready", 2)
    paused = await post(client, "/operators/me/pause", {"version": 2, "reason": "meal"}, as_=MARI)
    assert (paused["state"], paused["reason"], paused["version"]) == ("paused", "meal", 3)
    gone = await post(client, "/operators/me/offline", {"version": 3}, as_=MARI)
    assert (gone["state"], gone["version"]) == ("offline", 4)
    assert [operator.version for operator, _ in poked.told if operator is not None] == [2, 3, 4]
    changes = await told(scene, OperatorStateChanged)
    assert [(one.sequence, one.state, one.reason) for one in changes] == [
        (2, "ready", None),
        (3, "paused", "meal"),
        (4, "offline", None),
    ]


async def test_a_command_on_an_old_state_is_refused_with_the_present_one(client: Client, scene: Scene) -> None:
    await at_work(scene)
    await post(client, "/operators/me/pause", {"version": 1, "reason": "break"}, as_=MARI)
    problem = await post(client, "/operators/me/ready", {"version": 1}, 409, as_=MARI)
    assert (problem["present"]["state"], problem["present"]["version"]) == ("paused", 2)
    again = await post(client, "/operators/me/ready", {"version": problem["present"]["version"]}, as_=MARI)
    assert again["state"] == "ready"


async def test_a_pause_needs_a_known_reason(client: Client, scene: Scene) -> None:
    await at_work(scene)
    problem = await post(client, "/operators/me/pause", {"version": 1, "reason": "golf"}, 422, as_=MARI)
    assert fields(problem) == {"reason"}
    assert "meal" in problem["fields"][0]["problem"]


async def test_what_the_state_forbids_is_said_in_words(client: Client, scene: Scene) -> None:
    await at_work(scene)
    for path, words in (("offer/accept", "You cannot accept an offer while ready."), ("ready-in", "say when you will")):
        body = {"version": 1, **({"seconds": 5} if path == "ready-in" else {})}
        assert words in (await post(client, f"/operators/me/{path}", body, 409, as_=MARI))["detail"]


# -- previews


async def shown(scene: Scene) -> tuple[Operator, lead_rules.Lead]:
    mari, lead = await at_work(scene), await scene.lead()
    offered = operator_rules.decide(mari, operator_rules.Offer(lead.id), NOW)
    assert offered is not None
    held = lead_rules.hold(lead)
    await scene.store.commit([Change(operator=offered, lead=held)])
    return offered, held


async def test_a_preview_is_accepted_for_the_owner_to_dial(client: Client, scene: Scene, poked: Poked) -> None:
    offered, lead = await shown(scene)
    body = await post(client, "/operators/me/offer/accept", {"version": offered.version}, as_=MARI)
    assert (body["state"], body["reason"], body["offer_lead_id"]) == ("reserved", ACCEPTED, str(lead.id))
    assert poked.told[-1][0] is not None
    assert (await scene.store.load_lead(lead.id)).state is LeadState.BUSY


async def test_a_preview_that_is_skipped_goes_back_to_its_queue(client: Client, scene: Scene) -> None:
    offered, lead = await shown(scene)
    body = await post(client, "/operators/me/offer/skip", {"version": offered.version}, as_=MARI)
    assert (body["state"], body["offer_lead_id"]) == ("ready", None)
    back = await scene.store.load_lead(lead.id)
    assert (back.state, back.held_by) == (LeadState.WAITING, "skipped")


# -- the call


async def test_a_call_is_held_resumed_and_hung_up(client: Client, scene: Scene, poked: Poked) -> None:
    talking, attempt = await on_a_call(scene)
    version = {"version": talking.version}
    seen = await me(client)
    assert (seen["call"]["person"]["name"], seen["call"]["phone"]) == ("Siân", attempt.phone)
    held = await post(client, f"/calls/{attempt.id}/hold", version, as_=MARI)
    assert held["call"]["held"]
    assert poked.told[-1][1] is not None
    assert not (await post(client, f"/calls/{attempt.id}/resume", version, as_=MARI))["call"]["held"]
    over = await post(client, f"/calls/{attempt.id}/hang-up", version, as_=MARI)
    assert (over["state"], over["version"]) == ("wrap_up", talking.version + 1)
    assert (await scene.store.load_attempt(attempt.id)).hangup_requested
    repeated = await post(client, f"/calls/{attempt.id}/hang-up", version, 409, as_=MARI)
    assert repeated["present"]["state"] == "wrap_up"


async def test_nobody_is_held_who_is_not_on_the_line(client: Client, scene: Scene) -> None:
    mari, attempt = await at_work(scene), await scene.reserved()
    promised = operator_rules.decide(mari, operator_rules.Reserve(attempt.id), NOW)
    assert promised is not None
    await scene.store.commit([Change(operator=promised)])
    problem = await post(client, f"/calls/{attempt.id}/hold", {"version": promised.version}, 409, as_=MARI)
    assert (problem["detail"], problem["present"]["call"]["state"]) == (
        "You are not speaking with anybody on this call.",
        "reserved",
    )
    free = await post(client, f"/calls/{attempt.id}/hang-up", {"version": promised.version}, as_=MARI)
    assert free["state"] == "ready"


async def test_nobody_touches_the_call_of_another(client: Client, scene: Scene) -> None:
    talking, attempt = await on_a_call(scene)
    await scene.operator(id=UUID(int=71), name="A operator")
    body = {"version": 1}
    for path in ("hold", "resume", "hang-up", "disposition"):
        said = body if path != "disposition" else {**body, "disposition": "completed"}
        problem = await post(client, f"/calls/{attempt.id}/{path}", said, 409, as_=OTHER)
        assert (problem["detail"], problem["present"]["state"]) == ("You are not on this call.", "ready")
    await ask(client, "PUT", f"/calls/{attempt.id}/answers/served", {"value": "yes", **body}, 409, as_=OTHER)
    await get(client, f"/calls/{attempt.id}/script", 409, as_=OTHER)
    await post(client, f"/calls/{uuid4()}/hold", {"version": talking.version}, 409, as_=MARI)


async def test_answers_are_checked_kept_and_read_again(client: Client, scene: Scene) -> None:
    talking, attempt = await on_a_call(scene)
    path = f"/calls/{attempt.id}"
    body = {"value": "yes", "version": talking.version}
    kept = await ask(client, "PUT", f"{path}/answers/served", body, as_=MARI)
    assert kept == {"call_id": str(attempt.id), "version": talking.version, "revision": 1, "answers": {"served": "yes"}}
    body = {"value": "no", "version": talking.version}
    assert (await ask(client, "PUT", f"{path}/answers/served", body, as_=MARI))["revision"] == 2
    stale = await ask(client, "PUT", f"{path}/answers/served", {"value": "yes", "version": 1}, 409, as_=MARI)
    assert stale["present"]["version"] == talking.version
    for question, value in (("served", "maybe"), ("score", 9), ("score", "3"), ("none", 1), ("served", None)):
        body = {"value": value, "version": talking.version}
        problem = await ask(client, "PUT", f"{path}/answers/{question}", body, 422, as_=MARI)
        assert fields(problem) == {f"answers.{question}"}
    script = await get(client, f"{path}/script", as_=MARI)
    assert (script["version"], script["language"], script["answers"]) == (1, "en", {"served": "no"})


async def test_answers_that_would_be_too_long_to_announce_are_refused(client: Client, scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    script_id = uuid4()
    questions = tuple(Question(id=f"q{n}", kind="text", ask={"en": "?"}) for n in range(12))
    script = Script(languages=("en",), opening={"en": "Hello"}, questions=questions)
    await scene.stage.campaigns.save_script(script_id, "Long", script, NOW, None, first=True)
    await scene.stage.pool.execute("UPDATE campaigns SET script_id = $1, script_version = 1", script_id)
    talking, attempt = await on_a_call(scene)
    body = {"value": "w" * 10_000, "version": talking.version}
    for n in range(9):
        await ask(client, "PUT", f"/calls/{attempt.id}/answers/q{n}", body, as_=MARI)
    problem = await ask(client, "PUT", f"/calls/{attempt.id}/answers/q9", body, 422, as_=MARI)
    assert fields(problem) == {"answers.q9"}


async def test_the_script_is_in_the_persons_language_and_stays_in_its_version(client: Client, scene: Scene) -> None:
    assert isinstance(scene.stage, PgStage)
    words = {"en": "Well served?", "cy": "Gwasanaeth da?"}
    yes = Option(value="yes", label={"en": "Yes", "cy": "Do"})
    no = Option(value="no", label={"en": "No", "cy": "Naddo"})
    question = Question(id="served", kind="choice", ask=words, options=(yes, no))
    script = Script(languages=("en", "cy"), opening={"en": "Hello", "cy": "Helo"}, questions=(question,))
    script_id, store = uuid4(), scene.stage.campaigns
    await store.save_script(script_id, "Two", script, NOW, None, first=True)
    await scene.stage.pool.execute("UPDATE campaigns SET script_id = $1, script_version = 1", script_id)
    talking, attempt = await on_a_call(scene, language="cy-GB")
    body = {"value": "yes", "version": talking.version}
    await ask(client, "PUT", f"/calls/{attempt.id}/answers/served", body, as_=MARI)
    other = Script(languages=("en",), opening={"en": "Hello"}, questions=())
    await store.save_script(script_id, "Two", other, NOW, None, first=False)
    await scene.stage.pool.execute("UPDATE campaigns SET script_version = 2")
    shown = await get(client, f"/calls/{attempt.id}/script", as_=MARI)
    assert (shown["version"], shown["language"]) == (1, "cy")
    over = await post(client, f"/calls/{attempt.id}/hang-up", {"version": talking.version}, as_=MARI)
    closing = {"version": over["version"], "disposition": "completed"}
    await post(client, f"/calls/{attempt.id}/disposition", closing, as_=MARI)
    [recorded] = await told(scene, ResponseRecorded)
    assert (recorded.script_version, recorded.language) == (1, "cy")
    assert [(one.question, one.value) for one in recorded.answers] == [("Gwasanaeth da?", "yes")]


# -- how it went


async def test_a_disposition_closes_the_call_and_is_announced_once(client: Client, scene: Scene) -> None:
    path, version = await wrap_up(client, scene)
    body = {"version": version, "disposition": "completed", "note": "fine", "answers": {"served": "yes", "score": 5}}
    after = await post(client, f"{path}/disposition", body, as_=MARI)
    assert (after["state"], after["call"]) == ("ready", None)
    repeated = await post(client, f"{path}/disposition", body, 409, as_=MARI)
    assert repeated["present"]["version"] == after["version"]
    [recorded] = await told(scene, ResponseRecorded)
    assert (recorded.disposition, recorded.note, recorded.operator_id) == ("completed", "fine", UUID(int=ME))
    assert {one.question_id: one.value for one in recorded.answers} == {"served": "yes", "score": 5}
    [finished] = await told(scene, LeadFinished)
    assert finished.result == "reached"


async def test_a_disposition_waits_for_the_end_of_the_call(client: Client, scene: Scene) -> None:
    talking, attempt = await on_a_call(scene)
    body = {"version": talking.version, "disposition": "completed"}
    problem = await post(client, f"/calls/{attempt.id}/disposition", body, 409, as_=MARI)
    assert "end it first" in problem["detail"]


async def test_an_unknown_disposition_and_a_wrong_or_missing_answer_are_named(client: Client, scene: Scene) -> None:
    path, version = await wrap_up(client, scene)
    problem = await post(client, f"{path}/disposition", {"version": version, "disposition": "sold"}, 422, as_=MARI)
    assert fields(problem) == {"disposition"}
    body = {"version": version, "disposition": "completed", "answers": {"served": "perhaps"}}
    assert fields(await post(client, f"{path}/disposition", body, 422, as_=MARI)) == {"answers.served"}
    missing = await post(client, f"{path}/disposition", {"version": version, "disposition": "completed"}, 422, as_=MARI)
    assert fields(missing) == {"answers.served"}
    assert "needs answers" in missing["detail"]
    assert (await me(client))["state"] == "wrap_up"


async def test_what_was_asked_for_during_the_call_comes_after_it(client: Client, scene: Scene) -> None:
    talking, attempt = await on_a_call(scene)
    wish = {"version": talking.version, "reason": "meal"}
    wished = await post(client, "/operators/me/pause", wish, as_=MARI)
    assert (wished["state"], wished["next_state"]) == ("talking", "paused")
    soon = await post(client, "/operators/me/ready-in", {"version": wished["version"], "seconds": 30}, as_=MARI)
    over = await post(client, f"/calls/{attempt.id}/hang-up", {"version": soon["version"]}, as_=MARI)
    body = {"version": over["version"], "disposition": "not_now"}
    after = await post(client, f"/calls/{attempt.id}/disposition", body, as_=MARI)
    assert (after["state"], after["reason"]) == ("paused", "meal")


async def test_never_call_again_suppresses_person_and_every_number_at_once(client: Client, scene: Scene) -> None:
    path, version = await wrap_up(client, scene)
    await post(client, f"{path}/disposition", {"version": version, "disposition": "never_call_again"}, as_=MARI)
    attempt = await scene.store.load_attempt(UUID(path.removeprefix("/calls/")))
    lead = await scene.store.load_lead(attempt.lead_id)
    assert (lead.state, lead.result) == (LeadState.FINISHED, "refused")
    sharing = await scene.lead(phones=(replace(lead.phone),))
    histories = await scene.store.load_history([lead, sharing], NOW - timedelta(days=1), NOW)
    assert [one.suppressed for one in histories] == [True, True]
    [refused] = await told(scene, PersonRefused)
    assert (refused.contact_id, refused.operator_id) == (attempt.contact_id, UUID(int=ME))


@pytest.mark.parametrize("own", [True, False])
async def test_a_callback_is_agreed_in_the_persons_zone(client: Client, scene: Scene, own: bool) -> None:
    path, version = await wrap_up(client, scene, time_zone="America/New_York")
    day = (SystemClock().now() + timedelta(days=2)).date()
    body = {"version": version, "disposition": "call_back", "call_back_own": own, "call_back_local": f"{day}T15:00"}
    await post(client, f"{path}/disposition", body, as_=MARI)
    lead = await scene.store.load_lead((await scene.store.load_attempt(UUID(path.removeprefix("/calls/")))).lead_id)
    assert (lead.state, lead.stream, lead.held_by) == (LeadState.WAITING, Stream.CALLBACK, "callback")
    assert lead.next_at.date() == day
    assert lead.next_at.hour in (19, 20)
    assert lead.callback_operator == (UUID(int=ME) if own else None)
    due = await scene.store.list_due_leads(scene.campaign.id, Stream.CALLBACK, lead.next_at, 5)
    assert [one.id for one in due] == [lead.id]


async def test_where_no_zone_was_told_the_number_tells_it(client: Client, scene: Scene) -> None:
    path, version = await wrap_up(client, scene, time_zone="Mars/Olympus")
    july = next(day for n in range(1, 366) if (day := NOW.date() + timedelta(days=n)).month == 7)  # the clocks say BST
    body = {"version": version, "disposition": "call_back", "call_back_local": f"{july}T15:00"}
    await post(client, f"{path}/disposition", body, as_=MARI)
    attempt = await scene.store.load_attempt(UUID(path.removeprefix("/calls/")))
    assert (await scene.store.load_lead(attempt.lead_id)).next_at == datetime.fromisoformat(f"{july}T14:00+00:00")


async def test_a_callback_that_cannot_be_meant_is_refused(client: Client, scene: Scene) -> None:
    path, version = await wrap_up(client, scene, time_zone="Europe/London")
    for said, field in (
        ({}, "call_back_at"),
        ({"call_back_at": "2020-01-01T00:00:00Z"}, "call_back_at"),
        ({"call_back_at": f"{NOW.year + 2}-01-01T00:00:00Z"}, "call_back_at"),
        ({"call_back_at": f"{NOW.date()}T23:59:59"}, "call_back_at"),
        ({"call_back_at": "9999-12-31T23:59:59-12:00"}, "call_back_at"),
        ({"call_back_local": "9999-12-31T23:59"}, "call_back_at"),
        ({"call_back_local": "2099-02-30T10:00"}, "call_back_local"),
        ({"call_back_local": "2027-03-28T01:30"}, "call_back_local"),
        ({"call_back_local": "tomorrow"}, "call_back_local"),
    ):
        body = {"version": version, "disposition": "call_back", **said}
        assert fields(await post(client, f"{path}/disposition", body, 422, as_=MARI)) == {field}, said
    assert (await me(client))["state"] == "wrap_up"


async def test_not_now_and_the_wrong_person_follow_the_campaigns_rules(client: Client, scene: Scene) -> None:
    path, version = await wrap_up(client, scene)
    await post(client, f"{path}/disposition", {"version": version, "disposition": "not_now"}, as_=MARI)
    attempt = await scene.store.load_attempt(UUID(path.removeprefix("/calls/")))
    lead = await scene.store.load_lead(attempt.lead_id)
    assert (lead.state, lead.stream, dict(lead.tries)) == (LeadState.WAITING, Stream.RETRY, {"no_answer": 1})


async def test_wrong_types_and_unknown_fields_are_named(client: Client, scene: Scene) -> None:
    await at_work(scene)
    for body, wrong in (
        ({}, {"version"}),
        ({"version": "1"}, {"version"}),
        ({"version": 0}, {"version"}),
        ({"version": 1, "mood": "good"}, {"mood"}),
    ):
        assert fields(await post(client, "/operators/me/ready", body, 422, as_=MARI)) == wrong
    await post(client, "/calls/nothing/hold", {"version": 1}, 422, as_=MARI)
