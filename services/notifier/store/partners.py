"""Partners, endpoints and secrets in PostgreSQL."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notifier.domain.partners import Endpoint, Partner, Target
from services.notifier.domain.signatures import Scheme
from services.notifier.ports import SealedSecret
from services.notifier.store.statements import SQL
from services.runtime.errors import ConflictError, PreconditionError
from services.runtime.postgres import Connection


class PgPartners:
    """The port `Partners` over one transaction."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def add(self, partner: Partner) -> None:
        """Write a new partner; `ConflictError` when the name or the id is taken."""
        try:
            campaigns = _sorted(partner.campaign_ids)
            await self._conn.execute(SQL["partner_add"], partner.id, partner.name, campaigns, partner.created_at)
        except asyncpg.UniqueViolationError as error:
            raise _taken(error, partner.name) from error

    async def find(self, partner_id: UUID) -> Partner | None:
        """Return the partner."""
        row = await self._conn.fetchrow(SQL["partner_find"], partner_id)
        return None if row is None else _partner(row)

    async def page(self, only: UUID | None, after: UUID | None, limit: int) -> list[Partner]:
        """Return partners in the order of their ids."""
        return [_partner(row) for row in await self._conn.fetch(SQL["partners_page"], only, after, limit)]

    async def save(self, partner: Partner, expected_version: int) -> None:
        """Write a changed partner; `PreconditionError` when somebody else was faster."""
        campaigns = _sorted(partner.campaign_ids)
        try:
            saved = await self._conn.fetchval(
                SQL["partner_save"], partner.id, partner.name, campaigns, expected_version
            )
        except asyncpg.UniqueViolationError as error:
            raise _taken(error, partner.name) from error
        if saved is None:
            raise PreconditionError("The partner was changed in the meantime; read it again.")

    async def add_endpoint(self, endpoint: Endpoint) -> None:
        """Write a new endpoint; `ConflictError` when the id is taken."""
        try:
            await self._conn.execute(
                SQL["endpoint_add"],
                endpoint.id,
                endpoint.partner_id,
                endpoint.url,
                endpoint.description,
                endpoint.subscriptions,
                endpoint.enabled,
                endpoint.disabled_reason,
                endpoint.disabled_at,
                endpoint.created_at,
            )
        except asyncpg.UniqueViolationError as error:
            raise ConflictError("This endpoint was created already.") from error

    async def find_endpoint(self, endpoint_id: UUID, *, lock: bool = False) -> Endpoint | None:
        """Return the endpoint."""
        row = await self._conn.fetchrow(SQL["endpoint_lock"] if lock else SQL["endpoint_find"], endpoint_id)
        return None if row is None else _endpoint(row)

    async def list_endpoints(self, partner_id: UUID) -> list[Endpoint]:
        """Return the partner's endpoints, oldest first."""
        return [_endpoint(row) for row in await self._conn.fetch(SQL["endpoints_list"], partner_id)]

    async def save_endpoint(self, endpoint: Endpoint) -> None:
        """Write an endpoint that is locked."""
        await self._conn.execute(
            SQL["endpoint_save"],
            endpoint.id,
            endpoint.url,
            endpoint.description,
            endpoint.subscriptions,
            endpoint.enabled,
            endpoint.disabled_reason,
            endpoint.disabled_at,
            endpoint.failing_since,
            endpoint.failures,
        )

    async def disable_endpoint(self, endpoint_id: UUID, reason: str, now: datetime) -> bool:
        """Disable the endpoint; tell whether it was enabled until now."""
        return await self._conn.fetchval(SQL["endpoint_disable"], endpoint_id, reason, now) is not None

    async def remove_endpoint(self, endpoint_id: UUID, now: datetime) -> None:
        """Take the endpoint out of sight."""
        await self._conn.execute(SQL["endpoint_remove"], endpoint_id, now)

    async def targets(self) -> list[Target]:
        """Return what planning must know about every endpoint."""
        rows = await self._conn.fetch(SQL["endpoint_targets"])
        return [
            Target(
                row["id"],
                tuple(row["subscriptions"]),
                None if row["campaign_ids"] is None else frozenset(row["campaign_ids"]),
                row["enabled"],
            )
            for row in rows
        ]

    async def add_secret(self, secret: SealedSecret) -> None:
        """Write the new current secret; `ConflictError` when a rotation was faster."""
        try:
            await self._conn.execute(
                SQL["secret_add"],
                secret.id,
                secret.endpoint_id,
                secret.scheme.value,
                secret.sealed,
                secret.created_at,
            )
        except asyncpg.UniqueViolationError as error:
            raise ConflictError("This secret was made already.") from error

    async def retire_secret(self, endpoint_id: UUID, expires_at: datetime) -> None:
        """Let the current secret sign along until *expires_at*."""
        await self._conn.execute(SQL["secret_retire"], endpoint_id, expires_at)

    async def secrets(self, endpoint_id: UUID, now: datetime) -> list[SealedSecret]:
        """Return the secrets that sign now, the current one first."""
        rows = await self._conn.fetch(SQL["secrets_list"], endpoint_id, now)
        return [
            SealedSecret(
                row["id"],
                row["endpoint_id"],
                Scheme(row["scheme"]),
                row["sealed"],
                row["created_at"],
                row["expires_at"],
            )
            for row in rows
        ]


def _sorted(campaign_ids: frozenset[UUID] | None) -> list[UUID] | None:
    return None if campaign_ids is None else sorted(campaign_ids)


def _taken(error: asyncpg.UniqueViolationError, name: str) -> ConflictError:
    if error.constraint_name == "partners_name":
        return ConflictError(f"There is a partner called {name} already.")
    return ConflictError("This partner was created already.")


def _partner(row: asyncpg.Record) -> Partner:
    campaigns = None if row["campaign_ids"] is None else frozenset(row["campaign_ids"])
    return Partner(row["id"], row["name"], campaigns, row["created_at"], row["version"])


def _endpoint(row: asyncpg.Record) -> Endpoint:
    columns: dict[str, Any] = dict(row)
    columns["subscriptions"] = tuple(columns["subscriptions"])
    return Endpoint(**columns)
