"""`galw sign-in` and `galw sign-out`."""

import sys
from urllib.parse import urlsplit

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.output import say
from services.runtime.identity.demo import is_loopback


@click.command("sign-in")
@click.option("--email", prompt="E-mail address", help="The address of your account.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.option("--insecure", is_flag=True, help="Send the password over plain http to another machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def sign_in(client: GalwClient, *, email: str, password_stdin: bool, insecure: bool, as_json: bool) -> None:
    """Sign in at the Galw that GALW_URL names and remember it for later commands.

    The tokens are kept in $XDG_CONFIG_HOME/galw/sign-in.json, readable by you alone.

    \b
    Examples:
      galw sign-in --email you@example.org
      echo "$PASSWORD" | galw sign-in --email you@example.org --password-stdin
    """
    parts = urlsplit(client.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not insecure:
        message = f"{client.url} is not encrypted, so the password could be read on the way. Use https, or --insecure."
        raise CommandError(message, Exit.USAGE)
    await client.sign_in(email, read_password(stdin=password_stdin, confirm=False))
    me = await client.get("/api/identity/me")
    if as_json:
        say(orjson.dumps({"url": client.url, **me}))
    else:
        say(f"Signed in at {client.url} as {me['name']} ({', '.join(me['roles'])}).")


@click.command("sign-out")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
async def sign_out(client: GalwClient, *, as_json: bool) -> None:
    """End the session and forget it; nothing happens when there is none.

    \b
    Example:
      galw sign-out
    """
    ended = await client.sign_out()
    if as_json:
        say(orjson.dumps({"url": client.url, "signed_out": ended}))
    else:
        say(f"Signed out at {client.url}." if ended else f"You were not signed in at {client.url}.")


def read_password(*, stdin: bool, confirm: bool) -> str:
    """Return the password, asked for without echo or read as the first line of standard input."""
    if not stdin:
        return click.prompt("Password", hide_input=True, confirmation_prompt=confirm)
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("There is no password on standard input.", Exit.USAGE)
    return password
