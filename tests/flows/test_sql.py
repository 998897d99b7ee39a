"""Every statement of every package is prepared against the schema that its migrations make."""

import pytest

from services.runtime.postgres import create_pool, migrate
from services.runtime.sql import load_sql

pytestmark = pytest.mark.pg

# Whose statements run in which schema, made by which migrations.
STATEMENTS = {
    "services.runtime": ("crm", ("services.runtime",)),
    "services.runtime.http": ("crm", ("services.runtime",)),
    "services.runtime.identity": ("identity", ("services.runtime.identity",)),
    "services.crm": ("crm", ("services.runtime", "services.crm")),
    "services.dialer": ("dialer", ("services.runtime", "services.dialer")),
    "services.notifier": ("notifier", ("services.runtime", "services.notifier")),
}


@pytest.mark.parametrize("package", STATEMENTS)
async def test_every_statement_fits_its_schema_and_says_what_it_returns(package: str, database_url: str) -> None:
    schema, packages = STATEMENTS[package]
    await migrate(database_url, schema, packages)
    pool = await create_pool(database_url, schema)
    statements = load_sql(package)
    assert len(statements) > 3
    async with pool.acquire() as conn:
        for name, text in statements.items():
            assert text.startswith("-- "), name
            await conn.prepare(text)
    await pool.close()
