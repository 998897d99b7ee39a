"""The dialer over real HTTP on a real PostgreSQL: campaigns, scripts, pools, trunks, stops; who may do what."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.runtime.clock import SystemClock
from services.runtime.http import Route
from services.runtime.identity import Role
from tests.crm.conftest import bearer
from tests.dialer.http import ADMIN, SUPERVISOR, Client, Poked, ask, fields, get, post
from tests.dialer.stages import PgStage, set_scene
from tests.runtime.http.role_matrix import wrongly_answered

pytestmark = pytest.mark.pg

CLOCK = SystemClock()
EN = {"en": "words"}
SCRIPT: dict[str, Any] = {
    "languages": ["en", "cy"],
    "opening": {"en": "Hello", "cy": "Helo"},
    "questions": [
        {
            "id": "served",
            "kind": "choice",
            "ask": {"en": "Served?", "cy": "Gwasanaeth?"},
            "options": [
                {"value": "yes", "label": {"en": "Yes", "cy": "Do"}, "then": "score"},
                {"value": "no", "label": {"en": "No", "cy": "Naddo"}},
            ],
        },
        {"id": "why", "kind": "text", "ask": {"en": "Why?", "cy": "Pam?"}, "required": False},
        {"id": "score", "kind": "scale", "ask": {"en": "1 to 5?", "cy": "1 i 5?"}, "minimum": 1, "maximum": 5},
    ],
}


@pytest.fixture
async def floor(client: Client) -> dict[str, Any]:
    """A pool `main`, a trunk `main` and a script."""
    pool = await post(client, "/pools", {"name": "main"}, 201, as_=SUPERVISOR)
    trunk = {"calls_per_second": 5, "channels": 10, "countries": ["GB"]}
    await ask(client, "PUT", "/trunks/main", trunk, 204, as_=ADMIN)
    script = await post(client, "/scripts", {"name": "Survey", "script": SCRIPT}, 201)
    return {"pool": pool["id"], "script": script["id"]}


def complete(floor: dict[str, Any], **plan: Any) -> dict[str, Any]:
    chosen = {"caller_ids": ["+441632960999"], **plan}
    return {"name": "Spring", "script_id": floor["script"], "audience_id": str(uuid4()), "plan": chosen}


# -- campaigns


async def test_a_campaign_lives_from_draft_to_its_end(client: Client, floor: dict[str, Any]) -> None:
    made = await post(client, "/campaigns", complete(floor), 201)
    path = f"/campaigns/{made['id']}"
    assert (made["state"], made["version"], made["pool_id"], made["script_version"]) == ("draft", 1, floor["pool"], 1)
    for order, state in (("launch", "running"), ("pause", "paused"), ("resume", "running"), ("finish", "finished")):
        done = await post(client, f"{path}/{order}")
        assert done["state"] == state
    assert done["launched_at"] is not None
    assert done["ended_at"] is not None
    for order in ("launch", "pause", "resume", "stop", "finish"):
        problem = await post(client, f"{path}/{order}", status=409)
        assert problem["detail"] == f"A campaign that is finished cannot be told to {order}."
    refused = await ask(client, "PATCH", path, {"name": "Other"}, 409, If_Match='"5"')
    assert "make a new one" in refused["detail"]
    other = await post(client, "/campaigns", complete(floor), 201)
    assert (await post(client, f"/campaigns/{other['id']}/stop"))["state"] == "stopped"
    assert [one["id"] for one in (await get(client, "/campaigns"))["items"]] == [other["id"], made["id"]]


async def test_a_campaign_that_names_no_pool_gets_the_usual_one_or_is_told_which_there_are(
    client: Client, floor: dict[str, Any], pg_stage: PgStage
) -> None:
    assert (await post(client, "/campaigns", {"name": "Main"}, 201))["pool_id"] == floor["pool"]
    await pg_stage.pool.execute("UPDATE pools SET name = 'north'")
    assert (await post(client, "/campaigns", {"name": "Only"}, 201))["pool_id"] == floor["pool"]
    await post(client, "/pools", {"name": "south"}, 201, as_=SUPERVISOR)
    problem = await post(client, "/campaigns", {"name": "Either"}, 422)
    assert "name the pool, for none is named 'main'; there are north, south" in problem["detail"]
    await pg_stage.pool.execute("TRUNCATE pools CASCADE")
    problem = await post(client, "/campaigns", {"name": "None"}, 422)
    assert "make one with `galw pools create main`" in problem["detail"]


async def test_a_launch_names_everything_that_is_missing_at_once(client: Client, floor: dict[str, Any]) -> None:
    bare = await post(client, "/campaigns", {"name": "Bare", "plan": {"hours": [], "trunk": "nowhere"}}, 201)
    problem = await post(client, f"/campaigns/{bare['id']}/launch", status=422)
    assert fields(problem) == {"script_id", "audience_id", "plan.caller_ids", "plan.hours", "plan.trunk"}
    assert (await get(client, f"/campaigns/{bare['id']}"))["state"] == "draft"
    french = {"calls_per_second": "1", "channels": 1, "countries": ["FR"]}
    await ask(client, "PUT", "/trunks/paris", french, 204, as_=ADMIN)
    sundays = {"hours": [{"start": "09:00", "end": "12:00", "days": ["sun"]}], "trunk": "paris", "purpose": "marketing"}
    closed = await post(client, "/campaigns", {**complete(floor), "plan": sundays}, 201)
    problem = await post(client, f"/campaigns/{closed['id']}/launch", status=422)
    assert fields(problem) == {"plan.caller_ids", "plan.hours"}
    assert any("legal" in one["problem"] for one in problem["fields"])


async def test_a_campaign_is_changed_while_it_runs_under_its_version(client: Client, floor: dict[str, Any]) -> None:
    made = await post(client, "/campaigns", complete(floor, subject="Spring"), 201)
    path = f"/campaigns/{made['id']}"
    await post(client, f"{path}/launch", If_Match='"1"')
    await ask(client, "PATCH", path, {"name": "Summer"}, 428)
    changed = await ask(client, "PATCH", path, {"name": "Summer", "plan": {"mode": "preview"}}, If_Match='"2"')
    assert (changed["name"], changed["version"], changed["state"]) == ("Summer", 3, "running")
    assert (changed["plan"]["mode"], changed["plan"]["subject"]) == ("preview", "Spring")
    assert changed["plan"]["caller_ids"] == ["+441632960999"]
    stale = await ask(client, "PATCH", path, {"name": "Autumn"}, 412, If_Match='"2"')
    assert "version 3" in stale["detail"]
    assert (await post(client, f"{path}/pause", status=412, If_Match='"2"'))["code"] == "precondition-failed"
    crippling = await ask(client, "PATCH", path, {"plan": {"caller_ids": []}}, 422, If_Match='"3"')
    assert fields(crippling) == {"plan.caller_ids"}
    unknown = await ask(client, "PATCH", path, {"pool_id": str(uuid4())}, 404, If_Match='"3"')
    assert "pool" in unknown["detail"]
    wrong = await ask(client, "PATCH", path, {"plan": {"mode": "loud", "hue": 1}, "x": 1}, 422, If_Match='"3"')
    assert {"plan.mode", "plan.hue", "x"} <= fields(wrong)


async def test_who_changed_what_and_when_is_kept(client: Client, floor: dict[str, Any]) -> None:
    made = await post(client, "/campaigns", complete(floor), 201, as_=bearer(Role.MARKETING, 8))
    path = f"/campaigns/{made['id']}"
    await post(client, f"{path}/launch", as_=bearer(Role.MARKETING, 9))
    await ask(client, "PATCH", path, {"plan": {"max_lines": 7}}, as_=ADMIN, If_Match='"2"')
    log = (await get(client, f"{path}/changes", as_=bearer(Role.AUDITOR)))["items"]
    assert [(one["version"], one["change"]) for one in log] == [(3, "edited"), (2, "launched"), (1, "created")]
    assert [UUID(one["by"]).int for one in log] == [7, 9, 8]
    assert (log[0]["before"]["plan"]["max_lines"], log[0]["after"]["plan"]["max_lines"]) == (200, 7)
    assert log[2]["before"] is None
    first = await get(client, f"{path}/changes?limit=2")
    rest = await get(client, f"{path}/changes?limit=2&cursor={first['next_cursor']}")
    assert [one["version"] for one in (*first["items"], *rest["items"])] == [3, 2, 1]


async def test_every_change_is_announced_in_order(client: Client, floor: dict[str, Any], pg_stage: PgStage) -> None:
    made = await post(client, "/campaigns", complete(floor), 201)
    await post(client, f"/campaigns/{made['id']}/launch")
    await post(client, f"/campaigns/{made['id']}/pause")
    rows = await pg_stage.pool.fetch("SELECT convert_from(payload, 'UTF8')::jsonb AS fact FROM outbox ORDER BY seq")
    assert [(r["fact"]["sequence"], r["fact"]["change"], r["fact"]["state"]) for r in rows] == [
        (1, "created", "draft"),
        (2, "launched", "running"),
        (3, "paused", "paused"),
    ]


async def test_a_repeat_with_the_same_key_drafts_one_campaign(client: Client, floor: dict[str, Any]) -> None:
    body = complete(floor)
    first = await post(client, "/campaigns", body, 201, Idempotency_Key="one")
    assert (await post(client, "/campaigns", body, 201, Idempotency_Key="one"))["id"] == first["id"]
    assert len((await get(client, "/campaigns"))["items"]) == 1


async def test_a_draft_with_an_unknown_script_is_refused(client: Client, floor: dict[str, Any]) -> None:
    unknown = {"name": "None", "pool_id": floor["pool"], "script_id": str(uuid4())}
    problem = await post(client, "/campaigns", unknown, 404)
    assert "script" in problem["detail"]


async def test_progress_and_attempts_show_where_a_campaign_stands_and_no_number(
    client: Client, pg_stage: PgStage
) -> None:
    scene = await set_scene(pg_stage)
    for _ in range(2):
        await scene.lead()
    await scene.lead(held_by="hours", next_at=CLOCK.now().replace(year=2099))
    wish = scene.wish(await scene.lead())
    stored = {"decision": {"decision": "allow"}, "facts": {"number": "+441632960001", "attempts": [{"number": "+4"}]}}
    object.__setattr__(wish.attempt, "decision", stored)
    await scene.store.reserve([wish])
    progress = await get(client, f"/campaigns/{scene.campaign.id}/progress")
    assert progress["leads"] == {"waiting": 3, "busy": 1}
    assert [(one["held_by"], one["leads"]) for one in progress["held"]] == [("nothing", 2), ("hours", 1)]
    assert progress["outcomes"] == {"live": 1}
    [attempt] = (await get(client, f"/campaigns/{scene.campaign.id}/attempts"))["items"]
    assert attempt["decision"] == {"decision": "allow"}
    await get(client, f"/campaigns/{uuid4()}/progress", 404)


# -- scripts


async def test_a_script_is_kept_in_versions_that_are_never_edited(client: Client, floor: dict[str, Any]) -> None:
    path = f"/scripts/{floor['script']}"
    second = {**SCRIPT, "opening": {"en": "Hi", "cy": "Shwmae"}}
    assert (await ask(client, "PUT", path, {"name": "Survey 2", "script": second}))["version"] == 2
    assert (await get(client, path))["script"]["opening"]["cy"] == "Shwmae"
    assert (await get(client, f"{path}?version=1"))["script"]["opening"]["cy"] == "Helo"
    assert [(one["name"], one["version"]) for one in (await get(client, "/scripts"))["items"]] == [("Survey 2", 2)]
    await get(client, f"{path}?version=3", 404)
    await ask(client, "PUT", f"/scripts/{uuid4()}", {"name": "x", "script": SCRIPT}, 404)


async def test_a_script_that_leads_nowhere_or_loops_is_refused_and_the_question_named(
    client: Client, floor: dict[str, Any]
) -> None:
    nowhere: dict[str, Any] = {"id": "q1", "kind": "text", "ask": EN, "then": "q9"}
    loop: list[dict[str, Any]] = [{**nowhere, "then": None}, {**nowhere, "id": "q2", "then": "q1"}]
    for questions, words in (
        ([nowhere], "questions.q1: branches to 'q9'"),
        (loop, "questions.q1: its branches lead back"),
    ):
        script = {"languages": ["en"], "opening": EN, "questions": questions}
        problem = await post(client, "/scripts", {"name": "Wrong", "script": script}, 422)
        assert words in problem["fields"][0]["problem"]
    assert len((await get(client, "/scripts"))["items"]) == 1


# -- pools, operators, trunks, stops


async def test_pools_are_made_listed_and_changed(client: Client, floor: dict[str, Any], poked: Poked) -> None:
    conflict = await post(client, "/pools", {"name": "main"}, 409, as_=SUPERVISOR)
    assert conflict["detail"] == "There is a pool named 'main' already."
    night = await post(client, "/pools", {"name": "night"}, 201, as_=SUPERVISOR)
    changed = {"name": "late", "wrap_up_limit_s": 30, "shadow_mode": "predictive"}
    after = await ask(client, "PUT", f"/pools/{night['id']}", changed, as_=SUPERVISOR)
    assert (after["name"], after["wrap_up_limit_s"], after["shadow_mode"]) == ("late", 30, "predictive")
    assert poked.woken == 1
    await ask(client, "PUT", f"/pools/{night['id']}", {"name": "main"}, 409, as_=SUPERVISOR)
    await ask(client, "PUT", f"/pools/{uuid4()}", {"name": "x"}, 404, as_=SUPERVISOR)
    assert [one["name"] for one in (await get(client, "/pools"))["items"]] == ["late", "main"]
    wrong = await post(client, "/pools", {"name": "", "lost_grace_s": 0}, 422, as_=SUPERVISOR)
    assert fields(wrong) == {"name", "lost_grace_s"}


async def test_an_operator_changes_pools_only_while_offline(client: Client, floor: dict[str, Any]) -> None:
    mari = bearer(Role.OPERATOR, 70)
    me = await get(client, "/operators/me", as_=mari)
    night = await post(client, "/pools", {"name": "night"}, 201, as_=SUPERVISOR)
    path = f"/operators/{me['operator_id']}/assignment"
    moved = await ask(client, "PUT", path, {"pool_id": night["id"], "skills": ["welsh", "welsh"]}, as_=SUPERVISOR)
    assert (moved["pool_id"], moved["skills"], moved["state"]) == (night["id"], ["welsh"], "offline")
    me = await get(client, "/operators/me", as_=mari)
    await post(client, "/operators/me/ready", {"version": me["version"]}, as_=mari)
    stays = await ask(client, "PUT", path, {"pool_id": floor["pool"]}, 409, as_=SUPERVISOR)
    assert "offline" in stays["detail"]
    await ask(client, "PUT", path, {"pool_id": night["id"], "skills": []}, as_=SUPERVISOR)
    [listed] = (await get(client, "/operators", as_=SUPERVISOR))["items"]
    assert (listed["name"], listed["state"], listed["skills"]) == ("A operator", "ready", [])


async def test_a_trunks_limits_are_set_by_an_administrator(client: Client, floor: dict[str, Any]) -> None:
    body = {"calls_per_second": 2.5, "channels": 3, "countries": ["GB", "IE"], "spend_cap_micros": 10_000_000}
    await ask(client, "PUT", "/trunks/main", body, 204, as_=ADMIN)
    [trunk] = (await get(client, "/trunks", as_=SUPERVISOR))["items"]
    assert (float(trunk["calls_per_second"]), trunk["channels"], trunk["live"]) == (2.5, 3, 0)
    wrong = {"calls_per_second": 0, "channels": 0, "countries": ["gb"]}
    assert fields(await ask(client, "PUT", "/trunks/main", wrong, 422, as_=ADMIN)) == {
        "calls_per_second",
        "channels",
        "countries[0]",
    }
    await ask(client, "PUT", "/trunks/main", body, 403, as_=SUPERVISOR)


async def test_an_emergency_stop_is_put_in_force_told_to_all_and_lifted(
    client: Client, floor: dict[str, Any], poked: Poked
) -> None:
    campaign = (await post(client, "/campaigns", complete(floor), 201))["id"]
    stops = [{"scope": "all"}, {"scope": "campaign", "target": campaign}, {"scope": "trunk", "target": "main"}]
    for number, body in enumerate(stops):
        shown = await post(client, "/stops", {**body, "reason": "fire"})
        assert len(shown["items"]) == number + 1
        assert poked.woken == number + 1
    again = await post(client, "/stops", {"scope": "all"})
    assert len(again["items"]) == 3
    assert {(one["scope"], one["target"], one["reason"]) for one in again["items"]} == {
        ("all", "", "fire"),
        ("campaign", campaign, "fire"),
        ("trunk", "main", "fire"),
    }
    await post(client, "/stops/lift", {"scope": "all"}, 403)
    for body in stops:
        await post(client, "/stops/lift", {**body, "reason": "out"}, as_=SUPERVISOR)
    assert (await get(client, "/stops"))["items"] == []
    first = await get(client, "/stops/changes?limit=3")
    rest = await get(client, f"/stops/changes?limit=50&cursor={first['next_cursor']}")
    told = [*first["items"], *rest["items"]]
    assert [(one["change"], one["scope"], one["reason"]) for one in told] == [
        ("lifted", "trunk", "out"),
        ("lifted", "campaign", "out"),
        ("lifted", "all", "out"),
        ("stopped", "all", ""),
        ("stopped", "trunk", "fire"),
        ("stopped", "campaign", "fire"),
        ("stopped", "all", "fire"),
    ]
    assert all(one["by"] and one["at"] for one in told)
    await post(client, "/stops/lift", {"scope": "all"}, 404, as_=SUPERVISOR)


async def test_a_stop_that_would_stop_nothing_is_refused(client: Client, floor: dict[str, Any]) -> None:
    for body, status in (
        ({"scope": "trunk", "target": "mian"}, 404),
        ({"scope": "campaign", "target": str(uuid4())}, 404),
        ({"scope": "campaign", "target": "spring"}, 422),
        ({"scope": "trunk"}, 422),
    ):
        assert "detail" in await post(client, "/stops", body, status)
    assert (await get(client, "/stops"))["items"] == []


# -- who may do what


async def test_every_route_lets_in_its_roles_and_nobody_else(client: Client, routes: list[Any]) -> None:
    every: list[Route] = [route for group in routes for route in group.all]
    assert len(every) > 30
    assert await wrongly_answered(client, every, bearer) == []


async def test_reading_a_list_page_by_page_shows_everything_once(client: Client, floor: dict[str, Any]) -> None:
    made = [(await post(client, "/campaigns", complete(floor), 201))["id"] for _ in range(5)]
    await asyncio.gather(*(get(client, "/operators/me", as_=bearer(Role.OPERATOR, 80 + n)) for n in range(3)))
    for path, count in (("/campaigns", 5), ("/operators", 3)):
        seen: list[str] = []
        page = await get(client, f"{path}?limit=2", as_=SUPERVISOR)
        while True:
            seen += [one["id"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            page = await get(client, f"{path}?limit=2&cursor={page['next_cursor']}", as_=SUPERVISOR)
        assert len(seen) == len(set(seen)) == count
    assert made
