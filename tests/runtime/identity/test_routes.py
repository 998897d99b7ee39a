"""Identity over HTTP: what clients send and see."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from services.runtime.identity import Role
from services.runtime.identity.accounts import AccountEdit
from services.runtime.identity.identity import Identity
from services.runtime.identity.routes import identity_routes
from tests.runtime.http.role_matrix import wrongly_answered
from tests.runtime.identity.conftest import PASSWORD, Client, bearer, make_account

pytestmark = pytest.mark.pg
ACCOUNTS = "/api/identity/accounts"


async def sign_in(client: Client, email: str, password: str = PASSWORD) -> tuple[int, dict[str, Any]]:
    async with client.post("/api/identity/sign-in", json={"email": email, "password": password}) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_every_route_lets_in_its_roles_and_nobody_else(identity: Identity, client: Client) -> None:
    headers = {role: await bearer(identity, await make_account(identity, role)) for role in Role}
    routes = [route for group in identity_routes(identity) for route in group.all]
    assert await wrongly_answered(client, routes, lambda role: headers[role]) == []


async def test_a_person_signs_in_asks_who_they_are_refreshes_and_signs_out(identity: Identity, client: Client) -> None:
    account = await make_account(identity, Role.SUPERVISOR)
    status, tokens = await sign_in(client, account.email)
    assert status == 200
    assert tokens["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with client.get("/api/identity/me", headers=headers) as answer:
        assert (await answer.json())["roles"] == ["supervisor"]
    refresh = {"refresh_token": tokens["refresh_token"]}
    async with client.post("/api/identity/refresh", json=refresh) as answer:
        assert answer.status == 200
        refresh = {"refresh_token": (await answer.json())["refresh_token"]}
    async with client.post("/api/identity/sign-out", json=refresh) as answer:
        assert answer.status == 204
    async with client.post("/api/identity/refresh", json=refresh) as answer:
        assert answer.status == 401


async def test_too_many_failures_are_a_429_that_says_how_long(identity: Identity, client: Client) -> None:
    account = await make_account(identity)
    for _ in range(5):
        assert (await sign_in(client, account.email, "wrong"))[0] == 401
    status, problem = await sign_in(client, account.email)
    assert status == 429
    assert problem["code"] == "too-many-attempts"
    assert "15 seconds" in problem["detail"]


async def test_an_administrator_makes_edits_and_disables_accounts(identity: Identity, client: Client) -> None:
    admin = await bearer(identity, await make_account(identity, Role.ADMIN))
    new = {"email": "Bob@example.org", "name": "Bob", "password": PASSWORD, "roles": ["operator"]}
    async with client.post(ACCOUNTS, json=new, headers=admin) as answer:
        made = await answer.json()
        assert answer.status == 201, made
        assert made["email"] == "bob@example.org"
        assert "password" not in str(made)
        etag, place = answer.headers["ETag"], answer.headers["Location"]
    async with client.post(ACCOUNTS, json=new, headers=admin) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (409, "email-taken")
    _, tokens = await sign_in(client, "bob@example.org")
    patch = {"roles": ["operator", "supervisor"], "team_ids": [str(UUID(int=3))]}
    async with client.patch(place, json=patch, headers={**admin, "If-Match": etag}) as answer:
        assert (await answer.json())["roles"] == ["operator", "supervisor"]
        newer = answer.headers["ETag"]
    async with client.patch(place, json={"name": "Rob"}, headers={**admin, "If-Match": etag}) as answer:
        assert answer.status == 412
    async with client.patch(place, json={"disabled": True}, headers={**admin, "If-Match": newer}) as answer:
        assert (await answer.json())["name"] == "Bob"
    refresh = {"refresh_token": tokens["refresh_token"]}
    async with client.post("/api/identity/refresh", json=refresh) as answer:
        assert answer.status == 401
    async with client.get(f"{ACCOUNTS}/{uuid4()}", headers=admin) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8080"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "a.page.somewhere.example"}, 403),
        ({"Host": "127.0.0.1.somewhere.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "127.0.0.1", "X-Forwarded-For": "192.0.2.1"}, 403),
    ],
)
async def test_a_demo_password_is_good_at_this_machines_own_names_only(
    identity: Identity, client: Client, headers: dict[str, str], status: int
) -> None:
    for demo in (True, False):
        account = await make_account(identity, demo=demo)
        wish = {"email": account.email, "password": PASSWORD}
        async with client.post("/api/identity/sign-in", json=wish, headers=headers) as answer:
            assert answer.status == (status if demo else 200)
            assert (
                demo is False
                or status == 200
                or "galw admin create" in (await answer.json(content_type=None))["detail"]
            )


async def test_who_reads_a_history_is_told_names_and_nothing_else(identity: Identity, client: Client) -> None:
    one, gone = await make_account(identity, Role.MARKETING), await make_account(identity, Role.SUPERVISOR)
    await identity.accounts.edit(gone.id, AccountEdit(disabled=True), expected_version=gone.version)
    headers = await bearer(identity, one)
    asked = [("id", str(one.id)), ("id", str(gone.id)), ("id", str(uuid4()))]
    async with client.get("/api/identity/names", params=asked, headers=headers) as answer:
        found = sorted((await answer.json())["items"], key=str)
    assert found == sorted(({"id": str(who.id), "name": who.name} for who in (one, gone)), key=str)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"password": "bob.builder.1"}, "password"),
        ({"password": "aaaaaaaaaaaaaaa"}, "password"),
        ({"email": "bob"}, "email"),
        ({"email": "bob@x@y"}, "email"),
        ({"name": "  "}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["king"]}, "roles[0]"),
        ({"roles": ["partner"]}, "partner_id"),
        ({"roles": ["partner", "admin"], "partner_id": str(UUID(int=1))}, "roles"),
        ({"partner_id": str(UUID(int=1))}, "partner_id"),
        ({"disabled": True}, "disabled"),
    ],
)
async def test_an_unusable_account_is_refused(
    identity: Identity, client: Client, change: dict[str, Any], field: str
) -> None:
    admin = await bearer(identity, await make_account(identity, Role.ADMIN))
    new = {"email": "bob.builder@example.org", "name": "Bob", "password": PASSWORD, "roles": ["operator"]} | change
    async with client.post(ACCOUNTS, json=new, headers=admin) as answer:
        problem = await answer.json(content_type=None)
        assert answer.status == 422, problem
        assert field in {one["field"] for one in problem["fields"]}


async def test_the_last_administrator_stays(identity: Identity, client: Client) -> None:
    account = await make_account(identity, Role.ADMIN)
    headers = {**await bearer(identity, account), "If-Match": '"1"'}
    for change in ({"disabled": True}, {"roles": ["auditor"]}):
        async with client.patch(f"{ACCOUNTS}/{account.id}", json=change, headers=headers) as answer:
            assert answer.status == 409
    await make_account(identity, Role.ADMIN)
    async with client.patch(f"{ACCOUNTS}/{account.id}", json={"roles": ["auditor"]}, headers=headers) as answer:
        assert answer.status == 200


async def test_accounts_are_listed_page_by_page(identity: Identity, client: Client) -> None:
    admin = await bearer(identity, await make_account(identity, Role.ADMIN, "m@example.org"))
    for name in "abcxyz":
        await make_account(identity, email=f"{name}@example.org")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        async with client.get(ACCOUNTS, params={"limit": "3", **cursor}, headers=admin) as answer:
            page = await answer.json()
        seen += [one["email"][0] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == list("abcmxyz")


async def test_a_person_changes_the_own_password_knowing_the_old_one(identity: Identity, client: Client) -> None:
    account = await make_account(identity)
    headers = await bearer(identity, account)
    for present, new, status in (
        ("wrong", "other plain words", 403),
        (PASSWORD, "short", 422),
        (PASSWORD, "other plain words", 204),
    ):
        body = {"present": present, "new": new}
        async with client.post("/api/identity/me/password", json=body, headers=headers) as answer:
            assert answer.status == status
    assert (await sign_in(client, account.email))[0] == 401
    assert (await sign_in(client, account.email, "other plain words"))[0] == 200
    weak = {"present": "other plain words", "new": "short"}
    async with client.post("/api/identity/me/password", json=weak, headers=headers) as answer:
        assert [one["field"] for one in (await answer.json(content_type=None))["fields"]] == ["new"]


async def test_an_administrator_gives_a_new_password(identity: Identity, client: Client) -> None:
    admin = await bearer(identity, await make_account(identity, Role.ADMIN))
    account = await make_account(identity, demo=True)
    place = f"{ACCOUNTS}/{account.id}"
    async with client.put(f"{place}/password", json={"password": "other plain words"}, headers=admin) as answer:
        assert answer.status == 204
    async with client.get(place, headers=admin) as answer:
        assert (await answer.json())["demo"] is False
    assert (await sign_in(client, account.email, "other plain words"))[0] == 200
