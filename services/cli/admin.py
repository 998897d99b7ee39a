"""`galw admin`: what is done beside a running Galw, straight in its database, by whoever deploys it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import orjson

from services.cli.client import CommandError, Exit
from services.cli.sign_in import read_password
from services.runtime.clock import SystemClock
from services.runtime.errors import ConflictError, GalwError, RejectedError, UnavailableError
from services.runtime.identity.accounts import Accounts
from services.runtime.identity.identity import PACKAGES, SCHEMA
from services.runtime.identity.keys import SigningKeys
from services.runtime.identity.passwords import Passwords
from services.runtime.identity.principal import Role
from services.runtime.ids import new_id
from services.runtime.postgres import Pool, create_pool, migrate

_FILES = {"GALW_DATABASE_URL": "database-url", "GALW_SECRET_KEY": "secret-key"}


@click.group()
def admin() -> None:
    """Work on the database of a deployment: GALW_DATABASE_URL says which.

    Without it, on that of the standalone mode that runs on .data (or GALW_DATA_DIR).

    \b
    Example:
      GALW_DATABASE_URL=postgresql://galw:…@db/galw galw admin create --email you@example.org --name "You"
    """


@admin.command("create")
@click.option("--email", prompt="E-mail address", help="The address to sign in with.")
@click.option("--name", prompt="Name", help="The person's name, as others see it.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(email: str, name: str, *, password_stdin: bool, as_json: bool) -> None:
    """Make an administrator, such as the first one of a deployment.

    Galw need not run, only its database.

    \b
    Example:
      galw admin create --email you@example.org --name "You"
    """
    password = read_password(stdin=password_stdin, confirm=True)

    async def work(pool: Pool) -> None:
        passwords = Passwords(threads=1)
        accounts = Accounts(pool, passwords, SystemClock())
        try:
            made = await accounts.create(new_id(), email=email, name=name, password=password, roles={Role.ADMIN})
        finally:
            passwords.close()
        if as_json:
            click.echo(orjson.dumps({"id": str(made.id), "email": made.email, "roles": sorted(made.roles)}))
        else:
            click.echo(f"Made the administrator {made.name} <{made.email}>. Sign in with: galw sign-in")

    _run(work)


@admin.command("new-keys")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.confirmation_option(prompt="Everybody has to refresh or sign in again within ten minutes. Go on?")
def new_keys(*, as_json: bool) -> None:
    """Replace the keys that sign access tokens: after a leak, or when GALW_SECRET_KEY was lost.

    The new keys are encrypted with the present GALW_SECRET_KEY. Running services take them up within a minute.

    \b
    Example:
      galw admin new-keys
    """
    secret = _environment("GALW_SECRET_KEY")

    async def work(pool: Pool) -> None:
        keys = SigningKeys(pool, secret, SystemClock())
        await keys.replace_all()
        kid = (await keys.current()).kid
        click.echo(orjson.dumps({"kid": kid}) if as_json else f"Access tokens are signed with the new key {kid}.")

    _run(work)


def _run(work: Callable[[Pool], Awaitable[None]]) -> None:
    url = _environment("GALW_DATABASE_URL")

    async def main() -> None:
        await migrate(url, SCHEMA, PACKAGES)
        pool = await create_pool(url, SCHEMA, application_name="galw-admin")
        try:
            await work(pool)
        finally:
            await pool.close()

    try:
        asyncio.run(main())
    except GalwError as error:
        raise told(error) from error


def told(error: GalwError) -> CommandError:
    """Return *error* as the end of a command, with the fields it names."""
    codes = {RejectedError: Exit.REFUSED, ConflictError: Exit.CONFLICT, UnavailableError: Exit.UNAVAILABLE}
    code = next((code for kind, code in codes.items() if isinstance(error, kind)), Exit.FAILED)
    lines = [error.message, *(f"  {one.field}: {one.problem}" for one in error.fields)]
    return CommandError("\n".join(lines), code)


def _environment(name: str) -> str:
    value = os.environ.get(name, "") or _of_the_standalone(name)
    if not value:
        raise CommandError(f"Set {name} first: it says what to work on.", Exit.USAGE)
    return value


def _of_the_standalone(name: str) -> str:
    """Return what the standalone mode of this folder, or of GALW_DATA_DIR, works with; empty when there is none."""
    file = Path(os.environ.get("GALW_DATA_DIR", ".data")) / "secrets" / _FILES[name]
    return file.read_text().strip() if file.is_file() else ""
