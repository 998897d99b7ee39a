"""`galw accounts`: who may sign in, and as what."""

from typing import Any

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.finding import find_id, is_id
from services.cli.output import Screen, say, table_of
from services.cli.sign_in import read_password
from services.runtime.identity.principal import Role

_PATH = "/api/identity/accounts"
_ROLE = click.Choice([role.value for role in Role])


@click.group()
def command() -> None:
    """Accounts of the staff and of partners; the very first administrator is made by `galw admin create`.

    \b
    Example:
      galw accounts create --email gwen@example.org --name "Gwen Idris" --role operator
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one account a line.")
@with_client
async def list_accounts(client: GalwClient, *, as_json: bool) -> None:
    """List accounts by address.

    \b
    Example:
      galw accounts list
    """
    table = table_of("id", "address", "name", "roles", "state")
    async for one in client.pages(_PATH, {"limit": 200}):
        if as_json:
            say(orjson.dumps(one))
        else:
            table.add_row(one["id"], one["email"], one["name"], ", ".join(one["roles"]), _state(one))
    if not as_json:
        Screen().print(table)


@command.command("create")
@click.option("--email", required=True, help="The address to sign in with.")
@click.option("--name", required=True, help="The person's name, as others see it.")
@click.option("--role", "roles", multiple=True, required=True, type=_ROLE, help="What they may do; may be repeated.")
@click.option("--partner", help="The partner (id or name) whom an account with the role partner belongs to.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def create(
    client: GalwClient,
    *,
    email: str,
    name: str,
    roles: tuple[str, ...],
    partner: str | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make an account.

    \b
    Examples:
      galw accounts create --email gwen@example.org --name "Gwen Idris" --role operator
      galw accounts create --email p@fielding.example --name "P. Fielding" --role partner --partner "Fielding Repairs"
    """
    partner_id = await find_id(client, "/api/notifier/partners", partner, "partner") if partner else None
    password = read_password(stdin=password_stdin, confirm=True)
    wish = {"email": email, "name": name, "password": password, "roles": list(roles), "partner_id": partner_id}
    made = await client.post(_PATH, wish)
    say(orjson.dumps(made) if as_json else f"Made the account {made['name']} <{made['email']}>: {made['id']}.")


def _order(name: str, disabled: bool, text: str, done: str) -> None:
    @command.command(name, help=f"{text}\n\n\b\nExample:\n  galw accounts {name} gwen@example.org")
    @click.argument("account")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @with_client
    async def order(client: GalwClient, account: str, *, as_json: bool) -> None:
        present = await client.request("GET", f"{_PATH}/{await _find(client, account)}")
        edited = await client.patch(
            f"{_PATH}/{present.body['id']}", {"disabled": disabled}, etag=present.etag or f'"{present.body["version"]}"'
        )
        say(orjson.dumps(edited) if as_json else f"{edited['name']} <{edited['email']}> {done}.")

    del order


_order("disable", True, "Let ACCOUNT (id or address) sign in no more.", "cannot sign in any more")
_order("enable", False, "Let ACCOUNT (id or address) sign in again.", "can sign in again")


async def _find(client: GalwClient, account: str) -> str:
    if is_id(account):
        return account
    async for one in client.pages(_PATH, {"limit": 200}):
        if one["email"] == account.lower():
            return one["id"]
    raise CommandError(f"There is no account {account!r}. See: galw accounts list", Exit.NOT_FOUND)


def _state(account: Any) -> str:
    return "disabled" if account["disabled"] else "demo" if account.get("demo") else "active"
