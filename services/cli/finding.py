"""Things named as people name them: by id, or by a name that only one of them has; instants by a clock or an age."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click

from services.cli.client import CommandError, Exit, GalwClient
from services.runtime.clock import SystemClock

_AGES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


async def find_id(client: GalwClient, path: str, text: str, noun: str) -> str:
    """Return the id of the *noun* in the list at *path* whose id or whole name *text* is; ends the command else."""
    if is_id(text):
        return text
    found = [one["id"] async for one in client.pages(path) if one["name"] == text]
    if not found:
        raise CommandError(f"There is no {noun} named {text!r}. See: galw {noun}s list", Exit.NOT_FOUND)
    if len(found) > 1:
        raise CommandError(
            f"{len(found)} {noun}s are named {text!r}; name one by its id: {', '.join(found)}", Exit.USAGE
        )
    return found[0]


class IdOf(click.ParamType[str]):
    """An argument that is the id of a *noun*; anything else is wrong usage, told with the command that lists them."""

    name = "id"

    def __init__(self, noun: str, see: str) -> None:
        """*see* is the command that lists the ids."""
        self._noun = noun
        self._see = see

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id as it was typed."""
        if not is_id(str(value)):
            self.fail(f"{value!r} is no id of {self._noun}; {self._see} lists them", param, ctx)
        return str(value)


def is_id(text: str) -> bool:
    """Tell whether *text* is an id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def names_of(client: GalwClient, account_ids: Iterable[str | None]) -> dict[str | None, str]:
    """Return what to call those who did something, by their id; Galw itself for none.

    While the service that knows the names is away, the ids have to do.
    """
    asked = sorted({one for one in account_ids if one})
    names: dict[str | None, str] = {None: "Galw", **{one: one for one in asked}}
    for begin in range(0, len(asked), 100):
        some = asked[begin : begin + 100]
        try:
            found = await client.get("/api/identity/names", {"id": some})
        except CommandError:
            break
        names |= {one["id"]: one["name"] for one in found["items"]}
    return names


def parse_instant(option: str, text: str | None) -> str | None:
    """Return the instant that *text* means: a day or instant (UTC unless it says otherwise), or an age such as 2h."""
    if text is None:
        return None
    age = text.strip()
    if age[:-1].isdigit() and age[-1] in _AGES and len(age) <= 7:
        return (SystemClock().now() - timedelta(**{_AGES[age[-1]]: int(age[:-1])})).isoformat()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = (
            f"{option} {text!r} is no day, instant or age; expected one such as 2027-03-31, or 2h for two hours ago"
        )
        raise CommandError(message, Exit.USAGE) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
