"""Accounts: who may sign in and with which roles."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from services.runtime.clock import Clock
from services.runtime.errors import ConflictError, FieldProblem, NotFoundError, PreconditionError, RejectedError
from services.runtime.identity.keys import SQL
from services.runtime.identity.passwords import Passwords, check_password
from services.runtime.identity.principal import Principal, Role
from services.runtime.postgres import Connection, Pool, transaction


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in; *version* grows with every edit."""

    id: UUID
    email: str
    name: str
    roles: frozenset[Role]
    partner_id: UUID | None
    team_ids: frozenset[UUID]
    disabled: bool
    demo: bool
    version: int
    created_at: datetime
    changed_at: datetime

    @property
    def principal(self) -> Principal:
        """Return the account as services see it."""
        return Principal(self.id, self.roles, self.name, self.partner_id, self.team_ids)


@dataclass(frozen=True, slots=True)
class AccountEdit:
    """New values; None keeps the present one."""

    name: str | None = None
    roles: frozenset[Role] | None = None
    partner_id: UUID | None = None
    team_ids: frozenset[UUID] | None = None
    disabled: bool | None = None


class EmailTakenError(ConflictError):
    """Another account has this address."""

    code = "email-taken"


class Accounts:
    """The accounts in the schema `identity`; every write is one transaction."""

    def __init__(self, pool: Pool, passwords: Passwords, clock: Clock) -> None:
        """*pool* sees the schema `identity`."""
        self._pool = pool
        self._passwords = passwords
        self._clock = clock

    async def create(
        self,
        account_id: UUID,
        *,
        email: str,
        name: str,
        password: str,
        roles: Iterable[Role],
        partner_id: UUID | None = None,
        team_ids: Iterable[UUID] = (),
        demo: bool = False,
    ) -> Account:
        """Return the new account; the same id again returns what is there, so that a repeat is harmless.

        Raises `EmailTakenError`, or `RejectedError` for a weak password or roles that do not go together. *demo* marks
        a password that is printed in the documentation; the policy does not apply to it, but see `check_demo`.
        """
        email = email.strip().lower()
        chosen = frozenset(roles)
        check_roles(chosen, partner_id)
        if not demo:
            check_password(password, email=email, name=name)
        hashed = await self._passwords.hash(password)
        values = (account_id, email, name, hashed, sorted(chosen), partner_id, sorted(set(team_ids)), demo)
        try:
            async with transaction(self._pool) as connection:
                return account_from_row(await connection.fetchrow(SQL["account_insert"], *values, self._clock.now()))
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "accounts_pkey":
                return await self.load(account_id)
            raise EmailTakenError("There is an account with this address already.") from error

    async def load(self, account_id: UUID) -> Account:
        """Return the account or raise `NotFoundError`."""
        async with transaction(self._pool) as connection:
            return await _load(connection, account_id)

    async def find_by_email(self, email: str) -> Account | None:
        """Return the account with this address, None when there is none."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(SQL["account_find_by_email"], email.strip().lower())
        return None if row is None else account_from_row(row)

    async def list(self, after_email: str | None, limit: int) -> Sequence[Account]:
        """Return accounts by address, those after *after_email*, at most *limit*."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(SQL["account_list"], after_email, limit)
        return [account_from_row(row) for row in rows]

    async def names(self, account_ids: Iterable[UUID]) -> dict[UUID, str]:
        """Return the names of those accounts that there are, disabled ones too: what they did stays theirs."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(SQL["account_names"], list(account_ids))
        return {row["id"]: row["name"] for row in rows}

    async def edit(self, account_id: UUID, edit: AccountEdit, *, expected_version: int) -> Account:
        """Return the edited account; disabling ends its sessions.

        Raises `NotFoundError`, `PreconditionError` for another version, `ConflictError` when no administrator would
        be left who can sign in.
        """
        now = self._clock.now()
        async with transaction(self._pool) as connection:
            # The lock makes two administrators who demote each other at once wait for one another.
            admins = [row["id"] for row in await connection.fetch(SQL["account_lock_admins"])]
            present = await _load(connection, account_id)
            wanted = _edited(present, edit)
            check_roles(wanted.roles, wanted.partner_id)
            if admins == [account_id] and (wanted.disabled or Role.ADMIN not in wanted.roles):
                raise ConflictError("This is the last administrator; make another one first.")
            row = await connection.fetchrow(
                SQL["account_update"], account_id, expected_version, wanted.name, sorted(wanted.roles),
                wanted.partner_id, sorted(wanted.team_ids), wanted.disabled, now,
            )  # fmt: skip
            if row is None:
                raise PreconditionError(f"The account was changed in the meantime; it has version {present.version}.")
            if wanted.disabled:
                await connection.execute(SQL["session_end_all"], account_id, now, "disabled", None)
            return account_from_row(row)

    async def set_password(
        self, account_id: UUID, password: str, *, keep_session: UUID | None = None, field: str = "password"
    ) -> None:
        """Replace the password and end all sessions of the account but *keep_session*; a weak one names its *field*."""
        account = await self.load(account_id)
        check_password(password, email=account.email, name=account.name, field=field)
        hashed = await self._passwords.hash(password)
        now = self._clock.now()
        async with transaction(self._pool) as connection:
            if await connection.fetchval(SQL["account_update_password"], account_id, hashed, now) is None:
                raise NotFoundError("There is no such account.")
            await connection.execute(SQL["session_end_all"], account_id, now, "new password", keep_session)


def check_roles(roles: frozenset[Role], partner_id: UUID | None) -> None:
    """Raise `RejectedError` unless the roles go together: a partner is that alone and belongs to an organisation."""
    problems: list[FieldProblem] = []
    if not roles:
        problems.append(FieldProblem("roles", "expected at least one"))
    if Role.PARTNER in roles and len(roles) > 1:
        problems.append(FieldProblem("roles", "a partner has no other role"))
    if (Role.PARTNER in roles) != (partner_id is not None):
        problems.append(FieldProblem("partner_id", "expected for the role partner, and only for it"))
    if problems:
        raise RejectedError("The roles do not go together.", fields=tuple(problems))


def _edited(present: Account, edit: AccountEdit) -> Account:
    roles = present.roles if edit.roles is None else edit.roles
    partner_id = edit.partner_id or present.partner_id
    return replace(
        present,
        name=edit.name or present.name,
        roles=roles,
        # Whoever stops being a partner belongs to none.
        partner_id=partner_id if Role.PARTNER in roles or edit.partner_id else None,
        team_ids=present.team_ids if edit.team_ids is None else edit.team_ids,
        disabled=present.disabled if edit.disabled is None else edit.disabled,
    )


async def _load(connection: Connection, account_id: UUID) -> Account:
    row = await connection.fetchrow(SQL["account_find"], account_id)
    if row is None:
        raise NotFoundError("There is no such account.")
    return account_from_row(row)


def account_from_row(row: asyncpg.Record | None) -> Account:
    """Return the account that *row*, all columns of `accounts`, holds."""
    assert row is not None
    return Account(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        roles=frozenset(Role(role) for role in row["roles"]),
        partner_id=row["partner_id"],
        team_ids=frozenset(row["team_ids"]),
        disabled=row["disabled"],
        demo=row["demo"],
        version=row["version"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )
