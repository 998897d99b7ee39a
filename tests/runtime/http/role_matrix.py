"""The walk over every route × every role × signed out; each service's suite calls it with its own routes."""

import re
from collections.abc import Callable, Iterable
from uuid import UUID

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient

from services.runtime.http import PUBLIC, Route
from services.runtime.identity import Role

Signed = Callable[[Role], dict[str, str]]
"""Returns the headers of somebody who has this role alone."""


async def wrongly_answered(
    client: TestClient[web.Request, web.Application] | ClientSession, routes: Iterable[Route], signed: Signed
) -> list[str]:
    """Return a sentence for every route that lets in whom it should not, or keeps out whom it should let in.

    Requests carry no body, so whoever is let in is mostly told that the input does not fit: only 401 and 403 count.
    """
    wrong: list[str] = []
    for route in routes:
        for role in (None, *Role):
            headers = signed(role) if role else {}
            path = re.sub(r"{\w+}", str(UUID(int=1)), route.path)
            async with client.request(route.method, path, headers=headers, allow_redirects=False) as answer:
                expected = _expected(route, role)
                seen = answer.status if answer.status in (401, 403) else None
                # A public route may refuse credentials of its own accord: signing in with none is a 401 too.
                if seen != expected and route.roles != PUBLIC:
                    wrong.append(f"{route.method} {route.path} as {role or 'nobody'}: {answer.status}")
    return wrong


def _expected(route: Route, role: Role | None) -> int | None:
    if role is None:
        return 401
    return None if role in route.roles else 403
