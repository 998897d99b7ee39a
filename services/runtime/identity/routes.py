"""The HTTP side of identity: signing in, the own account, the public keys, and accounts for administrators."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

import structlog
from pydantic import BaseModel, Field, StringConstraints

from services.runtime.http import ANY_ROLE, PUBLIC, Call, Cursor, Input, Page, PageQuery, Reply, Routes
from services.runtime.identity.accounts import Account, AccountEdit
from services.runtime.identity.identity import Identity
from services.runtime.identity.principal import Role
from services.runtime.identity.sessions import SignedIn

_LOG = structlog.get_logger(__name__)

PREFIX = "/api/identity"

_HISTORIANS = {Role.ADMIN, Role.MARKETING, Role.SUPERVISOR, Role.AUDITOR}
"""Who reads what others did."""

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$", max_length=254)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
# Longer ones are refused before they are hashed.
Password = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Credentials(Input):
    """What a person types to sign in."""

    email: Email
    password: Password


class RefreshRequest(Input):
    """The refresh token, good for one use."""

    refresh_token: str = Field(min_length=1, max_length=200)


class Tokens(BaseModel):
    """Show `access_token` as a bearer; before `expires_in` seconds are over, get the next pair with `refresh_token`."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the name of the scheme

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        """Show what a sign-in gave."""
        return cls(
            access_token=signed_in.access_token,
            refresh_token=signed_in.refresh_token,
            expires_in=signed_in.expires_in_s,
        )


class Me(BaseModel):
    """Who the access token says the caller is."""

    user_id: UUID
    name: str
    roles: list[Role]
    partner_id: UUID | None
    team_ids: list[UUID]


class PasswordChange(Input):
    """The present password and the one to replace it."""

    present: Password
    new: Password


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class NewAccount(Input):
    """Somebody who may sign in from now on."""

    email: Email
    name: Name
    password: Password
    roles: frozenset[Role] = Field(min_length=1)
    partner_id: UUID | None = None
    team_ids: frozenset[UUID] = Field(default=frozenset(), max_length=100)


class AccountPatch(Input):
    """What to change; what is left out stays. Disabling ends the account's sessions.

    An access token that it was given still counts for up to ten minutes.
    """

    name: Name | None = None
    roles: frozenset[Role] | None = Field(default=None, min_length=1)
    partner_id: UUID | None = None
    team_ids: frozenset[UUID] | None = Field(default=None, max_length=100)
    disabled: bool | None = None


class NewPassword(Input):
    """The password an administrator gives; all sessions of the account end."""

    password: Password


class AccountView(BaseModel):
    """An account as administrators see it."""

    id: UUID
    email: str
    name: str
    roles: list[Role]
    partner_id: UUID | None
    team_ids: list[UUID]
    disabled: bool
    demo: bool
    version: int
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, account: Account) -> Self:
        """Show *account*."""
        return cls(
            id=account.id,
            email=account.email,
            name=account.name,
            roles=sorted(account.roles),
            partner_id=account.partner_id,
            team_ids=sorted(account.team_ids),
            disabled=account.disabled,
            demo=account.demo,
            version=account.version,
            created_at=account.created_at,
            changed_at=account.changed_at,
        )


class NamesQuery(Input):
    """Whose names are asked for."""

    id: list[UUID] = Field(min_length=1, max_length=100)


class NameView(BaseModel):
    """What one account is called."""

    id: UUID
    name: str


class Names(BaseModel):
    """The names of those accounts that there are."""

    items: list[NameView]


def identity_routes(identity: Identity) -> list[Routes]:
    """Return all routes of identity; one service mounts them."""
    return [_session_routes(identity), _account_routes(identity)]


