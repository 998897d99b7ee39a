"""Templates in PostgreSQL."""

from collections.abc import Collection
from typing import Any

import asyncpg

from services.notifier.domain.templates import Template, Text
from services.notifier.store.statements import SQL
from services.runtime.errors import PreconditionError
from services.runtime.postgres import Connection


class PgTemplates:
    """The port `Templates` over one transaction."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def add(self, template: Template) -> None:
        """Write a version; `PreconditionError` when it is there already."""
        texts = {lang: {"subject": text.subject, "body": text.body} for lang, text in template.texts.items()}
        try:
            await self._conn.execute(
                SQL["template_add"],
                template.name,
                template.version,
                template.channel,
                template.default_language,
                texts,
                template.created_at,
                template.created_by,
            )
        except asyncpg.UniqueViolationError as error:
            message = f"The template {template.name} has a version {template.version} already; read it again."
            raise PreconditionError(message) from error

    async def find(self, name: str, version: int | None = None) -> Template | None:
        """Return a version, by default the latest."""
        row = await self._conn.fetchrow(SQL["template_find"], name, version)
        return None if row is None else _template(row)

    async def latest(self, names: Collection[str]) -> dict[str, Template]:
        """Return the latest version of each that exists."""
        rows = await self._conn.fetch(SQL["templates_latest"], list(names))
        return {row["name"]: _template(row) for row in rows}

    async def page(self, after: str | None, limit: int) -> list[Template]:
        """Return the latest versions in the order of their names."""
        return [_template(row) for row in await self._conn.fetch(SQL["templates_page"], after, limit)]


def _template(row: asyncpg.Record) -> Template:
    columns: dict[str, Any] = dict(row)
    columns["texts"] = {lang: Text(text["body"], text.get("subject", "")) for lang, text in row["texts"].items()}
    return Template(**columns)