def _session_routes(identity: Identity) -> Routes:
    routes = Routes(prefix=PREFIX, tag="signing in")

    @routes.post("/sign-in", roles=PUBLIC, status=200, summary="Sign in", max_body_bytes=4096)
    async def post_sign_in(call: Call, body: Credentials) -> Tokens:
        """Failed attempts are limited per account and per network address; a 429 says how long to wait."""
        return Tokens.of(await identity.sessions.sign_in(body.email, body.password, call.remote, host=call.host))

    @routes.post("/refresh", roles=PUBLIC, status=200, summary="Get the next tokens", max_body_bytes=4096)
    async def post_refresh(body: RefreshRequest) -> Tokens:
        """A refresh token is good once. Using an old one ends the session, for somebody else may hold it."""
        return Tokens.of(await identity.sessions.refresh(body.refresh_token))

    @routes.post("/sign-out", roles=PUBLIC, summary="End the session", max_body_bytes=4096)
    async def post_sign_out(body: RefreshRequest) -> None:
        """The session's access token still counts for up to ten minutes."""
        await identity.sessions.sign_out(body.refresh_token)

    @routes.get("/jwks", roles=PUBLIC, summary="The keys that verify access tokens")
    async def get_jwks() -> Reply[KeySet]:
        return Reply(KeySet(keys=list(await identity.keys.fetch())), headers={"Cache-Control": "public, max-age=300"})

    @routes.get("/me", roles=ANY_ROLE, summary="Who am I")
    async def get_me(call: Call) -> Me:
        who = call.principal
        return Me(
            user_id=who.user_id,
            name=who.name,
            roles=sorted(who.roles),
            partner_id=who.partner_id,
            team_ids=sorted(who.team_ids),
        )

    @routes.post("/me/password", roles=ANY_ROLE, summary="Change the own password", max_body_bytes=4096)
    async def post_own_password(call: Call, body: PasswordChange) -> None:
        """All sessions end, this one too: sign in with the new password. Access tokens count for up to ten minutes."""
        await identity.sessions.check_own_password(call.principal.user_id, body.present, call.remote)
        await identity.accounts.set_password(call.principal.user_id, body.new, field="new")

    return routes


def _account_routes(identity: Identity) -> Routes:
    routes = Routes(prefix=PREFIX, tag="accounts")
    after = Cursor(str)

    @routes.post("/accounts", roles={Role.ADMIN}, status=201, summary="Make an account")
    async def post_account(call: Call, body: NewAccount) -> Reply[AccountView]:
        """The address is unique, so a repeat is refused instead of making a second account."""
        account = await identity.accounts.create(
            call.new_id,
            email=body.email,
            name=body.name,
            password=body.password,
            roles=body.roles,
            partner_id=body.partner_id,
            team_ids=body.team_ids,
        )
        _LOG.info("identity.account_made", user_id=str(account.id), by=str(call.principal.user_id))
        return Reply(AccountView.of(account), etag=account.version, location=f"{PREFIX}/accounts/{account.id}")

    @routes.get("/accounts", roles={Role.ADMIN, Role.AUDITOR}, summary="List accounts by address")
    async def list_accounts(query: PageQuery) -> Page[AccountView]:
        found = await identity.accounts.list(after.decode(query.cursor), query.limit + 1)
        page = found[: query.limit]
        next_cursor = after.encode(page[-1].email) if len(found) > query.limit else None
        return Page(items=[AccountView.of(one) for one in page], next_cursor=next_cursor)

    @routes.get("/names", roles=_HISTORIANS, summary="Who these ids are")
    async def get_names(query: NamesQuery) -> Names:
        """Histories say by id who did what; this puts names to them, and nothing else."""
        found = await identity.accounts.names(query.id)
        return Names(items=[NameView(id=one, name=name) for one, name in found.items()])

    @routes.get("/accounts/{account_id}", roles={Role.ADMIN, Role.AUDITOR}, summary="Show an account")
    async def get_account(account_id: UUID) -> Reply[AccountView]:
        account = await identity.accounts.load(account_id)
        return Reply(AccountView.of(account), etag=account.version)

    @routes.patch("/accounts/{account_id}", roles={Role.ADMIN}, if_match=True, summary="Edit an account")
    async def patch_account(call: Call, account_id: UUID, body: AccountPatch) -> Reply[AccountView]:
        """Access tokens already given out keep the old roles for up to ten minutes."""
        edit = AccountEdit(**dict(body))
        edited = await identity.accounts.edit(account_id, edit, expected_version=call.expected_version())
        _LOG.info("identity.account_edited", user_id=str(account_id), by=str(call.principal.user_id))
        return Reply(AccountView.of(edited), etag=edited.version)

    @routes.put("/accounts/{account_id}/password", roles={Role.ADMIN}, summary="Give a new password")
    async def put_password(call: Call, account_id: UUID, body: NewPassword) -> None:
        await identity.accounts.set_password(account_id, body.password)
        _LOG.info("identity.password_given", user_id=str(account_id), by=str(call.principal.user_id))

    return routes
